"""Clipping: gradients kept within bounds, so that one steep place does not throw training off."""

from __future__ import annotations

from collections.abc import Iterable

from ..backend import xp
from ..tensor import Tensor, wrap

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients together so that their common 2-norm is at most ``max_norm``; return the norm before.

    As in PyTorch, the factor is ``max_norm / (norm + 1e-6)``, or 1 where that is more. The norm stays on the device.

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural networks", 2013.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.asarray([3.0, 4.0], requires_grad=True)
    >>> tg.sum(w * w / 2).backward()
    >>> tg.optim.clip_grad_norm_([w], max_norm=1.0).item()
    5.0
    >>> tg.sum(tg.square(w.grad)).item() <= 1.0
    True
    """
    owners = [(parameter, parameter.grad) for parameter in parameters]
    gradients = [(parameter, grad.data) for parameter, grad in owners if grad is not None]
    if not gradients:
        return wrap(xp.zeros((), dtype=xp.float32), None)
    norm = xp.sqrt(sum(xp.vdot(g, g) for _, g in gradients))
    factor = xp.minimum(max_norm / (norm + 1e-6), 1)
    for parameter, g in gradients:
        parameter.grad = wrap(g * factor, None)
    return wrap(norm, None)


def clip_grad_value_(parameters: Iterable[Tensor], clip_value: float) -> None:
    """Set every element of every gradient that is beyond ``-clip_value`` or ``clip_value`` to that bound.

    >>> import tinygrad_lstm as tg
    >>> w = tg.asarray([3.0, -0.25], requires_grad=True)
    >>> tg.sum(w * w).backward()
    >>> tg.optim.clip_grad_value_([w], 1.0)
    >>> w.grad
    Tensor([ 1. , -0.5])
    """
    for parameter in parameters:
        grad = parameter.grad
        if grad is not None:
            parameter.grad = wrap(xp.clip(grad.data, -clip_value, clip_value), None)
