"""Values, gradients and colours in pictures: what is shown is what the tape holds, and it can be read by everyone."""

from __future__ import annotations

import itertools
import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.graph import to_dot
from tinygrad_lstm.graph.looks import strips, theme
from tinygrad_lstm.graph.looks.backward import THICKEST, THINNEST, Backward
from tinygrad_lstm.graph.looks.dot import Html, Writer
from tinygrad_lstm.graph.looks.formulas import expression, layer
from tinygrad_lstm.graph.looks.marks import Show, card, heading, summary
from tinygrad_lstm.graph.output import render as rendering
from tinygrad_lstm.graph.structure.ir import Graph, Mark, norm, read
from tinygrad_lstm.graph.structure.recurrence import with_steps
from tinygrad_lstm.graph.structure.shares import Shares
from tinygrad_lstm.graph.structure.simplify import gate_level

SVG = "{http://www.w3.org/2000/svg}"
GOLDEN = Path(__file__).parent / "golden"
EVERYTHING = {"values": True, "grads": True, "direction": "both"}


def loss() -> tg.Tape:
    """Return the tape of ``L = (tanh(w·x + b) − y)²`` and its derivative."""
    w, x, b, y = (
        tg.asarray(v, requires_grad=True).named(n) for n, v in (("w", -0.6), ("x", 2.0), ("b", 0.8), ("y", 0.5))
    )
    with tg.Tape() as tape:
        u = (w * x).named("u")
        z = (u + b).named("z")
        a = tg.tanh(z).named("a")
        e = (a - y).named("e")
        (e * e).named("L").backward()
    return tape


def ramp(*shape: int) -> tg.Tensor:
    """Return numbers between −1 and 1, no two the same."""
    count = math.prod(shape)
    return tg.asarray([math.sin(1.7 * k + 1) for k in range(count)]).reshape(shape)


def classifier() -> tg.Tape:
    model = nn.Sequential(nn.Linear(4, 8), tg.tanh, nn.Linear(8, 3))
    with tg.Tape() as tape:
        tg.mse_loss(model(ramp(2, 4).named("x")), tg.zeros((2, 3)).named("target")).named("loss").backward()
    return tape


def gru() -> tg.Tape:
    model = nn.GRU(2, 3)
    with tg.Tape() as tape:
        _, h = model(ramp(3, 1, 2))
        (h * h).sum().named("L").backward()
    return tape


def lstm() -> tg.Tape:
    model = nn.LSTM(2, 3)
    with tg.Tape() as tape:
        outputs, _ = model(ramp(3, 1, 2))
        (outputs * outputs).sum().named("L").backward()
    return tape


def shared() -> tg.Tape:
    """Return the tape of an expression of arrays in which a parameter and a result are used twice."""
    W, x = nn.Parameter(ramp(3, 3)).named("W"), ramp(1, 3).named("x")
    with tg.Tape() as tape:
        y = tg.tanh(x @ W).named("y")
        (tg.sigmoid(y @ W) * y).mean().named("L").backward()
    return tape


def truncated() -> tg.Tape:
    """Return the tape of a cell in a loop whose state is detached halfway."""
    cell, h = nn.RNNCell(2, 3), None
    with tg.Tape() as tape:
        for k in range(4):
            h = cell(ramp(1, 2).named("x"), h.detach() if k == 2 else h)
        (h * h).sum().named("L").backward()
    return tape


def penalty() -> tg.Tape:
    """Return a tape on which a derivative is differentiated."""
    x = tg.asarray(0.5, requires_grad=True).named("x")
    with tg.Tape() as tape:
        (g,) = tg.grad(tg.tanh(x * x).named("y"), [x], create_graph=True)
        (g * g).named("penalty").backward()
    return tape


TAPES: dict[str, Callable[[], tg.Tape]] = {
    "loss": loss, "classifier": classifier, "gru": gru, "shared": shared, "truncated": truncated, "penalty": penalty,
}  # fmt: skip
every_tape = pytest.mark.parametrize("make", TAPES.values(), ids=TAPES)


def by_label(graph: Graph) -> dict[str, Mark]:
    """Return the marks that have a name."""
    return {mark.label: mark for mark in graph if mark.label}


# Values and gradients of marks


def test_leaves_and_results_have_values_and_gradients() -> None:
    marks = by_label(read(loss()))
    values = {"w": -0.6, "x": 2.0, "u": -1.2, "b": 0.8, "z": -0.4, "a": -0.38, "y": 0.5, "e": -0.88, "L": 0.774}
    grads = {"w": -3.01, "x": 0.90, "u": -1.51, "b": -1.51, "z": -1.51, "a": -1.76, "y": 1.76, "e": -1.76, "L": 1.0}
    assert {name: float(marks[name].value) for name in values} == pytest.approx(values, abs=5e-3)
    assert {name: float(marks[name].grad) for name in grads} == pytest.approx(grads, abs=5e-3)


