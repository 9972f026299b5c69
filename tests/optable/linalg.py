"""Products."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

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


def linear(x: Any, weight: Any, *bias: Any) -> Any:
    """Return x @ weight.T, and the bias added to it if there is one."""
    return sum(bias, start=x @ weight.T)


ROWS = [
    Row("matmul", PRODUCTS, np.matmul, lambda x, y: torch.matmul(x, y)),
    Row("linear", LINEARS, linear, linear),
]  # fmt: skip
