"""Recurrent cells with every option: equations, derivatives, noise, presets, files, and what is told of mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrent_cases import CASES, Case, H, I, Masks, as_state, as_tuple, assert_close, host, host_weights, step

import tinygrad_lstm as tg
from tinygrad_lstm import backend, nn
from tinygrad_lstm.interchange import safetensors
from tinygrad_lstm.nn import variants

B = 2

each_case = pytest.mark.parametrize("name", CASES)
each_with_drops = pytest.mark.parametrize("name", [name for name in CASES if "weight_drop" in CASES[name].options])
each_with_zoneout = pytest.mark.parametrize("name", ["rnn zoneout", "gru zoneout", "lstm zoneout"])


def random(*shape: int) -> tg.Tensor:
    """Return random numbers in float64."""
    return tg.randn(*shape, dtype="float64")


def random_state(case: Case, *batch: int) -> list[tg.Tensor]:
    """Return the parts of a random state."""
    return [random(*batch, n) for n in case.state_sizes]


def masks_of(noise: nn.Noise) -> Masks:
    """Return noise as factors."""
    return Masks(*(1.0 if mask is None else host(mask) for mask in noise))


# What is computed


@each_case
def test_a_cell_computes_its_equations_and_shows_all_of_it(name: str) -> None:
    case = CASES[name]
    cell, x, state = case.cell().eval(), random(B, I), random_state(case, B)
    wanted, wanted_seen = step(case, host_weights(cell), host(x), [host(part) for part in state])
    new, seen = cell(x, as_state(case, state), record=True)
    assert seen.keys() == wanted_seen.keys()
    for ours, theirs in zip([*as_tuple(new), *seen.values()], [*wanted, *map(wanted_seen.get, seen)], strict=True):
        assert_close(ours, theirs)
    alone = as_tuple(cell(x[0], as_state(case, [part[0] for part in state])))
    for ours, theirs in zip(alone, wanted, strict=True):
        assert_close(ours, theirs[0])


@each_case
def test_no_state_is_a_state_of_zeros(name: str) -> None:
    case = CASES[name]
    cell, x = case.cell().eval(), random(B, I)
    zeros = [tg.zeros((B, n), dtype="float64") for n in case.state_sizes]
    for ours, theirs in zip(as_tuple(cell(x)), as_tuple(cell(x, as_state(case, zeros))), strict=True):
        assert_close(ours, theirs)


@each_case
def test_derivatives_at_both_orders_in_all_weights_input_and_state(name: str) -> None:
    case = CASES[name]
    cell = case.cell().train("zoneout" not in case.options)
    noise = cell.noise(B)
    weights = {name: 2 * weight for name, weight in cell.state_dict().items()}

    def stepped(x: tg.Tensor, *others: tg.Tensor) -> list[tg.Tensor]:
        state = others[: len(case.state_sizes)]
        for name, weight in zip(weights, others[len(state) :], strict=True):
            setattr(cell, name, weight)
        return list(as_tuple(cell(x, as_state(case, state), noise=noise)))

    assert tg.gradcheck(stepped, [random(B, I), *random_state(case, B), *weights.values()])


@each_case
def test_a_given_state_is_left_as_it_was(name: str) -> None:
    case = CASES[name]
    for network, x, state in (
        (case.cell(), random(B, I), random_state(case, B)),
        (case.layer(), random(5, B, I), random_state(case, 1, B)),
    ):
        given = [part.named("mine") for part in state]
        before = [host(part).copy() for part in given]
        network(x, as_state(case, given))
        for part, values in zip(given, before, strict=True):
            assert_close(part, values, 0)
            assert part.name == "mine"
            assert not part.requires_grad


def test_the_plain_case_records_no_more_than_it_has_to() -> None:
    def recorded(kind: str, steps: int) -> int:
        layer = getattr(nn, kind)(I, H)
        with tg.Tape() as tape:
            layer(tg.ones((steps, B, I)))
        return len(tape)

    found = {kind: recorded(kind, 3) - recorded(kind, 2) for kind in ("RNN", "GRU", "LSTM")}
    assert found == {"RNN": 3, "GRU": 19, "LSTM": 15}


# Noise


@each_with_drops
def test_noise_is_the_same_at_every_step_and_scales_what_it_leaves(name: str) -> None:
    case = Case(CASES[name].kind, {**CASES[name].options, "zoneout": 0.0})
    cell = case.cell()
    noise = cell.noise(B)
    masks = masks_of(noise)
    assert set(np.unique(masks.h)) == {0, 2}
    assert set(np.unique(masks.weight_hh).round(9)) == {0, round(1 / 0.6, 9)}
    state, wanted = as_state(case, random_state(case, B)), None
    wanted = [host(part) for part in as_tuple(state)]
    for x in random(3, B, I):
        state = cell(x, state, noise=noise)
        wanted, _ = step(case, host_weights(cell), host(x), wanted, masks)
        for ours, theirs in zip(as_tuple(state), wanted, strict=True):
            assert_close(ours, theirs)


@each_with_drops
def test_layers_draw_noise_once_for_a_sequence_and_anew_for_the_next(name: str) -> None:
    case = Case(CASES[name].kind, {**CASES[name].options, "zoneout": 0.0})
    layer, cell, x = case.layer(), case.cell(), random(5, B, I)
    cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in layer.state_dict().items()})
    tg.manual_seed(7)
    found = [layer(x)[0] for _ in range(2)]
    tg.manual_seed(7)
    for output in found:
        noise, state = cell.noise(B), None
        for t, x_t in enumerate(x):
            state = cell(x_t, state, noise=noise)
            assert_close(output[t], as_tuple(state)[0])
    assert float(tg.max(tg.abs(found[0] - found[1]))) > 1e-3


@each_with_drops
def test_a_dropped_weight_has_no_influence_and_no_gradient(name: str) -> None:
    case = CASES[name]
    cell, x, state = case.cell(), random(B, I), as_state(case, random_state(case, B))
    noise = nn.Noise(None, cell.noise(B).weight_hh)
    dropped = host(noise.weight_hh) == 0

    def loss() -> tg.Tensor:
        tg.manual_seed(3)  # for zoneout
        return sum((tg.sum(tg.square(part)) for part in as_tuple(cell(x, state, noise=noise))), start=tg.zeros(()))

    before = loss()
    before.backward()
    assert (host(cell.weight_hh.grad)[dropped] == 0).all()
    assert (host(cell.weight_hh.grad)[~dropped] != 0).any()
    kept = host(cell.weight_hh)
    cell.weight_hh.assign_(np.where(dropped, 1e6, kept))
    assert_close(loss(), before)
    cell.weight_hh.assign_(np.where(dropped, kept, kept + 0.1))
    assert float(abs(loss() - before)) > 1e-3


@each_with_zoneout
def test_zoneout_keeps_old_elements_by_masks_that_change_from_step_to_step(name: str) -> None:
    case = CASES[name]
    cell, x, state = case.cell(), random(B, I), random_state(case, B)
    found = []
    for _ in range(2):
        tg.manual_seed(5)
        found.append([as_tuple(cell(x, as_state(case, state))) for _ in range(2)])
    tg.manual_seed(5)
    rates, weights = cell.zoneout, host_weights(cell)
    for first, second in zip(*found, strict=True):
        drawn = [backend.to_host(backend.device_rng.random((B, H), dtype="float32")) for _ in rates]
        keep = [(u < p).astype(float) for u, p in zip(drawn[::-1], rates, strict=True)]  # c comes before h
        wanted, _ = step(case, weights, host(x), [host(part) for part in state], Masks(keep=keep))
        for ours, same, theirs in zip(first, second, wanted, strict=True):
            assert_close(ours, theirs)
            assert_close(ours, same)
    assert float(tg.max(tg.abs(found[0][0][0] - found[0][1][0]))) > 1e-3


@each_with_zoneout
def test_zoneout_keeps_as_many_elements_as_asked_and_has_its_mean_in_evaluation(name: str) -> None:
    case = CASES[name]
    cell, x, state = case.cell(), tg.ones((4000, I), dtype="float64"), random_state(case)
    state = [tg.broadcast_to(part, (4000, len(part))) for part in state]
    drawn, mean = as_tuple(cell(x, as_state(case, state))), as_tuple(cell.eval()(x, as_state(case, state)))
    for new, expected, old, p in zip(drawn, mean, state, cell.zoneout, strict=True):
        assert abs((host(new) == host(old)).mean() - p) < 0.02
        assert abs(host(new).mean(axis=0) - host(expected)[0]).max() < 0.05


@pytest.mark.parametrize("name", [name for name in CASES if "drops" in name or "everything" in name])
def test_nothing_is_random_in_evaluation(name: str) -> None:
    case = CASES[name]
    layer, x = case.layer(2, dropout=0.5).eval(), random(5, B, I)
    plain = Case(case.kind, {k: v for k, v in case.options.items() if k not in ("recurrent_dropout", "weight_drop")})
    other = plain.layer(2).eval()
    other.load_state_dict(layer.state_dict())
    assert_close(layer(x)[0], layer(x)[0])
    assert_close(layer(x)[0], other(x)[0])
    assert case.cell().eval().noise(B) == (None, None)


# Weights and files


@each_case
def test_weights_come_back_from_a_file(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    layer, other = (case.layer(2, bidirectional=True).eval() for _ in range(2))
    safetensors.save(tmp_path / "weights", layer.state_dict())
    other.load_state_dict(safetensors.load(tmp_path / "weights")[0])
    x = random(5, B, I)
    for ours, theirs in zip(layer.parameters(), other.parameters(), strict=True):
        assert_close(ours, theirs, 0)
    assert_close(layer(x)[0], other(x)[0])


def test_every_weight_matters_and_has_the_shape_that_is_told() -> None:
    cell = CASES["lstm of everything"].cell()
    wanted = {
        "weight_ih": (16, 3), "weight_hh": (16, 3), "bias_ih": (16,), "bias_hh": (16,), "weight_hr": (3, 4),
        "weight_ci": (4,), "weight_cf": (4,), "weight_co": (4,), "weight_gates": (12, 12), "gain_ih": (16,),
        "gain_hh": (16,), "gain_c": (4,), "shift_c": (4,),
    }  # fmt: skip
    assert {name: weight.shape for name, weight in cell.state_dict().items()} == wanted
    state = None
    for x in random(3, B, I):
        state = cell(x, state)
    sum(map(tg.sum, state), start=tg.zeros(())).backward()
    assert all(float(tg.max(tg.abs(weight.grad))) > 0 for weight in cell.parameters())


def test_where_weights_start() -> None:
    cell = nn.LSTMCell(3, 50, layer_norm=True, forget_bias=1.5)
    bias_ih, bias_hh = host(cell.bias_ih), host(cell.bias_hh)
    assert (bias_ih[50:100] == 1.5).all()
    assert (bias_hh[50:100] == 0).all()
    for drawn in (bias_ih[:50], bias_hh[100:], host(cell.weight_hh)):
        assert 0.8 / np.sqrt(50) < abs(drawn).max() <= 1 / np.sqrt(50)
    for name in ("gain_ih", "gain_hh", "gain_c", "shift_c"):
        assert (host(getattr(cell, name)) == (name != "shift_c")).all()
    reverse = nn.LSTM(3, 4, 2, bidirectional=True, forget_bias=1.0).bias_ih_l1_reverse
    assert host(reverse)[4:8].tolist() == [1.0] * 4


# The LSTMs of the literature


def test_the_variants_have_the_weights_of_their_papers() -> None:
    def count(options: Any) -> int:
        return sum(p.size for p in nn.LSTMCell(I, H, **options).parameters())

    block = H * (I + H + 2)  # one gate's weights, with the two biases that we keep as PyTorch does
    assert count(variants.NO_FORGET_GATE_1997) == 3 * block
    assert count(variants.FORGET_GATE_2000) == count(variants.NP) == 4 * block
    assert count(variants.VANILLA) == count(variants.PEEPHOLE_2002) == 4 * block + 3 * H
    for name in ("NIG", "NFG", "NOG", "CIFG"):
        assert count(variants.GREFF[name]) == 3 * (block + H) - H
    for name in ("NIAF", "NOAF"):
        assert count(variants.GREFF[name]) == 4 * block + 3 * H
    assert count(variants.FGR) == 4 * block + 3 * H + 9 * H * H
    assert list(variants.GREFF) == ["NIG", "NFG", "NOG", "NIAF", "NOAF", "CIFG", "NP", "FGR"]


def test_without_a_forget_gate_the_cell_only_ever_adds() -> None:
    cell = nn.LSTMCell(I, H, **variants.NO_FORGET_GATE_1997).to("float64")
    x, h, c = random(B, I), random(B, H), random(B, H)
    (_, after), (_, after_more) = cell(x, (h, c)), cell(x, (h, c + 10))
    assert_close(after_more - after, tg.full((B, H), 10.0, dtype="float64"))


def test_full_gate_recurrence_starts_with_closed_gates_and_carries_them_on() -> None:
    case = CASES["lstm FGR"]
    cell, (first, second) = case.cell(), random(2, B, I)
    (h, c, gates), seen = cell(first, record=True)
    assert_close(gates, tg.concat([seen[letter] for letter in "ifo"], axis=-1), 0)
    a, b = cell(second, (h, c, gates)), cell(second, (h, c, gates * 0))
    assert float(tg.max(tg.abs(a[0] - b[0]))) > 1e-3


# Mistakes


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.LSTM(I, H, peephol=True), "LSTM: got peephol, but there is no such option"),
        (
            lambda: nn.LSTMCell(I, H, coupled=True, forget_gate=False),
            "LSTMCell: got coupled=True without an input or a",
        ),
        (lambda: nn.LSTM(I, H, coupled=True, input_gate=False), "LSTM: got coupled=True without an input or a forget"),
        (
            lambda: nn.LSTM(I, H, proj_size=H),
            "LSTM: got proj_size = 4, wanted less than hidden_size = 4, or 0 for none",
        ),
        (lambda: nn.LSTM(I, H, proj_size=-1), "LSTM: got proj_size = -1, wanted less than hidden_size = 4"),
        (lambda: nn.LSTM(I, H, cell_clip=0.0), "LSTM: got cell_clip = 0.0, wanted a number above 0, or None"),
        (lambda: nn.LSTM(I, H, forget_bias=1.0, bias=False), "LSTM: got forget_bias = 1.0, but there is no bias of a"),
        (lambda: nn.LSTM(I, H, forget_bias=1.0, coupled=True), "LSTM: got forget_bias = 1.0, but there is no bias"),
        (
            lambda: nn.LSTM(I, H, input_gate=False, forget_gate=False, output_gate=False, gate_recurrence=True),
            "LSTM: got gate_recurrence=True, but there is no gate",
        ),
        (
            lambda: nn.LSTM(I, H, gate_activation="cos"),
            "LSTM: got gate_activation='cos', wanted one of 'elu', .*'tanh', or a",
        ),
        (lambda: nn.GRU(I, H, candidate_activation=None), "GRU: got candidate_activation=None, wanted one of 'elu'"),
        (
            lambda: nn.RNN(I, H, nonlinearity="cos"),
            "RNN: got nonlinearity='cos', wanted one of 'elu', .*, or a function",
        ),
        (lambda: nn.GRU(I, H, zoneout=1.5), "GRU: got zoneout = 1.5, wanted a probability between 0 and 1"),
        (
            lambda: nn.LSTM(I, H, zoneout=[0.1, 0.1, 0.1]),
            r"LSTM: got zoneout = \[0.1, 0.1, 0.1\], wanted one for each of h, c",
        ),
        (lambda: nn.LSTM(I, H, weight_drop=-1.0), "LSTM: got weight_drop = -1.0, wanted a probability"),
        (lambda: nn.GRUCell(I, H, recurrent_dropout=2.0), "GRUCell: got recurrent_dropout = 2.0, wanted a probability"),
        (lambda: nn.RNN(0, H), "RNN: got input_size = 0, wanted at least 1"),
        (lambda: nn.RNNCell(I, 0), "RNNCell: got hidden_size = 0, wanted at least 1"),
        (lambda: nn.LSTMCell(I, H)(tg.ones((B, 5))), r"LSTMCell: got input of shape \(2, 5\), wanted \(B, 3\)"),
        (lambda: nn.LSTMCell(I, H)(tg.ones((5,))), r"LSTMCell: got input of shape \(5,\), wanted \(3,\)"),
        (lambda: nn.LSTMCell(I, H)(tg.ones((5, B, I))), r"LSTMCell: got input of shape \(5, 2, 3\), wanted \(B, 3\)"),
        (
            lambda: nn.GRUCell(I, H)(tg.ones((B, I)), tg.ones((B, I))),
            r"GRUCell: got state of shape \(2, 3\), wanted \(2, 4\)",
        ),
        (
            lambda: nn.LSTMCell(I, H)(tg.ones((B, I)), tg.ones((B, H))),
            r"LSTMCell: got state as one tensor of shape \(2, 4\), wanted \(h, c\)",
        ),
        (
            lambda: nn.LSTMCell(I, H)(tg.ones((B, I)), (tg.ones((B, H)),)),
            r"LSTMCell: got state of 1 parts, wanted \(h, c\)",
        ),
        (
            lambda: nn.GRUCell(I, H)(tg.ones((B, I)), (tg.ones((B, H)),)),
            r"GRUCell: got state of type tuple, wanted a tensor of shape \(2, 4\)",
        ),
        (
            lambda: nn.LSTMCell(I, H, **variants.FGR)(tg.ones((B, I)), (tg.ones((B, H)), tg.ones((B, H)))),
            r"LSTMCell: got state of 2 parts, wanted \(h, c, gates\)",
        ),
    ],
)
def test_wrong_options_and_shapes_are_told_in_one_sentence(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call()
    assert str(caught.value).count("\n") == 0
