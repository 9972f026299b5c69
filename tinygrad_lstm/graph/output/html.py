"""A page that goes through a computation step by step, forward and then backward: one file, no library, no network.

The picture is the one that `draw` makes. Beside it stands what happens at each step: the equation, the op, the shape,
the line of the program, and the numbers. What a page knows of the marks is JSON in it; ``stepper.js`` does the rest.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from ..layout import Layout
from ..looks import marks
from ..looks.dot import clean
from ..looks.equations import Equations
from ..structure.ir import Graph, Mark
from ..structure.recurrence import step_of
from ..structure.shares import Shares
from ..view import Theme
from .render import drawn
from .svg import described, inlined

__all__ = ["page"]

Facts: TypeAlias = "dict[str, Any]"
"""What goes into the page as JSON."""

MOST = 8
"""Of a larger table so many rows and columns are shown."""

GATES = {
    "i": "The input gate says how much of the new content is written.",
    "f": "The forget gate says how much of the old cell state stays.",
    "g": "The candidate is the new content.",
    "o": "The output gate says how much of the cell state is shown.",
    "r": "The reset gate says how much of the old state the candidate sees.",
    "z": "The update gate says how much of the old state stays.",
    "n": "The candidate is the new content.",
    "c": "The cell state: what stays of the old one, and what is written.",
    "h": "The hidden state: what the next step and all layers above are given.",
}
"""What the names of gates and states mean in a step of a recurrence."""

OPS = {
    "sigmoid": "σ takes every number to one between 0 and 1.",
    "tanh": "tanh takes every number to one between −1 and 1.",
    "relu": "relu keeps what is above 0.",
    "matmul": "Each row of the first times each column of the second.",
    "linear": "A learned layer: weights times the input, and a bias.",
    "lookup": "The vector of each index, taken out of a table that is learned.",
    "stack": "Arrays side by side along a new axis.",
}
"""What some ops do."""

BACK = "Each argument gets the gradient times the local derivative; what comes from several uses adds up."


def page(layout: Layout, theme: Theme) -> str:
    """Return a picture as a page."""
    title = clean(layout.title).strip() or "A computation"
    text = re.sub(r'(?<= ID="[vg]_n)(\d+")', r'\1 HREF="#"', layout.text)  # Graphviz 2.43 marks links alone
    svg = inlined(drawn(text, "svg").decode(), theme, f"{title}, {described(layout.graph)}")
    shown = {int(id) for id in re.findall(r'\bid="n(\d+)', svg)}
    story = json.dumps(_Story(layout.graph, shown).facts()).replace("<", r"\u003c")
    parts = {
        "title": html.escape(title),
        "theme": theme,
        "style": _file("stepper.css"),
        "picture": svg,
        "story": story,
        "script": _file("stepper.js"),
    }
    return re.sub(r"\{(\w+)\}", lambda name: parts[name[1]], PAGE)


def _file(name: str) -> str:
    """Return a file that lies beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


PAGE = """<!doctype html>
<html lang="en" class="{theme}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
<main>
<figure>
{picture}</figure>
<aside>
<nav aria-label="steps">
<button id="first" aria-label="first step">|◀</button>
<button id="previous" aria-label="step back">◀</button>
<button id="next" aria-label="step on">▶</button>
<button id="play">play</button>
<button id="turn" hidden>backward</button>
<button id="fit" hidden>fit</button>
</nav>
<input id="place" type="range" min="0" value="0" aria-label="step">
<nav id="times" aria-label="time steps"></nav>
<div id="told" aria-live="polite">
<p id="phase"></p>
<div id="equations"></div>
<p id="text"></p>
</div>
<div id="letters"></div>
<p id="facts"></p>
<p id="line"></p>
<div id="numbers"></div>
<p id="keys">Keys: ← → for steps, ↑ ↓ for time steps, space to play. A click on a mark leads to it.</p>
</aside>
</main>
<script type="application/json" id="story">{story}</script>
<script>
{script}</script>
</html>
"""


