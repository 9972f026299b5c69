"""What is seen of training, and how it is stopped: a bar on the terminal, and Ctrl-C between two updates."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator

from tqdm import tqdm

from ..charlm import Update

__all__ = ["interruptible", "progress"]

EVERY = 10
"""After how many updates the loss is read; reading it makes a GPU wait."""


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


@contextlib.contextmanager
def progress(updates: int) -> Iterator[Callable[[Update], None]]:
    """Give a function that moves a bar by one update; nothing is drawn where stderr is no terminal."""
    characters, started = 0, time.perf_counter()
    layout = "{percentage:3.0f}% {bar} {n_fmt}/{total_fmt} updates, {remaining} left{postfix}"
    with tqdm(total=updates, bar_format=layout, smoothing=0.1, disable=None, dynamic_ncols=True) as line:

        def show(update: Update) -> None:
            nonlocal characters
            characters += update.characters
            if not line.disable and line.n % EVERY == 0:
                bits, speed = update.loss.item() / math.log(2), characters / (time.perf_counter() - started)
                line.set_postfix_str(f"{bits:.2f} bits/char, {speed:,.0f} chars/s", refresh=False)
            line.update()

        yield show
