"""The long short-term memory over a sequence, compiled; its plain form is in ``kernels/lstm.py``."""

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

__all__ = ["LSTM"]


def _gates(z_i: Lanes, z_f: Lanes, z_g: Lanes, z_o: Lanes, c: Lanes) -> tuple[Lanes, ...]:
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
    c_t = f * c + i * g
    shown = tanh(c_t)
    return i, f, g, o, c_t, shown, o * shown


def _slopes(
    i: Lanes, f: Lanes, g: Lanes, o: Lanes, c: Lanes, shown: Lanes, d_h: Lanes, d_output: Lanes, d_c: Lanes
) -> tuple[Lanes, ...]:
    d_h = d_h + d_output
    d_c = d_c + d_h * o * (1.0 - shown * shown)
    d_i, d_f, d_g = d_c * g * i * (1.0 - i), d_c * c * f * (1.0 - f), d_c * i * (1.0 - g * g)
    return d_i, d_f, d_g, d_h * shown * o * (1.0 - o), d_c * f


gates, slopes = elementwise(_gates), elementwise(_slopes)


@compiled
def _forward(
    start: int, stop: int, T: int, t: int, step: int, B: int, inputs: int, H: int, x: int, h: int, c: int,
    w_ih: int, w_hh: int, b: int, ys: int, hs: int, cs: int, shown: int, within: int,
) -> None:  # fmt: skip
    row, across = H * SIZE, 4 * H * SIZE
    h, c = h + start * row, c + start * row
    for n in range(T):
        input_shares(n, T, t, step, B, start, stop, x, inputs, w_ih, 4 * H, b, ys)
        at = t * B + start
        multiply(h, stop - start, H, w_hh, 4 * H, ys + at * across, 4 * H, ys + at * across)
        for k in range(stop - start):
            y, h_t, c_t = ys + (at + k) * across, hs + (at + k) * row, cs + (at + k) * row
            gates(
                (y, y + row, y + 2 * row, y + 3 * row, c + k * row),
                (y, y + row, y + 2 * row, y + 3 * row, c_t, shown + (at + k) * row, h_t),
                H,
            )
            if within and not flag(within + at + k):
                copy((h + k * row,), (h_t,), H)
                copy((c + k * row,), (c_t,), H)
        h, c = hs + at * row, cs + at * row
        t += step


@compiled
def _backward(
    start: int, stop: int, T: int, t: int, step: int, B: int, inputs: int, H: int, c_0: int, w_ih: int, w_hh: int,
    ys: int, cs: int, shown: int, within: int, d_outputs: int, d_h: int, d_c: int, past: int, d_zs: int, d_b: int,
    d_x: int, zeros: int,
) -> None:  # fmt: skip
    row, across = H * SIZE, 4 * H * SIZE
    t += step * (T - 1)
    for n in range(T):
        at = t * B + start
        c = c_0 + start * row if n == T - 1 else cs + (at - step * B) * row
        for k in range(stop - start):
            y, d_z, own = ys + (at + k) * across, d_zs + (at + k) * across, (start + k) * row
            if within and not flag(within + at + k):
                copy((d_h + own,), (past + own,), H)
                for j in range(4):
                    copy((zeros,), (d_z + j * row,), H)
                continue
            if within:
                copy((zeros,), (past + own,), H)
            d_output = d_outputs + (at + k) * row if d_outputs else zeros
            slopes(
                (
                    y,
                    y + row,
                    y + 2 * row,
                    y + 3 * row,
                    c + k * row,
                    shown + (at + k) * row,
                    d_h + own,
                    d_output,
                    d_c + own,
                ),
                (d_z, d_z + row, d_z + 2 * row, d_z + 3 * row, d_c + own),
                H,
            )
            accumulate((d_b, d_z), (d_b,), 4 * H)
        first, first_row = (past + start * row, H) if within else (zeros, 0)
        multiply(d_zs + at * across, stop - start, 4 * H, w_hh, H, first, first_row, d_h + start * row)
        if d_x:
            derivatives_of_input(n, T, t, step, B, start, stop, d_zs, 4 * H, w_ih, inputs, zeros, d_x)
        t -= step


def forward(
    x: Array, state: tuple[Array, Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array, Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b, _ = weights
    (T, B, inputs), H = x.shape, W_hh.shape[1]
    x, h_0, c_0 = whole(x), *(whole(part) for part in state)
    ys = xp.empty((T, B, 4 * H), x.dtype)
    hs, cs, shown = (xp.empty((T, B, H), x.dtype) for _ in range(3))
    bias = xp.zeros(4 * H, x.dtype) if b is None else whole(b)
    has = steps_had(within)
    w_ih, w_hh = panels_of_transposed(W_ih), panels_of_transposed(W_hh)
    sizes = (T, times[0], times.step, B, inputs, H)
    memory = [address(a) for a in (x, h_0, c_0, w_ih, w_hh, bias, ys, hs, cs, shown, has)]

    def work(n: int, start: int, stop: int) -> None:
        _forward(start, stop, *sizes, *memory)

    together(work, parts(B, 8.0 * T * B * H * (inputs + H)))
    kept = Kept(x, (h_0, c_0), weights, times, within, (ys, hs, cs, shown))
    return masked(hs, within), (hs[times[-1]], cs[times[-1]]), kept


def backward(
    kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None, Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array, Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0, c_0), (W_ih, W_hh, b, _), times, within, (ys, hs, cs, shown) = kept
    (T, B, inputs), H = x.shape, W_hh.shape[1]
    d_h, d_c = begin(d_last[0], h_0), begin(d_last[1], c_0)
    d_outputs = None if d_outputs is None else whole(d_outputs)
    has = steps_had(within)
    d_zs, past, zeros = xp.empty_like(ys), xp.empty_like(d_h), xp.zeros(max(H, inputs), x.dtype)
    d_x = xp.empty_like(x) if needs_x else None
    w_ih, w_hh = panels(W_ih) if needs_x else None, panels(W_hh)
    bounds = parts(B, 8.0 * T * B * H * (inputs + H))
    d_b = xp.zeros((len(bounds), 4 * H), x.dtype)
    sizes = (T, times[0], times.step, B, inputs, H)
    memory = [address(a) for a in (c_0, w_ih, w_hh, ys, cs, shown, has, d_outputs, d_h, d_c, past, d_zs)]

    def work(n: int, start: int, stop: int) -> None:
        _backward(start, stop, *sizes, *memory, address(d_b[n]), address(d_x), address(zeros))

    together(work, bounds)
    d_W_hh = derivative_of_recurrence(d_zs, hs, h_0, times)
    d_weights = derivative_of_weight(d_zs, x), d_W_hh, None if b is None else d_b.sum(axis=0), None
    return d_x, (d_h, d_c), d_weights


def seen(kept: Kept) -> dict[str, Array]:
    """Return the gates and states of every step by their letters, (T, B, H) each."""
    ys, hs, cs, _ = kept.computed
    H = cs.shape[2]
    return {**{letter: ys[:, :, k * H : (k + 1) * H] for k, letter in enumerate("ifgo")}, "c": cs, "h": hs}


LSTM = Kernel("lstm", forward, backward, seen)