class _Story:
    """The steps in which a graph is computed and differentiated, of which some marks are in the picture."""

    def __init__(self, graph: Graph, shown: set[int]) -> None:
        self.graph = graph
        self.equations = Equations(graph)
        self.marks = [mark for mark in graph if mark.id in shown]
        self.computed = [mark for mark in self.marks if not mark.stored]
        self.shares = Shares(graph)
        self.sent = {mark.id: list(self._sent(mark)) for mark in self.computed if mark.grad is not None}

    def facts(self) -> Facts:
        """Return all that the page needs to know."""
        steps = [*self._forward(), *self._backward()]
        times = dict.fromkeys(map(_time, self.computed))
        return {
            "marks": {mark.id: self._mark(mark) for mark in self.marks},
            "steps": steps,
            "times": sorted(time for time in times if time is not None),
        }

    def _mark(self, mark: Mark) -> Facts:
        """Return what is told of a mark."""
        sign = mark.note or marks.glyph(self.graph, mark)
        facts = [sign, marks.size(mark.shape), mark.dtype, f"in {'/'.join(mark.scope)}" if mark.scope else ""]
        return {
            "name": _mathematics(self.equations.called(mark)),
            "stored": mark.stored,
            "time": _time(mark),
            "facts": clean(" · ".join(filter(None, facts[mark.stored and not mark.note :]))),
            "letters": [_mathematics(clean(line)) for line in (mark.equation or "").split("\n")[1:]],
            "line": _line(mark),
            "value": _table(mark.value),
            "grad": _table(mark.grad),
        }

    def _forward(self) -> Iterator[Facts]:
        """Give the steps in which marks are computed, after one in which only what is stored is there."""
        yield {
            "phase": "start",
            "text": "What is stored is known before anything is computed.",
            "numbers": [mark.id for mark in self.marks if mark.stored],
        }
        for mark in self.computed:
            label = mark.label if _time(mark) is not None else None
            yield {
                "phase": "forward",
                "mark": mark.id,
                "equations": [_mathematics(self.equations.forward(mark))],
                "text": GATES.get(label or "") or OPS.get(mark.op, ""),
                "numbers": self._shown(mark.sources),
            }

    def _backward(self) -> Iterator[Facts]:
        """Give the steps in which gradients go back, the last mark first; each says which gradients are whole then."""
        if not self.sent:
            return
        last = {source: id for id in reversed(self.sent) for source, _ in self.sent[id]}
        first = [mark.id for mark in self.marks if mark.grad is not None and mark.id not in last]
        root = max(self.sent)
        yield {
            "phase": "seed",
            "mark": root,
            "equations": [_mathematics(f"∂{self.equations.called(self.graph[root])} = 1")],
            "text": f"The way back begins: the gradient of {self.equations.called(self.graph[root])} by itself.",
            "whole": first,
        }
        for id in reversed(self.sent):
            sent = self.sent[id]
            if sent:
                yield {
                    "phase": "backward",
                    "mark": id,
                    "equations": [
                        _mathematics(self.equations.backward(self.graph[id], self.graph[source])) for source, _ in sent
                    ],
                    "text": BACK,
                    "shares": [[source, _table(array)] for source, array in sent],
                    "whole": [source for source, _ in sent if last[source] == id],
                }

    def _shown(self, ids: tuple[int, ...]) -> list[int]:
        """Return the marks among ids that the page knows, each once."""
        known = {mark.id for mark in self.marks}
        return [id for id in dict.fromkeys(ids) if id in known]

    def _sent(self, mark: Mark) -> Iterator[tuple[int, Any]]:
        """Give the marks to which one has sent a gradient, and what it was: None if that is not one known array."""
        for source in self._shown(mark.sources):
            if self.graph.contributions(source, mark.id):
                arrays = self.shares.of(source, mark.id) or []
                one = len(arrays) == 1 or self.graph[source].folded is None  # a scope sends out several tensors
                one = one and all(array.shape == self.graph[source].shape for array in arrays)
                yield source, sum(arrays[1:], arrays[0]) if one and arrays else None


def _time(mark: Mark) -> int | None:
    """Return the time step that a mark is in, or is."""
    return step_of((*mark.scope, mark.folded or ""))


def _line(mark: Mark) -> str:
    """Return the line of the program that made a mark, with the name of its file."""
    file, _, code = (mark.line or "").partition(": ")
    return clean(f"{os.path.basename(file)}: {code}") if code else ""


def _mathematics(line: str) -> list[str]:
    """Return a line of mathematics as texts, of which every second one is a subscript.

    >>> _mathematics("f₁ = σ(W_f x₁ + b_f)")
    ['f₁ = σ(W', 'f', ' x₁ + b', 'f', ')']
    """
    return re.split(r"(?<=\b[A-Za-z])_([A-Za-z0-9]{1,2})\b", line)


def _table(value: Any) -> Facts | None:
    """Return an array on the host as rows of texts, with its size; the first of them if there are many."""
    if value is None:
        return None
    if value.size == 0:
        return {"size": marks.size(value.shape), "rows": []}
    matrix = value.reshape(-1, value.shape[-1] if value.ndim else 1)
    rows = [[_number(x) for x in row] for row in matrix[:MOST, :MOST].tolist()]
    if matrix.shape[1] > MOST:
        rows = [[*row, "…"] for row in rows]
    if matrix.shape[0] > MOST:
        rows.append(["…"] * len(rows[0]))
    return {"size": marks.size(value.shape) if value.ndim else "", "rows": rows}


def _number(value: Any) -> str:
    """Return a number as it stands in a table."""
    return (f"{value or 0.0:.4g}" if isinstance(value, float) else str(value)).replace("-", "−")  # there is no −0
