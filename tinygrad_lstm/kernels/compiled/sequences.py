"""What the compiled kernels of all kinds share: arrays in one piece, the steps' order, derivatives of weights."""

from __future__ import annotations

from typing import Any

from ...backend import Array, xp
from .caching import compiled
from .lanes import SIZE, elementwise
from .products import multiply, multiply_transposed, workspace
from .tile import ROWS
from .workers import parts, together

__all__ = [
    "accumulate",
    "address",
    "derivative_of_recurrence",
    "derivative_of_weight",
    "derivatives_of_input",
    "input_shares",
    "masked",
    "steps_had",
    "whole",
]

accumulate = elementwise(lambda total, x: (total + x,))


def whole(x: Array) -> Array:
    """Return an array in one piece, itself if it is."""
    return xp.ascontiguousarray(x, "float32")


def steps_had(within: Array | None) -> Array | None:
    """Return which sequences have which steps, in one piece, if not all have all."""
    return None if within is None else xp.ascontiguousarray(within, "bool")


def address(x: Array | None) -> int:
    """Return where an array lies, 0 for None."""
    return 0 if x is None else _address(x)


def masked(x: Array, within: Array | None) -> Array:
    """Return states with 0 where a sequence does not have the step."""
    return x if within is None else x * within


@compiled
def _address(x: Any) -> int:
    """Return the same, in a fifth of the time that Python takes to ask an array."""
    return x.ctypes.data


@compiled
def _together(rows: int, B: int) -> int:
    """Return for how many steps a product is computed at once: several if a part is the whole batch, and that small."""
    return max(1, 32 // rows) if rows == B else 1


@compiled
def input_shares(
    n: int, T: int, t: int, step: int, B: int, start: int, stop: int, x: int, inputs: int, w: int, columns: int,
    b: int, z: int,
) -> None:  # fmt: skip
    """Compute ``x @ w + b`` for the n-th step, which is t, and perhaps for those that follow."""
    rows = stop - start
    some = _together(rows, B)
    if n % some == 0:
        some = min(some, T - n)
        row = (t if step > 0 else t - some + 1) * B + start
        multiply(x + row * inputs * SIZE, some * rows, inputs, w, columns, b, 0, z + row * columns * SIZE)


@compiled
def derivatives_of_input(
    n: int, T: int, t: int, step: int, B: int, start: int, stop: int, d: int, columns: int, w: int, inputs: int,
    zeros: int, d_x: int,
) -> None:  # fmt: skip
    """Compute ``d @ w`` for the n-th step on the way back, which is t, and perhaps for those that came before it."""
    rows = stop - start
    some = _together(rows, B)
    if (n + 1) % some == 0 or n == T - 1:
        some = n % some + 1
        row = (t if step > 0 else t - some + 1) * B + start
        multiply(d + row * columns * SIZE, some * rows, columns, w, inputs, zeros, 0, d_x + row * inputs * SIZE)


def derivative_of_weight(d: Array, x: Array) -> Array:
    """Return the sum of ``d[t].T @ x[t]`` over the steps."""
    made = xp.zeros((d.shape[2], x.shape[2]), "float32")
    _add_products(d, x, made)
    return made


def derivative_of_recurrence(d: Array, states: Array, first: Array, times: range) -> Array:
    """Return that of the weight by which a step multiplies the state before it."""
    later, earlier = (slice(1, None), slice(None, -1)) if times.step > 0 else (slice(None, -1), slice(1, None))
    made = derivative_of_weight(d[times[0]][None], first[None])
    if len(times) > 1:
        _add_products(d[later], states[earlier], made)
    return made


def _add_products(d: Array, x: Array, made: Array) -> None:
    T, B, G = d.shape
    columns = x.shape[2]
    bounds = parts(G, 2.0 * d.size * columns, ROWS)
    spaces = [workspace(columns) for _ in bounds]

    def work(n: int, start: int, stop: int) -> None:
        multiply_transposed(
            address(d), G, start, stop, address(x), columns, T * B, address(made), address(spaces[n])
        )  # fmt: skip

    together(work, bounds)
