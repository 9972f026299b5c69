"""The plain recurrent network over a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..backend import Array, xp
from .shared import Kept, Kernel, Within, begin, derivative_of_recurrence, derivatives_of_shares, hold, let_go, shares

__all__ = ["RNN"]

InPlace = Callable[[Array, Array], Any]
"""Writes a function of its first argument into its second."""


def forward(
    activate: InPlace, x: Array, state: tuple[Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b = weights
    hs = shares(x, W_ih.T, b)
    W, from_h = xp.ascontiguousarray(W_hh.T), xp.empty(state[0].shape, x.dtype)
    (h,) = state
    for t in times:
        h_t = hs[t]
        xp.dot(h, W, out=from_h)
        h_t += from_h
        activate(h_t, h_t)
        if within is not None:
            hold(h_t, h, within[t])
        h = h_t
    outputs = hs if within is None else hs * within
    return outputs, (h,), Kept(x, state, weights, times, within, (hs,))


def backward(
    slope: InPlace, kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0,), (W_ih, W_hh, b), times, within, (hs,) = kept
    d_zs = xp.empty_like(hs)
    d_h = begin(d_last[0], h_0)
    for t in reversed(times):
        d_z = d_zs[t]
        if d_outputs is not None:
            d_h += d_outputs[t] if within is None else d_outputs[t] * within[t]
        past = None if within is None else let_go(d_h, within[t])
        slope(hs[t], d_z)
        d_z *= d_h
        xp.dot(d_z, W_hh, out=d_h)
        if past is not None:
            d_h += past
    d_x, d_W_ih = derivatives_of_shares(d_zs, x, W_ih, needs_x)
    d_W_hh = derivative_of_recurrence(d_zs, hs, h_0, times)
    return d_x, (d_h,), (d_W_ih, d_W_hh, None if b is None else d_zs.sum(axis=(0, 1)))


def _slope_of_tanh(y: Array, out: Array) -> None:
    xp.multiply(y, y, out=out)
    xp.subtract(1, out, out=out)


def seen(kept: Kept) -> dict[str, Array]:
    """Return the states of every step by their letter, (T, B, H)."""
    return {"h": kept.computed[0]}


def _kernel(activate: InPlace, slope: InPlace) -> Kernel:
    return Kernel("rnn", partial(forward, activate), partial(backward, slope), seen)


RNN = {
    "tanh": _kernel(lambda x, out: xp.tanh(x, out=out), _slope_of_tanh),
    "relu": _kernel(lambda x, out: xp.maximum(x, 0, out=out), lambda y, out: xp.greater(y, 0, out=out)),
}
"""By the name of the activation."""
