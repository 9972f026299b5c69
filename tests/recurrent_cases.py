"""Recurrent networks with options, by the table of what is verified, and as plain loops over NumPy's arrays.

The loops go over one sequence at a time, from its first step to its last, and know nothing of batches and padding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.backend import to_host
from tinygrad_lstm.verification.of_modules import RECURRENCES

Host: TypeAlias = np.ndarray[Any, Any]
Weights: TypeAlias = Mapping[str, Host]

I, H = 3, 4  # noqa: E741
"""The input and the hidden size of all networks of the table."""


class Case(NamedTuple):
    """A kind of network and its options."""

    kind: str
    options: dict[str, Any]

    def layer(self, *arguments: Any, **options: Any) -> Any:
        """Return layers of it, in float64."""
        return getattr(nn, self.kind)(I, H, *arguments, **self.options, **options).to("float64")

    def cell(self) -> Any:
        """Return a cell of it, in float64."""
        return getattr(nn, self.kind + "Cell")(I, H, **self.options).to("float64")

    @property
    def output_size(self) -> int:
        """How many elements of the state are shown."""
        return self.options.get("proj_size") or H

    @property
    def state_sizes(self) -> list[int]:
        """The length of each part of the state."""
        sizes = [self.output_size, H] if self.kind == "LSTM" else [H]
        return [*sizes, H * len(self.gates)] if self.options.get("gate_recurrence") else sizes

    @property
    def gates(self) -> str:
        """The letters of an LSTM's gates that have weights."""
        return "".join(letter for letter in "ifo" if self.has(letter))

    def has(self, letter: str) -> bool:
        """Tell whether an LSTM has weights for a gate."""
        name = {"i": "input_gate", "f": "forget_gate", "o": "output_gate"}[letter]
        return bool(self.options.get(name, True)) and not (letter == "f" and self.options.get("coupled"))


CASES = {name: Case(kind, options) for name, (kind, options) in RECURRENCES.items()}

ACTIVATIONS: dict[Any, Callable[[Host], Host]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "softsign": lambda x: x / (1 + abs(x)),
    "identity": lambda x: x,
    tg.sin: np.sin,
}


class Masks(NamedTuple):
    """What noise does in a step: factors of h and of the recurrent weights, and where h and c keep their old values."""

    h: Any = 1.0
    weight_hh: Any = 1.0
    keep: Sequence[Any] | None = None


def normed(x: Host) -> Host:
    """Return values of mean 0 and variance 1."""
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


QUIET = Masks()


def step(
    case: Case, w: Weights, x: Host, state: Sequence[Host], masks: Masks = QUIET
) -> tuple[list[Host], dict[str, Host]]:
    """Return the state after a step, and all that was computed by its letter: the equations, one after the other."""
    new, seen = {"RNN": rnn, "GRU": gru, "LSTM": lstm}[case.kind](case, w, x, state, masks)
    zoneout = case.options.get("zoneout", 0.0)
    rates = zoneout if isinstance(zoneout, tuple) else (zoneout,) * 2
    keep = masks.keep or rates[: len(new)]
    for k, kept in enumerate(keep[:2]):
        new[k] = kept * state[k] + (1 - kept) * new[k]
        seen["hc"[k]] = new[k]
    return new, seen


def rnn(case: Case, w: Weights, x: Host, state: Sequence[Host], masks: Masks) -> tuple[list[Host], dict[str, Host]]:
    a = x @ w["weight_ih"].T + (state[0] * masks.h) @ (w["weight_hh"] * masks.weight_hh).T
    if case.options.get("layer_norm"):
        a = normed(a) * w["gain"]
    h = ACTIVATIONS[case.options.get("nonlinearity", "tanh")](a + w.get("bias_ih", 0) + w.get("bias_hh", 0))
    return [h], {"h": h}


def gru(case: Case, w: Weights, x: Host, state: Sequence[Host], masks: Masks) -> tuple[list[Host], dict[str, Host]]:
    gate = ACTIVATIONS[case.options.get("gate_activation", "sigmoid")]
    candidate = ACTIVATIONS[case.options.get("candidate_activation", "tanh")]
    gates, last = slice(2 * H), slice(2 * H, 3 * H)

    def share(of: str, v: Host, rows: slice) -> Host:
        weight = w["weight_" + of] * (masks.weight_hh if of == "hh" else 1)
        a = v @ weight[rows].T
        return normed(a) * w["gain_" + of][rows] if case.options.get("layer_norm") else a

    zeros = np.zeros(3 * H)
    b_x, b_h = w.get("bias_ih", zeros), w.get("bias_hh", zeros)
    h, seen_h = state[0], state[0] * masks.h
    rz = gate(share("ih", x, gates) + share("hh", seen_h, gates) + b_x[gates] + b_h[gates])
    r, z = rz[..., :H], rz[..., H:]
    if case.options.get("reset_after", True):
        n = candidate(share("ih", x, last) + b_x[last] + r * (share("hh", seen_h, last) + b_h[last]))
    else:
        n = candidate(share("ih", x, last) + b_x[last] + share("hh", r * seen_h, last) + b_h[last])
    new = z * h + (1 - z) * n
    return [new], {"r": r, "z": z, "n": n, "h": new}


