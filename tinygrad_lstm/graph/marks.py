"""What a mark looks like: its colours, its corners, its glyph, its words; and the legend that explains them.

Square corners are stored, round ones computed, a circle is an op on elements. A colour never says anything alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .dot import Html, Tooltip, Writer, clipped, escaped, token
from .ir import Graph, Mark
from .recurrence import step_of
from .theme import FILLS, LINES, SURFACES, TEXTS

TEXT, SECONDARY, LINE = TEXTS["text"][0], TEXTS["secondary"][0], LINES["edge"][0]
FONT = "DejaVu Sans,Verdana,Geneva,sans-serif"
NUMBERS = "DejaVu Sans Mono,Menlo,Consolas,monospace"

# fmt: off
WORDS = {  # what the legend says of each kind
    "c": "cell state c", "h": "hidden state h", "layer": "learned layer", "squash": "nonlinearity",
    "pointwise": "pointwise op", "other": "other op", "parameter": "parameter", "input": "input", "result": "result",
}
SQUARE = ("parameter", "input")
STATES = {"c": 5, "h": 3}  # the height of the swatch: their lines are as much thicker than others'

GLYPHS = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "negative": "−x", "square": "x²", "sqrt": "√x",
    "abs": "|x|", "reciprocal": "1/x", "pow": "xⁿ", "maximum": "max", "minimum": "min", "sigmoid": "σ", "matmul": "@",
    "sum": "Σ", "log_softmax": "log softmax", "permute_dims": "permute", "lookup": "look up",
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
    if not graph.uses[mark.id] and mark.shape == ():
        return "result"
    if mark.parts:
        return "layer"
    if mark.label in STATES and step_of(mark.scope) is not None:
        return str(mark.label)
    if mark.op in SQUASHES and not graph.folded:
        return "squash"
    return "pointwise" if mark.op in POINTWISE else "other"


def look(graph: Graph, mark: Mark) -> dict[str, Any]:
    """Return the look of a computed mark by its kind."""
    sign = glyph(graph, mark)
    match kind(graph, mark):
        case "result":
            return result(sign, mark.label, mark.value)
        case "layer":
            return layer(sign, word(graph, mark))
        case "pointwise" if mark.label is None:
            return op(sign)
        case other:
            return plain(other, sign, name(graph, mark))


def name(graph: Graph, mark: Mark) -> str | None:
    """Return the name of a mark, with the number of its step below it; what a step reads is of that step.

    The state before the first step has the name that a state has in the steps, and the number 0.
    """
    if mark.label is None:
        return None
    if not mark.stored:
        step = step_of(mark.scope)
        return mark.label if step is None else subscripted(mark.label, step)
    steps = {step_of(user.scope) for user in graph.uses[mark.id]}
    step = steps.pop() if len(steps) == 1 else None
    if step is None or mark.is_parameter:
        return mark.label
    return subscripted(mark.label, step - 1 if mark.label in STATES else step)


def stored_text(graph: Graph, mark: Mark) -> str:
    """Return what stands on an input or a parameter: its name, its only value, or its size."""
    if mark.value is not None and mark.shape == () and mark.label is None:
        return number(float(mark.value))
    return name(graph, mark) or size(mark.shape)


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


def identity(mark: Mark, title: str, node: str | None = None) -> dict[str, str]:
    """Return what a mark says to a script or a style sheet, and to the mouse when it rests on it."""
    lines = [title, f"{mark.op}, {size(mark.shape)}, {mark.dtype}"]
    if mark.scope:
        lines.append("in " + "/".join(mark.scope))
    tip = Tooltip("\n".join(line.replace("\n", "⏎") for line in lines))
    return {"id": node or f"n{mark.id}", "class_": f"op-{token(mark.op)}", "tooltip": tip}


def box(label: str, side: str) -> dict[str, Any]:
    """Return the look of the box of a scope; ``side`` is where its label stands, top or bottom."""
    return {"label": clipped(label), "labeljust": "l", "labelloc": side, "style": "rounded,filled",
            "fillcolor": SURFACES["step"][0], "color": SURFACES["hairline"][0], "margin": 12, "fontsize": 12,
            "class_": "scope"}  # fmt: skip


def stored(kind: str, text: str) -> dict[str, Any]:
    """Return the look of an input or a parameter."""
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


def begin(dot: Writer, title: str, kinds: Iterable[str], **attributes: Any) -> None:
    """Write what stands at the head of every picture: its fonts, its title and its legend."""
    dot.defaults("graph", bgcolor=SURFACES["page"][0], fontname=FONT, fontcolor=SECONDARY, fontsize=12, pad=0.15,
                 label=legend(title, kinds), labelloc="b", labeljust="l", **attributes)  # fmt: skip
    dot.defaults("node", fontname=FONT, fontsize=13, fontcolor=TEXT, penwidth=1.3, color=SECONDARY)
    dot.defaults("edge", fontname=FONT, fontsize=10, fontcolor=SECONDARY, color=LINE, penwidth=1.1, arrowsize=0.6)


def legend(title: str, kinds: Iterable[str]) -> Html:
    """Return the title with a swatch of each kind that the picture has."""
    cells = []
    if title:
        cells.append(f'<TD><B><FONT POINT-SIZE="13" COLOR="{TEXT}">{escaped(title)}</FONT></B>&nbsp;&nbsp;</TD>')
    for kind in COLOURS:
        if kind in kinds:
            text = f'<FONT POINT-SIZE="10" COLOR="{SECONDARY}">{COLOURS[kind][2]}</FONT>&nbsp;&nbsp;'
            cells.append(f'<TD>{_swatch(kind)}</TD><TD ALIGN="LEFT">{text}</TD>')
    return Html(
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">'
        f'<TR><TD HEIGHT="10"></TD></TR><TR>{"".join(cells)}</TR></TABLE>'
    )


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
