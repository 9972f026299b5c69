"""Trigonometric and hyperbolic functions."""

from __future__ import annotations

import numpy as np

from .core import Host, Shape, binary, nonzero, unary


def _within_one(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers well within -1 and 1."""
    return rng.uniform(-0.8, 0.8, shape)


def _above_one(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers well above 1."""
    return rng.uniform(1.3, 3, shape)


ROWS = [
    unary("sin", floating=True),
    unary("cos", floating=True),
    unary("tan", floating=True, domain=_within_one),
    unary("asin", floating=True, domain=_within_one),
    unary("acos", floating=True, domain=_within_one),
    unary("atan", floating=True),
    unary("sinh", floating=True),
    unary("cosh", floating=True),
    unary("tanh", floating=True),
    unary("asinh", floating=True),
    unary("acosh", floating=True, domain=_above_one),
    unary("atanh", floating=True, domain=_within_one),
    binary("atan2", floating=True, domain=nonzero),
    binary("hypot", floating=True, domain=nonzero),
]
