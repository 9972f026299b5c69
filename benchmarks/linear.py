"""`linear`: a training step of a `Linear` layer, ours and PyTorch's: three products, and little besides.

Forward, sum, backward to the weight, the bias and the input, in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .declarations import Benchmark, Program, Size, Step
from .layers import COMPILED, IN_NUMPY
from .targets import Ratio


class Work(NamedTuple):
    """A weight, a bias, an input, and the cotangent of the output."""

    weight: np.ndarray[Any, Any]
    bias: np.ndarray[Any, Any]
    x: np.ndarray[Any, Any]
    d_y: np.ndarray[Any, Any]


def work(size: Size) -> Work:
    """Return all of them, the same every time."""
    rows, inputs, outputs = size
    rng = np.random.default_rng(0)
    shapes = (outputs, inputs), (outputs,), (rows, inputs), (rows, outputs)
    return Work(*(rng.uniform(-1, 1, shape).astype("float32") for shape in shapes))


def million_operations(size: Size) -> int:
    """Return how many million products and sums a step takes."""
    rows, inputs, outputs = size
    return max(1, 6 * rows * inputs * outputs // 10**6)


def ours(work: Work) -> Step:
    """Return a step of our layer."""
    import tinygrad_lstm as tg

    layer = tg.nn.Linear(*work.weight.T.shape)
    layer.load_state_dict({"weight": work.weight, "bias": work.bias})
    return training_step(layer, tg.asarray(work.x, requires_grad=True), tg.asarray(work.d_y))


def torchs(work: Work) -> Step:
    """Return a step of PyTorch's layer."""
    import torch

    layer = torch.nn.Linear(*work.weight.T.shape)
    layer.load_state_dict({"weight": torch.tensor(work.weight), "bias": torch.tensor(work.bias)})
    return training_step(layer, torch.tensor(work.x, requires_grad=True), torch.tensor(work.d_y))


def training_step(layer: Any, x: Any, d_y: Any) -> Step:
    """Return a step of either layer: what it takes has the same names in both libraries."""

    def run() -> None:
        layer.zero_grad()
        x.grad = None
        (layer(x) * d_y).sum().backward()

    return Step(run, lambda: {"x": x.grad.numpy(), **{name: p.grad.numpy() for name, p in layer.named_parameters()}})


BENCHMARKS = [
    Benchmark(
        name="linear",
        about="a training step of a Linear layer, float32",
        axes=("rows", "input", "output"),
        sizes=[(32, 32, 32), (64, 64, 256), (64, 256, 1024), (2048, 256, 96), (1024, 1024, 1024), (20, 650, 2600)],
        work=work,
        programs={
            "compiled": Program(ours, COMPILED.needs, COMPILED.environment),
            "in NumPy": Program(ours, environment=IN_NUMPY),
            "PyTorch": Program(torchs, needs=("torch",)),
        },
        baseline="PyTorch",
        quick=(3, 4, 5),
        targets=(Ratio("compiled", ("PyTorch",), "PyTorch", 1.0, "largest"),),
        unit="Mflop",
        count=million_operations,
    )
]
