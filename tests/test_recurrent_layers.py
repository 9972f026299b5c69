"""Recurrent layers over sequences: against plain loops and PyTorch, padding, what is shown, carried on and drawn."""

from __future__ import annotations

import contextlib
import gc
import itertools
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recurrent_cases import CASES, Case, H, I, as_state, as_tuple, assert_close, host, host_weights, run

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.graph import to_dot

T, B = 5, 4
LENGTHS = [5, 3, 0, 1]

each_case = pytest.mark.parametrize("name", CASES)
each_kind = pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])


def random(*shape: int) -> tg.Tensor:
    """Return random numbers in float64."""
    return tg.randn(*shape, dtype="float64")


def random_state(case: Case, *batch: int) -> list[tg.Tensor]:
    """Return the parts of a random state."""
    return [random(*batch, n) for n in case.state_sizes]


def squares(tensors: Sequence[tg.Tensor]) -> tg.Tensor:
    """Return the sum of all squares."""
    return sum((tg.sum(tg.square(x)) for x in tensors), start=tg.zeros((), dtype="float64"))


def flat(result: Any) -> list[tg.Tensor]:
    """Return what a layer gives back as a list: outputs, then each part of the last state."""
    return [result[0], *as_tuple(result[1])]


# What is computed


@each_case
def test_layers_compute_their_equations_in_both_directions_within_each_length(name: str) -> None:
    case = CASES[name]
    layer, x, initial = case.layer(2, bidirectional=True).eval(), random(T, B, I), random_state(case, 4, B)
    output, last, seen = layer(x, as_state(case, initial), lengths=LENGTHS, record=True)
    weights = host_weights(layer)
    for b, length in enumerate(LENGTHS):
        wanted = run(case, weights, host(x)[:length, b], [host(part)[:, b] for part in initial])
        assert_close(output[:length, b], wanted.output)
        for ours, theirs in zip(as_tuple(last), wanted.last, strict=True):
            assert_close(ours[:, b], theirs)
        for letter, theirs in wanted.seen.items():
            assert_close(seen[letter][:, :length, b], theirs)
            assert (host(seen[letter])[:, length:, b] == 0).all()
        assert (host(output)[length:, b] == 0).all()
        assert seen.keys() == wanted.seen.keys() or length == 0


SHAPES = [
    {},
    {"num_layers": 2, "batch_first": True},
    {"bidirectional": True, "bias": False},
    {"num_layers": 2, "bidirectional": True},
]
TWINS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("GRU", {}), ("LSTM", {}), ("LSTM", {"proj_size": 2}),
]  # fmt: skip


