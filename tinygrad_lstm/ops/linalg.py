"""Products of matrices and vectors.

A weight that is used at every step gets one product a step as its cotangent. `Outer` keeps the two factors instead, and
the sweep multiplies all of them at once, stacked: one large product for T small ones and T additions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from .. import kernels
from ..backend import Array, ndarray, xp
from ..primitive import binary, in_float32, sum_to, ternary, variadic
from ..sweep import Deferred
from ..tensor import Tensor, method
from .shape import (
    common_shape,
    counted_axes,
    expand_dims,
    matrix_transpose,
    moveaxis,
    permute_dims,
    reshape,
    shape_of,
    whole,
)

__all__ = ["linear", "matmul", "outer", "tensordot", "vecdot"]

STACKED = 1 << 24
"""How many elements of factors are stacked before they are multiplied; it bounds the memory of the copies."""

FEW, LITTLE, MUCH = 8, 1 << 13, 1 << 19
"""NumPy multiplies matrices as fast as compiled code where there are fewer rows or products of numbers, of which there
are few enough if the second factor has few elements."""


class Outer(Deferred):
    """The cotangent ``a.T @ b`` of a matrix, of the factors ``a`` (n, rows) and ``b`` (n, columns)."""

    __slots__ = ("a", "b")

    together: ClassVar[float] = 256

    def __init__(self, a: Any, b: Any) -> None:
        self.a = a
        self.b = b

    @classmethod
    def settle(cls, contributions: list[Outer]) -> Any:
        """Return the sum of the products."""
        if len(contributions) == 1:
            return _times(contributions[0].a.T, contributions[0].b)
        return _products([pair.a for pair in contributions] + [pair.b for pair in contributions])

    def permuted(self, axes: tuple[int, ...]) -> Outer:
        """Return the cotangent with its axes in another order."""
        return Outer(self.b, self.a) if axes == (1, 0) else self


def _sum_of_products(factors: list[Array]) -> Array:
    """Return the sum of ``a.T @ b`` over the first half of the factors, ``a``, and the second half, ``b``.

    Factors are stacked, and multiplied at once, where copying them costs less than adding up their products.
    """
    half = len(factors) // 2
    left, right = factors[:half], factors[half:]
    (n, rows), columns = left[0].shape, right[0].shape[1]
    worthwhile = n * (rows + columns) <= 4 * rows * columns
    together = max(1, STACKED // max(1, n * (rows + columns))) if worthwhile else 1
    total = None
    for start in range(0, half, together):
        a = xp.concatenate(left[start : start + together])
        b = xp.concatenate(right[start : start + together])
        if total is None:
            total = _product(a.T, b)
        else:
            total += _product(a.T, b)
    return total


def _rows(x: Any) -> Any:
    """Return an array as a matrix with the same last axis."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul_forward(x1: Array, x2: Array) -> Array:
    """Return the product; a stack of matrices times one matrix is one large product, not many small ones."""
    if x2.ndim != 2:
        return xp.matmul(x1, x2)
    if x1.ndim == 2:
        return _product(x1, x2)
    return _product(_rows(x1), x2).reshape((*x1.shape[:-1], x2.shape[1])) if x1.ndim > 2 else xp.matmul(x1, x2)


def _product(a: Array, b: Array, first: Array | None = None) -> Array:
    """Return ``a @ b`` of two matrices, plus what it begins with, by compiled code where that is faster."""
    if b.size >= LITTLE and a.size * b.shape[1] >= MUCH and len(a) >= FEW:
        compiled = kernels.matmul(a, b, first)
        if compiled is not None:
            return compiled(a, b, first)
    y = a.dot(b)  # which has half the overhead of NumPy's matmul on small matrices
    if first is not None:
        y += first
    return y


def _times(g: Any, weight: Any) -> Any:
    """Return ``g @ weight``; arrays go by the way of the forward pass."""
    return _matmul_forward(g, weight) if type(g) is ndarray else g @ weight


def _linear_forward(x: Array, weight: Array) -> Array:
    """Return ``x @ weight.T``."""
    return _matmul_forward(x, weight.T)


def _affine_forward(x: Array, weight: Array, bias: Array) -> Array:
    """Return ``x @ weight.T + bias``, the bias added in place."""
    if x.ndim == 2:
        return _product(x, weight.T, bias)
    y = _matmul_forward(x, weight.T)
    y += bias
    return y


