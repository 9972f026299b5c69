"""What is seen of training, and how it is stopped: a bar on the terminal, and Ctrl-C between two updates."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from ..charlm import Update
from ..data import Progress

__all__ = ["interruptible", "progress"]


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Give a function that tells whether Ctrl-C was pressed; a second Ctrl-C interrupts as ever."""
    pressed = threading.Event()

    def note(*_: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def progress(updates: Iterable[Update], total: int) -> Iterator[Update]:
    """Give updates as they are done, and move a bar by each; nothing is drawn where stderr is no terminal."""
    characters, started = 0, time.perf_counter()
    bar = Progress(updates, total=total, unit="updates")
    for update in bar:
        characters += update.characters
        speed = characters / (time.perf_counter() - started)
        bar.show(**{"bits/char": update.loss / math.log(2), "chars/s": speed})
        yield update
