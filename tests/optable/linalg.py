"""Products."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lstm as tg

from .core import Row, Sample, Samples, several, torch


@st.composite
def _products(draw: Any) -> Sample:
    """Draw two factors of a matrix product: vectors, matrices, and stacks that broadcast."""
    n, m, k = (draw(st.integers(0, 3)) for _ in range(3))
    lead1, lead2 = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)).input_shapes
    left = (k,) if draw(st.booleans()) and not lead1 else (*lead1, n, k)
    right = (k,) if draw(st.booleans()) and not lead2 else (*lead2, k, m)
    return Sample((left, right))


@st.composite
def _linears(draw: Any) -> Sample:
    """Draw an input, a weight, and perhaps a bias."""
    n, m = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    x = (*draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)), n)
    return Sample((x, (m, n), *draw(st.sampled_from([(), ((m,),), ((),)]))))


@st.composite
def _vectors(draw: Any) -> Sample:
    """Draw vectors that broadcast, and their axis."""
    leads = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)).input_shapes
    axis = draw(st.integers(-1 - min(map(len, leads)), -1))
    n = draw(st.integers(0, 3))
    return Sample(tuple((*lead[: len(lead) + axis + 1], n, *lead[len(lead) + axis + 1 :]) for lead in leads), (axis,))


@st.composite
def _tensors(draw: Any) -> Sample:
    """Draw factors, and pairs of their axes to sum over."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
    axes1 = draw(st.lists(st.integers(0, len(shape) - 1), unique=True)) if shape else []
    other = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
    axes2 = draw(st.permutations(range(len(axes1) + len(other))))[: len(axes1)]
    lengths = iter(other)
    of = dict(zip(axes2, axes1, strict=True))
    shape2 = tuple(shape[of[a]] if a in of else next(lengths) for a in range(len(axes1) + len(other)))
    return Sample((shape, shape2), ((axes1, axes2),))


PRODUCTS = Samples(
    [
        several((3,), (3,)), several((2, 3), (3,)), several((3,), (3, 2)), several((2, 3), (3, 4)),
        several((5, 2, 3), (3, 4)), several((5, 2, 3), (5, 3, 4)), several((2, 3), (5, 3, 4)), several((3,), (5, 3, 4)),
        several((5, 2, 3), (3,)), several((5, 1, 2, 3), (4, 3, 2)), several((2, 0), (0, 3)), several((0, 2), (2, 3)),
    ],
    _products(),
)  # fmt: skip
LINEARS = Samples(
    [
        several((2, 3), (4, 3)), several((2, 3), (4, 3), (4,)), several((3,), (4, 3), (4,)),
        several((5, 2, 3), (4, 3), (4,)), several((0, 3), (4, 3), (4,)), several((2, 3), (4, 3), (1,)),
        several((2, 3), (4, 3), ()),
    ],
    _linears(),
)  # fmt: skip


VECTORS = Samples(
    [Sample(((3,), (3,)), (-1,)), Sample(((2, 3), (3,)), (-1,)), Sample(((3, 1), (3, 4)), (0,)),
     Sample(((3, 2, 4), (2, 1)), (-2,)), Sample(((2, 0), (0,)), (-1,))],
    _vectors(),
)  # fmt: skip
PAIRS = Samples([several((3,), (2,)), several((0,), (2,)), several((1,), (1,))])
TENSORS = Samples(
    [Sample(((2, 3, 4), (3, 4, 5)), (2,)), Sample(((2, 3), (4,)), (0,)), Sample(((), ()), (0,)),
     Sample(((2, 3, 4), (4, 5, 2)), (((0, -1), (-1, 0)),)), Sample(((2, 0), (0, 3)), (1,)),
     Sample(((2, 3), (3, 2)), (([], []),))],
    _tensors(),
)  # fmt: skip


def linear(x: Any, weight: Any, *bias: Any) -> Any:
    """Return x @ weight.T, and the bias added to it if there is one."""
    return sum(bias, start=x @ weight.T)


ROWS = [
    Row("matmul", PRODUCTS, np.matmul, lambda x, y: torch.matmul(x, y)),
    Row("linear", LINEARS, linear, linear),
    Row("outer", PAIRS, np.outer, lambda x, y: torch.outer(x, y)),
    Row("vecdot", VECTORS, lambda x, y, axis: np.vecdot(x, y, axis=axis),
        lambda x, y, axis: torch.linalg.vecdot(x, y, dim=axis), lambda x, y, axis: tg.vecdot(x, y, axis=axis)),
    Row("tensordot", TENSORS, np.tensordot, lambda x, y, axes: torch.tensordot(x, y, axes),
        lambda x, y, axes: tg.tensordot(x, y, axes=axes)),
]  # fmt: skip
