"""The way back through a sequence, a stretch of steps at a time: what a step needs, derivatives of weights and input.

The derivatives of a *stretch's* preactivations are multiplied into those of the weights while they are in a cache. They
lie as columns, (columns, rows of the stretch), each a vector wide, so that a product with the transpose reads them from
one end to the other.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .caching import inlined, piece
from .lanes import BYTES, address, allocate, lanes_of, nothing, size_of
from .products import WIDE, add_rows, copy, fill, multiply, multiply_transposed, pack_panel, panels_in
from .sequences import FEW, Part, Sizes, aligned, blocks_in
from .team import bounds, shared

__all__ = [
    "Gradients",
    "Space",
    "Stretch",
    "clear",
    "finish_stretch",
    "space_for",
    "state_back",
    "step_back",
    "stretch",
    "stretches_in",
]

ROWS, COLUMNS = 2048, 8 << 20
"""How many rows a stretch may have, of every step as many as there are sequences, and bytes of columns.

It has one step in any case. The longer stretches are, the less often are the derivatives of weights read and written;
but what is allocated beyond 32 MiB is mapped anew each time, which takes longer.
"""


class Stretch(NamedTuple):
    """So many steps, the first of which in memory is ``low``; ``is_first`` says that none were taken back before."""

    low: int
    steps: int
    is_first: bool


class Space(NamedTuple):
    """What a backward pass needs for a while: addresses in one piece of memory.

    Attributes
    ----------
    base
        What is to be released.
    steps, rows
        How many steps, and rows, make a stretch.
    w_ih, w_hh
        The weights, in panels.
    x, h
        Panels of a stretch's input and of the states before its steps.
    columns
        The derivatives of its preactivations, as columns.
    d, d_step
        The same as rows, (B, gates H) for each step, and the distance between steps: 0, and memory for one step alone,
        if the derivative of the input is not wanted.
    past
        What of the derivative of the state goes past a step unchanged, (B, H).
    """

    base: int
    steps: int
    rows: int
    w_ih: int
    w_hh: int
    x: int
    h: int
    columns: int
    d: int
    d_step: int
    past: int


class Gradients(NamedTuple):
    """Where the derivatives of weights and input belong, and what they are made of: addresses.

    Of the biases' and the input's, those that are not wanted are 0.
    """

    x: int
    hs: int
    h_0: int
    d_W_ih: int
    d_W_hh: int
    d_b_ih: int
    d_b_hh: int
    d_x: int
    zeros: int


_pack_panels = shared(pack_panel)


@inlined
def space_for(team: int, s: Sizes, gates: int, columns: int, W_ih: Any, W_hh: Any, needs_x: bool) -> Space:
    """Return the memory of a backward pass, with the weights packed, for so many columns of derivatives to a unit."""
    across, wide, depth, size = panels_in(s.kind, s.inputs), panels_in(s.kind, s.H), gates * s.H, size_of(s.kind)
    most = max(1, min(ROWS, COLUMNS // (columns * blocks_in(s) * BYTES)))
    some = (s.T * s.B + most - 1) // most
    steps = (s.T + some - 1) // some
    rows = steps * s.B
    of_w_hh, of_w_ih = wide * depth * WIDE * BYTES, across * depth * WIDE * BYTES if needs_x else 0
    of_x, of_h = across * rows * WIDE * BYTES, wide * rows * WIDE * BYTES
    of_columns, of_d, of_past = columns * blocks_in(s) * rows * BYTES, s.B * depth * size, s.B * s.H * size
    d_step = of_d if needs_x else 0
    base = allocate(of_w_hh + of_w_ih + of_x + of_h + of_columns + max(of_d, steps * d_step) + of_past + BYTES)
    w_hh = aligned(base)
    w_ih = w_hh + of_w_hh
    x = w_ih + of_w_ih
    h = x + of_x
    d_columns = h + of_h
    d = d_columns + of_columns
    past = d + max(of_d, steps * d_step)
    _pack_panels(team, wide, (s.kind, address(W_hh), s.H * size, depth, s.H, w_hh))
    if needs_x:
        _pack_panels(team, across, (s.kind, address(W_ih), s.inputs * size, depth, s.inputs, w_ih))
    return Space(base, steps, rows, w_ih, w_hh, x, h, d_columns, d, d_step, past)


@piece
def stretches_in(s: Sizes, a: Space) -> int:
    """Return how many stretches there are."""
    return (s.T + a.steps - 1) // a.steps


@piece
def stretch(n: int, s: Sizes, a: Space) -> Stretch:
    """Return the n-th stretch on the way back."""
    done = n * a.steps
    count = min(a.steps, s.T - done)
    t = s.first + s.step * (s.T - 1 - done)
    return Stretch(t - count + 1 if s.step > 0 else t, count, n == 0)


@piece
def step_back(n: int, s: Sizes, r: Stretch) -> int:
    """Return the n-th step of a stretch on the way back."""
    return r.low + r.steps - 1 - n if s.step > 0 else r.low + n


@piece
def state_back(part: Part, s: Sizes, gates: int, d: int, a: Space, has_past: bool, d_h: int, zeros: int) -> None:
    """Write the derivative of the state before a step: ``d`` times the weights, and what goes past the step."""
    depth, left, size, lanes = gates * s.H, part.left * BYTES, size_of(s.kind), lanes_of(s.kind)
    state, units = s.H * size, min(part.right * lanes, s.H) - part.left * lanes
    own = part.start * state + left
    past, past_row = (a.past + own, state) if has_past else (zeros, nothing())
    multiply(
        s.kind, part.stop - part.start, d + part.start * depth * size, depth * size, depth, a.w_hh + left * depth,
        units, past, past_row, d_h + own, state,
    )  # fmt: skip


@piece
def clear(s: Sizes, zeros: int, place: int, distance: int, count: int, units: int) -> None:
    """Write zeros to the units of so many gates, of a step that a sequence does not have."""
    for n in range(count):
        copy(s.kind, (zeros,), (place + n * distance,), units)


# The derivatives of weights and input, a stretch at a time


@piece
def _pack_step(n: int, s: Sizes, r: Stretch, a: Space, g: Gradients) -> None:
    """Write the panels of a stretch's n-th step: of the input, and of the state before it."""
    t, size = r.low + n, size_of(s.kind)
    _pack_rows(s, g.x + t * s.B * s.inputs * size, s.inputs, a.x + n * s.B * WIDE * BYTES, a.rows)
    state = g.h_0 if t == s.first else g.hs + (t - s.step) * s.B * s.H * size
    _pack_rows(s, state, s.H, a.h + n * s.B * WIDE * BYTES, a.rows)