@pytest.mark.parametrize("make", [classifier, gru, lstm, shared])
def test_gradients_are_those_of_autodiff(make: Callable[[], tg.Tape]) -> None:
    tape = make()
    graph = read(tape)
    leaves = {id(x): x for entry in tape for x in entry.inputs if type(x).__name__ == "Leaf"}
    parameters = [mark for mark in graph if mark.is_parameter]
    assert len(parameters) == len(leaves)
    for leaf, mark in zip(leaves.values(), parameters, strict=True):
        numpy.testing.assert_allclose(mark.grad, tg.backend.to_host(leaf.grad), rtol=1e-6)


@pytest.mark.parametrize("make", [classifier, gru, lstm, shared, loss])
def test_what_the_uses_send_back_adds_up_to_the_gradient(make: Callable[[], tg.Tape]) -> None:
    graph = read(make())
    assert graph.record is not None
    checked = 0
    for mark in graph:
        if mark.grad is not None and mark.id != graph.record.root:
            users = dict.fromkeys(user.id for user in graph.uses[mark.id])
            sent = [part for user in users for part in graph.contributions(mark.id, user)]
            numpy.testing.assert_allclose(sum(sent[1:], sent[0]), mark.grad, rtol=1e-5, atol=1e-7)
            checked += 1
    assert checked > 5


def test_of_several_sweeps_the_last_is_shown() -> None:
    x = tg.asarray(3.0, requires_grad=True).named("x")
    with tg.Tape() as tape:
        y = (x * x).named("y")
        (y * 10).backward(retain_graph=True)
        y.backward()
    marks = by_label(read(tape))
    assert float(x.grad) == 66.0
    assert float(marks["x"].grad) == 6.0
    assert float(marks["y"].grad) == 1.0


def test_a_sweep_outside_the_tape_is_known_by_what_it_left_in_the_leaves() -> None:
    x = tg.asarray(3.0, requires_grad=True).named("x")
    with tg.Tape() as tape:
        y = (x * x).named("y")
    y.backward()
    marks = by_label(read(tape))
    assert float(marks["x"].grad) == 6.0
    assert marks["y"].grad is None


def test_the_history_of_a_tensor_has_the_values_that_its_derivatives_keep() -> None:
    w, x = tg.asarray(2.0, requires_grad=True).named("w"), tg.asarray(3.0, requires_grad=True).named("x")
    marks = by_label(read(tg.exp(w * x).named("y")))
    assert {name: float(mark.value) for name, mark in marks.items()} == pytest.approx(
        {"w": 2, "x": 3, "y": math.exp(6)}
    )


def test_what_was_computed_before_the_tape_has_its_value() -> None:
    before = tg.exp(tg.asarray([0.0], requires_grad=True)).named("before")
    with tg.Tape() as tape:
        before * 2
    assert read(tape).marks[0].value.tolist() == [1.0]


@pytest.mark.skipif(tg.backend.name != "numpy", reason="a host copy of what is on a device is a copy")
def test_arrays_are_not_copied() -> None:
    x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    with tg.Tape() as tape:
        y = tg.exp(x).named("y")
    marks = by_label(read(tape))
    assert marks["x"].value is x.data
    assert marks["y"].value is y.data


def test_what_gates_send_back_through_one_product_is_divided_among_them() -> None:
    graph = gate_level(with_steps(read(lstm())))
    states = [mark for mark in graph if mark.label == "h" and not mark.stored and "t=2" in mark.scope]
    (h,) = states
    gates = [user for user in graph.uses[h.id] if user.parts]
    assert len(gates) == 4
    whole = {norm(graph.contributions(h.id, gate.id)[0]) for gate in gates}
    assert len(whole) == 1
    shares = [graph.flow(h.id, gate.id) for gate in gates]
    assert sum(shares) == pytest.approx(whole.pop())
    assert len({round(share, 6) for share in shares}) == 4


def linear_of_two(x: tg.Tensor) -> tg.Tensor:
    """Return two gates of one product."""
    product = nn.Linear(3, 4)(x)
    return tg.sigmoid(product[..., :2]) * tg.tanh(product[..., 2:])


def product_of_two(x: tg.Tensor) -> tg.Tensor:
    """Return two gates of a sum of products."""
    weight, other = (tg.randn(3, 4, requires_grad=True).named(name) for name in ("u", "w"))
    one, two = tg.split(x @ weight + x @ other, 2, axis=-1)
    return tg.sigmoid(one) * tg.tanh(two)


def transposed(x: tg.Tensor) -> tg.Tensor:
    """Return two gates of a product with its weight on the left."""
    product = tg.randn(4, 3, requires_grad=True).named("w") @ x
    return tg.sigmoid(product[:2]) * tg.tanh(product[2:])


