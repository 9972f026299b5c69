"""Windows: the parts of an array that a kernel sees as it moves over the axes behind the first two.

Convolution and pooling stand on this page: it says where windows lie, shows an array through them, and goes from one
element of all windows to the next. It has nothing public.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from ..backend import Array, xp
from .shape import reshape

Lengths: TypeAlias = tuple[int, ...]
"""A number for each axis over which windows move."""

Setting: TypeAlias = "int | tuple[int, ...]"
"""What users give for that: one int for all these axes, or one for each."""

Slices: TypeAlias = tuple[Any, ...]
"""The index of a part along these axes, an ellipsis before it."""

LETTERS = {1: ("L", "K"), 2: ("H, W", "KH, KW")}
"""What messages call the axes of an array and of a kernel, by how many there are."""


class Windows(NamedTuple):
    """How windows lie: along each axis, the element ``k`` of window ``m`` is ``m * stride + k * dilation - padding``.

    The windows need not reach the end of the array, and may pass it on either side, where they see zeros.

    Attributes
    ----------
    lengths
        How long the array is.
    kernel
        How many elements a window has.
    counts
        How many windows there are.
    stride, padding, dilation
        From window to window; from the first window to the array; from element to element.
    """

    lengths: Lengths
    kernel: Lengths
    counts: Lengths
    stride: Lengths
    padding: Lengths
    dilation: Lengths

    def view(self, x: Array) -> Array:
        """Return an array (N, C, lengths) through the windows: (N, C, counts, kernel), without copying them."""
        reach = extents(self.kernel, self.dilation)
        spans = [(count - 1) * step + n for count, step, n in zip(self.counts, self.stride, reach, strict=True)]
        if any(self.padding) or any(map(operator.gt, spans, self.lengths)):
            x = self._padded(x, spans)
        axes = tuple(range(2, x.ndim))
        view = xp.lib.stride_tricks.sliding_window_view(x, reach, axes)
        at = [slice(0, count * step, step) for count, step in zip(self.counts, self.stride, strict=True)]
        return view[(..., *at, *(slice(None, None, step) for step in self.dilation))]

    def _padded(self, x: Array, spans: Sequence[int]) -> Array:
        """Return the part of an array that windows see, with zeros where they see beyond it."""
        padded = xp.zeros((*x.shape[:2], *spans), dtype=x.dtype)
        seen = [max(0, min(n, span - p)) for n, span, p in zip(self.lengths, spans, self.padding, strict=True)]
        inside = (..., *(slice(p, p + n) for n, p in zip(seen, self.padding, strict=True)))
        padded[inside] = x[(..., *map(slice, seen))]
        return padded

    def elements(self) -> Iterator[tuple[int, Slices, Slices]]:
        """Go through the kernel's elements, row by row.

        Yields
        ------
        tuple
            The element's number in the kernel, the index of the windows whose element it is within the array, and the
            index of these elements in the array.
        """
        for number, parts in enumerate(itertools.product(*map(_along_axis, *self))):
            if None not in parts:
                windows, elements = zip(*parts, strict=True)
                yield number, (..., *windows), (..., *elements)


def _along_axis(
    length: int, kernel: int, count: int, stride: int, padding: int, dilation: int
) -> list[tuple[slice, slice] | None]:
    """Return the indices of `Windows.elements` for each element of one axis; None where no window sees it."""
    parts: list[tuple[slice, slice] | None] = []
    for start in range(-padding, kernel * dilation - padding, dilation):  # where it is in the first window
        first = max(0, -(start // stride))  # the first one in which it is at 0 or further on
        stop = min(count, (length - 1 - start) // stride + 1)
        at = start + first * stride
        seen = slice(at, at + (stop - first - 1) * stride + 1, stride)
        parts.append((slice(first, stop), seen) if first < stop else None)
    return parts


def extents(kernel: Lengths, dilation: Lengths) -> Lengths:
    """Return from where to where a window reaches, its gaps included."""
    return tuple((n - 1) * step + 1 for n, step in zip(kernel, dilation, strict=True))


def laid(
    op: str, shape: Lengths, kernel: Lengths, stride: Lengths, before: Lengths, after: Lengths, dilation: Lengths
) -> Windows:
    """Return all windows that fit an array of a shape, padded at both ends; what is left over at its end is not seen.

    Raises
    ------
    ValueError
        If not even one fits.
    """
    lengths = shape[len(shape) - len(kernel) :]
    padded = tuple(map(sum, zip(before, lengths, after, strict=True)))
    reach = extents(kernel, dilation)
    if any(map(operator.lt, padded, reach)):
        raise ValueError(
            f"{op}: got x of shape {shape}, whose last axes are {padded} long with their padding, wanted at least "
            f"{reach}, which is how far the kernel reaches."
        )
    counts = tuple((n - m) // step + 1 for n, m, step in zip(padded, reach, stride, strict=True))
    return Windows(lengths, kernel, counts, stride, before, dilation)


def per_axis(op: str, name: str, setting: Any, axes: int, least: int) -> Lengths:
    """Return a setting, one int or one for each axis, as one for each axis.

    Raises
    ------
    ValueError
        If it is something else, or an int is too small.
    """
    try:
        numbers = (operator.index(setting),) * axes if not hasattr(setting, "__len__") else tuple(setting)
        numbers = tuple(map(operator.index, numbers))
    except TypeError:
        numbers = ()
    if len(numbers) != axes or min(numbers) < least:
        several = f" or {axes} of them" if axes > 1 else ""
        raise ValueError(f"{op}: got {name}={setting!r}, wanted an int{several}, {least} at least.")
    return numbers


def batched(x: Any, axes: int) -> Any:
    """Return ``x`` with a batch before its channels and so many axes, a batch of one if it has none."""
    return x if x.ndim == axes + 2 else reshape(x, (1, *x.shape))