@piece
def _pack_rows(s: Sizes, source: int, columns: int, target: int, rows: int) -> None:
    for p in range(panels_in(s.kind, columns)):
        here, place = source + p * WIDE * BYTES, target + p * rows * WIDE * BYTES
        for _ in range(s.B):
            fill(s.kind, here, place, columns - p * WIDE * lanes_of(s.kind))
            here += columns * size_of(s.kind)
            place += WIDE * BYTES


@piece
def _add_to_weights(n: int, s: Sizes, gates: int, last: int, r: Stretch, a: Space, g: Gradients) -> None:
    """Add a stretch's part of the n-th vector of rows, P to a gate, to the derivatives of weights and biases.

    The state's share of the last gate has columns of its own, those of gate ``last``. The first stretch writes those of
    the weights.
    """
    size, lanes, P = size_of(s.kind), lanes_of(s.kind), blocks_in(s)
    between, depth = a.rows * WIDE * BYTES, r.steps * s.B
    gate, p = n // P, n % P
    row, some = gate * s.H + p * lanes, min(lanes, s.H - p * lanes)
    of_x = a.columns + n * a.rows * BYTES
    of_h = of_x + (last - gate) * P * a.rows * BYTES if gate == gates - 1 else of_x
    across, wide = s.inputs * size, s.H * size
    d_W_ih, d_W_hh = g.d_W_ih + row * across, g.d_W_hh + row * wide
    x_first, x_row, h_first, h_row = d_W_ih, across, d_W_hh, wide
    if r.is_first:
        x_first, x_row, h_first, h_row = g.zeros, nothing(), g.zeros, nothing()
    multiply_transposed(s.kind, some, of_x, depth, a.x, between, s.inputs, x_first, x_row, d_W_ih, across)
    multiply_transposed(s.kind, some, of_h, depth, a.h, between, s.H, h_first, h_row, d_W_hh, wide)
    if g.d_b_ih:
        add_rows(s.kind, of_x, depth, g.d_b_ih + row * size, some)
    if g.d_b_hh:
        add_rows(s.kind, of_h, depth, g.d_b_hh + row * size, some)


@piece
def _input_back(n: int, pieces: int, s: Sizes, gates: int, r: Stretch, a: Space, g: Gradients) -> None:
    """Compute the derivative of the input for a part of a stretch's rows."""
    start, stop = bounds(n, pieces, r.steps * s.B)
    size, across, depth = size_of(s.kind), s.inputs * size_of(s.kind), gates * s.H
    multiply(
        s.kind, stop - start, a.d + start * depth * size, depth * size, depth, a.w_ih, s.inputs, g.zeros, nothing(),
        g.d_x + (r.low * s.B + start) * across, across,
    )  # fmt: skip


_pack_steps, _weights, _input = shared(_pack_step), shared(_add_to_weights), shared(_input_back)


@inlined
def finish_stretch(team: int, s: Sizes, gates: int, last: int, r: Stretch, a: Space, g: Gradients) -> None:
    """Add a stretch's part to all derivatives but the state's."""
    _pack_steps(team, r.steps, (s, r, a, g))
    _weights(team, gates * blocks_in(s), (s, gates, last, r, a, g))
    if g.d_x:
        pieces = (r.steps * s.B + FEW - 1) // FEW
        _input(team, pieces, (pieces, s, gates, r, a, g))
