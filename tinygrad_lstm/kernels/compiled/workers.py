"""Work in parts, on as many threads as there are cores.

The threads are Python's: compiled functions leave its lock, and between two pieces of work the threads sleep. They do
not spin, as OpenBLAS's and OpenMP's do, and so take no core from those.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

__all__ = ["parts", "together"]

LITTLE = 30_000_000
"""Operations that one thread does sooner than a second one wakes up."""


def _cores() -> int:
    """Return how many threads to use: what ``OMP_NUM_THREADS`` says, else the cores that this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


LARGE = 16
"""Rows that a part should have, so that a weight serves many of them when it has come from memory."""

CORES = _cores()
_cpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None
_pool: ThreadPoolExecutor | None = None
_helpers: list[int] = []
_avoided = (-1, 0)
"""The core that the helpers keep away from, and how many they were when they were told."""


def parts(count: int, operations: float, multiple: int = 1) -> list[tuple[int, int]]:
    """Return the bounds of the parts into which so many rows are divided, if so many operations are worth it.

    There are twice as many parts as threads if that leaves them large, so that a thread that comes late holds up nobody
    for long. Bounds are multiples.
    """
    if operations <= LITTLE:
        return [(0, count)]
    units = -(-count // multiple)
    pieces = min(units, CORES if count < 2 * CORES * LARGE else 2 * CORES)
    return list(itertools.pairwise(min(count, units * n // pieces * multiple) for n in range(pieces + 1)))


def together(work: Callable[[int, int, int], None], bounds: list[tuple[int, int]]) -> None:
    """Call ``work(n, start, stop)`` for every part, on as many threads as are free, and return when all are done."""
    global _pool
    left = deque(enumerate(bounds))

    def help_out() -> None:
        while True:
            try:
                n, (start, stop) = left.popleft()
            except IndexError:
                return
            work(n, start, stop)

    helpers = min(CORES, len(bounds)) - 1
    if helpers and _pool is None:
        _pool = ThreadPoolExecutor(CORES - 1, "tinygrad_lstm", lambda: _helpers.append(threading.get_native_id()))
    if helpers:
        _keep_away()
    others = [_pool.submit(help_out) for _ in range(helpers)] if _pool else []
    help_out()
    for other in others:
        if not other.cancel():  # one that has not begun would find nothing left
            other.result()


def _keep_away() -> None:
    """Have Linux wake the helpers on other cores than this thread's.

    It likes to wake a thread where the one that called it runs, to wait there for milliseconds, longer than many a pass
    takes, while another core idles.
    """
    global _avoided
    if _cpu is None or not _helpers or (_cpu(), len(_helpers)) == _avoided:
        return
    here = _cpu()
    others = os.sched_getaffinity(0) - {here}
    with contextlib.suppress(OSError):  # the system may forbid it, and a thread may have ended
        for helper in _helpers if others else ():
            os.sched_setaffinity(helper, others)
        _avoided = here, len(_helpers)


def _forget() -> None:
    global _pool, _avoided
    _pool, _avoided = None, (-1, 0)
    _helpers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # threads do not follow a process into its child
