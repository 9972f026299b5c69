"""What marks compute, as mathematics: a learned layer in the letters of a textbook, and a whole expression in one line.

All of it is read off the tape: the products and sums that were folded into a layer, the names of what it reads, and
the names and slices of its parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..structure.ir import Graph, Mark
from ..structure.recurrence import step_before, step_of
from . import marks

__all__ = ["explained", "expression", "layer", "op"]

LETTERS = "WVABCD"
"""What matrices are called that have no short name; one that a state is multiplied by is U."""

SHORT = 4
"""Names of parameters with no more letters stand in an equation as they are."""

LONGEST = 70
"""So many characters of mathematics can be read as a title."""

PASSED_ON = frozenset({"reshape", "expand_dims", "squeeze", "stack", "concat"})


def explained(graph: Graph) -> Graph:
    """Return the graph with an equation for each learned layer."""
    equations = {mark.id: layer(graph, mark) for mark in graph if mark.parts and mark.folded is None}
    return Graph(tuple(replace(mark, equation=equations.get(mark.id)) for mark in graph))


class _Unknown(Exception):
    """There is something in a layer of which no equation is known."""


@dataclass(frozen=True)
class _Term:
    """A term of an affine map: a parameter, the part of it that is used, and what it is multiplied by, if anything."""

    parameter: str
    shape: tuple[int, ...]
    data: int | None = None
    sign: str = " "
    first: bool = True  # whether the parameter stands before the data: its rows make the elements of the result
    part: slice | None = None

    def cut(self, part: slice) -> _Term:
        """Return the term of which only a part of the result is used."""
        if self.part is not None:
            raise _Unknown
        axis = 0 if self.first else len(self.shape) - 1
        length = len(range(*part.indices(self.shape[axis])))
        shape = (*self.shape[:axis], length, *self.shape[axis + 1 :])
        return replace(self, part=part, shape=shape)

    @property
    def origin(self) -> str:
        """What it is in the program: the parameter's name, and the slice."""
        if self.part is None:
            return self.parameter
        bounds = marks.part(self.part)[1:-1]
        return f"{self.parameter}[{bounds if self.first else ':, ' + bounds}]"


def layer(graph: Graph, mark: Mark) -> str | None:
    """Return the equation of a learned layer, and what its letters stand for, each on a line; None if it is not known.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.structure.ir import read
    >>> from tinygrad_lstm.graph.structure.simplify import gate_level
    >>> model = tg.nn.LSTM(2, 3)
    >>> with tg.Tape() as tape:
    ...     outputs, state = model(tg.ones((1, 1, 2)))
    >>> graph = gate_level(read(tape))
    >>> print(layer(graph, graph.marks[3]))
    f₁ = σ(W_f x₁ + U_f h₀ + b_f)
    W_f = weight_ih_l0[3:6], 3×2
    U_f = weight_hh_l0[3:6], 3×3
    b_f = bias_ih_l0[3:6] + bias_hh_l0[3:6], 3
    21 numbers
    """
    try:
        terms = _terms(graph, mark)
    except _Unknown:
        return None
    named, meaning = _in_letters(graph, mark, terms)
    text = " + ".join(named)
    if mark.op in marks.SQUASHES:
        text = f"{marks.GLYPHS.get(mark.op, mark.op)}({text})"
    name = marks.name(graph, mark)
    numbers = sum(math.prod(term.shape) for term in terms if term.shape)
    return "\n".join([f"{name} = {text}" if name else text, *meaning, f"{numbers} numbers"])


def _terms(graph: Graph, mark: Mark) -> list[_Term]:
    """Return the affine map in a layer as a sum."""
    if graph.record is None:
        raise _Unknown
    sums: dict[int, list[_Term]] = {}
    for id in mark.parts:
        part = graph.record.marks.get(id)
        if part is None:
            raise _Unknown
        if id != mark.id or part.op not in marks.SQUASHES:
            sums[id] = _sum(part, sums)
        else:
            sums[id] = sums[part.sources[0]]
    return sums[mark.id]


