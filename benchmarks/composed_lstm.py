"""Time a training step of the LSTM composed of primitives against a loop over `torch.nn.LSTMCell`.

    python -m benchmarks.composed_lstm [--pairs N] [--threads N] [--json FILE]

Forward, mean of squares, backward, in float32, with the same weights and input. The two sides run in turn in one
process, with a pause between, and the gradients are compared before anything is timed. Two programs of ours are timed: `nn.LSTM`, and a loop
over `nn.LSTMCell` written like the one for PyTorch. A ratio is ours over PyTorch's, the median over the pairs.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import tinygrad_lstm as tg

SIZES = {(32, 1, 16, 32): 0.7, (50, 16, 32, 64): 0.9, (64, 32, 64, 128): 1.0, (100, 64, 128, 256): 1.0}
"""(steps, batch, input size, hidden size), and the ratio to reach."""

PAUSE = 0.05
"""Seconds between two runs: the threads of one side's BLAS spin for a while when they are done, and disturb the other."""

Step = Callable[[], None]


def our_layer(layer: tg.nn.LSTM, x: tg.Tensor) -> Step:
    """Return a training step of the layer."""

    def step() -> None:
        layer.zero_grad()
        output, _ = layer(x)
        tg.mean(tg.square(output)).backward()

    return step


def our_loop(cell: tg.nn.LSTMCell, x: tg.Tensor) -> Step:
    """Return a training step of a loop over the cell."""

    def step() -> None:
        cell.zero_grad()
        state, outputs = None, []
        for t in range(len(x)):
            state = cell(x[t], state)
            outputs.append(state[0])
        tg.mean(tg.square(tg.stack(outputs))).backward()

    return step


def torch_loop(cell: torch.nn.LSTMCell, x: torch.Tensor) -> Step:
    """Return a training step of a loop over PyTorch's cell."""

    def step() -> None:
        cell.zero_grad()
        state, outputs = None, []
        for t in range(len(x)):
            state = cell(x[t], state)
            outputs.append(state[0])
        torch.stack(outputs).square().mean().backward()

    return step


def make_programs(steps: int, batch: int, inputs: int, hidden: int) -> dict[str, Step]:
    """Return the three programs over the same weights and input, each checked to give PyTorch's gradients."""
    tg.manual_seed(0)
    cell, layer = tg.nn.LSTMCell(inputs, hidden), tg.nn.LSTM(inputs, hidden)
    theirs = torch.nn.LSTMCell(inputs, hidden)
    weights = cell.state_dict()
    layer.load_state_dict({f"{name}_l0": weight for name, weight in weights.items()})
    theirs.load_state_dict({name: torch.tensor(weight.numpy()) for name, weight in weights.items()})
    x = tg.randn(steps, batch, inputs)
    programs = {
        "torch.nn.LSTMCell": torch_loop(theirs, torch.tensor(x.numpy())),
        "nn.LSTM": our_layer(layer, x),
        "nn.LSTMCell": our_loop(cell, x),
    }
    for program in programs.values():
        program()
    for module in (cell, layer):
        for ours, reference in zip(module.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(ours.grad.numpy(), reference.grad.numpy(), rtol=1e-3, atol=1e-6)
    return programs


def time_in_turn(programs: dict[str, Step], pairs: int) -> dict[str, list[float]]:
    """Return the milliseconds of every run, the programs taking turns after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    for turn in range(pairs + 3):
        for name, program in programs.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            program()
            if turn >= 3:
                times[name].append((time.perf_counter() - start) * 1000)
    return times


def main() -> None:
    """Print a table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=40, help="runs of each program (default: 40)")
    parser.add_argument("--threads", type=int, default=None, help="threads of PyTorch (default: its own choice)")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    rows = []
    print(f"{platform.processor() or platform.machine()}, NumPy {np.__version__}, PyTorch {torch.__version__}")
    print(f"{'T, B, input, hidden':<22}{'program':<19}{'median ms':>10}{'min ms':>10}{'ratio':>8}  quartiles     goal")
    for size, target in SIZES.items():
        times = time_in_turn(make_programs(*size), options.pairs)
        theirs = times["torch.nn.LSTMCell"]
        for name, ours in times.items():
            ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            rows.append({"size": size, "program": name, "milliseconds": ours, "ratio": middle, "target": target})
            goal = "" if ours is theirs else f"{target}"
            print(
                f"{', '.join(map(str, size)):<22}{name:<19}{statistics.median(ours):>10.2f}{min(ours):>10.2f}"
                f"{middle:>8.2f}  {low:.2f} to {high:.2f}  {goal}"
            )
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file)


if __name__ == "__main__":
    main()
