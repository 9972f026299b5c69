"""Creation: tensors from nothing, of constants, ranges and random numbers. The default type is float32."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..backend import xp
from ..tensor import DType, Tensor, float32, wrap

__all__ = [
    "arange", "eye", "full", "full_like", "linspace", "manual_seed", "ones", "ones_like", "rand", "randint", "randn",
    "zeros", "zeros_like",
]  # fmt: skip


def _leaf(array: Any, requires_grad: bool) -> Tensor:
    """Return a tensor of a new array, as a leaf if asked for."""
    tensor = wrap(array, None)
    tensor.requires_grad = requires_grad
    return tensor


def _shape(given: tuple[Any, ...]) -> tuple[int, ...]:
    """Return a shape that was given as ints or as one tuple."""
    return given[0] if len(given) == 1 and isinstance(given[0], tuple) else given


def zeros(shape: int | tuple[int, ...], *, dtype: DType = float32, requires_grad: bool = False) -> Tensor:
    """Return a tensor of zeros.

    >>> zeros((2,))
    Tensor([0., 0.])
    """
    return _leaf(xp.zeros(shape, dtype=dtype), requires_grad)


def ones(shape: int | tuple[int, ...], *, dtype: DType = float32, requires_grad: bool = False) -> Tensor:
    """Return a tensor of ones."""
    return _leaf(xp.ones(shape, dtype=dtype), requires_grad)


def full(
    shape: int | tuple[int, ...], fill_value: float, *, dtype: DType = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of one number; its type is that of the number, float32 for a float."""
    if dtype is None and isinstance(fill_value, float):
        dtype = float32
    return _leaf(xp.full(shape, fill_value, dtype=dtype), requires_grad)


def zeros_like(x: Tensor, /, *, dtype: DType = None) -> Tensor:
    """Return zeros in the shape and type of another tensor."""
    return wrap(xp.zeros(x.shape, dtype=dtype or x.dtype), None)


def ones_like(x: Tensor, /, *, dtype: DType = None) -> Tensor:
    """Return ones in the shape and type of another tensor."""
    return wrap(xp.ones(x.shape, dtype=dtype or x.dtype), None)


def full_like(x: Tensor, /, fill_value: float, *, dtype: DType = None) -> Tensor:
    """Return one number in the shape and type of another tensor."""
    return wrap(xp.full(x.shape, fill_value, dtype=dtype or x.dtype), None)


def arange(start: float, /, stop: float | None = None, step: float = 1, *, dtype: DType = None) -> Tensor:
    """Return the numbers from ``start`` (0 if only one bound is given) up to but not including ``stop``.

    >>> arange(3)
    Tensor([0, 1, 2])
    """
    if stop is None:
        start, stop = 0, start
    if dtype is None and any(isinstance(bound, float) for bound in (start, stop, step)):
        dtype = float32
    return wrap(xp.arange(start, stop, step, dtype=dtype), None)


def linspace(start: float, stop: float, /, num: int, *, dtype: DType = float32, endpoint: bool = True) -> Tensor:
    """Return ``num`` numbers at equal distances from ``start`` to ``stop``."""
    return wrap(xp.linspace(start, stop, num, endpoint=endpoint).astype(dtype), None)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType = float32) -> Tensor:
    """Return a matrix with ones on its ``k``-th diagonal and zeros elsewhere."""
    return wrap(xp.eye(n_rows, n_cols, k=k, dtype=dtype), None)


def manual_seed(seed: int) -> None:
    """Start the random generator anew, so that what follows can be repeated on the same backend."""
    backend.seed(seed)


def rand(*shape: Any, dtype: DType = float32, requires_grad: bool = False) -> Tensor:
    """Return numbers spread evenly from 0 up to but not including 1; the shape is given as ints or as one tuple."""
    return _leaf(backend.to_device(backend.rng.random(_shape(shape))).astype(dtype), requires_grad)


def randn(*shape: Any, dtype: DType = float32, requires_grad: bool = False) -> Tensor:
    """Return numbers of the normal distribution, mean 0 and variance 1; the shape is given as ints or as one tuple."""
    return _leaf(backend.to_device(backend.rng.standard_normal(_shape(shape))).astype(dtype), requires_grad)


def randint(low: int, high: int, shape: tuple[int, ...]) -> Tensor:
    """Return integers from ``low`` up to but not including ``high``."""
    return wrap(backend.to_device(backend.rng.integers(low, high, shape)), None)
