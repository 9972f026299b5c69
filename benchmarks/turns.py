"""Programs in turns: each in a process of its own, the same work for all, their answers compared beforehand.

Training runs its steps back to back, so a turn is a block of consecutive steps, after some that are not timed, and its
figure is the block's median. Meanwhile the others wait for their pipes, and their threads have been seen to sleep:
those of OpenMP and BLAS go on spinning for a while when their work is done. With ``cold`` a turn is a single step after
a pause, when caches are cold and threads have to be woken.

Where other work runs on the machine, as it does on a shared one, threads that wait for each other are held up out of
all proportion. So on Linux it is watched what part of the machine others take, and a turn that they disturb is taken
once more.
"""

from __future__ import annotations

import os
import pickle
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .declarations import Answers, Benchmark, Program, Size
from .figures import Result
from .worker import Block, Task, Turn

PAUSE = 0.2
"""Seconds before a cold step."""

CALM = 0.03
"""What part of the machine others may take in a turn before it is taken once more."""

TICK = 0.01
"""Seconds, the unit in which Linux counts them to the processor."""

STAT = Path("/proc/stat")
ROOT = Path(__file__).parents[1]
LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Disagreement(ValueError):
    """Programs that should compute the same do not; the message names the program, the size and the array."""


class ProgramError(RuntimeError):
    """A program has failed; the message says which and how."""


@dataclass(frozen=True)
class Pace:
    """How turns are taken.

    Attributes
    ----------
    pairs
        How many turns each program has.
    tries
        How often a turn is taken at most, if others disturb it; the calmest counts.
    seconds
        How long the timed steps of a turn go on, and at least a benchmark's ``least``; a third as long go untimed
        before them, and at least one.
    cold
        Whether a turn is a single step after a pause.
    threads
        How many cores and threads every program gets; all if None.
    """

    pairs: int = 9
    tries: int = 5
    seconds: float = 0.3
    cold: bool = False
    threads: int | None = None

    def block(self, least: int) -> Block:
        """Return what a turn consists of."""
        if self.cold:
            return Block((0, 0.0), (1, 0.0))
        return Block((1, self.seconds / 3), (least if self.seconds else 1, self.seconds))


QUICK = Pace(pairs=2, tries=1, seconds=0.0)
"""A smoke run: every step is taken a few times, and the figures mean nothing."""


class Runner:
    """The process of a program, seen from here."""

    def __init__(self, name: str, program: Program, benchmark: Benchmark, size: Size, threads: int | None) -> None:
        self.name, self._benchmark, self._size = name, benchmark.name, size
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__package__} import worker; worker.main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_environment(program, threads),
        )
        self._send(Task(program.make, benchmark.work, size, threads))

    def answers(self) -> Answers | None:
        """Return what the first step has computed; to be called once, before any turn."""
        return self._receive()

    def turn(self, block: Block) -> Turn:
        """Run a block."""
        self._send(block)
        turn: Turn = self._receive()
        return turn

    def memory(self) -> tuple[float | None, float | None]:
        """End the program, and return the peak of its memory and what of it the steps added, in MiB."""
        self._send(None)
        before, after = self._receive()
        self._process.wait()
        return after, None if after is None else after - before

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _send(self, message: Any) -> None:
        assert self._process.stdin
        try:
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._error(f"ended with status {self._process.wait()}") from None

    def _receive(self) -> Any:
        assert self._process.stdout
        try:
            reply = pickle.load(self._process.stdout)
        except EOFError:
            raise self._error(f"ended with status {self._process.wait()}") from None
        if isinstance(reply, Exception):
            raise self._error(str(reply))
        return reply

    def _error(self, what: str) -> ProgramError:
        return ProgramError(f"{_case(self._benchmark, self._size)}: the program {self.name!r} failed: {what}.")


def _environment(program: Program, threads: int | None) -> dict[str, str]:
    """Return the variables of a program's process, which finds the modules that this one finds."""
    limits = {name: str(threads) for name in LIMITS} if threads else {}
    path = os.pathsep.join(dict.fromkeys([str(ROOT), *filter(None, sys.path)]))
    return {**os.environ, **limits, **program.environment, "PYTHONPATH": path}


