"""The plain recurrent network over a sequence, compiled; its plain form is in ``kernels/rnn.py``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from ...backend import Array, xp
from ..shared import Kept, Kernel, Within, begin, masked
from .caching import compiled, piece
from .gates import tanh
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
    whole,
    whole_or_nothing,
)
from .stretches import (
    Gradients,
    Space,
    Stretch,
    finish_stretch,
    space_for,
    state_back,
    step_back,
    stretch,
    stretches_in,
)
from .workers import team_for

__all__ = ["RNN"]

activate_tanh = elementwise(lambda z: (tanh(z),))
activate_relu = elementwise(lambda z: (z.at_least(0.0),))


def _slope_of_tanh(h: Lanes, d_h: Lanes, d_output: Lanes) -> tuple[Lanes, ...]:
    d_z = (d_h + d_output) * (1.0 - h * h)
    return d_z, d_z


def _slope_of_relu(h: Lanes, d_h: Lanes, d_output: Lanes) -> tuple[Lanes, ...]:
    d_z = h.where_above(0.0, d_h + d_output, 0.0)
    return d_z, d_z


slope_of_tanh, slope_of_relu = elementwise(_slope_of_tanh), elementwise(_slope_of_relu)
input_shares, product = input_shares_of(1, 1), panel_product(1)


class Forward(NamedTuple):
    """The addresses of a forward pass; ``z`` are the preactivations, a block each."""

    is_tanh: bool
    x: int
    h: int
    within: int
    z: int
    hs: int
    h_n: int


class Backward(NamedTuple):
    """The addresses of a backward pass."""

    is_tanh: bool
    within: int
    hs: int
    d_outputs: int
    d_h: int
    zeros: int


@piece
def _step(n: int, part: Part, s: Sizes, w: Packed, m: Forward) -> None:
    """Take the n-th step."""
    P, lanes, state = blocks_in(s), lanes_of(s.kind), s.H * size_of(s.kind)
    start, stop, row, t = part.start, part.stop, P * BYTES, s.first + n * s.step
    at = t * s.B + start
    h = m.hs + (at - s.step * s.B) * state if n else m.h + start * state
    for p in range(part.left, part.right):
        input_shares(n, t, p, start, stop, s, m.x, w.w_ih, w.b_ih, m.z)
        units, z = min(lanes, s.H - p * lanes), m.z + (at * P + p) * BYTES
        before, h_t = h + p * BYTES, m.hs + at * state + p * BYTES
        product(s.kind, stop - start, h, state, s.H, w.w_hh + p * s.H * BYTES, z, row, z, row, lanes)
        for k in range(stop - start):
            if m.within and not flag(m.within + at + k):
                copy(s.kind, (before,), (h_t,), units)
            elif m.is_tanh:
                activate_tanh(s.kind, (z,), (h_t,), units)
            else:
                activate_relu(s.kind, (z,), (h_t,), units)
            if n == s.T - 1:
                copy(s.kind, (h_t,), (m.h_n + (start + k) * state + p * BYTES,), units)
            z, before, h_t = z + row, before + state, h_t + state


@piece
def _step_back(n: int, part: Part, s: Sizes, a: Space, r: Stretch, m: Backward) -> None:
    """Compute the derivatives of a stretch's preactivations at the n-th step on the way back."""
    start, stop = part.start, part.stop
    lanes, state, t = lanes_of(s.kind), s.H * size_of(s.kind), step_back(n, s, r)
    at, here, d = t * s.B + start, (t - r.low) * s.B + start, a.d + (t - r.low) * a.d_step + start * state
    for p in range(part.left, part.right):
        units, h, own = min(lanes, s.H - p * lanes), m.hs + at * state + p * BYTES, start * state + p * BYTES
        d_z, column = d + p * BYTES, a.columns + (p * a.rows + here) * BYTES
        d_output = m.d_outputs + at * state + p * BYTES
        for k in range(stop - start):
            given = h, m.d_h + own, d_output if m.d_outputs else m.zeros
            if m.within and not flag(m.within + at + k):
                copy(s.kind, (m.d_h + own,), (a.past + own,), units)
                copy(s.kind, (m.zeros,), (d_z,), units)
                copy(s.kind, (m.zeros,), (column,), units)
            else:
                if m.within:
                    copy(s.kind, (m.zeros,), (a.past + own,), units)
                if m.is_tanh:
                    slope_of_tanh(s.kind, given, (d_z, column), units)
                else:
                    slope_of_relu(s.kind, given, (d_z, column), units)
            h, d_z, column = h + state, d_z + state, column + BYTES
            own, d_output = own + state, d_output + state