@pytest.mark.peers
@pytest.mark.parametrize("in_one_piece", [False, True], ids=["stepwise", "in one piece"])
@pytest.mark.parametrize("lengths", [None, [3, 5, 1, 4]], ids=["full", "packed"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("kind", "options"), TWINS)
def test_layers_match_pytorch(
    kind: str, options: dict[str, Any], shape: dict[str, Any], lengths: list[int] | None, in_one_piece: bool
) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    case = Case(kind, {**options, **shape})
    ours = case.layer()
    theirs = getattr(torch.nn, kind)(I, H, **case.options).double()
    state_dict = {name: torch.tensor(p.numpy()) for name, p in ours.state_dict().items()}
    assert list(state_dict) == list(theirs.state_dict())
    theirs.load_state_dict(state_dict)
    batch_first, count = shape.get("batch_first", False), len([name for name in state_dict if "weight_ih" in name])
    our_x = tg.asarray(random(*((B, T, I) if batch_first else (T, B, I))), requires_grad=True)
    our_state = [tg.asarray(part, requires_grad=True) for part in random_state(case, count, B)]
    their_x, *their_state = (torch.tensor(x.detach().numpy(), requires_grad=True) for x in (our_x, *our_state))
    with tg.scope("in one piece") if in_one_piece else nn.stepwise():
        our_results = flat(ours(our_x, as_state(case, our_state), lengths=lengths))
    rnn = torch.nn.utils.rnn
    packed = their_x
    if lengths is not None:
        packed = rnn.pack_padded_sequence(their_x, lengths, batch_first=batch_first, enforce_sorted=False)
    their_output, their_last = theirs(packed, tuple(their_state) if kind == "LSTM" else their_state[0])
    if lengths is not None:
        their_output, _ = rnn.pad_packed_sequence(their_output, batch_first=batch_first, total_length=T)
    their_results = [their_output, *(their_last if kind == "LSTM" else (their_last,))]
    squares(our_results).backward()
    sum(r.square().sum() for r in their_results).backward()
    for a, b in zip(our_results, their_results, strict=True):
        assert_close(a, b.detach().numpy())
    found, wanted = [our_x, *our_state, *ours.parameters()], [their_x, *their_state, *theirs.parameters()]
    for a, b in zip(found, wanted, strict=True):
        assert_close(a.grad, b.grad.numpy(), 1e-10)


@each_kind
def test_a_tape_changes_what_is_recorded_and_not_what_is_computed(kind: str) -> None:
    case = Case(kind, {})
    layer, x = case.layer(bidirectional=True), tg.randn(70, 2, I, dtype="float64", requires_grad=True)
    results = []
    for taped in (False, True):
        layer.zero_grad()
        x.grad = None
        with tg.Tape() if taped else tg.scope("plain"):
            output, _ = layer(x)
        squares([output]).backward()
        results.append([output, x.grad, *(p.grad for p in layer.parameters())])
    for plain, recorded in zip(*results, strict=True):
        assert_close(plain, recorded, 1e-10)


@each_kind
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_sequence_without_a_batch_is_a_batch_of_one(kind: str, batch_first: bool) -> None:
    case = Case(kind, {"bidirectional": True, "batch_first": batch_first})
    layer, x, state = case.layer(2), random(T, I), random_state(case, 4)
    batched = x[None] if batch_first else x[:, None]
    *alone, seen = [*flat(layer(x, as_state(case, state))), layer(x, record=True)[2]]
    many = flat(layer(batched, as_state(case, [part[:, None] for part in state])))
    assert_close(alone[0], many[0][0] if batch_first else many[0][:, 0])
    for one, other in zip(alone[1:], many[1:], strict=True):
        assert_close(one, other[:, 0])
    assert_close(layer.last(alone[0]), layer.last(many[0])[0])
    assert seen["h"].shape == (4, T, H)


@each_kind
def test_batches_may_be_empty(kind: str) -> None:
    layer = getattr(nn, kind)(I, H, bidirectional=True)
    output, *last = flat(layer(tg.zeros((T, 0, I)), lengths=[]))
    assert output.shape == (T, 0, 2 * H)
    assert {part.shape for part in last} == {(2, 0, H)}
    assert layer.last(output, lengths=[]).shape == (0, 2 * H)


def test_integers_and_arrays_are_sequences_too() -> None:
    layer, x = nn.LSTM(I, H), tg.ones((T, B, I))
    for same in (x.astype("int64"), x.data):
        assert_close(layer(same)[0], layer(x)[0], 1e-6)
        assert layer(same)[0].dtype == x.dtype


def test_dropout_stands_between_layers() -> None:
    case = Case("LSTM", {})
    layer, x = case.layer(2, dropout=0.5), random(T, B, I)
    first, second = case.layer(), Case("LSTM", {}).layer()
    second = nn.LSTM(H, H).to("float64")
    for k, one in enumerate((first, second)):
        state_dict = layer.state_dict().items()
        one.load_state_dict({n.replace(f"_l{k}", "_l0"): w for n, w in state_dict if n.endswith(f"_l{k}")})
    tg.manual_seed(2)
    found = layer(x)[0]
    tg.manual_seed(2)
    assert_close(found, second(tg.dropout(first(x)[0], 0.5))[0])
    assert_close(layer.eval()(x)[0], second(first(x)[0])[0])
    with pytest.warns(UserWarning, match="LSTM: got dropout = 0.5, which is between layers, and one layer") as caught:
        nn.LSTM(I, H, dropout=0.5)
    assert caught[0].filename == __file__


# Lengths

FILLS = [float("nan"), float("inf"), -float("inf"), 1e300, -1.0, 0.0]


def run_with_padding(layer: Any, x: Any, lengths: list[int], fills: list[float], in_one_piece: bool) -> list[Any]:
    """Return outputs, last states and gradients, with padding that holds anything."""
    steps = np.arange(x.shape[0])[:, None, None]
    padding = np.resize(np.asarray(fills), x.shape)
    given_x = tg.asarray(np.where(steps < np.asarray(lengths)[:, None], x, padding), requires_grad=True)
    layer.zero_grad()
    tg.manual_seed(1)
    with tg.scope("in one piece") if in_one_piece else nn.stepwise():
        results = flat(layer(given_x, lengths=lengths))
    squares(results).backward()
    return [host(y) for y in (*results, given_x.grad, *(p.grad for p in layer.parameters()))]


@each_kind
@given(data=st.data())
def test_padding_changes_nothing_whatever_it_holds(kind: str, data: st.DataObject) -> None:
    case = CASES[data.draw(st.sampled_from([name for name, case in CASES.items() if case.kind == kind]))]
    steps = data.draw(st.integers(1, 4))
    lengths = data.draw(st.lists(st.integers(0, steps), min_size=1, max_size=3))
    fills = data.draw(st.lists(st.sampled_from(FILLS), min_size=1, max_size=5))
    layer = case.layer(data.draw(st.integers(1, 2)), bidirectional=data.draw(st.booleans()))
    x, in_one_piece = np.random.default_rng(0).standard_normal((steps, len(lengths), I)), data.draw(st.booleans())
    zeros, anything = (run_with_padding(layer, x, lengths, padding, in_one_piece) for padding in ([0.0], fills))
    for one, other in zip(zeros, anything, strict=True):
        assert_close(one, other, 1e-10)
    gradient = anything[1 + len(case.state_sizes)]
    assert all((gradient[length:, b] == 0).all() for b, length in enumerate(lengths))


@each_case
def test_a_sequence_alone_gives_what_it_gives_in_a_batch(name: str) -> None:
    case = CASES[name]
    layer, x, state = case.layer(2, bidirectional=True).eval(), random(T, B, I), random_state(case, 4, B)
    together = flat(layer(x, as_state(case, state), lengths=LENGTHS))
    for b, length in enumerate(LENGTHS):
        if length:
            alone = flat(layer(x[:length, b], as_state(case, [part[:, b] for part in state])))
            assert_close(together[0][:length, b], alone[0])
            for many, one in zip(together[1:], alone[1:], strict=True):
                assert_close(many[:, b], one)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "lstm projected"])
