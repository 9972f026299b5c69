"""Pictures on their way out: by whichever Graphviz there is, as files and pages, in notebooks and from the shell."""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy
import pytest
from browser import Browser, browser, program

import tinygrad_lstm as tg
from tinygrad_lstm import charlm, data, nn
from tinygrad_lstm.cli import main
from tinygrad_lstm.graph import RenderError, draw, to_dot
from tinygrad_lstm.graph.layout import laid_out
from tinygrad_lstm.graph.looks.dot import clean
from tinygrad_lstm.graph.looks.equations import BACKWARD
from tinygrad_lstm.graph.output import render as rendering
from tinygrad_lstm.graph.output.notebook import LINES, MOST
from tinygrad_lstm.graph.output.source import Picture
from tinygrad_lstm.graph.view import View

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


def test_what_graphviz_remarks_is_passed_on(
    libraries: None, remarks: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    rendering.render("digraph { n1 [shape=nosuch]; }", "svg")
    assert capfd.readouterr().err == "Warning: using box for unknown shape nosuch\n"
    assert remarks == ["Warning: using box for unknown shape nosuch"]
    remarks.clear()


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


def test_other_formats_are_made_by_the_program_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "dot").write_text(f"#!{sys.executable}\nimport sys; sys.stdin.read(); print(*sys.argv[1:])")
    (tmp_path / "dot").chmod(0o700)
    assert draw(square()).pipe("jpeg", encoding="utf-8").split() == ["-Kdot", "-Tjpeg"]


def test_a_failed_picture_does_not_write_over_anything(no_graphviz: None, tmp_path: Path) -> None:
    (tmp_path / "y.dot").write_text("mine")
    with pytest.raises(
        RenderError, match=r"The source of y\.svg is not written, for there is another .*y\.dot already"
    ):
        draw(square(), tmp_path / "y.svg")
    assert (tmp_path / "y.dot").read_text() == "mine"
    for _ in range(2):
        with pytest.raises(RenderError, match=r"The source of z\.svg is in .*z\.dot\.$"):
            draw(square(), tmp_path / "z.svg")
    assert (tmp_path / "z.dot").read_text(encoding="utf-8") == to_dot(square())