@piece
def _state_back(n: int, part: Part, s: Sizes, a: Space, r: Stretch, m: Backward) -> None:
    """Compute the derivative of the state before that step."""
    d = a.d + (step_back(n, s, r) - r.low) * a.d_step
    state_back(part, s, 1, d, a, m.within != 0, m.d_h, m.zeros)


_run, _run_back = steps_of(_step), steps_of(_step_back, _state_back)


@compiled
def _forward(
    is_tanh: bool, words: Any, pieces: int, first: int, step: int, x: Any, h_0: Any, W_ih: Any, W_hh: Any, b: Any,
    within: Any, zs: Any, hs: Any, h_n: Any,
) -> None:  # fmt: skip
    team, s = address(words), sizes_of(x, W_hh.shape[1], first, step, pieces)
    w = pack_weights(team, s, 1, W_ih, W_hh, (b,))
    z = aligned(address(zs))
    m = Forward(is_tanh, address(x), address(h_0), address(within), z, address(hs), address(h_n))
    _run(team, s, s.T, (w, m))
    release(w.base)


@compiled
def _backward(
    is_tanh: bool, words: Any, pieces: int, first: int, step: int, x: Any, h_0: Any, W_ih: Any, W_hh: Any, within: Any,
    hs: Any, d_outputs: Any, d_h: Any, d_x: Any, d_W_ih: Any, d_W_hh: Any, d_b: Any, zeros: Any,
) -> None:  # fmt: skip
    team, s = address(words), sizes_of(x, W_hh.shape[1], first, step, pieces)
    a = space_for(team, s, 1, 1, W_ih, W_hh, d_x.size > 0)
    m = Backward(is_tanh, address(within), address(hs), address(d_outputs), address(d_h), address(zeros))
    g = Gradients(
        address(x), address(hs), address(h_0), address(d_W_ih), address(d_W_hh), address(d_b), 0, address(d_x),
        address(zeros),
    )  # fmt: skip
    for n in range(stretches_in(s, a)):
        r = stretch(n, s, a)
        _run_back(team, s, r.steps, (a, r, m))
        finish_stretch(team, s, 1, 0, r, a, g)
    release(a.base)


def forward(
    is_tanh: bool, x: Array, state: tuple[Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b = weights
    (T, B, _), H, dtype = x.shape, W_hh.shape[1], x.dtype
    x, h_0, W_ih, W_hh = map(whole, (x, *state, W_ih, W_hh))
    bias = xp.zeros(H, dtype) if b is None else whole(b)
    hs, h_n = xp.empty((T, B, H), dtype), xp.empty((B, H), dtype)
    words, pieces = team_for(x, W_ih, W_hh)
    _forward(
        is_tanh, words, pieces, times.start, times.step, x, h_0, W_ih, W_hh, bias, steps_had(within),
        blocks_of(T * B, H, 1, dtype), hs, h_n,
    )  # fmt: skip
    return masked(hs, within), (h_n,), Kept(x, (h_0,), (W_ih, W_hh, b), times, within, (hs,))


def backward(
    is_tanh: bool, kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0,), (W_ih, W_hh, b), times, within, (hs,) = kept
    inputs, H, dtype = x.shape[-1], W_hh.shape[1], x.dtype
    d_h = begin(d_last[0], h_0)
    d_x = xp.empty_like(x) if needs_x else None
    d_W_ih, d_W_hh, d_b = xp.empty_like(W_ih), xp.empty_like(W_hh), xp.zeros(H, dtype)
    words, pieces = team_for(x, W_ih, W_hh)
    _backward(
        is_tanh, words, pieces, times.start, times.step, x, h_0, W_ih, W_hh, steps_had(within), hs,
        whole_or_nothing(d_outputs, hs), d_h, whole_or_nothing(d_x, x), d_W_ih, d_W_hh, d_b,
        xp.zeros(max(H, inputs), dtype),
    )  # fmt: skip
    return d_x, (d_h,), (d_W_ih, d_W_hh, None if b is None else d_b)


def seen(kept: Kept) -> dict[str, Array]:
    """Return the states of every step by their letter, (T, B, H)."""
    return {"h": kept.computed[0]}


def _kernel(is_tanh: bool) -> Kernel:
    return Kernel("rnn", partial(forward, is_tanh), partial(backward, is_tanh), seen)


RNN: dict[str, Kernel] = {"tanh": _kernel(True), "relu": _kernel(False)}
