"""Fused recurrences are held to the composed steps, which define them: values, gradients, second derivatives."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend, nn
from tinygrad_lstm.nn.recurrent import fused
from tinygrad_lstm.tape import scope_path

pytestmark = pytest.mark.skipif(backend.name != "numpy", reason="the kernels are the host's")

KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "rnn": (nn.RNN, {}),
    "rnn relu": (nn.RNN, {"nonlinearity": "relu"}),
    "gru": (nn.GRU, {}),
    "gru without bias": (nn.GRU, {"bias": False}),
    "lstm": (nn.LSTM, {}),
    "lstm without bias": (nn.LSTM, {"bias": False}),
    "lstm projected": (nn.LSTM, {"proj_size": 2}),
    "lstm with weights dropped": (nn.LSTM, {"weight_drop": 0.5}),
}
LENGTHS = [4, 2, 0, 4, 1]

every_kind = pytest.mark.parametrize("kind", KINDS)


def made(kind: str, dtype: str = "float64", **more: Any) -> tuple[Any, tg.Tensor, tuple[tg.Tensor, ...]]:
    """Return a layer, an input, and an initial state, all of which require gradients."""
    make, options = KINDS[kind]
    layer = make(3, 4, **options, **more).to(dtype)
    x = tg.randn(4, 5, 3, dtype=dtype, requires_grad=True)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    state = tuple(tg.randn(count, 5, n, dtype=dtype, requires_grad=True) for n in layer.state_sizes)
    return layer, x, state


def results(layer: Any, x: tg.Tensor, state: tuple[tg.Tensor, ...], **more: Any) -> list[tg.Tensor]:
    """Return the outputs and the parts of the last state."""
    tg.manual_seed(5)
    output, last = layer(x, state if len(state) > 1 else state[0], **more)
    return [output, *(last if isinstance(last, tuple) else (last,))]


def total(parts: list[tg.Tensor]) -> tg.Tensor:
    """Return a scalar on which every element has an influence of its own."""
    return sum((tg.sum(tg.sin(part * (k + 1))) for k, part in enumerate(parts)), start=tg.zeros(()))


def names_on_the_way(y: tg.Tensor) -> set[str]:
    """Return the names of the nodes from which a tensor was computed."""
    seen, waiting = set(), [y.node]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(node.parents)
    return {node.name for node in seen}


@every_kind
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (2, True)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_kernel_and_its_steps_agree(
    kind: str, lengths: list[int] | None, layers: int, bidirectional: bool, dtype: str
) -> None:
    layer, x, state = made(kind, dtype, num_layers=layers, bidirectional=bidirectional)
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    wanted: list[Any] = []
    with nn.stepwise():
        steps = results(layer, x, state, lengths=lengths)
        wanted = [*steps, *tg.grad(total(steps), [x, *state, *layer.parameters()])]
    whole = results(layer, x, state, lengths=lengths)
    kernel = kind.split()[0]
    assert kernel in names_on_the_way(whole[0])
    assert kernel not in names_on_the_way(steps[0])
    found = [*whole, *tg.grad(total(whole), [x, *state, *layer.parameters()])]
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.dtype == theirs.dtype == dtype
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance)


@every_kind
def test_second_derivatives_go_through_the_steps(kind: str) -> None:
    layer, x, state = made(kind, bidirectional=True)
    (slope,) = tg.grad([total(results(layer, x, state))], [x], create_graph=True)
    second = tg.grad(tg.square(slope).sum(), [x, *layer.parameters()])
    with nn.stepwise():
        (slope,) = tg.grad([total(results(layer, x, state))], [x], create_graph=True)
        wanted = tg.grad(tg.square(slope).sum(), [x, *layer.parameters()])
    for ours, theirs in zip(second, wanted, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-10, atol=1e-12)


@every_kind
def test_some_results_and_some_gradients(kind: str) -> None:
    layer, x, state = made(kind)
    for used in (slice(0, 1), slice(1, 2), slice(1, None)):
        for wrt in ([layer.weight_hh_l0], [x], [state[0]]):
            found = tg.grad(total(results(layer, x, state)[used]), wrt)
            with nn.stepwise():
                wanted = tg.grad(total(results(layer, x, state)[used]), wrt)
            np.testing.assert_allclose(found[0].numpy(), wanted[0].numpy(), rtol=1e-10, atol=1e-12)


@every_kind
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_states_and_their_gradients_in_any_order_of_memory(kind: str, dtype: str) -> None:
    layer, x, state = made(kind, dtype)
    wanted = tg.grad(total(results(layer, x, state)), [x, *state])
    turned = tuple(tg.asarray(np.asfortranarray(part.detach().numpy()), requires_grad=True) for part in state)
    found = tg.grad(total(results(layer, x, turned)), [x, *turned])
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


@every_kind
def test_where_nothing_is_recorded_nothing_is_kept(kind: str) -> None:
    layer, x, state = made(kind)
    wanted = results(layer, x, state)
    with tg.no_grad():
        found = results(layer, x, state)
    assert not any(part.requires_grad for part in found)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.detach().numpy())


@every_kind
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
@pytest.mark.parametrize("at_once", [1, 45])
def test_where_nothing_is_recorded_a_sequence_goes_in_stretches(
    kind: str, bidirectional: bool, lengths: list[int] | None, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one step, and of two or three of four."""
    layer, x, state = made(kind, bidirectional=bidirectional)
    wanted = results(layer, x, state, lengths=lengths)
    monkeypatch.setattr(fused, "AT_ONCE", at_once)
    with tg.no_grad():
        found = results(layer, x, state, lengths=lengths)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=1e-12, atol=1e-14)


