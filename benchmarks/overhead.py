"""`ops`: chains of ops, forward and backward. On one element it is the overhead of an op that is timed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .declarations import Benchmark, Program, Size, Step
from .peers import hips_chain, my_chain
from .targets import Ratio

LENGTH = 1000
KINDS = ("add", "multiply", "tanh", "mixed")
GOALS = {1: 1.5, 1_000: 1.0, 100_000: 1.0}
"""Elements, and the ratio to reach."""

SIZES: list[Size] = [(kind, elements) for elements in GOALS for kind in KINDS]


def chain(kind: str, tanh: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function that applies the ops of a chain; additions and multiplications take the leaf too."""
    steps = {"add": lambda y, x: y + x, "multiply": lambda y, x: y * x, "tanh": lambda y, x: tanh(y)}
    kinds = list(steps) if kind == "mixed" else [kind]
    ops = [steps[kinds[i % len(kinds)]] for i in range(LENGTH)]

    def apply(x: Any) -> Any:
        y = x
        for op in ops:
            y = op(y, x)
        return y

    return apply


def work(size: Size) -> tuple[str, Any]:
    """Return the kind of a chain, and what it starts from."""
    kind, elements = size
    return kind, np.random.default_rng(0).uniform(0.99, 1.01, elements).astype("float32")


def ours(work: tuple[str, Any]) -> Step:
    """Return a chain of our ops."""
    import tinygrad_lstm as tg

    x, apply = tg.asarray(work[1], requires_grad=True), chain(work[0], tg.tanh)

    def run() -> None:
        x.grad = None
        apply(x).sum().backward()

    return Step(run, lambda: {"x": x.grad.numpy()})


def torchs(work: tuple[str, Any]) -> Step:
    """Return a chain of PyTorch's."""
    import torch

    x, apply = torch.tensor(work[1], requires_grad=True), chain(work[0], torch.tanh)

    def run() -> None:
        x.grad = None
        apply(x).sum().backward()

    return Step(run, lambda: {"x": x.grad.numpy()})


def others(program: Callable[..., Step], work: tuple[str, Any]) -> Step:
    """Return a chain of a peer's."""
    return program(work[1], partial(chain, work[0]))


BENCHMARKS = [
    Benchmark(
        name="ops",
        about=f"a chain of {LENGTH:,} ops, forward and backward, float32",
        axes=("chain", "elements"),
        sizes=SIZES,
        work=work,
        programs={
            "ours": Program(ours),
            "PyTorch": Program(torchs, needs=("torch",)),
            "HIPS autograd": Program(partial(others, hips_chain), needs=("autograd",)),
            "MyGrad": Program(partial(others, my_chain), needs=("mygrad",)),
        },
        baseline="PyTorch",
        quick=("mixed", 2),
        targets=tuple(
            Ratio("ours", ("PyTorch",), "PyTorch", goal, "largest", [(kind, elements)])
            for elements, goal in GOALS.items()
            for kind in KINDS
        ),
        unit="op",
        count=lambda size: LENGTH,
    )
]
