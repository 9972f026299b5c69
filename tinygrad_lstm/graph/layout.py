"""The choice of a picture: from a tape to DOT, at the level and in the layout that suit it."""

from __future__ import annotations

from typing import NamedTuple, Unpack

from .backward import expect_gradients
from .flow import flow, suits
from .folding import chosen, fold, within
from .formulas import explained, expression
from .ir import SWEPT, Drawable, Graph, read
from .lanes import lanes
from .marks import Title
from .recurrence import step_of, unrolled, with_steps
from .scoped import scoped
from .simplify import gate_level
from .theme import themed
from .view import Level, Options, View

__all__ = ["Layout", "laid_out", "to_dot"]

FEW = 25
"""So many ops are shown one by one."""


class Layout(NamedTuple):
    """A picture as DOT, the marks that it shows, and its title."""

    text: str
    graph: Graph
    title: str


def to_dot(thing: Drawable, **options: Unpack[Options]) -> str:
    """Return the picture of a tape, or of a tensor's history, as a text in Graphviz's language.

    The same program gives the same text on every run. The options are those of `View`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray(2.0, requires_grad=True).named("x")
    >>> with tg.Tape() as tape:
    ...     y = (x * x).named("y")
    >>> to_dot(tape).splitlines()[0]
    'digraph {'
    """
    return laid_out(thing, View(**options)).text


def laid_out(thing: Drawable, view: View) -> Layout:
    """Return the picture of a tape, or of a tensor's history."""
    graph = with_steps(read(thing))
    expect_gradients(graph, view)
    title = _title(graph) if view.title is None else view.title
    level = view.level or _fitting(graph)
    graph = fold(graph, chosen(graph, level, view.fold, view.unfold))
    if level != "op":
        graph = gate_level(graph)
    graph, note = within(graph, view.limit, view.unfold)
    if note:
        title = Title(title, note)
    graph = explained(graph)
    found = None if level == "op" else unrolled(graph)
    if suits(graph, view):
        if not title and not note and view.title is None:
            title = expression(graph) or ""
        text = flow(graph, title, view)
    else:
        text = scoped(graph, title, view) if found is None else lanes(graph, found, title)
    return Layout(themed(text, view.theme), graph, title)


def _fitting(graph: Graph) -> Level:
    """Return the level at which a graph is legible."""
    computed = [mark for mark in graph if not mark.stored]
    return "op" if len(computed) <= FEW and not any(step_of(mark.scope) for mark in computed) else "gate"


def _title(graph: Graph) -> str:
    """Return the name of the outermost module, and the number of steps."""
    names = {mark.scope[0]: None for mark in graph if mark.scope and mark.scope[0] != SWEPT}
    steps = {step_of(mark.scope) for mark in graph} - {None}
    counted = f"{len(steps)} step{'s' if len(steps) > 1 else ''}" if steps else ""
    return ", ".join(filter(None, [*names, counted] if len(names) == 1 else [counted]))
