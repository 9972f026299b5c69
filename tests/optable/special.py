"""Special functions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .core import Host, unary


def _by_element(function: Callable[[float], float]) -> Callable[[Host], Host]:
    """Return a function of Python's numbers as one of arrays."""
    apply = np.vectorize(function, otypes=["float64"])
    return lambda x: apply(x).astype(x.dtype)


ROWS = [
    unary("erf", _by_element(math.erf), floating=True),
    unary("erfc", _by_element(math.erfc), floating=True),
]