def sent_by(make: Callable[[tg.Tensor], tg.Tensor]) -> tuple[Graph, Mark, list[Any]]:
    """Return what the users of a tensor have sent back to it, one by one."""
    with tg.Tape() as tape:
        x = (tg.randn(3, 3) * tg.randn(3, 3, requires_grad=True)).named("x")
        make(x).sum().named("L").backward()
    graph = gate_level(read(tape))
    mark = next(mark for mark in graph if mark.label == "x")
    shares = Shares(graph)
    return graph, mark, [shares.of(mark.id, user.id) for user in graph.uses[mark.id]]


@pytest.mark.parametrize("make", [linear_of_two, product_of_two, transposed])
def test_what_gates_of_one_product_sent_back_is_known_of_each_and_adds_up(
    make: Callable[[tg.Tensor], tg.Tensor],
) -> None:
    graph, x, sent = sent_by(make)
    assert len(sent) == 2
    total = sum(array for arrays in sent for array in arrays)
    numpy.testing.assert_allclose(total, x.grad, rtol=1e-4, atol=1e-6)
    whole = [sum(graph.contributions(x.id, user.id)) for user in graph.uses[x.id]]
    assert all(abs(sum(arrays) - array).max() > 1e-3 for arrays, array in zip(sent, whole, strict=True))


def test_each_gate_of_an_lstm_sent_what_its_rows_of_the_weight_make_of_its_gradient() -> None:
    layer = nn.LSTM(2, 3)
    with tg.Tape() as tape:
        output, _ = layer(tg.randn(3, 2, 2))
        tg.square(output[-1]).sum().backward()
    graph = gate_level(with_steps(read(tape)))
    h = next(mark for mark in graph if mark.label == "h" and not mark.stored and "t=2" in mark.scope)
    weight, shares = tg.backend.to_host(layer.weight_hh_l0.data), Shares(graph)
    gates = {user.label: user for user in graph.uses[h.id] if user.parts}
    for label, rows in zip("ifgo", numpy.split(weight, 4), strict=True):
        gate = gates[label]
        slope = 1 - gate.value**2 if label == "g" else gate.value * (1 - gate.value)
        (sent,) = shares.of(h.id, gate.id)
        numpy.testing.assert_allclose(sent, (gate.grad * slope) @ rows, rtol=1e-4, atol=1e-6)


def test_a_share_that_cannot_be_known_is_none() -> None:
    with tg.Tape() as tape:
        output, _ = nn.LSTM(2, 3, layer_norm=True)(tg.randn(3, 2, 2))
        tg.square(output[-1]).sum().backward()
    graph = gate_level(with_steps(read(tape)))
    h = next(mark for mark in graph if mark.label == "h" and not mark.stored and "t=2" in mark.scope)
    assert [Shares(graph).of(h.id, user.id) for user in graph.uses[h.id]] == [None] * 4


def test_a_weight_that_has_changed_since_tells_nothing() -> None:
    layer = nn.Linear(3, 4)
    with tg.Tape() as tape:
        product = layer(tg.exp(tg.randn(2, 3, requires_grad=True)).named("x"))
        (tg.sigmoid(product[..., :2]) * tg.tanh(product[..., 2:])).sum().backward()
        layer.weight.data *= 2.0
    graph = gate_level(read(tape))
    x = next(mark for mark in graph if mark.label == "x")
    assert [Shares(graph).of(x.id, user.id) for user in graph.uses[x.id]] == [None, None]


def test_norms_do_not_overflow_and_are_none_of_nothing() -> None:
    assert norm(numpy.asarray([3e30, 4e30], dtype="float32")) == pytest.approx(5e30)
    assert norm(numpy.zeros((0, 2))) == 0.0
    assert math.isnan(norm(numpy.asarray([1.0, math.nan])))
    assert norm(numpy.asarray([1.0, -math.inf])) == math.inf


# Strips


def cells(rows: list[list[strips.Cell]]) -> list[list[str]]:
    return [[cell.text for cell in row] for row in rows]


def test_small_arrays_have_a_cell_for_each_element_and_large_ones_means() -> None:
    assert cells(strips.values(numpy.asarray([[0.5, -0.25]]))) == [["0.50", "−0.25"]]
    rows = strips.values(numpy.arange(16.0) / 16)
    assert [round(cell.tint or 0, 5) for cell in rows[0]] == [(4 * k + 1) / 32 for k in range(8)]
    assert len(strips.values(numpy.ones((3, 5, 7)))) == 4
    assert not strips.is_pooled((4, 8))
    assert all(map(strips.is_pooled, [(5, 8), (4, 9), (2, 3, 2)]))


def test_integers_and_bools_are_shown_as_they_are() -> None:
    assert cells(strips.values(numpy.asarray([[3, -12]]))) == [["3", "−12"]]
    assert cells(strips.values(numpy.arange(10))) == [["0", "1", "2", "3", "4", "5", "6", "…"]]
    assert cells(strips.values(numpy.asarray([True, False]))) == [["1", "0"]]


