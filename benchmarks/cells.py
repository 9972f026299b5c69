"""`composed` and `owncell`: the LSTM step by step, made of ops, against a loop over PyTorch's cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from .declarations import Benchmark, Program, Size, Step
from .layers import AXES, Work, composed, torchs_cell, training_step, work
from .peers import Loss, cell_loss, hips_step, my_step, stacked_loss, tiny_step
from .targets import Ratio

GOALS: dict[Size, float] = {
    (32, 1, 16, 32): 0.7,
    (50, 16, 32, 64): 0.9,
    (64, 32, 64, 128): 1.0,
    (100, 64, 128, 256): 1.0,
}


def our_loop(work: Work) -> Step:
    """Return a training step of a loop over our cell."""
    import tinygrad_lstm as tg

    cell = tg.nn.LSTMCell(*work.sizes)
    cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in work.weights.items()})
    x = tg.asarray(work.x)

    def outputs() -> Any:
        state, found = None, []
        for t in range(len(x)):
            state = cell(x[t], state)
            found.append(state[0])
        return tg.stack(found)

    run, gradients = training_step(tg, cell, outputs)
    return Step(run, lambda: {f"{name}_l0": gradient for name, gradient in gradients().items()})


def own_cell(tg: Any, w: Mapping[str, Any], x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """Return the next state by a cell as a user writes it, over either library."""
    H = h.shape[1]
    z = x @ w["weight_ih_l0"].T + w["bias_ih_l0"] + h @ w["weight_hh_l0"].T + w["bias_hh_l0"]
    i, f, o = (tg.sigmoid(z[:, n * H : (n + 1) * H]) for n in (0, 1, 3))
    c = f * c + i * tg.tanh(z[:, 2 * H : 3 * H])
    return o * tg.tanh(c), c


def own_loss(lib: Any) -> Loss:
    """Return the loss of a loop over a user's cell, with the ops of a peer."""
    return cell_loss(lib, own_cell)


def others(loss: Callable[[Any], Loss]) -> dict[str, Program]:
    """Return the programs of the small engines. What tinygrad compiles grows with T: minutes for the first size."""
    return {
        "HIPS autograd": Program(partial(hips_step, make=loss), needs=("autograd",)),
        "MyGrad": Program(partial(my_step, make=loss), needs=("mygrad",)),
        "tinygrad": Program(partial(tiny_step, make=loss), needs=("tinygrad", "clang"), sizes=list(GOALS)[:1]),
    }


def our_own(work: Work) -> Step:
    """Return a training step of a loop over a user's cell, with our ops."""
    import tinygrad_lstm as tg

    w = {name: tg.asarray(weight, requires_grad=True) for name, weight in work.weights.items()}
    x = tg.asarray(work.x)

    def run() -> None:
        for weight in w.values():
            weight.grad = None
        h = c = tg.zeros((x.shape[1], work.sizes[1]), dtype="float32")
        outputs = []
        for t in range(len(x)):
            h, c = own_cell(tg, w, x[t], h, c)
            outputs.append(h)
        tg.mean(tg.square(tg.stack(outputs))).backward()

    return Step(run, lambda: {name: weight.grad.numpy() for name, weight in w.items()})


def torch_own(work: Work) -> Step:
    """Return the same with PyTorch's ops."""
    import torch

    w = {name: torch.tensor(weight, requires_grad=True) for name, weight in work.weights.items()}
    x = torch.tensor(work.x)

    def run() -> None:
        for weight in w.values():
            weight.grad = None
        h = c = torch.zeros(x.shape[1], work.sizes[1])
        outputs = []
        for t in range(len(x)):
            h, c = own_cell(torch, w, x[t], h, c)
            outputs.append(h)
        torch.stack(outputs).square().mean().backward()

    return Step(run, lambda: {name: weight.grad.numpy() for name, weight in w.items()})


BENCHMARKS = [
    Benchmark(
        name="composed",
        about="a training step of an LSTM made of ops, step by step, against a loop over torch.nn.LSTMCell",
        axes=AXES,
        sizes=list(GOALS),
        work=work,
        programs={
            "nn.LSTM": Program(composed),
            "nn.LSTMCell loop": Program(our_loop),
            "PyTorch LSTMCell": Program(torchs_cell, needs=("torch",)),
            **others(stacked_loss),
        },
        baseline="PyTorch LSTMCell",
        quick=(3, 2, 4, 5),
        targets=tuple(
            Ratio(ours, ("PyTorch LSTMCell",), "PyTorch LSTMCell", goal, "largest", [size])
            for ours in ("nn.LSTM", "nn.LSTMCell loop")
            for size, goal in GOALS.items()
        ),
    ),
    Benchmark(
        name="owncell",
        about="a training step of a loop over an LSTM cell that a user wrote with ops, the same program for both",
        axes=AXES,
        sizes=list(GOALS),
        work=work,
        programs={"ours": Program(our_own), "PyTorch": Program(torch_own, needs=("torch",)), **others(own_loss)},
        baseline="PyTorch",
        quick=(3, 2, 4, 5),
        targets=(Ratio("ours", ("PyTorch",), "PyTorch", 1.0, "largest"),),
    ),
]
