"""Time a training step of the LSTM composed of primitives against a loop over `torch.nn.LSTMCell`.

    python -m benchmarks.composed_lstm [--pairs N] [--threads N] [--json FILE]

Forward, mean of squares, backward, in float32, with the same weights and input. Two programs of ours are timed:
`nn.LSTM`, and a loop over `nn.LSTMCell` written like the one for PyTorch. Each program lives in a process of its own,
and they take turns with a pause between, because the threads of a BLAS go on spinning when their work is done and would
disturb whoever comes next. The gradients are compared before anything is timed. A ratio is ours over PyTorch's, the
median over the pairs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import numpy as np

SIZES = {(32, 1, 16, 32): 0.7, (50, 16, 32, 64): 0.9, (64, 32, 64, 128): 1.0, (100, 64, 128, 256): 1.0}
"""(steps, batch, input size, hidden size), and the ratio to reach."""

WARM_UP = 3
PAUSE = 0.2
"""Seconds between two runs, several times as long as OpenBLAS's threads spin."""

Arrays: TypeAlias = dict[str, np.ndarray[Any, Any]]
Program: TypeAlias = tuple[Callable[[], None], Callable[[], Arrays]]
"""A training step, and the gradients that it leaves."""


def our_layer(weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return a training step of our layer."""
    import tinygrad_lstm as tg

    layer = tg.nn.LSTM(x.shape[2], weights["weight_hh"].shape[1])
    layer.load_state_dict({f"{name}_l0": weight for name, weight in weights.items()})
    inputs = tg.asarray(x)

    def step() -> None:
        layer.zero_grad()
        output, _ = layer(inputs)
        tg.mean(tg.square(output)).backward()

    return step, lambda: {name.removesuffix("_l0"): p.grad.numpy() for name, p in layer.named_parameters()}


def our_loop(weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return a training step of a loop over our cell."""
    import tinygrad_lstm as tg

    cell = tg.nn.LSTMCell(x.shape[2], weights["weight_hh"].shape[1])
    cell.load_state_dict(weights)
    inputs = tg.asarray(x)

    def step() -> None:
        cell.zero_grad()
        state, outputs = None, []
        for t in range(len(inputs)):
            state = cell(inputs[t], state)
            outputs.append(state[0])
        tg.mean(tg.square(tg.stack(outputs))).backward()

    return step, lambda: {name: p.grad.numpy() for name, p in cell.named_parameters()}


def torch_loop(weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return a training step of a loop over PyTorch's cell."""
    import torch

    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    cell = torch.nn.LSTMCell(x.shape[2], weights["weight_hh"].shape[1])
    cell.load_state_dict({name: torch.tensor(weight) for name, weight in weights.items()})
    inputs = torch.tensor(x)

    def step() -> None:
        cell.zero_grad()
        state, outputs = None, []
        for t in range(len(inputs)):
            state = cell(inputs[t], state)
            outputs.append(state[0])
        torch.stack(outputs).square().mean().backward()

    return step, lambda: {name: p.grad.numpy() for name, p in cell.named_parameters()}


PROGRAMS = {"torch.nn.LSTMCell": torch_loop, "nn.LSTM": our_layer, "nn.LSTMCell": our_loop}


def serve(name: str, weights: Arrays, x: np.ndarray[Any, Any], line: Connection) -> None:
    """Send the gradients, then the milliseconds of a step whenever one is asked for, until the line is closed."""
    step, gradients = PROGRAMS[name](weights, x)
    step()
    line.send(gradients())
    while line.recv():
        start = time.perf_counter()
        step()
        line.send((time.perf_counter() - start) * 1000)


@contextmanager
def programs(size: tuple[int, int, int, int]) -> Iterator[dict[str, Connection]]:
    """Start every program over the same weights and input, and check that their gradients agree."""
    steps, batch, inputs, hidden = size
    rng = np.random.default_rng(0)
    shapes = {"weight_ih": (4 * hidden, inputs), "weight_hh": (4 * hidden, hidden)}
    shapes |= {"bias_ih": (4 * hidden,), "bias_hh": (4 * hidden,)}
    bound = hidden**-0.5
    weights = {name: rng.uniform(-bound, bound, shape).astype("float32") for name, shape in shapes.items()}
    x = rng.standard_normal((steps, batch, inputs)).astype("float32")
    context = multiprocessing.get_context("spawn")
    lines = {}
    for name in PROGRAMS:
        lines[name], theirs = context.Pipe()
        context.Process(target=serve, args=(name, weights, x, theirs), daemon=True).start()
    wanted, *found = (line.recv() for line in lines.values())
    for gradients in found:
        for name, gradient in wanted.items():
            np.testing.assert_allclose(gradients[name], gradient, rtol=1e-3, atol=1e-6)
    yield lines
    for line in lines.values():
        line.send(False)


def time_in_turn(lines: dict[str, Connection], pairs: int) -> dict[str, list[float]]:
    """Return the milliseconds of every run, the programs taking turns after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in lines}
    for turn in range(pairs + WARM_UP):
        for name, line in lines.items():
            time.sleep(PAUSE)
            line.send(True)
            milliseconds = line.recv()
            if turn >= WARM_UP:
                times[name].append(milliseconds)
    return times


def main() -> None:
    """Print a table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=40, help="runs of each program (default: 40)")
    parser.add_argument("--threads", type=int, help="threads of both sides (default: their own choice)")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    if options.threads:
        os.environ |= {name: str(options.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    rows = []
    print(f"{platform.machine()}, {os.cpu_count()} cores, threads: {options.threads or 'default'}")
    print(
        f"{'T, B, input, hidden':<21} {'program':<18} {'median ms':>9} {'min ms':>8} {'ratio':>6}  quartiles     goal"
    )
    for size, goal in SIZES.items():
        with programs(size) as lines:
            times = time_in_turn(lines, options.pairs)
        theirs = times["torch.nn.LSTMCell"]
        for name, ours in times.items():
            low, ratio, high = statistics.quantiles([a / b for a, b in zip(ours, theirs, strict=True)], n=4)
            rows.append({"size": size, "program": name, "milliseconds": ours, "ratio": ratio, "goal": goal})
            print(
                f"{', '.join(map(str, size)):<21} {name:<18} {statistics.median(ours):>9.2f} {min(ours):>8.2f} "
                f"{ratio:>6.2f}  {low:.2f} to {high:.2f}  {goal}"
            )
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file)


if __name__ == "__main__":
    main()