def test_what_is_no_number_is_seen() -> None:
    rows = strips.values(numpy.asarray([math.nan, math.inf, -math.inf, 1.0]))
    assert cells(rows) == [["NaN", "∞", "−∞", "1.00"]]
    assert [cell.tint is None for cell in rows[0]] == [True, True, True, False]
    for text in (strips.strip(rows), strips.strip(rows, numbers=True), strips.strip(rows, height=strips.THIN)):
        assert text.count(theme.SURFACES["no number"][0]) == 3
    assert re.findall(r">([?∞−]+)<", strips.strip(rows)) == ["?", "∞", "−∞"]
    assert cells(strips.values(numpy.asarray([[math.inf, -math.inf] * 10])))[0][0] == "NaN"


def test_gradients_are_tinted_by_the_root_of_their_share() -> None:
    (row,) = strips.gradients(numpy.asarray([4.0, -1.0, 0.0]), largest=4.0)
    assert [cell.tint for cell in row] == [1.0, -0.5, 0.0]
    assert [cell.tint for cell in strips.gradients(numpy.zeros(2), largest=0.0)[0]] == [0.0, 0.0]


def test_means_are_right_where_sums_are_not() -> None:
    assert strips.mean(numpy.full(9, 1.5e308)) == 1.5e308
    assert strips.mean(numpy.zeros(3)) == 0.0
    assert strips.mean(numpy.asarray([1.0, math.inf])) == math.inf
    assert strips.mean(numpy.asarray([3, 4], dtype="uint8")) == 3.5
    assert summary(numpy.arange(10.0)) == "from 0 to 9.00, mean 4.50"


anything = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True, width=32), st.sampled_from([0.0, -0.0, 1e-30, -1e-7, 9.999, -99.96])
)


@given(st.lists(anything, min_size=1, max_size=5), st.booleans())
def test_any_numbers_fit_their_cells(numbers: list[float], shown: bool) -> None:
    pytest.importorskip("pygraphviz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        array = numpy.asarray([numbers])
        rows = [*strips.values(array), *strips.gradients(array, strips.largest(array))]
    dot = Writer()
    dot.node("n", shape="plain", label=Html(strips.strip(rows[:1], shown)))
    dot.node("m", shape="plain", label=Html(strips.strip(rows[1:], height=strips.THIN)))
    rendering.render(dot.text(), "svg")


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (8,), (9,), (4, 8), (5, 8), (2, 3, 4), (1, 1), (3, 0)])
def test_cards_of_any_shape_are_drawn(
    shape: tuple[int, ...], dtype: str, svg: Callable[[str], ElementTree.Element]
) -> None:
    value = numpy.ones(shape, dtype=dtype)
    for numbers in (False, True):
        show = Show(values=True, numbers=numbers)
        mark = Mark(0, "tanh", shape=shape, dtype=dtype, value=value)
        dot = Writer()
        dot.node("n0", **card("layer", heading("tanh", "y", mark, show), mark, show))
        svg(dot.text())
    assert summary(value)


# Cards


def test_a_card_tells_what_is_asked_for() -> None:
    tape = loss()
    assert "∂" not in to_dot(tape, values=True)
    assert "=&nbsp;−0.60" in to_dot(tape, values=True)
    assert "∂&nbsp;−3.01" in to_dot(tape, grads=True)
    assert "=&nbsp;−0.60" not in to_dot(tape, grads=True)
    assert "= ∂L/∂this" in to_dot(tape, grads=True)


def test_a_parameter_has_its_size_and_count_and_a_pooled_one_says_so() -> None:
    text = to_dot(classifier(), values=True)
    assert "8×4, 32" in text
    assert "means of blocks" in text
    assert "32 numbers" in text


def test_the_line_of_the_program_is_in_the_tooltip() -> None:
    text = to_dot(loss())
    assert re.search(r'tooltip="u\\nmultiply, scalar, float32\\ntest_graph_values\.py:\d+: u = \(w \* x\)', text)


@every_tape
@pytest.mark.parametrize("level", ["gate", "op"])
@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_every_picture_with_everything_is_well_formed_and_in_the_colours_of_the_palette(
    make: Callable[[], tg.Tape], level: str, direction: str, svg: Callable[[str], ElementTree.Element]
) -> None:
    tape = make()
    text = to_dot(tape, level=level, direction=direction, values=True, grads=True)
    svg(text)
    used = set(re.findall(r'(?i)color="(#[^"]*)"', text))
    assert used <= theme.PALETTE.keys()
    dark = to_dot(tape, level=level, direction=direction, values=True, grads=True, theme="dark")
    assert set(re.findall(r'(?i)color="(#[^"]*)"', dark)) == {theme.PALETTE[colour] for colour in used}


