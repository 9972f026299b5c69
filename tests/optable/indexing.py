"""Parts of a tensor."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lstm as tg
from tinygrad_lstm import backend

from .core import MASK, Host, Row, Sample, Samples, axes, draw_along_axis, on_device, one, shapes, with_length


@st.composite
def _splits(draw: Any) -> Sample:
    """Draw an array and the lengths of its parts along an axis."""
    sections = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    shape = draw(shapes(min_dims=1))
    axis = draw(axes(len(shape)))
    equal = draw(st.booleans()) and len(set(sections)) == 1
    return Sample((with_length(shape, axis, sum(sections)),), (len(sections) if equal else sections, axis))


@st.composite
def _takes(draw: Any) -> Sample:
    """Draw an array, integers that are indices of an axis, and the axis."""
    sample = draw(draw_along_axis())
    (shape,), (axis,) = sample.shapes, sample.settings
    n = shape[axis]
    sides = hnp.array_shapes(min_dims=0, max_dims=2, min_side=0)
    index = draw(hnp.arrays(st.sampled_from(["int64", "int8"]), sides, elements=st.integers(-n, n - 1)))
    return Sample((shape,), (index, axis))


@st.composite
def _takes_along(draw: Any) -> Sample:
    """Draw an array, indices along one of its axes, some other axes of length 1, and the axis."""
    sample = draw(draw_along_axis())
    (shape,), (axis,) = sample.shapes, sample.settings
    n = shape[axis]
    sides = with_length(tuple(draw(st.sampled_from([m, 1])) for m in shape), axis, draw(st.integers(0, 3)))
    return one(shape, draw(hnp.arrays("int64", sides, elements=st.integers(-n, n - 1))), axis)


@st.composite
def _getitems(draw: Any) -> Sample:
    """Draw an array and an index of it: slices and integers, arrays of integers, or a mask."""
    shape = draw(shapes())
    kinds: list[Any] = [hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True), hnp.arrays("bool", shape)]
    if shape and all(shape):
        kinds.append(hnp.integer_array_indices(shape))
    return Sample((shape,), (draw(st.one_of(kinds)),))


@st.composite
def _mixed_parts(draw: Any, n: int, width: int) -> Any:
    """Draw a part of an index of an axis: an integer, a slice, or an array, or a mask, of one or so many places."""
    kind = draw(st.sampled_from(["int", "slice", "array", "mask"])) if n else "slice"
    if kind == "int":
        return draw(st.integers(-n, n - 1))
    if kind == "slice":
        return draw(st.slices(n))
    if kind == "array":
        sides = draw(st.sampled_from([(), (1,), (width,), (2, 1)]))
        return draw(hnp.arrays(st.sampled_from(["int64", "int8", "uint16"]), sides, elements=st.integers(0, n - 1)))
    places = draw(st.permutations(range(n)))[: width if n >= width else 1]
    return np.isin(np.arange(n), places)


@st.composite
def _mixtures(draw: Any) -> Sample:
    """Draw an array and an index with a part of any kind for each axis, and more parts between them."""
    shape = draw(shapes())
    width = draw(st.integers(1, 3))
    parts = [draw(_mixed_parts(n, width)) for n in shape]
    if draw(st.booleans()):
        del parts[draw(st.integers(0, len(parts))) :]
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), draw(st.sampled_from([np.True_, True, np.asarray(True)])))
    return one(shape, tuple(parts))


ROWS_OF_3 = np.asarray([2, 0, 2, -1])
ALL_ROWS = slice(None)
SPLITS = Samples([one((6,), 3, 0), one((2, 5), [2, 0, 3], 1), one((4, 2), [4], -2)], _splits())
UNSTACKS = Samples([one((3,), 0), one((2, 3), -1), one((2, 0), 0)], draw_along_axis())
TAKES = Samples(
    [
        one((3,), ROWS_OF_3, 0),
        one((2, 3), ROWS_OF_3[:, None], 1),
        one((2, 3), np.asarray(-2), 0),
        one((3,), ROWS_OF_3[:0], -1),
    ],
    _takes(),
)
TAKES_ALONG = Samples(
    [
        one((3,), ROWS_OF_3, -1),
        one((3, 2), ROWS_OF_3[:, None], 0),
        one((1, 3), np.asarray([[0, -1], [0, 0]]), 1),
        one((2, 3), np.zeros((2, 0), "int32"), -1),
        one((0, 3), np.zeros((0, 2), "int8"), 1),
    ],
    _takes_along(),
)
INDICES = Samples(
    [
        one((), ()), one((), ...), one((), None), one((3,), 1), one((3,), -1), one((2, 3), (ALL_ROWS, 1)),
        one((4, 3), slice(None, None, -2)), one((2, 3), (..., None, 0)), one((0, 3), slice(0, 2)), one((3,), [0, 0, 2]),
        one((3, 2), ROWS_OF_3), one((3, 3), np.asarray([[0, 1], [1, 1]])), one((2, 3), (1, ROWS_OF_3)),
        one((4, 3), (slice(1, 3), ROWS_OF_3)), one((3, 3), (ROWS_OF_3, ROWS_OF_3[::-1])), one((2, 3), (ALL_ROWS, MASK)),
        one((3, 2, 4), (ROWS_OF_3, ALL_ROWS, ROWS_OF_3)), one((3, 3), (ROWS_OF_3[:2], MASK)), one((3,), MASK),
        one((2, 3), np.ones((2, 3), bool)), one((2, 3, 2), np.asarray([[True, False, True], [False, True, True]])),
        one((200,), np.asarray([-1, 5, 5], "int8")), one((3,), np.asarray([2, 2], "uint8")), one((3,), np.int16(1)),
        one((3,), []), one((3,), [True, False, True]), one((3, 2), ([[0], [1]], [0, 1])), one((), True),
        one((), np.False_), one((2, 3), (True, 1)), one((2, 3), (np.asarray(1), slice(None, None, -1))),
        one((2, 3), (np.asarray(True), np.asarray([1]), ROWS_OF_3)),
    ],
    st.one_of(_getitems(), _mixtures()),
)  # fmt: skip


def split(x: Host, sections: Any, axis: int) -> list[Host]:
    """Return parts, by their number or their lengths."""
    return np.split(x, sections if isinstance(sections, int) else np.cumsum(sections)[:-1], axis)


ROWS = [
    Row("split", SPLITS, split, lambda x, sections, axis: x.tensor_split(sections, axis) if isinstance(sections, int)
        else x.split(sections, axis), lambda x, sections, axis: tg.split(x, sections, axis=axis)),
    Row("unstack", UNSTACKS, lambda x, axis: list(np.moveaxis(x, axis, 0)), lambda x, axis: x.unbind(axis),
        lambda x, axis: tg.unstack(x, axis=axis)),
    Row("take", TAKES, np.take, None, lambda x, index, axis: tg.take(x, backend.to_device(index), axis=axis)),
    Row("take_along_axis", TAKES_ALONG, np.take_along_axis, None,
        lambda x, index, axis: tg.take_along_axis(x, backend.to_device(index), axis=axis)),
    Row("getitem", INDICES, operator.getitem, None, lambda x, index: x[on_device(index)]),
]  # fmt: skip
