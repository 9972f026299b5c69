"""Recurrences in lanes: any whose steps are alike is found, its belt is straight, and no line runs into another.

Where everything stands is in the DOT text, so geometry is checked there, without Graphviz. The pictures in ``golden/``
are written anew as those of ``test_graph``.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.graph import to_dot
from tinygrad_lstm.graph.structure.ir import Graph, read
from tinygrad_lstm.graph.structure.recurrence import Unrolled, with_steps
from tinygrad_lstm.graph.structure.simplify import gate_level
from tinygrad_lstm.graph.structure.unrolling import unrolled

GOLDEN = Path(__file__).parent / "golden"
V = nn.variants


class Leaky(nn.Module):
    """A state that decays, with a parameter that no layer has taken in."""

    def __init__(self) -> None:
        self.decay = nn.Parameter(tg.full((3,), 0.9))
        self.inner = nn.Linear(2, 3)
        self.outer = nn.Linear(3, 3)

    def forward(self, xs: tg.Tensor) -> tg.Tensor:
        h = tg.zeros((1, 3)).named("h")
        for t, x in enumerate(xs, start=1):
            with tg.scope(f"t={t}"):
                new = tg.tanh(self.inner(x.named("x")) + self.outer(h))
                h = (self.decay * h + (1 - self.decay) * new).named("h")
        return h


class Minimal(nn.Module):
    """A gated unit as somebody would write it, who puts the input and the state side by side."""

    def __init__(self) -> None:
        self.gate, self.new = nn.Linear(5, 3), nn.Linear(5, 3)

    def forward(self, xs: tg.Tensor) -> tg.Tensor:
        s = tg.zeros((1, 3)).named("s")
        for t, x in enumerate(xs, start=1):
            with tg.scope(f"t={t}"):
                f = tg.sigmoid(self.gate(tg.concat([x, s], axis=-1))).named("f")
                n = tg.tanh(self.new(tg.concat([x, f * s], axis=-1))).named("n")
                s = ((1 - f) * s + f * n).named("s")
        return s


class Deep(nn.Module):
    """A state that goes through two layers."""

    def __init__(self) -> None:
        self.a, self.b, self.u = nn.Linear(2, 4), nn.Linear(4, 3), nn.Linear(3, 4)

    def forward(self, xs: tg.Tensor) -> tg.Tensor:
        h = tg.zeros((1, 3)).named("h")
        for t, x in enumerate(xs, start=1):
            with tg.scope(f"t={t}"):
                h = tg.tanh(self.b(tg.relu(self.a(x.named("x")) + self.u(h)))).named("h")
        return h


MODELS: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: nn.LSTM(2, 3),
    "three_layers": lambda: nn.LSTM(2, 3, num_layers=3),
    "gru": lambda: nn.GRU(2, 3),
    "gru_of_the_paper": lambda: nn.GRU(2, 3, reset_after=False),
    "gru_normalised": lambda: nn.GRU(2, 3, layer_norm=True),
    "two_grus": lambda: nn.GRU(2, 3, num_layers=2),
    "rnn": lambda: nn.RNN(2, 3),
    "rnn_normalised": lambda: nn.RNN(2, 3, layer_norm=True),
    "two_rnns": lambda: nn.RNN(2, 3, num_layers=2),
    "peepholes": lambda: nn.LSTM(2, 3, **V.VANILLA),
    "coupled": lambda: nn.LSTM(2, 3, coupled=True),
    "coupled_with_peepholes": lambda: nn.LSTM(2, 3, **V.CIFG),
    "no_input_gate": lambda: nn.LSTM(2, 3, **V.NIG),
    "no_forget_gate": lambda: nn.LSTM(2, 3, **V.NFG),
    "no_output_gate": lambda: nn.LSTM(2, 3, **V.NOG),
    "no_input_activation": lambda: nn.LSTM(2, 3, **V.NIAF),
    "no_output_activation": lambda: nn.LSTM(2, 3, **V.NOAF),
    "projection": lambda: nn.LSTM(2, 4, proj_size=3),
    "normalised": lambda: nn.LSTM(2, 3, layer_norm=True),
    "clipped": lambda: nn.LSTM(2, 3, cell_clip=3.0),
    "zoneout": lambda: nn.LSTM(2, 3, zoneout=0.1),
    "recurrent_dropout": lambda: nn.LSTM(2, 3, recurrent_dropout=0.5),
    "both_ways": lambda: nn.LSTM(2, 3, bidirectional=True),
    "gru_both_ways": lambda: nn.GRU(2, 3, bidirectional=True),
    "rnn_both_ways": lambda: nn.RNN(2, 3, bidirectional=True),
    "leaky": Leaky,
    "minimal": Minimal,
    "deep": Deep,
}
CROSSED = {"gru": 1, "gru_of_the_paper": 1, "gru_normalised": 1, "peepholes": 1, "no_input_activation": 1,
           "no_output_activation": 1, "no_output_gate": 1, "zoneout": 3, "minimal": 1}  # fmt: skip
"""How often lines within a step cross that have nothing to do with each other, where that cannot be avoided."""


def run(name: str, steps: int = 3) -> tg.Tape:
    tg.manual_seed(0)
    model = MODELS[name]()
    with tg.Tape() as tape:
        model(sequence(steps))
    return tape


def sequence(steps: int, requires_grad: bool = False) -> tg.Tensor:
    x = [[[0.25 * t - 0.5, 1.0 - 0.5 * t]] for t in range(steps)]
    return tg.asarray(x, dtype="float32", requires_grad=requires_grad)


def trained(name: str, steps: int = 3) -> tg.Tape:
    """Return a tape with a sweep on it."""
    tg.manual_seed(0)
    model = MODELS[name]()
    with tg.Tape() as tape:
        result = model(sequence(steps, requires_grad=True))
        output = result[0] if isinstance(result, tuple) else result
        ((output - 1.0) ** 2).sum().named("L").backward()
    return tape


def last_step(steps: int = 3, kind: type[nn.Module] = nn.LSTM) -> tg.Tape:
    tg.manual_seed(0)
    model, x = kind(2, 3), sequence(steps, requires_grad=True)
    with tg.Tape() as tape:
        output, _ = model(x)
        ((output[-1] - tg.asarray([[0.5, -1.0, 1.0]]).named("y")) ** 2).sum().named("L").backward()
    return tape


def at_every_step(how: str, cell: nn.Module | None = None, steps: int = 3) -> tg.Tape:
    tg.manual_seed(0)
    cell, head = nn.LSTMCell(2, 3) if cell is None else cell, nn.Linear(3, 1)
    losses: list[tg.Tensor] = []
    with tg.Tape() as tape:
        state: Any = None
        for x in sequence(steps):
            state = cell(x.named("x"), state)
            h = state[0] if isinstance(state, tuple) else state
            losses.append(tg.mse_loss(head(h), tg.asarray([[0.5]]).named("y")).named("loss"))
            if how == "running" and len(losses) > 1:
                losses[-1] = losses[-2] + losses[-1]
        if how == "sum":
            sum(losses, start=0)
        elif how == "mean":
            tg.stack(losses).mean().named("L")
    return tape


def scores(kind: type[nn.Module], **options: Any) -> tg.Tape:
    tg.manual_seed(0)
    model = kind(2, 3, **options)
    head = nn.Linear(6 if options.get("bidirectional") else 3, 4)
    with tg.Tape() as tape:
        output, _ = model(sequence(3))
        tg.cross_entropy(head(output).reshape(3, 4), tg.asarray([1, 2, 3])).named("loss")
    return tape


def cut() -> tg.Tape:
    tg.manual_seed(0)
    cell = nn.LSTMCell(2, 3)
    with tg.Tape() as tape:
        state = None
        for t, x in enumerate(sequence(4)):
            state = cell(x.named("x"), state)
            state = nn.detach(state) if t == 1 else state
    return tape


def embedded() -> tg.Tape:
    tg.manual_seed(0)
    embedding, lstm, head = nn.Embedding(5, 2), nn.LSTM(2, 3), nn.Linear(3, 5)
    with tg.Tape() as tape:
        output, _ = lstm(embedding(tg.asarray([[0], [3], [1]])))
        tg.cross_entropy(head(output).reshape(3, 5), tg.asarray([3, 1, 4])).named("loss")
    return tape


AROUND: dict[str, Callable[[], tg.Tape]] = {
    "running": lambda: at_every_step("running"),
    "sum": lambda: at_every_step("sum"),
    "mean": lambda: at_every_step("mean"),
    "grus": lambda: at_every_step("running", nn.GRUCell(2, 3)),
    "alone": lambda: at_every_step("alone"),
    "one_step": lambda: at_every_step("running", steps=1),
    "last": last_step,
    "last_of_one": lambda: last_step(1),
    "last_gru": lambda: last_step(3, nn.GRU),
    "scores": lambda: scores(nn.LSTM),
    "two_layers": lambda: scores(nn.LSTM, num_layers=2),
    "scores_both_ways": lambda: scores(nn.LSTM, bidirectional=True),
    "grus_both_ways": lambda: scores(nn.GRU, bidirectional=True),
    "cut": cut,
    "embedded": embedded,
}
every_model = pytest.mark.parametrize("name", MODELS)
everything_around = pytest.mark.parametrize("name", AROUND)


def found_in(tape: tg.Tape) -> tuple[Graph, Unrolled | None]:
    graph = gate_level(with_steps(read(tape)))
    return graph, unrolled(graph)


# The picture as it is written


class Node(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    is_point: bool


class Segment(NamedTuple):
    """A straight part of a line; ``net`` is what it carries."""

    start: tuple[float, float]
    end: tuple[float, float]
    net: tuple[str, ...]
    classes: tuple[str, ...]
    nodes: tuple[str, str]

    @property
    def is_level(self) -> bool:
        return abs(self.start[1] - self.end[1]) < 0.1


def attribute(text: str, name: str) -> str:
    match = re.search(rf'\b{name}="?([^" \]]*)', text)
    return match[1] if match else ""


def nodes_of(text: str) -> dict[str, Node]:
    nodes = {}
    for name, look in re.findall(r'^ *"([^"]+)" \[(.*)\];$', text, re.MULTILINE):
        x, y = re.findall(r'pos="(-?[\d.]+),(-?[\d.]+)"', look)[0]
        is_point = look.startswith('shape="point"')
        size = (0.0, 0.0) if is_point else tuple(72 * float(attribute(look, side)) for side in ("width", "height"))
        nodes[name] = Node(float(x), float(y), *size, is_point)
    return nodes


def segments_of(text: str) -> list[Segment]:
    segments = []
    for tail, head, look in re.findall(r'^ *"([^"]+)" -> "([^"]+)" \[(.*)\];$', text, re.MULTILINE):
        classes = tuple(re.findall(r'class="([^"]*)"', look)[0].split())
        if "fwd" in classes:
            way = re.findall(r'pos="([^"]*)"', look)[0]
            places = [tuple(map(float, place.split(","))) for place in way.split() if place[0] not in "se"]
            tips = {mark: tuple(map(float, place.split(","))) for mark, place in re.findall(r"([se]),(\S+)", way)}
            corners = places[::3]
            corners[0], corners[-1] = tips.get("s", corners[0]), tips.get("e", corners[-1])
            net = tuple(name for name in classes if name.startswith("from-"))
            for start, end in itertools.pairwise(corners):
                segments.append(Segment(start, end, net, classes, (tail, head)))
    return segments


def check_geometry(text: str) -> int:
    """Check that lines are level or upright, and run neither into marks nor along one another; count crossings."""
    nodes, segments = nodes_of(text), segments_of(text)
    for segment in segments:
        (x, y), (x_end, y_end) = segment.start, segment.end
        assert min(abs(x - x_end), abs(y - y_end)) < 0.1
        for name, node in nodes.items():
            if not node.is_point and name not in segment.nodes:
                apart_x = max(min(x, x_end) - node.x, node.x - max(x, x_end)) - node.width / 2
                apart_y = max(min(y, y_end) - node.y, node.y - max(y, y_end)) - node.height / 2
                assert max(apart_x, apart_y) > 1.0, (segment, name)
    crossings = 0
    for one, other in itertools.combinations(segments, 2):
        if set(one.net) & set(other.net) or not (one.net and other.net):
            continue
        if one.is_level == other.is_level:
            across, along = (1, 0) if one.is_level else (0, 1)
            spans = [sorted((segment.start[along], segment.end[along])) for segment in (one, other)]
            overlap = min(spans[0][1], spans[1][1]) - max(spans[0][0], spans[1][0])
            assert overlap < 0.5 or abs(one.start[across] - other.start[across]) > 3.0, (one, other)
        else:
            level, upright = (one, other) if one.is_level else (other, one)
            inside_x = sorted((level.start[0], level.end[0], upright.start[0]))[1] == upright.start[0]
            inside_y = sorted((upright.start[1], upright.end[1], level.start[1]))[1] == level.start[1]
            at_end = any(math.dist(a, b) < 1.0 for a in (one.start, one.end) for b in (other.start, other.end))
            crossings += inside_x and inside_y and not at_end
    for one, other in itertools.combinations([node for node in nodes.values() if not node.is_point], 2):
        apart = max(abs(one.x - other.x) - (one.width + other.width) / 2,
                    abs(one.y - other.y) - (one.height + other.height) / 2)  # fmt: skip
        assert apart > 2.0, (one, other)
    return crossings


def uses_drawn(text: str) -> set[tuple[int, int]]:
    """Return the uses that the lines of a picture stand for."""
    pairs = set()
    for classes in re.findall(r'class="(fwd [^"]*)"', text):
        targets = re.findall(r"to-n(\d+)", classes)
        pairs |= {(int(source), int(target)) for source in re.findall(r"from-n(\d+)", classes) for target in targets}
    return pairs


# Recurrences found


@every_model
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_any_recurrence_is_in_lanes_its_lines_level_and_apart(name: str, steps: int) -> None:
    tape = run(name, steps)
    graph, found = found_in(tape)
    if name == "minimal" and steps == 1:  # what a state is, one step alone tells by its name
        assert found is None
        return
    assert found is not None
    text = to_dot(tape, level="gate", limit=10**6)
    assert 'layout="nop2"' in text
    check_geometry(text)
    numbers = {mark.id for mark in graph if mark.is_number}
    assert uses_drawn(text) == {(edge.source, edge.target) for edge in graph.edges if edge.source not in numbers}
