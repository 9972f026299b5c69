"""Summaries of models against numbers worked out by hand; evaluation that leaves a model as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.charlm import CharLM


class Around(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any], *weights: tg.Tensor) -> None:
        self.function = function
        self.weights = weights

    def forward(self, *inputs: Any) -> Any:
        return self.function(*inputs)


def counted(function: Callable[..., Any], *inputs: Any) -> int:
    return nn.summary(Around(function), *inputs)[0].multiply_adds


# Counts


def test_a_perceptron() -> None:
    model = nn.Sequential(nn.Linear(4, 8), tg.tanh, nn.Linear(8, 2, bias=False))
    whole, first, last = nn.summary(model, tg.ones((3, 4)))
    assert (first.path, first.kind, first.shapes) == ("0", "Linear", ((3, 8),))
    assert (first.parameters, first.multiply_adds) == (4 * 8 + 8, 3 * 4 * 8)
    assert (last.path, last.kind, last.shapes) == ("2", "Linear", ((3, 2),))
    assert (last.parameters, last.multiply_adds) == (8 * 2, 3 * 8 * 2)
    assert (whole.path, whole.kind, whole.shapes) == ("", "Sequential", ((3, 2),))
    assert (whole.parameters, whole.multiply_adds) == (40 + 16, 96 + 3 * 8 + 48)
    assert [row.calls for row in (whole, first, last)] == [1, 1, 1]
    assert [row.steps for row in (whole, first, last)] == [0, 0, 0]
    assert whole.multiply_adds_per_step is None


def lstm_step(batch: int, inputs: int, hidden: int) -> int:
    """Four gates of products; three sigmoids and two tanhs; i * g, f * c, their sum, and o * tanh(c)."""
    return batch * (4 * hidden * (inputs + hidden) + (3 + 2 + 3 + 1) * hidden)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_an_lstm(batch_first: bool, bias: bool) -> None:
    steps, batch, inputs, hidden = 7, 2, 3, 5
    model = nn.LSTM(inputs, hidden, bias=bias, batch_first=batch_first)
    shape = (batch, steps) if batch_first else (steps, batch)
    (row,) = nn.summary(model, tg.ones((*shape, inputs)))
    assert row.shapes == ((*shape, hidden), (1, batch, hidden), (1, batch, hidden))
    assert row.parameters == 4 * hidden * (inputs + hidden + 2 * bias)
    assert row.steps == steps
    assert row.multiply_adds_per_step == lstm_step(batch, inputs, hidden)
    assert row.multiply_adds == steps * lstm_step(batch, inputs, hidden) + 4 * hidden * bias  # two biases, added once


@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_lstm_of_two_layers(bidirectional: bool) -> None:
    model = nn.LSTM(3, 5, num_layers=2, bidirectional=bidirectional, bias=False)
    (row,) = nn.summary(model, tg.ones((4, 1, 3)))
    directions = 2 if bidirectional else 1
    assert row.steps == 4
    assert row.multiply_adds_per_step == directions * (lstm_step(1, 3, 5) + lstm_step(1, directions * 5, 5))
    assert row.multiply_adds == 4 * row.multiply_adds_per_step


def test_a_step_is_the_same_over_any_number_of_them() -> None:
    for model in (nn.RNN(3, 5), nn.GRU(3, 5), nn.LSTM(3, 5, num_layers=2)):
        rows = [nn.summary(model, tg.ones((steps, 2, 3)))[0] for steps in (1, 6)]
        assert rows[0].multiply_adds_per_step == rows[1].multiply_adds_per_step
        assert rows[1].multiply_adds - rows[0].multiply_adds == 5 * rows[0].multiply_adds_per_step
        assert [row.steps for row in rows] == [1, 6]


def test_a_character_model() -> None:
    whole, embedding, lstm, output = nn.summary(CharLM(10, embedding=4, hidden=8), tg.asarray([[1, 2], [3, 4], [5, 6]]))
    assert [row.path for row in (embedding, lstm, output)] == ["embedding", "lstm", "output"]
    assert (embedding.parameters, embedding.multiply_adds, embedding.shapes) == (40, 0, ((3, 2, 4),))
    assert (lstm.steps, lstm.multiply_adds_per_step) == (3, lstm_step(2, 4, 8))
    assert (output.parameters, output.multiply_adds) == (90, 3 * 2 * 8 * 10)
    assert whole.multiply_adds == lstm.multiply_adds + output.multiply_adds
    assert whole.parameters == 40 + 4 * 8 * (4 + 8 + 2) + 90
    assert whole.steps == 0  # the steps are the LSTM's own


def test_products_of_every_kind() -> None:
    x, w = tg.ones((2, 3, 4)), tg.ones((4, 5), requires_grad=True)
    assert counted(lambda x: x @ w, x) == 2 * 3 * 4 * 5
    assert counted(lambda x: x @ tg.ones((2, 4, 6)), x) == 2 * 3 * 4 * 6
    assert counted(lambda x: x[0, 0] @ w[:, 0], x) == 4
    assert counted(lambda x: tg.vecdot(x, w[:, 0]), x) == 2 * 3 * 4
    assert counted(lambda x: tg.einsum("bij,jk->bik", x, w), x) == 2 * 3 * 4 * 5
    assert counted(lambda x: tg.einsum("bij,jk->bk", x, w), x) == 2 * 3 * 4 + 2 * 4 * 5  # i is summed over first
    assert counted(lambda x: tg.einsum("bij,jk->bik", x, w.detach()), x) == 2 * 3 * 5  # constants: letters unknown
    assert counted(lambda x: tg.tensordot(x, w, axes=1), x) == 2 * 3 * 4 * 5
    assert counted(lambda x: tg.outer(x[0, 0], w[0]), x) == 4 * 5
    assert counted(lambda x: tg.linear(x, w.T, w[0]), x) == 2 * 3 * 4 * 5


def test_convolutions() -> None:
    x = tg.ones((2, 6, 10))
    assert counted(lambda x: tg.conv1d(x, tg.ones((4, 6, 3))), x) == 2 * 4 * 8 * 6 * 3
    assert counted(lambda x: tg.conv1d(x, tg.ones((4, 3, 3)), stride=2, groups=2), x) == 2 * 4 * 4 * 3 * 3
    assert counted(lambda x: tg.conv2d(x[:, None], tg.ones((4, 1, 3, 2))), x) == 2 * 4 * 4 * 9 * 6
    assert counted(lambda x: tg.conv_transpose1d(x, tg.ones((6, 4, 3))), x) == 2 * 6 * 10 * 4 * 3
    assert counted(lambda x: tg.conv1d(x, tg.ones((4, 6, 3)), tg.ones((4,))), x) == 2 * 4 * 8 * (6 * 3 + 1)


def test_other_ops_count_what_is_larger_of_what_goes_in_and_comes_out() -> None:
    x = tg.ones((2, 3))
    assert counted(lambda x: x + 1, x) == 6
    assert counted(lambda x: x * tg.ones((4, 1, 3)), x) == 24
    assert counted(tg.softmax, x) == 6
    assert counted(tg.sum, x) == 6
    assert counted(lambda x: tg.mean(tg.square(x), axis=0), x) == 12


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.reshape(6),
        lambda x: x.T,
        lambda x: x[1:, None],
        lambda x: x[tg.asarray([0, 1, 1])],
        lambda x: tg.take(x, tg.asarray([0, 1]), axis=1),
        lambda x: tg.split(x, 3, axis=1),
        lambda x: tg.unstack(x),
        lambda x: tg.stack([x, x]),
        lambda x: tg.concat([x, x], axis=1),
        lambda x: tg.broadcast_to(x, (4, 2, 3)),
        lambda x: tg.expand_dims(x, axis=0),
        lambda x: tg.squeeze(x[:, :1], axis=1),
        lambda x: tg.flip(x),
        lambda x: tg.roll(x, 1),
        lambda x: tg.pad(x, 1),
        lambda x: tg.tile(x, 2),
        lambda x: tg.repeat(x, 2),
        lambda x: tg.tril(x),
        lambda x: tg.triu(x),
        lambda x: x.astype("float64"),
        lambda x: tg.zeros_like(x),
        lambda x: tg.ones_like(x),
        lambda x: tg.full_like(x, 2),
        lambda x: tg.empty_like(x),
        lambda x: tg.meshgrid(x[0], x[1]),
        lambda x: tg.one_hot(tg.asarray([0, 1]), 3),
        lambda x: tg.data.pad_sequence([x, x[:1]]),
    ],
)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_what_only_moves_elements_counts_nothing(move: Callable[[tg.Tensor], Any], requires_grad: bool) -> None:
    assert counted(move, tg.ones((2, 3), requires_grad=requires_grad)) == 0


def test_recomputation_does_not_count_twice() -> None:
    layer = nn.Linear(3, 5)
    expected = nn.summary(layer, tg.ones((2, 3)))[0].multiply_adds
    for requires_grad in (False, True):
        x = tg.ones((2, 3), requires_grad=requires_grad)
        assert counted(lambda x: tg.checkpoint(layer, x), x) == expected == 2 * 3 * 5


# Modules within modules


def test_what_is_shared_is_counted_once() -> None:
    layer = nn.Linear(4, 4)
    whole, first, head = nn.summary(nn.Sequential(layer, layer, nn.Linear(4, 2)), tg.ones((3, 4)))
    assert (first.path, head.path) == ("0", "2")
    assert (first.calls, first.parameters, first.multiply_adds) == (2, 20, 2 * 3 * 4 * 4)
    assert (whole.parameters, whole.multiply_adds) == (20 + 10, 96 + 3 * 4 * 2)

    class Tied(nn.Module):
        def __init__(self) -> None:
            self.embedding = nn.Embedding(7, 4)
            self.output = nn.Linear(4, 7, bias=False)
            self.output.weight = self.embedding.weight

        def forward(self, numbers: tg.Tensor) -> tg.Tensor:
            return self.output(self.embedding(numbers))

    assert [row.parameters for row in nn.summary(Tied(), tg.asarray([1, 2]))] == [28, 28, 28]


def test_a_module_counts_what_is_within_it() -> None:
    inner = nn.Sequential(nn.Linear(3, 4), tg.relu)
    rows = {row.path: row for row in nn.summary(nn.Sequential(inner, nn.Linear(4, 2)), tg.ones((1, 3)))}
    assert list(rows) == ["", "0", "0.0", "1"]
    assert (rows["0"].parameters, rows["0"].multiply_adds) == (16, 12 + 4)
    assert (rows["0.0"].parameters, rows["0.0"].multiply_adds) == (16, 12)
    assert rows[""].multiply_adds == 12 + 4 + 8


def test_a_module_that_calls_itself_is_counted_once() -> None:
    class Tree(nn.Module):
        def __init__(self) -> None:
            self.merge = nn.Linear(4, 2)

        def forward(self, tree: Any) -> tg.Tensor:
            return tree if isinstance(tree, tg.Tensor) else self.merge(tg.concat([self(branch) for branch in tree]))

    leaf = tg.ones((2,))
    whole, merge = nn.summary(Tree(), ((leaf, leaf), leaf))
    assert (merge.calls, merge.multiply_adds) == (2, 2 * 8)
    assert (whole.calls, whole.multiply_adds) == (5, 2 * 8)


def test_a_loop_over_steps_of_ones_own() -> None:
    class Loop(nn.Module):
        def __init__(self) -> None:
            self.cell = nn.LSTMCell(3, 5, bias=False)
            self.output = nn.Linear(5, 2)

        def forward(self, xs: tg.Tensor) -> tg.Tensor:
            state = None
            for t, x in enumerate(xs):
                with tg.scope(f"t={t + 1}"):
                    state = self.cell(x, state)
            return self.output(state[0])

    whole, cell, output = nn.summary(Loop(), tg.ones((4, 1, 3)))
    assert (cell.calls, cell.multiply_adds, cell.steps) == (4, 4 * lstm_step(1, 3, 5), 0)
    assert (whole.steps, whole.multiply_adds_per_step) == (4, lstm_step(1, 3, 5))
    assert whole.multiply_adds == 4 * lstm_step(1, 3, 5) + 10
    assert output.multiply_adds == 10


def test_a_recurrent_layer_used_twice_has_the_steps_of_both() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            self.lstm = nn.LSTM(3, 3, bias=False)

        def forward(self, x: tg.Tensor) -> tg.Tensor:
            return self.lstm(self.lstm(x)[0])[0]

    _, lstm = nn.summary(Twice(), tg.ones((4, 1, 3)))
    assert (lstm.calls, lstm.steps, lstm.multiply_adds_per_step) == (2, 8, lstm_step(1, 3, 3))


def test_outputs_of_any_structure_and_modules_that_are_not_called() -> None:
    @dataclass
    class Result:
        states: list[tg.Tensor]
        name: str

    class Model(nn.Module):
        def __init__(self) -> None:
            self.unused = nn.Linear(2, 2)

        def forward(self, x: tg.Tensor, *, twice: bool = False) -> dict[str, Any]:
            return {"x": x + x if twice else x, "result": Result([x[0], x.sum()], "states"), "nothing": None}

    whole, unused = nn.summary(Model(), tg.ones((2, 3)), twice=True)
    assert whole.shapes == ((2, 3), (3,), ())
    assert whole.multiply_adds == 6 + 6
    assert (unused.shapes, unused.calls, unused.multiply_adds, unused.parameters) == ((), 0, 0, 6)


# The table


def test_the_table_has_the_model_last() -> None:
    layer = nn.Linear(100, 100)
    model = nn.Sequential(nn.LSTM(3, 100), lambda states: states[0], layer, layer)
    assert str(nn.summary(model, tg.ones((7, 2, 3)))).splitlines() == [
        "module  class       output                               parameters  multiply-adds  calls  steps  per step",
        "0       LSTM        (7, 2, 100) (1, 2, 100) (1, 2, 100)      42,000        589,800             7    84,200",
        "2       Linear      (7, 2, 100)                              10,100        280,000      2",
        "-" * 106,
        "total   Sequential  (7, 2, 100)                              52,100        869,800",
    ]
    table = nn.summary(nn.Linear(3, 2), tg.ones((1, 3)))
    assert len(table) == 1
    assert (
        repr(table).splitlines()
        == str(table).splitlines()
        == [
            "module  class   output  parameters  multiply-adds",
            "-------------------------------------------------",
            "total   Linear  (1, 2)           8              6",
        ]
    )


def test_a_summary_leaves_the_model_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    model[0].eval()
    heard = []
    model[1].register_forward_hook(lambda *_: heard.append(model.training))
    tg.manual_seed(1)
    expected = tg.rand(3).tolist()
    tg.manual_seed(1)
    nn.summary(model, tg.ones((2, 3)))
    assert heard == [False]
    assert tg.rand(3).tolist() == expected
    assert [module.training for module in (model, *model)] == [True, False, True]
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(ValueError, match="linear"):
        nn.summary(model, tg.ones((2, 4)))
    assert heard == [False]
    model(tg.ones((2, 3)))
    assert heard == [False, True]


# Evaluation


def test_the_mean_of_a_loss_counts_every_example_once() -> None:
    model = nn.Linear(2, 1)
    x, y = tg.randn(7, 2), tg.randn(7, 1)
    batches = [(x[:4], y[:4]), (x[4:], y[4:])]
    whole = tg.mse_loss(model(x), y).item()
    assert nn.evaluate(model, batches, lambda x, y: tg.mse_loss(model(x), y, reduction="none")) == pytest.approx(whole)
    parts = [tg.mse_loss(model(x), y).item() for x, y in batches]
    by_batch = nn.evaluate(model, iter(batches), lambda x, y: tg.mse_loss(model(x), y))
    assert by_batch == pytest.approx(sum(parts) / 2)
    assert nn.evaluate(model, [x, y], lambda each: each.astype("float32") * 0 + len(each)) == 7
    assert nn.evaluate(model, [[1], [2]], lambda number: number) == 1.5


def test_evaluation_is_no_training_and_leaves_every_module_in_its_mode() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    model[1].eval()
    losses = []

    def loss(x: tg.Tensor) -> tg.Tensor:
        assert not any(step.training for step in (model, *model, model[2][0]))
        assert not tg.is_grad_enabled()
        losses.append(model(x))
        return losses[-1]

    modes = [True, True, False, True, True]
    inner = (model, *model, model[2][0])
    assert nn.evaluate(model, [tg.ones((2, 3))], loss) == pytest.approx(losses[0].mean().item())
    assert [module.training for module in inner] == modes
    with pytest.raises(ZeroDivisionError), nn.evaluating(model):
        raise ZeroDivisionError
    assert [module.training for module in inner] == modes
    assert tg.is_grad_enabled()


def test_nothing_to_evaluate_is_refused() -> None:
    model = nn.Linear(2, 1)
    for batches in ([], [tg.ones((0, 2))]):
        with pytest.raises(ValueError, match=r"^evaluate: got batches without a loss to average"):
            nn.evaluate(model, batches, model)
    assert model.training