@pytest.mark.parametrize("options", [{"values": True, "grads": True}, {"direction": "backward"}], ids=str)
@pytest.mark.parametrize("level", ["gate", "cell"])
def test_what_a_card_tells_stands_in_its_middle(
    level: str, options: dict[str, Any], svg: Callable[[str], ElementTree.Element]
) -> None:
    checked = 0
    for group in svg(to_dot(lstm(), level=level, **options)).iter(f"{SVG}g"):
        shapes = [across(shape) for shape in group.iter() if shape.tag in (f"{SVG}path", f"{SVG}polygon")]
        left, right = max(shapes, key=lambda ends: ends[1] - ends[0], default=(0.0, 0.0))
        cells = [ends for ends in shapes if ends[1] - ends[0] < (right - left) / 2]
        if group.get("class", "").startswith("node") and cells:
            assert min(cells)[0] + max(end for _, end in cells) == pytest.approx(left + right, abs=3)
            checked += 1
    assert checked >= 6


def across(shape: ElementTree.Element) -> tuple[float, float]:
    """Return the left and the right end of a shape."""
    places = [float(x) for x in re.findall(r"(-?[\d.]+),", shape.get("d") or shape.attrib["points"])]
    return min(places), max(places)


def test_gradients_are_explained_where_there_are_any() -> None:
    model = nn.LSTM(2, 3)
    with tg.Tape():
        model(tg.ones((2, 1, 2)))[0].sum().backward()
    with tg.Tape() as tape:
        model(tg.ones((2, 1, 2)))
    assert "∂" not in to_dot(tape, values=True, grads=True)
    assert "∂" in to_dot(tape, values=True, grads=True, level="op")


# The flow of a small expression


def test_the_spine_is_straight_and_the_rest_above_it(svg: Callable[[str], ElementTree.Element]) -> None:
    tape = loss()
    marks = by_label(read(tape))
    root = svg(to_dot(tape, **EVERYTHING))
    groups = {
        group.attrib["id"]: group for group in root.iter(f"{SVG}g") if group.attrib.get("class", "")[:4] == "node"
    }

    def middle(name: str, row: str) -> tuple[float, float]:
        """Return where a row of a card stands."""
        texts = [text for text in groups[f"n{marks[name].id}"].iter(f"{SVG}text") if (text.text or "").startswith(row)]
        return float(texts[0].attrib["x"]), float(texts[0].attrib["y"])

    spine = [middle(name, "=") for name in ("w", "u", "z", "a", "e", "L")]
    assert max(y for _, y in spine) - min(y for _, y in spine) < 2
    assert [x for x, _ in spine] == sorted(x for x, _ in spine)
    for name in ("x", "b", "y"):
        assert middle(name, "∂")[1] < spine[0][1]


def test_what_is_used_early_and_late_stands_where_it_is_used_first(svg: Callable[[str], ElementTree.Element]) -> None:
    a, b = (tg.asarray(x, requires_grad=True).named(name) for x, name in ((2.0, "a"), (3.0, "b")))
    with tg.Tape() as tape:
        (tg.tanh(a * b) * a + b).named("L")
    left = {
        group.attrib["id"]: float(text.attrib["x"])
        for group in svg(to_dot(tape, values=True)).iter(f"{SVG}g")
        for text in group.iter(f"{SVG}text")
        if group.attrib.get("class", "")[:4] == "node" and (text.text or "").startswith("=")
    }
    spine = [left[f"n{mark.id}"] for mark in read(tape) if not mark.stored]
    assert spine == sorted(spine)
    assert max(left["n0"], left["n1"]) < spine[0]


def test_lines_back_have_the_local_derivatives() -> None:
    text = to_dot(loss(), **EVERYTHING)
    labels = re.findall(r'"bwd from-n\d+ to-n\d+" label=" ([^"]*) "', text)
    assert sorted(labels) == sorted(
        ["× −0.60", "× 2.00", "× 1.00", "× 1.00", "× 0.86", "× 1.00", "× −1.00", "× −0.88 twice"]
    )
    assert "twice" not in "".join(re.findall(r'"fwd [^\n]*', text))


def test_what_is_used_twice_says_so_once() -> None:
    x, y = (tg.asarray(v, requires_grad=True).named(n) for n, v in (("x", 2.0), ("y", 3.0)))
    with tg.Tape() as tape:
        (x * y + x + x * x + y / x).backward()
    for direction, label in (("both", " × 2.00 twice "), ("backward", " × 2.00 twice "), ("forward", "")):
        text = to_dot(tape, values=True, grads=True, direction=direction)
        assert re.findall(r'label="([^"]*twice[^"]*)"', text) == [label] * (direction != "forward")
    with tg.Tape() as tape:
        (x * x).named("z")
    assert re.findall(r'label="([^"]*twice[^"]*)"', to_dot(tape, values=True)) == [" twice "]


