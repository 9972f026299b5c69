"""Recurrent layers: a training step, or inference, of RNN, LSTM and GRU, ours and of every peer.

Forward, mean of squares, backward, in float32, with the same weights and input for all.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .declarations import Program, Size, Step

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
AXES = ("T", "B", "input", "hidden")


class Work(NamedTuple):
    """A kind of layer, its options, its weights by PyTorch's names, and an input of shape (T, B, input size)."""

    kind: str
    options: dict[str, Any]
    weights: dict[str, np.ndarray[Any, Any]]
    x: np.ndarray[Any, Any]
    training: bool

    @property
    def sizes(self) -> tuple[int, int]:
        """The sizes of input and state."""
        return self.x.shape[2], len(self.weights["weight_hh_l0"]) // GATES[self.kind]


def work(size: Size, kind: str = "LSTM", training: bool = True, projected: bool = False, **options: Any) -> Work:
    """Return weights and an input, the same every time; a projection has half the state's length."""
    steps, batch, inputs, hidden = size
    rng, rows, bound = np.random.default_rng(0), GATES[kind] * hidden, hidden**-0.5
    directions = ["", "_reverse"] if options.get("bidirectional") else [""]
    shown = hidden
    if projected:
        options["proj_size"] = shown = hidden // 2
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(options.get("num_layers", 1)):
        width = inputs if layer == 0 else shown * len(directions)
        for suffix in (f"_l{layer}{direction}" for direction in directions):
            shapes |= {f"weight_ih{suffix}": (rows, width), f"weight_hh{suffix}": (rows, shown)}
            shapes |= {f"bias_ih{suffix}": (rows,), f"bias_hh{suffix}": (rows,)}
            shapes |= {f"weight_hr{suffix}": (shown, hidden)} if shown != hidden else {}
    weights = {name: rng.uniform(-bound, bound, shape).astype("float32") for name, shape in shapes.items()}
    return Work(kind, options, weights, rng.standard_normal((steps, batch, inputs)).astype("float32"), training)


def ours(work: Work) -> Step:
    """Return a step of our layer."""
    import tinygrad_lstm as tg

    layer = getattr(tg.nn, work.kind)(*work.sizes, **work.options)
    layer.load_state_dict(work.weights)
    x = tg.asarray(work.x)
    return training_step(tg, layer, lambda: layer(x)[0]) if work.training else inference_step(tg, lambda: layer(x)[0])


def composed(work: Work) -> Step:
    """Return a step of our layer made of its ops, without any kernel."""
    import tinygrad_lstm as tg

    layer = getattr(tg.nn, work.kind)(*work.sizes, **work.options)
    layer.load_state_dict(work.weights)
    x = tg.asarray(work.x)

    def outputs() -> Any:
        with tg.nn.stepwise():
            return layer(x)[0]

    return training_step(tg, layer, outputs) if work.training else inference_step(tg, outputs)


def training_step(tg: Any, module: Any, outputs: Any) -> Step:
    """Return a step that trains one of our modules: its gradients are the answers."""

    def run() -> None:
        module.zero_grad()
        tg.mean(tg.square(outputs())).backward()

    return Step(run, lambda: {name: p.grad.numpy() for name, p in module.named_parameters()})


def inference_step(tg: Any, outputs: Any) -> Step:
    """Return a step that computes our outputs, and no derivative."""
    found: dict[str, Any] = {}

    def run() -> None:
        with tg.no_grad():
            found["output"] = outputs()

    return Step(run, lambda: {"output": found["output"].numpy()})


def torchs(work: Work) -> Step:
    """Return a step of PyTorch's layer, which oneDNN computes if it is an LSTM."""
    import torch

    layer = getattr(torch.nn, work.kind)(*work.sizes, **work.options)
    layer.load_state_dict({name: torch.tensor(weight) for name, weight in work.weights.items()})
    x = torch.tensor(work.x)
    return torch_step(torch, layer, lambda: layer(x)[0], work.training)


def torchs_native(work: Work) -> Step:
    """Return the same without oneDNN."""
    import torch

    torch.backends.mkldnn.set_flags(False)
    return torchs(work)


def torchs_cell(work: Work) -> Step:
    """Return a step of a loop over PyTorch's LSTM cell."""
    import torch

    cell = torch.nn.LSTMCell(*work.sizes)
    cell.load_state_dict({name.removesuffix("_l0"): torch.tensor(weight) for name, weight in work.weights.items()})
    x = torch.tensor(work.x)

    def outputs() -> Any:
        state, found = None, []
        for t in range(len(x)):
            state = cell(x[t], state)
            found.append(state[0])
        return torch.stack(found)

    return torch_step(torch, cell, outputs, work.training, suffix="_l0")


