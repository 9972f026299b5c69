"""The plain recurrent network over a sequence, compiled; its plain form is in ``kernels/rnn.py``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from ...backend import Array, xp
from ..shared import Kept, Kernel, Within, begin
from .caching import compiled
from .gates import tanh
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

__all__ = ["RNN"]

activate_tanh = elementwise(lambda z: (tanh(z),))
activate_relu = elementwise(lambda z: (z.at_least(0.0),))


def _slope_of_tanh(h: Lanes, d_h: Lanes, d_output: Lanes) -> tuple[Lanes, ...]:
    return ((d_h + d_output) * (1.0 - h * h),)


def _slope_of_relu(h: Lanes, d_h: Lanes, d_output: Lanes) -> tuple[Lanes, ...]:
    return (h.where_above(0.0, d_h + d_output, 0.0),)


slope_of_tanh, slope_of_relu = elementwise(_slope_of_tanh), elementwise(_slope_of_relu)


@compiled
def _forward(
    is_tanh: int, start: int, stop: int, T: int, t: int, step: int, B: int, inputs: int, H: int, x: int, h: int,
    w_ih: int, w_hh: int, b: int, hs: int, within: int,
) -> None:  # fmt: skip
    row = H * SIZE
    h += start * row
    for n in range(T):
        input_shares(n, T, t, step, B, start, stop, x, inputs, w_ih, H, b, hs)
        at = t * B + start
        multiply(h, stop - start, H, w_hh, H, hs + at * row, H, hs + at * row)
        for k in range(stop - start):
            h_t = hs + (at + k) * row
            if within and not flag(within + at + k):
                copy((h + k * row,), (h_t,), H)
            elif is_tanh:
                activate_tanh((h_t,), (h_t,), H)
            else:
                activate_relu((h_t,), (h_t,), H)
        h = hs + at * row
        t += step


@compiled
def _backward(
    is_tanh: int, start: int, stop: int, T: int, t: int, step: int, B: int, inputs: int, H: int, w_ih: int, w_hh: int,
    hs: int, within: int, d_outputs: int, d_h: int, past: int, d_zs: int, d_b: int, d_x: int, zeros: int,
) -> None:  # fmt: skip
    row = H * SIZE
    t += step * (T - 1)
    for n in range(T):
        at = t * B + start
        for k in range(stop - start):
            d_z, own = d_zs + (at + k) * row, (start + k) * row
            if within and not flag(within + at + k):
                copy((d_h + own,), (past + own,), H)
                copy((zeros,), (d_z,), H)
                continue
            if within:
                copy((zeros,), (past + own,), H)
            given = (hs + (at + k) * row, d_h + own, d_outputs + (at + k) * row if d_outputs else zeros)
            if is_tanh:
                slope_of_tanh(given, (d_z,), H)
            else:
                slope_of_relu(given, (d_z,), H)
            accumulate((d_b, d_z), (d_b,), H)
        first, first_row = (past + start * row, H) if within else (zeros, 0)
        multiply(d_zs + at * row, stop - start, H, w_hh, H, first, first_row, d_h + start * row)
        if d_x:
            derivatives_of_input(n, T, t, step, B, start, stop, d_zs, H, w_ih, inputs, zeros, d_x)
        t -= step


def forward(
    is_tanh: bool, x: Array, state: tuple[Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b = weights
    (T, B, inputs), H = x.shape, W_hh.shape[1]
    x, h_0 = whole(x), whole(state[0])
    hs = xp.empty((T, B, H), x.dtype)
    bias = xp.zeros(H, x.dtype) if b is None else whole(b)
    has = steps_had(within)
    w_ih, w_hh = panels_of_transposed(W_ih), panels_of_transposed(W_hh)
    sizes = (T, times[0], times.step, B, inputs, H)
    memory = [address(a) for a in (x, h_0, w_ih, w_hh, bias, hs, has)]

    def work(n: int, start: int, stop: int) -> None:
        _forward(int(is_tanh), start, stop, *sizes, *memory)

    together(work, parts(B, 2.0 * T * B * H * (inputs + H)))
    return masked(hs, within), (hs[times[-1]],), Kept(x, (h_0,), weights, times, within, (hs,))


def backward(
    is_tanh: bool, kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0,), (W_ih, W_hh, b), times, within, (hs,) = kept
    (T, B, inputs), H = x.shape, W_hh.shape[1]
    d_h = begin(d_last[0], h_0)
    d_outputs = None if d_outputs is None else whole(d_outputs)
    has = steps_had(within)
    d_zs, past, zeros = xp.empty_like(hs), xp.empty_like(d_h), xp.zeros(max(H, inputs), x.dtype)
    d_x = xp.empty_like(x) if needs_x else None
    w_ih, w_hh = panels(W_ih) if needs_x else None, panels(W_hh)
    bounds = parts(B, 2.0 * T * B * H * (inputs + H))
    d_b = xp.zeros((len(bounds), H), x.dtype)
    sizes = (T, times[0], times.step, B, inputs, H)
    memory = [address(a) for a in (w_ih, w_hh, hs, has, d_outputs, d_h, past, d_zs)]

    def work(n: int, start: int, stop: int) -> None:
        _backward(int(is_tanh), start, stop, *sizes, *memory, address(d_b[n]), address(d_x), address(zeros))

    together(work, bounds)
    d_W_hh = derivative_of_recurrence(d_zs, hs, h_0, times)
    return d_x, (d_h,), (derivative_of_weight(d_zs, x), d_W_hh, None if b is None else d_b.sum(axis=0))


def seen(kept: Kept) -> dict[str, Array]:
    """Return the states of every step by their letter, (T, B, H)."""
    return {"h": kept.computed[0]}


def _kernel(is_tanh: bool) -> Kernel:
    return Kernel("rnn", partial(forward, is_tanh), partial(backward, is_tanh), seen)


RNN: dict[str, Kernel] = {"tanh": _kernel(True), "relu": _kernel(False)}
