"""The gated recurrent unit over a sequence, its reset gate behind the product."""

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

__all__ = ["GRU"]


def forward(
    x: Array, state: tuple[Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b_ih, b_hh = weights
    (h,) = state
    B, H = h.shape
    z = shares(x, W_ih.T, b_ih)
    W, from_h = xp.ascontiguousarray(W_hh.T), xp.empty((B, 3 * H), x.dtype)
    hs, candidates = xp.empty((len(times), B, H), x.dtype), xp.empty((len(times), B, H), x.dtype)
    u = xp.empty((B, H), x.dtype)
    for t in times:
        y, h_t = z[t], hs[t]
        xp.dot(h, W, out=from_h)
        if b_hh is not None:
            from_h += b_hh
        r_z = y[:, : 2 * H]
        r_z += from_h[:, : 2 * H]
        r_z *= 0.5
        xp.tanh(r_z, out=r_z)
        r_z *= 0.5
        r_z += 0.5
        candidates[t] = from_h[:, 2 * H :]
        n = y[:, 2 * H :]
        xp.multiply(y[:, :H], candidates[t], out=u)
        n += u
        xp.tanh(n, out=n)
        xp.subtract(h, n, out=h_t)
        h_t *= y[:, H : 2 * H]
        h_t += n
        if within is not None:
            hold(h_t, h, within[t])
        h = h_t
    outputs = hs if within is None else hs * within
    return outputs, (h,), Kept(x, state, weights, times, within, (z, hs, candidates))


def backward(
    kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0,), (W_ih, W_hh, b_ih, b_hh), times, within, (ys, hs, candidates) = kept
    B, H = h_0.shape
    d_xs, d_hs = xp.empty_like(ys), xp.empty_like(ys)  # of the input's and of the state's share
    d_h = begin(d_last[0], h_0)
    u, carried = xp.empty((B, H), x.dtype), xp.empty((B, H), x.dtype)
    for t in reversed(times):
        r, z, n = (ys[t][:, k * H : (k + 1) * H] for k in range(3))
        d_r, d_z, d_n = (d_xs[t][:, k * H : (k + 1) * H] for k in range(3))
        if d_outputs is not None:
            d_h += d_outputs[t] if within is None else d_outputs[t] * within[t]
        past = None if within is None else let_go(d_h, within[t])
        xp.multiply(z, z, out=d_z)
        xp.subtract(z, d_z, out=d_z)
        xp.subtract(before(t, times, hs, h_0), n, out=u)
        u *= d_h
        d_z *= u
        xp.multiply(d_h, z, out=carried)
        xp.subtract(d_h, carried, out=u)
        xp.multiply(n, n, out=d_n)
        xp.subtract(1, d_n, out=d_n)
        d_n *= u
        xp.multiply(r, r, out=d_r)
        xp.subtract(r, d_r, out=d_r)
        xp.multiply(d_n, candidates[t], out=u)
        d_r *= u
        d_hs[t] = d_xs[t]
        d_hs[t][:, 2 * H :] *= r
        xp.dot(d_hs[t], W_hh, out=d_h)
        d_h += carried
        if past is not None:
            d_h += past
    d_x, d_W_ih = derivatives_of_shares(d_xs, x, W_ih, needs_x)
    d_W_hh = derivative_of_recurrence(d_hs, hs, h_0, times)
    d_b_ih = None if b_ih is None else d_xs.sum(axis=(0, 1))
    return d_x, (d_h,), (d_W_ih, d_W_hh, d_b_ih, None if b_hh is None else d_hs.sum(axis=(0, 1)))


def seen(kept: Kept) -> dict[str, Array]:
    """Return the gates and states of every step by their letters, (T, B, H) each."""
    ys, hs, _ = kept.computed
    H = hs.shape[2]
    return {**{letter: ys[:, :, k * H : (k + 1) * H] for k, letter in enumerate("rzn")}, "h": hs}


GRU = Kernel("gru", forward, backward, seen)
