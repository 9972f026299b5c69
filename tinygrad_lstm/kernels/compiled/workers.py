"""The threads that help: how many, when they are woken, and on which cores.

They are Python's, and spend their time in `team.serve`, without Python's lock. They look for work for a moment after
the last, and then sleep: unlike OpenBLAS's and OpenMP's they take a core from nobody for long.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import threading
import time
from queue import SimpleQueue

from ...backend import Array, xp
from .team import CLOSED, LISTENS, WORDS, serve

__all__ = ["NOBODY", "helpers", "team_for"]

LITTLE = 4_000_000
"""Operations that one thread does sooner than others could be asked to help."""

LARGE = 16
"""Sequences that a part should have, so that a weight serves many of them when it has come from memory."""

MUCH, BRIEF = 100_000, 500_000
"""Bytes of weights for a sequence from which on they are better divided than read by every thread, and operations of a
step that are worth a meeting."""

PATIENCE = 10_000
"""Pauses for which a thread looks for work, some tenths of a millisecond."""

SOON = 2e-4
"""Seconds within which work follows other, so that it pays to wake helpers for both."""


def _cores() -> int:
    """Return how many threads to use: what ``OMP_NUM_THREADS`` says, else the cores that this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()  # the first is for the outermost level
    if asked.isascii() and asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


CORES = _cores()
NOBODY: Array = xp.zeros(0, "int64")
"""A team without helpers."""

_cpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None
_starting = threading.Lock()


class _Team:
    """Threads that sleep until somebody wakes them: as many as were asked for, or as the system lets start."""

    def __init__(self, helpers: int) -> None:
        self.words: Array = xp.zeros(WORDS, "int64")
        self.helpers = 0
        self.calls: SimpleQueue[None] = SimpleQueue()
        self.ids: list[int] = []
        self.avoided = (-1, 0)
        self.asked = 0.0
        with contextlib.suppress(RuntimeError):  # the system has no more threads, or the interpreter is ending
            for n in range(helpers):
                threading.Thread(target=self._help, name=f"tinygrad_lstm_{n}", daemon=True).start()
                self.helpers += 1

    def _help(self) -> None:
        self.ids.append(threading.get_native_id())
        while True:
            self.calls.get()
            serve(self.words, PATIENCE)

    def wake(self) -> None:
        """Wake the threads that sleep; they come when they can."""
        for _ in range(self.helpers - int(self.words[LISTENS]) - self.calls.qsize()):
            self._keep_away()
            self.calls.put(None)

    def _keep_away(self) -> None:
        """Have Linux wake the helpers on other cores than this thread's.

        It likes to wake a thread where the one that called it runs, to wait there for milliseconds, longer than many a
        pass takes, while another core idles.
        """
        if _cpu is None or (_cpu(), len(self.ids)) == self.avoided:
            return
        here = _cpu()
        others = os.sched_getaffinity(0) - {here}
        with contextlib.suppress(OSError):  # the system may forbid it, and a thread may have ended
            for helper in self.ids if others else ():
                os.sched_setaffinity(helper, others)
            self.avoided = here, len(self.ids)

    def close(self) -> None:
        """Have nobody wake the threads again, and wait until none is in compiled code."""
        self.helpers = 0
        self.words[CLOSED] = 1
        while self.words[LISTENS]:
            time.sleep(1e-3)


_team: _Team | None = None


def helpers(is_much: bool = True) -> Array:
    """Return the team of all cores; nobody if there is one core, or no thread could be started.

    Helpers who sleep are woken for much work, and for less if it comes soon after other: they take Python's lock from
    this thread when they wake, and again when they go to sleep.
    """
    global _team
    if CORES == 1:
        return NOBODY
    if _team is None:
        with _starting:
            _team = _team or _Team(CORES - 1)
    if not _team.helpers:
        return NOBODY
    now = time.perf_counter()
    if is_much or now - _team.asked < SOON:
        _team.wake()
    _team.asked = now
    return _team.words


def team_for(x: Array, W_ih: Array, W_hh: Array) -> tuple[Array, int]:
    """Return who helps with a pass, awake or about to be, and in how many parts they take the sequences.

    There are twice as many parts as threads if that leaves them large, so that a thread that comes late holds up nobody
    for long; 0 says that the units of each step are divided. Nobody is an empty array.
    """
    (T, B, _), weights = x.shape, W_ih.size + W_hh.size
    operations = 2 * B * weights
    by_units = weights * x.itemsize > MUCH * B and operations > BRIEF
    if CORES == 1 or T * operations < LITTLE or (B == 1 and not by_units):
        return NOBODY, 1
    if by_units:
        return helpers(), 0
    return helpers(), min(B, CORES if B < 2 * CORES * LARGE else 2 * CORES)


def _rest() -> None:
    """Let nobody help from here on: compiled code ends with the interpreter, and daemons may still ask for help."""
    global _team
    with _starting:
        _team = _team or _Team(0)
    _team.close()


atexit.register(_rest)


def _forget() -> None:
    global _team, _starting
    _team, _starting = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # threads do not follow a process into its child
