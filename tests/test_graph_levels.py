"""Levels, folding and budgets: folding loses no edge between what is to be seen, and a long tape is soon a picture."""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.graph import to_dot
from tinygrad_lstm.graph.layout import Layout, laid_out
from tinygrad_lstm.graph.output import render as rendering
from tinygrad_lstm.graph.structure.chains import chains, looped, repeated
from tinygrad_lstm.graph.structure.folding import Group, Groups, chosen, fold, visible, within
from tinygrad_lstm.graph.structure.ir import Graph, Mark, read
from tinygrad_lstm.graph.structure.recurrence import with_steps
from tinygrad_lstm.graph.view import View

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
CELLS = {"level": "cell", "values": True, "grads": True}
"""The options of a picture of cells with all that it can tell."""

# Programs


class Attention(nn.Module):
    def __init__(self, size: int = 4) -> None:
        self.q, self.k, self.v, self.out = (nn.Linear(size, size) for _ in range(4))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        weights = tg.softmax(self.q(x) @ self.k(x).mT * 0.5, axis=-1)
        return self.out(weights @ self.v(x))


class Block(nn.Module):
    def __init__(self, size: int = 4) -> None:
        self.attention = Attention(size)
        self.feed = nn.Sequential(nn.Linear(size, 8), tg.relu, nn.Linear(8, size))

    def forward(self, x: tg.Tensor) -> tg.Tensor:
        x = x + self.attention(tg.layer_norm(x, (4,)))
        return x + self.feed(tg.layer_norm(x, (4,)))


class Transformer(nn.Module):
    def __init__(self, blocks: int) -> None:
        self.embedding = nn.Embedding(7, 4)
        self.blocks = nn.Sequential(*(Block() for _ in range(blocks)))
        self.head = nn.Linear(4, 7)

    def forward(self, tokens: tg.Tensor) -> tg.Tensor:
        return self.head(self.blocks(self.embedding(tokens)))


class Gated(nn.Module):
    """A cell of one's own, with an unnamed state."""

    def __init__(self) -> None:
        self.gate, self.new = nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, x: tg.Tensor, s: tg.Tensor) -> tg.Tensor:
        both = tg.concat([x, s], axis=-1)
        z = tg.sigmoid(self.gate(both))
        return z * s + (1 - z) * tg.tanh(self.new(both))


class Translator(nn.Module):
    def __init__(self) -> None:
        self.embed = nn.Embedding(6, 3)
        self.encoder, self.decoder = nn.LSTM(3, 4), nn.LSTMCell(3, 4)
        self.head = nn.Linear(4, 6)

    def forward(self, source: tg.Tensor, target: tg.Tensor) -> tg.Tensor:
        _, (h, c) = self.encoder(self.embed(source))
        state, scores = (h[0], c[0]), []
        for t in range(target.shape[0]):
            state = self.decoder(self.embed(target[t]), state)
            scores.append(self.head(state[0]))
        return tg.stack(scores)


class CharModel(nn.Module):
    def __init__(self, **options: object) -> None:
        self.embedding = nn.Embedding(5, 2)
        self.rnn = nn.GRU(2, 3, **options)
        self.head = nn.Linear(6 if options.get("bidirectional") else 3, 5)

    def forward(self, characters: tg.Tensor) -> tg.Tensor:
        return self.head(self.rnn(self.embedding(characters))[0])


def taped(program: Callable[[], object]) -> tg.Tape:
    tg.manual_seed(1)
    with tg.Tape() as tape:
        program()
    return tape


def recurrent(kind: Callable[..., nn.Module], steps: int, **options: object) -> tg.Tape:
    model = kind(2, 3, **options)
    return taped(lambda: model(tg.ones((steps, 1, 2))))


def last_state(steps: int, sweep: bool = False) -> tg.Tape:
    tg.manual_seed(1)
    model, head = nn.LSTM(2, 3), nn.Linear(3, 1)
    with tg.Tape() as tape:
        outputs, _ = model(tg.ones((steps, 1, 2)))
        loss = tg.mse_loss(head(outputs[-1]), tg.asarray([[0.5]]).named("target")).named("loss")
        if sweep:
            loss.backward()
    return tape


def chars(steps: int, **options: object) -> tg.Tape:
    model = CharModel(**options)
    tokens = tg.asarray([[i % 5] for i in range(steps)])
    return taped(lambda: tg.cross_entropy(model(tokens).reshape(steps, 5), tokens[:, 0]).named("loss"))


def loop(steps: int, cell: Callable[..., nn.Module] = nn.LSTMCell) -> tg.Tape:
    """Return the tape of a cell in a loop, with a loss at each step."""
    model, head = cell(2, 3), nn.Linear(3, 1)

    def program() -> None:
        state, losses = None, []
        for _ in range(steps):
            state = model(tg.ones((1, 2)).named("x"), state)
            h = state[0] if isinstance(state, tuple) else state
            losses.append(tg.mse_loss(head(h), tg.zeros((1, 1)).named("y")))
        total = losses[0]
        for one in losses[1:]:
            total = total + one
        total.named("loss")

    return taped(program)


def interleaved(steps: int) -> tg.Tape:
    """Return the tape of a cell in a loop, with a loss that is added up as it goes."""
    model, head = nn.GRUCell(2, 3), nn.Linear(3, 1)

    def program() -> None:
        h, total = None, None
        for _ in range(steps):
            h = model(tg.ones((1, 2)).named("x"), h)
            loss = tg.mse_loss(head(h), tg.zeros((1, 1)).named("y"))
            total = loss if total is None else total + loss

    return taped(program)


