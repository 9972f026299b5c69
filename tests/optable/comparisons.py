"""Comparisons, logic, bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import BINARY, Host, Row, Samples, Shape, binary, one, several, shapes, unary

BITS = Samples([several((), ()), several((2, 3), (3,)), several((2, 1), (1, 3)), several((0,), (1,))], BINARY.drawn)
"""Floats, which other ops of two arrays take beside integers, are not for these."""


def _places(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers that make small integers from 0 up."""
    return rng.uniform(0, 2, shape)


def _bits(name: str, reference: Any, **options: Any) -> Row:
    """Return the row of an op of the bits of two arrays."""
    return Row(name, BITS, reference, differentiable=False, **options)


ROWS = [
    unary("isnan", differentiable=False),
    unary("isinf", differentiable=False),
    unary("isfinite", differentiable=False),
    unary("logical_not", differentiable=False),
    binary("equal", differentiable=False),
    binary("not_equal", differentiable=False),
    binary("less", differentiable=False),
    binary("less_equal", differentiable=False),
    binary("greater", differentiable=False),
    binary("greater_equal", differentiable=False),
    binary("logical_and", differentiable=False),
    binary("logical_or", differentiable=False),
    binary("logical_xor", differentiable=False),
    Row("bitwise_invert", Samples([one(()), one((2, 3)), one((0,))], shapes().map(one)), np.invert, kinds="ib",
        differentiable=False),
    _bits("bitwise_and", np.bitwise_and, kinds="ib"),
    _bits("bitwise_or", np.bitwise_or, kinds="ib"),
    _bits("bitwise_xor", np.bitwise_xor, kinds="ib"),
    _bits("bitwise_left_shift", np.left_shift, kinds="i", domain=_places),
    _bits("bitwise_right_shift", np.right_shift, kinds="i", domain=_places),
]  # fmt: skip
