"""The tape in a hundred lines, by hand: an engine of one's own, and an LSTM step whose gradients are the library's.

The first half of this file is a whole autograd engine over NumPy: a value that remembers what it was computed from,
seven ops with their derivatives, and the sweep back. The second half runs LSTM steps on it, and on the library with the
same numbers, and compares every gradient; and it draws the library's tape of one small expression.

    python -m examples.tape_by_hand
    python -m examples.tape_by_hand --quick
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn

Pull = Callable[[np.ndarray], Sequence[np.ndarray]]
"""From the derivative with respect to a result to those with respect to what it was computed from."""


class Value:
    """An array that remembers how it was computed."""

    made = 0

    def __init__(self, array: np.ndarray, parents: tuple[Value, ...] = (), pull: Pull | None = None) -> None:
        self.array, self.parents, self.pull = array, parents, pull
        self.grad: np.ndarray | None = None
        Value.made += 1
        self.seq = Value.made  # its place on the tape: a parent is always older than its child

    def __add__(self, other: Value) -> Value:
        return Value(self.array + other.array, (self, other), lambda g: (like(g, self), like(g, other)))

    def __mul__(self, other: Value) -> Value:
        return Value(
            self.array * other.array,
            (self, other),
            lambda g: (like(g * other.array, self), like(g * self.array, other)),
        )

    def __matmul__(self, other: Value) -> Value:
        return Value(self.array @ other.array, (self, other), lambda g: (g @ other.array.T, self.array.T @ g))

    def columns(self, start: int, stop: int) -> Value:
        """Return some columns; the others have no part in it, and their gradient is 0."""

        def pull(g: np.ndarray) -> tuple[np.ndarray]:
            whole = np.zeros_like(self.array)
            whole[:, start:stop] = g
            return (whole,)

        return Value(self.array[:, start:stop], (self,), pull)

    def sigmoid(self) -> Value:
        """Return 1 / (1 + exp(-x)), whose slope is y (1 - y)."""
        y = 1 / (1 + np.exp(-self.array))
        return Value(y, (self,), lambda g: (g * y * (1 - y),))

    def tanh(self) -> Value:
        """Return tanh x, whose slope is 1 - y²."""
        y = np.tanh(self.array)
        return Value(y, (self,), lambda g: (g * (1 - y * y),))

    def sum(self) -> Value:
        """Return the sum of all elements."""
        return Value(self.array.sum(), (self,), lambda g: (np.broadcast_to(g, self.array.shape),))

    def backward(self) -> None:
        """Go through the tape from here, the newest value first, and add up gradients."""
        tape: dict[int, Value] = {}
        waiting = [self]
        while waiting:
            value = waiting.pop()
            if value.seq not in tape:
                tape[value.seq] = value
                waiting += value.parents
        self.grad = np.ones_like(self.array)
        for seq in sorted(tape, reverse=True):
            value = tape[seq]
            if value.pull is not None:
                for parent, g in zip(value.parents, value.pull(value.grad), strict=True):
                    parent.grad = g if parent.grad is None else parent.grad + g


def like(g: np.ndarray, value: Value) -> np.ndarray:
    """Return a gradient summed over the axes along which a value was broadcast."""
    g = g.sum(axis=tuple(range(g.ndim - value.array.ndim)))
    repeated = tuple(axis for axis, size in enumerate(value.array.shape) if size == 1 and g.shape[axis] > 1)
    return g.sum(axis=repeated, keepdims=True)


# An engine needs no more. Now an LSTM on it: W is (I, 4 H), U is (H, 4 H), with the gates in the order i, f, g, o.


def step(x: Value, h: Value, c: Value, W: Value, U: Value, b: Value) -> tuple[Value, Value]:
    """Return h and c after a step of an LSTM."""
    size = h.array.shape[1]
    a = x @ W + h @ U + b
    i, f, g, o = (a.columns(gate * size, (gate + 1) * size) for gate in range(4))
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def by_hand(cell: nn.LSTMCell, xs: np.ndarray) -> dict[str, np.ndarray]:
    """Return the gradients of the sum of the last h, with this engine and the weights of a cell of the library."""
    W, U = Value(cell.weight_ih.detach().numpy().T), Value(cell.weight_hh.detach().numpy().T)
    b = Value((cell.bias_ih + cell.bias_hh).detach().numpy())
    values = [Value(x) for x in xs]
    h = c = Value(np.zeros((xs.shape[1], cell.hidden_size)))
    bar = data.Progress(values, "By hand", unit="steps")
    for x in bar:
        h, c = step(x, h, c, W, U, b)
    h.sum().backward()
    return {
        "weight_ih": W.grad.T, "weight_hh": U.grad.T, "bias_ih": b.grad, "bias_hh": b.grad,
        "x": np.stack([x.grad for x in values]),
    }  # fmt: skip


def by_library(cell: nn.LSTMCell, xs: np.ndarray) -> dict[str, np.ndarray]:
    """Return the same gradients, by the library."""
    cell.zero_grad()
    sequence = tg.asarray(xs, requires_grad=True)
    state = None
    for x in sequence:
        state = cell(x, state)
    state[0].sum().backward()
    return {**{name: weight.grad.numpy() for name, weight in cell.named_parameters()}, "x": sequence.grad.numpy()}


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Compare the gradients of both engines, draw a tape; return the largest difference for each."""
    parser = argparse.ArgumentParser(prog="python -m examples.tape_by_hand", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="five steps instead of two thousand")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("tape_by_hand-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)

    tg.manual_seed(options.seed)
    cell = nn.LSTMCell(3, 4).to("float64")
    xs = np.random.default_rng(options.seed).normal(size=(5 if options.quick else 2000, 2, 3))
    ours, theirs = by_hand(cell, xs), by_library(cell, xs)
    figures = {name: float(np.abs(ours[name] - theirs[name]).max()) for name in theirs}
    print(f"Gradients after {len(xs):,} steps: the largest difference between this engine and the library,")
    for name, difference in figures.items():
        print(f"{name:>10}: {difference:.1e}, where the largest gradient is {np.abs(theirs[name]).max():.3f}")

    with tg.Tape() as tape:
        a, b = (tg.asarray(value, requires_grad=True).named(name) for name, value in (("a", 2.0), ("b", 0.5)))
        (tg.tanh(a * b) + a).named("y").backward()
    with plots.pictures(options.out):
        tg.draw(tape, options.out / "tape.svg", values=True, grads=True, direction="both", title="y = tanh(a b) + a")
    return figures


if __name__ == "__main__":
    main()
