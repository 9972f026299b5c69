"""`adam`: a step of the optimiser over the parameters of an LSTM."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .declarations import Benchmark, Program, Size, Step
from .layers import COMPILED, IN_NUMPY
from .targets import Ratio

LR = 0.01


class Work(NamedTuple):
    """Parameters by name, and a gradient for each."""

    parameters: dict[str, Any]
    gradients: dict[str, Any]


def work(size: Size) -> Work:
    """Return the parameters of an LSTM layer, the same every time."""
    inputs, hidden = size
    rows, rng = 4 * hidden, np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, hidden)}
    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    draws = [{name: rng.standard_normal(shape, "float32") for name, shape in shapes.items()} for _ in range(2)]
    return Work(*draws)


def ours(work: Work) -> Step:
    """Return a step of our Adam."""
    import tinygrad_lstm as tg

    parameters = {name: tg.asarray(value, requires_grad=True) for name, value in work.parameters.items()}
    for name, parameter in parameters.items():
        parameter.grad = tg.asarray(work.gradients[name])
    optimizer = tg.optim.Adam(parameters.values(), lr=LR)
    return Step(optimizer.step, lambda: {name: p.detach().numpy().copy() for name, p in parameters.items()})


def torchs(work: Work, **options: bool) -> Step:
    """Return a step of PyTorch's Adam."""
    import torch

    parameters = {name: torch.tensor(value, requires_grad=True) for name, value in work.parameters.items()}
    for name, parameter in parameters.items():
        parameter.grad = torch.tensor(work.gradients[name])
    optimizer = torch.optim.Adam(parameters.values(), lr=LR, **options)
    return Step(optimizer.step, lambda: {name: p.detach().numpy().copy() for name, p in parameters.items()})


BENCHMARKS = [
    Benchmark(
        name="adam",
        about="a step of Adam over the parameters of an LSTM layer, float32",
        axes=("input", "hidden"),
        sizes=[(16, 32), (64, 128), (256, 512), (512, 1024)],
        work=work,
        programs={
            "compiled": Program(ours, COMPILED.needs, COMPILED.environment),
            "in NumPy": Program(ours, environment=IN_NUMPY),
            "PyTorch": Program(torchs, needs=("torch",)),
            "PyTorch fused": Program(partial(torchs, fused=True), needs=("torch",)),
        },
        baseline="PyTorch",
        quick=(2, 3),
        targets=(
            Ratio("compiled", ("PyTorch",), "PyTorch", 1.0, "largest"),
            Ratio("compiled", ("PyTorch fused",), "PyTorch fused", 1.0, "largest"),
            Ratio("in NumPy", ("PyTorch",), "PyTorch", 1.0, "largest"),
        ),
    )
]
