"""The gated recurrent unit over a sequence, compiled; its plain form is in ``kernels/gru.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...backend import Array, xp
from ..shared import Kept, Kernel, Within, begin, masked
from .caching import compiled, piece
from .gates import sigmoid, tanh
from .lanes import BYTES, Lanes, address, elementwise, flag, lanes_of, nothing, release, size_of
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

__all__ = ["GRU"]

GATES = 3
BLOCK = 4
"""Vectors of a block: r, z, n, and the state's share of n."""

R, Z, N, FROM_H = (n * BYTES for n in range(BLOCK))
"""Where they stand in it."""


def _gates(x_r: Lanes, x_z: Lanes, x_n: Lanes, h_r: Lanes, h_z: Lanes, h_n: Lanes, h: Lanes) -> tuple[Lanes, ...]:
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = tanh(x_n + r * h_n)
    return r, z, n, h_n, n + z * (h - n)


def _slopes(r: Lanes, z: Lanes, n: Lanes, h_n: Lanes, h: Lanes, d_h: Lanes, d_output: Lanes) -> tuple[Lanes, ...]:
    d_h = d_h + d_output
    d_z, d_n = d_h * (h - n) * z * (1.0 - z), d_h * (1.0 - z) * (1.0 - n * n)
    d_r, d_h_n = d_n * h_n * r * (1.0 - r), d_n * r
    return d_r, d_z, d_n, d_r, d_z, d_h_n, d_r, d_z, d_n, d_h_n, d_h * z


gates, slopes = elementwise(_gates), elementwise(_slopes)
input_shares, product = input_shares_of(GATES, BLOCK), panel_product(GATES)


class Forward(NamedTuple):
    """The addresses of a forward pass; ``shares`` are the state's of a step, (P, B)."""

    x: int
    h: int
    within: int
    kept: int
    hs: int
    h_n: int
    shares: int


class Backward(NamedTuple):
    """The addresses of a backward pass; ``d_shares`` are the derivatives of the state's shares of a step."""

    h_0: int
    within: int
    kept: int
    hs: int
    d_outputs: int
    d_h: int
    d_shares: int
    zeros: int


@piece
def _step(n: int, part: Part, s: Sizes, w: Packed, m: Forward) -> None:
    """Take the n-th step."""
    P, lanes, state, across = blocks_in(s), lanes_of(s.kind), s.H * size_of(s.kind), GATES * lanes_of(s.kind)
    start, stop, row, t = part.start, part.stop, P * BLOCK * BYTES, s.first + n * s.step
    at = t * s.B + start
    h = m.hs + (at - s.step * s.B) * state if n else m.h + start * state
    for p in range(part.left, part.right):
        input_shares(n, t, p, start, stop, s, m.x, w.w_ih, w.b_ih, m.kept)
        units, y = min(lanes, s.H - p * lanes), m.kept + (at * P + p) * BLOCK * BYTES
        before, h_t, of_h = h + p * BYTES, m.hs + at * state + p * BYTES, m.shares + (p * s.B + start) * GATES * BYTES
        product(
            s.kind, stop - start, h, state, s.H, w.w_hh + p * s.H * GATES * BYTES, w.b_hh + p * GATES * BYTES,
            nothing(), of_h, GATES * BYTES, across,
        )  # fmt: skip
        for k in range(stop - start):
            gates(
                s.kind,
                (y + R, y + Z, y + N, of_h, of_h + BYTES, of_h + 2 * BYTES, before),
                (y + R, y + Z, y + N, y + FROM_H, h_t),
                units,
            )
            if m.within and not flag(m.within + at + k):
                copy(s.kind, (before,), (h_t,), units)
            if n == s.T - 1:
                copy(s.kind, (h_t,), (m.h_n + (start + k) * state + p * BYTES,), units)
            y, of_h, before, h_t = y + row, of_h + GATES * BYTES, before + state, h_t + state


@piece
def _step_back(n: int, part: Part, s: Sizes, a: Space, r: Stretch, m: Backward) -> None:
    """Compute the derivatives of a stretch's preactivations at the n-th step on the way back."""
    start, stop = part.start, part.stop
    P, lanes, state, t = blocks_in(s), lanes_of(s.kind), s.H * size_of(s.kind), step_back(n, s, r)
    row, gate = P * BLOCK * BYTES, P * a.rows * BYTES
    at, here = t * s.B + start, (t - r.low) * s.B + start
    d, d_shares = a.d + (t - r.low) * a.d_step + start * GATES * state, m.d_shares + start * GATES * state
    h = m.h_0 + start * state if t == s.first else m.hs + (at - s.step * s.B) * state
    for p in range(part.left, part.right):
        units, own = min(lanes, s.H - p * lanes), start * state + p * BYTES
        y = m.kept + (at * P + p) * BLOCK * BYTES
        d_z, d_s, column = d + p * BYTES, d_shares + p * BYTES, a.columns + (p * a.rows + here) * BYTES
        before, d_output = h + p * BYTES, m.d_outputs + at * state + p * BYTES
        for k in range(stop - start):
            if m.within and not flag(m.within + at + k):
                copy(s.kind, (m.d_h + own,), (a.past + own,), units)
                clear(s, m.zeros, d_z, state, GATES, units)
                clear(s, m.zeros, d_s, state, GATES, units)
                clear(s, m.zeros, column, gate, GATES + 1, units)
            else:
                given = d_output if m.d_outputs else m.zeros
                slopes(
                    s.kind,
                    (y + R, y + Z, y + N, y + FROM_H, before, m.d_h + own, given),
                    (
                        d_z, d_z + state, d_z + 2 * state,
                        d_s, d_s + state, d_s + 2 * state,
                        column, column + gate, column + 2 * gate, column + 3 * gate,
                        a.past + own,
                    ),
                    units,
                )  # fmt: skip
            y, d_z, d_s, column = y + row, d_z + GATES * state, d_s + GATES * state, column + BYTES
            own, before, d_output = own + state, before + state, d_output + state


