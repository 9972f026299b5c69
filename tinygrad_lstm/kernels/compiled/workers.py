"""Work in equal parts on as many threads as there are cores.

The threads are Python's: compiled functions leave its lock, and between two pieces of work the threads sleep. They do
not spin, as OpenBLAS's and OpenMP's do, and so take no core from those.
"""

from __future__ import annotations

import itertools
import os
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


CORES = _cores()
_pool: ThreadPoolExecutor | None = None


def parts(count: int, operations: float, multiple: int = 1) -> list[tuple[int, int]]:
    """Return the bounds of the parts into which so many rows are divided, if so many operations are worth it."""
    units = -(-count // multiple)
    threads = min(CORES, units) if operations > LITTLE else 1
    bounds = [min(count, units * n // threads * multiple) for n in range(threads + 1)]
    return list(itertools.pairwise(bounds))


def together(work: Callable[[int, int, int], None], bounds: list[tuple[int, int]]) -> None:
    """Call ``work(n, start, stop)`` for every part, each on its thread, and return when all are done."""
    global _pool
    if len(bounds) > 1 and _pool is None:
        _pool = ThreadPoolExecutor(CORES - 1, "tinygrad_lstm")
    others = [_pool.submit(work, n, *bound) for n, bound in enumerate(bounds) if n > 0] if _pool else []
    work(0, *bounds[0])
    for other in others:
        other.result()


def _forget() -> None:
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)  # threads do not follow a process into its child
