"""What the kernels of all kinds share: columns and parts, the input's share of steps, derivatives of weights.

Within a kernel the steps stand in the order in which they are taken and sequences are columns, (T, ·, B): so the gates
of a step lie one behind the other, each in one piece, which NumPy goes through two to four times as fast as through
pieces of rows. A sequence is computed in parts of some steps: what is made for one part stays in the caches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from ..backend import Array, xp

__all__ = [
    "Kept",
    "Kernel",
    "Sums",
    "Within",
    "absent",
    "begin",
    "beside",
    "columns",
    "cotangents",
    "ending",
    "fitting",
    "let_go",
    "masked",
    "parts",
    "rows",
    "shares",
    "side_by_side",
    "stacked",
]

Within: TypeAlias = "Array | None"

TOGETHER = 1024
"""How many columns a part has, steps times sequences: enough for products at full speed."""

FEW = 32
"""Below so many sequences a product of all rows of a part is faster than one of columns a step, in spite of turning."""


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
    computed: tuple[Any, ...]


def columns(x: Array, times: range) -> Array:
    """Return sequences (T, B, ·) as (T, ·, B) in the order of the steps."""
    return x[:: times.step].transpose(0, 2, 1)


def rows(x: Array, times: range) -> Array:
    """Return what is in columns as it is outside: the inverse of `columns`."""
    return x.transpose(0, 2, 1)[:: times.step]


def parts(times: range, batch: int) -> list[slice]:
    """Return the parts of a sequence."""
    steps = max(1, TOGETHER // max(1, batch))
    return [slice(start, min(start + steps, len(times))) for start in range(0, len(times), steps)]


def absent(within: Within, times: range) -> Any:
    """Return for each step which columns do not have it, (1, B); None if all have all."""
    return [None] * len(times) if within is None else list(~columns(within, times))


def beside(weight: Array, bias: Array | None) -> Array:
    """Return a weight with the bias, if there is one, as its last column."""
    return weight if bias is None else xp.concatenate([weight, bias[:, None]], axis=1)


def shares(x: Array, weight: Array, out: Array) -> None:
    """Write ``weight @ x_t``, plus the bias if that stands `beside` the weight, for the steps of a part, (·, I, B)."""
    steps, size, B = x.shape
    if B < FEW:
        z = x.transpose(0, 2, 1).reshape(steps * B, size).dot(weight[:, :size].T)
        if weight.shape[1] > size:
            z += weight[:, size]
        out[...] = z.reshape(steps, B, len(weight)).transpose(0, 2, 1)
    else:
        with_ones = xp.empty((steps, weight.shape[1], B), x.dtype)
        with_ones[:, :size] = x
        with_ones[:, size:] = 1
        xp.matmul(weight, with_ones, out=out)


def fitting(d: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return a derivative that was given, in the type of what it is of; refuse one of another shape."""
    if d.shape != shape:
        raise ValueError(f"A recurrent layer: got a gradient of shape {d.shape} for what has the shape {shape}.")
    return d if d.dtype == dtype else d.astype(dtype)


def begin(d: Array | None, state: Array) -> Array:
    """Return the derivative of a last state to go on with, in one piece and in memory of its own; zeros for None."""
    if d is None:
        return xp.zeros(state.shape, state.dtype)
    return xp.array(fitting(d, state.shape, state.dtype), order="C")


def ending(d: Array | None, state: Array) -> Array:
    """Return the same in columns."""
    return begin(None if d is None else fitting(d, state.shape, state.dtype).T, state.T)


def cotangents(d_outputs: Array | None, outputs: Array, within: Within, times: range) -> Any:
    """Return those of the outputs step by step, in columns; None for each if there are none.

    ``outputs`` is what there is in columns of the same shape and type.
    """
    if d_outputs is None:
        return [None] * len(times)
    steps, size, B = outputs.shape
    return columns(masked(fitting(d_outputs, (steps, B, size), outputs.dtype), within), times)


def masked(x: Array, within: Within) -> Array:
    """Return what belongs to steps, with 0 where a sequence does not have the step."""
    return x if within is None else x * within


def let_go(d_new: Array, absent: Array) -> Any:
    """Return the part of a state's derivative that goes past a step unchanged, and take it out of ``d_new``."""
    past = d_new * absent
    d_new -= past
    return past


class Sums:
    """The derivatives of a weight and its bias, added up part by part."""

    def __init__(self) -> None:
        self.weight: Any = None
        self.bias: Any = None

    def add(self, d_z: Array, x: Array) -> None:
        """Add those of ``z = weight @ x + bias``, of ``d_z`` (rows, n) and ``x`` (n, ·)."""
        weight, bias = d_z.dot(x), d_z.dot(xp.ones(len(x), x.dtype))
        if self.weight is None:
            self.weight, self.bias = weight, bias
        else:
            self.weight += weight
            self.bias += bias


def stacked(y: Array) -> Array:
    """Return the blocks of each step, (steps, blocks, H, B), as one matrix a step."""
    steps, blocks, H, B = y.shape
    return y.reshape(steps, blocks * H, B)


def side_by_side(x: Array) -> Array:
    """Return the columns of a part, (steps, ·, B), as one matrix, in memory of its own."""
    steps, count, B = x.shape
    return x.transpose(1, 0, 2).reshape(count, steps * B)
