"""Losses: how far a model's answer is from the right one, as a scalar to be made small.

Names and settings are those of ``torch.nn.functional``. ``reduction`` says what becomes of the losses of all elements
or samples: ``"mean"`` and ``"sum"`` give a scalar, ``"none"`` leaves them as they are. Integers are taken as float32.
"""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..backend import Array, xp
from ..primitive import in_float32, unary
from ..tensor import Tensor, asarray
from .activations import log_softmax, softplus
from .dtypes import astype, in_floating
from .elementwise import abs, exp, log, sign, square, where
from .indexing import take
from .reductions import mean, sum
from .shape import permute_dims, reshape

__all__ = [
    "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "kl_div", "l1_loss", "mse_loss", "nll_loss",
    "smooth_l1_loss",
]  # fmt: skip

REDUCTIONS = {"mean": mean, "sum": sum, "none": lambda loss: loss}


def _huber_forward(x: Array, delta: float) -> Array:
    """Return ``x**2 / 2``, and beyond ``delta`` the line that goes on from there."""
    near = xp.clip(x, -delta, delta)
    return near * (x - 0.5 * near)


# fmt: off
_huber = unary("huber", _huber_forward,
               lambda g, x, delta: g * where(abs(x) < delta, x, delta * sign(x)), params=("delta",), floating=True)
_xlogx = unary("xlogx", lambda x: x * xp.log(xp.where(x == 0, 1, x)), lambda g, x: g * (log(x) + 1), floating=True)
# fmt: on


def _reduced(op: str, loss: Tensor, reduction: str) -> Tensor:
    """Return a loss reduced as asked for."""
    check_reduction(op, reduction)
    return REDUCTIONS[reduction](loss)


def check_reduction(op: str, reduction: str, *others: str) -> None:
    """Refuse a reduction that does not exist."""
    known = (*REDUCTIONS, *others)
    if reduction not in known:
        raise ValueError(f"{op}: got reduction={reduction!r}, wanted one of {', '.join(map(repr, known))}.")