def test_last_is_what_the_last_layer_has_seen_of_each_sequence(
    name: str, batch_first: bool, bidirectional: bool
) -> None:
    case = CASES[name]
    layer = case.layer(2, batch_first=batch_first, bidirectional=bidirectional)
    x = random(*((B, T, I) if batch_first else (T, B, I)))
    for lengths in (None, [5, 5, 5, 5], [2, 5, 1, 4], LENGTHS, tg.asarray(LENGTHS)):
        output, h_n, *_ = flat(layer(x, lengths=lengths))
        own = h_n[-2:] if bidirectional else h_n[-1:]
        assert_close(layer.last(output, lengths), tg.concat(list(own), axis=-1), 0)
    output = layer(x, lengths=LENGTHS)[0]
    leaf = tg.asarray(output.detach(), requires_grad=True)
    tg.sum(layer.last(leaf, LENGTHS)).backward()
    assert float(tg.sum(leaf.grad)) == sum(length > 0 for length in LENGTHS) * layer.last(output).shape[1]


def test_a_sequence_of_no_steps_keeps_its_state_and_has_no_output() -> None:
    layer, h = nn.GRU(I, H).to("float64"), random(1, B, H)
    output, h_n = layer(random(T, B, I), h, lengths=LENGTHS)
    assert_close(h_n[:, 2], h[:, 2], 0)
    assert_close(layer.last(output, LENGTHS)[2], tg.zeros((H,)), 0)


# Showing all


@pytest.mark.parametrize("name", ["rnn", "gru", "gru before", "lstm", "lstm of everything"])
def test_what_is_recorded_is_what_the_cells_compute_and_has_gradients(name: str) -> None:
    case = CASES[name]
    layer, cell, x = case.layer(bidirectional=True).eval(), case.cell().eval(), random(T, B, I)
    output, last, seen = layer(x, record=True)
    for direction, suffix in enumerate(("_l0", "_l0_reverse")):
        weights = {n.removesuffix(suffix): w for n, w in layer.state_dict().items() if n.endswith(suffix)}
        cell.load_state_dict(weights)
        state = None
        for t in range(T - 1, -1, -1) if direction else range(T):
            state, here = cell(x[t], state, record=True)
            assert here.keys() == seen.keys()
            for letter, value in here.items():
                assert_close(seen[letter][direction, t], value)
    assert_close(tg.concat(list(seen["h"]), axis=-1), output)
    for ours, theirs in zip(flat(layer(x)), flat((output, last)), strict=True):
        assert_close(ours, theirs)
    squares(list(seen.values())).backward()
    assert all(float(tg.max(tg.abs(p.grad))) > 0 for p in layer.parameters() if p.grad is not None)


# Carrying a state on


