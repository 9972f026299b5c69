"""What Graphviz draws, made fit for the web: an SVG that says what it shows, in a theme or both, alone or in a page."""

from __future__ import annotations

import html
import re
import zlib
from collections import Counter
from collections.abc import Iterable

from ..looks.dot import clean
from ..looks.theme import with_both_themes
from ..structure.ir import Graph
from ..view import Theme

__all__ = ["described", "finished", "inlined"]

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'

NAMED = 8
"""How many ops, inputs or results a description names."""


def finished(svg: str, theme: Theme, title: str, description: str) -> str:
    """Return an SVG of Graphviz's as a file, with a title and a description.

    >>> print(finished('<!DOCTYPE svg><svg width="9pt"><g id="n1" class="node"><title>n1</title></g></svg>',
    ...       "light", "An op", "One op"))
    <?xml version="1.0" encoding="UTF-8"?>
    <svg width="9pt" role="img" aria-labelledby="tc9470d82 dc9470d82"><title id="tc9470d82">An op</title>
    <desc id="dc9470d82">One op</desc>
    <g id="n1" class="node"></g></svg>
    """
    svg = _themed(re.sub(r"<title>[^<]*</title>\n?", "", _image(svg)), theme)
    mark = f"{zlib.crc32(svg.encode()):08x}"  # other pictures on the same page have titles too
    attributes = f' role="img" aria-labelledby="t{mark} d{mark}"'
    said = f'<title id="t{mark}">{_text(title)}</title>\n<desc id="d{mark}">{_text(description)}</desc>\n'
    return HEAD + _tooltips(re.sub(r"(<svg\b[^>]*)>", lambda tag: f"{tag[1]}{attributes}>{said}", svg, count=1))


def inlined(svg: str, theme: Theme, title: str) -> str:
    """Return an SVG of Graphviz's as a part of a page that sets its size; nodes and edges have their names as data.

    >>> svg = '<svg width="9pt" height="9pt" viewBox="0 0 9 9"><g id="n1" class="node"><title>n1</title></g></svg>'
    >>> print(inlined(svg, "light", "An op"))
    <svg viewBox="0 0 9 9" role="img" aria-label="An op"><g id="n1" class="node" data-name="n1"></g></svg>
    """
    svg = re.sub(r">\n?<title>([^<]*)</title>\n?", r' data-name="\1">', _image(svg))
    svg = re.sub(r'(<svg\b[^>]*?) width="[^"]*" height="[^"]*"', r"\1", _themed(svg, theme), count=1)
    attributes = f' role="img" aria-label="{html.escape(clean(title))}"'
    return _tooltips(re.sub(r"(<svg\b[^>]*)>", lambda tag: f"{tag[1]}{attributes}>", svg, count=1))


def _image(svg: str) -> str:
    """Return an SVG without what is not for readers: the address of its document type, and remarks of Graphviz's."""
    svg = re.sub(r"<!--.*?-->\n?", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    return svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")


def _tooltips(svg: str) -> str:
    """Return an SVG with its tooltips as titles, which every browser shows, in place of links that lead nowhere."""
    return re.sub(r'<a(?: xlink:href="#")? xlink:title="([^"]*)">\n?', r"<title>\1</title>\n", svg).replace(
        "</a>\n", ""
    )


def _themed(svg: str, theme: Theme) -> str:
    """Return an SVG with the second theme, if it is to have one."""
    return with_both_themes(svg) if theme == "auto" else svg


def _text(text: str) -> str:
    """Return a text as it stands between two tags."""
    return html.escape(clean(text), quote=False)


def described(graph: Graph) -> str:
    """Return what is in a picture, in words.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.structure.ir import read
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    >>> with tg.Tape() as tape:
    ...     y = (x * x).sum().named("y")
    >>> described(read(tape))
    '2 ops, from x to y: multiply, sum'
    """
    computed = [mark for mark in graph if not mark.stored]
    counts = Counter(mark.op for mark in computed)
    ops = ", ".join(op if count == 1 else f"{count} {op}" for op, count in counts.most_common(NAMED))
    stored = dict.fromkeys(mark.label for mark in graph if mark.stored and mark.label and not mark.is_number)
    results = dict.fromkeys(mark.label for mark in computed if mark.label and not graph.uses[mark.id])
    ends = " ".join(f"{word} {_listed(names)}" for word, names in (("from", stored), ("to", results)) if names)
    more = " and more" if len(counts) > NAMED else ""
    return f"{len(computed):,} op{'s' * (len(computed) != 1)}{', ' + ends if ends else ''}: {ops}{more}"


def _listed(names: Iterable[str]) -> str:
    """Return names as a list, not too long."""
    names = list(names)
    return ", ".join(names[:NAMED]) + (" and more" if len(names) > NAMED else "")
