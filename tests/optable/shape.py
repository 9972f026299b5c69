"""Shapes, and several tensors in one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lstm as tg

from .core import Row, Sample, Samples, axes, joined, one, several, shapes, torch, with_length


@st.composite
def _reshapes(draw: Any) -> Sample:
    """Draw a shape and another one of as many elements."""
    shape = draw(shapes())
    size = math.prod(shape)
    to = draw(st.sampled_from([(size,), (1, *shape), shape[::-1], (*shape, 1)] + ([(-1,), -1] if size else [])))
    return Sample((shape,), (to,))


@st.composite
def _squeezes(draw: Any) -> Sample:
    """Draw a shape and some of its axes of length 1."""
    shape = draw(shapes(min_dims=1))
    axis = draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    shape = tuple(1 if i in axis else n for i, n in enumerate(shape))
    return Sample((shape,), (tuple(axis) if len(axis) > 1 else axis.pop() - draw(st.sampled_from([0, len(shape)])),))


@st.composite
def _broadcasts(draw: Any) -> Sample:
    """Draw a shape and one to which it broadcasts."""
    to = draw(shapes())
    shape = tuple(n if draw(st.booleans()) else 1 for n in to[draw(st.integers(0, len(to))) :])
    return Sample((shape,), (to,))


@st.composite
def _concats(draw: Any) -> Sample:
    """Draw arrays of shapes equal but for one axis."""
    shape = draw(shapes(min_dims=1))
    axis = draw(axes(len(shape)))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    return Sample(tuple(with_length(shape, axis, n) for n in lengths), (axis,))


@st.composite
def _stacks(draw: Any) -> Sample:
    """Draw arrays of one shape, and a place for the new axis."""
    shape = draw(shapes())
    return Sample((shape,) * draw(st.integers(1, 3)), (draw(axes(len(shape) + 1)),))


@st.composite
def _moves(draw: Any) -> Sample:
    """Draw a shape, some of its axes, and places for them."""
    shape = draw(shapes())
    sources, places = draw(st.permutations(range(len(shape)))), draw(st.permutations(range(len(shape))))
    moved = draw(st.integers(0, len(shape)))
    return one(shape, tuple(sources[:moved]), tuple(place - len(shape) for place in places[:moved]))


RESHAPES = Samples(
    [one((), (1, 1)), one((2, 3), -1), one((2, 3), (3, -1)), one((0, 2), (2, 0, 5))],
    _reshapes(),
)
EXPANSIONS = Samples(
    [one((), 0), one((2, 3), -1), one((2, 3), 1)],
    shapes().flatmap(lambda shape: axes(len(shape) + 1).map(lambda axis: one(shape, axis))),
)
SQUEEZES = Samples([one((1,), 0), one((2, 1, 3), -2), one((1, 2, 1), (0, 2))], _squeezes())
BROADCASTS = Samples(
    [one((), (2, 3)), one((3,), (2, 3)), one((2, 1), (2, 3)), one((1,), (0,)), one((2,), (2,))],
    _broadcasts(),
)
PERMUTATIONS = Samples(
    [one((), ()), one((2, 3), (1, 0)), one((2, 3, 4), (-1, 0, 1))],
    shapes().flatmap(lambda shape: st.permutations(range(len(shape))).map(lambda to: one(shape, tuple(to)))),
)
MOVES = Samples([one((2, 3, 4), 0, -1), one((2, 3, 4), (0, 1), (-1, 0)), one((2,), -1, 0), one((), (), ())], _moves())
COMMON = Samples(
    [several(()), several((2, 1), (3,), ()), several((0, 1), (1, 2)), several((2, 3), (2, 3))],
    hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3).map(lambda s: several(*s.input_shapes)),
)
MATRICES = Samples([one((2, 3)), one((5, 2, 3)), one((0, 3))], shapes(min_dims=2).map(one))
CONCATS = Samples(
    [Sample(((2,), (3,)), (0,)), Sample(((2, 3), (2, 0), (2, 1)), (-1,)), Sample(((2, 3), (4,), ()), (None,))],
    _concats(),
)
STACKS = Samples([Sample(((), ()), (0,)), Sample(((2, 3), (2, 3)), (-1,)), Sample(((0,),), (1,))], _stacks())


ROWS = [
    Row("reshape", RESHAPES, np.reshape, lambda x, to: x.reshape(to)),
    Row("expand_dims", EXPANSIONS, np.expand_dims, lambda x, axis: x.unsqueeze(axis)),
    Row("squeeze", SQUEEZES, np.squeeze, lambda x, axis: x.squeeze(axis)),
    Row("broadcast_to", BROADCASTS, np.broadcast_to, lambda x, to: x.broadcast_to(to)),
    Row("broadcast_arrays", COMMON, np.broadcast_arrays, lambda *xs: torch.broadcast_tensors(*xs)),
    Row("moveaxis", MOVES, np.moveaxis, lambda x, source, destination: x.moveaxis(source, destination)),
    Row("permute_dims", PERMUTATIONS, np.transpose, lambda x, to: x.permute(to)),
    Row("matrix_transpose", MATRICES, lambda x: np.swapaxes(x, -1, -2), lambda x: x.mT),
    Row("concat", CONCATS, joined(np.concatenate), None, joined(tg.concat)),
    Row("stack", STACKS, joined(np.stack), joined(lambda xs, dim: torch.stack(xs, dim), "dim"), joined(tg.stack)),
]  # fmt: skip
