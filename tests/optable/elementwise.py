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
    several,
    shapes,
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

TRIPLES = Samples(
    [several((), (), ()), several((3,), (), (3,)), several((2, 3), (3,), (2, 1)), several((0,), (1,), ())],
    hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3).map(lambda s: several(*s.input_shapes)),
)
WEIGHTS = Samples([Sample(((2, 3), (3,)), (weight,)) for weight in (0, 0.25, 0.5, 0.75, 1)])


ROWS = [
    unary("positive", kinds="fi"),
    unary("negative", kinds="fi"),
    unary("abs"),
    unary("sign", kinds="fi"),
    unary("square"),
    unary("reciprocal", floating=True, domain=nonzero),
    unary("sqrt", floating=True, domain=positive),
    unary("exp", floating=True),
    unary("expm1", floating=True),
    unary("log", floating=True, domain=positive),
    unary("log1p", floating=True, domain=above_minus_one),
    unary("log2", floating=True, domain=positive),
    unary("log10", floating=True, domain=positive),
    binary("add"),
    binary("subtract", kinds="fi"),
    binary("multiply"),
    binary("divide", floating=True, domain=nonzero),
    binary("logaddexp", floating=True),
    binary("maximum"),
    binary("minimum"),
    binary("pow", kinds="fi", domain=positive),
    Row("where", MASKED, lambda x, y, mask: np.where(mask, x, y),
        lambda x, y, mask: torch.where(torch.as_tensor(mask), x, y),
        lambda x, y, mask: tg.where(backend.to_device(mask), x, y)),
    Row("clip", BOUNDS, np.clip, lambda x, low, high: x.clamp(low, high), kinds="f"),
    Row("clip", TRIPLES, np.clip, lambda *xs: torch.clamp(*torch.broadcast_tensors(*xs)), kinds="fi"),
    Row("lerp", TRIPLES, lambda x, y, w: x + w * (y - x), lambda x, y, w: torch.lerp(x, y, w), floating=True),
    Row("lerp", WEIGHTS, lambda x, y, w: x + w * (y - x), lambda x, y, w: torch.lerp(x, y, w), floating=True),
]  # fmt: skip
