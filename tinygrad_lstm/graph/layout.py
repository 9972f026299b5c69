"""The choice of a picture: from a tape to DOT, at the level and in the layout that suit it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple, Unpack

from .layouts.cells import cells
from .layouts.flow import flow, suits
from .layouts.lanes import lanes
from .layouts.scoped import scoped
from .looks.backward import expect_gradients
from .looks.formulas import explained, expression
from .looks.highlight import highlight
from .looks.marks import Title
from .looks.theme import themed
from .structure.chains import looped
from .structure.ir import Drawable, Graph, read
from .structure.levels import Shown, shown
from .structure.recurrence import step_of, with_steps
from .structure.unrolling import unrolled, unswept
from .view import Options, View

__all__ = ["Layout", "laid_out", "to_dot"]


class Layout(NamedTuple):
    """A picture as DOT, the marks that it shows, and its title."""

    text: str
    graph: Graph
    title: str


def to_dot(thing: Drawable, **options: Unpack[Options]) -> str:
    """Return the picture of a tape, or of a tensor's history, as a text in Graphviz's language.

    The same program gives the same text on every run. The parameters are those of `draw`.

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
    tape = with_steps(looped(read(thing)))
    expect_gradients(tape, view)
    seen = _seen(tape, view)
    graph = explained(seen.graph)
    title = _title(tape) if view.title is None else view.title
    if not title and not seen.note and view.title is None and suits(graph, view):
        title = expression(graph) or ""
    if seen.note:
        title = Title(title, seen.note)
    if seen.places is not None:
        dot = cells(graph, seen.chains, seen.places, title, view)
    elif suits(graph, view):
        dot = flow(graph, title, view)
    elif seen.level != "op" and all(loop.name for loop in seen.loops) and (found := unrolled(graph)) is not None:
        dot = lanes(graph, found, title, view, seen.loops)
    else:
        dot = scoped(graph, title, view, seen.loops)
    if view.highlight:
        highlight(dot, graph, [view.highlight] if isinstance(view.highlight, str) else view.highlight)
    return Layout(themed(dot.text(), view.theme), graph, title)


def _seen(tape: Graph, view: View) -> Shown:
    """Return what a view shows; a recurrence without the backward pass that was recorded beside it, if that can be."""
    seen = shown(tape, view)
    if seen.level != "op" and view.direction != "both" and (forward := unswept(tape)) is not tape:
        bare = shown(forward, view)
        if unrolled(bare.graph) is not None:
            note = "the recorded backward pass is left out"
            return replace(bare, note="; ".join(filter(None, [bare.note, note])))
    return seen


def _title(graph: Graph) -> str:
    """Return the name of the outermost module, and the number of steps."""
    names = {mark.scope[0]: None for mark in graph if mark.scope and not mark.is_swept}
    steps = {step_of(mark.scope) for mark in graph} - {None}
    counted = f"{len(steps)} step{'s' if len(steps) > 1 else ''}" if steps else ""
    return ", ".join(filter(None, [*names, counted] if len(names) == 1 else [counted]))
