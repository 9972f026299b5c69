"""The command line, ``tinygrad-lstm`` with ``demo``, ``train``, ``draw`` and others: a face over the library."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from ..data import TextError
from ..graph import RenderError
from ..interchange import FormatError
from ..kernels.choice import KernelsError
from .arguments import parser
from .benching import BenchError
from .drawing import DrawError
from .verifying import VerifyError

__all__ = ["main"]

USAGE_ERROR = 2
INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, and return the status for the shell: 0, 2 for an error of the user's, 130 after Ctrl-C.

    A command may have a status of its own: 1 is that of ``verify`` where the backends differ.

    Parameters
    ----------
    argv
        The arguments; those of the process if None.

    Examples
    --------
    >>> main(["train", "missing.txt"])
    2
    """
    arguments = parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that lacks a character shows a question mark for it
        sys.stdout.reconfigure(errors="replace")
    status = 0
    try:
        status = arguments.run(arguments) or 0
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        return _ended(str(interrupt) or "interrupted.", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has seen enough, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except MemoryError as error:
        return _ended(str(error) or "out of memory.", USAGE_ERROR)
    except (TextError, FormatError, DrawError, RenderError, BenchError, KernelsError, VerifyError) as error:
        return _ended(str(error), USAGE_ERROR)
    except OSError as error:
        return _ended(f"{error.filename or 'the system'}: {error.strerror or error}.", USAGE_ERROR)
    return status


def _ended(sentence: str, status: int) -> int:
    """Say why there is no result; return the status."""
    print(f"tinygrad-lstm: {sentence}", file=sys.stderr)
    return status
