"""The long short-term memory over a sequence.

All gates are one tanh: ``sigmoid(z) = (1 + tanh(z / 2)) / 2``, and the halves are multiplied into the weights once. A
step keeps five blocks, in this order: i, f, o, g and the cell state before it, so that the first two times the last two
is one operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backend import Array, xp
from .shared import (
    Kept,
    Kernel,
    Sums,
    Within,
    absent,
    beside,
    columns,
    cotangents,
    ending,
    let_go,
    masked,
    parts,
    rows,
    shares,
    side_by_side,
    stacked,
)

__all__ = ["LSTM"]

ORDER = [0, 1, 3, 2]
"""Where i, f, o and g stand in the weights; where the weights' i, f, g and o stand here, too."""


def forward(
    x: Array, state: tuple[Array, Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array, Array], Kept]:
    """Return the outputs (T, B, O), the last state, and what `backward` needs."""
    W_ih, W_hh, b, W_hr = weights
    B, H = state[1].shape
    W_x, W_h = _arranged(beside(W_ih, b)), _arranged(W_hh)
    xs, slices, missing = columns(x, times), parts(times, B), absent(within, times)
    hs, c_T = xp.empty((len(times) + 1, W_hh.shape[1], B), x.dtype), xp.empty((H, B), x.dtype)
    ys = [xp.empty((part.stop - part.start, 5, H, B), x.dtype) for part in slices]
    cs = [*(y[0, 4] for y in ys[1:]), c_T]  # after each part
    hs[0], ys[0][0, 4] = state[0].T, state[1].T
    for part, y, c_after in zip(slices, ys, cs, strict=True):
        shares(xs[part], W_x, _gates(y))
        _steps(y, c_after, hs[part.start : part.stop + 1], W_h, W_hr, missing[part])
    outputs = rows(hs[1:], times)
    last = (xp.ascontiguousarray(hs[-1].T), xp.ascontiguousarray(c_T.T))
    kept = Kept(x, state, weights, times, within, (hs, ys, cs))
    return masked(outputs, within), last, kept


def _arranged(weight: Array) -> Array:
    """Return a weight with its blocks in the order i, f, o, g, those of the sigmoids halved."""
    blocks = weight.reshape(4, -1)[ORDER]
    blocks[:3] *= 0.5
    return blocks.reshape(weight.shape)


def _gates(y: Array) -> Array:
    """Return the first four blocks of each step as one matrix."""
    return stacked(y)[:, : 4 * y.shape[2]]


def _steps(y: Array, c_after: Array, hs: Array, W_h: Array, W_hr: Array | None, missing: list[Any]) -> None:
    """Take the steps of a part; ``y`` has the input's shares in place of the gates, ``hs`` begins with the state."""
    H, B = c_after.shape
    from_h, products, shown = (xp.empty(shape, y.dtype) for shape in ((4 * H, B), (2, H, B), (H, B)))
    (i_g, f_c), half = products, xp.full((), 0.5, y.dtype)
    views = (_gates(y), y[:, :3], y[:, :2], y[:, 3:], y[:, 2], y[:, 4])
    for z, i_f_o, i_f, g_c, o, c, c_t, h, h_t, without in zip(
        *views, [*y[1:, 4], c_after], hs[:-1], hs[1:], missing, strict=True
    ):
        xp.dot(W_h, h, from_h)
        xp.add(z, from_h, z)
        xp.tanh(z, z)
        xp.multiply(i_f_o, half, i_f_o)
        xp.add(i_f_o, half, i_f_o)
        xp.multiply(i_f, g_c, products)
        xp.add(i_g, f_c, c_t)
        xp.tanh(c_t, shown)
        if W_hr is None:
            xp.multiply(o, shown, h_t)
        else:
            xp.dot(W_hr, xp.multiply(o, shown, shown), h_t)
        if without is not None:
            xp.copyto(h_t, h, where=without)
            xp.copyto(c_t, c, where=without)


