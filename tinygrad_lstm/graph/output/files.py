"""`draw`: what was computed as a picture, in one call, as files of every kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..layout import laid_out
from ..structure.ir import Drawable, read
from ..view import Options, View
from .html import page
from .render import DRAWN, RenderError
from .svg import described

if TYPE_CHECKING:
    from .source import Picture

__all__ = ["FORMATS", "draw", "numbers"]

FORMATS = (*DRAWN, "dot", "html")


def draw(thing: Drawable, *files: str | os.PathLike[str], **options: Unpack[Options]) -> Picture:
    """Draw what a tape recorded, or what a tensor was computed from.

    A recurrence with a cell state is drawn as on a blackboard: a box for each step, gates with their names, the cell
    state as a straight belt on top. Anything else is drawn op by op, with a box for each scope.

    Parameters
    ----------
    thing
        A `Tape`, or a `Tensor` with a history. A tensor's history knows neither numbers nor what needs no gradient.
    files
        Where to write the picture; the suffix says as what: ``.svg``, ``.png``, ``.pdf``, ``.dot``, or ``.html`` for a
        page that goes through the computation step by step, with all numbers.
    options
        What is drawn, and how: those of `View`.

    Returns
    -------
    Picture
        A `graphviz.Source`; a notebook shows it, and ``str`` of it is the DOT text, the same on every run.

    Raises
    ------
    ValueError
        If nothing was recorded, or a suffix is unknown.
    RenderError
        If neither the program ``dot`` nor pygraphviz is there, or the picture is too large or takes too long. All other
        files are written first, and the source beside each that could not be drawn, unless another file has its name.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> with tg.Tape() as tape:
    ...     output, state = tg.nn.LSTM(2, 3)(tg.ones((4, 1, 2)))
    >>> picture = tape.draw(title="Four steps")
    >>> picture.source.count("forget")
    4
    >>> belt = tape.draw(highlight="c")  # all but the cell state is pale
    >>> belt.source.count(" pale") > picture.source.count(" pale") == 0
    True
    """
    from .source import Picture

    paths = [Path(file) for file in files]
    for path in paths:
        if path.suffix[1:].lower() not in FORMATS:
            raise ValueError(f"draw: got the file {path.name}, wanted one of {', '.join('.' + f for f in FORMATS)}.")
    view = View(**options)
    layout = laid_out(thing, view)
    picture = Picture(
        layout.text,
        theme=view.theme,
        title=layout.title.strip() or "A computation",
        description=described(layout.graph),
    )
    failed = list(filter(None, [_write(path, picture, lambda: _page(thing, options)) for path in paths]))
    if failed:
        raise RenderError(" ".join(dict.fromkeys(sentence for sentences in failed for sentence in sentences)))
    return picture


def numbers(thing: Drawable) -> Options:
    """Return the options that show the values that are known, and the gradients if there are any."""
    return {"values": True, "grads": any(mark.grad is not None for mark in read(thing))}


def _page(thing: Drawable, options: Options) -> str:
    """Return the page of a picture, which shows values and gradients unless it is told not to."""
    shown = numbers(thing)
    shown.update(options)
    view = View(**shown)
    return page(laid_out(thing, view), view.theme)


def _write(path: Path, picture: Picture, page: Callable[[], str]) -> tuple[str, ...]:
    """Write a picture; if it cannot be drawn, write its source beside it, and say why and where that is."""
    form = path.suffix[1:].lower()
    try:
        content = page().encode() if form == "html" else str(picture).encode() if form == "dot" else picture.pipe(form)
    except RenderError as error:
        return str(error), _written_beside(path, str(picture))
    path.write_bytes(content)
    return ()


def _written_beside(path: Path, text: str) -> str:
    """Write the source of a picture unless somebody else's file has its name, and say which it was."""
    source = path.with_suffix(".dot")
    if source.exists() and source.read_bytes() != text.encode():
        return f"The source of {path.name} is not written, for there is another {source} already."
    source.write_bytes(text.encode())
    return f"The source of {path.name} is in {source}."
