"""`import`: how long a fresh Python takes to import us, beside NumPy alone and the others."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

from .declarations import Benchmark, Program, Size, Step
from .targets import Extra


def nothing(size: Size) -> None:
    """Return no work."""


def importing(statement: str, work: None) -> Step:
    """Return a fresh Python that runs a statement; bytecode is kept, as Python does by default."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return Step(lambda: subprocess.run([sys.executable, "-c", statement], env=environment, check=True))


BENCHMARKS = [
    Benchmark(
        name="import",
        about="a fresh Python process that imports a library, and ends",
        axes=("processes",),
        sizes=[(1,)],
        work=nothing,
        programs={
            "import tinygrad_lstm": Program(partial(importing, "import tinygrad_lstm")),
            "import numpy": Program(partial(importing, "import numpy")),
            "import torch": Program(partial(importing, "import torch"), needs=("torch",)),
            "import jax": Program(partial(importing, "import jax"), needs=("jax",)),
        },
        baseline="import numpy",
        quick=(1,),
        targets=(Extra("import tinygrad_lstm", "import numpy", 100.0),),
    )
]