def _pair(op: str, input: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Return two tensors of one shape, in floating point; broadcasting here is nearly always a mistake."""
    input, target = asarray(input), asarray(target)
    if input.dtype.kind != "f" or target.dtype.kind != "f":
        input, target = in_floating(input, target)
    if input.shape != target.shape:
        raise ValueError(f"{op}: got shapes {input.shape} and {target.shape}, wanted one shape.")
    return input, target


def _weights(op: str, weight: Any, shape: tuple[int, ...]) -> Tensor:
    """Return weights as a tensor that broadcasts to a shape."""
    weight = asarray(weight)
    lengths = zip(reversed(weight.shape), reversed(shape), strict=False)
    if weight.ndim > len(shape) or any(n not in (1, m) for n, m in lengths):
        raise ValueError(f"{op}: got weights of shape {weight.shape}, wanted a shape that broadcasts to {shape}.")
    return weight


# Losses of one number against another


def mse_loss(input: Tensor | Array, target: Tensor | Array, *, reduction: str = "mean") -> Tensor:
    """Return the squared difference of two tensors.

    Parameters
    ----------
    input
        What a model has given, any shape.
    target
        What is right, the same shape.
    reduction
        ``"mean"`` or ``"sum"`` of all elements, or ``"none"``.

    Raises
    ------
    ValueError
        If the shapes differ, for broadcasting here is nearly always a mistake, or there is no such reduction.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.mse_loss(tg.asarray([1.0, 2.0]), tg.asarray([1.0, 4.0]))
    Tensor(2.)
    """
    input, target = _pair("mse_loss", input, target)
    return _reduced("mse_loss", square(input - target), reduction)


def l1_loss(input: Tensor | Array, target: Tensor | Array, *, reduction: str = "mean") -> Tensor:
    """Return the absolute difference of two tensors; its derivative is 0 where they are equal.

    The parameters and errors are those of `mse_loss`.

    >>> import tinygrad_lstm as tg
    >>> tg.l1_loss(tg.asarray([1.0, 2.0]), tg.asarray([1.0, 4.0]))
    Tensor(1.)
    """
    input, target = _pair("l1_loss", input, target)
    return _reduced("l1_loss", abs(input - target), reduction)


def huber_loss(input: Tensor | Array, target: Tensor | Array, *, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    """Return half the squared difference, and beyond ``delta`` the line that goes on from there.

    Parameters
    ----------
    input, target, reduction
        As for `mse_loss`.
    delta
        The difference from which on the loss is a line, above 0.

    Raises
    ------
    ValueError
        If the shapes differ, or ``delta`` is not above 0.

    References
    ----------
    Huber, "Robust Estimation of a Location Parameter", 1964.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.huber_loss(tg.asarray([1.0, 5.0]), tg.asarray([0.0, 0.0]), delta=2.0, reduction="none")
    Tensor([0.5, 8. ])
    """
    if not delta > 0:
        raise ValueError(f"huber_loss: got delta = {delta}, wanted a number above 0.")
    input, target = _pair("huber_loss", input, target)
    return _reduced("huber_loss", _huber(input - target, delta), reduction)


def smooth_l1_loss(
    input: Tensor | Array, target: Tensor | Array, *, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """Return the absolute difference less ``beta / 2``, with a parabola in place of its kink within ``beta`` of 0.

    This is `huber_loss` over ``beta``, and `l1_loss` for ``beta = 0``.

    Parameters
    ----------
    input, target, reduction
        As for `mse_loss`.
    beta
        The difference up to which the loss is a parabola, 0 or above.

    Raises
    ------
    ValueError
        If the shapes differ, or ``beta`` is below 0.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.smooth_l1_loss(tg.asarray([1.0, 5.0]), tg.asarray([0.0, 0.0]), beta=2.0, reduction="none")
    Tensor([0.25, 4.  ])
    """
    if not beta >= 0:
        raise ValueError(f"smooth_l1_loss: got beta = {beta}, wanted 0 or a number above.")
    input, target = _pair("smooth_l1_loss", input, target)
    loss = _huber(input - target, beta) / beta if beta else abs(input - target)
    return _reduced("smooth_l1_loss", loss, reduction)


# Losses of probabilities


def binary_cross_entropy_with_logits(
    input: Tensor | Array,
    target: Tensor | Array,
    weight: Tensor | Array | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | Array | None = None,
) -> Tensor:
    """Return the cross entropy of yes or no against unnormalised scores, in nats, for each element on its own.

    The loss is ``-(pos_weight * target * log(p) + (1 - target) * log(1 - p)) * weight`` with ``p = sigmoid(input)``,
    computed so that it and its slope are exact however sure the scores are.

    Parameters
    ----------
    input
        Scores of any shape.
    target
        The probabilities of yes, 0 and 1 for certainty, of the same shape.
    weight
        What each loss is multiplied by; broadcasts to that shape. The mean is taken of the products.
    reduction
        ``"mean"``, ``"sum"`` or ``"none"``.
    pos_weight
        How much more a yes counts; broadcasts to that shape.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.binary_cross_entropy_with_logits(tg.asarray([-1000.0, 1000.0]), tg.asarray([1, 1]), reduction="none")
    Tensor([1000.,    0.])
    """
    op = "binary_cross_entropy_with_logits"
    input, target = _pair(op, input, target)
    cost_of_yes, cost_of_no = softplus(-input, threshold=math.inf), softplus(input, threshold=math.inf)
    yes = target if pos_weight is None else target * _weights(op, pos_weight, input.shape)
    loss = yes * cost_of_yes + (1 - target) * cost_of_no
    if weight is not None:
        loss = loss * _weights(op, weight, input.shape)
    return _reduced(op, loss, reduction)


def kl_div(
    input: Tensor | Array, target: Tensor | Array, *, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """Return ``target * (log(target) - input)``, which adds up to the Kullback-Leibler divergence.

    Parameters
    ----------
    input
        Logarithms of probabilities, of any shape.
    target
        The right probabilities, or their logarithms, of the same shape. A probability of 0 costs nothing; the slope in
        it is infinite.
    reduction
        Also ``"batchmean"``, the sum over the length of the first axis: the divergence of one sample, which ``"mean"``
        is not.
    log_target
        Whether ``target`` holds logarithms.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> p = tg.asarray([[0.5, 0.5], [1.0, 0.0]])
    >>> round(tg.kl_div(tg.log(tg.asarray([[0.5, 0.5], [0.5, 0.5]])), p, reduction="batchmean").item(), 4)
    0.3466
    """
    check_reduction("kl_div", reduction, "batchmean")
    input, target = _pair("kl_div", input, target)
    loss = exp(target) * (target - input) if log_target else _xlogx(target) - target * input
    if reduction == "batchmean":
        return sum(loss) / (loss.shape[0] if loss.ndim else 1)
    return _reduced("kl_div", loss, reduction)


def nll_loss(
    input: Tensor | Array,
    target: Tensor | Array,
    weight: Tensor | Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return minus the logarithm of the right class's probability.

    `cross_entropy` is this after `log_softmax`: parameters and errors are those of `cross_entropy`, but ``input`` holds
    logarithms of probabilities, and ``target`` is always classes.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> log_p = tg.log(tg.asarray([[0.5, 0.5], [0.75, 0.25]]))
    >>> round(tg.nll_loss(log_p, tg.asarray([0, 1]), reduction="sum").item(), 4)
    2.0794
    """
    (input,), target = in_floating(asarray(input)), asarray(target)
    _check_classes("nll_loss", input, target)
    log_p = _classes_last(input)
    return _class_loss("nll_loss", log_p, target, weight, ignore_index, reduction, 0.0)


def cross_entropy(
    input: Tensor | Array,
    target: Tensor | Array,
    weight: Tensor | Array | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross entropy of classes against unnormalised scores, in nats.

    Parameters
    ----------
    input
        Scores of shape (C,), (N, C) or (N, C, ...), the classes on the second axis, as in PyTorch.
    target
        The right classes, integers from 0 to C - 1, of the same shape without the axis of classes; or the probabilities
        of all classes, of the same shape.
    weight
        The weight of each class, shape (C,).
    ignore_index
        A class that costs nothing and does not count in the mean; with probabilities there is none.
    reduction
        ``"mean"`` and ``"sum"`` give a scalar, ``"none"`` the loss of each one. With classes the mean is weighted: the
        sum of the losses over the sum of the weights of their classes, NaN where all are ignored. With probabilities
        it is the plain mean.
    label_smoothing
        How much of the target, from 0 to 1, is spread evenly over all classes.

    Raises
    ------
    ValueError, TypeError, IndexError
        If the shapes do not fit, a target is neither integer nor probability, or it is not a class. On a GPU, which
        nobody should have to wait for, a target that is not a class makes the loss NaN instead.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> scores = tg.asarray([[2.0, 0.0], [0.0, 2.0]])
    >>> round(tg.cross_entropy(scores, tg.asarray([0, 1])).item(), 4)
    0.1269
    """
    input, target = asarray(input), asarray(target)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: got label_smoothing = {label_smoothing}, wanted a number between 0 and 1.")
    if target.shape == input.shape and target.ndim:
        return _soft_cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing)
    _check_classes("cross_entropy", input, target)
    log_p = log_softmax(_classes_last(input), axis=-1)
    return _class_loss("cross_entropy", log_p, target, weight, ignore_index, reduction, label_smoothing)


def _soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Tensor:
    """Return the cross entropy of probabilities of classes."""
    if target.dtype.kind != "f":
        raise TypeError(f"cross_entropy: got targets of {target.dtype} for all classes, wanted probabilities, floats.")
    if ignore_index >= 0:
        raise ValueError(f"cross_entropy: got probabilities and ignore_index = {ignore_index}, wanted classes for it.")
    axis = min(1, input.ndim - 1)
    classes = input.shape[axis]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        weight = _class_weights("cross_entropy", weight, classes)
        target = target * reshape(weight, (classes,) + (1,) * (input.ndim - axis - 1))
    return _reduced("cross_entropy", -sum(log_softmax(input, axis=axis) * target, axis=axis), reduction)


def _check_classes(op: str, input: Tensor, target: Tensor) -> None:
    """Refuse targets that are not integers, one for each vector of scores."""
    axis = min(1, input.ndim - 1)
    if input.ndim == 0 or target.shape != (*input.shape[:axis], *input.shape[axis + 1 :]):
        raise ValueError(
            f"{op}: got scores of shape {input.shape} and targets of shape {target.shape}, wanted (N, C, ...) "
            "and (N, ...)."
        )
    if target.dtype.kind not in "iu":
        raise TypeError(f"{op}: got targets of {target.dtype}, wanted integers, one class each.")


def _class_weights(op: str, weight: Any, classes: int) -> Tensor:
    """Return the weights of the classes as a tensor."""
    weight = asarray(weight)
    if weight.shape != (classes,):
        raise ValueError(f"{op}: got weights of shape {weight.shape}, wanted one for each of {classes} classes.")
    return weight


def _classes_last(input: Tensor) -> Tensor:
    """Return scores with the axis of classes behind the others."""
    return permute_dims(input, (0, *range(2, input.ndim), 1)) if input.ndim > 2 else input


def _class_loss(
    op: str, log_p: Tensor, target: Tensor, weight: Any, ignore_index: int, reduction: str, label_smoothing: float
) -> Tensor:
    """Return the loss of classes, given the logarithms of the probabilities of all, reduced."""
    check_reduction(op, reduction)
    classes = log_p.shape[-1]
    labels, ignored, strange = _looked_up(op, target.data.reshape(-1), classes, ignore_index)
    log_p = reshape(log_p, (target.size, classes))
    loss, share = -log_p[xp.arange(target.size), labels], None
    if weight is not None:
        weight = _class_weights(op, weight, classes)
        share = take(weight, labels, axis=0)
        loss = loss * share
    if label_smoothing:
        spread = -sum(log_p if weight is None else log_p * weight, axis=-1)
        loss = (1 - label_smoothing) * loss + label_smoothing / classes * spread
    if ignored is not None:
        loss = where(ignored, 0.0, loss)
        share = where(ignored, 0.0, xp.ones(target.size, loss.dtype) if share is None else share)
    if strange is not None:
        loss = where(strange, float("nan"), loss)
    if reduction != "mean" or share is None:
        return REDUCTIONS[reduction](reshape(loss, target.shape))
    return _weighted_mean(loss, share)


@in_float32
def _weighted_mean(losses: Any, weights: Any) -> Any:
    """Return the sum of losses that have been weighted over that of the weights, NaN for no weight."""
    with backend.quiet():
        return sum(losses) / sum(astype(weights, losses.dtype, copy=False))


def _looked_up(op: str, labels: Array, classes: int, ignore_index: int) -> tuple[Array, Array | None, Array | None]:
    """Return labels that are classes, which of them were to be ignored, and which were none.

    The latter two are None where there are none; on a GPU, to know that would make the host wait for it.
    """
    labels = labels.astype("int64", copy=False)  # so that no number is out of their range
    ignored = labels == ignore_index
    is_class = (labels >= 0) & (labels < classes) & ~ignored
    if backend.name != "numpy":
        return xp.where(is_class, labels, 0), ignored, ~(is_class | ignored)
    if is_class.all():
        return labels, None, None
    strange = labels[~(is_class | ignored)]
    if strange.size:
        raise IndexError(f"{op}: got a target {strange[0]}, wanted classes from 0 to {classes - 1}.")
    return xp.where(ignored, 0, labels), ignored, None
