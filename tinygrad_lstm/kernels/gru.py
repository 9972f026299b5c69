"""The gated recurrent unit over a sequence, its reset gate behind the product.

The gates are a tanh of halves, as those of the `LSTM`. A step keeps four blocks: r, z, n, and v, the state's share of n
before it is reset.
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

__all__ = ["GRU"]


def forward(
    x: Array, state: tuple[Array], weights: Sequence[Any], times: range, within: Within
) -> tuple[Array, tuple[Array], Kept]:
    """Return the outputs (T, B, H), the last state, and what `backward` needs."""
    W_ih, W_hh, b_ih, b_hh = weights
    B, H = state[0].shape
    W_x, W_h, xs, missing = _halved(beside(W_ih, b_ih)), _halved(W_hh), columns(x, times), absent(within, times)
    b_h = None if b_hh is None else xp.repeat(_halved(b_hh[:, None]), B, axis=1)  # an array is added faster than rows
    slices, hs = parts(times, B), xp.empty((len(times) + 1, H, B), x.dtype)
    ys = [xp.empty((part.stop - part.start, 4, H, B), x.dtype) for part in slices]
    hs[0] = state[0].T
    for part, y in zip(slices, ys, strict=True):
        shares(xs[part], W_x, _of_x(y))
        _steps(y, hs[part.start : part.stop + 1], W_h, b_h, missing[part])
    outputs = rows(hs[1:], times)
    kept = Kept(x, state, weights, times, within, (hs, ys))
    return masked(outputs, within), (xp.ascontiguousarray(hs[-1].T),), kept


def _halved(weight: Array) -> Array:
    """Return a weight with the blocks of the gates halved."""
    weight = xp.array(weight, order="C")
    weight[: len(weight) // 3 * 2] *= 0.5
    return weight


def _of_x(y: Array) -> Array:
    """Return the first three blocks of each step as one matrix."""
    return stacked(y)[:, : 3 * y.shape[2]]


def _steps(y: Array, hs: Array, W_h: Array, b_h: Array | None, missing: list[Any]) -> None:
    """Take the steps of a part; ``y`` has the input's shares in place of the gates, ``hs`` begins with the state."""
    H, B = hs.shape[1:]
    from_h, half = xp.empty((3 * H, B), y.dtype), xp.full((), 0.5, y.dtype)
    to_gates, to_n = from_h[: 2 * H], from_h[2 * H :]
    views = (_of_x(y)[:, : 2 * H], y[:, 0], y[:, 1], y[:, 2], y[:, 3])
    for r_z, r, z, n, v, h, h_t, without in zip(*views, hs[:-1], hs[1:], missing, strict=True):
        xp.dot(W_h, h, from_h)
        if b_h is not None:
            xp.add(from_h, b_h, from_h)
        xp.add(r_z, to_gates, r_z)
        xp.tanh(r_z, r_z)
        xp.multiply(r_z, half, r_z)
        xp.add(r_z, half, r_z)
        v[...] = to_n
        xp.multiply(r, v, to_n)
        xp.add(n, to_n, n)
        xp.tanh(n, n)
        xp.subtract(h, n, h_t)
        xp.multiply(h_t, z, h_t)
        xp.add(h_t, n, h_t)
        if without is not None:
            xp.copyto(h_t, h, where=without)


def backward(
    kept: Kept, d_outputs: Array | None, d_last: tuple[Array | None], needs_x: bool
) -> tuple[Array | None, tuple[Array], tuple[Any, ...]]:
    """Return the derivatives of the input, the state before, and the weights."""
    x, (h_0,), (W_ih, W_hh, b_ih, b_hh), times, within, (hs, ys) = kept
    B, H = h_0.shape
    d_hs, missing, xs = cotangents(d_outputs, hs[1:], within, times), absent(within, times), x[:: times.step]
    d_h, W = ending(d_last[0], h_0), xp.ascontiguousarray(W_hh.T)
    W_x = xp.roll(W_ih, H, axis=0).T  # the blocks in the order n, r, z
    d_x = xp.empty((len(times), x.shape[2], B), x.dtype) if needs_x else None
    d_ys, of_x, of_h = xp.empty_like(ys[0]), Sums(), Sums()
    for part, y in reversed(list(zip(parts(times, B), ys, strict=True))):
        d_y = d_ys[: len(y)]
        _slopes(y, hs[part], d_y)
        _steps_back(d_y, y, d_hs[part], d_h, W, missing[part])
        d_z = side_by_side(stacked(d_y))
        of_x.add(d_z[: 3 * H], xs[part].reshape(-1, x.shape[2]))
        of_h.add(d_z[H:], side_by_side(hs[part]).T)
        if d_x is not None:
            xp.matmul(W_x, _of_x(d_y), out=d_x[part])
    d_W_ih, d_b_ih = xp.roll(of_x.weight, -H, axis=0), None if b_ih is None else xp.roll(of_x.bias, -H)
    d_weights = (d_W_ih, of_h.weight, d_b_ih, None if b_hh is None else of_h.bias)
    return None if d_x is None else rows(d_x, times), (d_h.T,), d_weights


def _slopes(y: Array, hs: Array, d: Array) -> None:
    """Write into the first three blocks of ``d`` the derivatives of h by n, of n's by r, and of h by z."""
    r, z, n, v = (y[:, k] for k in range(4))
    d_n, d_r, d_z, u = (d[:, k] for k in range(4))
    xp.multiply(n, n, u)
    xp.subtract(1, u, u)
    xp.multiply(u, z, d_n)
    xp.subtract(u, d_n, d_n)
    xp.multiply(r, v, u)
    xp.multiply(u, r, d_r)
    xp.subtract(u, d_r, d_r)
    xp.subtract(hs, n, u)
    xp.multiply(u, z, u)
    xp.multiply(u, z, d_z)
    xp.subtract(u, d_z, d_z)


def _steps_back(d: Array, y: Array, d_hs: Any, d_h: Array, W: Array, missing: list[Any]) -> None:
    """Go back through the steps of a part: the slopes in ``d`` become derivatives by n, r, z and v."""
    H, carried = len(d_h), xp.empty_like(d_h)
    views = (d[:, 0], d[:, 1], d[:, ::2][:, :2], d[:, 3], stacked(d)[:, H:], y[:, 0], y[:, 1])
    for d_n, d_r, d_nz, d_v, d_rzv, r, z, d_output, without in reversed(list(zip(*views, d_hs, missing, strict=True))):
        if d_output is not None:
            xp.add(d_h, d_output, d_h)
        past = None if without is None else let_go(d_h, without)
        xp.multiply(d_h, z, carried)
        xp.multiply(d_nz, d_h, d_nz)
        xp.multiply(d_r, d_n, d_r)
        xp.multiply(d_n, r, d_v)
        xp.dot(W, d_rzv, d_h)
        xp.add(d_h, carried, d_h)
        if past is not None:
            d_h += past


def seen(kept: Kept) -> dict[str, Array]:
    """Return the gates and states of every step by their letters, (T, B, H) each."""
    hs, ys = kept.computed
    y = xp.concatenate(ys)
    blocks = {"r": y[:, 0], "z": y[:, 1], "n": y[:, 2], "h": hs[1:]}
    return {letter: rows(block, kept.times) for letter, block in blocks.items()}


GRU = Kernel("gru", forward, backward, seen)