def own(steps: int) -> tg.Tape:
    cell = Gated()

    def program() -> None:
        s = tg.zeros((1, 3))
        for _ in range(steps):
            s = cell(tg.ones((1, 2)), s)
        s.sum().named("loss")

    return taped(program)


def bare(steps: int) -> tg.Tape:
    """Return the tape of a recurrence in a program that knows neither modules nor scopes."""
    W, U = nn.Parameter(tg.ones((3, 3))), nn.Parameter(tg.ones((2, 3)))

    def program() -> None:
        h = tg.zeros((1, 3))
        for _ in range(steps):
            h = tg.tanh(h @ W * 0.1 + tg.ones((1, 2)) @ U)
        h.sum().named("loss")

    return taped(program)


def decoding(steps: int) -> tg.Tape:
    """Return the tape of a cell that reads what was made of its last output."""
    cell, head = nn.GRUCell(3, 3), nn.Linear(3, 3)

    def program() -> None:
        x, h = tg.ones((1, 3)), None
        for _ in range(steps):
            h = cell(x, h)
            x = tg.softmax(head(h), axis=-1)

    return taped(program)


def transformer(blocks: int = 1) -> tg.Tape:
    model = Transformer(blocks)
    return taped(lambda: model(tg.asarray([[1, 2, 3]])))


def convolutions() -> tg.Tape:
    kernel, bias = nn.Parameter(tg.ones((4, 1, 3, 3))), nn.Parameter(tg.zeros((4,)))
    return taped(lambda: tg.max_pool2d(tg.relu(tg.conv2d(tg.ones((1, 1, 8, 8)), kernel, bias)), 2).mean())


def twice_differentiated() -> tg.Tape:
    x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")

    def program() -> None:
        (gradient,) = tg.grad((tg.sin(x) * x).sum(), [x], create_graph=True)
        (gradient * gradient).sum().named("norm").backward()

    return taped(program)


def translation(steps: int = 3) -> tg.Tape:
    model = Translator()
    return taped(lambda: model(tg.asarray([[1], [2]]), tg.asarray([[1]] * steps)))


def perceptron(layers: int = 2) -> tg.Tape:
    parts = [part for _ in range(layers) for part in (nn.Linear(4, 4), tg.tanh)]
    model = nn.Sequential(*parts)
    return taped(lambda: model(tg.ones((2, 4)).named("x")))


TAPES: dict[str, Callable[[], tg.Tape]] = {
    "attention": transformer,
    "perceptron": perceptron,
    "lstm": lambda: recurrent(nn.LSTM, 3),
    "gru": lambda: recurrent(nn.GRU, 3),
    "rnn": lambda: recurrent(nn.RNN, 2),
    "bidirectional": lambda: recurrent(nn.LSTM, 3, bidirectional=True),
    "two_layers": lambda: recurrent(nn.LSTM, 3, num_layers=2),
    "two_of_both": lambda: chars(3, num_layers=2, bidirectional=True),
    "last_state": lambda: last_state(4, sweep=True),
    "chars": lambda: chars(4),
    "own": lambda: own(3),
    "loop": lambda: loop(3),
    "interleaved": lambda: interleaved(4),
    "translation": translation,
    "decoding": lambda: decoding(3),
    "convolutions": convolutions,
    "twice_differentiated": twice_differentiated,
    "bare": lambda: bare(3),
}
RECURRENT = [
    "lstm", "gru", "rnn", "bidirectional", "two_layers", "two_of_both", "last_state", "chars", "own", "loop",
    "interleaved", "translation",
]  # fmt: skip
every_tape = pytest.mark.parametrize("make", TAPES.values(), ids=TAPES)
every_recurrence = pytest.mark.parametrize("make", [TAPES[name] for name in RECURRENT], ids=RECURRENT)


def stepped(tape: tg.Tape) -> Graph:
    return with_steps(looped(read(tape)))


def drawn(tape: tg.Tape, **options: object) -> Layout:
    return laid_out(tape, View(**options))


def lines(text: str, kind: str = "fwd") -> Counter[tuple[int, int]]:
    """Return the uses that the lines of a picture stand for, and how many lines each has."""
    pairs: Counter[tuple[int, int]] = Counter()
    for classes in re.findall(rf'class="({kind} [^"]*)(?<! loop)"', text):
        targets = re.findall(r"to-n(\d+)", classes)
        pairs.update((int(a), int(b)) for a in re.findall(r"from-n(\d+)", classes) for b in targets)
    return pairs


def uses(graph: Graph) -> Counter[tuple[int, int]]:
    return Counter((edge.source, edge.target) for edge in graph.edges if not graph[edge.source].is_number)


# Every op


@every_tape
def test_every_node_and_every_edge_of_the_tape_is_in_the_picture_of_its_ops_once(make: Callable[[], tg.Tape]) -> None:
    tape = make()
    layout = drawn(tape, level="op", limit=10_000)
    computed = [mark for mark in read(tape) if not mark.stored]
    nodes = Counter(re.findall(r'^ *"n(\d+)" \[', layout.text, flags=re.MULTILINE))
    assert len(computed) == len(tape)
    assert all(nodes[str(mark.id)] == 1 for mark in computed)
    assert lines(layout.text) == uses(read(tape))


# Folding


