"""The long short-term memory over a sequence.

All gates are one tanh: ``sigmoid(z) = (1 + tanh(z / 2)) / 2``, and the halves are multiplied into the weights once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backend import Array, xp
from .shared import (
    Kept,
    Kernel,
    Within,
    before,
    begin,
    derivative_of_recurrence,
    derivatives_of_shares,
    hold,
    let_go,
    shares,
)

__all__ = ["LSTM"]


def forward(
    x: Array, state: tuple[Array, Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array, Array], Kept]:
    """Return the outputs (T, B, O), the last state, and what `backward` needs."""
    W_ih, W_hh, b, W_hr = weights
    T, B, H = x.shape[0], x.shape[1], state[1].shape[1]
    halves = xp.full(4 * H, 0.5, x.dtype)
    halves[2 * H : 3 * H] = 1
    z = shares(x, xp.ascontiguousarray((W_ih * halves[:, None]).T), None if b is None else b * halves)
    W = xp.ascontiguousarray((W_hh * halves[:, None]).T)
    hs = xp.empty((T, B, W_hh.shape[1]), x.dtype)
    cs, shown = xp.empty((T, B, H), x.dtype), xp.empty((T, B, H), x.dtype)
    from_h, i_g = xp.empty((B, 4 * H), x.dtype), xp.empty((B, H), x.dtype)
    h, c = state
    for t in times:
        y, c_t, h_t = z[t], cs[t], hs[t]
        xp.dot(h, W, out=from_h)
        y += from_h
        xp.tanh(y, out=y)
        for gates in (y[:, : 2 * H], y[:, 3 * H :]):
            gates *= 0.5
            gates += 0.5
        xp.multiply(y[:, H : 2 * H], c, out=c_t)
        xp.multiply(y[:, :H], y[:, 2 * H : 3 * H], out=i_g)
        c_t += i_g
        xp.tanh(c_t, out=shown[t])
        if W_hr is None:
            xp.multiply(y[:, 3 * H :], shown[t], out=h_t)
        else:
            xp.multiply(y[:, 3 * H :], shown[t], out=i_g)
            xp.dot(i_g, W_hr.T, out=h_t)
        if within is not None:
            hold(h_t, h, within[t])
            hold(c_t, c, within[t])
        h, c = h_t, c_t
    outputs = hs if within is None else hs * within
    return outputs, (h, c), Kept(x, state, weights, times, within, (z, hs, cs, shown))


def backward(
    kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None, Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array, Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0, c_0), (W_ih, W_hh, b, W_hr), times, within, (ys, hs, cs, shown) = kept
    B, H = c_0.shape
    d_zs, one_less = xp.empty_like(ys), xp.empty((B, 4 * H), x.dtype)
    d_h, d_c = begin(d_last[0], h_0), begin(d_last[1], c_0)
    u, d_W_hr = xp.empty((B, H), x.dtype), None if W_hr is None else xp.zeros_like(W_hr)
    for t in reversed(times):
        y, d_z, d_raw = ys[t], d_zs[t], d_h
        i, f, g, o = (y[:, k * H : (k + 1) * H] for k in range(4))
        if d_outputs is not None:
            d_h += d_outputs[t] if within is None else d_outputs[t] * within[t]
        past = None if within is None else (let_go(d_h, within[t]), let_go(d_c, within[t]))
        if W_hr is not None:
            xp.multiply(o, shown[t], out=u)
            d_W_hr += xp.matmul(d_h.T, u)
            d_raw = xp.matmul(d_h, W_hr)
        xp.multiply(y, y, out=one_less)  # y (1 - y) for the gates, 1 - g² for the candidate
        xp.subtract(y, one_less, out=d_z)
        xp.subtract(1, one_less[:, 2 * H : 3 * H], out=d_z[:, 2 * H : 3 * H])
        xp.multiply(d_raw, shown[t], out=u)
        d_z[:, 3 * H :] *= u
        u *= shown[t]
        xp.subtract(d_raw, u, out=u)
        u *= o
        d_c += u
        for k, other in enumerate((g, before(t, times, cs, c_0), i)):
            xp.multiply(d_c, other, out=u)
            d_z[:, k * H : (k + 1) * H] *= u
        d_c *= f
        xp.dot(d_z, W_hh, out=d_h)
        if past is not None:
            d_h += past[0]
            d_c += past[1]
    d_x, d_W_ih = derivatives_of_shares(d_zs, x, W_ih, needs_x)
    d_W_hh = derivative_of_recurrence(d_zs, hs, h_0, times)
    return d_x, (d_h, d_c), (d_W_ih, d_W_hh, None if b is None else d_zs.sum(axis=(0, 1)), d_W_hr)


def seen(kept: Kept) -> dict[str, Array]:
    """Return the gates and states of every step by their letters, (T, B, ·) each."""
    ys, hs, cs, _ = kept.computed
    H = cs.shape[2]
    return {**{letter: ys[:, :, k * H : (k + 1) * H] for k, letter in enumerate("ifgo")}, "c": cs, "h": hs}


LSTM = Kernel("lstm", forward, backward, seen)
