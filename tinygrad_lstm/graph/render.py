"""Pictures as files: the DOT text through Graphviz, the one on this machine or the one that pygraphviz brings along."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from .ir import Drawable
from .layout import to_dot
from .view import Options

if TYPE_CHECKING:
    from .source import Picture

__all__ = ["draw", "render"]

FORMATS = ("svg", "png", "pdf", "dot")
DPI = 110
"""Of bitmaps: sharp in a document, and not larger than a screen for a few steps."""

TIME_LIMIT = 120
"""Seconds after which the machine's Graphviz is stopped."""

_in_process = threading.Lock()
"""Graphviz's libraries end the whole process if two threads draw at once."""


class RenderError(RuntimeError):
    """There is no Graphviz, or it could not draw; the message says what to do."""


def draw(thing: Drawable, *files: str | os.PathLike[str], **options: Unpack[Options]) -> Picture:
    """Draw what a tape recorded, or what a tensor was computed from.

    A recurrence with a cell state is drawn as on a blackboard: a box for each step, gates with their names, the cell
    state as a straight belt on top. Anything else is drawn op by op, with a box for each scope.

    Parameters
    ----------
    thing
        A `Tape`, or a `Tensor` with a history. A tensor's history knows neither numbers nor what needs no gradient.
    files
        Where to write the picture; the suffix says as what: ``.svg``, ``.png``, ``.pdf`` or ``.dot``.
    options
        What is drawn, and how: those of `View`.

    Returns
    -------
    Picture
        A `graphviz.Source`; a notebook shows it.

    Raises
    ------
    ValueError
        If nothing was recorded, or a suffix is unknown.
    RenderError
        If neither the program ``dot`` nor pygraphviz is there; the source is then written beside the file.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> with tg.Tape() as tape:
    ...     output, state = tg.nn.LSTM(2, 3)(tg.ones((4, 1, 2)))
    >>> picture = tape.draw(title="Four steps")
    >>> picture.source.count("forget")
    4
    """
    from .source import Picture

    paths = [Path(file) for file in files]
    for path in paths:
        if path.suffix[1:].lower() not in FORMATS:
            raise ValueError(f"draw: got the file {path.name}, wanted one of {', '.join('.' + f for f in FORMATS)}.")
    text = to_dot(thing, **options)
    for path in paths:
        _write(text, path)
    return Picture(text)


def _write(text: str, path: Path) -> None:
    """Write a picture; if it cannot be drawn, its source beside it."""
    form = path.suffix[1:].lower()
    try:
        content = text.encode() if form == "dot" else render(text, form)
    except RenderError as error:
        source = path.with_suffix(".dot")
        source.write_text(text, encoding="utf-8")
        raise RenderError(f"{error} The source of {path.name} is in {source}.") from None
    path.write_bytes(content)


def render(text: str, form: str) -> bytes:
    """Return DOT text drawn as ``svg``, ``png`` or ``pdf``."""
    resolution = [f"-Gdpi={DPI}"] if form == "png" else []
    program = shutil.which("dot")
    if program is not None:
        return _by_program([program, f"-T{form}", *resolution], text)
    try:
        import pygraphviz
    except ImportError:
        raise RenderError(
            "draw: found neither Graphviz's program dot nor pygraphviz: pip install 'tinygrad-lstm[draw]', or install "
            "Graphviz."
        ) from None
    with _in_process, _without_remarks_on_fonts():
        graph = pygraphviz.AGraph(string=text)
        try:
            return graph.draw(format=form, prog="dot", args=" ".join(resolution))
        finally:
            graph.close()


@contextlib.contextmanager
def _without_remarks_on_fonts() -> Iterator[None]:
    """Pass on what libraries write to stderr, but for what they think of how this machine's fonts are configured."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            written.seek(0)
            for line in written:
                if not line.startswith(b"Fontconfig warning"):
                    os.write(2, line)


def _by_program(command: list[str], text: str) -> bytes:
    """Return what the program dot makes of a text."""
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=TIME_LIMIT, check=True)
    except subprocess.TimeoutExpired:
        raise RenderError(f"draw: Graphviz was not done after {TIME_LIMIT} seconds; draw fewer steps.") from None
    except subprocess.CalledProcessError as error:
        raise RenderError(f"draw: Graphviz failed: {error.stderr.decode(errors='replace').strip()}.") from None
    return done.stdout
