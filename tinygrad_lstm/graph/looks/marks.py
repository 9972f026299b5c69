"""What a mark looks like: its colours, its corners, its glyph, its words; and the legend that explains them.

Square corners are stored, round ones computed, a circle is an op on elements. A colour never says anything alone.

A `Show` says what marks tell beside their names, and `Show.of` makes the one that a `View` asks for. Where it has
something to tell of a mark, that is a `card`: a title, a row with its value (port ``v``), one with its gradient (port
``g``). `look` and `stored` choose by themselves; `card` with a `heading` is for marks that a layout dresses on its own.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from ..structure.ir import SWEPT, Graph, Mark
from ..structure.recurrence import step_before, step_of
from ..view import View
from . import strips
from .dot import Html, Tooltip, Writer, clipped, escaped, token
from .measures import extent
from .theme import FILLS, LINES, SURFACES, TEXTS, heat

TEXT, SECONDARY, LINE = TEXTS["text"][0], TEXTS["secondary"][0], LINES["edge"][0]
FONT = "DejaVu Sans,Verdana,Geneva,sans-serif"
NUMBERS = "DejaVu Sans Mono,Menlo,Consolas,monospace"

# fmt: off
WORDS = {  # what the legend says of each kind
    "c": "cell state c", "h": "hidden state h", "layer": "learned layer", "squash": "nonlinearity",
    "pointwise": "pointwise op", "other": "other op", "scope": "folded scope", "cell": "cell", "parameter": "parameter",
    "input": "input", "result": "result",
}
SQUARE = ("parameter", "input")
STATES = {"c": 5, "h": 3}  # the height of the swatch: their lines are as much thicker than others'

GLYPHS = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "negative": "−x", "square": "x²", "sqrt": "√x",
    "abs": "|x|", "reciprocal": "1/x", "pow": "xⁿ", "maximum": "max", "minimum": "min", "sigmoid": "σ", "matmul": "@",
    "sum": "Σ", "steps": "…", "log_softmax": "log softmax", "permute_dims": "permute", "lookup": "look up",
}
GATES = {"i": "input", "f": "forget", "g": "candidate", "o": "output", "r": "reset", "z": "update", "n": "candidate"}
# fmt: on

SQUASHES = frozenset({"sigmoid", "tanh", "relu"})
POINTWISE = SQUASHES | {
    "add", "subtract", "multiply", "divide", "negative", "positive", "square", "sqrt", "abs", "reciprocal", "pow",
    "maximum", "minimum", "exp", "expm1", "log", "log1p", "sin", "cos", "sign", "floor", "clip", "where", "dropout",
    "astype",
}  # fmt: skip
COLOURS = {kind: (FILLS[kind][0], LINES[kind][0], words) for kind, words in WORDS.items()}
"""By kind: fill, line, and what the legend says."""

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Show:
    """What marks tell beside their names.

    Attributes
    ----------
    values, grads
        Whether they show their value, and their gradient.
    numbers
        Whether numbers stand in the cells of strips.
    largest
        The largest gradient of an element in the picture, of which all the others' tints are a share.
    backward
        The picture is about gradients alone: they have cells as large as values have, and titles begin with ∂.
    tinted, means
        Whether there are strips in it, and among them some whose cells are means.
    root
        The name of what was differentiated.
    """

    values: bool = False
    grads: bool = False
    numbers: bool = False
    largest: float = 0.0
    backward: bool = False
    tinted: bool = False
    means: bool = False
    root: str = "L"

    @classmethod
    def of(cls, graph: Graph, view: View, backward: bool = False) -> Show:
        """Return what a view of a graph asks for; ``backward`` as that of the picture, if it is to show no values."""
        values = view.values
        grads = (view.grads or backward) and any(mark.grad is not None for mark in graph)
        tinted = [mark.shape for mark in graph if mark.shape and cls(values, grads).tells(mark)]
        return cls(
            values,
            grads,
            numbers=sum(not mark.stored for mark in graph) <= FEW,
            largest=max((_largest(mark) for mark in graph), default=0.0) if grads else 0.0,
            backward=backward and not values,
            tinted=bool(tinted),
            means=any(map(strips.is_pooled, tinted)),
            root=_root(graph),
        )

    def tells(self, mark: Mark) -> bool:
        """Tell whether there is anything to show of a mark."""
        return (self.values and mark.value is not None) or (self.grads and mark.grad is not None)


NOTHING = Show()
"""Names alone."""

FEW = 25
"""So many computed marks have numbers in their cells; there is no room for more of them."""


def _largest(mark: Mark) -> float:
    """Return the largest cell of a mark's gradient; a scalar's has none."""
    return strips.largest(mark.grad) if mark.shape and mark.grad is not None else 0.0


def _root(graph: Graph) -> str:
    """Return the name of what was differentiated."""
    record = graph.record
    return (record.marks[record.root].label if record is not None and record.root is not None else None) or "L"


def subscripted(name: str, number: int) -> str:
    """Return a name with a number below it.

    >>> subscripted("h", 12)
    'h₁₂'
    """
    return name + str(number).translate(SUBSCRIPTS)


def size(shape: tuple[int, ...]) -> str:
    """Return a shape as it is spoken.

    >>> size((3, 1)), size(())
    ('3×1', 'scalar')
    """
    return "×".join(map(str, shape)) or "scalar"


def number(value: float) -> str:
    """Return a number as short as it is readable, with a true minus sign.

    >>> number(-0.12345), number(3.0)
    ('−0.123', '3')
    """
    return f"{value:.3g}".replace("-", "−")


def glyph(graph: Graph, mark: Mark) -> str:
    """Return the sign of an op; a number among its arguments is part of it, as in ``1 −``."""
    match mark.op, mark.params:
        case "pow", (2,):
            return "x²"
        case "pow", (int() | float() as exponent,):
            return f"x^{number(exponent)}"
        case "getitem" | "split", (index,):
            return "pick" if indices(mark) else part(index)
    sign = GLYPHS.get(mark.op, mark.op) or "?"
    for place, id in enumerate(mark.sources):
        if graph[id].is_number:
            text = number(graph[id].value)
            sign = f"{text} {sign}" if place == 0 and mark.op != "multiply" else f"{sign} {text}"
    return sign


def part(index: Any) -> str:
    """Return an index as it is written, without the axes before it that are whole.

    >>> part(2), part((slice(None), slice(0, 3))), part((None, ...))
    ('[2]', '[0:3]', '[None, …]')
    """
    places = list(index) if isinstance(index, tuple) else [index]
    while len(places) > 1 and places[0] == slice(None):
        del places[0]
    return "[" + ", ".join(map(_place, places)) + "]"


def _place(place: Any) -> str:
    """Return an index along one axis as it is written."""
    if isinstance(place, slice):
        return ":".join("" if bound is None else str(bound) for bound in (place.start, place.stop))
    return "…" if place is ... else str(place)


def indices(mark: Mark) -> str | None:
    """Return the indices by which a mark picks its elements; the last of several, for the others count rows."""
    index = mark.params[0] if mark.op in ("getitem", "lookup") and mark.params else None
    arrays = [part for part in (index if isinstance(index, tuple) else (index,)) if hasattr(part, "shape")]
    if not arrays:
        return None
    chosen = arrays[-1]
    return ", ".join(map(str, chosen.ravel().tolist())) if chosen.size <= 6 else f"indices {size(chosen.shape)}"


def kind(graph: Graph, mark: Mark) -> str:
    """Return the kind of a mark: a row of `COLOURS`."""
    if mark.stored:
        return "parameter" if mark.is_parameter else "input"
    if mark.folded is not None:
        return "scope"
    if not graph.uses[mark.id] and mark.shape == ():
        return "result"
    if mark.op == "steps":
        return str(mark.label) if mark.label in STATES else "other"
    if mark.parts:
        return "layer"
    if mark.label in STATES and step_of(mark.scope) is not None:
        return str(mark.label)
    if mark.op in SQUASHES and not graph.folded:
        return "squash"
    return "pointwise" if mark.op in POINTWISE else "other"


def look(graph: Graph, mark: Mark, show: Show = NOTHING) -> dict[str, Any]:
    """Return the look of a computed mark by its kind."""
    sign, what = glyph(graph, mark), kind(graph, mark)
    if what == "scope":
        return scope(mark)
    if show.tells(mark):
        below = word(graph, mark) if what == "layer" else ""
        return card(what, heading(sign, below or name(graph, mark) or "", mark, show), mark, show)
    match what:
        case "result":
            return result(sign, mark.label, mark.value)
        case "layer":
            return layer(sign, word(graph, mark))
        case "pointwise" if mark.label is None:
            return op(sign)
        case other:
            return plain(other, sign, name(graph, mark))


def heading(sign: str, text: str, mark: Mark, show: Show, role: str = "") -> str:
    """Return the title of a card as HTML: a sign, a name or a word beside it, a role, its size if its cells are means.

    Of a parameter the size is always said, and how many numbers that is.
    """
    large = ' POINT-SIZE="17"' if len(sign) == 1 and not sign.isalnum() else ""
    parts = [
        "∂" * (show.backward and show.tells(mark) and mark.shape != ())
        and f'<FONT COLOR="{LINES["gradient"][0]}">∂</FONT>'
    ]
    parts.append(
        f"<B><FONT{large}>{escaped(clipped(sign))}</FONT></B>" if large else f"<B>{escaped(clipped(sign))}</B>"
    )
    if text:
        parts.append(f'&nbsp;&nbsp;<FONT POINT-SIZE="12"><I>{escaped(clipped(text))}</I></FONT>')
    if role:
        parts.append(f'&nbsp;<FONT POINT-SIZE="10">{escaped(role)}</FONT>')
    if mark.is_parameter and mark.shape:
        count = f", {math.prod(mark.shape)}" if len(mark.shape) > 1 else ""
        parts.append(f'&nbsp;&nbsp;<FONT POINT-SIZE="9">{size(mark.shape)}{count}</FONT>')
    elif strips.is_pooled(mark.shape):
        parts.append(f'&nbsp;&nbsp;<FONT POINT-SIZE="9">{size(mark.shape)}</FONT>')
    return "".join(parts)


def card(kind: str, title: str, mark: Mark, show: Show) -> dict[str, Any]:
    """Return the look of a mark that tells more than its name.

    Parameters
    ----------
    kind
        A row of `COLOURS`.
    title
        HTML, as `heading` makes it.
    mark, show
        What is told of what. Rows that have nothing to tell are left out.
    """
    fill, line, _ = COLOURS[kind]
    corners = "" if kind in SQUARE else ' STYLE="ROUNDED"'
    rows = [f'<TR><TD><FONT COLOR="{_ink(kind)}">{title}</FONT></TD></TR>']
    if show.tells(mark):
        rows += _scalar(kind, mark, show) if mark.shape == () else _strips(kind, mark, show)
    table = (
        f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" COLOR="{line}" BGCOLOR="{fill}"{corners}>'
    )
    return {"shape": "plain", "label": Html(f"{table}{''.join(rows)}</TABLE>")}


def _ink(kind: str) -> str:
    return TEXTS["result text"][0] if kind == "result" else TEXT


def _del(kind: str) -> str:
    """Return the colour of gradients on a card."""
    return TEXTS["result gradient"][0] if kind == "result" else LINES["gradient"][0]


def _scalar(kind: str, mark: Mark, show: Show) -> list[str]:
    """Return the rows of a card with one number: the value and the gradient, in columns of equal width."""
    rows = []
    if show.values and mark.value is not None:
        rows.append(("v", "=", _ink(kind), written(mark.value)))
    if show.grads and mark.grad is not None:
        rows.append(("g", "∂", _del(kind), written(mark.grad)))
    longest = max(len(text) for *_, text in rows)
    return ["<HR/>"] + [
        f'<TR><TD {_known(port, mark, text)}><FONT COLOR="{colour}" FACE="{NUMBERS}" POINT-SIZE="13">{sign}&nbsp;'
        f"{text.rjust(longest).replace(' ', '&nbsp;')}</FONT></TD></TR>"
        for port, sign, colour, text in rows
    ]


def _known(port: str, mark: Mark, text: str) -> str:
    """Return how a row of a card is known: to lines by its port, to scripts by its id, to the mouse by a text."""
    return f'PORT="{port}" ID="{port}_n{mark.id}" TOOLTIP="{escaped(text)}"'


def written(value: Any) -> str:
    """Return a scalar as a card shows it: an integer in full, a number of two decimals if it has no better form.

    >>> written(3), written(-0.60), written(True)
    ('3', '−0.60', 'True')
    """
    value = value.item() if hasattr(value, "item") else value
    return strips.short(value) if isinstance(value, float) else str(value).replace("-", "−")


def _strips(kind: str, mark: Mark, show: Show) -> list[str]:
    """Return the rows of a card with a strip for the value, and a thinner one for the gradient."""
    rows, width = [], None
    if show.values and mark.value is not None:
        cells = strips.values(mark.value)
        numbers = show.numbers and not strips.is_pooled(mark.shape) and mark.shape[-1] <= NUMBERED
        width = strips.cell_width(cells, numbers)
        rows.append(f"<TR><TD {_known('v', mark, summary(mark.value))}>{strips.strip(cells, numbers)}</TD></TR>")
    if show.grads and mark.grad is not None:
        cells = strips.gradients(mark.grad, show.largest)
        strip = strips.strip(cells, height=None if show.backward else strips.THIN, width=width)
        rows.append(f"<TR><TD {_known('g', mark, f'∂{show.root}/∂this: {summary(mark.grad)}')}>"
                    f"{strip if show.backward else _with_sign(strip, kind)}</TD></TR>")  # fmt: skip
    return rows


def _with_sign(strip: str, kind: str) -> str:
    """Return a strip with a ∂ to its left, and as much blank to its right: it stands under that of the value."""
    sign = f'<FONT COLOR="{_del(kind)}" POINT-SIZE="11">∂</FONT>'
    around = ['<TD WIDTH="10" FIXEDSIZE="TRUE" HEIGHT="16">', "</TD>"]
    width, height = extent({"shape": "plain", "label": Html(strip)})
    return (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" FIXEDSIZE="TRUE" '
        f'WIDTH="{math.ceil(width) + 20}" HEIGHT="{max(math.ceil(height), 16)}">'
        f"<TR>{around[0]}{sign}{around[1]}<TD>{strip}</TD>{around[0]}{around[1]}</TR></TABLE>"
    )


NUMBERED = 4
"""Strips of no more columns can have numbers in their cells."""


def name(graph: Graph, mark: Mark) -> str | None:
    """Return the name of a mark, with the number of its step below it; what a step reads is of that step.

    The state before the first step has the name that a state has in the steps, and the number 0; where a sequence is
    read from its end, it has the number after the last.
    """
    if mark.label is None:
        return None
    if not mark.stored:
        step = mark.params[0] if mark.op == "steps" else step_of(mark.scope)
        return mark.label if step is None else subscripted(mark.label, step)
    is_state = mark.label in STATES
    users = {(*user.scope, _first(user.folded, is_state)) for user in graph.uses[mark.id]}
    steps = {step_before(graph, scope) if is_state else step_of(scope) for scope in users}
    step = steps.pop() if len(steps) == 1 else None
    return mark.label if step is None or mark.is_parameter else subscripted(mark.label, step)


def _first(folded: str | None, several: bool) -> str:
    """Return the step that a folded scope is, or the first one if it is ``several``."""
    return (folded or "").split("…")[0] if several else folded or ""


def stored_text(graph: Graph, mark: Mark) -> str:
    """Return what stands on an input or a parameter: its name, its only value, or its size."""
    if mark.value is not None and mark.shape == () and mark.label is None:
        return number(float(mark.value))
    text = " ".join(filter(None, (MARKED.get(origin(graph, mark)), name(graph, mark) or size(mark.shape))))
    return f"{text} ×{mark.times}" if mark.times else text


def origin(graph: Graph, mark: Mark) -> str:
    """Return a row of `SIGNS` if a stored mark was computed all the same: ``"before"`` the tape, or ``"cut"`` off.

    What is cut off is a value that was computed on the tape and detached, or, as a constant that is not zero, the state
    before the first step: carried over from a sequence before. No gradient goes back there.
    """
    if mark.op == "earlier":
        return "before"
    if mark.op != "constant":
        return ""
    carried = mark.label in STATES and any(step_of(user.scope) is not None for user in graph.uses[mark.id])
    return "cut" if mark.cut is not None or (carried and mark.value is not None and mark.value.any()) else ""


def word(graph: Graph, mark: Mark) -> str:
    """Return what stands under the sign of a layer: the gate's name, its own, or that of its module."""
    if mark.label is not None:
        in_step = step_of(mark.scope) is not None
        return GATES[mark.label] if in_step and mark.label in GATES else name(graph, mark) or ""
    module = mark.scope[-1] if mark.scope and step_of(mark.scope[-1:]) is None else ""
    return module if module.lower() != mark.op else ""


