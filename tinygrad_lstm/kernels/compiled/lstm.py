"""The long short-term memory over a sequence, compiled; its plain form is in ``kernels/lstm.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...backend import Array, xp
from ..shared import Kept, Kernel, Within, begin, masked
from .caching import compiled, piece
from .gates import sigmoid, tanh
from .lanes import BYTES, Lanes, address, elementwise, flag, lanes_of, release, size_of
from .products import copy, panel_product
from .sequences import (
    Packed,
    Part,
    Sizes,
    aligned,
    blocks_in,
    blocks_of,
    input_shares_of,
    pack_weights,
    sizes_of,
    steps_had,
    steps_of,
    vectors_of,
    whole,
    whole_or_nothing,
)
from .stretches import (
    Gradients,
    Space,
    Stretch,
    clear,
    finish_stretch,
    space_for,
    state_back,
    step_back,
    stretch,
    stretches_in,
)
from .workers import team_for

__all__ = ["LSTM"]

GATES = 4
BLOCK = 6
"""Vectors of a block: i, f, g, o, c and tanh(c)."""

I, F, G, O, C, SHOWN = (n * BYTES for n in range(BLOCK))  # noqa: E741
"""Where they stand in it."""


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
    d_z = d_i, d_f, d_g, d_h * shown * o * (1.0 - o)
    return *d_z, *d_z, d_c * f


gates, slopes = elementwise(_gates), elementwise(_slopes)
input_shares, product = input_shares_of(GATES, BLOCK), panel_product(GATES)


class Forward(NamedTuple):
    """The addresses of a forward pass."""

    x: int
    h: int
    c: int
    within: int
    kept: int
    hs: int
    h_n: int
    c_n: int


class Backward(NamedTuple):
    """The addresses of a backward pass."""

    c_0: int
    within: int
    kept: int
    d_outputs: int
    d_h: int
    d_c: int
    zeros: int


@piece
def _step(n: int, part: Part, s: Sizes, w: Packed, m: Forward) -> None:
    """Take the n-th step."""
    P, lanes, state, across = blocks_in(s), lanes_of(s.kind), s.H * size_of(s.kind), GATES * lanes_of(s.kind)
    start, stop, row, t = part.start, part.stop, P * BLOCK * BYTES, s.first + n * s.step
    at = t * s.B + start
    past = at - s.step * s.B
    h, c, c_row, c_block = m.hs + past * state, m.kept + past * row + C, row, BLOCK * BYTES
    if n == 0:
        h, c, c_row, c_block = m.h + start * state, m.c + start * state, state, BYTES
    for p in range(part.left, part.right):
        input_shares(n, t, p, start, stop, s, m.x, w.w_ih, w.b_ih, m.kept)
        units = min(lanes, s.H - p * lanes)
        z, before, h_t = m.kept + (at * P + p) * BLOCK * BYTES, c + p * c_block, m.hs + at * state + p * BYTES
        product(s.kind, stop - start, h, state, s.H, w.w_hh + p * s.H * GATES * BYTES, z, row, z, row, across)
        for k in range(stop - start):
            gates(
                s.kind,
                (z + I, z + F, z + G, z + O, before),
                (z + I, z + F, z + G, z + O, z + C, z + SHOWN, h_t),
                units,
            )
            if m.within and not flag(m.within + at + k):
                copy(s.kind, (h + k * state + p * BYTES,), (h_t,), units)
                copy(s.kind, (before,), (z + C,), units)
            if n == s.T - 1:
                last = (start + k) * state + p * BYTES
                copy(s.kind, (h_t,), (m.h_n + last,), units)
                copy(s.kind, (z + C,), (m.c_n + last,), units)
            z, before, h_t = z + row, before + c_row, h_t + state


@piece
def _step_back(n: int, part: Part, s: Sizes, a: Space, r: Stretch, m: Backward) -> None:
    """Compute the derivatives of a stretch's preactivations at the n-th step on the way back."""
    start, stop = part.start, part.stop
    P, lanes, state, t = blocks_in(s), lanes_of(s.kind), s.H * size_of(s.kind), step_back(n, s, r)
    row, gate = P * BLOCK * BYTES, P * a.rows * BYTES
    at, here = t * s.B + start, (t - r.low) * s.B + start
    d = a.d + (t - r.low) * a.d_step + start * GATES * state
    for p in range(part.left, part.right):
        units, own = min(lanes, s.H - p * lanes), start * state + p * BYTES
        y = m.kept + (at * P + p) * BLOCK * BYTES
        d_z, column = d + p * BYTES, a.columns + (p * a.rows + here) * BYTES
        c, c_row = (m.c_0 + own, state) if t == s.first else (y - s.step * s.B * row + C, row)
        d_output = m.d_outputs + at * state + p * BYTES
        for k in range(stop - start):
            d_zs = d_z, d_z + state, d_z + 2 * state, d_z + 3 * state
            columns = column, column + gate, column + 2 * gate, column + 3 * gate
            if m.within and not flag(m.within + at + k):
                copy(s.kind, (m.d_h + own,), (a.past + own,), units)
                clear(s, m.zeros, d_z, state, GATES, units)
                clear(s, m.zeros, column, gate, GATES, units)
            else:
                if m.within:
                    copy(s.kind, (m.zeros,), (a.past + own,), units)
                given = d_output if m.d_outputs else m.zeros
                slopes(
                    s.kind,
                    (y + I, y + F, y + G, y + O, c, y + SHOWN, m.d_h + own, given, m.d_c + own),
                    (*d_zs, *columns, m.d_c + own),
                    units,
                )
            y, c, d_z, column = y + row, c + c_row, d_z + GATES * state, column + BYTES
            own, d_output = own + state, d_output + state