NAMES = ("a", "b", "t=1", "t=2", "t=3")


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Draw a graph of any shape, its marks in any scopes."""
    marks: list[Mark] = []
    for id in range(draw(st.integers(1, 14))):
        if marks and draw(st.integers(0, 3)):
            inputs = draw(st.lists(st.integers(0, id - 1), max_size=3))
            scope = tuple(draw(st.lists(st.sampled_from(NAMES), max_size=3)))
            calls = tuple(draw(st.integers(0, 1)) for _ in scope)
            op = draw(st.sampled_from(["add", "matmul", "tanh", "linear"]))
            marks.append(Mark(id, op, scope=scope, calls=calls, inputs=tuple(inputs)))
        else:
            op = draw(st.sampled_from(["leaf", "constant", "number"]))
            marks.append(Mark(id, op, True, draw(st.sampled_from([None, "x", "h"]))))
    return Graph(tuple(marks))


@st.composite
def foldings(draw: st.DrawFn) -> tuple[Graph, Groups]:
    """Draw a graph and groups of its computed marks."""
    graph = draw(graphs())
    names = st.sampled_from([None, "p", "q", "r"])
    drawn = {mark.id: draw(names) for mark in graph if not mark.stored}
    return graph, {id: Group((name,)) for id, name in drawn.items() if name is not None}


def check(graph: Graph, folded: Graph) -> None:
    """Check that a graph is another one folded: its edges are the images of all edges, and none leads back."""
    owner = {part: mark.id for mark in folded for part in mark.parts or (mark.id,)}
    assert sorted(owner) == [mark.id for mark in graph]
    images = {(owner[edge.source], owner[edge.target]) for edge in graph.edges}
    assert {tuple(edge) for edge in folded.edges} == {(a, b) for a, b in images if a != b}
    met: set[int] = set()
    for mark in folded:
        assert met.issuperset(mark.sources)
        met.add(mark.id)
        if mark.folded is None and not mark.times:
            assert mark.inputs == tuple(owner[i] for i in graph[mark.id].inputs)
            assert not mark.parts


@given(foldings())
def test_folding_keeps_exactly_the_edges_between_what_is_left(drawn: tuple[Graph, Groups]) -> None:
    graph, groups = drawn
    folded = fold(graph, groups)
    check(graph, folded)
    for mark in folded:
        assert {groups[part].path for part in mark.parts if part in groups} <= {(mark.folded,)}


def ends_in(path: tuple[str, ...], ends: list[str]) -> bool:
    return any(f"/{'/'.join(path)}".endswith(f"/{end}") for end in ends)


@given(graphs(), st.sampled_from(["op", "cell", "module"]), st.data())
def test_what_is_asked_for_is_folded_and_what_is_not_stays_open(graph: Graph, level: str, data: st.DataObject) -> None:
    paths = {mark.scope[:depth] for mark in graph for depth in range(1, len(mark.scope) + 1)}
    some = st.lists(st.sampled_from(sorted("/".join(path) for path in paths)), max_size=2) if paths else st.just([])
    asked, refused = data.draw(some), data.draw(some)
    open_paths = {path[:depth] for path in paths if ends_in(path, refused) for depth in range(1, len(path) + 1)}
    groups = chosen(graph, level, asked, refused)
    check(graph, fold(graph, groups))
    assert not {group.path for group in groups.values()} & open_paths
    for mark in graph:
        if mark.id not in groups and not mark.stored:
            around = [mark.scope[:depth] for depth in range(1, len(mark.scope) + 1)]
            assert not [path for path in around if ends_in(path, asked) and path not in open_paths]


@given(graphs(), st.integers(1, 8))
def test_a_budget_folds_nothing_that_is_small_enough(graph: Graph, limit: int) -> None:
    lean, note = within(graph, limit)
    check(graph, lean)
    if visible(graph) <= limit:
        assert lean is graph
        assert note == ""


def test_one_scope_is_folded_or_opened_by_the_end_of_its_path() -> None:
    tape = recurrent(nn.LSTM, 3)
    folded = {mark.folded: mark for mark in drawn(tape, level="op", fold=("l0/t=2",)).graph if mark.folded}
    assert list(folded) == ["t=2"]
    assert folded["t=2"].note == "15 ops, 84 parameters"
    assert to_dot(tape, level="op", fold="l0/t=2") == to_dot(tape, level="op", fold=("l0/t=2",))
    opened = [mark for mark in drawn(tape, level="cell", unfold="t=2").graph if not mark.stored]
    assert [mark.folded for mark in opened if mark.folded is not None] == ["t=1", "t=3"]
    assert {(mark.scope[-1], mark.label) for mark in opened if mark.folded is None and mark.scope[-1] != "t=2"} == {
        (step, state) for step in ("t=1", "t=3") for state in "ch"
    }


def readers(graph: Graph, step: str, state: str) -> set[tuple[str, str]]:
    """Return the scopes and the ops that read a state of a step, of which there is one."""
    (made,) = (mark for mark in graph if mark.label == state and mark.scope[-1:] == (step,))
    return {(user.folded or user.scope[-1], user.op) for user in graph.uses[made.id]}


@pytest.mark.parametrize("options", [{}, {"values": True}, {"level": "gate"}], ids=["plain", "values", "gate"])
def test_a_folded_step_hands_on_its_states_by_their_names(options: dict[str, object]) -> None:
    layout = drawn(recurrent(nn.LSTM, 3), fold=("t=2",), **options)
    graph = layout.graph
    (box,) = (mark for mark in graph if mark.folded)
    assert (box.folded, box.note) == ("t=2", "15 ops, 84 parameters")
    assert {(graph[i].label, graph[i].scope[-1:]) for i in box.sources} == {("c", ("t=1",)), ("h", ("t=1",)), ("x", ())}
    assert [mark.label for mark in graph.uses[box.id]] == ["c", "h"]
    assert readers(graph, "t=2", "c") == {("t=3", "multiply")}
    assert readers(graph, "t=2", "h") == {("t=3", "sigmoid"), ("t=3", "tanh")}
    assert len(re.findall(r"tooltip=\"x₂", layout.text)) == 1
    assert "scope<FONT" not in layout.text
    assert lines(layout.text) == uses(graph)


def test_folded_steps_one_after_another_and_in_other_recurrences_are_cells() -> None:
    graph = drawn(recurrent(nn.GRU, 4), fold=("t=2", "t=3")).graph
    assert [mark.folded for mark in graph if mark.folded] == ["t=2", "t=3"]
    assert readers(graph, "t=2", "h") == {("t=3", "step")}
    both = drawn(recurrent(nn.LSTM, 3, num_layers=2), fold=("t=2",)).graph
    assert sorted((mark.scope[-1], mark.folded) for mark in both if mark.folded) == [("l0", "t=2"), ("l1", "t=2")]
    one = drawn(recurrent(nn.LSTM, 3, num_layers=2), fold=("l1/t=2",)).graph
    assert [(mark.scope[-1], mark.folded) for mark in one if mark.folded] == [("l1", "t=2")]
    assert drawn(recurrent(nn.LSTM, 3), level="cell", fold=("t=2",)).text == to_dot(recurrent(nn.LSTM, 3), level="cell")


@pytest.mark.parametrize(
    "options", [{}, {"level": "cell", "limit": 60}, {"level": "gate"}], ids=["plain", "cell", "gate"]
)
def test_a_step_that_is_opened_stands_between_all_before_and_all_after_it(options: dict[str, object]) -> None:
    layout = drawn(recurrent(nn.LSTM, 50), unfold=("t=30",), **options)
    graph = layout.graph
    assert [(mark.folded, mark.times) for mark in graph if mark.folded] == [("t=1…29", 29), ("t=31…50", 20)]
    assert readers(graph, "t=29", "c") == {("t=30", "multiply")}
    assert readers(graph, "t=29", "h") == {("t=30", "sigmoid"), ("t=30", "tanh")}
    assert readers(graph, "t=30", "c") == {("t=30", "tanh"), ("t=31…50", "scope")}
    assert set(re.findall(r"label=<([ch][₀-₉]+)>", layout.text)) == {"c₀", "h₀"}
    assert "folded: LSTM/l0/t=1…29, LSTM/l0/t=31…50" in layout.text


def test_a_folded_scope_that_many_read_is_named_where_they_do_with_what_they_read() -> None:
    weight = tg.ones((3, 3), requires_grad=True)

    def program() -> None:
        with tg.scope("memory"):
            m = tg.exp(tg.ones((1, 3), requires_grad=True)).named("m")
        h = tg.zeros((1, 3))
        for t in range(1, 7):
            with tg.scope(f"t={t}"):
                h = tg.tanh(h @ weight) * m

    text = drawn(taped(program), level="op", fold=("memory",)).text
    assert len(re.findall(r"label=<memory · m<FONT", text)) == 5


def test_a_scope_that_is_not_there_is_named_with_those_that_are() -> None:
    tape = recurrent(nn.LSTM, 2)
    with pytest.raises(ValueError, match=r"fold='l1', wanted the end of a scope's path; there are LSTM, LSTM/l0, LSTM"):
        to_dot(tape, fold=("l1",))
    with pytest.raises(ValueError, match=r"unfold='0', .* there are LSTM"):
        to_dot(tape, unfold=("0",))


def test_a_module_that_reads_its_own_output_is_folded_call_by_call() -> None:
    layer = nn.Linear(2, 2)
    with tg.Tape() as tape, tg.scope("net"):
        layer(tg.tanh(layer(tg.ones((1, 2)))))
    graph = drawn(tape, fold=("Linear",)).graph
    assert [mark.folded for mark in graph if not mark.stored] == ["Linear", None, "Linear"]


# Modules


def modules(tape: tg.Tape, **options: object) -> dict[str, Mark]:
    return {mark.folded: mark for mark in drawn(tape, level="module", **options).graph if mark.folded is not None}


def test_a_model_folds_to_the_modules_within_it() -> None:
    found = modules(transformer(2))
    assert list(found) == ["embedding", "blocks", "head"]
    assert found["blocks"].note == "32 ops, 312 parameters"
    assert found["blocks"].shape == (1, 3, 4)
    assert found["blocks"].sources == (found["embedding"].id,)
    assert found["head"].sources == (found["blocks"].id,)
    assert list(modules(transformer(2), unfold=("blocks",))) == ["embedding", "0", "1", "head"]


def test_a_step_is_no_module() -> None:
    assert list(modules(chars(4))) == ["embedding", "rnn", "head"]
    assert list(modules(recurrent(nn.LSTM, 4, num_layers=2))) == ["l0", "l1"]


def test_many_calls_of_a_module_are_one_mark_and_calls_of_different_ones_are_not() -> None:
    found = modules(translation(6))
    assert {name: mark.times for name, mark in found.items()} == {"embed": 7, "encoder": 0, "decoder": 0, "head": 6}
    layers = [nn.Linear(2, 2) for _ in range(6)]
    with tg.Tape() as tape:
        for layer in layers:
            layer(tg.ones((1, 2)))
    assert len([mark for mark in drawn(tape, level="module").graph if mark.folded]) == 6


def test_inputs_alike_that_are_one_mark_show_no_numbers_for_none_are_those_of_all() -> None:
    for kind in (nn.LSTM, nn.GRU, nn.RNN):
        text = drawn(recurrent(kind, 4), level="module", values=True).text
        (inputs,) = re.findall(r'^ *"n\d+" \[.*label=<x ×4>.*', text, re.MULTILINE)
        assert "value: " not in inputs


# The state before the first step


@pytest.mark.parametrize(
    ("options", "before"),
    [
        ({"level": "op"}, ["c₀", "c₄", "h₀", "h₄"]),
        ({"level": "gate"}, ["c₀", "c₄", "h₀", "h₄"]),
        ({"level": "cell"}, ["c₀", "c₄", "h₀", "h₄"]),
        ({"level": "gate", "rolled": True}, ["c₀", "c₄", "h₀", "h₄"]),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_a_sequence_that_is_read_from_its_end_begins_with_the_state_after_the_last_step(
    options: dict[str, object], before: list[str]
) -> None:
    text = drawn(recurrent(nn.LSTM, 3, bidirectional=True), **options).text
    assert sorted(re.findall(r"label=<([ch][₀₄-₉])>", text)) == before


def test_an_equation_reads_the_state_that_its_step_reads() -> None:
    for layers in (1, 2):
        text = drawn(recurrent(nn.LSTM, 3, bidirectional=True, num_layers=layers), level="gate").text
        read = Counter(re.findall(r"(f.) = σ\(W_f x.? \+ U_f (h.) \+ b_f\)", text))
        assert set(read) == {("f₁", "h₀"), ("f₂", "h₁"), ("f₃", "h₂"), ("f₁", "h₂"), ("f₂", "h₃"), ("f₃", "h₄")}
        assert set(read.values()) == {layers}
    unnamed = drawn(recurrent(nn.RNN, 2, bidirectional=True), level="gate").text
    assert set(re.findall(r"U (h[₀-₉])", unnamed)) == {"h₀", "h₁", "h₂", "h₃"}


# Cells


@every_recurrence
@pytest.mark.parametrize(
    "options", [{}, {"limit": 20}, {"rolled": True}, {"values": True}], ids=["plain", "short", "rolled", "values"]
)
def test_the_lines_between_cells_are_the_edges_between_what_is_shown(
    make: Callable[[], tg.Tape], options: dict[str, object]
) -> None:
    layout = drawn(make(), level="cell", **options)
    assert set(lines(layout.text)) == set(uses(layout.graph))


@every_recurrence
def test_a_boxed_graph_has_the_edges_of_the_tape(make: Callable[[], tg.Tape]) -> None:
    tape = make()
    layout = drawn(tape, level="cell", limit=1000)
    found = chains(stepped(tape))
    inner = {id for chain in found for cell in chain.cells for id in cell.members}
    states = {id for chain in found for cell in chain.cells for id in cell.after.values()}
    boxes = [mark for mark in layout.graph if mark.op == "step"]
    assert len(boxes) == sum(len(chain.cells) for chain in found)
    assert {part for box in boxes for part in box.parts} == inner
    assert states <= {mark.id for mark in layout.graph}
    for mark in layout.graph:
        if mark.id in states:
            assert layout.graph[mark.sources[0]].op == "step"


@every_recurrence
@pytest.mark.parametrize("rolled", [False, True])
def test_states_go_straight_from_cell_to_cell(
    make: Callable[[], tg.Tape], rolled: bool, svg: Callable[[str], ElementTree.Element]
) -> None:
    tape = make()
    layout = drawn(tape, level="cell", rolled=rolled, limit=1000)
    cells = {mark.id for mark in layout.graph} - {mark.id for mark in read(tape)}
    states = {mark.id for mark in layout.graph if cells.intersection(mark.sources) and mark.op != "stack"}
    level = 0
    for line in svg(layout.text).iter(f"{SVG}g"):
        classes = line.attrib.get("class", "")
        ends = re.search(r"^edge fwd from-n(\d+) to-n(\d+)$", classes)
        if ends and {int(ends[1]), int(ends[2])} & cells and {int(ends[1]), int(ends[2])} & states:
            path = line.find(f"{SVG}path")
            assert path is not None
            points = [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+),([-\d.]+)", path.attrib["d"])]
            xs, ys = zip(*points, strict=True)
            assert min(max(xs) - min(xs), max(ys) - min(ys)) < 1.5
            level += 1
    assert level >= 1


def test_what_one_cell_reads_stands_below_it_and_what_is_made_of_each_above(
    svg: Callable[[str], ElementTree.Element],
) -> None:
    layout = drawn(interleaved(4), level="cell")
    places = centres(svg(layout.text))
    graph = layout.graph
    for box in (mark for mark in graph if mark.op == "step"):
        x, y = places[f"n{box.id}"]
        (read,) = (id for id in box.sources if graph[id].label == "x")
        assert places[f"n{read}"][0] == pytest.approx(x, abs=0.6)
        assert places[f"n{read}"][1] > y
        (state,) = graph.uses[box.id]
        (head,) = (user for user in graph.uses[state.id] if user.op == "linear")
        loss = graph.uses[graph.uses[graph.uses[head.id][0].id][0].id][0]
        assert places[f"n{head.id}"][0] == pytest.approx(places[f"n{loss.id}"][0], abs=0.6)
        assert places[f"n{loss.id}"][1] < places[f"n{head.id}"][1] < y


def centres(root: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Return the middles of the nodes of a picture."""
    places = {}
    for group in root.iter(f"{SVG}g"):
        if group.attrib.get("class", "").startswith("node"):
            shapes = [*group.iter(f"{SVG}polygon"), *group.iter(f"{SVG}path"), *group.iter(f"{SVG}ellipse")]
            if shapes[0].tag == f"{SVG}ellipse":
                places[group.attrib["id"]] = float(shapes[0].attrib["cx"]), float(shapes[0].attrib["cy"])
                continue
            text = " ".join(shape.attrib.get("points", shape.attrib.get("d", "")) for shape in shapes)
            points = [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+),([-\d.]+)", text)]
            xs, ys = zip(*points, strict=True)
            places[group.attrib["id"]] = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    return places