@each_kind
def test_the_state_carries_a_sequence_on(kind: str) -> None:
    layer, x = getattr(nn, kind)(I, H, 2).to("float64"), random(6, B, I)
    whole, _ = layer(x)
    first, state = layer(x[:4])
    assert_close(tg.concat([first, layer(x[4:], state)[0]]), whole)


@each_kind
def test_truncated_backpropagation_carries_values_and_no_gradients(kind: str) -> None:
    layer, x, target = getattr(nn, kind)(I, H).to("float64"), random(6, B, I), random(6, B, H)
    stream = [(x[t : t + 2], target[t : t + 2], t) for t in range(0, 6, 2)]
    whole, state = layer(x)[0], None
    for output, wanted, t in nn.truncated_bptt(layer, stream):
        layer.zero_grad()
        squares([output - wanted]).backward()
        found = [p.grad for p in layer.parameters()]
        layer.zero_grad()
        alone, state = layer(x[t : t + 2], nn.detach(state))
        squares([alone - wanted]).backward()
        assert_close(output, whole[t : t + 2])
        for ours, theirs in zip(found, layer.parameters(), strict=True):
            assert_close(ours, theirs.grad)


def test_truncated_backpropagation_begins_with_a_state_and_takes_bare_stretches() -> None:
    layer, x = nn.LSTM(I, H).to("float64"), random(6, B, I)
    start = (random(1, B, H), tg.asarray(random(1, B, H), requires_grad=True))
    outputs = list(nn.truncated_bptt(layer, [x[:3], x[3:]], start))
    assert_close(tg.concat(outputs), layer(x, start)[0])
    squares(outputs[:1]).backward()
    assert float(tg.max(tg.abs(start[1].grad))) > 0
    assert not any(x is None for (x,) in nn.truncated_bptt(layer, [(x,)]))


def test_detach_takes_states_of_any_make() -> None:
    x = tg.asarray([1.0], requires_grad=True)
    noise = nn.Noise(x * 2, None)
    found = nn.detach([(x * 2, None), OrderedDict(c=x * 3), noise, 5])
    assert [type(part) for part in found] == [tuple, OrderedDict, nn.Noise, int]
    assert not any(part.requires_grad for part in (found[0][0], found[1]["c"], found[2].h))


CALLS = 1000


def carried(layer: Any, calls: int, between: Any = lambda state: state) -> tuple[Any, list[Any]]:
    """Return the state after so many calls, each with that of the one before, and the warnings that were given."""
    x, state = tg.ones((1, 1, 1)), None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(calls):
            _, state = layer(x, state)
            state = between(state)
    return state, caught


def test_a_state_carried_on_and_on_without_a_thought_of_the_tape_draws_one_warning() -> None:
    layer = nn.RNN(1, 1)
    state, caught = carried(layer, CALLS + 200)
    (warning,) = caught
    assert warning.filename == __file__
    assert "RNN: got a state that 1,000 calls in a row have carried on" in str(warning.message)
    assert all(word in str(warning.message) for word in ("nn.detach", "nn.truncated_bptt", "no_grad"))
    node = weakref.ref(state.node)
    del state
    gc.collect()
    assert node() is None


def test_a_state_that_is_cut_off_or_not_recorded_draws_no_warning() -> None:
    layer = nn.RNN(1, 1)
    for between in (nn.detach, lambda state: None):
        assert carried(layer, CALLS + 200, between)[1] == []
    with tg.no_grad():
        assert carried(layer, CALLS + 200)[1] == []
    assert carried(layer, CALLS - 100)[1] == []
    for output in nn.truncated_bptt(layer, itertools.repeat(tg.ones((1, 1, 1)), CALLS + 200)):
        assert output.requires_grad


@pytest.mark.parametrize("was_enabled", [True, False])
@pytest.mark.parametrize("fails", [False, True])
def test_pythons_collector_waits_while_steps_are_taken(was_enabled: bool, fails: bool) -> None:
    during: list[bool] = []

    def shown(c: tg.Tensor) -> tg.Tensor:
        during.append(gc.isenabled())
        if fails:
            raise ArithmeticError
        return tg.tanh(c)

    layer = nn.LSTM(2, 3, output_activation=shown)
    try:
        (gc.enable if was_enabled else gc.disable)()
        with contextlib.suppress(ArithmeticError):
            layer(tg.ones((4, 1, 2)))
        assert gc.isenabled() == was_enabled
    finally:
        gc.enable()
    assert during == [False] * (1 if fails else 4)


class Ring:
    """A cycle, which the collector alone can free."""

    def __init__(self) -> None:
        self.itself = self


