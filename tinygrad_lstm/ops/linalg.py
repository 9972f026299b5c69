"""Products of matrices and vectors.

A weight that is used at every step gets one product a step as its cotangent. `Outer` keeps the two factors instead, and
the sweep multiplies all of them at once, stacked: one large product for T small ones and T additions.
"""

from __future__ import annotations

import math
from typing import Any

from ..backend import Array, xp
from ..primitive import binary, sum_to, ternary, variadic
from ..sweep import Deferred
from ..tensor import Tensor, method
from .shape import expand_dims, matrix_transpose

__all__ = ["linear", "matmul"]

STACKED = 1 << 24
"""How many elements of factors are stacked before they are multiplied; it bounds the memory of the copies."""


class Outer(Deferred):
    """The cotangent ``a.T @ b`` of a matrix, of the factors ``a`` (n, rows) and ``b`` (n, columns)."""

    __slots__ = ("a", "b")

    def __init__(self, a: Any, b: Any) -> None:
        self.a = a
        self.b = b

    @classmethod
    def settle(cls, contributions: list[Outer]) -> Any:
        """Return the sum of the products."""
        if len(contributions) == 1:
            return contributions[0].a.T @ contributions[0].b
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
            total = a.T @ b
        else:
            total += a.T @ b
    return total


def _rows(x: Any) -> Any:
    """Return an array as a matrix with the same last axis."""
    return x if x.ndim == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


def _matmul_forward(x1: Array, x2: Array) -> Array:
    """Return the product; a stack of matrices times one matrix is one large product, not many small ones."""
    if x2.ndim != 2:
        return xp.matmul(x1, x2)
    if x1.ndim == 2:
        return x1.dot(x2)  # half the overhead of matmul on small matrices, and the same product
    return _rows(x1).dot(x2).reshape((*x1.shape[:-1], x2.shape[1])) if x1.ndim > 2 else xp.matmul(x1, x2)


def _linear_forward(x: Array, weight: Array) -> Array:
    """Return ``x @ weight.T``."""
    return _matmul_forward(x, weight.T)


def _affine_forward(x: Array, weight: Array, bias: Array) -> Array:
    """Return ``x @ weight.T + bias``, the bias added in place."""
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
_linear = binary("linear", _linear_forward, lambda g, x2: g @ x2, lambda g, x1: Outer(_rows(g), _rows(x1)))
_affine = ternary("linear", _affine_forward,
                  lambda g, x2: g @ x2, lambda g, x1: Outer(_rows(g), _rows(x1)), lambda g, shape: sum_to(g, shape))
_products = variadic("products", _sum_of_products,
                     lambda g, xs: [b @ g.T for b in xs[len(xs) // 2 :]] + [a @ g for a in xs[: len(xs) // 2]])
# fmt: on


@method("__matmul__", reflected="__rmatmul__")
def matmul(x1: Tensor | Array, x2: Tensor | Array, /) -> Tensor:
    """Return the product of matrices, or of stacks of them, whose leading axes broadcast; vectors lose their axis.

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
    """
    try:
        return _linear(x, weight) if bias is None else _affine(x, weight, bias)
    except ValueError:
        shapes = f"{x.shape}, {weight.shape}" + ("" if bias is None else f", {bias.shape}")
        raise ValueError(f"linear: got x, weight and bias of shapes {shapes}, wanted (..., n), (m, n), (m,).") from None