def test_all_files_are_tried_and_each_that_failed_is_named(no_graphviz: None, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.png", "b.html", "c.dot")]
    with pytest.raises(RenderError) as raised:
        draw(square(), *files)
    assert str(raised.value).count("pip install pygraphviz") == 1
    assert re.findall(r"The source of (\S+) is in \S*?(\w\.dot)\.", str(raised.value)) == [
        ("a.png", "a.dot"), ("b.html", "b.dot")
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dot", "b.dot", "c.dot"]


def test_a_pdf_is_the_same_whenever_it_is_drawn(graphviz: None) -> None:
    content = draw(square()).pipe("pdf")
    assert content.startswith(b"%PDF")
    assert b"CreationDate" not in content


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


def test_what_is_small_shows_its_numbers_in_a_notebook(graphviz: None) -> None:
    small, large = expression()._repr_mimebundle_(), lstm(3)._repr_mimebundle_()
    assert "−6.00" in small["image/svg+xml"]
    assert "∂L/∂this" in small["image/svg+xml"]
    assert "−1" not in large["image/svg+xml"]


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
    layer = nn.Linear(1, 1)
    setattr(model, name, layer)
    setattr(layer, name, nn.Parameter(1.0))
    table = model._repr_mimebundle_()["text/html"]
    assert set(re.findall(r"</?(\w+)", table)) == {"table", "thead", "tbody", "tr", "th", "td", "br", "code"}


def test_a_module_that_stands_in_two_places_has_one_line_and_shared_numbers_count_once() -> None:
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, layer)
    assert len(model._repr_mimebundle_()["text/plain"].splitlines()) == 3
    assert model._repr_mimebundle_()["text/plain"].splitlines()[1].endswith(" 6")


# A page that goes through a computation


def trained(kind: Callable[[int, int], nn.Module] = nn.LSTM, steps: int = 2) -> tg.Tape:
    model = kind(2, 3)
    with tg.Tape() as tape:
        outputs, _ = model(tg.randn(steps, 1, 2).named("x"))
        tg.mse_loss(outputs[-1], tg.zeros((1, 3)).named("target")).named("loss").backward()
    return tape


def expression() -> tg.Tape:
    a, b = (tg.asarray(v, requires_grad=True).named(n) for n, v in (("a", 2.0), ("b", -3.0)))
    with tg.Tape() as tape:
        e = (a * b).named("e")
        (e * tg.tanh(e)).named("L").backward()
    return tape


class Reader(HTMLParser):
    """Reads a page: its tags with their attributes, and the text of each kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        self._open = dict(attributes).get("id") or tag

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data


def story(page: Path) -> Any:
    return json.loads(Reader(page.read_text(encoding="utf-8")).texts["story"])


def test_a_page_stands_alone(tmp_path: Path, graphviz: None) -> None:
    draw(trained(), tmp_path / "y.html", theme="auto")
    text = (tmp_path / "y.html").read_text(encoding="utf-8")
    assert set(re.findall(r"\w+://[^\"'\s]*", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\bsrc\b|\bhref\b|srcset|@import|url\(", text)
    counts = Counter(attributes["id"] for _, attributes in Reader(text).tags if "id" in attributes)
    assert set(counts.values()) == {1}


@pytest.mark.parametrize("make", [trained, lambda: trained(nn.GRU), expression], ids=["lstm", "gru", "expression"])
def test_a_page_tells_the_whole_story(make: Callable[[], tg.Tape], tmp_path: Path, graphviz: None) -> None:
    tape = make()
    draw(tape, tmp_path / "y.html")
    told = story(tmp_path / "y.html")
    graph = laid_out(tape, View()).graph
    computed = [mark.id for mark in graph if not mark.stored]
    phases = [step["phase"] for step in told["steps"]]
    assert phases == sorted(phases, key=["start", "forward", "seed", "backward"].index)
    assert [step["mark"] for step in told["steps"] if step["phase"] == "forward"] == computed
    back = [step["mark"] for step in told["steps"] if step["phase"] == "backward"]
    assert back == [id for id in reversed(computed) if id in back]
    assert len(back) > len(computed) // 2
    whole = [id for step in told["steps"] for id in step.get("whole", [])]
    assert len(whole) == len(set(whole))
    known = {mark.id for mark in graph if mark.grad is not None}
    assert set(whole) == {id for id in known if str(id) in told["marks"]}
    seen = set()
    for step in told["steps"]:
        seen |= set(step.get("whole", []))
        assert step["phase"] != "backward" or step["mark"] in seen


def test_a_page_has_the_numbers_the_equations_and_the_lines_of_the_program(tmp_path: Path, graphviz: None) -> None:
    draw(expression(), tmp_path / "y.html", title="T")
    told = story(tmp_path / "y.html")
    by_name = {"".join(mark["name"]): mark for mark in told["marks"].values()}
    assert by_name["e"]["value"] == {"size": "", "rows": [["−6"]]}
    assert (
        by_name["e"]["line"]
        == "test_graph_output.py:" + by_name["e"]["line"].split(":")[1] + ': e = (a * b).named("e")'
    )
    equations = ["".join(line) for step in told["steps"] for line in step.get("equations", [])]
    assert equations == [
        "e = a·b", "v₂ = tanh(e)", "L = e·v₂",
        "∂L = 1", "∂e += ∂L ⊙ v₂", "∂v₂ += ∂L ⊙ e", "∂e += ∂v₂ ⊙ (1 − v₂ ⊙ v₂)", "∂a += ∂e ⊙ b", "∂b += ∂e ⊙ a",
    ]  # fmt: skip
    last = told["steps"][-1]
    assert [share["rows"] for _, share in last["shares"]] == [[["3"]], [["−2"]]]


@pytest.mark.parametrize("make", [lambda: trained(steps=3), lambda: trained(nn.GRU, 3)], ids=["lstm", "gru"])
def test_the_shares_of_a_gradient_add_up_to_it(make: Callable[[], tg.Tape], tmp_path: Path, graphviz: None) -> None:
    draw(make(), tmp_path / "y.html")
    told = story(tmp_path / "y.html")
    shares: dict[int, list[Any]] = {}
    for step in told["steps"]:
        for source, share in step.get("shares", []):
            shares.setdefault(source, []).append(read(share["rows"]))
    assert max(map(len, shares.values())) > 3
    for source, sent in shares.items():
        whole = read(told["marks"][str(source)]["grad"]["rows"])
        numpy.testing.assert_allclose(sum(sent), whole, rtol=1e-2, atol=1e-6)


def read(rows: list[list[str]]) -> numpy.ndarray:
    """Return the numbers of a table on a page."""
    return numpy.asarray([[float(text.replace("−", "-")) for text in row] for row in rows])


def test_a_share_that_is_not_known_has_no_number_before_the_whole(tmp_path: Path, graphviz: None) -> None:
    draw(trained(lambda *sizes: nn.LSTM(*sizes, layer_norm=True)), tmp_path / "y.html")
    told = story(tmp_path / "y.html")
    shares = [share for step in told["steps"] for share in step.get("shares", [])]
    unknown = {source for source, share in shares if share is None}
    assert ["".join(told["marks"][str(source)]["name"]) for source in unknown] == ["h₁"]
    assert all(told["marks"][str(source)]["grad"] for source in unknown)


def test_equations_name_folded_scopes_and_what_no_formula_is_known_of(tmp_path: Path, graphviz: None) -> None:
    halved = tg.unary("halved", lambda x: x / 2, lambda g: g / 2)
    x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    with tg.Tape() as tape:
        with tg.scope("inner"):
            y = tg.exp(tg.exp(x))
        (halved(y) + x).sum().named("L").backward()
    draw(tape, tmp_path / "y.html", fold=("inner",), level="op")
    steps = story(tmp_path / "y.html")["steps"]
    assert ["".join(line) for step in steps for line in step.get("equations", [])] == [
        "[inner] reads x", "v₃ from [inner]", "v₄ = v₃ + x", "L = Σ(v₄)", "∂L = 1", "∂v₄ += ∂L", "∂v₃ += ∂v₄",
        "∂x += ∂v₄", "∂[inner] += ∂v₃ · dv₃/d[inner]", "∂x += ∂[inner] · d[inner]/dx",
    ]  # fmt: skip


def test_a_page_of_what_was_not_differentiated_goes_forward_only(tmp_path: Path, graphviz: None) -> None:
    draw(lstm(), tmp_path / "y.html")
    assert {step["phase"] for step in story(tmp_path / "y.html")["steps"]} == {"start", "forward"}
    assert story(tmp_path / "y.html")["times"] == [1, 2]


def test_large_arrays_are_cut_and_odd_numbers_are_texts(tmp_path: Path, graphviz: None) -> None:
    x = tg.asarray([[float("nan"), float("inf"), -1.5], [1e-9, 0.0, 12345.0]], requires_grad=True).named("x")
    with tg.Tape() as tape:
        tg.concat([tg.reshape(x, (6,))] * 20).named("y").reshape(60, 2).named("z")
        tg.zeros((0, 3)) + x[:0]
    draw(tape, tmp_path / "y.html")
    marks = {"".join(mark["name"]): mark["value"] for mark in story(tmp_path / "y.html")["marks"].values()}
    assert marks["x"] == {"size": "2×3", "rows": [["nan", "inf", "−1.5"], ["1e−09", "0", "1.234e+04"]]}
    assert marks["y"]["size"] == "120"
    assert marks["y"]["rows"][0][-1] == "…"
    assert marks["z"]["rows"][7:] == [["−1.5", "1e−09"], ["…", "…"]]
    assert {"size": "0×3", "rows": []} in marks.values()


OPERANDS = {
    "matmul": ([[1.0, 2.0], [3.0, 5.0]], [[0.5, -1.0], [2.0, 0.3]]),
    "log": ([0.5, 2.0],),
    "sqrt": ([0.5, 2.0],),
}


@pytest.mark.parametrize("name", BACKWARD)
def test_what_a_page_says_of_derivatives_is_so(name: str) -> None:
    formulas = BACKWARD[name]
    given = OPERANDS.get(name, ([0.7, -1.5], [2.0, 0.3]))[: len(formulas)]
    operands = [tg.asarray(x, dtype="float64", requires_grad=True) for x in given]
    y = getattr(tg, name)(*operands)
    g = tg.ones(y.shape, dtype="float64") * 0.3
    gradients = tg.grad(y, operands, g)
    names = {"g": g, "y": y.detach(), **{letter: x.detach() for letter, x in zip("ab", operands, strict=False)}}
    for formula, gradient in zip(formulas, gradients, strict=True):
        assert bool(tg.all(tg.abs(eval(formula, {}, names) - gradient) < 1e-12))


@pytest.mark.parametrize("name", NASTY, ids=ascii)
def test_names_are_text_in_a_page(name: str, tmp_path: Path, graphviz: None) -> None:
    draw(named(name), tmp_path / "y.html", title=name, theme="auto")
    page = Reader((tmp_path / "y.html").read_text(encoding="utf-8"))
    plain = tmp_path / "plain.html"
    draw(named("plain"), plain, title="plain", theme="auto")
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in Reader(plain.read_text(encoding="utf-8")).tags}
    assert [tag for tag, _ in page.tags].count("script") == 2
    shown = {"".join(mark["name"]) for mark in story(tmp_path / "y.html")["marks"].values()}
    assert clean(name) in shown or not name


def test_a_page_without_graphviz_leaves_the_source(no_graphviz: None, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"pip install .* The source of y\.html is in .*y\.dot"):
        draw(expression(), tmp_path / "y.html")


# The page in a browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Give a browser, or skip where there is none."""
    if program() is None:
        pytest.skip("there is no Chromium")
    if shutil.which("dot") is None:
        pytest.importorskip("pygraphviz")
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def waiting(chromium: Browser) -> set[str]:
    return set(chromium.run("nodes.filter(n => n.classList.contains('waits')).map(n => n.dataset.mark ?? 'point')"))


def test_a_reader_goes_through_a_page(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "y.html"
    draw(trained(steps=3), file)
    steps = story(file)["steps"]
    chromium.open(file)
    computed = {str(step["mark"]) for step in steps if step["phase"] == "forward"}
    assert waiting(chromium) >= computed
    assert chromium.run("getComputedStyle(document.querySelector('.waits')).opacity") == "0.22"
    for key, place in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", len(steps) - 1), ("Home", 0)]:
        chromium.press(key)
        assert chromium.run("[place, location.hash, Number($('place').value)]") == [place, f"#{place}", place]
    chromium.press("ArrowDown")
    assert chromium.run("marks[steps[place].mark].time") == 1
    chromium.press("ArrowDown")
    assert chromium.run("marks[steps[place].mark].time") == 2
    chromium.click("#times button:nth-child(3)")
    assert chromium.run("marks[steps[place].mark].time") == 3
    chromium.click("#turn")
    assert chromium.run("[steps[place].phase, waiting = document.querySelectorAll('.node.waits').length]") == [
        "seed",
        0,
    ]
    chromium.click("#next")
    assert chromium.run("$('phase').textContent").startswith("backward")
    assert chromium.run("document.querySelectorAll('.edge.flows').length") > 0
    chromium.run("place_ = $('place'); place_.value = 5; place_.dispatchEvent(new Event('input'))")
    assert chromium.run("place") == 5
    chromium.run("location.hash = '#7'")
    assert chromium.run("new Promise(done => setTimeout(() => done(place), 50))") == 7
    assert chromium.problems == []


def test_a_page_opens_at_its_step_and_a_click_leads_to_a_mark(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "y.html"
    draw(expression(), file)
    chromium.open(file, "#2")
    assert chromium.run("$('equations').textContent") == "v₂ = tanh(e)"
    assert chromium.run("[...document.querySelectorAll('.now')].map(n => marks[n.dataset.mark].name.join(''))") == [
        "v₂"
    ]
    chromium.click("g.node#n2")
    assert chromium.run("$('equations').textContent") == "e = a·b"
    chromium.click("g.node#n0")
    assert chromium.run("$('text').textContent").startswith("Stored")
    assert chromium.run("$('numbers').textContent") == "a2"
    chromium.click("#turn")
    chromium.click("g.node#n2")
    assert chromium.run("[$('phase').textContent.split(' ')[0], $('equations').children.length]") == ["backward", 2]
    assert chromium.problems == []


def test_values_appear_when_computed_and_gradients_when_whole(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "y.html"
    draw(expression(), file)

    def visible(id: str) -> bool:
        return bool(chromium.run(f"getComputedStyle(document.getElementById('{id}')).visibility === 'visible'"))

    seen = {}
    for place in range(len(story(file)["steps"])):
        chromium.open(file, f"#{place}")
        seen[place] = [id for id in ("a_v_n0", "a_v_n3", "a_g_n2", "a_g_n0") if visible(id)]
    assert seen == {
        0: ["a_v_n0"],
        1: ["a_v_n0"],
        **{place: ["a_v_n0", "a_v_n3"] for place in range(2, 6)},
        6: ["a_v_n0", "a_v_n3", "a_g_n2"],
        7: ["a_v_n0", "a_v_n3", "a_g_n2", "a_g_n0"],
    }


def test_a_page_shows_the_parts_of_a_gradient_and_their_sum(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "y.html"
    draw(expression(), file)
    shown = []
    for place, step in enumerate(story(file)["steps"]):
        if step["phase"] == "backward":
            chromium.open(file, f"#{place}")
            names = "[...document.querySelectorAll('#numbers .name')].map(name => name.textContent).join(', ')"
            shown.append(chromium.run(names))
    assert shown == ["∂L, part of ∂e, ∂v₂", "∂v₂, part of ∂e, ∂e", "∂e, ∂a, ∂b"]


def test_a_page_plays_by_itself(chromium: Browser, tmp_path: Path) -> None:
    draw(expression(), tmp_path / "y.html")
    chromium.open(tmp_path / "y.html")
    chromium.run(
        "setInterval = (act, pause) => { window.act = act; window.pause = pause; return 1 }; clearInterval = () => 0"
    )
    chromium.press(" ")
    assert chromium.run("[$('play').textContent, pause]") == ["pause", 900]
    assert chromium.run("for (let i = 0; i < 20 && timer; i++) act(); [place, $('play').textContent]") == [7, "play"]
    chromium.click("#play")
    assert chromium.run("[place, $('play').textContent]") == [0, "pause"]


@pytest.mark.parametrize("theme", ["light", "dark", "auto"])
@pytest.mark.parametrize("preferred", ["light", "dark"])
def test_a_page_has_its_theme_or_the_readers(theme: str, preferred: str, chromium: Browser, tmp_path: Path) -> None:
    draw(expression(), tmp_path / "y.html", theme=theme)
    chromium.prefer(preferred)
    chromium.open(tmp_path / "y.html")
    dark = theme == "dark" or (theme == "auto" and preferred == "dark")
    page = chromium.run("getComputedStyle(document.body).backgroundColor")
    drawn = chromium.run("getComputedStyle(picture.querySelector('polygon')).fill")
    assert (page, drawn) == (("rgb(20, 23, 28)",) * 2 if dark else ("rgb(255, 255, 255)",) * 2)


def test_no_name_runs_or_breaks_anything(chromium: Browser, tmp_path: Path) -> None:
    for name in (*NASTY, "<img src=x onerror=alert(1)>", "javascript:alert(1)", "${alert(1)}", "{script}"):
        draw(named(name), tmp_path / "y.html", title=name)
        chromium.open(tmp_path / "y.html", "#2")
        assert chromium.run("document.title").split() == (clean(name).split() or ["A", "computation"])
        assert chromium.run("[document.images.length, document.scripts.length, steps.length > 3]") == [0, 2, True]
        chromium.press("End")
        assert chromium.problems == []


def test_an_svg_file_opens_in_a_browser(chromium: Browser, tmp_path: Path) -> None:
    draw(named("<&\"'>"), tmp_path / "y.svg", theme="auto", title="T")
    chromium.prefer("dark")
    chromium.open(tmp_path / "y.svg")
    assert chromium.run("document.documentElement.tagName") == "svg"
    assert chromium.run("getComputedStyle(document.querySelector('polygon')).fill") == "rgb(20, 23, 28)"
    assert chromium.problems == []


# From the shell

PROGRAM = """
import tinygrad_lstm as tg

def product():
    a, b = (tg.asarray([x, x], requires_grad=True).named(name) for x, name in ((1.0, "a"), (3.0, "b")))
    tg.exp(a).named("astray")
    return (a * b).sum().named("product")

def vector():
    return product() * tg.ones((2,))

def tape():
    with tg.Tape() as tape:
        product()
    return tape

def silent():
    product()

def swept():
    product().backward()

def wrong():
    x = 0
    return 1 / x

def greedy(argument):
    return argument

nothing = 3
before = product()

def old():
    return before
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with a program of somebody's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "somebodys.py").write_text(PROGRAM)
    (tmp_path / "broken.py").write_text("import nosuchmodule\n")
    (tmp_path / "failing.py").write_text("raise ValueError('not\\ntoday')\n")
    monkeypatch.delitem(sys.modules, "somebodys", raising=False)
    return tmp_path


def sources(*words: str) -> str:
    """Return the DOT text that a command writes."""
    assert main(["draw", *words, "-o", "y.dot"]) == 0
    return Path("y.dot").read_text(encoding="utf-8")


@pytest.mark.parametrize("what", ["lstm", "gru", "rnn", "LSTM"])
def test_a_layer_is_drawn_by_its_name(
    what: str, folder: Path, graphviz: None, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", what]) == 0
    assert capfd.readouterr().out == f"{what.lower()}.svg\n"
    assert f"{what.upper()}, 3 steps" in (folder / f"{what.lower()}.svg").read_text(encoding="utf-8")


def test_the_options_are_those_of_draw(folder: Path, graphviz: None, capfd: pytest.CaptureFixture[str]) -> None:
    files = ["-o", "a.svg", "--out", "b.html", "-o", "c.png", "-o", "d.pdf"]
    words = ["--steps", "2", "--hidden", "4", "--layers", "2", "--level", "gate", "--values", "--theme", "dark"]
    assert main(["draw", "lstm", *words, "--title", "Mine", *files]) == 0
    assert capfd.readouterr().out == "a.svg\nb.html\nc.png\nd.pdf\n"
    assert "Mine" in (folder / "a.svg").read_text(encoding="utf-8")
    assert "#14171c" in (folder / "a.svg").read_text(encoding="utf-8")
    assert story(folder / "b.html")["times"] == [1, 2]
    assert {step["phase"] for step in story(folder / "b.html")["steps"]} == {"start", "forward", "seed", "backward"}


def test_the_command_draws_what_the_call_draws(folder: Path) -> None:
    def tape(backward: bool) -> tg.Tape:
        tg.manual_seed(0)
        layer = nn.GRU(2, 3)
        inputs = tg.randn(2, 1, 2)
        with tg.Tape() as tape:
            outputs, _ = layer(inputs)
            if backward:
                tg.mse_loss(outputs[-1], tg.zeros((1, 3)).named("target")).named("loss").backward()
        tape.entries = [entry._replace(line=None) for entry in tape.entries]  # the command's lines are nobody's
        return tape

    assert sources("gru", "--steps", "2") == to_dot(tape(False))
    assert sources("gru", "--steps", "2", "--direction", "forward", "--limit", "9") == to_dot(tape(False), limit=9)
    assert sources("gru", "--steps", "2", "--fold", "t=1", "--fold", "t=2") == to_dot(tape(False), fold=("t=1", "t=2"))
    assert sources("gru", "--steps", "2", "--grads") == to_dot(tape(True), grads=True)
    assert sources("gru", "--steps", "2", "--direction", "both") == to_dot(tape(True), direction="both")


def labels(text: str) -> set[str]:
    return {name for name in ("a", "b", "astray", "product") if re.search(rf"[>;]{name}<|<{name}[ <>]", text)}


@pytest.mark.parametrize("place", ["somebodys.py", "somebodys"])
def test_a_function_of_ones_own_is_drawn(place: str, folder: Path) -> None:
    leading = {"a", "b", "product"}
    assert labels(sources(f"{place}:product")) == leading
    assert labels(sources(f"{place}:old")) == leading
    assert labels(sources(f"{place}:silent")) == {*leading, "astray"}
    assert labels(sources(f"{place}:tape")) == {*leading, "astray"}
    assert "∂" in sources(f"{place}:product", "--grads", "--values")
    assert "∂" in sources(f"{place}:swept", "--grads")


def test_a_file_of_a_function_has_its_name(folder: Path, graphviz: None) -> None:
    assert main(["draw", "somebodys.py:product"]) == 0
    assert (folder / "product.svg").exists()


@pytest.fixture
def checkpoint(folder: Path) -> str:
    vocabulary = data.Vocabulary.of("abc\n")
    configuration = charlm.Configuration(embedding=2, hidden=3)
    charlm.save("model.safetensors", charlm.Checkpoint(charlm.CharLM(4, 2, 3), vocabulary, configuration, 1))
    return "model.safetensors"


def test_a_checkpoint_is_drawn_over_a_text(checkpoint: str, folder: Path) -> None:
    for words, read in (
        (["--text", "ab"], "'ab'"),
        (["--text", "ab", "--grads"], "'a'"),
        (["--text", "abcab", "--steps", "2", "--grads"], "'ab'"),
        (["--steps", "2"], r"'([abc]|\\\\n){2}'"),
        (["--grads"], r"'([abc]|\\\\n){3}'"),
    ):
        text = html.unescape(sources(checkpoint, *words))
        assert re.search(f"The model over {read}<", text)
        assert ("loss" in text) == ("--grads" in words)


SENTENCES = {
    ("missing.safetensors",): "missing.safetensors: there is no such file, and no such layer: choose from lstm, gru, "
    "rnn.",
    ("lstn",): "lstn: there is no such file, and no such layer: choose from lstm, gru, rnn.",
    ("somebodys.py:nowhere",): "somebodys.py:nowhere: somebodys.py has no function 'nowhere'.",
    ("somebodys.py:nothing",): "somebodys.py:nothing: somebodys.py has no function 'nothing'.",
    ("nosuch.py:f",): "nosuch.py: No such file.",
    ("nosuch:f",): "nosuch:f: there is no module nosuch.",
    ("somebodys.deeper:f",): "somebodys.deeper:f: there is no module somebodys.deeper.",
    ("broken:f",): "broken:f: ModuleNotFoundError: No module named 'nosuchmodule' (broken.py, line 1)",
    ("failing.py:f",): "failing.py:f: ValueError: not today (failing.py, line 1)",
    ("somebodys.py:wrong",): "somebodys.py:wrong: ZeroDivisionError: division by zero (somebodys.py, line 25)",
    (
        "somebodys.py:greedy",
    ): "somebodys.py:greedy: TypeError: greedy() missing 1 required positional argument: 'argument'",
    ("somebodys.py:vector", "--grads"): "somebodys.py:vector returned a tensor of shape (2,), and gradients start from "
    "a scalar.",
    ("builtins:list",): "draw: got a Tape on which nothing was recorded, wanted something to draw.",
    ("lstm", "-o", "y.gif"): "draw: got the file y.gif, wanted one of .svg, .png, .pdf, .dot, .html.",
    ("lstm", "-o", "nowhere/y.dot"): "nowhere/y.dot: No such file or directory.",
}


@pytest.mark.parametrize("words", SENTENCES, ids=" ".join)
def test_what_cannot_be_drawn_is_said_in_a_sentence(
    words: tuple[str, ...], folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["draw", *words]) == 2
    assert capfd.readouterr().err == f"tinygrad-lstm: {SENTENCES[words]}\n"


def test_other_sentences(checkpoint: str, no_graphviz: None, capfd: pytest.CaptureFixture[str]) -> None:
    for words, sentence in (
        (["lstm"], "draw: found neither Graphviz's program dot nor pygraphviz: pip install .* is in lstm.dot."),
        (["lstm", "--fold", "nowhere"], "draw: got fold='nowhere', wanted .*"),
        ([checkpoint, "--text", "a", "--grads"], "the text has 1 characters, wanted at least 2."),
        ([checkpoint, "--text", "xyz"], "the text has characters outside the vocabulary of 4: .*"),
        (["somebodys.py:product", "-o", "y.png"], ".* The source of y.png is in y.dot."),
    ):
        assert main(["draw", *words]) == 2
        assert re.fullmatch(f"tinygrad-lstm: {sentence}\n", capfd.readouterr().err)


@pytest.mark.parametrize(
    "words",
    [
        [], ["lstm", "--level", "atom"], ["lstm", "--theme", "pink"], ["lstm", "--steps", "0"],
        ["lstm", "--limit", "x"], ["lstm", "--text", "a"], ["model.safetensors", "--hidden", "3"],
        ["somebodys:product", "--steps", "3"],
    ],
)  # fmt: skip
def test_options_that_say_nothing_are_refused(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["draw", *words])
    assert "error: " in capfd.readouterr().err
