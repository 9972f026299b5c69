"""What a notebook shows of a tape and of a tensor: a picture where there is Graphviz, and always a text."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from ...tape import Node, Tape
from ..structure.ir import Drawable
from ..structure.levels import FEW
from ..view import Options
from .files import draw, numbers

__all__ = ["bundle", "some_lines"]

MOST = 2000
"""A tape or a history of more nodes is not drawn unless somebody asks for it."""

LINES = 60
"""So much of a table is shown."""

SVG = "image/svg+xml"


def bundle(
    thing: Drawable, text: str, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
) -> dict[str, Any]:
    """Return a tape or a tensor as a notebook shows it, by media type: its picture in both themes, and a text.

    What cannot be drawn, and what would take long, is a text alone; what is small has its numbers.
    """
    wanted = SVG not in (exclude or ()) and (include is None or SVG in include)
    count = _count(thing)
    if not wanted or _in_terminal() or not 0 < count <= MOST:
        return {"text/plain": text}
    options: Options = numbers(thing) if count <= FEW else {}
    options["theme"] = "auto"
    return {**draw(thing, **options)._repr_mimebundle_([SVG]), "text/plain": text}


def some_lines(text: str) -> str:
    r"""Return a text, or its first lines and how many there are if they are many.

    >>> some_lines("\n".join(map(str, range(1000))))[-25:]
    '57\n58\n59\n… 940 more lines'
    """
    lines = text.split("\n")
    more = [f"… {len(lines) - LINES:,} more lines"] if len(lines) > LINES else []
    return "\n".join(lines[:LINES] + more)


def _count(thing: Drawable) -> int:
    """Return how many nodes there are to draw, counted no further than needed."""
    if isinstance(thing, Tape):
        return len(thing)
    seen: set[int] = set()
    waiting: list[Any] = [thing.node]
    while waiting and len(seen) <= MOST:
        node = waiting.pop()
        if isinstance(node, Node) and node.seq not in seen:
            seen.add(node.seq)
            waiting.extend(node.parents)
    return len(seen)


def _in_terminal() -> bool:
    """Tell whether an IPython asks that can show text alone: it asks for everything even then."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and shell.display_formatter.active_types == ["text/plain"]
