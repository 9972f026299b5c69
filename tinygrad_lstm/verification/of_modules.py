"""A case or more of every module, with every option of the recurrent ones, and of every optimiser."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import nn, ops, optim
from ..charlm import CharLM
from ..tensor import Tensor, asarray
from .cases import Case, Input, real, sketch, whole

__all__ = ["MODULES", "OPTIMIZERS", "RECURRENCES"]

T, B, I, H = 3, 3, 5, 12  # noqa: E741
"""Steps, sequences, and the sizes of input and state."""

RECURRENCES: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("RNN", {}),
    "rnn relu": ("RNN", {"nonlinearity": "relu"}),
    "rnn function": ("RNN", {"nonlinearity": ops.sin, "bias": False}),
    "rnn normed": ("RNN", {"layer_norm": True}),
    "rnn normed, no bias": ("RNN", {"layer_norm": True, "bias": False}),
    "rnn zoneout": ("RNN", {"zoneout": 0.3}),
    "rnn drops": ("RNN", {"recurrent_dropout": 0.5, "weight_drop": 0.4}),
    "gru": ("GRU", {}),
    "gru no bias": ("GRU", {"bias": False}),
    "gru before": ("GRU", {"reset_after": False}),
    "gru before, no bias": ("GRU", {"reset_after": False, "bias": False}),
    "gru normed": ("GRU", {"layer_norm": True}),
    "gru normed, before": ("GRU", {"layer_norm": True, "reset_after": False}),
    "gru activations": ("GRU", {"gate_activation": "hardsigmoid", "candidate_activation": ops.sin}),
    "gru zoneout": ("GRU", {"zoneout": 0.3}),
    "gru drops": ("GRU", {"recurrent_dropout": 0.5, "weight_drop": 0.4}),
    "gru drops, before": ("GRU", {"recurrent_dropout": 0.5, "weight_drop": 0.4, "reset_after": False}),
    "lstm": ("LSTM", {}),
    "lstm no bias": ("LSTM", {"bias": False}),
    "lstm projected": ("LSTM", {"proj_size": 2}),
    "lstm forget bias": ("LSTM", {"forget_bias": 1.0}),
    "lstm activations": (
        "LSTM", {"gate_activation": "hardsigmoid", "candidate_activation": ops.sin, "output_activation": "softsign"}
    ),
    "lstm clipped": ("LSTM", {"cell_clip": 0.2, "peephole": True}),
    "lstm normed": ("LSTM", {"layer_norm": True}),
    "lstm normed, no bias": ("LSTM", {"layer_norm": True, "bias": False}),
    "lstm zoneout": ("LSTM", {"zoneout": (0.3, 0.2), "peephole": True}),
    "lstm drops": ("LSTM", {"recurrent_dropout": 0.5, "weight_drop": 0.4}),
    "lstm no gates": ("LSTM", {"input_gate": False, "forget_gate": False, "output_gate": False}),
    "lstm coupled, gates fed back": ("LSTM", {"coupled": True, "gate_recurrence": True}),
    "lstm of everything": (
        "LSTM",
        {
            "proj_size": 3, "peephole": True, "gate_recurrence": True, "layer_norm": True, "cell_clip": 0.3,
            "zoneout": 0.1, "recurrent_dropout": 0.5, "weight_drop": 0.4, "forget_bias": 1.0,
        },
    ),
    **{f"lstm {name}": ("LSTM", dict(options)) for name, options in nn.variants.GREFF.items() if options},
    "lstm 1997": ("LSTM", dict(nn.variants.NO_FORGET_GATE_1997)),
    "lstm 2002": ("LSTM", dict(nn.variants.PEEPHOLE_2002)),
}  # fmt: skip
"""Kinds of recurrent network with their options, each of them at least once; the tests go by the same table."""

STACKED: list[dict[str, Any]] = [
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 2, "dropout": 0.3},
    {"batch_first": True},
]
"""The options of layers, as they are stacked, besides those of the steps."""


def state(module: Any, x: Tensor, *stacked: int) -> Any:
    """Return a state to start from: from zeros, layer normalisation would divide by next to nothing."""
    parts = tuple(ops.rand(*stacked, B, size, dtype=x.dtype) - 0.5 for size in module.state_sizes)
    return parts if len(module.letters) > 1 else parts[0]


def layers(kind: str, how: str, **options: Any) -> Case:
    """Return a case of recurrent layers over sequences of several lengths, with all gates and states."""
    lengths = [T, 1, 2]
    shape = (B, T, I) if options.get("batch_first") else (T, B, I)

    def call(module: Any, x: Tensor) -> Any:
        start = state(module, x, module.num_layers * (1 + module.bidirectional))
        return module(x, start, lengths=lengths), module(x, start, record=True)

    return Case(kind, how, partial(getattr(nn, kind), I, H, **options), (real(*shape),), call)


def cell(kind: str, how: str, **options: Any) -> Case:
    """Return a case of a cell, a step at a time."""

    def call(module: Any, x: Tensor) -> Any:
        noise, states = module.noise(B), [state(module, x)]
        for x_t in x:
            states.append(module(x_t, states[-1], noise=noise))
        return states[1:]

    name = f"{kind}Cell"
    return Case(name, how, partial(getattr(nn, name), I, H, **options), (real(T, B, I),), call)


def from_state(kind: str, *parts: Input) -> Case:
    """Return a case of layers that start from a state."""

    def call(module: Any, x: Tensor, *state: Tensor) -> Any:
        return module(x, state if len(state) > 1 else state[0])

    return Case(kind, "from a state", partial(getattr(nn, kind), I, H), (real(T, B, I), *parts), call)


MODULES = [
    *[
        make(kind, name.removeprefix(kind.lower()).strip(), **options)
        for make in (cell, layers)
        for name, (kind, options) in RECURRENCES.items()
    ],
    *[layers(kind, sketch(options), **options) for kind in ("RNN", "GRU", "LSTM") for options in STACKED],
    from_state("RNN", real(1, B, H)),
    from_state("GRU", real(1, B, H)),
    from_state("LSTM", real(1, B, H), real(1, B, H)),
    Case("Linear", "", partial(nn.Linear, 40, 30), (real(6, 24, 40),)),
    Case("Linear", "bias=False", partial(nn.Linear, 40, 30, bias=False), (real(6, 24, 40),)),
    Case("Conv1d", "", partial(nn.Conv1d, 8, 6, 3, padding="same"), (real(4, 8, 20),)),
    Case("Conv2d", "", partial(nn.Conv2d, 4, 6, (3, 2), stride=2, padding=1, groups=2), (real(3, 4, 9, 8),)),
    Case("Embedding", "", partial(nn.Embedding, 20, 30), (whole(20, 6, 24),)),
    Case("Dropout", "", partial(nn.Dropout, 0.3), (real(24, 40),)),
    Case("Sequential", "", lambda: nn.Sequential(nn.Linear(40, 30), ops.tanh, nn.Linear(30, 7)), (real(24, 40),)),
    Case("CharLM", "its loss", partial(CharLM, 20, 8, H), (whole(20, T, B), whole(20, T, B)), CharLM.loss),
]


def steps(make: Callable[..., optim.Optimizer]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what an optimiser makes of a parameter, as a function of it and of a gradient for each step."""

    def moved(start: Tensor, gradients: Tensor) -> Tensor:
        p = asarray(start.detach() * 1, requires_grad=True)
        optimizer = make([p])
        for g in gradients.detach():
            p.grad = g
            optimizer.step()
        return p.detach()

    return moved


