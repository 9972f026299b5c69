"""What the compiled kernels of all kinds share: how a pass is divided among threads, and how its memory is laid out.

A vector of units and what belongs to it stand together, one vector after the other: a *block*. What a forward pass
keeps is (T, B, P) of them, P blocks to a sequence. Either each thread goes through all steps with a part of the
sequences, or, where there are few of them to much weight, all meet at every step, to which each does a part of the
units.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from ...backend import Array, xp
from ..shared import fitting
from .caching import apart, inlined, piece
from .lanes import BYTES, address, allocate, kind_of, lanes_of, nothing, size_of
from .products import WIDE, pack_transposed, panel_product, panels_in
from .spare import empty
from .team import bounds, shared

__all__ = [
    "FEW",
    "Packed",
    "Part",
    "Sizes",
    "aligned",
    "blocks_in",
    "blocks_of",
    "input_shares_of",
    "pack_weights",
    "sizes_of",
    "steps_had",
    "steps_of",
    "vectors_of",
    "whole",
    "whole_or_nothing",
]

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
        Into how many parts the sequences are divided; 0 if the units are, anew at each step.
    """

    kind: Any
    T: int
    B: int
    inputs: int
    H: int
    first: int
    step: int
    pieces: int


class Part(NamedTuple):
    """What somebody works at: sequences from ``start`` to ``stop``, vectors of units from ``left`` to ``right``."""

    start: int
    stop: int
    left: int
    right: int


class Packed(NamedTuple):
    """The weights of a forward pass, in panels: addresses in one piece of memory, ``base``, which is to be released."""

    base: int
    w_ih: int
    w_hh: int
    b_ih: int
    b_hh: int


# Arrays, for Python


def whole(x: Array) -> Array:
    """Return an array in one piece that may be written to, itself if it is: compiled code knows the difference."""
    return x if x.flags.carray else xp.array(x, order="C")


def whole_or_nothing(d: Array | None, x: Array) -> Array:
    """Return the derivative of an array of three axes in one piece, and in its type; an empty array for None."""
    return NOTHING[x.dtype] if d is None else whole(fitting(d, x.shape, x.dtype))


def steps_had(within: Array | None) -> Array:
    """Return which sequences have which steps, in one piece; an empty array if all have all."""
    return ALL if within is None else whole(within)


def blocks_of(rows: int, H: int, vectors: int, dtype: Any) -> Array:
    """Return memory for so many rows of blocks, each of so many vectors, and what it takes to begin a vector evenly."""
    lanes = BYTES // dtype.itemsize
    return empty((rows * -(-H // lanes) * vectors + 1) * lanes, dtype)


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


def steps_of(step: Any, then: Any = None) -> Any:
    """Return a function ``run(team, s, count, arguments)`` that calls ``step(k, part, s, *arguments)`` for every k.

    What needs the whole of the step is done by ``then``, called likewise.
    """
    phases, after = (1, step) if then is None else (2, then)
    which = step.py_func.__module__, step.py_func.__qualname__

    @piece
    @apart(*which)
    def with_sequences(n: int, s: Sizes, count: int, arguments: Any) -> None:
        start, stop = bounds(n, s.pieces, s.B)
        part = Part(start, stop, 0, blocks_in(s))
        for k in range(count):
            step(k, part, s, *arguments)
            if phases > 1:
                after(k, part, s, *arguments)

    @piece
    @apart(*which)
    def with_units(n: int, s: Sizes, k: int, phase: int, arguments: Any) -> None:
        part = Part(0, s.B, WIDE * n, min(WIDE * (n + 1), blocks_in(s)))
        if phase == 0:
            step(k, part, s, *arguments)
        else:
            after(k, part, s, *arguments)

    of_sequences, of_units = shared(with_sequences), shared(with_units)

    @inlined
    @apart(*which)
    def run(team: int, s: Sizes, count: int, arguments: Any) -> None:
        if s.pieces:
            of_sequences(team, s.pieces, (s, count, arguments))
        else:
            for k in range(count):
                for phase in range(phases):
                    of_units(team, panels_in(s.kind, s.H), (s, k, phase, arguments))

    return run


_pack_transposed = shared(pack_transposed)


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
    """Return a function of the n-th step, which is t, that begins its p-th blocks with ``b + x_t @ w``.

    It does so for the sequences from ``start`` to ``stop``; where those are few, for some of the following steps as
    well, and has nothing to do for them.
    """
    product = panel_product(gates)

    @inlined
    @apart(gates, block)
    def input_shares(
        n: int, t: int, p: int, start: int, stop: int, s: Sizes, x: int, w: int, b: int, kept: int
    ) -> None:
        P, rows, across = blocks_in(s), stop - start, s.inputs * size_of(s.kind)
        several = max(1, FEW // rows) if rows == s.B else 1
        if n % several:
            return
        some = min(several, s.T - n)
        at = (t if s.step > 0 else t - some + 1) * s.B + start
        product(
            s.kind, some * rows, x + at * across, across, s.inputs, w + p * s.inputs * gates * BYTES,
            b + p * gates * BYTES, nothing(), kept + (at * P + p) * block * BYTES, P * block * BYTES,
            gates * lanes_of(s.kind),
        )  # fmt: skip

    return input_shares