def colours(kind: str) -> dict[str, str]:
    """Return the attributes that colour a node of a kind."""
    fill, line, _ = COLOURS[kind]
    return {"fillcolor": fill, "color": line}


def identity(mark: Mark, title: str, node: str | None = None, show: Show = NOTHING) -> dict[str, str]:
    """Return what a mark says to a script or a style sheet, and to the mouse when it rests on it.

    ``show`` is what it tells: the mouse is told more of the same.
    """
    if mark.folded is not None:
        title = "/".join((*mark.scope, mark.folded))
    title, *names = (text.replace("\n", "⏎") for text in (title, *mark.scope))
    lines = [title, f"{mark.note or mark.op}, {size(mark.shape)}, {mark.dtype}"]
    if mark.scope:
        lines.append("in " + "/".join(names))
    if mark.equation is not None:
        lines.append(mark.equation)
    if mark.is_parameter and mark.shape:
        lines.append(f"{math.prod(mark.shape)} numbers")
    if mark.op == "earlier":
        lines.append("computed before the tape: gradients go on there")
    if mark.cut is not None:
        lines.append("detached: no gradient goes back")
    if show.values and mark.value is not None:
        lines.append(f"value: {summary(mark.value)}")
    if show.grads and mark.grad is not None:
        lines.append(f"∂{show.root}/∂this: {summary(mark.grad)}")
    if mark.line is not None:
        lines.append(os.path.basename(mark.line.split(": ", 1)[0]) + ": " + mark.line.split(": ", 1)[-1])
    tip = Tooltip("\n".join(lines))
    return {"id": node or f"n{mark.id}", "class_": f"op-{token(mark.op)}", "tooltip": tip}


