"""Normalisation: values brought to mean 0 and variance 1 before a layer sees them."""

from __future__ import annotations

from typing import Any

from ..backend import Array, xp
from ..primitive import in_float32, unary
from ..tensor import Tensor
from .elementwise import sqrt, square
from .reductions import mean
from .shape import shape_of

__all__ = ["layer_norm"]


def _normalized(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    y = x - x.mean(axis=axes, keepdims=True)
    y *= 1 / xp.sqrt(xp.square(y).mean(axis=axes, keepdims=True) + eps)
    return y


def _slope(g: Any, x: Any, y: Any, axes: tuple[int, ...], eps: float) -> Any:
    """Return what is left of ``g`` without its mean and its part along ``y``, over the standard deviation."""
    deviation = sqrt(mean(square(x - mean(x, axes, True)), axes, True) + eps)
    return (g - mean(g, axes, True) - y * mean(g * y, axes, True)) / deviation


_layer_norm = in_float32(unary("layer_norm", _normalized, _slope, params=("axes", "eps"), floating=True))


def layer_norm(
    x: Tensor | Array,
    /,
    normalized_shape: int | tuple[int, ...],
    weight: Tensor | Array | None = None,
    bias: Tensor | Array | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return ``(x - mean) / sqrt(variance + eps) * weight + bias``, the moments taken over the last axes.

    Parameters
    ----------
    x
        Shape ``(..., *normalized_shape)``.
    normalized_shape
        The lengths of the axes over which mean and variance are taken; the variance is the one without correction.
    weight, bias
        Of the shape ``normalized_shape``.
    eps
        Keeps the division from zero where all values are equal.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    References
    ----------
    Ba, Kiros and Hinton, "Layer Normalization", 2016.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.layer_norm(tg.asarray([[1.0, 3.0], [-4.0, 4.0]]), 2).numpy().round(3)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    last = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    shape, *others = (shape_of("layer_norm", part) for part in (x, weight, bias) if part is not None)
    if not last or shape[-len(last) :] != last or any(other != last for other in others):
        raise ValueError(
            f"layer_norm: got x of shape {shape}, normalized_shape {last} and weight and bias of shapes {others}, "
            "wanted (..., *normalized_shape), and normalized_shape for both."
        )
    y = _layer_norm(x, tuple(range(-len(last), 0)), eps) if x.size else x * 1.0  # which makes float32 of integers
    if weight is not None:
        y = y * weight
    return y if bias is None else y + bias
