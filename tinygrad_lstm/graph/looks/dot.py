"""Writing Graphviz's language: statements, attributes, nested boxes, and every text quoted so that it stays text."""

from __future__ import annotations

import contextlib
import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

__all__ = ["Html", "Statement", "Tooltip", "Writer", "clean", "clipped", "escaped", "token"]

LONGEST = 18
"""How many characters of a name are shown; the whole name is in the tooltip."""


class Html(str):
    """An HTML-like label, which stands between < and >: every text in it has gone through `escaped`."""


class Tooltip(str):
    """Lines of any text, for an attribute that Graphviz unescapes twice."""


def clean(text: str) -> str:
    r"""Return a text as one line that XML can hold: what it cannot is shown as a box, an end of line as its sign.

    >>> clean("a\nb\x00")
    'a⏎b□'
    """
    lines = re.sub(r"\r\n?|[\n\v\f\x85\u2028\u2029]", "⏎", text).replace("\t", " ")
    return "".join("□" if unicodedata.category(char) in ("Cc", "Cs", "Cn") else char for char in lines)


def clipped(text: str) -> str:
    """Return a text cleaned, and cut if it is long.

    >>> clipped("the_name_of_a_parameter")
    'the_name_of_a_par…'
    """
    text = clean(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def escaped(text: str) -> str:
    r"""Return a text as it stands in an HTML-like label: backslashes are escapes there too.

    >>> escaped('<b> & "c\\n"')
    '&lt;b&gt; &amp; &quot;c\\\\n&quot;'
    """
    return html.escape(clean(text), quote=True).replace("'", "&#39;").replace("\\", "\\\\")


def token(text: str) -> str:
    """Return a text as one word for a class of an SVG element.

    >>> token("log softmax/2")
    'log-softmax-2'
    """
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)


def _value(value: Any) -> str:
    """Return the value of an attribute, by its type: HTML-like, a tooltip, a number, or else plain text."""
    match value:
        case Html():
            return f"<{value}>"
        case Tooltip():
            lines = (clean(line).replace("&", "&amp;").replace("\\", "\\" * 4) for line in value.split("\n"))
            return '"' + "\\n".join(line.replace('"', '\\"') for line in lines) + '"'
        case int() | float():
            return f"{value:g}"
        case _:
            return '"' + clean(value).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') + '"'


class Statement(NamedTuple):
    """A statement with attributes.

    Attributes
    ----------
    indent
        The blank before it.
    what
        What it is about, as it is written.
    nodes
        The names of the nodes that it is about: one, the two ends of an edge, or none.
    attributes
        The attributes by their names.
    """

    indent: str
    what: str
    nodes: tuple[str, ...]
    attributes: dict[str, Any]

    def __str__(self) -> str:
        listed = " ".join(f"{name.rstrip('_')}={_value(value)}" for name, value in self.attributes.items())
        return f"{self.indent}{self.what}{f' [{listed}]' if listed else ''};"


class Writer:
    r"""Collect the statements of one digraph.

    >>> dot = Writer()
    >>> dot.node("n1", label='say "hi"')
    >>> dot.edge("n1", "n2", weight=5)
    >>> print(dot.text())
    digraph {
      "n1" [label="say \"hi\""];
      "n1" -> "n2" [weight=5];
    }
    <BLANKLINE>
    """

    def __init__(self) -> None:
        self._lines: list[str | Statement] = []
        self._depth = 0

    @property
    def _indent(self) -> str:
        return "  " * (self._depth + 1)

    def _statement(self, what: str, attributes: dict[str, Any], *nodes: str) -> None:
        self._lines.append(Statement(self._indent, what, nodes, attributes))

    @property
    def statements(self) -> Iterator[Statement]:
        """The nodes and edges so far, whose attributes may still be changed."""
        return (line for line in self._lines if isinstance(line, Statement) and line.nodes)

    def defaults(self, kind: str, **attributes: Any) -> None:
        """Set attributes of the graph or box (``"graph"``), or of all its nodes or edges to come."""
        self._statement(kind, attributes)

    def node(self, name: str, **attributes: Any) -> None:
        """Write a node; ``class_`` stands for the attribute ``class``."""
        self._statement(f'"{name}"', attributes, name)

    def edge(self, tail: str, head: str, **attributes: Any) -> None:
        """Write an edge."""
        self._statement(f'"{tail}" -> "{head}"', attributes, tail, head)

    def same_rank(self, names: Iterable[str]) -> None:
        """Put nodes into one row (or column, if ranks run from left to right)."""
        self._lines.append(f"{self._indent}{{ rank=same; " + " ".join(f'"{name}";' for name in names) + " }")

    def open(self, name: str, **attributes: Any) -> None:
        """Begin a box: what is written until it is closed stands in it."""
        self._lines.append(f'{self._indent}subgraph "cluster_{name}" {{')
        self._depth += 1
        self.defaults("graph", **attributes)

    def close(self, depth: int) -> None:
        """End boxes until so many are open."""
        while self._depth > depth:
            self._depth -= 1
            self._lines.append(f"{self._indent}}}")

    @contextlib.contextmanager
    def box(self, name: str, **attributes: Any) -> Iterator[None]:
        """Draw a box around what is written inside."""
        outer = self._depth
        self.open(name, **attributes)
        yield
        self.close(outer)

    def text(self) -> str:
        """Return the whole digraph."""
        return "\n".join(["digraph {", *map(str, self._lines), "}", ""])
