"""Rearranging: elements in another order, repeated, padded, or left out by a pattern."""

from __future__ import annotations

from ..backend import Array, xp
from ..primitive import unary
from ..tensor import Axis, Tensor
from .shape import counted_axes

__all__ = ["flip"]

# fmt: off
_flip = unary("flip", lambda x, axes: xp.flip(x, axes), lambda g, axes: _flip(g, axes), params=("axes",))
# fmt: on


def flip(x: Tensor | Array, /, *, axis: Axis = None) -> Tensor:
    """Return the elements in reverse order along the axes given, or along all.

    >>> import tinygrad_lstm as tg
    >>> tg.flip(tg.arange(3))
    Tensor([2, 1, 0])
    """
    return _flip(x, counted_axes("flip", axis, x.ndim))