def summary(value: Any) -> str:
    """Return what there is to say of a number or an array on the host in one line."""
    if getattr(value, "ndim", 0) == 0:
        return written(value)
    if value.size == 0:
        return "empty"
    if value.size <= SUMMED_UP:
        return ", ".join(written(element) for element in value.ravel())
    ends = f"from {written(value.min())} to {written(value.max())}"
    return ends + ("" if value.dtype.kind in "iub" else f", mean {written(strips.mean(value))}")


SUMMED_UP = 8
"""Arrays of more elements are told by their ends and their mean."""


def box(label: str, side: str) -> dict[str, Any]:
    """Return the look of the box of a scope; ``side`` is where its label stands, top or bottom."""
    swept = {"color": LINES["gradient"][0], "fontcolor": LINES["gradient"][0]} if label == SWEPT else {}
    return {"label": clipped(label), "labeljust": "l", "labelloc": side, "style": "rounded,filled",
            "fillcolor": SURFACES["step"][0], "color": SURFACES["hairline"][0], "margin": 12, "fontsize": 12,
            "class_": "scope", **swept}  # fmt: skip


def stored(kind: str, text: str, mark: Mark | None = None, show: Show = NOTHING) -> dict[str, Any]:
    """Return the look of an input or a parameter, of which more than its name is told if it is given with a `Show`."""
    if mark is not None and show.tells(mark):
        return card(kind, heading(text, "", mark, show), mark, show)
    return {"shape": "box", "width": 0.44, "height": 0.44, "margin": "0.06,0.04", "style": "filled",
            **colours(kind), "label": Html(escaped(clipped(text)))}  # fmt: skip


