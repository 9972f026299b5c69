"""Losses: how far a model's answer is from the right one, as a scalar to be made small."""

from __future__ import annotations

from .. import backend
from ..backend import Array, xp
from ..tensor import Tensor, asarray
from .activations import log_softmax
from .elementwise import square, where
from .reductions import mean, sum
from .shape import permute_dims, reshape

__all__ = ["cross_entropy", "mse_loss"]

REDUCTIONS = {"mean": mean, "sum": sum, "none": lambda loss: loss}


def _reduced(op: str, loss: Tensor, reduction: str) -> Tensor:
    """Return a loss reduced as asked for."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{op}: got reduction={reduction!r}, wanted one of {', '.join(map(repr, REDUCTIONS))}.")
    return REDUCTIONS[reduction](loss)


def cross_entropy(input: Tensor, target: Tensor | Array, *, reduction: str = "mean") -> Tensor:
    """Return the cross entropy of classes against unnormalised scores, in nats.

    Parameters
    ----------
    input
        Scores of shape (C,), (N, C) or (N, C, ...), the classes on the second axis, as in PyTorch.
    target
        The right classes, integers from 0 to C - 1, of the same shape without the axis of classes.
    reduction
        ``"mean"`` and ``"sum"`` give a scalar, ``"none"`` the loss of each one.

    Raises
    ------
    ValueError, TypeError, IndexError
        If the shapes do not fit, a target is no integer, or it is not a class. On a GPU, which nobody should have to
        wait for, a target that is not a class makes the loss NaN instead.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> scores = tg.asarray([[2.0, 0.0], [0.0, 2.0]])
    >>> round(tg.cross_entropy(scores, tg.asarray([0, 1])).item(), 4)
    0.1269
    """
    input, target = asarray(input), asarray(target)
    axis = min(1, input.ndim - 1)
    if target.shape != (*input.shape[:axis], *input.shape[axis + 1 :]):
        raise ValueError(
            f"cross_entropy: got scores of shape {input.shape} and targets of shape {target.shape}, wanted (N, C, ...) "
            "and (N, ...)."
        )
    if target.dtype.kind not in "iu":
        raise TypeError(f"cross_entropy: got targets of {target.dtype}, wanted integers, one class each.")
    classes = input.shape[axis]
    labels, is_class = _classes(target.data.reshape(-1), classes)
    if input.ndim > 2:
        input = permute_dims(input, (0, *range(2, input.ndim), 1))
    log_p = reshape(log_softmax(input, axis=-1), (target.size, classes))
    picked = log_p[xp.arange(target.size), labels]
    if is_class is not None:
        picked = where(is_class, picked, float("nan"))
    return _reduced("cross_entropy", reshape(-picked, target.shape), reduction)


def _classes(labels: Array, classes: int) -> tuple[Array, Array | None]:
    """Return labels that are classes and, on a GPU, which of them were: to look would make the host wait for it."""
    is_class = (labels >= 0) & (labels < classes)
    if backend.name != "numpy":
        return xp.where(is_class, labels, 0), is_class
    if not is_class.all():
        wrong = labels[~is_class][0]
        raise IndexError(f"cross_entropy: got a target {wrong}, wanted classes from 0 to {classes - 1}.")
    return labels, None


def mse_loss(input: Tensor, target: Tensor | Array, *, reduction: str = "mean") -> Tensor:
    """Return the squared difference of two tensors of one shape.

    Raises
    ------
    ValueError
        If the shapes differ: broadcasting here is nearly always a mistake.
    """
    input, target = asarray(input), asarray(target)
    if input.shape != target.shape:
        raise ValueError(f"mse_loss: got shapes {input.shape} and {target.shape}, wanted one shape.")
    return _reduced("mse_loss", square(input - target), reduction)