def _sum(mark: Mark, sums: Mapping[int, list[_Term]]) -> list[_Term]:
    """Return one part of a layer as a sum of terms, those of what it reads being known."""
    match mark.op, mark.inputs, mark.params:
        case _ if mark.stored:
            return [_Term(mark.label or marks.size(mark.shape), mark.shape)]
        case "linear" | "conv", (int() as data, int() as weight, *bias), _:
            product = replace(_only(sums, weight), data=data, sign=" ∗ " if mark.op == "conv" else " ")
            return [product, *(term for id in bias if id is not None for term in sums[id])]
        case "matmul", (int() as data, int() as weight), _ if weight in sums and data not in sums:
            return [replace(_only(sums, weight), data=data, first=False)]
        case "matmul", (int() as weight, int() as data), _ if weight in sums and data not in sums:
            return [replace(_only(sums, weight), data=data)]
        case "add", (int() as one, int() as other), _ if one in sums and other in sums:
            return [*sums[one], *sums[other]]
        case "permute_dims", (int() as id,), _ if id in sums:
            term = _only(sums, id)
            return [replace(term, parameter=term.parameter + "ᵀ", shape=mark.shape)]
        case "getitem" | "split", (int() as id,), (index,) if id in sums:
            part = _last_part(index, mark)
            return [term.cut(part) for term in sums[id]]
        case op, (int() as id,), _ if op in PASSED_ON and id in sums:
            return sums[id]
    raise _Unknown


def _only(sums: Mapping[int, list[_Term]], id: int) -> _Term:
    """Return what is a parameter, and no sum or product."""
    terms = sums.get(id, [])
    if len(terms) != 1 or terms[0].data is not None:
        raise _Unknown
    return terms[0]


def _last_part(index: Any, mark: Mark) -> slice:
    """Return the slice of the last axis that an index takes, all of the others being whole."""
    places = index if isinstance(index, tuple) else (index,)
    *before, last = places
    if len(places) != len(mark.shape) or not isinstance(last, slice) or any(place != slice(None) for place in before):
        raise _Unknown
    return last


def _in_letters(graph: Graph, mark: Mark, terms: list[_Term]) -> tuple[list[str], list[str]]:
    """Return the terms as they stand in an equation, inputs before states, and what their letters stand for."""
    short = all(len(term.parameter) <= SHORT and term.part is None for term in terms)
    step = step_of(mark.scope)
    gate = f"_{mark.label}" if mark.label in marks.GATES and step is not None else ""
    letters, named, meaning = iter(LETTERS), [], []
    for name, is_state, term in sorted(_named_data(graph, mark, terms), key=lambda data: data[1]):
        letter = term.parameter if short else ("U" if is_state else next(letters, "M")) + gate
        named.append(f"{letter}{term.sign}{name}" if term.first else f"{name} {letter}")
        meaning.append((letter, term.origin, term.shape))
    biases = [term for term in terms if term.data is None]
    if biases:
        letter = " + ".join(term.parameter for term in biases) if short else "b" + gate
        named.append(letter)
        meaning.append((letter, " + ".join(term.origin for term in biases), biases[0].shape))
    lines = [f"{letter} = {origin}, {marks.size(shape)}" for letter, origin, shape in meaning if letter != origin]
    return named, lines


def _named_data(graph: Graph, mark: Mark, terms: list[_Term]) -> list[tuple[str, bool, _Term]]:
    """Return the products of a layer with the names of what is multiplied, and whether that is a state.

    What has no name is x, but in a step the only one that is as large as what comes out is the state before.
    """
    read = [(term, _drawn(graph, mark, term.data)) for term in terms if term.data is not None]
    step, before, names = step_of(mark.scope), step_before(graph, mark.scope), ("x", "x′", "x″")
    alike = [data for _, data in read if data is not None and data.stored and data.shape == mark.shape]
    found, unnamed = [], 0
    for term, data in read:
        name = marks.name(graph, data) if data is not None else None
        is_state = data is not None and data.label in marks.STATES
        if name is None and before is not None and len(read) > 1 and alike == [data]:
            name, is_state = marks.subscripted("h", before), True
        elif name is None:
            name = names[min(unnamed, len(names) - 1)]
            name, unnamed = name if step is None else marks.subscripted(name, step), unnamed + 1
        found.append((name, is_state, term))
    return found


def _drawn(graph: Graph, mark: Mark, id: int) -> Mark | None:
    """Return the mark in a picture whose value a layer reads from one on the tape."""
    ids = {other.id for other in graph}
    waiting, seen = [id], set()
    while waiting:
        id = waiting.pop()
        if id in ids and id in mark.sources:
            return graph[id]
        if id not in seen and graph.record is not None and id in graph.record.marks:
            seen.add(id)
            waiting.extend(graph.record.marks[id].sources)
    return None


