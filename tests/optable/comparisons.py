"""Comparisons, logic, bits."""

from __future__ import annotations

from .core import binary, unary

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
]  # fmt: skip