@every_kind
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "lengths"])
def test_what_is_recorded_comes_from_the_kernel_with_gradients(kind: str, lengths: list[int] | None) -> None:
    layer, x, state = made(kind, bidirectional=True)

    def recorded() -> tuple[dict[str, tg.Tensor], list[tg.Tensor]]:
        tg.manual_seed(5)
        output, _, seen = layer(x, state if len(state) > 1 else state[0], lengths=lengths, record=True)
        return seen, tg.grad(total([output, *seen.values()]), [x, *state, *layer.parameters()])

    with nn.stepwise():
        wanted, wanted_gradients = recorded()
    seen, gradients = recorded()
    assert kind.split()[0] in names_on_the_way(seen["h"])
    assert list(seen) == list(wanted)
    for ours, theirs in zip([*seen.values(), *gradients], [*wanted.values(), *wanted_gradients], strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-11, atol=1e-12)


def test_the_graph_is_let_go_and_kept_as_that_of_any_op() -> None:
    layer, x, state = made("lstm")
    loss = total(results(layer, x, state))
    loss.backward(retain_graph=True)
    first = layer.weight_hh_l0.grad.tolist()
    layer.zero_grad()
    loss.backward()
    assert layer.weight_hh_l0.grad.tolist() == first
    with pytest.raises(RuntimeError, match="was differentiated before"):
        loss.backward()


@every_kind
@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_gradients_of_another_type_are_taken_in_that_of_the_layer(kind: str, dtype: str) -> None:
    layer, x, state = made(kind, "float32")
    other = tg.unary("other", lambda x: x * 1, lambda g: g.astype(dtype))
    wanted = tg.grad(total(results(layer, x, state)), [x, *state, *layer.parameters()])
    found = tg.grad(total([other(part) for part in results(layer, x, state)]), [x, *state, *layer.parameters()])
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.dtype == "float32"
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0.02, atol=0.02)


@every_kind
def test_gradients_of_another_shape_are_refused(kind: str) -> None:
    layer, x, state = made(kind)
    less = tg.unary("less", lambda x: x * 1, lambda g: g[..., :1])
    with pytest.raises(ValueError, match=r"got a gradient of shape \(.*, 1\) for what has the shape \(.*, [24]\)"):
        less(results(layer, x, state)[0]).sum().backward()