def test_a_layer_stands_over_the_one_that_it_reads(svg: Callable[[str], ElementTree.Element]) -> None:
    layout = drawn(recurrent(nn.LSTM, 3, num_layers=3), level="cell")
    places = centres(svg(layout.text))
    boxes = [mark for mark in layout.graph if mark.op == "step"]
    for lower, upper in zip(boxes[:6], boxes[3:], strict=True):
        assert lower.folded == upper.folded
        (x, y), (x_upper, y_upper) = places[f"n{lower.id}"], places[f"n{upper.id}"]
        assert y_upper < y
        assert x_upper > x


def test_the_other_direction_runs_to_the_left_over_the_same_columns(
    svg: Callable[[str], ElementTree.Element],
) -> None:
    layout = drawn(recurrent(nn.GRU, 3, bidirectional=True), level="cell")
    places = centres(svg(layout.text))
    boxes = {(mark.scope[-1], mark.folded): mark for mark in layout.graph if mark.op == "step"}
    for name in ("t=1", "t=2", "t=3"):
        forward, backward = boxes["l0", name], boxes["l0_reverse", name]
        assert places[f"n{forward.id}"][0] == pytest.approx(places[f"n{backward.id}"][0], abs=0.6)
        (state,), (turned,) = layout.graph.uses[forward.id], layout.graph.uses[backward.id]
        assert places[f"n{turned.id}"][0] < places[f"n{forward.id}"][0] < places[f"n{state.id}"][0]