def _case(benchmark: str, size: Size) -> str:
    return f"{benchmark} {', '.join(map(str, size))}"


@contextmanager
def _started(benchmark: Benchmark, programs: Mapping[str, Program], size: Size, threads: int | None) -> Iterator[Any]:
    """Give the runners of programs, which have answered alike; nothing is left of them afterwards."""
    with ExitStack() as stack:
        runners, wanted = [], None
        for name, program in programs.items():  # one by one, for they are all over the machine when they start
            runner = Runner(name, program, benchmark, size, threads)
            stack.callback(runner.stop)
            runners.append(runner)
            answers = runner.answers()
            if wanted is None:
                wanted = answers and (name, answers)
            elif answers is not None:
                compare(_case(benchmark.name, size), wanted, (name, answers), benchmark.tolerance)
        yield runners


def compare(case: str, wanted: tuple[str, Answers], found: tuple[str, Answers], tolerance: float) -> None:
    """Check that a program's answers are those of another.

    Raises
    ------
    Disagreement
        If an array is missing, has another shape, or is farther off than the tolerance times its largest number.
    """
    for name, right in wanted[1].items():
        if name not in found[1]:
            raise Disagreement(f"{case}: {wanted[0]} answers {name}, and {found[0]} does not.")
        right, other = np.asarray(right), np.asarray(found[1][name])
        if right.shape != other.shape:
            raise Disagreement(
                f"{case}: {name} has the shape {right.shape} in {wanted[0]}, and {other.shape} in {found[0]}."
            )
        off, largest = float(np.max(np.abs(right - other), initial=0)), float(np.max(np.abs(right), initial=0))
        if not off <= tolerance * largest:  # true for NaN too
            raise Disagreement(
                f"{case}: {name} differs by {off:.2g} between {wanted[0]} and {found[0]}; its largest number is "
                f"{largest:.2g}, and they may differ by {tolerance:g} of that."
            )


def measured(benchmark: Benchmark, programs: Mapping[str, Program], size: Size, pace: Pace) -> list[Result]:
    """Return what was measured of programs at a size.

    Raises
    ------
    Disagreement
        If they do not compute the same.
    ProgramError
        If one of them fails.
    """
    block = pace.block(benchmark.least)
    with _started(benchmark, programs, size, pace.threads) as runners:
        turns: dict[str, list[Calm]] = {runner.name: [] for runner in runners}
        for number in range(pace.pairs):
            for runner in runners if number % 2 == 0 else runners[::-1]:  # so that none always comes after the same one
                turns[runner.name].append(_calm(runner, block, pace))
        return [_result(benchmark, size, runner, turns[runner.name]) for runner in runners]


class Calm(NamedTuple):
    """The median of the steps of a turn, and what part of the machine others took meanwhile."""

    milliseconds: float
    others: float


def _calm(runner: Runner, block: Block, pace: Pace) -> Calm:
    """Return the first turn that nobody disturbed, or else the calmest."""
    turns: list[Calm] = []
    while len(turns) < pace.tries and not any(turn.others <= CALM for turn in turns):
        if pace.cold:
            time.sleep(PAUSE)
        clock, busy = time.perf_counter(), _busy()
        turn = runner.turn(block)
        others = _busy() - busy - turn.processor - 2 * TICK
        whole = (time.perf_counter() - clock) * (os.cpu_count() or 1)
        turns.append(Calm(statistics.median(turn.milliseconds), max(0.0, others) / whole))
    return min(turns, key=lambda turn: turn.others)


def _busy() -> float:
    """Return how many seconds the cores have worked, for whomever, or were lent to others; 0 if unknown."""
    if not STAT.exists():
        return 0.0
    user, nice, system, _idle, _wait, *others = map(int, STAT.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(others)) * TICK


def _result(benchmark: Benchmark, size: Size, runner: Runner, turns: Sequence[Calm]) -> Result:
    """Return what was measured of a program, and end it."""
    milliseconds = tuple(turn.milliseconds for turn in turns)
    others = max(turn.others for turn in turns)
    return Result(benchmark.name, size, runner.name, milliseconds, *runner.memory(), others)
