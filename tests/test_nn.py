"""Modules: their parameters by name and in order, modes, and the scopes that they make."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import nn
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