@pytest.mark.parametrize("direction", ["forward", "both", "backward"])
@pytest.mark.parametrize("make", [lambda: swept(nn.LSTM(2, 3), 30), lambda: swept(nn.LSTM(2, 3, bidirectional=True))])
def test_lines_meet_the_rows_of_cards_and_what_has_no_rows_elsewhere(
    make: Callable[[], tg.Tape], direction: str, svg: Callable[[str], ElementTree.Element]
) -> None:
    text = to_dot(make(), **CELLS, direction=direction)
    svg(text)  # in which Graphviz finds nothing amiss
    labels = dict(re.findall(r'^ *"(\w+)" \[.*?label=(.*)\];$', text, flags=re.MULTILINE))
    ends = re.findall(r'"(\w+)" -> "(\w+)" \[(.*)\];', text)
    ports = [(tail, *re.findall(r'tailport="(\w+)', look)) for tail, _, look in ends]
    ports += [(head, *re.findall(r'headport="(\w+)', look)) for _, head, look in ends]
    met = [(node, port) for node, *found in ports for port in found]
    assert len(met) > 10
    assert all(f'PORT="{port}"' in labels[node] for node, port in met)


@pytest.mark.parametrize("make", [lambda: swept(nn.LSTM(2, 3), 30), lambda: swept(nn.LSTM(2, 3, bidirectional=True))])
def test_values_and_gradients_have_each_a_straight_rail(
    make: Callable[[], tg.Tape], svg: Callable[[str], ElementTree.Element]
) -> None:
    tape = make()
    stacks = {f"to-n{mark.id}" for mark in read(tape) if mark.op == "stack"}
    rails: dict[str, list[float]] = {"fwd": [], "bwd": []}
    for line in svg(to_dot(tape, **CELLS, direction="both")).iter(f"{SVG}g"):
        classes, path = line.attrib.get("class", "").split(), line.find(f".//{SVG}path")
        if path is not None and not stacks.isdisjoint(classes):
            points = [(float(x), float(y)) for x, y in re.findall(r"([-\d.]+),([-\d.]+)", path.attrib["d"])]
            xs, ys = zip(*points, strict=True)
            assert min(max(xs) - min(xs), max(ys) - min(ys)) < 5
            if max(xs) - min(xs) > 5:
                assert max(ys) - min(ys) < 1
                rails[classes[1]].append(ys[0])
    assert all(rails.values())
    assert all(abs(one - other) > 10 for one in rails["fwd"] for other in rails["bwd"])