@piece
def _state_back(n: int, part: Part, s: Sizes, a: Space, r: Stretch, m: Backward) -> None:
    """Compute the derivative of the state before that step."""
    d = a.d + (step_back(n, s, r) - r.low) * a.d_step
    state_back(part, s, GATES, d, a, m.within != 0, m.d_h, m.zeros)


_run, _run_back = steps_of(_step), steps_of(_step_back, _state_back)


@compiled
def _forward(
    words: Any, pieces: int, first: int, step: int, x: Any, h_0: Any, c_0: Any, W_ih: Any, W_hh: Any, b: Any,
    within: Any, kept: Any, hs: Any, h_n: Any, c_n: Any,
) -> None:  # fmt: skip
    team, s = address(words), sizes_of(x, W_hh.shape[1], first, step, pieces)
    w = pack_weights(team, s, GATES, W_ih, W_hh, (b,))
    m = Forward(
        address(x), address(h_0), address(c_0), address(within), aligned(address(kept)), address(hs), address(h_n),
        address(c_n),
    )  # fmt: skip
    _run(team, s, s.T, (w, m))
    release(w.base)


@compiled
def _backward(
    words: Any, pieces: int, first: int, step: int, x: Any, h_0: Any, c_0: Any, W_ih: Any, W_hh: Any, within: Any,
    kept: Any, hs: Any, d_outputs: Any, d_h: Any, d_c: Any, d_x: Any, d_W_ih: Any, d_W_hh: Any, d_b: Any, zeros: Any,
) -> None:  # fmt: skip
    team, s = address(words), sizes_of(x, W_hh.shape[1], first, step, pieces)
    a = space_for(team, s, GATES, GATES, W_ih, W_hh, d_x.size > 0)
    m = Backward(
        address(c_0), address(within), aligned(address(kept)), address(d_outputs), address(d_h), address(d_c),
        address(zeros),
    )  # fmt: skip
    g = Gradients(
        address(x), address(hs), address(h_0), address(d_W_ih), address(d_W_hh), address(d_b), 0, address(d_x),
        address(zeros),
    )  # fmt: skip
    for n in range(stretches_in(s, a)):
        r = stretch(n, s, a)
        _run_back(team, s, r.steps, (a, r, m))
        finish_stretch(team, s, GATES, GATES - 1, r, a, g)
    release(a.base)


def forward(
    x: Array, state: tuple[Array, Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array, Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b, _ = weights
    (T, B, _), H, dtype = x.shape, W_hh.shape[1], x.dtype
    x, h_0, c_0, W_ih, W_hh = map(whole, (x, *state, W_ih, W_hh))
    kept, hs = blocks_of(T * B, H, BLOCK, dtype), xp.empty((T, B, H), dtype)
    h_n, c_n = xp.empty((B, H), dtype), xp.empty((B, H), dtype)
    words, pieces = team_for(x, W_ih, W_hh)
    bias = xp.zeros(GATES * H, dtype) if b is None else whole(b)
    _forward(
        words, pieces, times.start, times.step, x, h_0, c_0, W_ih, W_hh, bias, steps_had(within), kept,
        hs, h_n, c_n,
    )  # fmt: skip
    return masked(hs, within), (h_n, c_n), Kept(x, (h_0, c_0), (W_ih, W_hh, b), times, within, (kept, hs))


def backward(
    kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None, Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array, Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0, c_0), (W_ih, W_hh, b), times, within, (blocks, hs) = kept
    inputs, H, dtype = x.shape[-1], W_hh.shape[1], x.dtype
    d_h, d_c = begin(d_last[0], h_0), begin(d_last[1], c_0)
    d_x = xp.empty_like(x) if needs_x else None
    d_W_ih, d_W_hh, d_b = xp.empty_like(W_ih), xp.empty_like(W_hh), xp.zeros(GATES * H, dtype)
    words, pieces = team_for(x, W_ih, W_hh)
    _backward(
        words, pieces, times.start, times.step, x, h_0, c_0, W_ih, W_hh, steps_had(within), blocks, hs,
        whole_or_nothing(d_outputs, hs), d_h, d_c, whole_or_nothing(d_x, x), d_W_ih, d_W_hh, d_b,
        xp.zeros(max(H, inputs), dtype),
    )  # fmt: skip
    return d_x, (d_h, d_c), (d_W_ih, d_W_hh, None if b is None else d_b, None)


def seen(kept: Kept) -> dict[str, Array]:
    """Return the gates and states of every step by their letters, (T, B, H) each."""
    blocks, hs = kept.computed
    of = vectors_of(blocks, hs.shape, BLOCK)
    return {**{letter: of(n) for n, letter in enumerate("ifgoc")}, "h": hs}


LSTM = Kernel("lstm", forward, backward, seen)
