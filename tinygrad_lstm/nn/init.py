"""Initial values of parameters."""

from __future__ import annotations

from .. import backend
from ..tensor import Tensor
from .module import Parameter

__all__ = ["normal", "uniform"]


def uniform(*shape: int, bound: float) -> Tensor:
    """Return a parameter of random numbers spread evenly from ``-bound`` to ``bound``."""
    return Parameter(backend.rng.uniform(-bound, bound, shape).astype("float32"))


def normal(*shape: int) -> Tensor:
    """Return a parameter of random numbers of the normal distribution with mean 0 and variance 1."""
    return Parameter(backend.rng.standard_normal(shape).astype("float32"))
