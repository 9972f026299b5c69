"""Time chains of 1,000 ops, forward and backward, against PyTorch's eager mode.

    python -m benchmarks.op_overhead [--pairs N] [--threads N] [--json FILE]

On arrays of one element it is the overhead of an op that is timed, on large ones the arithmetic. Every op takes the
result of the one before, and additions and multiplications take the leaf too, so that its gradient is added up 1,000
times; ``mixed`` goes through the three by turns. The gradients are compared before anything is timed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import in_turn

LENGTH = 1000
SIZES = {1: 1.5, 1_000: 1.0, 100_000: 1.0}
"""Elements, and the ratio to reach."""


def chain(kind: str, tanh: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that applies the ops of a chain."""
    steps = {"add": lambda y, x: y + x, "multiply": lambda y, x: y * x, "tanh": lambda y, x: tanh(y)}
    kinds = list(steps) if kind == "mixed" else [kind]
    ops = [steps[kinds[i % len(kinds)]] for i in range(LENGTH)]

    def apply(x: Any) -> Any:
        y = x
        for op in ops:
            y = op(y, x)
        return y

    return apply


def ours(kind: str, data: np.ndarray[Any, Any]) -> in_turn.Program:
    """Return a chain of our ops."""
    import tinygrad_lstm as tg

    x, apply = tg.asarray(data, requires_grad=True), chain(kind, tg.tanh)

    def run() -> None:
        x.grad = None
        apply(x).sum().backward()

    return run, lambda: {"x": x.grad.numpy()}


def theirs(kind: str, data: np.ndarray[Any, Any]) -> in_turn.Program:
    """Return a chain of PyTorch's."""
    torch = in_turn.torch()
    x, apply = torch.tensor(data, requires_grad=True), chain(kind, torch.tanh)

    def run() -> None:
        x.grad = None
        apply(x).sum().backward()

    return run, lambda: {"x": x.grad.numpy()}


def main() -> None:
    """Print a table, and write it as JSON if asked to."""
    options = in_turn.options(__doc__, pairs=20)
    rows = []
    print(f"{'chain':<21} {in_turn.HEADER}")
    for size, goal in SIZES.items():
        data = np.random.default_rng(0).uniform(0.99, 1.01, size).astype("float32")
        for kind in ("add", "multiply", "tanh", "mixed"):
            with in_turn.programs({"PyTorch": theirs, "ours": ours}, kind, data) as lines:
                times = in_turn.timed(lines, options.pairs)
            rows += in_turn.compared(f"{kind}, {size:,}", goal, times)
    in_turn.written(rows, options.json)


if __name__ == "__main__":
    main()
