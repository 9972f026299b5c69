"""Pictures on their way out: by whichever Graphviz there is, as files and pages, in notebooks and from the shell."""

from __future__ import annotations

import re
import shutil
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.graph import RenderError, draw, to_dot
from tinygrad_lstm.graph import render as rendering
from tinygrad_lstm.graph.notebook import LINES, MOST
from tinygrad_lstm.graph.source import Picture

SVG = "{http://www.w3.org/2000/svg}"

NASTY = (
    'a"b', "a\\", "\\N \\G", "<b>x</b>", "&amp;", "a & b", "a\nb", "a\r\n", "\x00\x07", "</TABLE>", "é漢😀", "\ud800",
    "\ufffe", "\u2028", '"];}', "->", "'", "&#0;", "&bogus;", "]]>", "<!--", "-->",
    "</script><script>alert(1)</script>", "</title>", "</text>", "*/", "ab" * 50, "", " ",
)  # fmt: skip


def lstm(steps: int = 2) -> tg.Tape:
    model = nn.LSTM(2, 3)
    with tg.Tape() as tape:
        model(tg.ones((steps, 1, 2)))
    return tape


def square(name: str = "x") -> tg.Tensor:
    x = tg.asarray([1.0, 2.0], requires_grad=True).named(name)
    return (x * x).sum().named("y")


def named(name: str) -> tg.Tape:
    """Return a tape on which everything is called the same."""
    op = tg.unary(f"op{name}", lambda x: +x, lambda g: g)
    p = tg.asarray([1.0, 2.0], requires_grad=True).named(name)
    with tg.Tape() as tape, tg.scope(name):
        op(p * tg.ones((2,)).named(name)).named(name).sum().named(name).backward()
    return tape


