"""Modules: their parameters by name and in order, modes, and the scopes that they make."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend, nn
from tinygrad_lstm.backend import to_host


def assert_close(ours: Any, theirs: Any, tolerance: float = 1e-12) -> None:
    """Compare a tensor with a tensor, or with an array in host memory."""
    ours, theirs = (to_host(x.detach().data) if isinstance(x, tg.Tensor) else x for x in (ours, theirs))
    assert ours.shape == theirs.shape
    assert abs(ours - theirs).max(initial=0) <= tolerance


def test_parameters_and_their_names_are_pytorchs_in_order() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            self.embedding = nn.Embedding(7, 3)
            self.lstm = nn.LSTM(3, 4, num_layers=2)
            self.head = nn.Linear(4, 7)

    names = [f"lstm.{w}_{p}_l{k}" for k in range(2) for w in ("weight", "bias") for p in ("ih", "hh")]
    assert list(Model().state_dict()) == ["embedding.weight", *names, "head.weight", "head.bias"]


def test_modules_are_given_with_their_paths_each_once() -> None:
    shared = nn.Linear(2, 2)
    inner = nn.Sequential(nn.Dropout(0.5), shared)
    model = nn.Sequential(shared, inner, shared)
    assert list(model.named_modules()) == [("", model), ("0", shared), ("1", inner), ("1.0", inner[0])]
    assert list(model.modules()) == [model, shared, inner, inner[0]]


class Stack(nn.Module):
    """Layers in a list and in a dictionary."""

    def __init__(self) -> None:
        self.layers = [nn.Linear(2, 2) for _ in range(2)]
        self.heads = {"mean": nn.Linear(2, 1, bias=False), "pair": (tg.tanh, nn.Linear(2, 1, bias=False))}

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.heads["mean"](x)


def test_modules_in_lists_tuples_and_dictionaries_are_a_models_own() -> None:
    model = Stack()
    weights = [f"layers.{n}.{name}" for n in range(2) for name in ("weight", "bias")]
    assert [name for name, _ in model.named_parameters()] == [*weights, "heads.mean.weight", "heads.pair.1.weight"]
    assert not any(module.training for module in model.eval().modules())
    with tg.Tape() as tape:
        model(tg.ones((1, 2)))
    assert [tg.tape.scope_path(entry.node.scope)[1:] for entry in tape] == [
        ("layers.0",),
        ("layers.1",),
        ("heads.mean",),
    ]
    other = Stack()
    other.load_state_dict(model.state_dict())
    assert_close(other(tg.ones((1, 2))), model(tg.ones((1, 2))), 0)


def test_a_frozen_parameter_remains_one_and_is_not_trained() -> None:
    model = nn.Sequential(nn.Embedding(5, 3).requires_grad_(False), nn.Linear(3, 2))
    names = ["0.weight", "1.weight", "1.bias"]
    assert [name for name, _ in model.named_parameters()] == list(model.state_dict()) == names
    assert [name for name, x in model.named_parameters() if x.requires_grad] == names[1:]
    assert model[0].weight.name == "weight"
    before = model.state_dict()["0.weight"].numpy().copy()
    optimizer = tg.optim.SGD(model.parameters(), lr=1.0)
    for trained in (False, True):
        model[0].requires_grad_(trained)
        model.zero_grad()
        tg.square(model(tg.asarray([1, 2]))).sum().backward()
        optimizer.step()
        assert bool((model[0].weight != tg.asarray(before)).any()) is trained
    model.requires_grad_(False)
    fresh = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2))
    fresh.load_state_dict(model.state_dict())
    model.load_state_dict(fresh.state_dict())
    model.to("float64")
    assert [(x.dtype.name, x.requires_grad) for x in model.parameters()] == [("float64", False)] * 3
    with pytest.raises(TypeError, match=r"SGD: got a tensor of shape .* among the parameters, wanted leaves"):
        tg.optim.SGD(model.parameters(), lr=1.0)


def test_a_frozen_layer_gets_no_gradient_and_passes_it_on() -> None:
    layer, x = nn.LSTM(2, 3).requires_grad_(False), tg.ones((4, 1, 2), requires_grad=True)
    layer(x)[0].sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_what_a_model_keeps_of_its_results_is_no_parameter() -> None:
    layer = nn.Linear(2, 2)
    layer.output = layer(tg.ones((1, 2)))
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]


def test_tied_weights_are_one_parameter_under_two_names() -> None:
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    assert [name for name, _ in model.named_parameters()] == ["0.weight"]
    assert list(model.state_dict()) == ["0.weight", "1.weight"]
    model[0].weight.grad = tg.ones((5, 3))
    both = [model[0].weight, model[1].weight]
    assert tg.optim.clip_grad_norm_(both, 1.0).item() == pytest.approx(15**0.5)
    assert tg.square(model[0].weight.grad).sum().item() == pytest.approx(1, abs=1e-5)
    tg.optim.SGD(model.parameters(), lr=0.1).step()


def test_a_model_is_printed_as_a_table() -> None:
    assert repr(nn.Sequential(nn.Linear(2, 3), tg.tanh)).split() == [
        "module", "class", "parameters", "numbers", "Sequential", "9", "0", "Linear", "weight", "3×2,", "bias", "3", "9"
    ]  # fmt: skip


def test_a_sequential_is_a_sequence_of_steps_that_may_be_replaced() -> None:
    model = nn.Sequential(nn.Linear(2, 3), tg.tanh)
    assert (len(model), model[-1], list(model)) == (2, tg.tanh, [model[0], tg.tanh])
    setattr(model, "0", nn.Linear(2, 7))
    assert model(tg.ones((1, 2))).shape == (1, 7)


MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    "Linear: got in_features = -1, wanted at least 0.": (ValueError, lambda: nn.Linear(-1, 2)),
    "Linear: got out_features = 2.5, wanted an int.": (TypeError, lambda: nn.Linear(1, 2.5)),
    "Embedding: got num_embeddings = -1, wanted at least 0.": (ValueError, lambda: nn.Embedding(-1, 2)),
    "Embedding: got embedding_dim = 2.0, wanted an int.": (TypeError, lambda: nn.Embedding(1, 2.0)),
    "LSTM: got input_size = 2.5, wanted an int.": (TypeError, lambda: nn.LSTM(2.5, 3)),
    "GRU: got num_layers = 0, wanted at least 1.": (ValueError, lambda: nn.GRU(2, 3, num_layers=0)),
    "Conv1d: got in_channels = -1, wanted at least 0.": (ValueError, lambda: nn.Conv1d(-1, 2, 3)),
    "Dropout: got p = -1, wanted a probability between 0 and 1.": (ValueError, lambda: nn.Dropout(-1)),
    "Dropout: got p = nan, wanted a probability": (ValueError, lambda: nn.Dropout(float("nan"))),
    "Sequential: got int as step 1, wanted a module or a function.": (
        TypeError,
        lambda: nn.Sequential(nn.Linear(1, 1), 3),
    ),
    "to: got dtype int64, wanted a floating type": (TypeError, lambda: nn.Linear(1, 1).to("int64")),
    "normal_: got std = -1.0, wanted": (ValueError, lambda: nn.init.normal_(tg.ones(2), std=-1.0)),
    "trunc_normal_: got std = 0.0, wanted": (ValueError, lambda: nn.init.trunc_normal_(tg.ones(2), std=0.0)),
    "uniform_: got a = 2.0 and b = 1.0, wanted": (ValueError, lambda: nn.init.uniform_(tg.ones(2), 2.0, 1.0)),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=re.escape(message)):
        mistake()


@pytest.mark.skipif(backend.name != "numpy", reason="to look would make the host wait")
def test_an_embedding_takes_no_negative_numbers() -> None:
    with pytest.raises(IndexError, match=r"Embedding: got -1, wanted integers from 0 to 4\."):
        nn.Embedding(5, 2)(tg.asarray([0, -1]))


def test_a_state_dict_is_taken_whole_or_not_at_all() -> None:
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().numpy().copy()
    with pytest.raises(KeyError, match=r"missing \['bias'\], unknown \['offset'\]"):
        layer.load_state_dict({"weight": tg.ones((2, 3)), "offset": tg.ones((2,))})
    with pytest.raises(ValueError, match=r"load_state_dict: got bias of shape \(3,\), wanted \(2,\)"):
        layer.load_state_dict({"weight": tg.ones((2, 3)), "bias": tg.ones((3,))})
    assert_close(layer.weight, before, 0)
    layer.load_state_dict({"weight": tg.ones((2, 3)), "bias": tg.zeros((2,))})
    assert_close(layer(tg.ones((1, 3))), tg.full((1, 2), 3.0), 0)


def test_loading_weights_voids_graphs_made_before() -> None:
    layer = nn.Linear(3, 2)
    loss = tg.sum(layer(tg.ones((1, 3))))
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match=r"the leaf '(weight|bias)' of shape .* was changed after linear"):
        loss.backward()


def test_dropout_thins_out_in_training_only() -> None:
    layer, x = nn.Dropout(0.25), tg.ones((100, 100), requires_grad=True)
    y = layer(x)
    kept = (y.detach().data != 0).mean()
    assert 0.72 < float(kept) < 0.78
    assert abs(float(y.detach().data.mean()) - 1) < 0.05
    tg.sum(y).backward()
    assert_close(x.grad, y, 0)
    assert layer.eval()(x) is x
    assert layer.train()(x) is not x
    with pytest.raises(ValueError, match=r"dropout: got p = 1.5"):
        tg.dropout(x, 1.5)


def test_scopes_follow_the_names_of_modules_and_steps() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            self.lstm = nn.LSTM(3, 4)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.lstm(x)[0]

    with tg.Tape() as tape:
        Model()(tg.ones((2, 1, 3)))
    lines = str(tape).splitlines()
    assert any(line.startswith("f ") and line.endswith("Model/lstm/l0/t=2") for line in lines)
    assert sum(line.startswith("c ") for line in lines) == 2
