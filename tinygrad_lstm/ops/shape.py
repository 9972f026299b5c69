"""Shape: the same elements in another arrangement, and several tensors in one."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from ..backend import Array, xp
from ..primitive import sum_to, unary, variadic
from ..tensor import Axis, Tensor, asarray, method

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "matrix_transpose", "moveaxis", "permute_dims",
    "reshape", "squeeze", "stack",
]  # fmt: skip

# fmt: off
_reshape      = unary("reshape",      lambda x, to: x.reshape(to),
                      lambda g, shape: g.reshape(shape), params=("to",))
_copied       = unary("reshape",      lambda x, to: x.copy().reshape(to),
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

joined = variadic("concat", lambda xs, axis, lengths: xp.concatenate(xs, axis),
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


def shape_of(op: str, x: Any) -> tuple[int, ...]:
    """Return the shape of a tensor or an array, or say in an op's name that it is none."""
    try:
        return x.shape
    except AttributeError:
        kind = f"{type(x).__module__}.{type(x).__name__}"
        raise TypeError(f"{op}: got {kind}, wanted a tensor or an array; asarray makes a tensor of it.") from None


def shapes_of(op: str, arrays: Sequence[Any]) -> list[tuple[int, ...]]:
    """Return the shapes of tensors or arrays, or say in an op's name that one is none."""
    try:
        return [x.shape for x in arrays]
    except AttributeError:
        return [shape_of(op, x) for x in arrays]


def whole(op: str, what: str, value: Any) -> int:
    """Return a whole number of any kind as an int."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{op}: got {what} {value!r}, wanted an int.") from None


def at_least(least: int, op: str, what: str, value: Any) -> int:
    """Return a whole number that is not below another as an int."""
    n = whole(op, f"{what} =", value)
    if n < least:
        raise ValueError(f"{op}: got {what} = {n}, wanted at least {least}.")
    return n


def lengths_of(op: str, shape: Any) -> tuple[int, ...]:
    """Return a shape, which may be given as the length of its only axis, as a tuple of ints."""
    of_many = hasattr(shape, "__iter__") and getattr(shape, "ndim", 1) > 0
    return tuple([n if type(n) is int else whole(op, "length", n) for n in (shape if of_many else (shape,))])


def counted(op: str, axis: int, ndim: int) -> int:
    """Return an axis counted from 0."""
    if type(axis) is not int:
        axis = whole(op, "axis", axis)
    if not -ndim <= axis < ndim:
        raise ValueError(f"{op}: got axis {axis}, wanted one of {ndim} axes.")
    return axis % ndim


def counted_axes(op: str, axis: Axis, ndim: int) -> tuple[int, ...]:
    """Return one axis, several, or all of them (None), counted from 0 and each one once."""
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(counted(op, a, ndim) for a in (axis if isinstance(axis, (list, tuple)) else (axis,)))
    if len(set(axes)) != len(axes):
        raise ValueError(f"{op}: got axes {axis}, wanted each one once.")
    return axes


def common_shape(op: str, shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape to which several broadcast.

    >>> common_shape("add", [(2, 1), (3,), ()])
    (2, 3)
    """
    common = []
    for axis in range(-max(map(len, shapes), default=0), 0):
        lengths = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        if len(lengths) > 1:
            raise ValueError(f"{op}: got shapes {', '.join(map(str, shapes))}, wanted them to broadcast.")
        common.append(lengths.pop() if lengths else 1)
    return tuple(common)


