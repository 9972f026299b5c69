"""`long`, `memory` and `batch`: how time and memory grow with the steps and with the batch.

Each program goes through a short input first, so that what it loads and compiles is not taken for memory of the steps.
"""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Callable
from functools import partial
from typing import Any

from .declarations import Benchmark, Program, Size, Step
from .layers import AXES, COMPILED, IN_NUMPY, Work, composed, jaxs, ours, torchs, work
from .targets import Flat, Memory, Ratio

SHORT = 4
STEPS = [(T, 16, 32, 32) for T in (100, 1_000, 10_000, 100_000)]
LENGTHS = [(T, 16, 32, 64) for T in (1_000, 4_000, 16_000, 64_000)]
BATCHES = [(32, B, 64, 128) for B in (1, 4, 16, 64, 256, 1024, 4096)]


def steps(size: Size) -> int:
    """Return T."""
    T: int = size[0]
    return T


def sequences(size: Size) -> int:
    """Return B."""
    B: int = size[1]
    return B


def ready(make: Callable[[Work], Step], work: Work) -> Step:
    """Return a step behind one over the first few inputs."""
    make(work._replace(x=work.x[:SHORT])).run()
    return make(work)


def in_segments(lib: Any, layer: Any, apply: Callable[..., Any], work: Work, x: Any) -> Any:
    """Return the mean of squares of a layer's outputs, computed in segments of about the square root of T steps.

    A segment gives its part of the sum and its last state; ``apply`` calls it and keeps nothing else.
    """
    length, state, total = math.isqrt(len(x)), (), 0.0

    def segment(x: Any, *state: Any) -> Any:
        y, (h, c) = layer(x, state or None)
        return lib.sum(lib.square(y)), h, c

    for t in range(0, len(x), length):
        part, *state = apply(segment, x[t : t + length], *state)
        total = total + part
    return total / (x.shape[0] * x.shape[1] * work.sizes[1])


def checkpointed(work: Work, stepwise: bool = False) -> Step:
    """Return a training step of our layer, checkpointed, with its kernel or without."""
    import tinygrad_lstm as tg

    layer = tg.nn.LSTM(*work.sizes)
    layer.load_state_dict(work.weights)
    x = tg.asarray(work.x)

    def run() -> None:
        layer.zero_grad()
        with tg.nn.stepwise() if stepwise else contextlib.nullcontext():
            in_segments(tg, layer, tg.checkpoint, work, x).backward()

    return Step(run, lambda: {name: p.grad.numpy() for name, p in layer.named_parameters()})


def torchs_checkpointed(work: Work) -> Step:
    """Return the same of PyTorch's layer."""
    import torch
    from torch.utils.checkpoint import checkpoint

    layer = torch.nn.LSTM(*work.sizes)
    layer.load_state_dict({name: torch.tensor(weight) for name, weight in work.weights.items()})
    x = torch.tensor(work.x)

    def run() -> None:
        layer.zero_grad()
        in_segments(torch, layer, partial(checkpoint, use_reentrant=False), work, x).backward()

    return Step(run, lambda: {name: p.grad.numpy() for name, p in layer.named_parameters()})


def uncollected(make: Callable[[Work], Step], work: Work) -> Step:
    """Return a step in a process whose garbage Python's collector of cycles leaves alone."""
    gc.disable()
    return make(work)


TORCH = Program(partial(ready, torchs), needs=("torch",))

BENCHMARKS = [
    Benchmark(
        name="long",
        about="a training step of an LSTM layer over long sequences, float32",
        axes=AXES,
        sizes=STEPS,
        work=work,
        programs={
            "compiled": Program(partial(ready, ours), COMPILED.needs, COMPILED.environment),
            "in NumPy": Program(partial(ready, ours), environment=IN_NUMPY),
            "composed": Program(partial(ready, composed)),
            "composed, gc off": Program(partial(uncollected, partial(ready, composed))),
            "PyTorch": TORCH,
        },
        baseline="PyTorch",
        quick=(9, 2, 3, 4),
        targets=tuple(
            Flat(name, steps, "time step", goal=1.25)
            for name in ("compiled", "in NumPy", "composed", "composed, gc off", "PyTorch")
        ),
        unit="step",
        count=steps,
        tolerance=1e-2,
        least=1,
    ),
    Benchmark(
        name="memory",
        about="a training step of an LSTM layer over long sequences, as it is and in checkpointed segments of √T steps",
        axes=AXES,
        sizes=LENGTHS,
        work=work,
        programs={
            "in NumPy": Program(partial(ready, ours), environment=IN_NUMPY),
            "in NumPy, checkpoint": Program(partial(ready, checkpointed), environment=IN_NUMPY),
            "composed": Program(partial(ready, composed)),
            "composed, checkpoint": Program(partial(ready, partial(checkpointed, stepwise=True))),
            "PyTorch": TORCH,
            "PyTorch, checkpoint": Program(partial(ready, torchs_checkpointed), needs=("torch",)),
        },
        baseline="PyTorch",
        quick=(9, 2, 3, 4),
        targets=tuple(
            Memory(name + suffix, steps, "number of steps", goal)
            for name in ("in NumPy", "composed", "PyTorch")
            for suffix, goal in (("", 1.05), (", checkpoint", 0.6))
        ),
        unit="step",
        count=steps,
        tolerance=1e-2,
        least=1,
    ),
    Benchmark(
        name="batch",
        about="a training step of an LSTM layer over batches of 1 to 4096 sequences, float32",
        axes=AXES,
        sizes=BATCHES,
        work=work,
        programs={
            "compiled": COMPILED,
            "in NumPy": Program(ours, environment=IN_NUMPY),
            "PyTorch": Program(torchs, needs=("torch",)),
            "JAX scan": Program(jaxs, needs=("jax",)),
        },
        baseline="PyTorch",
        quick=(3, 2, 4, 5),
        targets=(Ratio("compiled", ("PyTorch",), "PyTorch", 0.75, "largest"),),
        unit="sequence",
        count=sequences,
    ),
]