def swept(layer: nn.Module, steps: int = 2) -> tg.Tape:
    """Return the tape of a layer over some steps whose outputs are all gathered, and its derivative."""
    with tg.Tape() as tape:
        outputs, _ = layer(tg.randn(steps, 1, 2))
        tg.square(outputs).mean().named("loss").backward()
    return tape


def test_a_state_without_a_gradient_is_a_circle_where_gradients_are_shown() -> None:
    text = to_dot(swept(nn.LSTM(2, 3)), level="cell", grads=True)
    (first,) = re.findall(r'"n\d+" \[shape="circle"[^\n]*label=<c₀>', text)
    assert first
    assert len(re.findall(r'shape="circle"', text)) == 2


def test_weights_are_counted_once_for_all_steps() -> None:
    assert "4 tensors · 84 numbers" in to_dot(recurrent(nn.LSTM, 4), level="cell")
    assert "2 tensors · 15 numbers" in to_dot(bare(60))


def test_weights_are_drawn_once_or_at_each_step() -> None:
    def weights(**options: object) -> tuple[int, int]:
        text = to_dot(loop(4), **options)
        parameters = len(re.findall(r"role-parameter", text))
        return parameters, len(re.findall(r'class="rail', text))

    assert weights(level="cell") == weights(level="cell", weights="once") == (1, 3 + 4 + 4)
    assert weights(level="cell", weights="step") == (4, 4)
    once, step = (drawn(loop(4), level="op", weights=weights) for weights in ("once", "step"))
    assert once.text != step.text == drawn(loop(4), level="op").text
    assert lines(once.text) == lines(step.text) == uses(once.graph)
    leaf = re.compile(r'^ *"(n\d+)(?:at\d+)?" \[.*op-leaf', re.MULTILINE)
    leaves = [leaf.findall(layout.text) for layout in (once, step)]
    assert [len(set(found)) for found in leaves] == [6, 6]
    assert [len(found) for found in leaves] == [6, 4 * 6]