def _as_matrices(g: Any, x1: Any, x2: Any) -> tuple[Any, Any, Any]:
    """Return a product's cotangent and factors with a vector on the left as a row and one on the right as a column."""
    if x2.ndim == 1:
        g, x2 = expand_dims(g, -1), expand_dims(x2, -1)
    if x1.ndim == 1:
        g, x1 = expand_dims(g, -2), expand_dims(x1, 0)
    return g, x1, x2


def _left_slope(g: Any, x1: Any, x2: Any) -> Any:
    """Return the cotangent of ``x1`` in ``x1 @ x2``: ``g @ x2.T``."""
    g, a, b = _as_matrices(g, x1, x2)
    if x1.ndim == b.ndim == 2:
        return Outer(g.T, b.T)
    return sum_to(g @ matrix_transpose(b), a.shape).reshape(x1.shape)


def _right_slope(g: Any, x1: Any, x2: Any) -> Any:
    """Return the cotangent of ``x2`` in ``x1 @ x2``: ``x1.T @ g``."""
    g, a, b = _as_matrices(g, x1, x2)
    if x2.ndim == 2:
        return Outer(_rows(a), _rows(g))
    return sum_to(matrix_transpose(a) @ g, b.shape).reshape(x2.shape)


# fmt: off
_matmul = binary("matmul", _matmul_forward, _left_slope, _right_slope)
_linear = binary("linear", _linear_forward, lambda g, x2: _times(g, x2), lambda g, x1: Outer(_rows(g), _rows(x1)))
_affine = ternary("linear", _affine_forward,
                  lambda g, x2: _times(g, x2), lambda g, x1: Outer(_rows(g), _rows(x1)),
                  lambda g, shape: sum_to(g, shape))
_outer  = binary("outer", lambda x1, x2: x1[:, None] * x2, lambda g, x2: g @ x2, lambda g, x1: x1 @ g)
_vecdot = binary("vecdot", in_float32(lambda x1, x2: xp.einsum("...i,...i->...", x1, x2)),
                 lambda g, x2, shape: sum_to(expand_dims(g, -1) * x2, shape),
                 lambda g, x1, shape: sum_to(expand_dims(g, -1) * x1, shape))
