"""The exporter: nothing of the tape is lost or invented, and any text stays text.

The pictures in ``golden/`` are kept as DOT, not as SVG, whose coordinates change with fonts and Graphviz' version.
After a change that is meant, write them anew and look at them::

    UPDATE_GOLDEN=1 python -m pytest tests/test_graph.py
"""

from __future__ import annotations

import os
import re
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias
from xml.etree import ElementTree

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.graph import RenderError, draw, to_dot
from tinygrad_lstm.graph.looks.dot import clean, clipped
from tinygrad_lstm.graph.output import render as rendering
from tinygrad_lstm.graph.structure.ir import Graph, Mark, read
from tinygrad_lstm.graph.structure.recurrence import with_steps
from tinygrad_lstm.graph.structure.simplify import gate_level

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"

NASTY = (
    'a"b', "a\\", "\\N \\G \\L", "<b>x</b>", "&amp;", "a & b", "a\nb", "a\r\n", "a\tb", "\x00\x07", "</TABLE>",
    "é漢😀", "\ud800", "\ufffe", "\u2028", "a:b", '"];}', "->", "--", "{", "|", ">", "'", "&#0;", "&bogus;", "\\\n",
    '\\"', "ab" * 50, "", " ",
)  # fmt: skip


class CharLM(nn.Module):
    def __init__(self) -> None:
        self.embedding = nn.Embedding(5, 2)
        self.lstm = nn.LSTM(2, 3)
        self.head = nn.Linear(3, 5)

    def forward(self, characters: tg.Tensor) -> tg.Tensor:
        outputs, _ = self.lstm(self.embedding(characters))
        return self.head(outputs)


def lstm(steps: int = 3, layers: int = 1) -> tg.Tape:
    model = nn.LSTM(2, 3, num_layers=layers)
    with tg.Tape() as tape:
        model(tg.ones((steps, 1, 2)))
    return tape


def char_model() -> tg.Tape:
    model = CharLM()
    with tg.Tape() as tape:
        model(tg.asarray([[0], [3], [1]]))
    return tape


def char_loss() -> tg.Tape:
    model = CharLM()
    with tg.Tape() as tape:
        scores = model(tg.asarray([[0], [3], [1]]))
        tg.cross_entropy(scores.reshape(3, 5), tg.asarray([3, 1, 4])).named("loss")
    return tape


def gru(steps: int = 2) -> tg.Tape:
    model = nn.GRU(2, 3)
    with tg.Tape() as tape:
        model(tg.ones((steps, 1, 2)))
    return tape


def rnn() -> tg.Tape:
    model = nn.RNN(2, 3)
    with tg.Tape() as tape:
        model(tg.ones((3, 1, 2)))
    return tape


def classifier() -> tg.Tape:
    model = nn.Sequential(nn.Linear(4, 8), tg.tanh, nn.Linear(8, 3))
    with tg.Tape() as tape:
        tg.mse_loss(model(tg.ones((2, 4)).named("x")), tg.zeros((2, 3)).named("target")).named("loss")
    return tape


def expression() -> tg.Tape:
    a, b, c = (tg.asarray(v, requires_grad=True).named(n) for n, v in (("a", 2.0), ("b", 3.0), ("c", 1.0)))
    with tg.Tape() as tape:
        (a * b + c).named("y")
    return tape


def square() -> tg.Tape:
    x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    with tg.Tape() as tape:
        (1 - x * x) * 0.5
    return tape


def cells(cell: nn.Module | None = None) -> tg.Tape:
    cell = nn.LSTMCell(2, 3) if cell is None else cell
    with tg.Tape() as tape:
        state = None
        for _ in range(3):
            state = cell(tg.ones((1, 2)), state)
    return tape


def last_state() -> tg.Tape:
    model, head = nn.LSTM(2, 3), nn.Linear(3, 1)
    with tg.Tape() as tape:
        outputs, _ = model(tg.ones((3, 1, 2)))
        tg.mse_loss(head(outputs[-1]), tg.asarray([[0.5]]).named("target")).named("loss")
    return tape


Preactivation: TypeAlias = "Callable[[str], tg.Tensor]"


