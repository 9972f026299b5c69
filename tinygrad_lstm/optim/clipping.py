"""Clipping: gradients kept within bounds, so that one steep place does not throw training off."""

from __future__ import annotations

from collections.abc import Iterable

from .. import backend
from ..backend import xp
from ..tensor import Tensor, wrap

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, *, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients together so that their common 2-norm is at most ``max_norm``; return the norm before.

    As in PyTorch, the factor is ``max_norm / (norm + 1e-6)``, or 1 where that is more.

    Parameters
    ----------
    parameters
        A tensor or several; those without a gradient are left out.
    max_norm
        The largest norm allowed.
    error_if_nonfinite
        Whether to refuse a norm that is infinite or not a number. Otherwise the gradients become so themselves, or 0;
        that is PyTorch's way too. To look at the norm makes a GPU wait.

    Returns
    -------
    Tensor
        The norm before, without axes.

    Raises
    ------
    ValueError
        If ``max_norm`` is negative.
    RuntimeError
        If the norm is not finite, where that is asked for; the gradients are as they were.

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
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: got max_norm = {max_norm}, wanted a number that is not negative.")
    owners = _with_gradients(parameters)
    if not owners:
        return wrap(xp.zeros((), dtype=xp.float32), None)
    with backend.quiet():
        norm = xp.sqrt(sum(_sum_of_squares(g) for _, g in owners))
        if error_if_nonfinite and not xp.isfinite(norm):
            raise RuntimeError(
                f"clip_grad_norm_: got gradients whose norm is {float(norm)}, wanted a finite one; detect_anomaly "
                "finds where it comes from."
            )
        factor = xp.minimum(max_norm / (norm + 1e-6), 1)
        for parameter, g in owners:
            parameter.grad = wrap(g * factor.astype(g.dtype), None)
    return wrap(norm, None)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Set every element of every gradient that is beyond a bound to that bound.

    Parameters
    ----------
    parameters
        A tensor or several; those without a gradient are left out.
    clip_value
        The upper bound, and minus the lower one.

    Raises
    ------
    ValueError
        If ``clip_value`` is negative.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.asarray([3.0, -0.25], requires_grad=True)
    >>> tg.sum(w * w).backward()
    >>> tg.optim.clip_grad_value_([w], 1.0)
    >>> w.grad
    Tensor([ 1. , -0.5])
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: got clip_value = {clip_value}, wanted a number that is not negative.")
    for parameter, g in _with_gradients(parameters):
        parameter.grad = wrap(xp.clip(g, -clip_value, clip_value), None)


def _sum_of_squares(g: backend.Array) -> backend.Array:
    """Return it in float32 at least: half of its digits overflow soon."""
    g = g.astype(xp.float32) if g.dtype.itemsize < 4 else g
    return xp.vdot(g, g)


def _with_gradients(parameters: Tensor | Iterable[Tensor]) -> list[tuple[Tensor, backend.Array]]:
    """Return the parameters that have a gradient, each once and with it."""
    each = dict.fromkeys([parameters] if isinstance(parameters, Tensor) else parameters)
    owners = [(parameter, parameter.grad) for parameter in each]
    return [(parameter, grad.data) for parameter, grad in owners if grad is not None]