@pytest.mark.parametrize(
    ("function", "label"),
    [(lambda x: x - x, "× 1.00, × −1.00"), (lambda x: x * x, "× 2.00 twice"), (lambda x: tg.exp(x), "× 7.39")],
)
def test_each_use_of_an_argument_has_its_derivative(function: Callable[[tg.Tensor], tg.Tensor], label: str) -> None:
    x = tg.asarray(2.0, requires_grad=True)
    with tg.Tape() as tape:
        function(x).backward()
    assert Backward(read(tape)).derivative(0, 1) == label


def test_a_derivative_is_not_made_up_where_none_can_be_read_off() -> None:
    x = tg.asarray(2.0, requires_grad=True)
    with tg.Tape() as tape:
        (tg.exp(x) * 0).backward()
    lines = Backward(read(tape))
    assert lines.derivative(0, 1) is None
    assert lines.line(0, 1)["penwidth"] == THINNEST


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@every_tape
def test_lines_lead_where_the_direction_says(make: Callable[[], tg.Tape], direction: str) -> None:
    graph = read(make())
    text = to_dot(make(), level="op", direction=direction)
    uses = {(edge.source, edge.target) for edge in graph.edges if not graph[edge.source].is_number}
    back = {edge for edge in uses if graph.contributions(*edge)}
    assert drawn(text, "fwd") == (uses - back if direction == "backward" else uses)
    assert drawn(text, "bwd") == (set() if direction == "forward" else back)


def drawn(text: str, way: str) -> set[tuple[int, int]]:
    """Return the uses whose lines end at a mark."""
    lines = re.findall(rf'class="{way} from-n(\d+) to-n(\d+)"', text)
    return {(int(source), int(target)) for source, target in lines}


def test_lines_are_as_wide_as_they_carry() -> None:
    graph = read(shared())
    lines = Backward(graph)
    widths = {edge: lines.line(*edge)["penwidth"] for edge in graph.edges if graph.contributions(*edge)}
    assert max(widths.values()) == THICKEST
    flows = {edge: norm(graph.contributions(*edge)[0]) for edge in widths}
    assert sorted(widths, key=lambda edge: widths[edge]) == sorted(flows, key=lambda edge: flows[edge])
    half = flows[max(flows, key=lambda edge: flows[edge])] / 4
    assert THINNEST + (THICKEST - THINNEST) * math.sqrt(half / max(flows.values())) == (THINNEST + THICKEST) / 2


def test_what_comes_back_from_all_gates_is_the_gradient_and_not_four_of_it() -> None:
    with tg.Tape() as tape:
        output, _ = nn.LSTM(2, 3)(tg.randn(3, 2, 2))
        tg.square(output[-1]).sum().backward()
    graph = gate_level(with_steps(read(tape)))
    h = next(mark for mark in graph if mark.label == "h" and not mark.stored and "t=2" in mark.scope)
    gates = [user.id for user in graph.uses[h.id]]
    lines, shares = Backward(graph), Shares(graph)
    assert lines.flow(h.id, *gates) == pytest.approx(norm(h.grad), rel=1e-4)
    for gate in gates:
        assert lines.flow(h.id, gate) == pytest.approx(norm(shares.of(h.id, gate)[0]))


def test_the_title_of_an_expression_is_what_it_computes() -> None:
    assert ">L = (tanh(w·x + b) − y)²<" in to_dot(loss())
    assert ">L = (" not in to_dot(loss(), title="")
    assert expression(read(shared())) == "L = mean(σ(tanh(x @ W) @ W) ⊙ tanh(x @ W))"


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda a, b: (a + b) * (a - b), "(a + b)·(a − b)"),
        (lambda a, b: a - (a - b), "a − (a − b)"),
        (lambda a, b: a / (a / b), "a / (a / b)"),
        (lambda a, b: -(a + b) * b, "−(a + b)·b"),
        (lambda a, b: a * -b + -b * a - -a, "a·(−b) + (−b·a) − (−a)"),
        (lambda a, b: (-a) ** 3, "(−a)³"),
        (lambda a, b: a**-2 + 2 * abs(b), "a⁻² + 2·|b|"),
        (lambda a, b: tg.sqrt(a) ** 0.5, "√(a)^0.5"),
        (lambda a, b: 1 / tg.exp(a), "1 / exp(a)"),
    ],
)
def test_brackets_stand_where_they_must(function: Callable[[tg.Tensor, tg.Tensor], tg.Tensor], text: str) -> None:
    a, b = (tg.asarray(2.0, requires_grad=True).named(name) for name in "ab")
    with tg.Tape() as tape:
        function(a, b)
    assert expression(read(tape)) == text


def test_a_long_expression_has_no_title() -> None:
    x = tg.asarray(0.5, requires_grad=True).named("x")
    with tg.Tape() as tape:
        y = x
        for _ in range(60):
            y = tg.tanh(y * y + y)
    assert expression(read(tape)) is None


# Equations of layers