def reshape(x: Tensor | Array, /, shape: int | tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """Return the same elements, row by row, in another shape.

    Parameters
    ----------
    x
        Any shape.
    shape
        The lengths of the axes; one may be -1, to be worked out.
    copy
        True to have memory of its own for the result, False to share that of ``x`` or fail, None to share it where
        that can be.

    Raises
    ------
    ValueError
        If the numbers of elements differ, or the elements would have to be copied and may not be.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.reshape(tg.arange(4), (2, -1))
    Tensor([[0, 1],
            [2, 3]])
    """
    to: Any = shape if type(shape) is tuple else lengths_of("reshape", shape)
    try:
        y = _copied(x, to) if copy else _reshape(x, to)
    except (AttributeError, TypeError, ValueError):
        own, to = shape_of("reshape", x), lengths_of("reshape", to)
        raise ValueError(f"reshape: got shape {own}, of {math.prod(own)} elements, wanted {to}.") from None
    if copy is False and not _shared(x, y):
        raise ValueError(f"reshape: got shape {x.shape} and copy=False, wanted {to}, which takes a copy here.")
    return y


def _shared(x: Any, y: Any) -> bool:
    """Tell whether two arrays of the same elements, or tensors of them, hold them in the same memory."""
    a, b = (z.data if type(z) is Tensor else z for z in (x, y))
    return a.size == 0 or bool(xp.may_share_memory(a, b))


@method("reshape")
def _reshape_method(x: Tensor, *shape: Any, copy: bool | None = None) -> Tensor:
    """Return the same elements in another shape, given as one tuple or as several ints."""
    return reshape(x, shape[0] if len(shape) == 1 else shape, copy=copy)


def expand_dims(x: Tensor | Array, /, axis: int) -> Tensor:
    """Return ``x`` with a new axis of length 1.

    Parameters
    ----------
    x
        Any shape.
    axis
        The place of the new axis in the result, counted from either end.

    Raises
    ------
    IndexError
        If the result has no such axis; the standard asks for this kind of error.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.expand_dims(tg.ones((2, 3)), -1).shape
    (2, 3, 1)
    """
    ndim = len(shape_of("expand_dims", x)) + 1
    if not -ndim <= whole("expand_dims", "axis", axis) < ndim:
        raise IndexError(f"expand_dims: got axis {axis} for shape {x.shape}, wanted {-ndim} to {ndim - 1}.")
    return _expand_dims(x, axis)


@method("squeeze")
def squeeze(x: Tensor | Array, /, axis: int | tuple[int, ...]) -> Tensor:
    """Return ``x`` without some of its axes.

    Parameters
    ----------
    x
        Any shape.
    axis
        The axes to leave out, all of length 1.

    Raises
    ------
    ValueError
        If there is no such axis, it is named twice, or its length is not 1.
    TypeError
        If the axis is None or no int.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.squeeze(tg.ones((2, 1, 3)), 1).shape
    (2, 3)
    """
    shape = shape_of("squeeze", x)
    if axis is None:
        raise TypeError("squeeze: got axis None, wanted the axes to leave out by their numbers.")
    axes = counted_axes("squeeze", axis, len(shape))
    if any(shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: got axis {axis} of shape {shape}, wanted axes of length 1.")
    return _squeeze(x, axes)


def broadcast_to(x: Tensor | Array, /, shape: int | tuple[int, ...]) -> Tensor:
    """Return ``x`` repeated along its axes of length 1, and along new ones in front, to fill a shape.

    Parameters
    ----------
    x
        A tensor or an array whose axes, counted from the last, are as long as those of the shape, or of length 1.
    shape
        The lengths of the axes of the result; an int for one axis.

    Raises
    ------
    ValueError
        If ``x`` does not broadcast to the shape.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.broadcast_to(tg.asarray([[1], [2]]), (2, 3))
    Tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    to: Any = shape if type(shape) is tuple else lengths_of("broadcast_to", shape)
    try:
        if not to or min(to) >= 0:  # CuPy does not look
            return _broadcast_to(x, to)
    except (AttributeError, TypeError, ValueError):
        pass
    own, to = shape_of("broadcast_to", x), lengths_of("broadcast_to", to)
    raise ValueError(f"broadcast_to: got shape {own}, which does not broadcast to {to}.")


def broadcast_arrays(*arrays: Tensor | Array) -> list[Tensor]:
    """Return tensors repeated along axes of length 1, and along new ones in front, so that all have one shape.

    >>> import tinygrad_lstm as tg
    >>> a, b = tg.broadcast_arrays(tg.ones((2, 1)), tg.ones((3,)))
    >>> a.shape, b.shape
    ((2, 3), (2, 3))
    """
    shape = common_shape("broadcast_arrays", shapes_of("broadcast_arrays", arrays))
    of_tensors = Tensor in map(type, arrays)
    return [_broadcast_to(asarray(x) if of_tensors else x, shape) for x in arrays]


def permute_dims(x: Tensor | Array, /, axes: tuple[int, ...]) -> Tensor:
    """Return ``x`` with its axes in another order.

    Parameters
    ----------
    x
        Any shape.
    axes
        The axes of ``x`` in the order that they have in the result, each one once.

    Raises
    ------
    ValueError
        If an axis is missing, named twice, or not there.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.permute_dims(tg.ones((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    ndim = len(shape_of("permute_dims", x))
    order = tuple(axis + ndim if axis < 0 else axis for axis in lengths_of("permute_dims", axes))
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"permute_dims: got axes {axes} for shape {x.shape}, wanted each axis once.")
    return _permute_dims(x, order)


def moveaxis(x: Tensor | Array, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Tensor:
    """Return ``x`` with axes moved to other places; the rest keep their order.

    Parameters
    ----------
    x
        Any shape.
    source
        The axes to move.
    destination
        Their places in the result, as many.

    Raises
    ------
    ValueError
        If there are no such axes, one is named twice, or the numbers of axes differ.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.moveaxis(tg.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    ndim = len(shape_of("moveaxis", x))
    sources, destinations = counted_axes("moveaxis", source, ndim), counted_axes("moveaxis", destination, ndim)
    if len(sources) != len(destinations):
        raise ValueError(f"moveaxis: got axes {source} to be moved to {destination}, wanted as many.")
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(destinations, sources, strict=True)):
        order.insert(place, axis)
    return _permute_dims(x, tuple(order))


def matrix_transpose(x: Tensor | Array, /) -> Tensor:
    """Return ``x`` with its last two axes exchanged; also ``x.mT``, and ``x.T`` for a matrix.

    Raises
    ------
    ValueError
        If ``x`` has fewer than two axes.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.matrix_transpose(tg.ones((2, 3, 4))).shape
    (2, 4, 3)
    """
    ndim = len(shape_of("matrix_transpose", x))
    if ndim < 2:
        raise ValueError(f"matrix_transpose: got shape {x.shape}, wanted at least two axes.")
    return _permute_dims(x, (*range(ndim - 2), ndim - 1, ndim - 2))


def _transpose(x: Tensor) -> Tensor:
    """Return a matrix transposed."""
    if x.ndim != 2:
        raise ValueError(f"T: got shape {x.shape}, wanted a matrix; permute_dims reorders the axes of others.")
    return _permute_dims(x, (1, 0))


Tensor.T = property(_transpose)  # type: ignore[method-assign, assignment]
Tensor.mT = property(matrix_transpose)  # type: ignore[method-assign, assignment]


def concat(arrays: Sequence[Tensor | Array], /, *, axis: int | None = 0) -> Tensor:
    """Return tensors joined along an axis that they have.

    Parameters
    ----------
    arrays
        Tensors or arrays of one shape, but for their lengths along the axis.
    axis
        The axis; None flattens them first.

    Raises
    ------
    ValueError
        If there are none, the shapes do not fit, or there is no such axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.concat([tg.ones((2,)), tg.zeros((1,))])
    Tensor([1., 1., 0.])
    """
    if axis is None:
        arrays, axis = [reshape(x, -1) for x in arrays], 0
    shapes = shapes_of("concat", arrays)
    if not shapes:
        raise ValueError("concat: got no arrays, wanted at least one.")
    axis = counted("concat", axis, len(shapes[0]))
    if len({(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}) != 1:
        raise ValueError(f"concat: got shapes {shapes}, wanted them equal but for axis {axis}.")
    return joined(arrays, axis, [shape[axis] for shape in shapes])


def stack(arrays: Sequence[Tensor | Array], /, *, axis: int = 0) -> Tensor:
    """Return tensors joined along a new axis.

    Parameters
    ----------
    arrays
        Tensors or arrays of one shape, at least one.
    axis
        The place of the new axis in the result, counted from either end.

    Raises
    ------
    ValueError
        If there are none, their shapes differ, or the result has no such axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.stack([tg.arange(2), tg.arange(2)], axis=1)
    Tensor([[0, 0],
            [1, 1]])
    """
    shapes = shapes_of("stack", arrays)
    if len(set(shapes)) != 1:
        raise ValueError(f"stack: got shapes {shapes}, wanted one shape.")
    return _stack(arrays, counted("stack", axis, len(shapes[0]) + 1))
