"""What a run says, for people: a table that grows case by case, and the targets below it."""

from __future__ import annotations

from collections.abc import Sequence

from .declarations import Benchmark
from .figures import Result, Spread, paired, spread
from .record import machine
from .suite import BENCHMARKS, Run
from .targets import Memory
from .turns import CALM, PAUSE, Pace


def listing() -> str:
    """Return every benchmark, its sizes and its programs."""
    lines = []
    for benchmark in BENCHMARKS.values():
        sizes = "; ".join(", ".join(map(str, size)) for size in benchmark.sizes)
        lines += [f"{benchmark.name}: {benchmark.about}", f"  {', '.join(benchmark.axes)}: {sizes}"]
        for name, program in benchmark.programs.items():
            lines.append(f"  - {name}" + ("" if program.installed() else f" (needs {', '.join(program.needs)})"))
    return "\n".join(lines)


def preface(pace: Pace) -> str:
    """Return on what is measured, and how."""
    place = machine()
    versions = ", ".join(f"{name} {version}" for name, version in place["versions"].items())
    turns = f"a single step after a pause of {PAUSE} s" if pace.cold else f"steps back to back for {pace.seconds} s"
    return (
        f"{place['processor']}, {place['cores']} cores, {place['system']}, Python {place['python']}, {versions}\n"
        f"{pace.pairs} turns of each program: {turns}; threads: {pace.threads or 'all'}"
        + ("" if pace.seconds else "; a smoke run, its figures mean nothing")
    )


def case(run: Run, results: Sequence[Result]) -> str:
    """Return the lines of one case, the first of a benchmark below a heading."""
    first = len(run.results) == len(results)
    lines = [heading(run.benchmark)] if first else []
    lines.append(rows(run.benchmark, results))
    if (others := max((result.others for result in results), default=0)) > CALM:
        lines.append(f"  (disturbed: other work took up to {others:.0%} of the machine)")
    return "\n".join(lines)


def heading(benchmark: Benchmark) -> str:
    """Return what stands above a benchmark's table."""
    columns = [f"{', '.join(benchmark.axes):<24}", f"{'program':<22}", f"{'ms':>9}", f"{'quartiles':^19}"]
    columns += [f"{'/ ' + benchmark.baseline:<24}", f"{'peak MiB':>8}"]
    columns += [f"{'added':>7}"] if _weighs(benchmark) else []
    columns += [f"{benchmark.unit + 's/s':>12}"] if benchmark.count else []
    return f"\n{benchmark.name}: {benchmark.about}\n{missing(benchmark)}\n" + "  ".join(columns).rstrip()


def missing(benchmark: Benchmark) -> str:
    """Return a line on the programs that cannot be run, and what they need; nothing if all can."""
    names = [f"{name} (needs {', '.join(p.needs)})" for name, p in benchmark.programs.items() if not p.installed()]
    return f"  left out: {', '.join(names)}\n" if names else ""


def rows(benchmark: Benchmark, results: Sequence[Result]) -> str:
    """Return the lines of one case."""
    baseline = next((result for result in results if result.program == benchmark.baseline), None)
    return "\n".join(_row(benchmark, result, baseline) for result in results)


def _row(benchmark: Benchmark, result: Result, baseline: Result | None) -> str:
    times = spread(result.milliseconds)
    ratio = _ratio(paired(result, baseline)) if baseline and result is not baseline else ""
    columns = [f"{', '.join(map(str, result.size)):<24}", f"{result.program:<22}", f"{_number(times.middle):>9}"]
    columns += [f"{_number(times.low) + ' to ' + _number(times.high):^19}", f"{ratio:<24}"]
    columns += [f"{_memory(result.peak):>8}"]
    columns += [f"{_memory(result.added):>7}"] if _weighs(benchmark) else []
    if benchmark.count:
        columns.append(f"{benchmark.count(result.size) / result.median * 1000:>12,.0f}")
    return "  ".join(columns).rstrip()


def _weighs(benchmark: Benchmark) -> bool:
    """Tell whether the memory that the steps add is told: if the programs have loaded all else before."""
    return any(isinstance(target, Memory) for target in benchmark.targets)


def _number(value: float) -> str:
    """Return a number with three digits that count."""
    return f"{value:.{max(0, 2 - max(0, len(str(int(value))) - 1))}f}" if value >= 1 else f"{value:.3f}"


def _ratio(ratio: Spread) -> str:
    return f"{ratio.middle:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def _memory(mebibytes: float | None) -> str:
    return "" if mebibytes is None else f"{mebibytes:.0f}"


def targets(run: Run) -> str:
    """Return a line for each target that can be judged."""
    return "".join(f"\n{run.benchmark.name}: {verdict}" for verdict in run.verdicts())
