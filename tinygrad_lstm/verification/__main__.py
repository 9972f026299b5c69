"""One of the two processes of ``tinygrad-lstm verify``: cases run on its backend, and what came out is written."""

from __future__ import annotations

import argparse
import logging

from .. import backend
from ..data import Progress
from . import CASES, write


def main() -> None:
    """Run the cases whose names contain a pattern."""
    parser = argparse.ArgumentParser(prog="python -m tinygrad_lstm.verification", description=main.__doc__)
    parser.add_argument("file", help="where to write")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--only", default="", metavar="PATTERN")
    arguments = parser.parse_args()
    logging.getLogger("tinygrad_lstm").setLevel(logging.ERROR)  # that some options are slower is known
    cases = [case for case in CASES if arguments.only in case.name]
    write(arguments.file, Progress(cases, backend.name, unit="cases"), arguments.dtype)


main()
