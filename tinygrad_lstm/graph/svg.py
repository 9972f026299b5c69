"""What Graphviz draws, made fit for the web: an SVG that stands alone, says what it shows, and has a theme or two."""

from __future__ import annotations

import html
import re
import zlib
from collections import Counter
from collections.abc import Iterable

from .dot import clean
from .ir import Graph
from .theme import with_both_themes
from .view import Theme

__all__ = ["described", "finished"]

NAMED = 8
"""How many ops, inputs or results a description names."""

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def finished(svg: str, theme: Theme, title: str, description: str) -> str:
    """Return an SVG of Graphviz's with a title and a description, and without what is not for readers.

    That is the address of a document type on another machine, the version of Graphviz, and the names of nodes, which a
    browser would show at the mouse in place of the tooltips.

    >>> print(finished('<!DOCTYPE svg><svg width="9pt"><g id="n1" class="node"><title>n1</title></g></svg>',
    ...       "light", "An op", "One op"))
    <?xml version="1.0" encoding="UTF-8"?>
    <svg width="9pt" role="img" aria-labelledby="tc9470d82 dc9470d82"><title id="tc9470d82">An op</title>
    <desc id="dc9470d82">One op</desc>
    <g id="n1" class="node"></g></svg>
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<title>[^<]*</title>\n?", "", svg)
    svg = re.sub(r'<a xlink:title="([^"]*)">\n?', r"<title>\1</title>\n", svg).replace("</a>\n", "")
    svg = svg.replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    if theme == "auto":
        svg = with_both_themes(svg)
    mark = f"{zlib.crc32(svg.encode()):08x}"  # other pictures on the same page have titles too
    tag = f' role="img" aria-labelledby="t{mark} d{mark}"'
    said = f'<title id="t{mark}">{_text(title)}</title>\n<desc id="d{mark}">{_text(description)}</desc>\n'
    return HEAD + re.sub(r"(<svg\b[^>]*)>", lambda opening: f"{opening[1]}{tag}>{said}", svg, count=1)


def _text(text: str) -> str:
    """Return a text as it stands between two tags."""
    return html.escape(clean(text), quote=False)


def described(graph: Graph) -> str:
    """Return what is in a picture, in words.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.ir import read
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
