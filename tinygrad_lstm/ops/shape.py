"""Shape: the same elements in another arrangement, and several tensors in one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..backend import Array, xp
from ..primitive import sum_to, unary, variadic
from ..tensor import Axis, Tensor, method

__all__ = [
    "broadcast_to", "concat", "expand_dims", "matrix_transpose", "permute_dims", "reshape", "squeeze", "stack",
]  # fmt: skip

# fmt: off
_reshape      = unary("reshape",      lambda x, to: x.reshape(to),
                      lambda g, shape: g.reshape(shape), params=("to",))
_expand_dims  = unary("expand_dims",  lambda x, axis: xp.expand_dims(x, axis),
                      lambda g, shape: g.reshape(shape), params=("axis",))
_squeeze      = unary("squeeze",      lambda x, axis: xp.squeeze(x, axis),
                      lambda g, shape: g.reshape(shape), params=("axis",))
_broadcast_to = unary("broadcast_to", lambda x, to: xp.broadcast_to(x, to),
                      lambda g, shape: sum_to(g, shape), params=("to",))
_permute_dims = unary("permute_dims", lambda x, axes: xp.transpose(x, axes),
                      lambda g, axes: permute_dims(g, _inverse(axes)), params=("axes",),
                      pass_deferred=lambda deferred, axes: deferred.permuted(_inverse(axes)))

joined = variadic("concat", lambda xs, axis, lengths: xp.concatenate(xs, axis=axis),
                  lambda g, axis, lengths: _cut(g, axis, lengths), params=("axis", "lengths"))
_stack  = variadic("stack",  lambda xs, axis: xp.stack(xs, axis=axis),
                   lambda g, axis: [g[along(axis, i)] for i in range(g.shape[axis])], params=("axis",))
# fmt: on


def along(axis: int, part: int | slice) -> tuple[Any, ...]:
    """Return the index that takes a part along one axis (counted from 0) and everything along those before it."""
    return (slice(None),) * axis + (part,)


def _cut(g: Any, axis: int, lengths: list[int]) -> list[Any]:
    """Return the parts of ``g`` that have these lengths along the axis."""
    parts, start = [], 0
    for length in lengths:
        parts.append(g[along(axis, slice(start, start + length))])
        start += length
    return parts


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the permutation that undoes one."""
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def counted(op: str, axis: int, ndim: int) -> int:
    """Return an axis counted from 0."""
    if not -ndim <= axis < ndim:
        raise ValueError(f"{op}: got axis {axis}, wanted one of {ndim} axes.")
    return axis % ndim


def counted_axes(op: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return one axis, several, or all of them (None), counted from 0 and each one once."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(counted(op, a, ndim) for a in (axis if isinstance(axis, tuple) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ValueError(f"{op}: got axes {axis}, wanted each one once.")
    return axes


def reshape(x: Tensor | Array, /, shape: int | tuple[int, ...]) -> Tensor:
    """Return the same elements, row by row, in another shape; one length may be -1, to be worked out.

    >>> import tinygrad_lstm as tg
    >>> tg.reshape(tg.arange(4), (2, -1))
    Tensor([[0, 1],
            [2, 3]])
    """
    to = (shape,) if isinstance(shape, int) else tuple(shape)
    try:
        return _reshape(x, to)
    except ValueError:
        raise ValueError(f"reshape: got shape {x.shape}, of {math.prod(x.shape)} elements, wanted {to}.") from None


@method("reshape")
def _reshape_method(x: Tensor, *shape: Any) -> Tensor:
    """Return the same elements in another shape, given as one tuple or as several ints."""
    return reshape(x, shape[0] if len(shape) == 1 else shape)


def expand_dims(x: Tensor | Array, /, axis: int = 0) -> Tensor:
    """Return ``x`` with a new axis of length 1 in the place given."""
    return _expand_dims(x, axis)


def squeeze(x: Tensor | Array, /, axis: int | tuple[int, ...]) -> Tensor:
    """Return ``x`` without the axes given, which must have length 1."""
    return _squeeze(x, axis)


def broadcast_to(x: Tensor | Array, /, shape: tuple[int, ...]) -> Tensor:
    """Return ``x`` repeated along its axes of length 1, and along new ones in front, to fill a shape."""
    return _broadcast_to(x, tuple(shape))


def permute_dims(x: Tensor | Array, /, axes: tuple[int, ...]) -> Tensor:
    """Return ``x`` with its axes in another order.

    >>> import tinygrad_lstm as tg
    >>> tg.permute_dims(tg.ones((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    if sorted(axis % x.ndim for axis in axes) != list(range(x.ndim)):
        raise ValueError(f"permute_dims: got axes {axes} for shape {x.shape}, wanted each axis once.")
    return _permute_dims(x, tuple(axis % x.ndim for axis in axes))


def matrix_transpose(x: Tensor | Array, /) -> Tensor:
    """Return ``x`` with its last two axes exchanged; also ``x.mT``, and ``x.T`` for a matrix."""
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: got shape {x.shape}, wanted at least two axes.")
    return _permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _transpose(x: Tensor) -> Tensor:
    """Return a matrix transposed."""
    if x.ndim != 2:
        raise ValueError(f"T: got shape {x.shape}, wanted a matrix; permute_dims reorders the axes of others.")
    return _permute_dims(x, (1, 0))


Tensor.T = property(_transpose)  # type: ignore[method-assign, assignment]
Tensor.mT = property(matrix_transpose)  # type: ignore[method-assign, assignment]


def concat(arrays: Sequence[Tensor | Array], /, *, axis: int | None = 0) -> Tensor:
    """Return tensors joined along an axis that they have; ``axis=None`` flattens them first.

    >>> import tinygrad_lstm as tg
    >>> tg.concat([tg.ones((2,)), tg.zeros((1,))])
    Tensor([1., 1., 0.])
    """
    if axis is None:
        arrays, axis = [reshape(x, -1) for x in arrays], 0
    shapes = [x.shape for x in arrays]
    axis = counted("concat", axis, len(shapes[0]) if shapes else 0)
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) != 1:
        raise ValueError(f"concat: got shapes {shapes}, wanted them equal but for axis {axis}.")
    return joined(arrays, axis, [shape[axis] for shape in shapes])


def stack(arrays: Sequence[Tensor | Array], /, *, axis: int = 0) -> Tensor:
    """Return tensors of one shape joined along a new axis."""
    shapes = [x.shape for x in arrays]
    if len(set(shapes)) != 1:
        raise ValueError(f"stack: got shapes {shapes}, wanted one shape.")
    return _stack(arrays, counted("stack", axis, len(shapes[0]) + 1))