def backward(
    kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None, Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array, Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, state, (W_ih, W_hh, b, W_hr), times, within, (hs, ys, cs) = kept
    B, H = state[1].shape
    d_hs, missing, xs = cotangents(d_outputs, hs[1:], within, times), absent(within, times), x[:: times.step]
    d_state = tuple(ending(d, part) for d, part in zip(d_last, state, strict=True))
    d_x = xp.empty((len(times), x.shape[2], B), x.dtype) if needs_x else None
    d_ys, W = xp.empty((len(ys[0]), 5, H, B), x.dtype), xp.ascontiguousarray(W_hh.T)
    of_x, of_h, of_r = Sums(), Sums(), Sums()
    for part, y, c_after in reversed(list(zip(parts(times, B), ys, cs, strict=True))):
        d_y, d_shown = d_ys[: len(y)], None if W_hr is None else xp.empty((len(y), len(W_hr), B), x.dtype)
        shown = _slopes(y, c_after, d_y)
        _steps_back(d_y, y[:, 1], d_hs[part], d_state, W, W_hr, d_shown, missing[part])
        d_z = side_by_side(_gates(d_y))
        of_x.add(d_z, xs[part].reshape(-1, x.shape[2]))
        of_h.add(d_z, side_by_side(hs[part]).T)
        if d_shown is not None:
            of_r.add(side_by_side(d_shown), side_by_side(y[:, 2] * shown).T)
        if d_x is not None:
            xp.matmul(W_ih.T, _gates(d_y), out=d_x[part])
    d_weights = (of_x.weight, of_h.weight, None if b is None else of_x.bias, of_r.weight)
    return None if d_x is None else rows(d_x, times), tuple(part.T for part in d_state), d_weights


def _slopes(y: Array, c_after: Array, d: Array) -> Array:
    """Write into the blocks of ``d``, i, f, g, o, c, the derivatives of c by the first three and of h by the last two.

    Each is ``a (1 - a) b``, or like it, and computed as ``p - p a`` from ``p = a b``. Return what the cell shows.
    """
    i_f, o, g = y[:, :2], y[:, 2], y[:, 3]
    d_if, d_g, d_o, d_c, products = d[:, :2], d[:, 2], d[:, 3], d[:, 4], d[:, 3:]
    shown = xp.empty_like(o)
    xp.tanh(y[1:, 4], shown[:-1])
    xp.tanh(c_after, shown[-1])
    xp.multiply(i_f, y[:, 3:], products)
    xp.multiply(products, i_f, d_if)
    xp.subtract(products, d_if, d_if)
    xp.multiply(products[:, 0], g, d_g)
    xp.subtract(y[:, 0], d_g, d_g)
    xp.multiply(o, shown, d_c)
    xp.multiply(d_c, o, d_o)
    xp.subtract(d_c, d_o, d_o)
    xp.multiply(d_c, shown, d_c)
    xp.subtract(o, d_c, d_c)
    return shown


def _steps_back(
    d: Array,
    f: Array,
    d_hs: Any,
    d_state: Sequence[Array],
    W: Array,
    W_hr: Array | None,
    d_shown: Any,
    missing: list[Any],
) -> None:
    """Go back through the steps of a part: the slopes in ``d`` become derivatives, ``d_state`` that before the part."""
    d_h, d_c = d_state
    views = (_gates(d), d[:, :3], d[:, 3:], d[:, 4], f, d_hs, missing)
    for t, (d_z, d_ifg, d_oc, from_h, f_t, d_output, without) in reversed(list(enumerate(zip(*views, strict=True)))):
        if d_output is not None:
            xp.add(d_h, d_output, d_h)
        past = None if without is None else (let_go(d_h, without), let_go(d_c, without))
        d_raw = d_h
        if W_hr is not None:
            d_shown[t] = d_h
            d_raw = W_hr.T.dot(d_h)
        xp.multiply(d_oc, d_raw, d_oc)
        xp.add(d_c, from_h, d_c)
        xp.multiply(d_ifg, d_c, d_ifg)
        xp.multiply(d_c, f_t, d_c)
        xp.dot(W, d_z, d_h)
        if past is not None:
            d_h += past[0]
            d_c += past[1]


def seen(kept: Kept) -> dict[str, Array]:
    """Return the gates and states of every step by their letters, (T, B, ·) each."""
    hs, ys, cs = kept.computed
    y = xp.concatenate(ys)
    blocks = {letter: y[:, k] for letter, k in zip("ifgo", ORDER, strict=True)}
    blocks |= {"c": xp.concatenate([y[1:, 4], cs[-1][None]]), "h": hs[1:]}
    return {letter: rows(block, kept.times) for letter, block in blocks.items()}


LSTM = Kernel("lstm", forward, backward, seen)
