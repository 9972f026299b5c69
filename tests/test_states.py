"""States in files: what goes in comes out, other programs can read the tensors, and damage is told; random numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend
from tinygrad_lstm.interchange import FormatError, load_state, safetensors, save_state


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.safetensors"


def plain(state: Any) -> Any:
    """Return a state with its tensors as their types and lists."""
    if isinstance(state, dict):
        return {key: plain(part) for key, part in state.items()}
    if isinstance(state, list):
        return [plain(part) for part in state]
    return (str(state.dtype), state.shape, state.tolist()) if isinstance(state, tg.Tensor) else state


def test_a_state_comes_back(path: Path) -> None:
    state = {
        "model": {"layer.weight": tg.asarray([[1.5]]), "count": tg.asarray(7), "none": tg.zeros((0, 3))},
        "float64": tg.asarray([0.1], dtype="float64"),
        "list": [tg.asarray([True]), {}, [], None],
        "numbers": {"int": 2**100, "float": 0.1, "bool": True, "infinity": float("-inf")},
        "word": "\ni🙂",
    }
    save_state(path, state)
    assert plain(load_state(path)) == plain(state)


@pytest.mark.parametrize("view", ["x.T", "x[:, ::-1]", "x[::2, 1:]", "tg.broadcast_to(x[0], (2, 3))"])
def test_views_come_back_with_their_elements_in_order(path: Path, view: str) -> None:
    x = eval(view, {"tg": tg, "x": tg.arange(12).reshape(4, 3)})
    save_state(path, {"x": x})
    assert plain(load_state(path)["x"]) == plain(x)


def test_what_json_lacks_comes_back_as_what_it_has(path: Path) -> None:
    save_state(path, {"pair": (0.9, tg.ones((1,))), 3: {4: "x"}, "lr": backend.host_array([0.5])[0]})
    state = load_state(path)
    assert state["3"] == {"4": "x"}
    assert state["lr"] == 0.5
    assert plain(state["pair"]) == [0.9, ("float32", (1,), [1.0])]


def test_tensors_have_names_that_lead_to_them_and_may_require_a_gradient(path: Path) -> None:
    save_state(path, {"model": tg.nn.Linear(2, 1).state_dict(), "rest": [1, tg.ones((1,), requires_grad=True)]})
    tensors, metadata = safetensors.load(path)
    assert sorted(tensors) == ["model.bias", "model.weight", "rest.1"]
    assert json.loads(metadata["state"])["rest"] == [1, {"$tensor": "rest.1"}]
    assert not load_state(path)["rest"][1].requires_grad


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        ({"a": {"b": {1, 2}}}, TypeError, r"save_state: got \{1, 2\} as 'a.b', wanted dictionaries, lists, tensors"),
        ({"a": [object]}, TypeError, "save_state: got .* as 'a.0', wanted"),
        ({"a": {"$tensor": "x"}}, TypeError, "save_state: got .* as 'a', wanted"),
        ({"a": {1: 2, "1": 3}}, ValueError, "save_state: got keys that are one as strings in 'a', wanted each once"),
        ({"__metadata__": tg.ones(())}, ValueError, "save: got a tensor with the name '__metadata__'"),
        ({"a": {"b": tg.ones(())}, "a.b": tg.ones(())}, ValueError, "save_state: got two tensors with the name 'a.b'"),
    ],
)
def test_what_cannot_be_kept_is_refused(path: Path, state: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        save_state(path, state)
    assert not path.exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tensors, metadata: metadata.pop("format"), "is a safetensors file but not a state: .* format=None"),
        (lambda tensors, metadata: metadata.pop("state"), "is a state whose parts do not fit each other"),
        (lambda tensors, metadata: metadata.update(state="{"), "is a state whose parts do not fit each other"),
        (lambda tensors, metadata: tensors.pop("w"), "is a state whose parts do not fit each other: 'w'"),
    ],
)
def test_damage_is_told(path: Path, damage: Callable[[Any, Any], None], message: str) -> None:
    save_state(path, {"w": tg.ones(())})
    tensors, metadata = safetensors.load(path)
    damage(tensors, metadata)
    safetensors.save(path, tensors, metadata)
    with pytest.raises(FormatError, match=rf"state\.safetensors {message}"):
        load_state(path)


# Random numbers


def draw() -> list[float]:
    return tg.rand(3).tolist() + tg.randn(3).tolist() + tg.nn.Linear(1, 3).weight.tolist()


def test_random_numbers_go_on_where_they_were(path: Path) -> None:
    draw()
    save_state(path, tg.get_rng_state())
    wanted, others = draw(), draw()
    assert wanted != others
    tg.set_rng_state(load_state(path))
    assert draw() == wanted


def test_masks_of_dropout_follow_from_the_state() -> None:
    state = tg.get_rng_state()
    masks = []
    for _ in range(2):
        tg.set_rng_state(state)
        masks.append(tg.dropout(tg.ones((50,)), 0.5).tolist())
    assert masks[0] == masks[1]


@pytest.mark.skipif(backend.name != "numpy", reason="CuPy's own generator cannot be read")
def test_masks_of_dropout_go_on_where_they_were() -> None:
    tg.dropout(tg.ones((50,)), 0.5)
    state = tg.get_rng_state()
    wanted = tg.dropout(tg.ones((50,)), 0.5).tolist()
    tg.set_rng_state(state)
    assert tg.dropout(tg.ones((50,)), 0.5).tolist() == wanted


def test_a_state_of_another_backend_serves_as_far_as_it_goes() -> None:
    state = {"host": tg.get_rng_state()["host"]}
    tg.set_rng_state(state)
    wanted = tg.rand(3).tolist(), tg.dropout(tg.ones((50,)), 0.5).tolist()
    tg.set_rng_state(state)
    assert (tg.rand(3).tolist(), tg.dropout(tg.ones((50,)), 0.5).tolist()) == wanted


def test_what_is_no_random_state_changes_nothing() -> None:
    state = tg.get_rng_state()
    for wrong in ({}, {"host": {}}, {"host": {**state["host"], "bit_generator": "dice"}}, {**state, "host": 3}):
        with pytest.raises(ValueError, match="set_rng_state: got a state that get_rng_state did not give"):
            tg.set_rng_state(wrong)
    assert tg.get_rng_state() == state
