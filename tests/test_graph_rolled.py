"""A recurrence as one step with its loops: what goes back where, and numbers that are those of the first step."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from test_graph_levels import recurrent, taped

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.graph import to_dot
from tinygrad_lstm.graph.layout import Layout, laid_out
from tinygrad_lstm.graph.looks.marks import name
from tinygrad_lstm.graph.view import View


def rolled(tape: tg.Tape, **options: object) -> Layout:
    return laid_out(tape, View(rolled=True, **{"level": "gate", **options}))


def decoding(steps: int) -> tg.Tape:
    """Return the tape of a cell that reads what was made of its last output."""
    cell, head = nn.LSTMCell(3, 2), nn.Linear(2, 3)

    def program() -> None:
        y, state = tg.ones((1, 3)), None
        for _ in range(steps):
            state = cell(y, state)
            y = head(state[0])

    return taped(program)


def loops(text: str) -> dict[tuple[int, int], int]:
    """Return the loops of a rolled picture at the level of gates, from where to where, with the numbers of steps."""
    found = re.findall(r"fwd loop from-n(\d+) to-n(\d+)", text)
    steps = [int(n) for n in re.findall(r'label=" ?(\d+) steps ?"', text)]
    return {(int(end), int(start)): n for (start, end), n in zip(found, steps, strict=True)}


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("sweep", [False, True], ids=["values", "gradients"])
def test_a_rolled_recurrence_shows_the_numbers_of_its_first_step_and_what_leaves_it(
    kind: Callable[..., nn.Module], sweep: bool
) -> None:
    tg.manual_seed(1)
    layer, x = kind(2, 3), tg.randn(4, 1, 2)
    with tg.Tape() as tape:
        outputs, _ = layer(x)
        tg.square(outputs[-1]).mean().named("loss").backward()
    options = {"grads": True, "direction": "both"} if sweep else {"values": True}
    layout = rolled(tape, **options)
    named = {name(layout.graph, mark): mark for mark in layout.graph}
    (loss,) = (mark for mark in layout.graph if mark.label == "loss")
    (square,) = (layout.graph[i] for i in loss.sources)
    assert np.array_equal(named["x₁"].value, x.numpy()[0])
    assert np.array_equal(named["h₁"].value, outputs.detach().numpy()[0])
    assert np.array_equal(named["h₄"].value, outputs.detach().numpy()[3])
    assert named["h₄"].sources == (named["h₁"].id,)
    assert square.sources == (named["h₄"].id,)
    assert np.allclose(named["h₄"].grad, 2 * outputs.detach().numpy()[3] / 3)
    assert "t=4" not in layout.text
    assert [name(layout.graph, mark) for mark in rolled(tape).graph].count("h₄") == 0
    for source, target in ((named["h₁"], named["h₄"]), (named["h₄"], square)):
        assert (f'class="bwd from-n{source.id} to-n{target.id}"' in layout.text) == sweep


def test_what_is_made_of_two_steps_reads_both_of_them_beside_a_rolled_recurrence() -> None:
    tg.manual_seed(1)
    layer = nn.LSTM(2, 3)
    with tg.Tape() as tape:
        outputs, _ = layer(tg.randn(5, 1, 2))
        product = (outputs[1] - outputs[-1]).named("product")
    graph = rolled(tape, values=True).graph
    (end,) = (mark for mark in graph if mark.label == "product")
    assert [name(graph, graph[i]) for i in end.sources] == ["h₂", "h₅"]
    one, other = (graph[i].value for i in end.sources)
    assert np.array_equal(one - other, product.detach().numpy())


def test_a_rolled_reverse_direction_reads_the_last_input() -> None:
    tg.manual_seed(1)
    layer, x = nn.GRU(2, 3, bidirectional=True), tg.randn(3, 1, 2)
    with tg.Tape() as tape:
        layer(x)
    graph = rolled(tape, values=True).graph
    inputs = {name(graph, mark): mark.value for mark in graph if mark.label == "x"}
    assert inputs.keys() == {"x₁", "x₃"}
    assert all(np.array_equal(inputs[one], x.numpy()[row]) for one, row in (("x₁", 0), ("x₃", 2)))


def test_an_upper_layer_reads_the_row_of_its_first_step() -> None:
    graph = rolled(recurrent(nn.LSTM, 3, num_layers=2, bidirectional=True), values=True).graph
    rows = [mark for mark in graph if mark.label == "x" and not mark.stored]
    assert [mark.params for mark in rows] == [(0,), (2,)]
    assert all(np.array_equal(row.value, graph[row.sources[0]].value[row.params[0]]) for row in rows)


@pytest.mark.parametrize("values", [False, True])
def test_what_a_program_makes_of_a_step_for_the_next_one_goes_back_in_a_loop(values: bool) -> None:
    layout = rolled(decoding(3), values=values)
    found = loops(layout.text)
    assert set(found.values()) == {3}
    ((start, made),) = ((start, end) for start, end in found if layout.graph[end].op == "linear")
    assert layout.graph[start].stored
    assert {name(layout.graph, layout.graph[i]) for i in layout.graph[made].sources} == {"h₁"}
    assert len(found) == 3
    cells = rolled(decoding(3), level="cell")
    assert "a step of LSTMCell reads the linear of the one before: level=&#x27;gate&#x27; shows its loop" in cells.text
    assert len([mark for mark in cells.graph if mark.op == "step"]) == 3


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_a_decoder_begins_with_what_an_encoder_ends_with_and_goes_back_there(steps: int) -> None:
    encoder, decoder = nn.LSTM(2, 3), nn.LSTM(2, 3)

    def program() -> None:
        with tg.scope("encoder"):
            _, state = encoder(tg.ones((steps, 1, 2)))
        with tg.scope("decoder"):
            decoder(tg.ones((4, 1, 2)), state)

    layout = rolled(taped(program))
    graph = layout.graph
    ends = [(graph[a], graph[b]) for (a, b), n in loops(layout.text).items() if n == 4]
    assert [(a.label, b.label) for a, b in ends] == [("c", "c"), ("h", "h")]
    for before, after in ends:
        (cut,) = before.sources
        (state,) = graph[cut].sources
        assert graph[state].scope[:1] == ("encoder",)
        assert graph[state].label == after.label
    assert not [mark for mark in graph if mark.folded]
    cells = rolled(taped(program), level="cell")
    assert len(re.findall('label=<?"?4 steps', cells.text)) == 2
    assert not [mark for mark in cells.graph if mark.folded and mark.op != "step" and mark.scope[-1:] != ("l0",)]


def test_what_cannot_be_rolled_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match=r"draw: got rolled=True and no steps .*, wanted a recurrence\.$"):
        to_dot(nn.Linear(2, 3)(tg.ones((1, 2))), rolled=True)
    for level in ("op", "module"):
        with pytest.raises(ValueError, match=rf"draw: got rolled=True with level='{level}', wanted 'gate' or 'cell'"):
            to_dot(recurrent(nn.LSTM, 3), level=level, rolled=True)
    with pytest.raises(ValueError, match=r"draw: got rolled=True with fold or unfold, wanted one of them"):
        to_dot(recurrent(nn.LSTM, 3), fold=("t=2",), rolled=True)


def test_a_single_step_has_no_loop() -> None:
    assert loops(rolled(recurrent(nn.LSTM, 1)).text) == {}
