"""The process of one program: it makes its step, answers once, and runs a block of steps whenever it is asked to.

Requests come pickled through stdin, replies leave pickled through what was stdout.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

STATUS = Path("/proc/self/status")
IDLE = 0.01
"""Over how many seconds the threads are watched to see whether they sleep."""

PATIENCE = 1.0
"""How many seconds they are waited for."""


class Task(NamedTuple):
    """What a program has to do, and on how many cores, None for all."""

    make: Callable[[Any], Any]
    work: Callable[[Any], Any]
    size: Any
    threads: int | None


class Turn(NamedTuple):
    """What a turn was: the milliseconds of its timed steps, and the processor's seconds that all of it took."""

    milliseconds: list[float]
    processor: float


class Block(NamedTuple):
    """Steps that are not timed, then steps that are: at least how many of each, and for at least how many seconds."""

    untimed: tuple[int, float]
    timed: tuple[int, float]


def timed(run: Callable[[], Any], least: int, seconds: float) -> list[float]:
    """Return the milliseconds of each of some runs, one right after the other."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return times


def peak() -> float | None:
    """Return the largest memory that this process has had in MiB: what the system counts as resident, libraries too."""
    if STATUS.exists():  # unlike getrusage, it does not count the parent's memory before this program was loaded
        found = [line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM")]
        return int(found[0].split()[1]) / 1024
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def forget_peak() -> None:
    """Have the system count the peak anew, on Linux: what was needed to make the step is not what the step needs."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def processor() -> float:
    """Return the processor's seconds that this process and those that it started have taken, over all threads."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def settle() -> None:
    """Wait until no thread of this process computes or spins any more."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        before = time.process_time()
        time.sleep(IDLE)
        if time.process_time() - before < IDLE / 10:
            return


def serve(task: Task, receive: Callable[[], Block | None], send: Callable[[Any], None]) -> None:
    """Send the answers of the first step, the times of the blocks that are asked for, and the memory at the end."""
    if task.threads and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: task.threads])
    step = task.make(task.work(task.size))
    forget_peak()
    before = peak()
    step.run()
    answers = step.answers() if step.answers else None
    settle()
    send(answers)
    while (block := receive()) is not None:
        used = processor()
        timed(step.run, *block.untimed)
        times = timed(step.run, *block.timed)
        settle()
        send(Turn(times, processor() - used))
    send((before, peak()))


def main() -> None:
    """Serve whoever started this process; an error is the last thing that it hears."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the replies

    def send(reply: Any) -> None:
        pickle.dump(reply, replies)
        replies.flush()

    try:
        serve(pickle.load(sys.stdin.buffer), lambda: pickle.load(sys.stdin.buffer), send)
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        sys.exit(1)
    except Exception as error:
        traceback.print_exc()
        send(RuntimeError(f"{type(error).__name__}: {error}"))