@piece
def _state_back(n: int, part: Part, s: Sizes, a: Space, r: Stretch, m: Backward) -> None:
    """Compute the derivative of the state before that step."""
    state_back(part, s, GATES, m.d_shares, a, True, m.d_h, m.zeros)


_run, _run_back = steps_of(_step), steps_of(_step_back, _state_back)


@compiled
def _forward(
    words: Any, pieces: int, first: int, step: int, x: Any, h_0: Any, W_ih: Any, W_hh: Any, b_ih: Any, b_hh: Any,
    within: Any, kept: Any, hs: Any, h_n: Any, shares: Any,
) -> None:  # fmt: skip
    team, s = address(words), sizes_of(x, W_hh.shape[1], first, step, pieces)
    w = pack_weights(team, s, GATES, W_ih, W_hh, (b_ih, b_hh))
    m = Forward(
        address(x), address(h_0), address(within), aligned(address(kept)), address(hs), address(h_n),
        aligned(address(shares)),
    )  # fmt: skip
    _run(team, s, s.T, (w, m))
    release(w.base)


@compiled
def _backward(
    words: Any, pieces: int, first: int, step: int, x: Any, h_0: Any, W_ih: Any, W_hh: Any, within: Any, kept: Any,
    hs: Any, d_outputs: Any, d_h: Any, d_shares: Any, d_x: Any, d_W_ih: Any, d_W_hh: Any, d_b_ih: Any, d_b_hh: Any,
    zeros: Any,
) -> None:  # fmt: skip
    team, s = address(words), sizes_of(x, W_hh.shape[1], first, step, pieces)
    a = space_for(team, s, GATES, GATES + 1, W_ih, W_hh, d_x.size > 0)
    m = Backward(
        address(h_0), address(within), aligned(address(kept)), address(hs), address(d_outputs), address(d_h),
        address(d_shares), address(zeros),
    )  # fmt: skip
    g = Gradients(
        address(x), address(hs), address(h_0), address(d_W_ih), address(d_W_hh), address(d_b_ih), address(d_b_hh),
        address(d_x), address(zeros),
    )  # fmt: skip
    for n in range(stretches_in(s, a)):
        r = stretch(n, s, a)
        _run_back(team, s, r.steps, (a, r, m))
        finish_stretch(team, s, GATES, GATES, r, a, g)
    release(a.base)


def forward(
    x: Array, state: tuple[Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b_ih, b_hh = weights
    (T, B, _), H, dtype = x.shape, W_hh.shape[1], x.dtype
    x, h_0, W_ih, W_hh = map(whole, (x, *state, W_ih, W_hh))
    biases = [xp.zeros(GATES * H, dtype) if b is None else whole(b) for b in (b_ih, b_hh)]
    kept, hs, h_n = blocks_of(T * B, H, BLOCK, dtype), xp.empty((T, B, H), dtype), xp.empty((B, H), dtype)
    words, pieces = team_for(x, W_ih, W_hh)
    _forward(
        words, pieces, times.start, times.step, x, h_0, W_ih, W_hh, *biases, steps_had(within), kept, hs,
        h_n, blocks_of(B, H, GATES, dtype),
    )  # fmt: skip
    return masked(hs, within), (h_n,), Kept(x, (h_0,), (W_ih, W_hh, b_ih, b_hh), times, within, (kept, hs))


def backward(
    kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0,), (W_ih, W_hh, b_ih, b_hh), times, within, (blocks, hs) = kept
    (_, B, inputs), H, dtype = x.shape, W_hh.shape[1], x.dtype
    d_h = begin(d_last[0], h_0)
    d_x = xp.empty_like(x) if needs_x else None
    d_W_ih, d_W_hh = xp.empty_like(W_ih), xp.empty_like(W_hh)
    d_b_ih, d_b_hh = xp.zeros(GATES * H, dtype), xp.zeros(GATES * H, dtype)
    words, pieces = team_for(x, W_ih, W_hh)
    _backward(
        words, pieces, times.start, times.step, x, h_0, W_ih, W_hh, steps_had(within), blocks, hs,
        whole_or_nothing(d_outputs, hs), d_h, xp.empty((B, GATES * H), dtype), whole_or_nothing(d_x, x), d_W_ih,
        d_W_hh, d_b_ih, d_b_hh, xp.zeros(max(H, inputs), dtype),
    )  # fmt: skip
    biases = None if b_ih is None else d_b_ih, None if b_hh is None else d_b_hh
    return d_x, (d_h,), (d_W_ih, d_W_hh, *biases)


def seen(kept: Kept) -> dict[str, Array]:
    """Return the gates and states of every step by their letters, (T, B, H) each."""
    blocks, hs = kept.computed
    of = vectors_of(blocks, hs.shape, BLOCK)
    return {**{letter: of(n) for n, letter in enumerate("rzn")}, "h": hs}


GRU = Kernel("gru", forward, backward, seen)