def equations(tape: tg.Tape) -> list[str]:
    graph = gate_level(with_steps(read(tape)))
    found = [layer(graph, mark) for mark in graph if mark.parts]
    return [text.split("\n")[0] for text in found if text]


def test_gates_have_the_equations_of_a_textbook() -> None:
    assert equations(lstm())[4:8] == [
        "i₂ = σ(W_i x₂ + U_i h₁ + b_i)",
        "f₂ = σ(W_f x₂ + U_f h₁ + b_f)",
        "g₂ = tanh(W_g x₂ + U_g h₁ + b_g)",
        "o₂ = σ(W_o x₂ + U_o h₁ + b_o)",
    ]
    assert equations(truncated())[2:] == ["h₃ = tanh(W x₃ + U h₂ + b)", "h₄ = tanh(W x₄ + U h₃ + b)"]
    assert equations(classifier()) == ["tanh(W x + b)", "W x + b"]


def test_letters_stand_for_slices_of_parameters_which_are_counted() -> None:
    graph = gate_level(with_steps(read(lstm())))
    gate = next(mark for mark in graph if mark.label == "f")
    assert (layer(graph, gate) or "").split("\n")[1:] == [
        "W_f = weight_ih_l0[3:6], 3×2",
        "U_f = weight_hh_l0[3:6], 3×3",
        "b_f = bias_ih_l0[3:6] + bias_hh_l0[3:6], 3",
        "21 numbers",
    ]


def test_names_that_are_short_stay_and_the_order_is_that_of_the_product() -> None:
    W, b, x = nn.Parameter(ramp(2, 3)).named("W_f"), nn.Parameter(ramp(3)).named("b_f"), ramp(1, 2).named("x")
    with tg.Tape() as tape:
        tg.sigmoid(x @ W + b).named("f")
    assert equations(tape) == ["f = σ(x W_f + b_f)"]


def test_an_equation_is_in_the_tooltip_and_an_unknown_one_is_left_out() -> None:
    assert r"f₂ = σ(W_f x₂ + U_f h₁ + b_f)\nW_f = weight_ih_l0[3:6]" in to_dot(lstm())
    W, x = nn.Parameter(ramp(2, 3)), ramp(1, 2).named("x")
    with tg.Tape() as tape:
        tg.sigmoid(tg.dropout(x @ W, 0.5))
    to_dot(tape, level="gate")


# Cuts


def test_what_was_detached_is_a_cut_and_keeps_its_name() -> None:
    tape = truncated()
    graph = read(tape)
    (cut,) = [mark for mark in graph if mark.cut is not None]
    assert (cut.op, cut.label, graph[cut.cut or 0].label) == ("constant", "h", "h")
    for text in (to_dot(tape), to_dot(tape, level="op")):
        assert re.search(rf'"n{cut.cut}" -> "n{cut.id}" \[style="dotted"[^]]*arrowtail="teetee"', text)
        assert "‖ h₂" in text
        assert "cut: no gradient goes back" in text
        assert "detached: no gradient goes back" in text


def test_a_state_that_is_carried_over_is_cut_off_and_zeros_are_not() -> None:
    model = nn.GRU(2, 3)
    x = ramp(2, 1, 2)
    _, h = model(x)
    texts = []
    for state in (None, h.detach(), h):
        with tg.Tape() as tape:
            model(x, state)
        texts.append(to_dot(tape))
    assert ["‖ h₀" in text for text in texts] == [False, True, False]
    assert ["⋯ h₀" in text for text in texts] == [False, False, True]
    assert "computed before the tape: gradients go on there" in texts[2]


def test_what_a_recorded_sweep_computes_stands_in_a_box_of_its_own() -> None:
    graph = read(penalty())
    swept = [mark for mark in graph if mark.scope[:1] == ("backward",)]
    assert len(swept) == 6
    assert by_label(graph)["y"] not in swept
    assert by_label(graph)["penalty"] not in swept
    assert 'label="backward" labeljust="l" labelloc="t" style="rounded,filled"' in to_dot(penalty())


# Wrong calls


@pytest.mark.parametrize("options", [{"direction": "both"}, {"direction": "backward"}, {"grads": True}])
def test_gradients_that_are_not_there_are_asked_for_in_words(options: dict[str, object]) -> None:
    x = tg.asarray(2.0, requires_grad=True)
    with tg.Tape() as tape:
        y = x * x
    with pytest.raises(ValueError, match=r"and no sweep, wanted a Tape inside which backward\(\) was called"):
        to_dot(tape, **options)
    y.backward()
    if "grads" in options:
        assert "∂&nbsp;4.00" in to_dot(tape, **options)


# Colours