def chip(kind: str, text: str, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the look of a small mark that stands for another at one of its uses."""
    label = f'{escaped(clipped(text))}<FONT POINT-SIZE="8"> {size(shape)}</FONT>'
    return {"shape": "box", "width": 0.3, "height": 0.22, "margin": "0.05,0.02", "fontsize": 10,
            "style": "filled" if kind in SQUARE else "rounded,filled",
            **colours(kind), "label": Html(label)}  # fmt: skip


def state(kind: str, text: str) -> dict[str, Any]:
    """Return the look of a state."""
    fixed = len(text) <= 4
    return {"shape": "circle" if fixed else "ellipse", "fixedsize": str(fixed).lower(), "width": 0.5, "height": 0.5,
            "margin": "0.02", "style": "filled", **colours(kind), "label": Html(escaped(text))}  # fmt: skip


def layer(sign: str, below: str) -> dict[str, Any]:
    """Return the look of a learned layer: its sign, and a word under it."""
    text = f"<B>{escaped(clipped(sign))}</B>"
    if below:
        text += f'<BR/><FONT POINT-SIZE="9" COLOR="{SECONDARY}">{escaped(clipped(below))}</FONT>'
    return {"shape": "box", "width": 0.72, "height": 0.5, "margin": "0.04,0.02", "style": "rounded,filled",
            **colours("layer"), "label": Html(text)}  # fmt: skip


def scope(mark: Mark) -> dict[str, Any]:
    """Return the look of a folded scope: its name, what it holds, and the size of what it gives; several are dashed."""
    name = clipped(mark.folded or "") + (f" ×{mark.times}" if mark.times else "")
    lines = "".join(f"<BR/>{_said(text)}" for text in (mark.note, f"→ {size(mark.shape)}") if text)
    return {"shape": "box", "width": 0.9, "height": 0.6, "margin": "0.12,0.06",
            "style": "rounded,filled" + ",dashed" * bool(mark.times), "penwidth": 2.2, **colours("scope"),
            "label": Html(f'<B><FONT POINT-SIZE="14">{escaped(name)}</FONT></B>{lines}')}  # fmt: skip


def op(sign: str) -> dict[str, Any]:
    """Return the look of an op on elements: a circle if its sign is one character."""
    if len(sign) == 1:
        form: dict[str, Any] = {"shape": "circle", "fixedsize": "true", "width": 0.34, "height": 0.34, "fontsize": 15}
    else:
        form = {"shape": "ellipse", "width": 0.62, "height": 0.34, "margin": "0.02,0", "fontsize": 12}
    return {**form, "style": "filled", **colours("pointwise"), "label": clipped(sign)}


def plain(kind: str, sign: str, label: str | None) -> dict[str, Any]:
    """Return the look of any other op: its sign and, if it has one, its name."""
    text = f"<B>{escaped(clipped(sign))}</B>" + (f"&nbsp;<I>{escaped(clipped(label))}</I>" if label else "")
    return {"shape": "box", "width": 0.34, "height": 0.34, "margin": "0.08,0.04", "style": "rounded,filled",
            **colours(kind), "label": Html(text)}  # fmt: skip


def result(sign: str, label: str | None, value: Any) -> dict[str, Any]:
    """Return the look of the scalar in which all ends."""
    text = f"<B>{escaped(clipped(sign))}</B>" + (f"&nbsp;<I>{escaped(clipped(label))}</I>" if label else "")
    if value is not None:
        text += f'<BR/><FONT FACE="{NUMBERS}" POINT-SIZE="11">{number(float(value))}</FONT>'
    return {"shape": "box", "width": 0.6, "height": 0.34, "margin": "0.1,0.05", "style": "rounded,filled",
            **colours("result"), "fontcolor": TEXTS["result text"][0], "label": Html(text)}  # fmt: skip


def bar() -> dict[str, Any]:
    """Return the look of a stack: the end of a line that has gathered what is stacked."""
    return {"shape": "box", "width": 0.06, "height": 0.3, "fixedsize": "true", "style": "filled",
            "fillcolor": COLOURS["h"][1], "color": COLOURS["h"][1], "label": ""}  # fmt: skip


def begin(
    dot: Writer,
    title: str,
    kinds: Iterable[str],
    show: Show = NOTHING,
    notes: Iterable[str] = (),
    **attributes: Any,
) -> None:
    """Write what stands at the head of every picture: its fonts, its title and its legend.

    Parameters
    ----------
    dot, title
        What is written, and its title.
    kinds
        The rows of `COLOURS` that the picture has.
    show
        What its marks tell.
    notes
        The rows of `SIGNS` that it has.
    attributes
        More attributes of the graph.
    """
    dot.defaults("graph", bgcolor=SURFACES["page"][0], fontname=FONT, fontcolor=SECONDARY, fontsize=12, pad=0.15,
                 label=legend(title, kinds, show, notes), labelloc="b", labeljust="l", **attributes)  # fmt: skip
    dot.defaults("node", fontname=FONT, fontsize=13, fontcolor=TEXT, penwidth=1.3, color=SECONDARY)
    dot.defaults("edge", fontname=FONT, fontsize=10, fontcolor=SECONDARY, color=LINE, penwidth=1.1, arrowsize=0.6)


class Title(str):
    """The title of a picture, with a word on what it leaves out."""

    def __new__(cls, title: str, note: str) -> Self:
        """Make a title of a text and a note."""
        made = super().__new__(cls, title)
        made.note = note
        return made

    note: str


def legend(title: str, kinds: Iterable[str], show: Show = NOTHING, notes: Iterable[str] = ()) -> Html:
    """Return the title with a swatch of each kind that the picture has, and what its cells and signs mean."""
    entries = [(_swatch(kind), COLOURS[kind][2]) for kind in COLOURS if kind in set(kinds)]
    entries += [(SIGNS[note][0], SIGNS[note][1]) for note in SIGNS if note in set(notes)]
    if show.tinted:
        ends = ("−max", "+max") if show.backward else ("−1", "+1")
        entries.append((f"{_said(ends[0])}</TD><TD>{_bar()}", ends[1] + (", means of blocks" if show.means else "")))
    if show.grads:
        tint = ", tint ±√ of its share of the largest" if show.tinted else ""
        entries.append((_red("∂"), f"= ∂{show.root}/∂this{tint}"))
    head = f'<TD><B><FONT POINT-SIZE="13" COLOR="{TEXT}">{escaped(title)}</FONT></B>&nbsp;&nbsp;</TD>' if title else ""
    lines = _lines(entries)
    if isinstance(title, Title):
        lines.append([("", title.note)])
    rows = [
        "".join(f'<TD>{sign}</TD><TD ALIGN="LEFT">{_said(text)}&nbsp;&nbsp;</TD>' for sign, text in line)
        for line in lines
    ]
    rows[0] = head + rows[0]
    table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">'
    if len(rows) > 1:
        widths = [sum(_width(*entry) for entry in line) for line in lines]
        widths[0] += LETTERS["title"] * len(title) + 12 if title else 0
        rows = [
            f'<TD ALIGN="LEFT">{table}<TR>{row}<TD WIDTH="{max(widths) - width:.0f}"></TD></TR></TABLE></TD>'
            for row, width in zip(rows, widths, strict=True)
        ]
    return Html(f'{table}<TR><TD HEIGHT="10"></TD></TR>{"".join(f"<TR>{row}</TR>" for row in rows)}</TABLE>')


def _lines(entries: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return the entries of a legend in as few lines as will do, about equally long."""
    count = max(1, math.ceil(len(entries) / IN_A_LINE))
    return [entries[len(entries) * k // count : len(entries) * (k + 1) // count] for k in range(count)]


IN_A_LINE = 8
"""So many entries of a legend stand in one line."""


def _width(sign: str, text: str) -> float:
    """Return about how wide an entry is: shorter lines are filled up with blank, or they would be pulled apart."""
    return len(text) * LETTERS["text"] + (130 if 'HEIGHT="9"' in sign else 32)


LETTERS = {"title": 7.9, "text": 4.9}
"""About how wide a letter of the title and of an entry is."""


def _said(text: str) -> str:
    return f'<FONT POINT-SIZE="10" COLOR="{SECONDARY}">{escaped(text)}</FONT>'


def _red(text: str) -> str:
    return f'<FONT POINT-SIZE="12" COLOR="{LINES["gradient"][0]}">{text}</FONT>'


MARKED = {"cut": "‖", "before": "⋯"}
"""What stands before the name of a mark by its `origin`."""

SIGNS = {
    "back": (_red("- - -"), "gradient"),
    "widths": (_red("- - -"), "gradient, thicker where larger"),
    "cut": (f'<FONT POINT-SIZE="12" COLOR="{TEXT}"><B>{MARKED["cut"]}</B></FONT>', "cut: no gradient goes back"),
    "before": (f'<FONT POINT-SIZE="12" COLOR="{TEXT}">{MARKED["before"]}</FONT>', "computed before the tape"),
}
"""Signs that a picture may have, and what they mean."""

CUT = {"style": "dotted", "dir": "both", "arrowtail": "teetee", "arrowsize": 0.9, "weight": 1, "class_": "cut",
       "tooltip": Tooltip("detached: no gradient goes back")}  # fmt: skip
"""The look of the line from what was detached to the constant that came of it."""


def _bar() -> str:
    """Return the tints from −1 to 1."""
    cells = [f'<TD BGCOLOR="{heat(k / 4)}" WIDTH="10" HEIGHT="9" FIXEDSIZE="TRUE"></TD>' for k in range(-4, 5)]
    return f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{"".join(cells)}</TR></TABLE>'


def _swatch(kind: str) -> str:
    """Return a small example of a kind: a thick line for a state, a filled box for the others."""
    fill, line, _ = COLOURS[kind]
    if kind in STATES:
        border, cell = "0", f'BGCOLOR="{line}" WIDTH="20" HEIGHT="{STATES[kind]}"'
        look = ""
    else:
        border, cell = "1", 'WIDTH="14" HEIGHT="11"'
        look = f' COLOR="{line}" BGCOLOR="{fill}"' + ("" if kind in SQUARE else ' STYLE="ROUNDED"')
    return (
        f'<TABLE BORDER="{border}" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"{look}>'
        f'<TR><TD {cell} FIXEDSIZE="TRUE"></TD></TR></TABLE>'
    )
