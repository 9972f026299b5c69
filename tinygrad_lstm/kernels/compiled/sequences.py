"""What the compiled kernels of all kinds share: how their memory is laid out, derivatives of weights and input.

A vector of units and what belongs to it stand together, one vector after the other: a *block*. What a forward pass
keeps is (T, B, P) of them, P blocks to a sequence. The derivatives of preactivations are computed for a *stretch* of
steps at a time, and multiplied into those of the weights while they are in the cache; they lie as columns, (columns,
rows of the stretch), each a vector wide, so that a product with the transpose reads them from one end to the other.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from ...backend import Array, xp
from .caching import apart, inlined, piece
from .lanes import BYTES, address, allocate, kind_of, lanes_of, size_of
from .products import (
    WIDE,
    add_rows,
    copy,
    fill,
    multiply,
    multiply_transposed,
    pack_panel,
    pack_transposed,
    panel_product,
    panels_in,
)
from .team import bounds, shared

__all__ = [
    "Gradients",
    "Packed",
    "Sizes",
    "Space",
    "aligned",
    "blocks_in",
    "blocks_of",
    "clear",
    "finish_stretch",
    "input_shares_of",
    "pack_weights",
    "sizes_of",
    "space_for",
    "steps_had",
    "stretch",
    "stretches_in",
    "vectors_of",
    "whole",
    "whole_or_nothing",
]

STRETCH = 512
"""Rows that a stretch has, of every step as many as there are sequences; it has one step at least."""

FEW = 32
"""Rows that the input's share is computed for together, where one step has fewer."""

NOTHING: dict[Any, Array] = {xp.dtype(kind): xp.zeros((0, 0, 0), kind) for kind in ("float32", "float64")}
ALL: Array = xp.zeros((0, 0, 0), "bool")


class Sizes(NamedTuple):
    """How long everything is, of which type, and in which order the steps are taken.

    Attributes
    ----------
    kind
        A number of the type of all others.
    T, B, inputs, H
        The lengths of the input and of the state.
    first, step
        The first step, and how far it is to the next.
    pieces
        Into how many parts the sequences are divided.
    """

    kind: Any
    T: int
    B: int
    inputs: int
    H: int
    first: int
    step: int
    pieces: int


class Packed(NamedTuple):
    """The weights of a forward pass, in panels: addresses in one piece of memory, ``base``, which is to be released."""

    base: int
    w_ih: int
    w_hh: int
    b_ih: int
    b_hh: int


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


# Arrays, for Python


def whole(x: Array) -> Array:
    """Return an array in one piece that may be written to, itself if it is: compiled code knows the difference."""
    return x if x.flags.carray else xp.array(x, order="C")


def whole_or_nothing(x: Array | None, dtype: Any) -> Array:
    """Return the same, of three axes; an empty array for None."""
    return NOTHING[dtype] if x is None else whole(x)


def steps_had(within: Array | None) -> Array:
    """Return which sequences have which steps, in one piece; an empty array if all have all."""
    return ALL if within is None else whole(within)