_products = variadic("products", _sum_of_products,
                     lambda g, xs: [b @ g.T for b in xs[len(xs) // 2 :]] + [a @ g for a in xs[: len(xs) // 2]])
# fmt: on


@method("__matmul__", reflected="__rmatmul__")
def matmul(x1: Tensor | Array, x2: Tensor | Array, /) -> Tensor:
    """Return the product of matrices, or of stacks of them, whose leading axes broadcast; vectors lose their axis.

    Parameters
    ----------
    x1
        Shape (..., n, k), or (k,).
    x2
        Shape (..., k, m), or (k,).

    Raises
    ------
    ValueError
        If the last axis of ``x1`` is not as long as the second last of ``x2``, or one of them has no axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.matmul(tg.ones((2, 3)), tg.ones((3,)))
    Tensor([3., 3.])
    """
    try:
        return _matmul(x1, x2)
    except (AttributeError, ValueError):  # the first is a number's, which has no axes
        shape1, shape2 = (getattr(x, "shape", ()) for x in (x1, x2))
        raise ValueError(
            f"matmul: got shapes {shape1} and {shape2}, wanted the last axis of the first as long as the second last "
            "(or only) axis of the second."
        ) from None


def linear(x: Tensor | Array, weight: Tensor | Array, bias: Tensor | Array | None = None) -> Tensor:
    """Return ``x @ weight.T + bias``.

    Parameters
    ----------
    x
        Shape (..., in_features).
    weight
        Shape (out_features, in_features), as `torch.nn.Linear` keeps it.
    bias
        Broadcasts to (..., out_features).

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.linear(tg.asarray([1.0, 2.0]), tg.asarray([[1.0, 1.0], [0.0, 3.0]]), tg.asarray([0.5, 0.0]))
    Tensor([3.5, 6. ])
    """
    try:
        return _linear(x, weight) if bias is None else _affine(x, weight, bias)
    except (AttributeError, ValueError):  # the first is a number's, which has no axes
        shapes = ", ".join(str(shape_of("linear", part)) for part in (x, weight, bias) if part is not None)
        raise ValueError(f"linear: got x, weight and bias of shapes {shapes}, wanted (..., n), (m, n), (m,).") from None


def outer(x1: Tensor | Array, x2: Tensor | Array, /) -> Tensor:
    """Return the products of each element of one vector with each of another.

    Parameters
    ----------
    x1
        Shape (n,).
    x2
        Shape (m,).

    Returns
    -------
    Tensor
        Shape (n, m).

    Raises
    ------
    ValueError
        If they are no vectors.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.outer(tg.asarray([1, 2]), tg.asarray([1, 10, 100]))
    Tensor([[  1,  10, 100],
            [  2,  20, 200]])
    """
    shapes = shape_of("outer", x1), shape_of("outer", x2)
    if any(len(shape) != 1 for shape in shapes):
        raise ValueError(f"outer: got shapes {shapes[0]} and {shapes[1]}, wanted two vectors.")
    return _outer(x1, x2)


def vecdot(x1: Tensor | Array, x2: Tensor | Array, /, *, axis: int = -1) -> Tensor:
    """Return the dot products of vectors.

    Parameters
    ----------
    x1, x2
        The vectors, as long as each other; the other axes broadcast.
    axis
        The axis of the vectors in both, counted from the end; where both have as many axes, it may be counted from the
        start too.

    Raises
    ------
    ValueError
        If the vectors are not as long as each other, the other axes do not broadcast, or there is no such axis.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.vecdot(tg.asarray([[1, 2], [3, 4]]), tg.asarray([1, 1]))
    Tensor([3, 7])
    """
    shape1, shape2 = shape_of("vecdot", x1), shape_of("vecdot", x2)
    if axis >= 0 and len(shape1) != len(shape2):
        raise ValueError(f"vecdot: got axis {axis} for shapes {shape1} and {shape2}, wanted it counted from the end.")
    (axis1,), (axis2,) = counted_axes("vecdot", axis, len(shape1)), counted_axes("vecdot", axis, len(shape2))
    if shape1[axis1] != shape2[axis2]:
        raise ValueError(f"vecdot: got shapes {shape1} and {shape2}, wanted axis {axis} as long in both.")
    if axis1 != len(shape1) - 1:
        x1, x2 = moveaxis(x1, axis1, -1), moveaxis(x2, axis2, -1)
    common_shape("vecdot", [x1.shape, x2.shape])
    return _vecdot(x1, x2)


def tensordot(
    x1: Tensor | Array, x2: Tensor | Array, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Tensor:
    """Return the sums of products over some axes of both; the other axes stand side by side in the result.

    Parameters
    ----------
    x1, x2
        Any shapes.
    axes
        How many axes to sum over, the last ones of ``x1`` and the first ones of ``x2``; or the axes of each, in pairs.

    Raises
    ------
    ValueError
        If there are no such axes, or they are not as long in both.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.tensordot(tg.ones((2, 3, 4)), tg.ones((5, 4, 3)), axes=((1, 2), (2, 1))).shape
    (2, 5)
    """
    shape1, shape2 = shape_of("tensordot", x1), shape_of("tensordot", x2)
    axes1, axes2 = _axes_summed(axes, len(shape1), len(shape2))
    if [shape1[a] for a in axes1] != [shape2[a] for a in axes2]:
        raise ValueError(
            f"tensordot: got shapes {shape1} and {shape2}, wanted the axes {axes1} of the first as long as the axes "
            f"{axes2} of the second."
        )
    rows = [a for a in range(len(shape1)) if a not in axes1]
    columns = [a for a in range(len(shape2)) if a not in axes2]
    summed = math.prod(shape1[a] for a in axes1)
    left = reshape(_in_order(x1, (*rows, *axes1)), (math.prod(shape1[a] for a in rows), summed))
    right = reshape(_in_order(x2, (*axes2, *columns)), (summed, math.prod(shape2[a] for a in columns)))
    return reshape(matmul(left, right), (*(shape1[a] for a in rows), *(shape2[a] for a in columns)))


def _axes_summed(axes: Any, ndim1: int, ndim2: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of either factor over which `tensordot` sums."""
    if not hasattr(axes, "__len__"):
        axes = whole("tensordot", "axes", axes)
        if not 0 <= axes <= min(ndim1, ndim2):
            raise ValueError(
                f"tensordot: got axes={axes} for arrays of {ndim1} and {ndim2} axes, wanted as many in both."
            )
        return tuple(range(ndim1 - axes, ndim1)), tuple(range(axes))
    try:
        first, second = axes
    except (TypeError, ValueError):
        raise ValueError(f"tensordot: got axes={axes!r}, wanted a number of axes or the axes of each.") from None
    return counted_axes("tensordot", first, ndim1), counted_axes("tensordot", second, ndim2)


def _in_order(x: Any, order: tuple[int, ...]) -> Any:
    """Return an array with its axes in an order, itself if that is the order they have."""
    return x if order == tuple(range(len(order))) else permute_dims(x, order)
