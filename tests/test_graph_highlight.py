"""Some of a picture lit and the rest pale: what names mean, which lines come along, and that nothing moves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import cli, nn
from tinygrad_lstm.graph import to_dot
from tinygrad_lstm.graph.palette import COLOURS

STATEMENT = re.compile(r'^ *"([^"]*)"(?: -> "([^"]*)")? \[(.*)\];$', re.MULTILINE)


def recurrence(steps: int = 1, kind: str = "LSTM") -> tg.Tape:
    layer = getattr(nn, kind)(2, 3)
    with tg.Tape() as tape:
        outputs, _ = layer(tg.randn(steps, 1, 2))
        tg.square(outputs[-1]).mean().named("loss").backward()
    return tape


def model() -> tg.Tape:
    with tg.Tape() as tape:
        nn.Sequential(nn.Embedding(5, 2), nn.LSTM(2, 3), lambda found: found[0], nn.Linear(3, 5))(
            tg.asarray([[0], [3]])
        )
    return tape


def called(text: str) -> dict[str, str]:
    """Return what marks are called, by their nodes."""
    looks = {node: look for node, head, look in STATEMENT.findall(text) if node[0] == "n" and not head}
    return {node: tip[1] for node, look in looks.items() if (tip := re.search(r'tooltip="(.*?)(?:\\n|")', look))}


def lit(text: str) -> set[str]:
    """Return what the lit marks of a picture are called."""
    pale = {node for node, head, look in STATEMENT.findall(text) if not head and " pale" in look}
    return {title for node, title in called(text).items() if node not in pale}


def lines(text: str, which: str = "fwd") -> set[tuple[str, str]]:
    """Return from which marks lit lines come, and to which they lead, or "" if that is a point of other lines."""
    found = set()
    for _, head, look in STATEMENT.findall(text):
        classes = re.search(r'class="([^"]*)"', look)
        words = classes[1].split() if head and classes else []
        if which in words and "pale" not in words:
            ends = [called(text)[word.removeprefix("to-")] for word in words if word.startswith("to-")]
            starts = [called(text)[word.removeprefix("from-")] for word in words if word.startswith("from-")]
            found |= {(start, end) for start in starts for end in ends or [""]}
    return found


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (("x₁", "h₀", "f₁", "c₀"), {"multiply"}),
        (("x₁", "h₀", "i₁", "g₁"), {"multiply"}),
        (("c₀", "f₁", "i₁", "g₁", "c₁"), {"multiply"}),
        (("x₁", "h₀", "o₁", "c₁", "tanh", "h₁"), set()),
        (("c₀", "c₁"), {"multiply"}),
        (("tanh",), set()),
    ],
)
def test_what_is_named_is_lit_with_what_joins_it(names: tuple[str, ...], others: set[str]) -> None:
    assert lit(to_dot(recurrence(), level="gate", highlight=names)) == {*names, *others}


def test_the_cell_state_alone_is_the_belt_from_end_to_end() -> None:
    tape = recurrence(3)
    text = to_dot(tape, level="gate", highlight="c")
    assert lit(text) == {"c₀", "c₁", "c₂", "c₃", "multiply"}
    belts = [look for _, head, look in STATEMENT.findall(text) if head and "belt" in look and "down" not in look]
    assert sum("pale" not in look for look in belts) >= 9
    assert to_dot(tape, level="gate", highlight=("c",)) == text


def test_a_line_is_lit_from_a_lit_mark_to_another_and_no_further() -> None:
    tape = recurrence(2)
    assert {("h₀", "f₁"), ("h₀", "")} <= lines(to_dot(tape, level="gate", highlight=("h₀", "f₁")))
    assert not {("h₀", "i₁"), ("c₁", "c₁")} & lines(to_dot(tape, level="gate", highlight=("h₀", "f₁")))
    assert lines(to_dot(tape, level="gate", highlight=("f₁", "o₁"))) == set()


@pytest.mark.parametrize("name", ["f₂", "t=2/f", "l0/t=2/f"])
def test_a_mark_has_many_names(name: str) -> None:
    tape = recurrence(3)
    assert lit(to_dot(tape, level="gate", highlight=name)) == {"f₂"}
    everywhere = [to_dot(tape, level="gate", highlight=same) for same in ("f", "forget")]
    assert everywhere[0] == everywhere[1]
    assert lit(everywhere[0]) == {"f₁", "f₂", "f₃"}


def test_a_scope_is_lit_at_every_level() -> None:
    tape = model()
    modules = to_dot(tape, level="module", highlight=("0", "1"))
    assert lit(modules) == {"Sequential/0", "Sequential/1"}
    assert len(lines(modules)) == 1
    assert lit(to_dot(tape, level="cell", highlight="t=2")) == {"Sequential/1/l0/t=2", "x₂", "c₂", "h₂"}
    assert {"f₂", "c₂"} < lit(to_dot(tape, level="gate", highlight="t=2"))
    assert not {"f₁", "c₁"} & lit(to_dot(tape, level="gate", highlight="t=2"))
    assert {"f", "sigmoid"} & {title.strip("₁₂") for title in lit(to_dot(tape, level="op", highlight="1"))}


def test_a_mark_that_holds_what_is_named_is_lit() -> None:
    assert lit(to_dot(recurrence(2), level="cell", highlight="forget")) == {"LSTM/l0/t=1", "LSTM/l0/t=2"}
    assert lit(to_dot(model(), level="module", highlight="f")) == {"Sequential/1"}


def test_gradients_come_back_on_lit_lines() -> None:
    tape = recurrence(2)
    text = to_dot(tape, level="gate", direction="both", highlight="c")
    assert len(lines(text)) > 2
    back = lines(to_dot(tape, level="gate", direction="backward", highlight="c"), "bwd")
    for found in (lines(text, "bwd"), back):
        assert {start for start, _ in found} == {"c₁", "c₂", "multiply"}


PICTURES: dict[str, tuple[Callable[[], tg.Tape], dict[str, Any], str]] = {
    "gates": (lambda: recurrence(2), {"level": "gate"}, "h"),
    "gates, values": (
        lambda: recurrence(2),
        {"level": "gate", "values": True, "grads": True, "direction": "both"},
        "h",
    ),
    "rolled": (lambda: recurrence(3), {"rolled": True}, "c"),
    "cells": (lambda: recurrence(3), {"level": "cell", "direction": "both"}, "c"),
    "rolled cells": (lambda: recurrence(3), {"level": "cell", "rolled": True}, "h"),
    "ops": (lambda: recurrence(1, "GRU"), {"level": "op", "weights": "once"}, "r"),
    "modules": (model, {"level": "module"}, "1"),
    "expression": (lambda: recurrence(1, "RNN"), {"level": "op", "values": True}, "loss"),
}


@pytest.mark.parametrize(("thing", "options", "name"), PICTURES.values(), ids=PICTURES)
def test_nothing_moves_and_nothing_is_lost(
    thing: Callable[[], tg.Tape],
    options: dict[str, Any],
    name: str,
    svg: Callable[[str], ElementTree.Element],
) -> None:
    tape = thing()
    plain, some = to_dot(tape, **options), to_dot(tape, **options, highlight=name)
    assert 0 < some.count(" [") == plain.count(" [")
    assert " pale" in some
    assert lit(some)
    boxes = [svg(text).attrib["viewBox"] for text in (plain, some)]
    assert boxes[0] == boxes[1]


def test_pale_things_have_the_colours_of_the_theme(svg: Callable[[str], ElementTree.Element]) -> None:
    tape = recurrence()
    light, dark = (to_dot(tape, level="gate", highlight="c", theme=theme) for theme in ("light", "dark"))
    assert f'color="{COLOURS["h"]}33"' in light
    assert COLOURS["h"] not in dark
    assert svg(dark).find(".//*[@fill-opacity]") is not None


def test_a_name_of_nothing_is_refused_with_some_that_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"draw: got highlight='q', wanted the name of a mark, .* such as c, .*, forget, "
    ):
        to_dot(recurrence(), highlight=("c", "q"))


def test_the_command_lights_what_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "belt.dot"
    assert cli.main(["draw", "lstm", "--highlight", "c", "--highlight", "f", "-o", str(file)]) == 0
    assert {"c₁", "f₁"} < lit(file.read_text())
    assert "h₁" not in lit(file.read_text())
    assert cli.main(["draw", "lstm", "--highlight", "q", "-o", str(file)]) == 2
    assert "highlight='q'" in capsys.readouterr().err