# A whole expression

SUM, PRODUCT, PREFIX, POWER, ATOM = range(5)
"""How tightly the last op of a text binds."""

INFIX = {"add": (" + ", SUM), "subtract": (" − ", SUM), "divide": (" / ", PRODUCT), "matmul": (" @ ", PRODUCT)}
POWERS = {"square": "²", "reciprocal": "⁻¹"}
EXPONENTS = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def expression(graph: Graph) -> str | None:
    """Return what is computed in the end as one line of mathematics; None if that would be too long.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.structure.ir import read
    >>> w, x, y = (tg.asarray(2.0, requires_grad=True).named(name) for name in "wxy")
    >>> with tg.Tape() as tape:
    ...     e = tg.tanh(w * x + 1) - y
    ...     L = (e * e).named("L")
    >>> expression(read(tape))
    'L = (tanh(w·x + 1) − y)²'
    """
    texts: dict[int, tuple[str, int] | None] = {}
    last = None
    for mark in graph:
        texts[mark.id] = _text(graph, mark, texts)
        last = mark
    end = texts[last.id] if last is not None else None
    if end is None or last is None or any(not graph.uses[mark.id] for mark in graph if mark is not last):
        return None
    return f"{last.label} = {end[0]}" if last.label else end[0]


def _text(graph: Graph, mark: Mark, texts: Mapping[int, tuple[str, int] | None]) -> tuple[str, int] | None:
    """Return the text of a mark and how tightly it binds, its arguments being known; None if it is too long."""
    if mark.stored:
        text = marks.number(mark.value) if mark.is_number else marks.stored_text(graph, mark)
        return text, PREFIX if text.startswith("−") else ATOM
    arguments = [None if id is None else texts[id] for id in mark.inputs]
    if mark.parts or not arguments or any(argument is None for argument in arguments):
        return None
    made = _made(mark, [argument for argument in arguments if argument is not None])
    return made if len(made[0]) <= LONGEST else None


def op(mark: Mark, names: list[str]) -> str:
    """Return one op of arguments by these names, as it stands on the right of an equation."""
    return _made(mark, [(name, ATOM) for name in names])[0]


def _made(mark: Mark, arguments: list[tuple[str, int]]) -> tuple[str, int]:
    """Return the text of an op of arguments."""
    dot = "·" if mark.shape == () else " ⊙ "
    match mark.op, arguments, mark.params:
        case "multiply", [a, _], _ if len(set(mark.inputs)) == 1:
            return _in_brackets(a, ATOM) + "²", POWER
        case "multiply", [a, b], _:
            return _in_brackets(a, PRODUCT) + dot + _on_the_right(b, PRODUCT), PRODUCT
        case op, [a, b], _ if op in INFIX:
            sign, tightness = INFIX[op]
            return _in_brackets(a, tightness) + sign + _on_the_right(b, tightness + (op != "add")), tightness
        case "negative", [a], _:
            return "−" + _in_brackets(a, PREFIX), PREFIX
        case op, [a], _ if op in POWERS:
            return _in_brackets(a, ATOM) + POWERS[op], POWER
        case "pow", [a], (int() | float() as exponent,):
            text = marks.number(exponent)
            raised = "^" + text if "." in text or "e" in text else text.translate(EXPONENTS)
            return _in_brackets(a, ATOM) + raised, POWER
        case (("getitem" | "split"), [a], (index,)):
            return _in_brackets(a, ATOM) + ("[…]" if marks.indices(mark) else marks.part(index)), ATOM
        case "abs", [a], _:
            return f"|{a[0]}|", ATOM
    name = {"sqrt": "√", "sum": "Σ"}.get(mark.op) or marks.GLYPHS.get(mark.op, mark.op)
    return f"{name}({', '.join(text for text, _ in arguments)})", ATOM


def _in_brackets(text: tuple[str, int], tightness: int) -> str:
    """Return a text in brackets unless it binds as tightly as it must."""
    return text[0] if text[1] >= tightness else f"({text[0]})"


def _on_the_right(text: tuple[str, int], tightness: int) -> str:
    """Return the text of a second operand: two signs do not stand together."""
    return _in_brackets(text, ATOM + 1 if text[0].startswith("−") else tightness)
