"""Cumulative sums and products, and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import Host, Row, Sample, Samples, axes, one, shapes, torch, with_length

INITIAL = st.booleans()
CUMULATIONS = Samples(
    [
        one((3,), None, False), one((3,), None, True), one((0,), None, False), one((0, 2), 0, True),
        one((2, 0), -2, False), one((2, 3, 4), 1, True), one((5, 2), 0, False), one((1,), -1, False),
    ],
    shapes(min_dims=1).flatmap(lambda shape: st.builds(lambda *s: one(shape, *s), axes(len(shape)), INITIAL)),
)  # fmt: skip
TYPED = Samples([one((2, 3), 1, dtype) for dtype in ("int16", "uint64")])


def cumulated(name: str) -> Callable[..., Host]:
    """Return NumPy's cumulative function, with what no elements give put in front if asked for."""
    start = {"cumsum": 0, "cumprod": 1}[name]

    def reference(x: Host, axis: Any, initial: bool) -> Host:
        y: Host = getattr(np, name)(x, 0 if axis is None else axis)
        return np.insert(y, 0, start, 0 if axis is None else axis) if initial else y

    return reference


def cumulated_torch(name: str) -> Callable[..., Any]:
    """Return PyTorch's cumulative function, with what no elements give put in front if asked for."""
    start = {"cumsum": 0.0, "cumprod": 1.0}[name]

    def reference(x: Any, axis: Any, initial: bool) -> Any:
        axis = 0 if axis is None else axis
        y = getattr(x, name)(axis)
        head = torch.full(with_length(tuple(x.shape), axis, 1), start, dtype=x.dtype)
        return torch.cat([head, y], axis) if initial else y

    return reference


def _rows(name: str, of_numpy: str) -> list[Row]:
    """Return the rows of a cumulative function."""
    op = getattr(tg, name)
    return [
        Row(name, CUMULATIONS, cumulated(of_numpy), cumulated_torch(of_numpy),
            lambda x, axis, initial: op(x, axis=axis, include_initial=initial)),
        Row(name, TYPED, lambda x, axis, dtype: getattr(np, of_numpy)(x.astype(dtype), axis, dtype=dtype), None,
            lambda x, axis, dtype: op(x, axis=axis, dtype=dtype), kinds="ib", differentiable=False),
    ]  # fmt: skip


@st.composite
def _diffs(draw: Any) -> Sample:
    """Draw an array, how often to take differences along which axis, and what to put before and behind."""
    shape = draw(shapes(min_dims=1))
    axis = draw(axes(len(shape)))
    before, behind = draw(st.booleans()), draw(st.booleans())
    ends = [with_length(shape, axis, draw(st.integers(0, 2))) for _ in range(before + behind)]
    return Sample((shape, *ends), (axis, draw(st.integers(0, 3)), before, behind))


DIFFS = Samples(
    [
        one((4,), -1, 1, False, False), one((1,), 0, 1, False, False), one((2, 4), -1, 2, False, False),
        one((0, 2), 0, 3, False, False), Sample(((3, 2), (1, 2)), (0, 1, True, False)),
        Sample(((3,), (1,), (2,)), (0, 2, True, True)), Sample(((2, 3), (2, 0)), (1, 0, False, True)),
    ],
    _diffs(),
)  # fmt: skip


def diff(op: Callable[..., Any], ours: bool) -> Callable[..., Any]:
    """Return a difference as a function of ``x`` and, if they are there, what comes before and behind it."""

    def call(*arguments: Any) -> Any:
        *arrays, axis, n, before, behind = arguments
        ends = dict(zip(["prepend"] * before + ["append"] * behind, arrays[1:], strict=True))
        return op(arrays[0], **{"axis" if ours else "dim": axis, "n": n, **ends})

    return call


ROWS = [
    *_rows("cumulative_sum", "cumsum"),
    *_rows("cumulative_prod", "cumprod"),
    Row("diff", DIFFS, diff(np.diff, True), diff(lambda *x, **options: torch.diff(*x, **options), False),
        diff(tg.diff, True), kinds="fi"),
]  # fmt: skip
