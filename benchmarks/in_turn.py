"""Programs that take turns: each in a process of its own, the same work for all, their answers compared beforehand.

Within one process the threads of two array libraries disturb each other: they go on spinning when their work is done.
So there is a process for each program, and a pause before each run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import numpy as np

WARM_UP = 3
PAUSE = 0.2
"""Seconds between two runs, several times as long as OpenBLAS's threads spin."""

Arrays: TypeAlias = dict[str, np.ndarray[Any, Any]]
Program: TypeAlias = tuple[Callable[[], None], Callable[[], Arrays]]
"""What is timed, and the answers that it leaves."""


def options(description: str, pairs: int) -> argparse.Namespace:
    """Return the options of the command line, and set the number of threads that they ask for."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=pairs, help="runs of each program (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="threads of both sides (default: their own choice)")
    parser.add_argument("--json", help="also write the figures to this file")
    options = parser.parse_args()
    if options.threads:
        os.environ |= {name: str(options.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    print(f"{platform.machine()}, {os.cpu_count()} cores, threads: {options.threads or 'default'}")
    return options


def torch() -> Any:
    """Return PyTorch with the number of threads that was asked for."""
    import torch

    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    return torch


def serve(make: Callable[..., Program], work: Sequence[Any], line: Connection) -> None:
    """Send a program's answers, then the milliseconds of a run whenever one is asked for, until told to stop."""
    run, answers = make(*work)
    run()
    line.send(answers())
    while line.recv():
        start = time.perf_counter()
        run()
        line.send((time.perf_counter() - start) * 1000)


@contextmanager
def programs(makers: dict[str, Callable[..., Program]], *work: Any) -> Iterator[dict[str, Connection]]:
    """Start programs over the same work, and check that the answers of all are those of the first."""
    context = multiprocessing.get_context("spawn")
    lines = {}
    for name, make in makers.items():
        lines[name], theirs = context.Pipe()
        context.Process(target=serve, args=(make, work, theirs), daemon=True).start()
    wanted, *found = (line.recv() for line in lines.values())
    for answers in found:
        for name, answer in wanted.items():
            np.testing.assert_allclose(answers[name], answer, rtol=1e-3, atol=1e-6)
    yield lines
    for line in lines.values():
        line.send(False)


def timed(lines: dict[str, Connection], pairs: int) -> dict[str, list[float]]:
    """Return the milliseconds of every run, the programs taking turns after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in lines}
    for turn in range(pairs + WARM_UP):
        for name, line in lines.items():
            time.sleep(PAUSE)
            line.send(True)
            milliseconds = line.recv()
            if turn >= WARM_UP:
                times[name].append(milliseconds)
    return times


HEADER = f"{'program':<18} {'median ms':>9} {'min ms':>8} {'ratio':>6}  quartiles     goal"


def compared(what: str, goal: float, times: dict[str, list[float]]) -> Iterator[dict[str, Any]]:
    """Print and give a row for each program; a ratio is to the first program's time, the median over the pairs."""
    first = next(iter(times.values()))
    for name, ours in times.items():
        low, ratio, high = statistics.quantiles([a / b for a, b in zip(ours, first, strict=True)], n=4)
        print(
            f"{what:<21} {name:<18} {statistics.median(ours):>9.2f} {min(ours):>8.2f} {ratio:>6.2f}  "
            f"{low:.2f} to {high:.2f}  {goal}"
        )
        yield {"work": what, "program": name, "milliseconds": ours, "ratio": ratio, "goal": goal}


def written(rows: list[dict[str, Any]], path: str | None) -> None:
    """Write rows as JSON, if a file was named."""
    if path:
        with open(path, "w") as file:
            json.dump(rows, file)