def linear(colour: str) -> numpy.ndarray:
    """Return a colour as amounts of light."""
    channels = numpy.asarray([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return numpy.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""
    dark, light = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


EYES = {  # how the colour-blind see, by Machado, Oliveira and Fernandes (2009), at full severity
    "all": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def lab(colour: str, eye: str) -> numpy.ndarray:
    """Return a colour as an eye sees it, in CIE Lab."""
    seen = numpy.clip(numpy.asarray(EYES[eye]) @ linear(colour), 0, 1)
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = numpy.asarray(matrix) @ seen / [0.95047, 1, 1.08883]
    f = numpy.where(xyz > 0.008856, numpy.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return numpy.asarray([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


both_themes = pytest.mark.parametrize("number", [0, 1], ids=["light", "dark"])


@both_themes
def test_text_is_legible_on_all_that_it_stands_on(number: int) -> None:
    surfaces = {name: pair[number] for name, pair in theme.SURFACES.items() if name in ("page", "step", "gate")}
    fills = {name: pair[number] for name, pair in theme.FILLS.items() if name != "result"} | surfaces
    texts = [theme.TEXTS["text"], theme.TEXTS["secondary"], theme.LINES["gradient"]]
    assert min(contrast(text[number], fill) for text in texts for fill in fills.values()) >= 4.5
    result = theme.FILLS["result"][number]
    assert min(contrast(theme.TEXTS[f"result {kind}"][number], result) for kind in ("text", "gradient")) >= 4.5
    assert contrast(theme.TEXTS["result text"][number], theme.SURFACES["no number"][number]) >= 4.5


@both_themes
@given(value=st.floats(-2, 2))
def test_numbers_are_legible_on_every_tint(number: int, value: float) -> None:
    tint, ink = theme.heat(value), theme.ink(value)
    colours = (tint, ink) if number == 0 else (theme.PALETTE[tint], theme.PALETTE[ink])
    assert contrast(*colours) >= 4.5


@both_themes
def test_lines_are_told_apart_by_every_eye(number: int) -> None:
    """Input and edge share a grey on purpose; a square and a line are not taken for each other."""
    names = ["c", "h", "layer", "pointwise", "other", "parameter", "input", "edge", "gradient"]
    for one, other in itertools.combinations(names, 2):
        if {one, other} != {"input", "edge"}:
            colours = theme.LINES[one][number], theme.LINES[other][number]
            for eye in EYES:
                assert numpy.linalg.norm(lab(colours[0], eye) - lab(colours[1], eye)) > 15, (one, other, eye)


@both_themes
def test_lines_are_seen_on_the_page(number: int) -> None:
    assert min(contrast(line[number], theme.SURFACES["page"][number]) for line in theme.LINES.values()) >= 3


def test_the_tints_are_smooth_and_the_sign_is_seen_by_every_eye() -> None:
    tints = [theme.heat(k / 20) for k in range(-20, 21)]
    assert len(set(tints)) == 41
    assert theme.heat(0.012) == theme.heat(0.0)
    for number, eye in itertools.product((0, 1), EYES):
        seen = [lab(tint if number == 0 else theme.PALETTE[tint], eye) for tint in tints]
        assert max(numpy.linalg.norm(a - b) for a, b in itertools.pairwise(seen)) < 9
        assert numpy.linalg.norm(seen[5] - seen[-6]) > 30


def test_the_dark_theme_is_the_light_one_by_a_mapping_that_loses_nothing() -> None:
    assert len(set(theme.PALETTE.values())) == len(theme.PALETTE)
    pairs = [pair for table in (theme.FILLS, theme.LINES, theme.SURFACES, theme.TEXTS) for pair in table.values()]
    assert {theme.PALETTE[light] for light, _ in pairs} == {dark for _, dark in pairs}
    assert all(theme.PALETTE[light] == dark for light, dark in pairs)


def test_no_text_of_a_users_is_taken_for_a_colour() -> None:
    nasty = 'color="#FFFFFF" COLOR="#1F2329"'
    x = tg.asarray(2.0, requires_grad=True).named("#FFFFFF")
    with tg.Tape() as tape:
        (x * x).named(nasty)
    text = to_dot(tape, title=nasty, theme="dark")
    assert text.count("#FFFFFF") >= 4
    assert 'bgcolor="#14171C"' in text


def test_an_svg_can_have_both_themes(svg: Callable[[str], ElementTree.Element]) -> None:
    both = theme.with_both_themes(rendering.render(to_dot(classifier(), **EVERYTHING), "svg").decode())
    root = ElementTree.fromstring(both)
    assert root.attrib["class"] == "both-themes"
    style = root.find(f"{SVG}style")
    assert style is not None
    rules = dict(
        re.findall(r'\.both-themes \[(?:fill|stroke)="(#\w+)"\] \{ (?:fill|stroke): (#\w+) \}', style.text or "")
    )
    for element in root.iter():
        for name in ("fill", "stroke"):
            if element.attrib.get(name, "").startswith("#"):
                assert rules[element.attrib[name]] == theme.PALETTE[element.attrib[name].upper()]