def handmade(step: Callable[[Preactivation, tg.Tensor], tuple[tg.Tensor, tg.Tensor]]) -> tg.Tape:
    """Return the tape of a cell written by hand, with weights for each gate, over two steps."""
    generator = tg.backend.generator(0)

    def weights(*shape: int) -> dict[str, tg.Tensor]:
        return {gate: nn.Parameter(generator.standard_normal(shape)).named(f"W_{gate}") for gate in "ifgo"}

    W, U = weights(2, 3), weights(3, 3)
    h, c = tg.zeros((1, 3), dtype="float64").named("h"), tg.zeros((1, 3), dtype="float64").named("c")
    with tg.Tape() as tape:
        for t in (1, 2):
            with tg.scope(f"t={t}"):
                x = tg.ones((1, 2), dtype="float64").named("x")
                h, c = step(lambda gate, x=x, h=h: x @ W[gate] + h @ U[gate], c)
    return tape


def without_output_gate(a: Preactivation, c: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
    i, f, g = tg.sigmoid(a("i")).named("i"), tg.sigmoid(a("f")).named("f"), tg.tanh(a("g")).named("g")
    c = (f * c + i * g).named("c")
    return tg.tanh(c).named("h"), c


def with_an_op_more(a: Preactivation, c: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
    i, f, g = tg.sigmoid(a("i")).named("i"), tg.sigmoid(a("f")).named("f"), tg.tanh(a("g")).named("g")
    c = (f * c + i * g).named("c")
    return (tg.square(tg.sigmoid(a("o")).named("o")) * 2 * tg.tanh(c)).named("h"), c


def with_a_peephole(a: Preactivation, c: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
    i, f, g = tg.sigmoid(a("i")).named("i"), tg.sigmoid(a("f") + 2 * c).named("f"), tg.tanh(a("g")).named("g")
    c = (f * c + i * g).named("c")
    return (tg.sigmoid(a("o")).named("o") * tg.tanh(c)).named("h"), c


TAPES: dict[str, Callable[[], tg.Tape]] = {
    "lstm": lstm,
    "two_layers": lambda: lstm(2, 2),
    "char_model": char_model,
    "char_loss": char_loss,
    "last_state": last_state,
    "gru": gru,
    "gru_step": lambda: gru(1),
    "rnn": rnn,
    "classifier": classifier,
    "expression": expression,
    "square": square,
    "cells": cells,
    "gru_cells": lambda: cells(nn.GRUCell(2, 3)),
    "without_output_gate": lambda: handmade(without_output_gate),
    "with_an_op_more": lambda: handmade(with_an_op_more),
    "with_a_peephole": lambda: handmade(with_a_peephole),
}
every_tape = pytest.mark.parametrize("make", TAPES.values(), ids=TAPES)
both_levels = pytest.mark.parametrize("level", ["gate", "op"])


# The tape as data


@every_tape
def test_every_node_and_every_use_is_a_mark_and_an_edge_once(make: Callable[[], tg.Tape]) -> None:
    tape = make()
    graph = read(tape)
    computed = [mark for mark in graph if not mark.stored]
    assert [(mark.op, mark.label, mark.shape) for mark in computed] == [
        (entry.node.name, entry.node.label, entry.node.shape) for entry in tape
    ]
    rank = {id(entry.node): mark.id for entry, mark in zip(tape, computed, strict=True)}
    for entry, mark in zip(tape, computed, strict=True):
        assert len(entry.inputs) == len(mark.inputs)
        for argument, source in zip(entry.inputs, mark.inputs, strict=True):
            assert source == rank.get(id(argument), source)
            assert (argument is None) == (source is None)
    assert [mark.id for mark in graph] == list(range(len(graph)))
    assert all(edge.source < edge.target for edge in graph.edges)


def test_a_tensor_brings_its_history_without_what_needs_no_gradient() -> None:
    x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    graph = read((x * 2.0 + tg.ones((2,))).sum())
    assert [(mark.op, mark.inputs) for mark in graph] == [
        ("leaf", ()),
        ("multiply", (0, None)),
        ("add", (1, None)),
        ("sum", (2,)),
    ]


def test_what_was_computed_before_the_tape_is_an_input() -> None:
    x = tg.exp(tg.asarray([1.0], requires_grad=True)).named("before")
    with tg.Tape() as tape:
        tg.tanh(x)
    first, _ = read(tape)
    assert (first.op, first.label, first.stored) == ("earlier", "before", True)


def test_ranks_do_not_change_when_a_leaf_does() -> None:
    model, x = nn.Linear(2, 1), tg.ones((1, 2))
    texts = []
    for _ in range(2):
        with tg.Tape() as tape:
            loss = model(x).sum()
        texts.append(to_dot(tape).replace(f"{loss.item():.3g}".replace("-", "−"), "L"))
        loss.backward()
        tg.optim.SGD(model.parameters(), lr=0.1).step()
    assert texts[0] == texts[1]


# Layers folded


def reads(graph: Graph, mark: Mark, kept: set[int], weights: set[int]) -> set[int]:
    """Return what a mark reads, by walking back over what is not kept."""
    found: set[int] = set()
    waiting = [*graph[mark.id].sources]
    while waiting:
        id = waiting.pop()
        if id in kept:
            found.add(id)
        elif id not in weights:
            waiting.extend(graph[id].sources)
    return found


@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "classifier", "with_an_op_more", "with_a_peephole"])
def test_a_folded_layer_reads_what_its_parts_read(name: str) -> None:
    tape = read(TAPES[name]())
    folded = gate_level(tape)
    parameters = {mark.id for mark in tape if mark.op == "leaf"}
    kept = {mark.id for mark in folded}
    for mark in folded:
        assert set(mark.sources) == reads(tape, mark, kept - {mark.id}, parameters)
        if mark.parts:
            assert mark.id in mark.parts
            assert parameters & set(mark.parts)


def test_the_gates_of_an_lstm_are_layers_of_x_and_h_with_all_weights() -> None:
    graph = gate_level(read(lstm()))
    gates = [mark for mark in graph if mark.parts]
    assert [gate.label for gate in gates] == list("ifgo") * 3
    assert all([graph[id].label for id in gate.sources] == ["h", "x"] for gate in gates)
    assert not [mark for mark in graph if mark.op == "leaf"]


def test_a_residual_connection_is_not_folded_away() -> None:
    layer, x = nn.Linear(2, 2), tg.asarray([[1.0, 2.0]], requires_grad=True).named("x")
    with tg.Tape() as tape:
        layer(x) + x
    add = gate_level(read(tape)).marks[-1]
    assert add.op == "add"
    assert add.parts == ()


def test_an_activation_of_a_sum_that_is_read_elsewhere_stays_apart_from_it() -> None:
    layer = nn.Linear(2, 2)
    with tg.Tape() as tape:
        z = layer(tg.ones((1, 2)))
        tg.sigmoid(z) * z
    assert [mark.op for mark in gate_level(read(tape))] == ["constant", "linear", "sigmoid", "multiply"]


# Steps found


def test_a_loop_over_a_cell_has_steps_and_a_layer_that_names_its_output_h_has_none() -> None:
    assert {mark.scope[-1] for mark in with_steps(read(cells())) if not mark.stored} == {"t=1", "t=2", "t=3"}
    layer = nn.Linear(2, 2)
    with tg.Tape() as tape:
        for _ in range(2):
            with tg.scope("block"):
                tg.tanh(layer(tg.ones((1, 2)))).named("h")
    graph = read(tape)
    assert with_steps(graph) == graph


# What is drawn


def drawn_edges(text: str) -> set[tuple[int, int]]:
    """Return the uses that the lines of a picture stand for."""
    pairs = set()
    for classes in re.findall(r'class="(fwd [^"]*)"', text):
        targets = re.findall(r"to-n(\d+)", classes)
        pairs |= {(int(source), int(target)) for source in re.findall(r"from-n(\d+)", classes) for target in targets}
    return pairs


@both_levels
@every_tape
def test_the_lines_are_the_edges_of_the_tape(make: Callable[[], tg.Tape], level: str) -> None:
    tape = make()
    graph = with_steps(read(tape))
    if level == "gate":
        graph = gate_level(graph)
    numbers = {mark.id for mark in graph if mark.op == "number"}
    drawn = drawn_edges(to_dot(tape, level=level))
    assert drawn == {(edge.source, edge.target) for edge in graph.edges if edge.source not in numbers}


@both_levels
@every_tape
def test_every_picture_is_well_formed(
    make: Callable[[], tg.Tape], level: str, svg: Callable[[str], ElementTree.Element]
) -> None:
    root = svg(to_dot(make(), level=level))
    assert root.tag == f"{SVG}svg"


@pytest.mark.parametrize("name", ["lstm", "cells", "char_model", "gru", "gru_step"])
def test_each_step_has_a_box_and_each_gate_its_name(name: str) -> None:
    text = to_dot(TAPES[name]())
    boxes = re.findall(r'label="t=(\d)" labeljust', text)
    assert boxes == [str(t) for t in range(1, len(boxes) + 1)]
    assert boxes
    words = ["reset", "update"] if name.startswith("gru") else ["forget", "input", "candidate", "output"]
    for word in words:
        assert len(re.findall(f"<BR/><FONT[^>]*>{word}</FONT>", text)) == len(boxes)


@pytest.mark.parametrize("name", ["lstm", "char_model", "gru", "classifier", "expression"])
def test_the_golden_pictures(name: str) -> None:
    file = GOLDEN / f"{name}.dot"
    text = re.sub(r"(test_graph\.py):\d+", r"\1", to_dot(TAPES[name]()))
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


@every_tape
def test_the_same_program_gives_the_same_text(make: Callable[[], tg.Tape]) -> None:
    tg.manual_seed(1)
    first = to_dot(make())
    tg.manual_seed(1)
    assert to_dot(make()) == first


def test_numbers_are_part_of_their_op() -> None:
    text = to_dot(square())
    assert 'label="1 −"' in text
    assert 'label="× 0.5"' in text


def test_a_tensor_used_twice_has_two_lines() -> None:
    x = tg.asarray([1.0], requires_grad=True)
    with tg.Tape() as tape:
        x * x
    assert to_dot(tape).count('"n0" -> "n1"') == 2


def test_a_title_is_derived_or_given() -> None:
    assert ">LSTM, 3 steps<" in to_dot(lstm())
    assert ">LSTM, 1 step<" in to_dot(lstm(1))
    assert ">mine &amp; yours<" in to_dot(lstm(1), title="mine & yours")


# Any text stays text


def words(root: ElementTree.Element) -> set[str]:
    """Return the texts in a picture, each space in them one."""
    return {" ".join("".join(element.itertext()).split()) for element in root.iter(f"{SVG}text")}


@pytest.mark.parametrize("name", NASTY, ids=ascii)
@both_levels
def test_a_name_can_be_any_text(name: str, level: str, svg: Callable[[str], ElementTree.Element]) -> None:
    op = tg.unary(f"op{name}", lambda x: +x, lambda g: g)
    p = tg.asarray([1.0, 2.0], requires_grad=True).named(name)
    with tg.Tape() as tape, tg.scope("outer"):
        with tg.scope(name):
            op(p * p).named(name)
        op(p * tg.ones((2,)).named(name))
    root = svg(to_dot(tape, title=name, level=level))
    shown = words(root) | {""}
    assert " ".join(clipped(name).split()) in shown
    assert " ".join(clean(name).split()) in shown
    assert len([group for group in root.iter(f"{SVG}g") if group.attrib.get("class", "")[:4] == "node"]) >= 5


TAKEN = ["leaf", "constant", "number", "linear", "matmul", "add", "getitem", "split", "stack", "pow", "sigmoid", "mean"]


@both_levels
@pytest.mark.parametrize("name", TAKEN)
def test_an_op_of_ones_own_can_have_a_name_that_is_taken(
    name: str, level: str, svg: Callable[[str], ElementTree.Element]
) -> None:
    alone = tg.unary(name, lambda x: +x, lambda g: g)
    odd = tg.unary(name, lambda x, p, q: +x, lambda g: g, params=("p", "q"))
    joint = tg.variadic(name, sum, lambda g, xs: [g for _ in xs])
    x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    with tg.Tape() as tape:
        joint([alone(x), odd(tg.exp(x), "p", ()), x]).named("y")
    assert len([mark for mark in read(tape) if not mark.stored]) == 4
    svg(to_dot(tape, level=level))


def test_gates_can_have_any_name(svg: Callable[[str], ElementTree.Element]) -> None:
    for name in NASTY:
        tape = lstm(2)
        for node, *_ in tape:
            if node.label == "o":
                node.label = name
        shown = words(svg(to_dot(tape)))
        assert {" ".join(clipped(f"{name}{step}").split()) for step in "₁₂"} <= shown


# Sizes


def test_long_tapes_are_read_without_recursion() -> None:
    x = tg.asarray(1.0, requires_grad=True)
    with tg.Tape() as tape:
        y = x
        for _ in range(5000):
            y = y * 1.0001
    assert len(read(tape)) == len(read(y)) + 5000
    assert to_dot(tape, limit=10_000).count("->") == 5000


@pytest.mark.parametrize(
    ("make", "steps", "level"), [(lstm, 40, "gate"), (gru, 20, "gate"), (lstm, 20, "op")], ids=["lstm", "gru", "ops"]
)
def test_a_wide_picture_has_every_step(
    make: Callable[[int], tg.Tape], steps: int, level: str, svg: Callable[[str], ElementTree.Element]
) -> None:
    shown = words(svg(to_dot(make(steps), level=level, limit=10**6)))
    assert {f"t={step}" for step in range(1, steps + 1)} == {word for word in shown if word.startswith("t=")}


# Files


@pytest.mark.parametrize(
    ("suffix", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("DOT", b"digraph")]
)
def test_a_picture_is_written_as_its_suffix_says(
    suffix: str, magic: bytes, tmp_path: Path, svg: Callable[[str], ElementTree.Element]
) -> None:
    file = tmp_path / f"a.b.{suffix}"
    lstm(1).draw(file)
    assert file.read_bytes().startswith(magic)


def test_several_files_and_the_source_come_from_one_call(
    tmp_path: Path, svg: Callable[[str], ElementTree.Element]
) -> None:
    picture = draw(expression(), tmp_path / "y.svg", str(tmp_path / "y.dot"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["y.dot", "y.svg"]
    assert (tmp_path / "y.dot").read_text(encoding="utf-8") == picture.source


def test_a_notebook_shows_the_picture(svg: Callable[[str], ElementTree.Element]) -> None:
    bundle = expression().draw()._repr_mimebundle_()
    assert bundle["image/svg+xml"].rstrip().endswith("</svg>")


@pytest.fixture
def no_graphviz(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Hide every Graphviz, and return the only folder in which programs are looked for."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    return programs


def program(folder: Path, body: str) -> None:
    """Write a program that is found instead of Graphviz' own."""
    file = folder / "dot"
    file.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_without_graphviz_the_source_is_written_and_the_error_says_what_to_install(
    no_graphviz: Path, tmp_path: Path
) -> None:
    with pytest.raises(RenderError, match=r"pip install pygraphviz, .*y\.dot"):
        expression().draw(tmp_path / "y.png")
    assert (tmp_path / "y.dot").read_text(encoding="utf-8") == to_dot(expression())
    assert not (tmp_path / "y.png").exists()
    assert "digraph" in expression().draw(tmp_path / "z.dot").source


def test_the_program_dot_is_preferred(no_graphviz: Path, tmp_path: Path) -> None:
    program(no_graphviz, "sys.stdin.read(); print('<svg>', *sys.argv[1:])")
    expression().draw(tmp_path / "y.svg", tmp_path / "y.png")
    assert (tmp_path / "y.svg").read_text().endswith(" -Tsvg\n")
    assert (tmp_path / "y.png").read_text() == "<svg> -Tpng -Gdpi=110\n"


@pytest.mark.parametrize(
    ("body", "message"), [("sys.exit('no such font')", "no such font"), ("time.sleep(9)", "not done after 0.2 seconds")]
)
def test_a_program_that_fails_or_hangs_is_an_error_and_the_source_is_written(
    body: str, message: str, no_graphviz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "TIME_LIMIT", 0.2 if "sleep" in body else 60)
    program(no_graphviz, body)
    with pytest.raises(RenderError, match=message):
        expression().draw(tmp_path / "y.svg")
    assert (tmp_path / "y.dot").exists()


def test_threads_can_draw_at_once(svg: Callable[[str], ElementTree.Element]) -> None:
    text, drawn = to_dot(lstm(2)), []
    threads = [threading.Thread(target=lambda: drawn.append(rendering.render(text, "svg"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 1
    assert len(drawn) == 4


# Wrong calls


def test_wrong_calls_say_what_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"y\.gif, wanted one of \.svg, \.png, \.pdf, \.dot, \.html"):
        expression().draw(tmp_path / "y.gif")
    with pytest.raises(ValueError, match="nothing was recorded"):
        draw(tg.Tape())
    with pytest.raises(ValueError, match="nothing was recorded"):
        draw(tg.ones((2,)))
    with pytest.raises(TypeError, match="got int, wanted a Tape or a Tensor"):
        draw(3)
    with pytest.raises(ValueError, match="level='atom', wanted one of 'op', 'gate', 'cell', 'module'"):
        draw(expression(), level="atom")
