"""Time a training step of a recurrent layer against PyTorch's and JAX's.

    python -m benchmarks.recurrent [--pairs N] [--threads N] [--json FILE]

Forward, mean of squares, backward, in float32, with the same weights and input: `nn.LSTM`, `nn.GRU` and `nn.RNN` with
their kernels against `torch.nn`'s, and for the LSTM against JAX's ``scan`` under ``jit`` where JAX is installed. The
programs take turns, as `in_turn` says; the gradients are compared before anything is timed. `products` is what the
matrix products alone take, in NumPy. A ratio is to PyTorch's time.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import numpy as np

from . import in_turn
from .in_turn import Arrays, Program

SIZES = [
    (32, 1, 16, 32), (50, 16, 32, 64), (64, 32, 64, 128), (100, 64, 128, 256), (100, 64, 256, 512), (35, 20, 650, 650),
]  # fmt: skip
"""(steps, batch, input size, hidden size)."""

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def ours(kind: str, weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return a training step of our layer."""
    import tinygrad_lstm as tg

    layer = getattr(tg.nn, kind)(x.shape[2], weights["weight_hh_l0"].shape[1])
    layer.load_state_dict(weights)
    inputs = tg.asarray(x)

    def step() -> None:
        layer.zero_grad()
        output, _ = layer(inputs)
        tg.mean(tg.square(output)).backward()

    return step, lambda: {name: p.grad.numpy() for name, p in layer.named_parameters()}


def ours_in_numpy(kind: str, weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return the same with the kernels in plain NumPy, in a process that has not yet chosen any."""
    os.environ["TINYGRAD_LSTM_KERNELS"] = "numpy"
    return ours(kind, weights, x)


def torchs(kind: str, weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return a training step of PyTorch's layer."""
    torch = in_turn.torch()
    layer = getattr(torch.nn, kind)(x.shape[2], weights["weight_hh_l0"].shape[1])
    layer.load_state_dict({name: torch.tensor(weight) for name, weight in weights.items()})
    inputs = torch.tensor(x)

    def step() -> None:
        layer.zero_grad()
        output, _ = layer(inputs)
        output.square().mean().backward()

    return step, lambda: {name: p.grad.numpy() for name, p in layer.named_parameters()}


def jaxs(kind: str, weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return a training step of an LSTM written with JAX's ``scan``."""
    import jax
    import jax.numpy as jnp

    H, B = weights["weight_hh_l0"].shape[1], x.shape[1]
    inputs = jnp.asarray(x)

    def loss(w: Any) -> Any:
        share = inputs @ w["weight_ih_l0"].T + w["bias_ih_l0"] + w["bias_hh_l0"]

        def step(state: Any, a: Any) -> Any:
            h, c = state
            i, f, g, o = jnp.split(a + h @ w["weight_hh_l0"].T, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((B, H))
        return jnp.mean(jnp.square(jax.lax.scan(step, (zeros, zeros), share)[1]))

    gradients = jax.jit(jax.grad(loss))
    parameters = {name: jnp.asarray(weight) for name, weight in weights.items()}
    found: dict[str, Any] = {}

    def step() -> None:
        found.update(jax.block_until_ready(gradients(parameters)))

    return step, lambda: {name: np.asarray(g) for name, g in found.items()}


def products(kind: str, weights: Arrays, x: np.ndarray[Any, Any]) -> Program:
    """Return the matrix products of a training step, and nothing else; its answers are ours."""
    W_ih, W_hh = weights["weight_ih_l0"], weights["weight_hh_l0"]
    T, B, _ = x.shape
    flat, W = x.reshape(T * B, -1), np.ascontiguousarray(W_hh.T)
    h, z = np.zeros((T, B, W_hh.shape[1]), "float32"), np.zeros((T, B, len(W_hh)), "float32")
    from_h, to_h = np.empty((B, len(W_hh)), "float32"), np.empty((B, W_hh.shape[1]), "float32")

    def step() -> None:
        flat @ W_ih.T
        for t in range(T):
            np.dot(h[t], W, out=from_h)
        for t in range(T):
            np.dot(z[t], W_hh, out=to_h)
        z.reshape(T * B, -1).T @ h.reshape(T * B, -1)
        z.reshape(T * B, -1).T @ flat

    def answers() -> Arrays:
        run, of_ours = ours(kind, weights, x)
        run()
        return of_ours()

    return step, answers


def work(kind: str, size: tuple[int, int, int, int]) -> tuple[str, Arrays, np.ndarray[Any, Any]]:
    """Return the kind, weights and an input."""
    steps, batch, inputs, hidden = size
    rng, rows = np.random.default_rng(0), GATES[kind] * hidden
    shapes = {"weight_ih_l0": (rows, inputs), "weight_hh_l0": (rows, hidden)}
    shapes |= {"bias_ih_l0": (rows,), "bias_hh_l0": (rows,)}
    bound = hidden**-0.5
    weights = {name: rng.uniform(-bound, bound, shape).astype("float32") for name, shape in shapes.items()}
    return kind, weights, rng.standard_normal((steps, batch, inputs)).astype("float32")


def main() -> None:
    """Print a table, and write it as JSON if asked to."""
    options = in_turn.options(__doc__, pairs=20)
    has_jax = importlib.util.find_spec("jax") is not None
    rows = []
    print(f"{'layer, T, B, I, H':<28} {in_turn.HEADER}")
    for kind in GATES:
        for size in SIZES:
            programs = {"PyTorch": torchs, "ours": ours, "ours in NumPy": ours_in_numpy, "products": products}
            if kind == "LSTM" and has_jax:
                programs["JAX"] = jaxs
            with in_turn.programs(programs, *work(kind, size)) as lines:
                times = in_turn.timed(lines, options.pairs)
            rows += in_turn.compared(f"{kind}, {', '.join(map(str, size))}", 1.0, times)
    in_turn.written(rows, options.json)


if __name__ == "__main__":
    main()
