"""Elements in another order, repeated, padded, or left out by a pattern."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lstm as tg

from .core import SHAPES, Host, Row, Sample, Samples, axes, dims, on_device, one, shapes, torch


@st.composite
def _flips(draw: Any) -> Sample:
    """Draw a shape, and one of its axes, several or all."""
    shape = draw(shapes())
    choices = [st.none(), st.sets(st.integers(0, len(shape) - 1)).map(tuple) if shape else st.just(())]
    return one(shape, draw(st.one_of(*choices, *([axes(len(shape))] if shape else []))))


@st.composite
def _rolls(draw: Any) -> Sample:
    """Draw a shape, and shifts along all of it, one of its axes, or several."""
    shape = draw(shapes())
    shift = st.integers(-6, 6)
    if not shape or draw(st.booleans()):
        return one(shape, draw(shift), None)
    along = draw(st.lists(axes(len(shape)), min_size=1, max_size=3))
    return draw(st.sampled_from([
        one(shape, tuple(draw(shift) for _ in along), tuple(along)), one(shape, draw(shift), tuple(along)),
        one(shape, draw(shift), draw(axes(len(shape)))),
    ]))  # fmt: skip


@st.composite
def _repeats(draw: Any) -> Sample:
    """Draw a shape, an axis or none, and one number or one for each place."""
    shape = draw(shapes())
    axis = draw(st.one_of(st.none(), axes(len(shape)))) if shape else None
    places = math.prod(shape) if axis is None else shape[axis]
    counts = hnp.arrays("int64", draw(st.sampled_from([(places,), (1,)])), elements=st.integers(0, 3))
    return one(shape, draw(st.one_of(st.integers(0, 3), counts)), axis)


@st.composite
def _tiles(draw: Any) -> Sample:
    """Draw a shape, and how often it is laid along each of some axes."""
    return one(draw(shapes()), tuple(draw(st.lists(st.integers(0, 3), max_size=3))))


@st.composite
def _frames(draw: Any, *modes: str) -> Sample:
    """Draw a shape, and what stands how far around it; more than one such frame only around what is not empty."""
    shape = draw(shapes(min_side=int("constant" not in modes), min_dims=1))
    width = st.integers(0, 7)
    widths = st.tuples(*[st.tuples(width, width)] * len(shape))
    return one(shape, draw(st.one_of(widths, st.tuples(width, width), width)), draw(st.sampled_from(modes)))


FLIPS = Samples([*(one(shape, None) for shape in SHAPES), one((2, 3), -1), one((2, 3, 4), (0, -1))], _flips())

ROLLS = Samples(
    [
        one((), 1, None), one((5,), 2, None), one((2, 3), 1, None), one((2, 3), -1, 1),
        one((2, 3), (1, 2), (0, 1)), one((2, 3), 1, (0, -1)), one((2, 3), (1, 1), (0, 0)), one((0, 3), 1, -1),
    ],
    _rolls(),
)  # fmt: skip
REPEATS = Samples(
    [
        one((), 3, None), one((3,), 2, None), one((2, 3), 2, 0), one((2, 3), 2, -1), one((2, 3), 0, 1),
        one((2, 3), np.asarray([2, 0, 1]), 1), one((2, 2), np.asarray([1, 0, 2, 1], "int8"), None),
        one((2, 3), np.asarray([2]), 1), one((0, 2), np.zeros(0, "int64"), 0), one((0,), 2, 0),
    ],
    _repeats(),
)  # fmt: skip
TILES = Samples(
    [one((), ()), one((), (2,)), one((3,), 2), one((2, 3), (2,)), one((3,), (2, 2)), one((2, 3), (0, 1)), one((0,), 2)],
    _tiles(),
)
CONSTANT = Samples(
    [
        one((), (), "constant"), one((3,), 1, "constant"), one((2, 3), (1, 0), "constant"), one((0,), 1, "constant"),
        one((2, 3), ((0, 1), (2, 0)), "constant"), one((2,), 0, "constant"),
    ],
    _frames("constant"),
)  # fmt: skip
CONTINUED = Samples(
    [one(shape, width, mode) for mode in ("edge", "reflect", "wrap") for shape, width in (
        ((3,), 2), ((2, 3), ((0, 1), (2, 0))), ((3,), (5, 8)), ((1,), 2), ((2, 1), 1), ((0, 2), ((0, 0), (1, 1))),
        ((2,), 0),
    )],
    _frames("edge", "reflect", "wrap"),
)  # fmt: skip
TRIANGLES = Samples(
    [
        one((3, 3), 0),
        one((2, 4), 1),
        one((4, 2), -1),
        one((2, 3, 3), 0),
        one((0, 3), 0),
        one((2, 2), 5),
        one((2, 2), -5),
    ],
    st.builds(one, shapes(min_dims=2), st.integers(-4, 4)),
)


def pad(x: Host, width: Any, mode: str) -> Host:
    """Return NumPy's word, which it has only for arrays with axes."""
    return np.pad(x, width, mode) if x.ndim else x


def pad_of_torch(x: Any, width: Any, mode: str) -> Any:
    """Return PyTorch's word, which takes its pairs from the last axis to the first."""
    pairs = np.broadcast_to(np.asarray(width if x.ndim else 0), (x.ndim, 2))
    return torch.nn.functional.pad(x, tuple(pairs[::-1].reshape(-1).tolist()))


def roll_of_torch(x: Any, shift: Any, axis: Any) -> Any:
    """Return PyTorch's word, which takes one shift for each axis."""
    several = isinstance(axis, tuple) and not isinstance(shift, tuple)
    return torch.roll(x, (shift,) * len(axis) if several else shift, axis)


def repeat_of_torch(x: Any, repeats: Any, axis: Any) -> Any:
    """Return PyTorch's word, which takes tensors of 32 or 64 bits."""
    return x.repeat_interleave(repeats if isinstance(repeats, int) else torch.tensor(repeats, dtype=torch.int64), axis)


ROWS = [
    Row("flip", FLIPS, np.flip, lambda x, axis: x.flip(dims(x, axis)), lambda x, axis: tg.flip(x, axis=axis)),
    Row("roll", ROLLS, np.roll, roll_of_torch, lambda x, shift, axis: tg.roll(x, shift, axis=axis)),
    Row("repeat", REPEATS, np.repeat, repeat_of_torch,
        lambda x, repeats, axis: tg.repeat(x, on_device(repeats), axis=axis)),
    Row("tile", TILES, np.tile, lambda x, repetitions: x.tile(repetitions)),
    Row("pad", CONSTANT, pad, pad_of_torch),
    Row("pad", CONTINUED, pad),
    Row("tril", TRIANGLES, np.tril, lambda x, k: torch.tril(x, k), lambda x, k: tg.tril(x, k=k)),
    Row("triu", TRIANGLES, np.triu, lambda x, k: torch.triu(x, k), lambda x, k: tg.triu(x, k=k)),
]  # fmt: skip
