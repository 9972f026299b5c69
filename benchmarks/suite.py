"""The list of all benchmarks, and the run of some of them: what `tinygrad-lstm bench` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from . import cells, demo, gemm, imports, linear, optimizer, overhead, pictures, pipeline, recurrent, scale
from .declarations import Benchmark, Program, Size
from .figures import Result
from .targets import Verdict
from .turns import Pace, measured

MODULES = (recurrent, cells, linear, overhead, optimizer, pipeline, demo, scale, pictures, gemm, imports)
BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for module in MODULES for benchmark in module.BENCHMARKS}
"""All benchmarks by name, in the order in which they are run."""


class SelectionError(ValueError):
    """There is nothing of what was asked for; the message says what there is."""


@dataclass(frozen=True)
class Selection:
    """What is to be run.

    Attributes
    ----------
    names
        Benchmarks; all if empty.
    sizes
        Sizes as they are printed, in place of the benchmark's own; those if empty.
    peers
        Modules of others that may be used, besides ours; all that are installed if None.
    quick
        Whether to take the size of a smoke run.
    """

    names: Sequence[str] = ()
    sizes: Sequence[str] = ()
    peers: Sequence[str] | None = None
    quick: bool = False

    def benchmarks(self) -> list[Benchmark]:
        """Return the benchmarks, in the order of the suite."""
        if unknown := [name for name in self.names if name not in BENCHMARKS]:
            raise SelectionError(f"there is no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}.")
        if self.sizes and len(self.names) != 1:
            raise SelectionError("sizes are those of one benchmark: name it.")
        if unknown := [name for name in self.peers or () if name not in PEERS]:
            raise SelectionError(f"there is no peer {unknown[0]!r}: choose from {', '.join(PEERS)}, or none.")
        return [benchmark for name, benchmark in BENCHMARKS.items() if not self.names or name in self.names]

    def sizes_of(self, benchmark: Benchmark) -> Sequence[Size]:
        """Return the sizes at which a benchmark is run; they may be others than its own."""
        if self.quick:
            return [benchmark.quick]
        return [_size(text, benchmark) for text in self.sizes] or benchmark.sizes

    def programs(self, benchmark: Benchmark, size: Size) -> dict[str, Program]:
        """Return the programs that can do a size."""
        return {
            name: program
            for name, program in benchmark.programs.items()
            if program.installed()
            and (self.peers is None or all(need in (*OWN, *self.peers) for need in program.needs))
            and (program.sizes is None or self.quick or size in program.sizes)
        }


OWN = ("numba", "clang")
"""What programs need that is nobody to compare with: ours Numba, tinygrad a compiler."""

PEERS = sorted(
    {need for benchmark in BENCHMARKS.values() for program in benchmark.programs.values() for need in program.needs}
    - {*OWN}
)
"""Whom there is to compare with."""


def _size(text: str, benchmark: Benchmark) -> Size:
    """Return a size as the benchmark has it: numbers, and words where its own has words."""
    parts = text.replace("_", "").split(",")
    if len(parts) != len(benchmark.axes):
        raise SelectionError(f"got the size {text!r}, wanted {', '.join(benchmark.axes)} of {benchmark.name}.")
    try:
        return tuple(type(like)(part.strip()) for part, like in zip(parts, benchmark.quick, strict=True))
    except ValueError:
        raise SelectionError(
            f"got the size {text!r}, wanted one like {', '.join(map(str, benchmark.quick))}."
        ) from None


@dataclass(frozen=True)
class Run:
    """What was measured of a benchmark."""

    benchmark: Benchmark
    results: list[Result] = field(default_factory=list)

    def verdicts(self) -> list[Verdict]:
        """Return its targets with their figures, as far as what they need was run."""
        return [verdict for target in self.benchmark.targets if (verdict := target.judge(self.results))]


def run(selection: Selection, pace: Pace, report: Callable[[Run, Sequence[Result]], None]) -> Iterator[Run]:
    """Run benchmarks, tell each case when it is done, and give each benchmark when all of it is.

    Raises
    ------
    SelectionError
        If there is nothing of what was asked for.
    Disagreement, ProgramError
        As `turns.measured`.
    """
    for benchmark in selection.benchmarks():
        done = Run(benchmark)
        for size in selection.sizes_of(benchmark):
            results = measured(benchmark, selection.programs(benchmark, size), size, pace)
            done.results.extend(results)
            report(done, results)
        yield done
