"""The first import of the package: where no backend can be had, our own command says so in one sentence.

Everybody else's program gets the `BackendError` itself.
"""

from __future__ import annotations

import sys
from pathlib import PurePath


def is_our_command(argv: list[str], orig_argv: list[str]) -> bool:
    """Tell from ``sys.argv`` and ``sys.orig_argv`` whether ``tinygrad-lstm`` or ``python -m tinygrad_lstm`` runs.

    >>> is_our_command(["/usr/bin/tinygrad-lstm", "info"], ["python", "/usr/bin/tinygrad-lstm", "info"])
    True
    >>> is_our_command(["-m", "info"], ["python", "-m", "tinygrad_lstm", "info"])
    True
    >>> is_our_command(["train.py"], ["python", "train.py"])
    False
    """
    program = argv[0]
    if program == "-m":  # Python is still looking for the module, whose name stands right before the arguments
        program = orig_argv[-len(argv)].removeprefix("-m")
    return PurePath(program).stem in ("tinygrad-lstm", "tinygrad_lstm")


try:
    from . import backend as backend
except ImportError as error:
    if not is_our_command(sys.argv, sys.orig_argv):
        raise
    print(f"tinygrad-lstm: {error}", file=sys.stderr)
    raise SystemExit(2) from None
