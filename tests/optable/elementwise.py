"""Arithmetic, powers, exponentials, choices."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lstm as tg
from tinygrad_lstm import backend

from .core import (
    MASK,
    SHAPES,
    Row,
    Sample,
    Samples,
    above_minus_one,
    binary,
    nonzero,
    one,
    positive,
    shapes,
    to_type,
    torch,
    unary,
)


@st.composite
def _masked_pairs(draw: Any) -> Sample:
    """Draw two arrays and a mask, which broadcast."""
    *pair, mask = draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3)).input_shapes
    return Sample(tuple(pair), (draw(hnp.arrays("bool", mask)),))


MASKED = Samples(
    [Sample(((2, 3), ()), (MASK,)), Sample(((3,), (2, 1)), (MASK,)), Sample(((), (3,)), (np.asarray(True),))],
    _masked_pairs(),
)
BOUNDS = Samples(
    [one(shape, *bounds) for shape in SHAPES for bounds in [(-1, 1), (None, 0), (0, None), (-0.5, 0.7)]],
    st.builds(lambda shape, low: one(shape, low, low + 1), shapes(), st.floats(-2, 2)),
)


ROWS = [
    unary("positive", kinds="fi"),
    unary("negative", kinds="fi"),
    unary("abs"),
    unary("sign", kinds="fi"),
    unary("floor"),
    unary("square"),
    unary("reciprocal", floating=True, domain=nonzero),
    unary("sqrt", floating=True, domain=positive),
    unary("exp", floating=True),
    unary("expm1", floating=True),
    unary("log", floating=True, domain=positive),
    unary("log1p", floating=True, domain=above_minus_one),
    unary("sin", floating=True),
    unary("cos", floating=True),
    unary("tanh", floating=True),
    binary("add"),
    binary("subtract", kinds="fi"),
    binary("multiply"),
    binary("divide", floating=True, domain=nonzero),
    binary("maximum"),
    binary("minimum"),
    binary("pow", kinds="fi", domain=positive),
    Row("where", MASKED, lambda x, y, mask: np.where(mask, x, y),
        lambda x, y, mask: torch.where(torch.as_tensor(mask), x, y),
        lambda x, y, mask: tg.where(backend.to_device(mask), x, y)),
    Row("clip", BOUNDS, np.clip, lambda x, low, high: x.clamp(low, high), kinds="f"),
    Row("astype", to_type("float32", "float64"), lambda x, dtype: x.astype(dtype),
        lambda x, dtype: x.to(getattr(torch, dtype)), smooth=False),
    Row("astype", to_type("int64", "int32", "bool"), lambda x, dtype: x.astype(dtype), differentiable=False),
]  # fmt: skip