def test_what_many_steps_made_is_not_young_afterwards_and_other_garbage_is_collected() -> None:
    layer, x, ring = nn.RNN(1, 1), tg.ones((2_000, 1, 1)), weakref.ref(Ring())
    with nn.stepwise():
        output, _ = layer(x)
    assert sum(len(gc.get_objects(generation)) for generation in (0, 1)) < 2_000 < len(gc.get_objects(2))
    assert ring() is None
    node = weakref.ref(output.node.parents[0])
    del output, _
    assert node() is None


def test_many_steps_leave_what_somebody_has_frozen() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        with nn.stepwise():
            nn.RNN(1, 1)(tg.ones((2_000, 1, 1)))
        assert gc.get_freeze_count() > frozen / 2
    finally:
        gc.unfreeze()


# Pictures


@pytest.mark.parametrize(
    "kind", [Case("LSTM", {"bidirectional": True}), CASES["lstm NIAF"], CASES["lstm of everything"]]
)
def test_recurrent_networks_with_options_can_be_drawn(kind: Case) -> None:
    layer = kind.layer(2)
    with tg.Tape() as tape:
        layer(random(3, 1, I), lengths=[3])
    assert to_dot(tape).startswith("digraph")
    lines = str(tape).splitlines()
    scopes = {line.split()[-1] for line in lines[1:]}
    directions = ["", "_reverse"] if layer.bidirectional else [""]
    places = [f"LSTM/l{k}{which}/t={t}" for k in range(2) for which in directions for t in (1, 2, 3)]
    assert scopes.issuperset(places)
    for place in places:
        names = [line.split()[0] for line in lines if line.endswith(place)]
        assert [names.count(letter) for letter in "ifgoch"] == [1] * 6


# Mistakes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda layer, x: layer(x, lengths=[5, 3]), r"LSTM: got lengths of shape \(2,\) and int64, wanted 4 integers"),
        (lambda layer, x: layer(x, lengths=[5.0, 3.0, 1.0, 1.0]), r"LSTM: got lengths of shape \(4,\) and float32"),
        (lambda layer, x: layer(x, lengths=[5, 6, 1, 1]), r"LSTM: got lengths \[5, 6, 1, 1\], wanted .* 0 and 5"),
        (lambda layer, x: layer(x, lengths=[5, -1, 1, 1]), r"LSTM: got lengths \[5, -1, 1, 1\], wanted"),
        (lambda layer, x: layer(x[:, 0], lengths=[5]), r"LSTM: got lengths for one sequence of shape \(T, I\)"),
        (lambda layer, x: layer.last(layer(x[:, 0])[0], [5]), "LSTM: got lengths for one sequence"),
        (lambda layer, x: layer.last(x), r"LSTM: got output of shape \(5, 4, 3\), wanted \(T, B, 4\)"),
        (lambda layer, x: layer(x[..., :2]), r"LSTM: got input of shape \(5, 4, 2\), wanted \(T, B, 3\)"),
        (lambda layer, x: layer(x[0, 0]), r"LSTM: got input of shape \(3,\), wanted \(T, B, 3\)"),
        (lambda layer, x: layer(x[:0]), "LSTM: got a sequence of no steps, wanted at least one"),
        (lambda layer, x: layer(x, x), r"LSTM: got initial state as one tensor of shape .*, wanted \(h, c\)"),
        (lambda layer, x: layer(x, (x, x, x)), r"LSTM: got initial state of 3 parts, wanted \(h, c\)"),
        (lambda layer, x: layer(x, (x, x)), r"LSTM: got initial state of shape \(5, 4, 3\), wanted \(1, 4, 4\)"),
        (lambda layer, x: layer(x[:, 0], (x, x)), r"LSTM: got initial state of shape .*, wanted \(1, 4\)"),
        (lambda layer, x: nn.GRU(I, H)(x, (x,)), r"GRU: got initial state of type tuple, wanted .* \(1, 4, 4\)"),
        (lambda layer, x: nn.GRU(I, H, batch_first=True)(x[..., :2]), r"GRU: got input .* wanted \(B, T, 3\)"),
        (lambda layer, x: nn.LSTM(I, H, num_layers=0), "LSTM: got num_layers = 0, wanted at least 1"),
        (lambda layer, x: nn.LSTM(I, H, 2, dropout=-1.0), "LSTM: got dropout = -1.0, wanted a probability"),
    ],
)
def test_wrong_sequences_and_lengths_are_told_in_one_sentence(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call(nn.LSTM(I, H), tg.ones((T, B, I)))
    assert str(caught.value).count("\n") == 0