@every_kind
@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "weight_hh_l1_reverse"])
def test_weights_of_another_shape_are_refused(kind: str, name: str) -> None:
    layer, x, state = made(kind, num_layers=2, bidirectional=True)
    weight = getattr(layer, name, None)
    if weight is None:
        pytest.skip("no bias")
    setattr(layer, name, weight.detach()[:-1])
    told = rf"{type(layer).__name__}: got {name} of shape \({weight.shape[0] - 1},.*, wanted \({weight.shape[0]},"
    with pytest.raises(ValueError, match=told):
        results(layer, x, state)


def test_what_a_tape_is_shown_of_weights_used_twice_adds_up() -> None:
    layer, x, state = made("lstm")
    loss = total(results(layer, x, state)) + total(results(layer, 2 * x, state))
    weight = layer.weight_hh_l0
    with tg.Tape() as tape:
        loss.backward()
    shown = [
        part
        for pull in tape.pulls
        for parent, part in zip(pull.node.parents, pull.contributions, strict=True)
        if parent is weight.node
    ]
    assert len(shown) == 2
    np.testing.assert_allclose(shown[0] + shown[1], weight.grad.numpy(), rtol=1e-12)
    assert not any(np.shares_memory(part, weight.grad.numpy()) for part in shown)


def test_a_tape_and_the_search_for_anomalies_see_the_steps() -> None:
    layer, x, state = made("gru")
    with tg.Tape() as tape:
        results(layer, x, state)
    assert "gru" not in {entry.node.name for entry in tape}
    assert {scope_path(entry.node.scope)[-1] for entry in tape if entry.node.name == "tanh"} == {
        "t=1",
        "t=2",
        "t=3",
        "t=4",
    }
    with tg.detect_anomaly():
        assert "gru" not in names_on_the_way(results(layer, x, state)[0])


@every_kind
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_a_state_of_another_type_is_computed_with_step_by_step(kind: str, dtype: str) -> None:
    layer, x, state = made(kind, "float64" if dtype != "float64" else "float32")
    other = tuple(tg.ones(part.shape, dtype=dtype) for part in state)
    found = results(layer, x, other)
    gradients = tg.grad(total(found), [x, *layer.parameters()])
    with nn.stepwise():
        wanted = results(layer, x, other)
        wanted_gradients = tg.grad(total(wanted), [x, *layer.parameters()])
    for ours, theirs in zip([*found, *gradients], [*wanted, *wanted_gradients], strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


@every_kind
def test_a_state_may_be_of_arrays(kind: str) -> None:
    layer, x, state = made(kind)
    arrays = tuple(part.detach().numpy() for part in state)
    for ours, theirs in zip(results(layer, x, arrays), results(layer, x, state), strict=True):
        np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())


def test_types_that_differ_and_half_precision_are_computed_step_by_step() -> None:
    layer, x, state = made("lstm", "float32")
    assert "lstm" not in names_on_the_way(layer(x.astype("float64"))[0])
    layer, x, state = made("rnn", "float16")
    assert results(layer, x, state)[0].dtype == "float16"


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (lambda: nn.LSTM(2, 3, peephole=True), "LSTM: peephole"),
        (lambda: nn.LSTM(2, 3, output_gate=False), "LSTM: a gate left out"),
        (lambda: nn.LSTM(2, 3, candidate_activation="relu"), "LSTM: another activation"),
        (lambda: nn.GRU(2, 3, reset_after=False), "GRU: reset_after=False"),
        (lambda: nn.RNN(2, 3, layer_norm=True), "RNN: layer_norm"),
        (lambda: nn.RNN(2, 3, nonlinearity="softsign"), "RNN: another activation"),
        (lambda: nn.GRU(2, 3, zoneout=0.1), "GRU: zoneout"),
    ],
)
def test_an_option_without_a_kernel_says_so_once(
    make: Any, option: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "_told", set())
    with caplog.at_level(logging.WARNING, "tinygrad_lstm"):
        for _ in range(3):
            make()(tg.ones((4, 1, 2)))
    assert [record.getMessage() for record in caplog.records] == [
        f"{option} is computed step by step; without it, a sequence is computed in one piece, and faster."
    ]
