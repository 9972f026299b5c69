"""The plain recurrent network over a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..backend import Array, xp
from .shared import (
    Kept,
    Kernel,
    Sums,
    Within,
    absent,
    beside,
    columns,
    cotangents,
    ending,
    let_go,
    masked,
    parts,
    rows,
    shares,
    side_by_side,
)

__all__ = ["RNN"]

InPlace = Callable[[Array, Array], Any]
"""Writes a function of its first argument into its second."""


def forward(
    activate: InPlace, x: Array, state: tuple[Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b = weights
    B, H = state[0].shape
    W_x, W_h, xs, missing = beside(W_ih, b), xp.ascontiguousarray(W_hh), columns(x, times), absent(within, times)
    hs, from_h = xp.empty((len(times) + 1, H, B), x.dtype), xp.empty((H, B), x.dtype)
    hs[0] = state[0].T
    for part in parts(times, B):
        after = hs[part.start + 1 : part.stop + 1]
        shares(xs[part], W_x, after)
        for h, h_t, without in zip(hs[part], after, missing[part], strict=True):
            xp.dot(W_h, h, from_h)
            xp.add(h_t, from_h, h_t)
            activate(h_t, h_t)
            if without is not None:
                xp.copyto(h_t, h, where=without)
    outputs = rows(hs[1:], times)
    kept = Kept(x, state, weights, times, within, (hs,))
    return masked(outputs, within), (xp.ascontiguousarray(hs[-1].T),), kept


def backward(
    slope: InPlace, kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0,), (W_ih, W_hh, b), times, within, (hs,) = kept
    d_hs, missing, xs = cotangents(d_outputs, hs[1:], within, times), absent(within, times), x[:: times.step]
    d_h, W = ending(d_last[0], h_0), xp.ascontiguousarray(W_hh.T)
    d_x = xp.empty((len(times), x.shape[2], len(h_0)), x.dtype) if needs_x else None
    of_x, of_h = Sums(), Sums()
    for part in reversed(parts(times, len(h_0))):
        d_zs = xp.empty_like(hs[part])
        slope(hs[part.start + 1 : part.stop + 1], d_zs)
        for d_z, d_output, without in reversed(list(zip(d_zs, d_hs[part], missing[part], strict=True))):
            if d_output is not None:
                xp.add(d_h, d_output, d_h)
            past = None if without is None else let_go(d_h, without)
            xp.multiply(d_z, d_h, d_z)
            xp.dot(W, d_z, d_h)
            if past is not None:
                d_h += past
        d_z = side_by_side(d_zs)
        of_x.add(d_z, xs[part].reshape(-1, x.shape[2]))
        of_h.add(d_z, side_by_side(hs[part]).T)
        if d_x is not None:
            xp.matmul(W_ih.T, d_zs, out=d_x[part])
    d_weights = (of_x.weight, of_h.weight, None if b is None else of_x.bias)
    return None if d_x is None else rows(d_x, times), (d_h.T,), d_weights


def _slope_of_tanh(y: Array, out: Array) -> None:
    xp.multiply(y, y, out=out)
    xp.subtract(1, out, out=out)


def seen(kept: Kept) -> dict[str, Array]:
    """Return the states of every step by their letter, (T, B, H)."""
    return {"h": rows(kept.computed[0][1:], kept.times)}


def _kernel(activate: InPlace, slope: InPlace) -> Kernel:
    return Kernel("rnn", partial(forward, activate), partial(backward, slope), seen)


RNN = {
    "tanh": _kernel(xp.tanh, _slope_of_tanh),
    "relu": _kernel(lambda x, out: xp.maximum(x, 0, out=out), lambda y, out: xp.greater(y, 0, out=out)),
}
"""By the name of the activation."""
