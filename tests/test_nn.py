"""Modules and recurrent layers: equations held against plain loops and PyTorch, names, shapes, state, errors."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.backend import to_host, xp

LAYERS = {"RNN": (nn.RNN, nn.RNNCell, {}), "RNN-relu": (nn.RNN, nn.RNNCell, {"nonlinearity": "relu"})}
LAYERS |= {"LSTM": (nn.LSTM, nn.LSTMCell, {}), "GRU": (nn.GRU, nn.GRUCell, {})}

each_kind = pytest.mark.parametrize("kind", LAYERS)


def output_and_states(result: Any) -> list[tg.Tensor]:
    """Return what a recurrent layer gives back as a flat list: the outputs, then each part of the last state."""
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


def as_tuple(state: Any) -> tuple[tg.Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def assert_close(ours: Any, theirs: Any, tolerance: float = 1e-12) -> None:
    """Compare a tensor with a tensor, or with an array in host memory."""
    ours, theirs = (to_host(x.detach().data) if isinstance(x, tg.Tensor) else x for x in (ours, theirs))
    assert ours.shape == theirs.shape
    assert abs(ours - theirs).max(initial=0) <= tolerance


@each_kind
@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_layer_is_its_cell_in_a_loop(kind: str, num_layers: int) -> None:
    make_layer, make_cell, options = LAYERS[kind]
    layer = make_layer(3, 4, num_layers, **options).to("float64")
    x = tg.randn(5, 2, 3, dtype="float64")
    outputs: Any = list(tg.unstack(x))
    finals = []
    for index in range(num_layers):
        cell = make_cell(3 if index == 0 else 4, 4, **options).to("float64")
        suffix = f"_l{index}"
        state_dict = layer.state_dict().items()
        cell.load_state_dict({name.removesuffix(suffix): p for name, p in state_dict if name.endswith(suffix)})
        state = None
        for t, x_t in enumerate(outputs):
            state = cell(x_t, state)
            outputs[t] = as_tuple(state)[0]
        finals.append(as_tuple(state))
    found = output_and_states(layer(x))
    for ours, wanted in zip(found, [tg.stack(outputs), *map(tg.stack, zip(*finals, strict=True))], strict=True):
        assert_close(ours, wanted)


@each_kind
def test_a_tape_changes_what_is_recorded_and_not_what_is_computed(kind: str) -> None:
    make_layer, _, options = LAYERS[kind]
    layer, x = make_layer(3, 4, **options).to("float64"), tg.randn(70, 2, 3, dtype="float64", requires_grad=True)
    results = []
    for taped in (False, True):
        layer.zero_grad()
        x.grad = None
        with tg.Tape() if taped else tg.scope("plain"):
            output, _ = layer(x)
        tg.sum(output * output).backward()
        results.append([output, x.grad, *(p.grad for p in layer.parameters())])
    for plain, recorded in zip(*results, strict=True):
        assert_close(plain, recorded, 1e-11)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


def test_the_lstm_cell_computes_the_equations_of_its_docstring() -> None:
    cell = nn.LSTMCell(3, 2).to("float64")
    x, h, c = (tg.randn(4, n, dtype="float64") for n in (3, 2, 2))
    h_t, c_t = cell(x, (h, c))
    shares = []
    for k in range(4):
        rows = slice(2 * k, 2 * k + 2)
        share = x.data @ cell.weight_ih.data[rows].T + cell.bias_ih.data[rows]
        shares.append(share + h.data @ cell.weight_hh.data[rows].T + cell.bias_hh.data[rows])
    i, f, g, o = sigmoid(shares[0]), sigmoid(shares[1]), xp.tanh(shares[2]), sigmoid(shares[3])
    wanted_c = f * c.data + i * g
    assert_close(c_t, to_host(wanted_c))
    assert_close(h_t, to_host(o * xp.tanh(wanted_c)))


@pytest.mark.peers
@each_kind
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_layers_match_pytorch(kind: str, batch_first: bool, bias: bool) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    make_layer, _, options = LAYERS[kind]
    options = {**options, "num_layers": 2, "batch_first": batch_first, "bias": bias}
    ours = make_layer(3, 4, **options).to("float64")
    theirs = getattr(torch.nn, make_layer.__name__)(3, 4, **options).double()
    state_dict = {name: torch.tensor(p.numpy()) for name, p in ours.state_dict().items()}
    theirs.load_state_dict(state_dict)
    assert list(state_dict) == list(theirs.state_dict())
    x = tg.randn(6, 5, 3, dtype="float64").numpy()
    states = tg.randn(2, 2, 6 if batch_first else 5, 4, dtype="float64").numpy()
    as_state = (lambda parts: tuple(parts)) if kind == "LSTM" else (lambda parts: parts[0])
    our_x = tg.asarray(x, requires_grad=True)
    their_x = torch.tensor(x, requires_grad=True)
    our_results = output_and_states(ours(our_x, as_state([tg.asarray(s) for s in states])))
    their_results = output_and_states(theirs(their_x, as_state([torch.tensor(s) for s in states])))
    sum((tg.sum(tg.square(r)) for r in our_results), start=tg.zeros(())).backward()
    sum(r.square().sum() for r in their_results).backward()
    for a, b in zip(our_results, their_results, strict=True):
        assert_close(a, b.detach().numpy())
    assert_close(our_x.grad, their_x.grad.numpy(), 1e-11)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert_close(p.grad, q.grad.numpy(), 1e-10)


@each_kind
def test_a_sequence_without_a_batch_is_a_batch_of_one(kind: str) -> None:
    make_layer, _, options = LAYERS[kind]
    layer, x = make_layer(3, 4, **options), tg.randn(5, 3)
    alone, (batched, *states) = output_and_states(layer(x)), output_and_states(layer(x[:, None]))
    for one, many in zip(alone, [batched, *states], strict=True):
        assert_close(one, many[:, 0], 1e-6)


@each_kind
def test_derivatives_of_cells_at_both_orders(kind: str) -> None:
    _, make_cell, options = LAYERS[kind]
    cell = make_cell(2, 3, **options).to("float64")
    x, *state = (tg.randn(2, n, dtype="float64") for n in ((2, 3, 3) if kind == "LSTM" else (2, 3)))

    def step(x: tg.Tensor, weight_ih: tg.Tensor, weight_hh: tg.Tensor, *state: tg.Tensor) -> tg.Tensor:
        cell.weight_ih, cell.weight_hh = weight_ih, weight_hh
        return tg.concat(as_tuple(cell(x, tuple(state) if kind == "LSTM" else state[0])))

    assert tg.gradcheck(step, [x, cell.weight_ih, cell.weight_hh, *state])


def test_the_state_carries_a_sequence_on() -> None:
    layer, x = nn.LSTM(3, 4).to("float64"), tg.randn(6, 2, 3, dtype="float64")
    whole, _ = layer(x)
    first, state = layer(x[:4])
    second, _ = layer(x[4:], state)
    assert_close(tg.concat([first, second]), whole)


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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.LSTM(3, 4)(tg.ones((5, 2, 7))), r"LSTM: got input of shape \(5, 2, 7\), wanted \(T, B, 3\)"),
        (lambda: nn.GRU(3, 4, batch_first=True)(tg.ones((5, 2, 7))), r"GRU: got input .* wanted \(B, T, 3\)"),
        (lambda: nn.RNN(3, 4)(tg.ones((0, 2, 3))), "RNN: got a sequence of no steps"),
        (lambda: nn.RNN(3, 4)(tg.ones((5, 2, 3)), tg.ones((1, 3, 4))), r"RNN: got initial state .* wanted \(1, 2, 4\)"),
        (lambda: nn.LSTMCell(3, 4)(tg.ones((2, 5))), r"LSTMCell: got input of shape \(2, 5\), wanted \(B, 3\)"),
        (lambda: nn.GRUCell(3, 4)(tg.ones((2, 3)), tg.ones((2, 3))), r"GRUCell: got state of shape \(2, 3\)"),
        (lambda: nn.LSTM(3, 4, num_layers=0), "LSTM: got num_layers = 0"),
        (lambda: nn.RNN(3, 4, nonlinearity="cos"), "RNN: got nonlinearity='cos', wanted one of 'elu', .*'tanh', or a function"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
