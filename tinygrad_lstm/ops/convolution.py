"""Convolution: a kernel's product with every window of an array, and the two maps that are its derivatives.

The product of an array ``x`` and a weight ``w``, window by window, is linear in both. So its derivatives are two maps
of the same kind, and theirs are the other two of the three again, at every order:

- ``y = conv(x, w)``, the windows of ``x`` times ``w``;
- ``x = conv_transpose(y, w)``, each element of ``y`` times ``w``, added up where the windows of ``x`` lie;
- ``w = conv_weight(x, y)``, the windows of ``x`` times the elements of ``y``, added up over the windows.

All three say where windows lie by the same `Windows`. They are written for any number of axes, and are one matrix
product a group, of the weight with the windows as columns. Columns hold every element of the array once for each window
that sees it, so they are made for a few arrays of the batch at a time, and none are kept for the derivative.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .. import backend
from ..backend import Array, xp
from ..primitive import Op, binary
from ..tensor import Tensor
from .shape import reshape, shape_of
from .windows import LETTERS, Lengths, Setting, Windows, batched, extents, laid, per_axis

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]

COLUMNS = 1 << (19 if backend.name == "numpy" else 26)
"""How many elements of columns are made at a time, of one array of the batch at least.

A CPU is fastest where its cache holds them, a GPU where there are few products and large ones.
"""


def _batches(size: int, of_one: int) -> Iterator[slice]:
    """Cut a batch into parts that have no more columns than `COLUMNS`."""
    together = max(1, COLUMNS // max(1, of_one))
    return (slice(start, start + together) for start in range(0, size, together))


def _columns(x: Array, windows: Windows, groups: int) -> Array:
    """Return the windows of an array as columns: (groups, channels of a group * kernel, N * counts)."""
    view, axes = windows.view(x), len(windows.counts)
    view = view.transpose(1, *range(2 + axes, 2 + 2 * axes), 0, *range(2, 2 + axes))
    rows = x.shape[1] // groups * math.prod(windows.kernel)
    return view.reshape(groups, rows, len(x) * math.prod(windows.counts))


def _by_channel(y: Array, groups: int) -> Array:
    """Return ``y``, an element for each window, as columns: (groups, channels of a group, N * counts)."""
    size = len(y) * math.prod(y.shape[2:])
    return y.transpose(1, 0, *range(2, y.ndim)).reshape(groups, y.shape[1] // groups, size)


def _as_matrices(w: Array, groups: int) -> Array:
    """Return a weight as matrices: (groups, outputs of a group, channels of a group * kernel)."""
    return w.reshape(groups, len(w) // groups, math.prod(w.shape[1:]))


def _product(a: Array, b: Array) -> Array:
    """Return the products of matrices; NumPy is slow over those of a column and a row, one channel with its kernel."""
    return a * b if a.shape[-1] == 1 else xp.matmul(a, b)


def _of_one(channels: int, windows: Windows) -> int:
    """Return how many elements the columns of one array of a batch have."""
    return channels * math.prod(windows.kernel) * math.prod(windows.counts)


def _conv_forward(x: Array, w: Array, windows: Windows, groups: int) -> Array:
    """Return ``y`` (N, outputs, counts) of ``x`` (N, channels, lengths) and ``w`` (outputs, of a group, kernel)."""
    y = xp.empty((len(x), len(w), *windows.counts), dtype=xp.result_type(x.dtype, w.dtype))
    matrices, by_channel = _as_matrices(w, groups), y.swapaxes(0, 1)
    for part in _batches(len(x), _of_one(x.shape[1], windows)):
        some = by_channel[:, part]
        some[...] = xp.matmul(matrices, _columns(x[part], windows, groups)).reshape(some.shape)
    return y


def _transpose_forward(y: Array, w: Array, windows: Windows, groups: int) -> Array:
    """Return ``x`` of ``y`` and ``w``, each in the shape that it has in `_conv_forward`."""
    channels = w.shape[1] * groups
    x = xp.zeros((len(y), channels, *windows.lengths), dtype=xp.result_type(y.dtype, w.dtype))
    matrices, by_channel = _as_matrices(w, groups).swapaxes(1, 2), x.swapaxes(0, 1)
    for part in _batches(len(y), _of_one(channels, windows)):
        columns = _product(matrices, _by_channel(y[part], groups))
        columns = columns.reshape(channels, math.prod(windows.kernel), len(y[part]), *windows.counts)
        for number, seeing, seen in windows.elements():
            by_channel[:, part][seen] += columns[:, number][seeing]
    return x


def _weight_forward(x: Array, y: Array, windows: Windows, groups: int) -> Array:
    """Return ``w`` of ``x`` and ``y``, each in the shape that it has in `_conv_forward`."""
    w = xp.zeros((y.shape[1], x.shape[1] // groups, *windows.kernel), dtype=xp.result_type(x.dtype, y.dtype))
    matrices = _as_matrices(w, groups)  # the same memory
    for part in _batches(len(x), _of_one(x.shape[1], windows)):
        matrices += xp.matmul(_by_channel(y[part], groups), _columns(x[part], windows, groups).swapaxes(1, 2))
    return w


LAID = ("windows", "groups")

# fmt: off
_conv:      Op = binary("conv",           _conv_forward,
                        lambda g, x2, windows, groups: _transpose(g, x2, windows, groups),
                        lambda g, x1, windows, groups: _weight(x1, g, windows, groups), params=LAID)
_transpose: Op = binary("conv_transpose", _transpose_forward,
                        lambda g, x2, windows, groups: _conv(g, x2, windows, groups),
                        lambda g, x1, windows, groups: _weight(g, x1, windows, groups), params=LAID)
_weight:    Op = binary("conv_weight",    _weight_forward,
                        lambda g, x2, windows, groups: _transpose(x2, g, windows, groups),
                        lambda g, x1, windows, groups: _conv(x1, g, windows, groups),   params=LAID)
# fmt: on


def _check(op: str, axes: int, x: Any, weight: Any, bias: Any, groups: int, transposed: bool = False) -> None:
    """Refuse shapes that do not fit each other, for an op over so many axes."""
    shape, of_weight = shape_of(op, x), shape_of(op, weight)
    of_bias = None if bias is None else shape_of(op, bias)
    fits = len(shape) - axes in (1, 2) and len(of_weight) == axes + 2 and 0 not in of_weight[2:]
    if fits:
        first, second = of_weight[0], of_weight[1] * groups
        inputs, outputs = (first, second) if transposed else (second, first)
        fits = shape[-axes - 1] == inputs and first % groups == 0 and of_bias in (None, (outputs,))
    if not fits:
        letters, kernel = LETTERS[axes]
        shapes, names = f"{shape}, {of_weight}", "x and weight"
        if of_bias is not None:
            shapes, names = f"{shapes}, {of_bias}", "x, weight and bias"
        order = "C, O / groups" if transposed else "O, C / groups"
        raise ValueError(
            f"{op}: got {names} of shapes {shapes} with groups={groups}, wanted (N, C, {letters}) "
            f"or (C, {letters}), ({order}, {kernel}) and (O,), with groups that divide C and O and a kernel that is "
            "not empty."
        )


def _paddings(op: str, padding: Any, kernel: Lengths, stride: Lengths, dilation: Lengths) -> tuple[Lengths, Lengths]:
    """Return by how much to pad every axis at its start and at its end."""
    axes = len(kernel)
    if not isinstance(padding, str):
        both = per_axis(op, "padding", padding, axes, 0)
        return both, both
    if padding == "valid":
        return (0,) * axes, (0,) * axes
    if padding != "same":
        raise ValueError(f"{op}: got padding={padding!r}, wanted numbers, 'valid' or 'same'.")
    if stride != (1,) * axes:
        raise ValueError(f"{op}: got padding='same' with stride {stride}, wanted stride 1.")
    lacking = [reach - 1 for reach in extents(kernel, dilation)]
    return tuple(n // 2 for n in lacking), tuple(n - n // 2 for n in lacking)


def _undone(
    op: str, shape: Lengths, kernel: Lengths, stride: Lengths, padding: Lengths, beyond: Lengths, dilation: Lengths
) -> Windows:
    """Return the windows of which a transposed convolution is given the elements, as the last axes of a shape."""
    if any(more >= max(step, gap) for more, step, gap in zip(beyond, stride, dilation, strict=True)):
        raise ValueError(
            f"{op}: got output_padding {beyond}, stride {stride} and dilation {dilation}, wanted the first less than "
            "one of the others."
        )
    counts = shape[len(shape) - len(kernel) :]
    ends = zip(counts, stride, extents(kernel, dilation), padding, beyond, strict=True)
    lengths = tuple((n - 1) * step + reach - 2 * p + more for n, step, reach, p, more in ends)
    if min(counts + lengths) < 1:
        raise ValueError(
            f"{op}: got x of shape {shape}, whose last axes become {lengths} long with padding {padding}, wanted at "
            "least 1 before and after."
        )
    return Windows(lengths, kernel, counts, stride, padding, dilation)


def _applied(op: Op, axes: int, x: Any, weight: Any, bias: Any, windows: Windows, groups: int) -> Any:
    """Return a map of ``x`` and ``weight`` with the bias added."""
    batch = batched(x, axes)
    y = op(batch, weight, windows, groups)
    if bias is not None:
        y = y + reshape(bias, (*bias.shape, *(1,) * axes))
    return y if batch is x else reshape(y, y.shape[1:])


def _convolved(
    op: str, axes: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Any:
    """Return the convolution over so many axes."""
    (groups,) = per_axis(op, "groups", groups, 1, 1)
    _check(op, axes, x, weight, bias, groups)
    kernel: Lengths = weight.shape[2:]
    stride, dilation = per_axis(op, "stride", stride, axes, 1), per_axis(op, "dilation", dilation, axes, 1)
    before, after = _paddings(op, padding, kernel, stride, dilation)
    windows = laid(op, x.shape, kernel, stride, before, after, dilation)
    return _applied(_conv, axes, x, weight, bias, windows, groups)


def _transposed(
    op: str, axes: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, beyond: Any, groups: Any, gap: Any
) -> Any:
    """Return the transposed convolution over so many axes; ``beyond`` and ``gap``: output_padding and dilation."""
    (groups,) = per_axis(op, "groups", groups, 1, 1)
    _check(op, axes, x, weight, bias, groups, transposed=True)
    kernel: Lengths = weight.shape[2:]
    stride, padding = per_axis(op, "stride", stride, axes, 1), per_axis(op, "padding", padding, axes, 0)
    beyond, dilation = per_axis(op, "output_padding", beyond, axes, 0), per_axis(op, "dilation", gap, axes, 1)
    windows = _undone(op, x.shape, kernel, stride, padding, beyond, dilation)
    return _applied(_transpose, axes, x, weight, bias, windows, groups)


def conv1d(
    x: Tensor | Array,
    weight: Tensor | Array,
    bias: Tensor | Array | None = None,
    *,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
) -> Tensor:
    """Return the product of a kernel with every window of ``x`` along its last axis.

    As in all of deep learning, and in `torch.nn.functional.conv1d`, the kernel is not turned round first.

    Parameters
    ----------
    x
        Shape (N, C, L), or (C, L) for one without a batch.
    weight
        Shape (O, C / groups, K): a kernel for each channel of the result and each that it sees.
    bias
        Shape (O,).
    stride
        How far it is from window to window; what is left over at the end is not seen.
    padding
        How many zeros stand before and behind; or ``"valid"`` for none, or ``"same"`` for as many as keep the length,
        the odd one behind, with stride 1.
    dilation
        How far it is from element to element of a window.
    groups
        Cut the channels into so many groups, of which each one sees only its own.

    Returns
    -------
    Tensor
        Shape (N, O, M) or (O, M), M = (L + 2 padding - dilation (K - 1) - 1) // stride + 1.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, the kernel is longer than the padded ``x``, or a setting is no such number.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x, kernel = tg.asarray([[1.0, 2.0, 4.0, 8.0]]), tg.asarray([[[-1.0, 1.0]]])
    >>> tg.conv1d(x, kernel)
    Tensor([[1., 2., 4.]])
    """
    return _convolved("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: Tensor | Array,
    weight: Tensor | Array,
    bias: Tensor | Array | None = None,
    *,
    stride: Setting = 1,
    padding: Setting | str = 0,
    dilation: Setting = 1,
    groups: int = 1,
) -> Tensor:
    """Return the product of a kernel with every window of ``x`` over its last two axes.

    Parameters
    ----------
    x
        Shape (N, C, H, W), or (C, H, W) for one without a batch.
    weight
        Shape (O, C / groups, KH, KW).
    bias
        Shape (O,).
    stride, padding, dilation, groups
        As for `conv1d`; the first three are one int for both axes, or a pair.

    Returns
    -------
    Tensor
        Shape (N, O, H', W') or (O, H', W'), each length as in `conv1d`.

    Raises
    ------
    ValueError
        As in `conv1d`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> images, kernels = tg.ones((8, 3, 32, 32)), tg.ones((16, 3, 5, 5))
    >>> tg.conv2d(images, kernels, stride=2, padding=2).shape
    (8, 16, 16, 16)
    """
    return _convolved("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    x: Tensor | Array,
    weight: Tensor | Array,
    bias: Tensor | Array | None = None,
    *,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    groups: int = 1,
    dilation: Setting = 1,
) -> Tensor:
    """Return the sum of a kernel, laid down at every element of ``x`` and multiplied by it.

    It is the derivative of `conv1d`: what ``weight`` takes from (N, O, M) to (N, C, L) there, it takes back here.

    Parameters
    ----------
    x
        Shape (N, C, L), or (C, L) for one without a batch.
    weight
        Shape (C, O / groups, K).
    bias
        Shape (O,).
    stride
        How far it is in the result from element to element of ``x``.
    padding
        How many elements the result lacks at both ends.
    output_padding
        How many it has more at its end; less than the stride or the dilation. It chooses among the lengths of which
        `conv1d` makes the same one.
    groups, dilation
        As for `conv1d`.

    Returns
    -------
    Tensor
        Shape (N, O, M) or (O, M), M = (L - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, nothing would be left, or a setting is no such number.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.conv_transpose1d(tg.asarray([[1.0, 2.0, 3.0]]), tg.asarray([[[1.0, 10.0]]]), stride=2)
    Tensor([[ 1., 10.,  2., 20.,  3., 30.]])
    """
    return _transposed("conv_transpose1d", 1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: Tensor | Array,
    weight: Tensor | Array,
    bias: Tensor | Array | None = None,
    *,
    stride: Setting = 1,
    padding: Setting = 0,
    output_padding: Setting = 0,
    groups: int = 1,
    dilation: Setting = 1,
) -> Tensor:
    """Return the sum of a kernel, laid down at every element of ``x`` and multiplied by it, over the last two axes.

    Parameters
    ----------
    x
        Shape (N, C, H, W), or (C, H, W) for one without a batch.
    weight
        Shape (C, O / groups, KH, KW).
    bias
        Shape (O,).
    stride, padding, output_padding, groups, dilation
        As for `conv_transpose1d`; one int for both axes, or a pair.

    Returns
    -------
    Tensor
        Shape (N, O, H', W') or (O, H', W'), each length as in `conv_transpose1d`.

    Raises
    ------
    ValueError
        As in `conv_transpose1d`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.conv_transpose2d(tg.ones((8, 16, 16, 16)), tg.ones((16, 3, 4, 4)), stride=2, padding=1).shape
    (8, 3, 32, 32)
    """
    return _transposed("conv_transpose2d", 2, x, weight, bias, stride, padding, output_padding, groups, dilation)
