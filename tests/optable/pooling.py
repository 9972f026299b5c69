"""Pooling: the greatest element, or the mean, of every window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .convolution import per_axis, with_options
from .core import Host, Row, Sample, Samples, Shape, torch


def _pooled(pool: Callable[[Host], Any], x: Host, fill: Any, axes: int, kernel: Any, stride: Any, padding: Any) -> Host:
    """Return a function of every window, one after the other, of an array padded with a number."""
    kernel = per_axis(kernel, axes)
    stride = kernel if stride is None else per_axis(stride, axes)
    around = [(p, p) for p in per_axis(padding, axes)]
    x = np.pad(x, [(0, 0)] * (x.ndim - axes) + around, constant_values=fill)
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[-axes:], kernel, stride, strict=True)]
    y = np.zeros((*x.shape[:-axes], *counts), x.dtype)
    for at in np.ndindex(y.shape):
        starts = zip(at[-axes:], stride, kernel, strict=True)
        y[at] = pool(x[(*at[:-axes], *(slice(m * s, m * s + k) for m, s, k in starts))])
    return y


def _greatest(axes: int) -> Callable[..., Host]:
    """Return max pooling over so many axes."""

    def pooled(x: Host, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Host:
        lowest = {"f": -np.inf, "b": False}.get(x.dtype.kind)
        if lowest is None:
            lowest = np.iinfo(x.dtype).min
        return _pooled(np.max, x, lowest, axes, kernel_size, stride, padding)

    return pooled


def _mean(axes: int) -> Callable[..., Host]:
    """Return average pooling over so many axes."""

    def pooled(x: Host, kernel_size: Any, stride: Any = None, padding: Any = 0, count_include_pad: bool = True) -> Host:
        if count_include_pad:
            return _pooled(np.mean, x, 0, axes, kernel_size, stride, padding)
        counts = _pooled(np.sum, np.ones_like(x), 0, axes, kernel_size, stride, padding)
        return _pooled(np.sum, x, 0, axes, kernel_size, stride, padding) / counts

    return pooled


@st.composite
def _draw(draw: Any, axes: int, mean: bool) -> Sample:
    """Draw a shape and settings."""
    kernel, stride = (tuple(draw(st.integers(1, 3)) for _ in range(axes)) for _ in range(2))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    lengths = tuple(draw(st.integers(max(1, k - 2 * p), k + 3)) for k, p in zip(kernel, padding, strict=True))
    options = {"kernel_size": kernel, "stride": draw(st.sampled_from([stride, None])), "padding": padding}
    if mean:
        options["count_include_pad"] = draw(st.booleans())
    batch = draw(st.sampled_from([(), (0,), (1,), (2,)]))
    return Sample(((*batch, draw(st.integers(1, 2)), *lengths),), (options,))


def _one(shape: Shape, *settings: Any, **options: Any) -> Sample:
    """Return a sample of one array, the settings of every pooling op, and keyword arguments."""
    return Sample((shape,), (dict(zip(("kernel_size", "stride", "padding"), settings, strict=False)) | options,))


CORNERS1D = [
    _one((2, 3, 6), 2), _one((3, 7), 3, 1), _one((0, 2, 4), 2), _one((1, 2, 7), 3, 2, 1), _one((1, 1, 9), 2, 4),
    _one((2, 1, 3), (2,), (1,), (1,)), _one((1, 1, 1), 4, None, 2), _one((1, 2, 3), 3),
]  # fmt: skip
CORNERS2D = [
    _one((2, 2, 4, 6), 2), _one((2, 5, 4), (3, 2), 1), _one((0, 1, 2, 3), 2),
    _one((1, 2, 5, 4), (3, 2), (2, 1), (1, 0)), _one((1, 1, 5, 7), (1, 2), 3), _one((1, 1, 3, 3), 3, 1, 1),
]  # fmt: skip
UNCOUNTED1D, UNCOUNTED2D = (
    [Sample(sample.shapes, (sample.settings[0] | {"count_include_pad": False},)) for sample in corners]
    for corners in (CORNERS1D[3:7], CORNERS2D[3:])
)


def _row(name: str, samples: Samples, reference: Callable[..., Any], **options: Any) -> Row:
    """Return the row of a pooling op, which PyTorch knows by the same name."""
    by_torch = with_options(lambda x, **options: getattr(torch.nn.functional, name)(x, **options))
    return Row(name, samples, with_options(reference), by_torch, with_options(getattr(tg, name)), **options)


ROWS = [
    _row("max_pool1d", Samples(CORNERS1D, _draw(1, mean=False)), _greatest(1)),
    _row("max_pool2d", Samples(CORNERS2D, _draw(2, mean=False)), _greatest(2)),
    _row("avg_pool1d", Samples(CORNERS1D + UNCOUNTED1D, _draw(1, mean=True)), _mean(1), floating=True),
    _row("avg_pool2d", Samples(CORNERS2D + UNCOUNTED2D, _draw(2, mean=True)), _mean(2), floating=True),
]
