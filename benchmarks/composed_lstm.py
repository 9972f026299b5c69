"""Time a training step of the LSTM composed of primitives against a loop over `torch.nn.LSTMCell`.

    python -m benchmarks.composed_lstm [--pairs N] [--threads N] [--json FILE]

Forward, mean of squares, backward, in float32, with the same weights and input. Two programs of ours are timed:
`nn.LSTM` without its kernel, and a loop over `nn.LSTMCell` written like the one for PyTorch. Each program lives in a
process of its own, and they take turns, as `in_turn` says. The gradients are compared before anything is timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import in_turn
from .in_turn import Arrays, Program

SIZES = {(32, 1, 16, 32): 0.7, (50, 16, 32, 64): 0.9, (64, 32, 64, 128): 1.0, (100, 64, 128, 256): 1.0}
"""(steps, batch, input size, hidden size), and the ratio to reach."""


def our_layer(weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return a training step of our layer."""
    import tinygrad_lstm as tg

    layer = tg.nn.LSTM(x.shape[2], weights["weight_hh"].shape[1])
    layer.load_state_dict({f"{name}_l0": weight for name, weight in weights.items()})
    inputs = tg.asarray(x)

    def step() -> None:
        layer.zero_grad()
        with tg.nn.stepwise():
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
    torch = in_turn.torch()
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


def work(size: tuple[int, int, int, int]) -> tuple[Arrays, np.ndarray[Any, Any]]:
    """Return weights and an input."""
    steps, batch, inputs, hidden = size
    rng = np.random.default_rng(0)
    shapes = {"weight_ih": (4 * hidden, inputs), "weight_hh": (4 * hidden, hidden)}
    shapes |= {"bias_ih": (4 * hidden,), "bias_hh": (4 * hidden,)}
    bound = hidden**-0.5
    weights = {name: rng.uniform(-bound, bound, shape).astype("float32") for name, shape in shapes.items()}
    return weights, rng.standard_normal((steps, batch, inputs)).astype("float32")


def main() -> None:
    """Print a table, and write it as JSON if asked to."""
    options = in_turn.options(__doc__, pairs=40)
    rows = []
    print(f"{'T, B, input, hidden':<21} {in_turn.HEADER}")
    for size, goal in SIZES.items():
        with in_turn.programs(PROGRAMS, *work(size)) as lines:
            times = in_turn.timed(lines, options.pairs)
        rows += in_turn.compared(", ".join(map(str, size)), goal, times)
    in_turn.written(rows, options.json)


if __name__ == "__main__":
    main()
