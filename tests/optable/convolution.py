"""Convolutions: windows times a weight, and the transposed map."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import Host, Row, Sample, Samples, Shape, torch


def per_axis(setting: Any, axes: int) -> tuple[int, ...]:
    """Return one int, or one for each axis, as one for each axis."""
    return (setting,) * axes if isinstance(setting, int) else tuple(setting)


def with_options(op: Callable[..., Any]) -> Callable[..., Any]:
    """Return an op with keyword arguments as one that takes a dict of them behind the arrays."""
    return lambda *arguments: op(*arguments[:-1], **arguments[-1])


def convolved(
    x: Host, weight: Host, *bias: Host, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Host:
    """Return a convolution over any number of axes, element by element."""
    axes = weight.ndim - 2
    if x.ndim == axes + 1:
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return convolved(x[None], weight, *bias, **options)[0]
    stride, dilation = per_axis(stride, axes), per_axis(dilation, axes)
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    if padding == "same":
        around = [((r - 1) // 2, r - 1 - (r - 1) // 2) for r in reach]
    else:
        around = [(p, p) for p in per_axis(0 if padding == "valid" else padding, axes)]
    x = np.pad(x, [(0, 0), (0, 0), *around])
    counts = [(n - r) // s + 1 for n, r, s in zip(x.shape[2:], reach, stride, strict=True)]
    y = np.zeros((len(x), len(weight), *counts), x.dtype)
    for n, o, *at in np.ndindex(y.shape):
        first = o // (len(weight) // groups) * weight.shape[1]
        channels = slice(first, first + weight.shape[1])
        window = [slice(m * s, m * s + r, d) for m, s, r, d in zip(at, stride, reach, dilation, strict=True)]
        y[(n, o, *at)] = np.dot(x[(n, channels, *window)].ravel(), weight[o].ravel())
    return sum([b.reshape(-1, *[1] * axes) for b in bias], start=y)


def transposed(
    x: Host,
    weight: Host,
    *bias: Host,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Host:
    """Return a transposed convolution over any number of axes, element by element."""
    axes = weight.ndim - 2
    if x.ndim == axes + 1:
        options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        return transposed(x[None], weight, *bias, output_padding=output_padding, **options)[0]
    stride, dilation, padding = per_axis(stride, axes), per_axis(dilation, axes), per_axis(padding, axes)
    reach = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    more = per_axis(output_padding, axes)
    lengths = [(n - 1) * s + r + m for n, s, r, m in zip(x.shape[2:], stride, reach, more, strict=True)]
    y = np.zeros((len(x), weight.shape[1] * groups, *lengths), x.dtype)
    for n, c, *at in np.ndindex(x.shape):
        first = c // (len(weight) // groups) * weight.shape[1]
        channels = slice(first, first + weight.shape[1])
        window = [slice(m * s, m * s + r, d) for m, s, r, d in zip(at, stride, reach, dilation, strict=True)]
        y[(n, channels, *window)] += x[(n, c, *at)] * weight[c]
    y = y[(..., *(slice(p, n - p) for p, n in zip(padding, lengths, strict=True)))]
    return sum([b.reshape(-1, *[1] * axes) for b in bias], start=y)


@st.composite
def _draw(draw: Any, axes: int, back: bool) -> Sample:
    """Draw shapes and settings; ``back`` draws those of a transposed convolution."""

    def each(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(least, most)) for _ in range(axes))

    groups, inputs, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kernel, stride, dilation, padding = each(1, 3), each(1, 3), each(1, 2), each(0, 2)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if back:
        options["output_padding"] = tuple(draw(st.integers(0, n - 1)) for n in map(max, stride, dilation))
        lacking = [2 * p + 1 - r for p, r in zip(padding, reach, strict=True)]
        least = [math.ceil(max(0, n) / s) + 1 for n, s in zip(lacking, stride, strict=True)]
    else:
        least = [max(1, r - 2 * p) for r, p in zip(reach, padding, strict=True)]
        if stride == (1,) * axes:
            options["padding"] = draw(st.sampled_from([padding, "same"]))
    lengths = tuple(n + draw(st.integers(0, 2)) for n in least)
    batch = draw(st.sampled_from([(), (0,), (1,), (2,)]))
    weight = (groups * inputs, outputs, *kernel) if back else (groups * outputs, inputs, *kernel)
    bias = draw(st.sampled_from([(), ((groups * outputs,),)]))
    return Sample(((*batch, groups * inputs, *lengths), weight, *bias), (options,))


def _one(*shapes: Shape, **options: Any) -> Sample:
    """Return a sample of arrays and keyword arguments."""
    return Sample(shapes, (options,))


CONV1D = Samples(
    [
        _one((2, 3, 7), (4, 3, 3), (4,)), _one((3, 7), (2, 3, 3)), _one((0, 2, 5), (3, 2, 2), (3,), padding=1),
        _one((1, 2, 8), (3, 2, 3), stride=2, padding=1), _one((2, 4, 6), (4, 1, 3), (4,), groups=4, padding="same"),
        _one((1, 2, 9), (2, 2, 3), dilation=3, padding="valid"), _one((1, 2, 6), (2, 2, 4), (2,), padding="same"),
        _one((2, 1, 7), (1, 1, 2), stride=(4,)), _one((1, 1, 1), (1, 1, 3), padding=3, stride=2),
    ],
    _draw(1, back=False),
)  # fmt: skip
CONV2D = Samples(
    [
        _one((2, 3, 5, 4), (2, 3, 3, 2), (2,)), _one((2, 4, 5), (3, 2, 2, 2), (3,)), _one((0, 1, 3, 3), (2, 1, 2, 2)),
        _one((1, 2, 6, 5), (2, 2, 3, 1), stride=(2, 3), padding=(1, 0)),
        _one((1, 4, 5, 5), (6, 2, 2, 3), (6,), groups=2, dilation=(2, 1), padding=(0, 2)),
        _one((1, 2, 3, 4), (1, 2, 2, 3), padding="same", dilation=(1, 2)), _one((1, 1, 4, 4), (1, 1, 1, 1), stride=2),
    ],
    _draw(2, back=False),
)  # fmt: skip
CONV_TRANSPOSE1D = Samples(
    [
        _one((2, 3, 4), (3, 2, 3), (2,)), _one((2, 4), (2, 3, 2), stride=2), _one((0, 2, 3), (2, 1, 2), (1,)),
        _one((1, 2, 4), (2, 2, 3), (2,), stride=3, padding=1, output_padding=2),
        _one((1, 4, 3), (4, 1, 2), groups=2, dilation=3, output_padding=2),
        _one((1, 1, 1), (1, 1, 1), stride=3, output_padding=2, padding=1),
    ],
    _draw(1, back=True),
)  # fmt: skip
CONV_TRANSPOSE2D = Samples(
    [
        _one((2, 2, 2, 3), (2, 2, 2, 3), (2,)), _one((2, 3, 2), (2, 1, 3, 3), padding=1),
        _one((0, 1, 2, 2), (1, 1, 2, 2)),
        _one((1, 4, 2, 3), (4, 1, 2, 1), (2,), groups=2, stride=(2, 1), dilation=(1, 2), output_padding=(1, 0)),
    ],
    _draw(2, back=True),
)  # fmt: skip


def _row(name: str, samples: Samples, reference: Callable[..., Any]) -> Row:
    """Return the row of a convolution, which PyTorch knows by the same name."""

    def by_torch(*arrays: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using padding='same'")  # it pads unevenly with a copy, and says so
            return getattr(torch.nn.functional, name)(*arrays, **options)

    return Row(name, samples, with_options(reference), with_options(by_torch), with_options(getattr(tg, name)))


ROWS = [
    _row("conv1d", CONV1D, convolved),
    _row("conv2d", CONV2D, convolved),
    _row("conv_transpose1d", CONV_TRANSPOSE1D, transposed),
    _row("conv_transpose2d", CONV_TRANSPOSE2D, transposed),
]