def test_a_sweep_comes_back_on_every_track() -> None:
    layout = drawn(last_state(4, sweep=True), level="cell", values=True, grads=True, direction="both")
    forth, back = lines(layout.text), lines(layout.text, "bwd")
    stored = {mark.id for mark in layout.graph if mark.stored}
    assert set(back) == {(a, b) for a, b in forth if a not in stored}
    alone = drawn(last_state(4, sweep=True), level="cell", direction="backward")
    assert lines(alone.text, "bwd").keys() == back.keys()


# Cells that say nothing of steps


@pytest.mark.parametrize("make", [lambda: own(3), lambda: loop(3), lambda: loop(3, nn.GRUCell), lambda: decoding(3)])
def test_calls_of_a_module_that_reads_its_own_states_are_steps(make: Callable[[], tg.Tape]) -> None:
    (chain,) = chains(stepped(make()))
    assert [(cell.first, cell.last) for cell in chain.cells] == [(1, 1), (2, 2), (3, 3)]


def test_a_cell_beside_a_layer_over_a_sequence_has_steps_too() -> None:
    assert [(chain.path[1], chain.steps) for chain in chains(stepped(translation(4)))] == [
        ("encoder", 2),
        ("decoder", 4),
    ]


def test_a_module_that_is_only_called_again_is_no_cell() -> None:
    layer = nn.Linear(2, 2)
    with tg.Tape() as tape:
        for _ in range(3):
            layer(tg.ones((1, 2)))
    assert chains(stepped(tape)) == ()


def test_a_state_before_the_first_step_is_found_where_the_second_step_reads_it() -> None:
    graph = stepped(own(3))
    (chain,) = chains(graph)
    (before,) = chain.cells[0].before.values()
    assert (graph[before].op, graph[before].shape) == ("constant", (1, 3))


def test_a_program_that_repeats_itself_has_steps_though_it_has_no_scopes() -> None:
    graph = repeated(read(bare(40)))
    steps = Counter(mark.scope for mark in graph if not mark.stored)
    assert steps == {**{(f"t={t}",): 5 for t in range(1, 41)}, (): 1}
    assert len(chains(graph)[0].cells) == 40
    for tape in (perceptron(), transformer()):
        assert repeated(read(tape)) == read(tape)


def test_neurons_side_by_side_are_no_steps() -> None:
    with tg.Tape() as tape:
        values = [nn.Parameter(0.1 * i) for i in range(12)]
        for _ in range(2):
            values = [tg.tanh(sum((v * nn.Parameter(0.3) for v in values), start=nn.Parameter(0.1))) for _ in values]
        sum(values[1:], start=values[0])
    assert repeated(read(tape)) == read(tape)


