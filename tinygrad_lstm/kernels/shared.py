"""What the kernels of all kinds share: the input's share of all steps, derivatives, and steps that are not had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from ..backend import Array, xp

__all__ = [
    "Kept",
    "Kernel",
    "Within",
    "before",
    "begin",
    "derivative_of_recurrence",
    "derivatives_of_shares",
    "hold",
    "let_go",
    "shares",
]

Within: TypeAlias = "Array | None"


class Kernel(NamedTuple):
    """The functions of a kernel, and the name under which it stands on the tape."""

    name: str
    forward: Callable[..., Any]
    backward: Callable[..., Any]
    seen: Callable[[Kept], dict[str, Array]]


class Kept(NamedTuple):
    """What a forward pass keeps for the backward one: what it was given, and what it computed on the way."""

    x: Array
    state: tuple[Array, ...]
    weights: Any
    times: range
    within: Within
    computed: tuple[Array, ...]


def shares(x: Array, weight: Array, bias: Array | None) -> Array:
    """Return ``x @ weight + bias`` for all steps at once, (T, B, columns), in memory of its own."""
    T, B, _ = x.shape
    z = xp.matmul(x.reshape(T * B, x.shape[2]), weight)
    if bias is not None:
        z += bias
    return z.reshape(T, B, weight.shape[1])


def derivatives_of_shares(d_z: Array, x: Array, weight: Array, needs_x: bool) -> tuple[Array | None, Array]:
    """Return those of ``x``, if it is needed, and of a weight (rows, I), from that of ``x @ weight.T``."""
    flat = d_z.reshape(-1, d_z.shape[2])
    d_x = xp.matmul(flat, weight).reshape(x.shape) if needs_x else None
    return d_x, xp.matmul(flat.T, x.reshape(-1, x.shape[2]))


def begin(d: Array | None, state: Array) -> Array:
    """Return the derivative of a last state to go on with, in one piece and in memory of its own; zeros for None."""
    return xp.zeros(state.shape, state.dtype) if d is None else xp.array(d, dtype=state.dtype, order="C")


def before(t: int, times: range, states: Array, first: Array) -> Array:
    """Return the state before a step."""
    return first if t == times[0] else states[t - times.step]


def derivative_of_recurrence(d_z: Array, states: Array, first: Array, times: range) -> Array:
    """Return that of the weight (rows, O) by which a step multiplies the state before it."""
    later, earlier = (slice(1, None), slice(None, -1)) if times.step > 0 else (slice(None, -1), slice(1, None))
    derivative = xp.matmul(d_z[times[0]].T, first)
    if len(times) > 1:
        derivative += xp.matmul(d_z[later].reshape(-1, d_z.shape[2]).T, states[earlier].reshape(-1, first.shape[1]))
    return derivative


def hold(new: Array, old: Array, within: Array) -> None:
    """Put the old state back in place of the new one where a sequence does not have the step."""
    xp.copyto(new, old, where=~within)


def let_go(d_new: Array, within: Array) -> Any:
    """Return the part of a state's derivative that goes past a step unchanged, and take it out of ``d_new``."""
    past = d_new * ~within
    d_new *= within
    return past
