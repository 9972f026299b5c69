"""Sums, products, means, extremes, norms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import Host, Row, Sample, Samples, dims, draw_reduction, nonzero, one, positive, torch

REDUCTION = [
    one((), None, False), one((), None, True), one((2, 3), None, False), one((2, 3), 1, True),
    one((2, 3, 4), (0, -1), False), one((2, 3, 4), -2, False), one((0, 3), 1, False),
]  # fmt: skip
SUMS = Samples([*REDUCTION, one((0,), None, False), one((2, 0), 1, True)], draw_reduction(filled=False, several=True))
EXTREMES = Samples(REDUCTION, draw_reduction(filled=True, several=True))
PLACES = Samples(
    [sample for sample in REDUCTION if not isinstance(sample.settings[0], tuple)],
    draw_reduction(filled=True, several=False),
)
DEVIATIONS = Samples(
    [Sample(s.shapes, (*s.settings, 0)) for s in REDUCTION if 0 not in s.shapes[0]]  # PyTorch warns of these
    + [one((2, 3), None, True, 1), one((2, 3, 4), (0, 2), False, 1.5), one((3, 2), 0, False, -1)],
    st.builds(
        lambda s, correction: Sample(s.shapes, (*s.settings, correction)),
        draw_reduction(filled=True, several=True), st.sampled_from([0, 0.5]),
    ),
)  # fmt: skip
ORDERS = (2, 1, math.inf, -math.inf, 0, 3, 1.5, 0.5, -1, 4)
NORMS = Samples(
    [Sample(s.shapes, (*s.settings, 2)) for s in [*REDUCTION, one((0,), None, False)]]
    + [one((2, 3), 1, False, order) for order in ORDERS],
    st.builds(
        lambda s, order: Sample(s.shapes, (*s.settings, order)),
        draw_reduction(filled=True, several=True), st.sampled_from(ORDERS),
    ),
)  # fmt: skip


def typed(*dtypes: str) -> Samples:
    """Return samples of an array, an axis, and the element type to reduce it in."""
    return Samples([one(shape, 0, dtype) for shape in ((3,), (2, 3)) for dtype in dtypes])


def extreme_torch(name: str) -> Callable[..., Any]:
    """Return PyTorch's ``amax`` or ``amin``, which share the gradient among equals."""
    return lambda x, axis, keepdims: getattr(x, name)(dims(x, axis), keepdims)


def logsumexp(x: Host, axis: Any, keepdims: bool) -> Host:
    """Return log(sum(exp(x))), for small x."""
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


def norm(x: Host, axis: Any, keepdims: bool, order: float) -> Host:
    """Return the norm of vectors."""
    x = np.abs(x)
    if math.isinf(order):
        return (x.max if order > 0 else x.min)(axis=axis, keepdims=keepdims)
    if order == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdims, dtype=x.dtype)
    return np.asarray((x**order).sum(axis=axis, keepdims=keepdims)) ** (1 / order)


def prod_torch(x: Any, axis: Any, keepdims: bool) -> Any:
    """Return PyTorch's product, which knows one axis at a time."""
    for a in sorted(a % x.ndim for a in dims(x, axis if isinstance(axis, tuple) or axis is None else (axis,)))[::-1]:
        x = x.prod(a, keepdims)
    return x


ROWS = [
    Row("sum", SUMS, lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
        lambda x, axis, keepdims: x.sum(dims(x, axis), keepdims) if x.ndim else x * 1),
    Row("sum", typed("float64", "float32"), lambda x, axis, dtype: x.sum(axis, dtype=dtype),
        lambda x, axis, dtype: x.sum(axis, dtype=getattr(torch, dtype)),
        lambda x, axis, dtype: tg.sum(x, axis, dtype=dtype), smooth=False),
    Row("sum", typed("int64", "int16", "uint8"), lambda x, axis, dtype: x.astype(dtype).sum(axis, dtype=dtype), None,
        lambda x, axis, dtype: tg.sum(x, axis, dtype=dtype), domain=positive, differentiable=False),
    Row("prod", SUMS, lambda x, axis, keepdims: x.prod(axis=axis, keepdims=keepdims), prod_torch),
    Row("prod", typed("float64"), lambda x, axis, dtype: x.astype(dtype).prod(axis),
        lambda x, axis, dtype: x.prod(axis, dtype=getattr(torch, dtype)),
        lambda x, axis, dtype: tg.prod(x, axis, dtype=dtype), smooth=False),
    Row("prod", typed("int32", "bool"), lambda x, axis, dtype: x.astype(dtype).prod(axis, dtype=dtype), None,
        lambda x, axis, dtype: tg.prod(x, axis, dtype=dtype), domain=positive, differentiable=False),
    Row("mean", EXTREMES, lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
        lambda x, axis, keepdims: x.mean(dims(x, axis), keepdims) if x.ndim else x * 1,
        floating=True),
    Row("var", DEVIATIONS, lambda x, axis, keepdims, c: x.var(axis, ddof=c, keepdims=keepdims),
        lambda x, axis, keepdims, c: x.var(dims(x, axis), correction=c, keepdim=keepdims),
        lambda x, axis, keepdims, c: tg.var(x, axis, correction=c, keepdims=keepdims), floating=True),
    Row("std", DEVIATIONS, lambda x, axis, keepdims, c: x.std(axis, ddof=c, keepdims=keepdims),
        lambda x, axis, keepdims, c: x.std(dims(x, axis), correction=c, keepdim=keepdims),
        lambda x, axis, keepdims, c: tg.std(x, axis, correction=c, keepdims=keepdims), floating=True),
    Row("max", EXTREMES, lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims), extreme_torch("amax")),
    Row("min", EXTREMES, lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims), extreme_torch("amin")),
    Row("norm", NORMS, norm,
        lambda x, axis, keepdims, order: torch.linalg.vector_norm(x, order, dims(x, axis), keepdims),
        lambda x, axis, keepdims, order: tg.norm(x, axis=axis, keepdims=keepdims, ord=order),
        domain=nonzero, floating=True),
    Row("logsumexp", EXTREMES, logsumexp, lambda x, axis, keepdims: x.logsumexp(dims(x, axis), keepdims),
        floating=True),
    Row("all", SUMS, lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims), differentiable=False),
    Row("any", SUMS, lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims), differentiable=False),
    Row("count_nonzero", SUMS, lambda x, axis, keepdims: np.sum(x != 0, axis=axis, keepdims=keepdims),
        differentiable=False),
    Row("argmax", PLACES, lambda x, axis, keepdims: np.argmax(x, axis, keepdims=keepdims), differentiable=False),
    Row("argmin", PLACES, lambda x, axis, keepdims: np.argmin(x, axis, keepdims=keepdims), differentiable=False),
]  # fmt: skip