def torch_step(torch: Any, module: Any, outputs: Any, training: bool, suffix: str = "") -> Step:
    """Return a step of a module of PyTorch's; the suffix makes the names of its parameters those of the others."""
    found: dict[str, Any] = {}

    def train() -> None:
        module.zero_grad()
        outputs().square().mean().backward()

    def infer() -> None:
        with torch.inference_mode():
            found["output"] = outputs()

    if training:
        return Step(train, lambda: {name + suffix: p.grad.numpy() for name, p in module.named_parameters()})
    return Step(infer, lambda: {"output": found["output"].numpy()})


def jaxs(work: Work) -> Step:
    """Return a step of layers written with JAX's ``scan``, under ``jit``."""
    import jax
    import jax.numpy as jnp

    x, parameters = jnp.asarray(work.x), {name: jnp.asarray(weight) for name, weight in work.weights.items()}
    cell = _jax_cell(jax, jnp, work.kind)

    def direction(w: Any, x: Any, suffix: str) -> Any:
        W, b = w[f"weight_hh{suffix}"].T, w[f"bias_hh{suffix}"]
        zeros = jnp.zeros((x.shape[1], W.shape[0]))
        share = x @ w[f"weight_ih{suffix}"].T + w[f"bias_ih{suffix}"]
        state = (zeros, zeros) if work.kind == "LSTM" else (zeros,)
        return jax.lax.scan(
            lambda state, a: cell(state, a, state[0] @ W + b), state, share, reverse=suffix.endswith("_reverse")
        )[1]

    def outputs(w: Any) -> Any:
        y = x
        for layer in range(work.options.get("num_layers", 1)):
            suffixes = [s for s in (f"_l{layer}", f"_l{layer}_reverse") if f"weight_hh{s}" in w]
            y = jnp.concatenate([direction(w, y, suffix) for suffix in suffixes], axis=-1)
        return y

    step = jax.jit(jax.grad(lambda w: jnp.mean(jnp.square(outputs(w)))) if work.training else outputs)
    found: dict[str, Any] = {}

    def run() -> None:
        result = jax.block_until_ready(step(parameters))
        found.update(result if work.training else {"output": result})

    return Step(run, lambda: {name: np.asarray(answer) for name, answer in found.items()})


def _jax_cell(jax: Any, jnp: Any, kind: str) -> Any:
    """Return a step of a recurrence: from the state and the shares of input and state to the new state and output."""

    def lstm(state: Any, a: Any, z: Any) -> Any:
        i, f, g, o = jnp.split(a + z, 4, axis=-1)
        c = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(state: Any, a: Any, z: Any) -> Any:
        (ar, az, an), (zr, zz, zn) = jnp.split(a, 3, axis=-1), jnp.split(z, 3, axis=-1)
        update = jax.nn.sigmoid(az + zz)
        h = (1 - update) * jnp.tanh(an + jax.nn.sigmoid(ar + zr) * zn) + update * state[0]
        return (h,), h

    def rnn(state: Any, a: Any, z: Any) -> Any:
        h = jnp.tanh(a + z)
        return (h,), h

    return {"LSTM": lstm, "GRU": gru, "RNN": rnn}[kind]


def products(work: Work) -> Step:
    """Return the matrix products of a step of one layer in NumPy, and nothing else: a floor, without answers."""
    W_ih, W_hh = work.weights["weight_ih_l0"], work.weights["weight_hh_l0"]
    T, B, _ = work.x.shape
    flat, W = work.x.reshape(T * B, -1), np.ascontiguousarray(W_hh.T)
    h, z = np.zeros((T, B, W_hh.shape[1]), "float32"), np.zeros((T, B, len(W_hh)), "float32")
    from_h, to_h = np.empty((B, len(W_hh)), "float32"), np.empty((B, W_hh.shape[1]), "float32")

    def run() -> None:
        flat @ W_ih.T
        for t in range(T):
            np.dot(h[t], W, out=from_h)
        if not work.training:
            return
        for t in range(T):
            np.dot(z[t], W_hh, out=to_h)
        z.reshape(T * B, -1).T @ h.reshape(T * B, -1)
        z.reshape(T * B, -1).T @ flat

    return Step(run)


IN_NUMPY = {"TINYGRAD_LSTM_KERNELS": "numpy"}

COMPILED = Program(ours, needs=("numba",), environment={"TINYGRAD_LSTM_KERNELS": "auto"})
NUMPY = Program(ours, environment=IN_NUMPY)
PRODUCTS = Program(products)