@given(st.integers(1, 4), st.integers(4, 12), st.integers(0, 3), st.integers(0, 3))
def test_a_period_is_found_between_what_comes_before_and_after(
    period: int, times: int, before: int, after: int
) -> None:
    ops = [*[f"b{i}" for i in range(before)], *[f"p{i}" for i in range(period)] * times, *["a"] * after]
    marks = [Mark(id, op, inputs=(id - 1,) if id else ()) for id, op in enumerate(ops)]
    scopes = [mark.scope for mark in repeated(Graph(tuple(marks)))]
    if 3 * period <= len(ops) - 2 * (len(ops) // 4) and before + after < len(ops) // 4:
        assert scopes[:before] == [()] * before
        assert Counter(scopes) == {
            **{(f"t={t}",): period for t in range(1, times + 1)},
            **({(): before + after} if before + after else {}),
        }


# Rolled


def test_a_rolled_recurrence_has_a_loop_for_each_state_with_the_number_of_steps() -> None:
    tape = recurrent(nn.LSTM, 7)
    cells = to_dot(tape, level="cell", rolled=True)
    assert len(re.findall(r'label="7 steps"', cells)) == 2
    assert len(re.findall("loop", cells)) >= 2
    gates = drawn(tape, level="gate", rolled=True)
    assert len(re.findall(r'class="fwd loop', gates.text)) == 2
    assert {mark.scope for mark in gates.graph if not mark.stored} == {("LSTM", "l0", "t=1")}
    assert [mark.label for mark in gates.graph if mark.parts and not mark.stored] == list("ifgo")


@pytest.mark.parametrize("name", RECURRENT)
def test_a_rolled_graph_reads_what_its_first_step_reads(name: str) -> None:
    graph = drawn(TAPES[name](), level="gate", rolled=True).graph
    assert len({mark.scope for mark in graph if mark.scope and mark.scope[-1].startswith("t=")}) >= 1
    met: set[int] = set()
    for mark in graph:
        assert met.issuperset(mark.sources)
        met.add(mark.id)


def test_steps_that_differ_are_named_and_not_rolled() -> None:
    cell = nn.GRUCell(2, 3)

    def program() -> None:
        h = tg.zeros((1, 3), requires_grad=True)
        for t in range(1, 8):
            with tg.scope(f"t={t}"):
                h = cell(tg.ones((1, 2)), h * 2 if t in (3, 5) else h + 2).named("h")

    layout = drawn(taped(program), level="cell", rolled=True)
    assert "not rolled, for these steps differ: 3, 5" in layout.text
    assert len([mark for mark in layout.graph if mark.op == "step"]) == 7
    assert drawn(taped(program), level="gate", rolled=True).text.count("not rolled") == 1


# Budgets


@pytest.mark.parametrize("level", [None, "op", "gate", "cell", "module"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: recurrent(nn.LSTM, 300),
        lambda: chars(300, num_layers=2),
        lambda: loop(200),
        lambda: interleaved(200),
        lambda: translation(100),
        lambda: decoding(100),
        lambda: bare(200),
        lambda: transformer(30),
        lambda: perceptron(200),
    ],
    ids=["lstm", "chars", "loop", "interleaved", "translation", "decoding", "bare", "transformer", "perceptron"],
)
def test_a_picture_has_no_more_marks_than_its_limit_and_says_what_was_folded(
    make: Callable[[], tg.Tape], level: str | None, svg: Callable[[str], ElementTree.Element]
) -> None:
    tape = make()
    layout = drawn(tape, level=level)
    assert visible(layout.graph) <= 150
    if level != "module":
        assert "folded: " in layout.text or visible(layout.graph) == visible(
            drawn(tape, level=level, limit=10**6).graph
        )
    svg(layout.text)


def test_the_middle_of_a_long_recurrence_is_one_mark_that_says_how_many_steps_it_is() -> None:
    for level in ("gate", "op", "cell"):
        layout = drawn(recurrent(nn.LSTM, 60), level=level, limit=100)
        (middle,) = (mark for mark in layout.graph if mark.times and not mark.stored)
        assert middle.note == "840 ops, 84 parameters"
        assert "folded: LSTM/l0/t=3…58" in layout.text
        made = [user.label for user in layout.graph.uses[middle.id] if user.op != "stack"]
        assert sorted(filter(None, made)) == ["c", "h"]
        shown = {int(name[2:]) for mark in layout.graph for name in mark.scope if re.fullmatch(r"t=\d+", name)}
        assert shown == {1, 2, 58, 59, 60}


def test_a_few_steps_show_gates_more_are_cells_and_many_are_shortened() -> None:
    def kinds(steps: int) -> tuple[int, int]:
        graph = drawn(recurrent(nn.LSTM, steps)).graph
        cells = [mark for mark in graph if mark.folded is not None]
        return len(cells), max((mark.times for mark in cells), default=0)

    assert kinds(5) == (0, 0)
    assert kinds(6) == (6, 0)
    assert kinds(8) == (8, 0)
    assert kinds(9) == (5, 5)


def test_scopes_alike_that_follow_one_another_are_one() -> None:
    def program() -> None:
        x = tg.asarray([1.0], requires_grad=True) * tg.ones((1,))
        with tg.scope("net"):
            for k in range(40):
                with tg.scope(f"block{k}"):
                    x = tg.tanh(tg.exp(x) * 0.1)

    layout = drawn(taped(program), limit=10)
    (block,) = (mark for mark in layout.graph if mark.folded)
    assert (block.folded, block.times, block.note) == ("block0…block39", 40, "120 ops")
    assert "folded: net/block0…block39" in layout.text


def test_a_long_tape_is_soon_a_picture_and_one_that_cannot_be_says_so() -> None:
    assert len(to_dot(recurrent(nn.LSTM, 1500)).splitlines()) < 120
    x = tg.asarray(1.0, requires_grad=True)
    with tg.Tape() as tape:
        for toss in random.Random(1).choices((tg.sin, tg.cos, tg.tanh), k=1600):
            x = toss(x)
    text = to_dot(tape)
    with pytest.raises(rendering.RenderError, match="marks, and more than 1,500"):
        rendering.render(text, "svg")


# Golden pictures


GOLDENS: dict[str, tuple[Callable[[], tg.Tape], dict[str, object]]] = {
    "cells": (lambda: recurrent(nn.LSTM, 3), {"level": "cell"}),
    "cells_folded": (lambda: last_state(60), {"level": "cell", "limit": 100}),
    "cells_two_layers": (lambda: recurrent(nn.LSTM, 3, num_layers=2), {"level": "cell"}),
    "cells_bidirectional": (lambda: recurrent(nn.GRU, 3, bidirectional=True), {"level": "cell"}),
    "cells_losses": (lambda: interleaved(4), {"level": "cell"}),
    "cells_rolled": (lambda: last_state(60), {"level": "cell", "rolled": True}),
    "gates_rolled": (lambda: recurrent(nn.LSTM, 60), {"level": "gate", "rolled": True}),
    "gates_folded": (lambda: recurrent(nn.LSTM, 60), {"level": "gate"}),
    "modules": (lambda: transformer(2), {"level": "module"}),
    "fold": (lambda: transformer(1), {"fold": ("attention",)}),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_the_golden_pictures(name: str) -> None:
    make, options = GOLDENS[name]
    tg.manual_seed(1)
    file, text = GOLDEN / f"{name}.dot", to_dot(make(), **options)
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@every_recurrence
def test_the_same_program_gives_the_same_text(make: Callable[[], tg.Tape]) -> None:
    texts = []
    for _ in range(2):
        tg.manual_seed(1)
        texts.append(to_dot(make(), level="cell"))
    assert texts[0] == texts[1]
