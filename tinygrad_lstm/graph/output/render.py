"""DOT drawn by Graphviz: by the program on this machine, or else by the libraries that pygraphviz brings along."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

from ..view import Theme
from . import libraries
from .svg import finished

__all__ = ["DRAWN", "RenderError", "drawn", "render"]

DRAWN = ("svg", "png", "pdf")
"""What Graphviz makes of DOT."""

DPI = 110
"""Of bitmaps: sharp in a document, and not larger than a screen for a few steps."""

TIME_LIMIT = 60
"""Seconds after which Graphviz is stopped."""

QUICK = 600
"""What has more statements is drawn in a process of its own, for libraries in this one cannot be stopped."""

MOST = 1500
"""What has more marks is not drawn."""

UNHEARD = ("Fontconfig warning", "Warning: graph has")
"""What the libraries think of how this machine's fonts are configured, and pygraphviz of large graphs."""

_in_process = threading.Lock()
"""Graphviz's libraries end the whole process if two threads draw at once."""


class RenderError(RuntimeError):
    """There is no Graphviz, or it could not draw; the message says what to do."""


DATE = re.compile(rb"/CreationDate \(D:[^)]*\)")
"""When a PDF was drawn, which it says, so that it would be another on every run."""


def render(text: str, form: str, *, theme: Theme = "light", title: str = "", description: str = "") -> bytes:
    """Return DOT text drawn as ``svg``, ``png`` or ``pdf``; an SVG says what it shows and has its theme."""
    content = drawn(text, form)
    if form == "svg":
        return finished(content.decode(), theme, title, description).encode()
    return DATE.sub(lambda date: b" " * len(date[0]), content) if form == "pdf" else content


def drawn(text: str, form: str) -> bytes:
    """Return what Graphviz makes of DOT text.

    Raises
    ------
    RenderError
        If there is nothing to draw with, or the picture is too large, or Graphviz fails or takes too long.
    """
    count = len(re.findall(r'^ *"[^"]*" \[(?!shape="point")', text, flags=re.MULTILINE))
    if count > MOST:
        raise RenderError(
            f"draw: this picture has {count:,} marks, and more than {MOST:,} can be neither laid out in time nor read; "
            "draw fewer steps, or at a level that shows less."
        )
    arguments = [f"-Gdpi={DPI}"] if form == "png" else []
    program = shutil.which("dot")
    if program is not None:
        return _by_program([program, f"-T{form}", *arguments], text)
    if importlib.util.find_spec("pygraphviz") is None:
        raise RenderError(
            "draw: found neither Graphviz's program dot nor pygraphviz: pip install pygraphviz, or install Graphviz."
        )
    if text.count("\n") <= QUICK:
        return _by_libraries(text, form, arguments)
    path = os.pathsep.join(filter(None, sys.path))
    return _by_program([sys.executable, "-P", libraries.__file__, form, *arguments], text, {"PYTHONPATH": path})


def _by_program(command: Sequence[str], text: str, environment: Mapping[str, str] | None = None) -> bytes:
    """Return what a program makes of DOT text."""
    try:
        done = subprocess.run(
            command,
            input=text.encode(),
            capture_output=True,
            timeout=TIME_LIMIT,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        raise RenderError(f"draw: Graphviz was not done after {TIME_LIMIT} seconds; draw fewer steps.") from None
    _judge(done.stderr, failed=done.returncode != 0)
    return done.stdout


def _by_libraries(text: str, form: str, arguments: Sequence[str]) -> bytes:
    """Return what Graphviz's libraries make of DOT text, here and now."""
    content, reason = b"", ""
    with _in_process, tempfile.TemporaryFile() as said:
        with _stderr_into(said):
            try:
                content = libraries.drawn(text, form, *arguments)
            except ValueError as error:
                reason = str(error)
        said.seek(0)
        _judge(said.read() or reason.encode(), failed=bool(reason))
    return content


@contextlib.contextmanager
def _stderr_into(file: IO[bytes]) -> Iterator[None]:
    """Let what anybody writes to stderr inside go into a file, C libraries too."""
    saved = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _judge(said: bytes, failed: bool) -> None:
    """Raise what Graphviz called an error, though it may have gone on after it; pass on what else it remarked."""
    lines = [line for line in said.decode(errors="replace").splitlines() if not line.startswith(UNHEARD)]
    if failed or any(line.startswith("Error") for line in lines):
        raise RenderError(f"draw: Graphviz failed: {' '.join(lines).strip(' .')}.")
    for line in lines:
        pass_on(line)


def pass_on(remark: str) -> None:
    """Let somebody hear what Graphviz remarked."""
    print(remark, file=sys.stderr)
