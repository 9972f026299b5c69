"""The gated recurrent unit over a sequence, compiled; its plain form is in ``kernels/gru.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...backend import Array, xp
from ..shared import Kept, Kernel, Within, begin
from .caching import compiled
from .gates import sigmoid, tanh
from .lanes import SIZE, Lanes, elementwise, flag
from .products import copy, multiply, panels, panels_of_transposed
from .sequences import (
    accumulate,
    address,
    derivative_of_recurrence,
    derivative_of_weight,
    derivatives_of_input,
    input_shares,
    masked,
    steps_had,
    whole,
)
from .workers import parts, together

__all__ = ["GRU"]


def _gates(x_r: Lanes, x_z: Lanes, x_n: Lanes, h_r: Lanes, h_z: Lanes, h_n: Lanes, h: Lanes) -> tuple[Lanes, ...]:
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = tanh(x_n + r * h_n)
    return r, z, n, h_n, n + z * (h - n)


def _slopes(r: Lanes, z: Lanes, n: Lanes, candidate: Lanes, h: Lanes, d_h: Lanes, d_output: Lanes) -> tuple[Lanes, ...]:
    d_h = d_h + d_output
    d_z, d_n = d_h * (h - n) * z * (1.0 - z), d_h * (1.0 - z) * (1.0 - n * n)
    d_r = d_n * candidate * r * (1.0 - r)
    return d_r, d_z, d_n, d_r, d_z, d_n * r, d_h * z


gates, slopes = elementwise(_gates), elementwise(_slopes)


@compiled
def _forward(
    start: int, stop: int, T: int, t: int, step: int, B: int, inputs: int, H: int, x: int, h: int, w_ih: int, w_hh: int,
    b_ih: int, b_hh: int, ys: int, hs: int, candidates: int, from_h: int, within: int,
) -> None:  # fmt: skip
    row, across = H * SIZE, 3 * H * SIZE
    h += start * row
    for n in range(T):
        input_shares(n, T, t, step, B, start, stop, x, inputs, w_ih, 3 * H, b_ih, ys)
        at = t * B + start
        multiply(h, stop - start, H, w_hh, 3 * H, b_hh, 0, from_h + start * across)
        for k in range(stop - start):
            y, h_t, shares = ys + (at + k) * across, hs + (at + k) * row, from_h + (start + k) * across
            gates(
                (y, y + row, y + 2 * row, shares, shares + row, shares + 2 * row, h + k * row),
                (y, y + row, y + 2 * row, candidates + (at + k) * row, h_t),
                H,
            )
            if within and not flag(within + at + k):
                copy((h + k * row,), (h_t,), H)
        h = hs + at * row
        t += step


@compiled
def _backward(
    start: int, stop: int, T: int, t: int, step: int, B: int, inputs: int, H: int, h_0: int, w_ih: int, w_hh: int,
    ys: int, hs: int, candidates: int, within: int, d_outputs: int, d_h: int, carried: int, d_xs: int, d_hs: int,
    d_b_ih: int, d_b_hh: int, d_x: int, zeros: int,
) -> None:  # fmt: skip
    row, across = H * SIZE, 3 * H * SIZE
    t += step * (T - 1)
    for n in range(T):
        at = t * B + start
        h = h_0 + start * row if n == T - 1 else hs + (at - step * B) * row
        for k in range(stop - start):
            y, own = ys + (at + k) * across, (start + k) * row
            d_s, d_r = d_xs + (at + k) * across, d_hs + (at + k) * across
            if within and not flag(within + at + k):
                copy((d_h + own,), (carried + own,), H)
                for j in range(3):
                    copy((zeros,), (d_s + j * row,), H)
                    copy((zeros,), (d_r + j * row,), H)
                continue
            d_output = d_outputs + (at + k) * row if d_outputs else zeros
            slopes(
                (y, y + row, y + 2 * row, candidates + (at + k) * row, h + k * row, d_h + own, d_output),
                (d_s, d_s + row, d_s + 2 * row, d_r, d_r + row, d_r + 2 * row, carried + own),
                H,
            )
            accumulate((d_b_ih, d_s), (d_b_ih,), 3 * H)
            accumulate((d_b_hh, d_r), (d_b_hh,), 3 * H)
        multiply(d_hs + at * across, stop - start, 3 * H, w_hh, H, carried + start * row, H, d_h + start * row)
        if d_x:
            derivatives_of_input(n, T, t, step, B, start, stop, d_xs, 3 * H, w_ih, inputs, zeros, d_x)
        t -= step


def forward(
    x: Array, state: tuple[Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b_ih, b_hh = weights
    (T, B, inputs), H = x.shape, W_hh.shape[1]
    x, h_0 = whole(x), whole(state[0])
    ys, from_h = xp.empty((T, B, 3 * H), x.dtype), xp.empty((B, 3 * H), x.dtype)
    hs, candidates = xp.empty((T, B, H), x.dtype), xp.empty((T, B, H), x.dtype)
    biases = [xp.zeros(3 * H, x.dtype) if b is None else whole(b) for b in (b_ih, b_hh)]
    has = steps_had(within)
    w_ih, w_hh = panels_of_transposed(W_ih), panels_of_transposed(W_hh)
    sizes = (T, times[0], times.step, B, inputs, H)
    memory = [address(a) for a in (x, h_0, w_ih, w_hh, *biases, ys, hs, candidates, from_h, has)]

    def work(n: int, start: int, stop: int) -> None:
        _forward(start, stop, *sizes, *memory)

    together(work, parts(B, 6.0 * T * B * H * (inputs + H)))
    return masked(hs, within), (hs[times[-1]],), Kept(x, (h_0,), weights, times, within, (ys, hs, candidates))


def backward(
    kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0,), (W_ih, W_hh, b_ih, b_hh), times, within, (ys, hs, candidates) = kept
    (T, B, inputs), H = x.shape, W_hh.shape[1]
    d_h = begin(d_last[0], h_0)
    d_outputs = None if d_outputs is None else whole(d_outputs)
    has = steps_had(within)
    d_xs, d_hs, carried = xp.empty_like(ys), xp.empty_like(ys), xp.empty_like(d_h)
    d_x, zeros = xp.empty_like(x) if needs_x else None, xp.zeros(max(H, inputs), x.dtype)
    w_ih, w_hh = panels(W_ih) if needs_x else None, panels(W_hh)
    bounds = parts(B, 6.0 * T * B * H * (inputs + H))
    d_b = xp.zeros((len(bounds), 2, 3 * H), x.dtype)
    sizes = (T, times[0], times.step, B, inputs, H)
    memory = [address(a) for a in (h_0, w_ih, w_hh, ys, hs, candidates, has, d_outputs, d_h, carried, d_xs, d_hs)]

    def work(n: int, start: int, stop: int) -> None:
        _backward(start, stop, *sizes, *memory, address(d_b[n, 0]), address(d_b[n, 1]), address(d_x), address(zeros))

    together(work, bounds)
    d_W_hh = derivative_of_recurrence(d_hs, hs, h_0, times)
    d_biases = [None if b is None else d_b[:, k].sum(axis=0) for k, b in enumerate((b_ih, b_hh))]
    return d_x, (d_h,), (derivative_of_weight(d_xs, x), d_W_hh, *d_biases)


def seen(kept: Kept) -> dict[str, Array]:
    """Return the gates and states of every step by their letters, (T, B, H) each."""
    ys, hs, _ = kept.computed
    H = hs.shape[2]
    return {**{letter: ys[:, :, k * H : (k + 1) * H] for k, letter in enumerate("rzn")}, "h": hs}


GRU = Kernel("gru", forward, backward, seen)