@pytest.fixture(autouse=True)
def _graphviz_has_nothing_to_say(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Fail a test in which Graphviz has complained."""
    yield
    assert "Warning:" not in capfd.readouterr().err


@pytest.fixture
def graphviz() -> None:
    """Skip where there is nothing to draw with."""
    if shutil.which("dot") is None:
        pytest.importorskip("pygraphviz")


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw by pygraphviz's libraries though there be a program."""
    pytest.importorskip("pygraphviz")
    monkeypatch.setattr(rendering.shutil, "which", lambda program: None)


@pytest.fixture
def no_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide every Graphviz."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


# What Graphviz makes


def test_an_svg_stands_alone_and_says_what_it_shows(graphviz: None) -> None:
    text = draw(lstm(), title="A & B").pipe("svg").decode()
    root = ElementTree.fromstring(text)
    title, description = root[0], root[1]
    assert (title.tag, title.text) == (f"{SVG}title", "A & B")
    assert description.tag == f"{SVG}desc"
    assert description.text == "18 ops, from x, h, c to h: 6 sigmoid, 6 multiply, 4 tanh, 2 add"
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"].split() == [title.attrib["id"], description.attrib["id"]]
    addresses = set(re.findall(r"\w+://[^\"'\s]*", text))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert "DOCTYPE" not in text
    assert "href" not in text


@pytest.mark.parametrize("make", [lstm, lambda: lstm(1), square], ids=["lstm", "one step", "square"])
@pytest.mark.parametrize("level", ["op", "gate"])
def test_ids_are_unique(make: Callable[[], tg.Tape], level: str, graphviz: None) -> None:
    root = ElementTree.fromstring(draw(make(), level=level).pipe("svg"))
    counts = Counter(element.attrib["id"] for element in root.iter() if "id" in element.attrib)
    assert set(counts.values()) == {1}


def test_the_mouse_is_told_of_marks_and_not_of_graphviz_names(graphviz: None) -> None:
    root = ElementTree.fromstring(draw(square(), title="T").pipe("svg"))
    titles = [element.text for element in root.iter(f"{SVG}title")]
    assert titles[0] == "T"
    assert any(title and title.startswith("y\nsum, scalar") for title in titles)
    assert not [title for title in titles if re.fullmatch(r"n\d+(->n\d+)?", title or "")]


@pytest.mark.parametrize("name", NASTY, ids=ascii)
def test_the_title_of_an_svg_can_be_any_text(name: str, graphviz: None) -> None:
    root = ElementTree.fromstring(rendering.render("digraph {}", "svg", title=name, description=name))
    assert len(root) == 3
    ElementTree.fromstring(draw(named(name), title=name, theme="auto").pipe("svg"))


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
def test_a_picture_has_the_theme_that_was_asked_for(theme: str, graphviz: None) -> None:
    svg = draw(square(), theme=theme).pipe("svg", encoding="utf-8")
    assert ('fill="#14171c"' in svg) == (theme == "dark")
    assert ("prefers-color-scheme" in svg) == (theme == "auto")


def test_large_pictures_are_drawn_in_a_process_of_their_own_and_come_out_the_same(
    libraries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = to_dot(lstm())
    here = {form: rendering.render(text, form) for form in ("svg", "png")}
    monkeypatch.setattr(rendering, "QUICK", 0)
    assert {form: rendering.render(text, form) for form in ("svg", "png")} == here


def test_what_takes_too_long_is_stopped(libraries: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rendering, "QUICK", 0)
    monkeypatch.setattr(rendering, "TIME_LIMIT", 0.01)
    with pytest.raises(RenderError, match=r"not done after 0\.01 seconds.*y\.dot"):
        draw(square(), tmp_path / "y.svg")
    assert (tmp_path / "y.dot").exists()


def test_what_nobody_could_read_is_refused_and_the_source_is_written(tmp_path: Path) -> None:
    x = tg.asarray(1.0, requires_grad=True)
    with tg.Tape() as tape:
        for _ in range(1600):
            x = tg.tanh(x)
    with pytest.raises(RenderError, match=r"1,601 marks, and more than 1,500 .*y\.dot"):
        draw(tape, tmp_path / "y.svg", limit=2000)
    assert (tmp_path / "y.dot").read_text().count("->") == 1600


BROKEN = {
    "mismatched tag": "digraph { n1 [label=<<B>x</I>>]; }",
    "syntax error": "digraph { n1 -> ",
}


@pytest.mark.parametrize("quick", [600, 0], ids=["here", "in a process"])
@pytest.mark.parametrize("reason", BROKEN)
def test_what_graphviz_only_prints_is_an_error(
    reason: str, quick: int, libraries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "QUICK", quick)
    with pytest.raises(RenderError, match=f"Graphviz failed: Error: {reason}") as raised:
        rendering.render(BROKEN[reason] + "\n", "svg")
    assert "\n" not in str(raised.value)


def test_what_graphviz_remarks_is_passed_on(libraries: None, capfd: pytest.CaptureFixture[str]) -> None:
    rendering.render("digraph { n1 [shape=nosuch]; }", "svg")
    assert capfd.readouterr().err == "Warning: using box for unknown shape nosuch\n"


# The picture as a value


def test_draw_is_there_without_having_been_imported() -> None:
    assert tg.draw is draw
    assert "draw" in dir(tg)
    assert "draw" in tg.__all__
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        tg.paint  # noqa: B018


def test_a_picture_is_its_source_as_a_string_and_can_be_copied(graphviz: None) -> None:
    picture = draw(square(), title="T", theme="auto")
    assert str(picture) == picture.source == to_dot(square(), title="T", theme="auto")
    again = picture.copy()
    assert type(again) is Picture
    assert repr(again) == repr(picture) == "<Picture: T, 2 ops, from x to y: multiply, sum>"
    assert again.pipe("svg") == picture.pipe("svg")


def test_a_picture_goes_on_to_what_people_know_of_the_package_graphviz(graphviz: None) -> None:
    picture = draw(square())
    assert picture.pipe("png").startswith(b"\x89PNG")
    assert picture.pipe().startswith(b"%PDF")
    assert picture.pipe("svg", encoding="utf-8").startswith("<?xml")
    assert set(picture._repr_mimebundle_(["image/png"])) == {"image/png", "text/plain"}


# In a notebook


def test_a_tape_and_a_tensor_with_a_history_show_themselves(graphviz: None) -> None:
    with tg.Tape() as tape:
        y = square()
    for thing, text in ((tape, str(tape)), (y, repr(y))):
        bundle = thing._repr_mimebundle_(include=None, exclude=None)
        assert set(bundle) == {"image/svg+xml", "text/plain"}
        assert "prefers-color-scheme" in bundle["image/svg+xml"]
        assert bundle["text/plain"] == text
        assert set(thing._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
        assert set(thing._repr_mimebundle_(exclude=["image/svg+xml"])) == {"text/plain"}


def test_what_has_no_history_is_a_text() -> None:
    leaf = tg.asarray([1.0], requires_grad=True)
    for tensor in (tg.ones((2,)), leaf):
        assert tensor._repr_mimebundle_() == {"text/plain": repr(tensor)}
    assert tg.Tape()._repr_mimebundle_() == {"text/plain": str(tg.Tape())}


def test_what_is_very_large_is_a_text_and_a_long_table_is_cut() -> None:
    x = tg.asarray(1.0, requires_grad=True)
    with tg.Tape() as tape:
        y = x
        for _ in range(MOST + 1):
            y = y * 1.0
    assert set(y._repr_mimebundle_()) == {"text/plain"}
    (text,) = tape._repr_mimebundle_().values()
    assert len(text.splitlines()) == LINES + 1
    assert text.endswith(f"… {MOST + 2 - LINES:,} more lines")


def test_nothing_is_raised_where_graphviz_is_missing(no_graphviz: None) -> None:
    y = square()
    assert y._repr_mimebundle_() == {"text/plain": repr(y)}
    text = y.node and draw(y)._repr_mimebundle_()["text/plain"]
    assert "found neither Graphviz's program dot nor pygraphviz" in text


def test_in_a_terminal_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = types.SimpleNamespace(display_formatter=types.SimpleNamespace(active_types=["text/plain"]))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert set(square()._repr_mimebundle_()) == {"text/plain"}


def test_a_module_shows_a_table_of_what_is_in_it() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 3), tg.tanh), nn.Linear(3, 1))
    bundle = model._repr_mimebundle_(include=None, exclude=None)
    table = ElementTree.fromstring(bundle["text/html"].replace("<br>", "<br/>"))
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    assert rows == [
        ["module", "class", "parameters", "numbers"],
        ["", "Sequential", "", "13"],
        ["0", "Sequential", "", "9"],
        ["0", "Linear", "weight 3×2bias 3", "9"],
        ["1", "Linear", "weight 1×3bias 1", "4"],
    ]
    assert [line.split()[0] for line in bundle["text/plain"].splitlines()] == ["module", "Sequential", "0", "0.0", "1"]


@pytest.mark.parametrize("name", NASTY, ids=ascii)
def test_modules_and_parameters_can_have_any_name(name: str) -> None:
    kind = type(name.replace("\x00", "").encode("utf-8", "replace").decode(), (nn.Module,), {})
    model = kind()
    vars(model)[name] = nn.Linear(1, 1)
    vars(vars(model)[name])[name] = nn.Parameter(1.0)
    html = model._repr_mimebundle_()["text/html"]
    assert set(re.findall(r"</?(\w+)", html)) == {"table", "thead", "tbody", "tr", "th", "td", "br", "code"}


def test_a_module_that_stands_in_two_places_has_one_line_and_shared_numbers_count_once() -> None:
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, layer)
    assert len(model._repr_mimebundle_()["text/plain"].splitlines()) == 3
    assert model._repr_mimebundle_()["text/plain"].splitlines()[1].endswith(" 6")