def clipped(clip: Callable[..., Any]) -> Callable[[Tensor], Any]:
    """Return what a way of clipping returns and makes of a gradient."""

    def clip_it(gradient: Tensor) -> Any:
        p = asarray(gradient.detach() * 0, requires_grad=True)
        p.grad = gradient.detach()
        norm = clip([p])
        return [p.grad] if norm is None else [norm, p.grad]

    return clip_it


def optimizer(name: str, **settings: Any) -> Case:
    """Return a case of an optimiser: where a parameter is after four steps along given gradients."""
    make = partial(getattr(optim, name), **settings)
    return Case(name, sketch(settings), lambda: steps(make), (real(24, 40), real(4, 24, 40)))


OPTIMIZERS = [
    optimizer("SGD"),
    optimizer("SGD", momentum=0.9, dampening=0.1, weight_decay=0.1),
    optimizer("SGD", momentum=0.9, nesterov=True),
    optimizer("Adam"),
    optimizer("Adam", weight_decay=0.1, amsgrad=True),
    optimizer("AdamW"),
    optimizer("RMSprop"),
    optimizer("RMSprop", momentum=0.9, centered=True, weight_decay=0.1),
    optimizer("Adagrad", lr_decay=0.1, weight_decay=0.1),
    Case("clip_grad_norm_", "", lambda: clipped(partial(optim.clip_grad_norm_, max_norm=1.0)), (real(24, 40),)),
    Case("clip_grad_value_", "", lambda: clipped(partial(optim.clip_grad_value_, clip_value=1.0)), (real(24, 40),)),
]
