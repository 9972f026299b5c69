"""The first import of the package: what has to be set before NumPy is there, and the choice of the backend.

Where no backend can be had, our own command says so in one sentence; everybody else's program gets the `BackendError`.
So it is with Ctrl-C while all else is imported, before the command can see to it.
"""

from __future__ import annotations

import os
import sys
from pathlib import PurePath
from types import TracebackType


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


def in_one_sentence(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say that Ctrl-C was pressed, and show any other error as ever; Python ends the process as it would anyway."""
    if issubclass(kind, KeyboardInterrupt):
        print("tinygrad-lstm: interrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if is_our_command(sys.argv, sys.orig_argv):
    sys.excepthook = in_one_sentence

# Threads of OpenBLAS, NumPy's library for products, wait for the next one in a loop, by their own rule for some 25 ms,
# and keep the cores from whatever computes in between, as the compiled kernels do. 2^20 ticks are half of one.
# It is read when NumPy is loaded: too late if the program has imported that already.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")

try:
    from . import backend as backend
except ImportError as error:
    if not is_our_command(sys.argv, sys.orig_argv):
        raise
    print(f"tinygrad-lstm: {error}", file=sys.stderr)
    raise SystemExit(2) from None