def lstm(case: Case, w: Weights, x: Host, state: Sequence[Host], masks: Masks) -> tuple[list[Host], dict[str, Host]]:
    options, seen = case.options, {}
    gate = ACTIVATIONS[options.get("gate_activation", "sigmoid")]
    blocks = "".join(letter for letter in "ifgo" if letter == "g" or case.has(letter))
    h, c = state[:2]
    of_x, of_h = x @ w["weight_ih"].T, (h * masks.h) @ (w["weight_hh"] * masks.weight_hh).T
    if options.get("layer_norm"):
        of_x, of_h = normed(of_x) * w["gain_ih"], normed(of_h) * w["gain_hh"]
    whole = of_x + of_h + w.get("bias_ih", 0) + w.get("bias_hh", 0)
    a = {letter: whole[..., k * H : (k + 1) * H] for k, letter in enumerate(blocks)}
    for k, to in enumerate(case.gates):
        for j in range(len(case.gates) if options.get("gate_recurrence") else 0):
            block = w["weight_gates"][k * H : (k + 1) * H, j * H : (j + 1) * H]
            a[to] = a[to] + state[2][..., j * H : (j + 1) * H] @ block.T

    def opened(letter: str, cell: Host) -> Host | float:
        if not case.has(letter):
            return 1.0
        seen[letter] = gate(a[letter] + w.get("weight_c" + letter, 0) * cell)
        return seen[letter]

    i, f = opened("i", c), opened("f", c)
    if options.get("coupled"):
        f = seen["f"] = 1 - i
    g = seen["g"] = ACTIVATIONS[options.get("candidate_activation", "tanh")](a["g"])
    c_t = f * c + i * g
    if options.get("cell_clip"):
        c_t = np.clip(c_t, -options["cell_clip"], options["cell_clip"])
    o = opened("o", c_t)
    shown = normed(c_t) * w["gain_c"] + w.get("shift_c", 0) if options.get("layer_norm") else c_t
    h_t = o * ACTIVATIONS[options.get("output_activation", "tanh")](shown)
    if options.get("proj_size"):
        h_t = h_t @ w["weight_hr"].T
    gates = [np.concatenate([seen[letter] for letter in case.gates], -1)] if options.get("gate_recurrence") else []
    return [h_t, c_t, *gates], {**seen, "c": c_t, "h": h_t}


class Found(NamedTuple):
    """What layers give for one sequence: outputs, last states, and all that was computed at each step, by letter."""

    output: Host
    last: list[Host]
    seen: dict[str, Host]


def run(case: Case, weights: Weights, x: Host, initial: Sequence[Host]) -> Found:
    """Return what layers give for one sequence (T, I) from the parts of their initial state, (L D, ...) each."""
    suffixes = [name.removeprefix("weight_ih") for name in weights if name.startswith("weight_ih")]
    lasts: list[list[Host]] = []
    seens: list[dict[str, Host]] = []
    outputs: list[Host] = []
    for place, suffix in enumerate(suffixes):
        own = {name.removesuffix(suffix): v for name, v in weights.items() if name.endswith(suffix)}
        reverse = suffix.endswith("_reverse")
        if not reverse and outputs:
            x, outputs = np.concatenate(outputs, -1), []
        state, steps = [part[place] for part in initial], []
        for x_t in x[::-1] if reverse else x:
            state, seen = step(case, own, x_t, state)
            steps.append(seen)
        steps = steps[::-1] if reverse else steps
        lasts.append(state)
        seens.append({letter: np.stack([seen[letter] for seen in steps]) for letter in (steps[0] if steps else ())})
        outputs.append(seens[-1]["h"] if steps else np.zeros((0, case.output_size)))
    letters = seens[0]
    return Found(
        np.concatenate(outputs, -1),
        [np.stack(parts) for parts in zip(*lasts, strict=True)],
        {letter: np.stack([seen[letter] for seen in seens]) for letter in letters},
    )


def host(x: Any) -> Host:
    """Return a tensor as an array in host memory."""
    return np.asarray(to_host(x.detach().data))


def host_weights(module: nn.Module) -> dict[str, Host]:
    """Return the weights of a module as arrays in host memory."""
    return {name: host(value) for name, value in module.state_dict().items()}


def as_tuple(state: Any) -> tuple[tg.Tensor, ...]:
    """Return a state as a tuple of its parts."""
    return state if isinstance(state, tuple) else (state,)


def as_state(case: Case, parts: Sequence[tg.Tensor]) -> Any:
    """Return the parts of a state as the network takes it."""
    return tuple(parts) if case.kind == "LSTM" else parts[0]


def assert_close(ours: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    """Compare a tensor with a tensor, or with an array in host memory."""
    ours, wanted = (host(x) if isinstance(x, tg.Tensor) else np.asarray(x) for x in (ours, wanted))
    assert ours.shape == wanted.shape
    assert np.isfinite(ours).all()
    assert abs(ours - wanted).max(initial=0) <= tolerance
