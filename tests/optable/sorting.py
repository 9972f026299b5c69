"""Sorting and searching."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import SHAPES, Host, Row, Sample, Samples, axes, draw_along_axis, one, shapes

ORDERS = Samples(
    [one((3,), -1, False), one((4,), 0, True), one((0, 3), 1, True), one((2, 0), -1, False), one((2, 4, 3), 1, True)],
    shapes(min_dims=1).flatmap(lambda shape: st.builds(lambda *s: one(shape, *s), axes(len(shape)), st.booleans())),
)


@st.composite
def _tops(draw: Any) -> Sample:
    """Draw an array, how many to take along which axis, and from which end."""
    sample = draw(draw_along_axis())
    (shape,), (axis,) = sample.shapes, sample.settings
    return one(shape, draw(st.integers(0, shape[axis])), axis, draw(st.booleans()))


TOPS = Samples(
    [one((4,), 2, -1, True), one((2, 3), 3, -1, False), one((3, 0), 2, 0, True), one((2, 3), 0, 1, True)], _tops()
)
SEARCHES = Samples(
    [
        Sample(((4,), ()), ("left", False)), Sample(((4,), (2, 3)), ("right", False)),
        Sample(((5,), (3,)), ("left", True)), Sample(((0,), (2,)), ("right", True)),
        Sample(((2,), (0,)), ("left", False)),
    ],
    st.builds(
        lambda n, shape, side, unordered: Sample(((n,), shape), (side, unordered)),
        st.integers(0, 4), shapes(), st.sampled_from(["left", "right"]), st.booleans(),
    ),
)  # fmt: skip
AXES = Samples([one(shape) for shape in SHAPES if shape], shapes(min_dims=1).map(one))


def argsort(x: Host, axis: int, descending: bool) -> Host:
    """Return the indices that sort, equal elements left in their order."""
    keys = -x.astype("float64") if descending else x
    return np.argsort(keys, axis=axis, kind="stable")


def sort(x: Host, axis: int, descending: bool) -> Host:
    """Return the elements in order."""
    return np.take_along_axis(x, argsort(x, axis, descending), axis)


def topk(x: Host, k: int, axis: int, largest: bool) -> tuple[Host, Host]:
    """Return the first elements in order, and their indices."""
    indices = argsort(x, axis, largest).take(np.arange(k), axis)
    return np.take_along_axis(x, indices, axis), indices


def searchsorted(x1: Host, x2: Host, side: Any, unordered: bool) -> Host:
    """Return places among the elements of the first array, which are put in order."""
    return np.asarray(np.searchsorted(np.sort(x1), x2, side))


def search_ours(x1: Any, x2: Any, side: str, unordered: bool) -> Any:
    """Search the first array, put in order or with the order beside it."""
    if unordered:
        return tg.searchsorted(x1, x2, side=side, sorter=tg.argsort(x1))
    return tg.searchsorted(tg.sort(x1), x2, side=side)


ROWS = [
    Row("sort", ORDERS, sort, lambda x, axis, descending: x.sort(dim=axis, descending=descending, stable=True).values,
        lambda x, axis, descending: tg.sort(x, axis=axis, descending=descending)),
    Row("argsort", ORDERS, argsort, None,
        lambda x, axis, descending: tg.argsort(x, axis=axis, descending=descending), differentiable=False),
    Row("topk", TOPS, topk, lambda x, k, axis, largest: x.topk(k, axis, largest),
        lambda x, k, axis, largest: tg.topk(x, k, axis=axis, largest=largest)),
    Row("searchsorted", SEARCHES, searchsorted, None, search_ours, differentiable=False),
    Row("nonzero", AXES, np.nonzero, differentiable=False),
]  # fmt: skip