def blocks_of(rows: int, H: int, vectors: int, dtype: Any) -> Array:
    """Return memory for so many rows of blocks, each of so many vectors, and what it takes to begin a vector evenly."""
    lanes = BYTES // dtype.itemsize
    return xp.empty((rows * -(-H // lanes) * vectors + 1) * lanes, dtype)


def vectors_of(blocks: Array, shape: tuple[int, ...], vectors: int) -> Callable[[int], Array]:
    """Return a function that gives the n-th vector of every block as (T, B, H)."""
    T, B, H = shape
    lanes = BYTES // blocks.itemsize
    start = -blocks.ctypes.data % BYTES // blocks.itemsize
    each = blocks[start : start + blocks.size - lanes].reshape(T, B, -1, vectors, lanes)
    return lambda n: each[:, :, :, n].reshape(T, B, -1)[:, :, :H]


# Memory and its order, for compiled code


@piece
def aligned(place: int) -> int:
    """Return the next address at which vectors lie evenly."""
    return (place + BYTES - 1) // BYTES * BYTES


@piece
def blocks_in(s: Sizes) -> int:
    """Return P, how many vectors there are to the units."""
    return (s.H + lanes_of(s.kind) - 1) // lanes_of(s.kind)


@piece
def sizes_of(x: Any, H: int, first: int, step: int, pieces: int) -> Sizes:
    """Return the sizes of an input's sequences."""
    T, B, inputs = x.shape
    return Sizes(kind_of(x), T, B, inputs, H, first, step, pieces)


_pack_transposed, _pack_panel = shared(pack_transposed), shared(pack_panel)


@inlined
def pack_weights(team: int, s: Sizes, gates: int, W_ih: Any, W_hh: Any, biases: Any) -> Packed:
    """Return both weights transposed, and the biases, in panels that are as wide as the gates of a block."""
    P = blocks_in(s)
    base = allocate((P * (s.inputs + s.H + len(biases)) * gates + 1) * BYTES)
    w_ih = aligned(base)
    w_hh = w_ih + P * s.inputs * gates * BYTES
    b = w_hh + P * s.H * gates * BYTES
    _pack_transposed(team, P, (s.kind, address(W_ih), s.inputs, gates, s.H, w_ih))
    _pack_transposed(team, P, (s.kind, address(W_hh), s.H, gates, s.H, w_hh))
    for n, bias in enumerate(biases):
        _pack_transposed(0, P, (s.kind, address(bias), 1, gates, s.H, b + n * P * gates * BYTES))
    return Packed(base, w_ih, w_hh, b, b + P * gates * BYTES)


@cache
def input_shares_of(gates: int, block: int) -> Any:
    """Return a function of the n-th step, which is t, that begins its blocks with ``b + x_t @ w``.

    It has something to do for a part of the sequences from ``start`` to ``stop``; where those are few, it does so for
    some of the following steps as well, and has nothing to do for them.
    """
    product = panel_product(gates)

    @inlined
    @apart(gates, block)
    def input_shares(n: int, t: int, start: int, stop: int, s: Sizes, x: int, w: int, b: int, kept: int) -> None:
        P, rows, across = blocks_in(s), stop - start, s.inputs * size_of(s.kind)
        several = max(1, FEW // rows) if rows == s.B else 1
        if n % several:
            return
        some = min(several, s.T - n)
        at = (t if s.step > 0 else t - some + 1) * s.B + start
        for p in range(P):
            place = kept + (at * P + p) * block * BYTES
            product(
                s.kind, some * rows, x + at * across, across, s.inputs, w + p * s.inputs * gates * BYTES,
                b + p * gates * BYTES, 0, place, P * block * BYTES, gates * lanes_of(s.kind),
            )  # fmt: skip

    return input_shares


@inlined
def space_for(team: int, s: Sizes, gates: int, columns: int, W_ih: Any, W_hh: Any, needs_x: bool) -> Space:
    """Return the memory of a backward pass, with the weights packed, for so many columns of derivatives to a unit."""
    across, wide, depth, size = panels_in(s.kind, s.inputs), panels_in(s.kind, s.H), gates * s.H, size_of(s.kind)
    some = (s.T * s.B + STRETCH - 1) // STRETCH
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
    _pack_panel(team, wide, (s.kind, address(W_hh), s.H * size, depth, s.H, w_hh))
    if needs_x:
        _pack_panel(team, across, (s.kind, address(W_ih), s.inputs * size, depth, s.inputs, w_ih))
    return Space(base, steps, rows, w_ih, w_hh, x, h, d_columns, d, d_step, past)


@piece
def stretches_in(s: Sizes, a: Space) -> int:
    """Return how many stretches there are."""
    return (s.T + a.steps - 1) // a.steps


@piece
def stretch(n: int, s: Sizes, a: Space) -> tuple[int, int]:
    """Return where the n-th stretch on the way back begins in memory, and how many steps it has."""
    done = n * a.steps
    count = min(a.steps, s.T - done)
    t = s.first + s.step * (s.T - 1 - done)
    return t - count + 1 if s.step > 0 else t, count


@piece
def clear(s: Sizes, zeros: int, place: int, distance: int, count: int, units: int) -> None:
    """Write zeros to the units of so many gates, of a step that a sequence does not have."""
    for n in range(count):
        copy(s.kind, (zeros,), (place + n * distance,), units)


# The derivatives of weights and input, a stretch at a time


@piece
def _pack_step(n: int, s: Sizes, low: int, a: Space, g: Gradients) -> None:
    """Write the panels of the n-th step of a stretch from ``low`` on: of the input, and of the state before it."""
    t, size = low + n, size_of(s.kind)
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
def _add_to_weights(
    n: int, s: Sizes, gates: int, last: int, is_first: bool, depth: int, a: Space, g: Gradients
) -> None:
    """Add a stretch's part of the n-th vector of rows, P to a gate, to the derivatives of weights and biases.

    The state's share of the last gate has columns of its own, those of gate ``last``. The first stretch writes those of
    the weights.
    """
    size, lanes, P, between = size_of(s.kind), lanes_of(s.kind), blocks_in(s), a.rows * WIDE * BYTES
    gate, p = n // P, n % P
    row, some = gate * s.H + p * lanes, min(lanes, s.H - p * lanes)
    of_x = a.columns + n * a.rows * BYTES
    of_h = of_x + (last - gate) * P * a.rows * BYTES if gate == gates - 1 else of_x
    across, wide = s.inputs * size, s.H * size
    d_W_ih, d_W_hh = g.d_W_ih + row * across, g.d_W_hh + row * wide
    x_first, x_row, h_first, h_row = (g.zeros, 0, g.zeros, 0) if is_first else (d_W_ih, across, d_W_hh, wide)
    multiply_transposed(s.kind, some, of_x, depth, a.x, between, s.inputs, x_first, x_row, d_W_ih, across)
    multiply_transposed(s.kind, some, of_h, depth, a.h, between, s.H, h_first, h_row, d_W_hh, wide)
    if g.d_b_ih:
        add_rows(s.kind, of_x, depth, g.d_b_ih + row * size, some)
    if g.d_b_hh:
        add_rows(s.kind, of_h, depth, g.d_b_hh + row * size, some)


@piece
def _input_back(n: int, pieces: int, s: Sizes, depth: int, rows: int, low: int, a: Space, g: Gradients) -> None:
    """Compute the derivative of the input for a part of a stretch's rows."""
    start, stop = bounds(n, pieces, rows)
    size, across = size_of(s.kind), s.inputs * size_of(s.kind)
    multiply(
        s.kind, stop - start, a.d + start * depth * size, depth * size, depth, a.w_ih, s.inputs, g.zeros, 0,
        g.d_x + (low * s.B + start) * across, across,
    )  # fmt: skip


_pack_steps, _weights, _input = shared(_pack_step), shared(_add_to_weights), shared(_input_back)


@inlined
def finish_stretch(
    n: int, team: int, s: Sizes, gates: int, last: int, low: int, count: int, a: Space, g: Gradients
) -> None:
    """Add the part of the n-th stretch, of so many steps from ``low`` on, to all derivatives but the state's."""
    rows, depth = count * s.B, gates * s.H
    _pack_steps(team, count, (s, low, a, g))
    _weights(team, gates * blocks_in(s), (s, gates, last, n == 0, rows, a, g))
    if g.d_x:
        pieces = (rows + FEW - 1) // FEW
        _input(team, pieces, (pieces, s, depth, rows, low, a, g))
