"""What a run says, as a picture: the time of a step by size, a line for each program. Matplotlib draws it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .figures import spread
from .suite import Run


def plot(path: Path, runs: Sequence[Run]) -> None:
    """Draw runs one below the other, medians with their quartiles, and write the picture."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(9, 4.5 * len(runs)), layout="constrained")
    for axes, run in zip(figure.subplots(len(runs), squeeze=False)[:, 0], runs, strict=True):
        _draw(axes, run)
    figure.savefig(path)


def _draw(axes: Any, run: Run) -> None:
    """Draw a benchmark."""
    sizes = list(dict.fromkeys(result.size for result in run.results))
    for program in dict.fromkeys(result.program for result in run.results):
        results = [result for result in run.results if result.program == program]
        times = [spread(result.milliseconds) for result in results]
        error = [[time.middle - time.low for time in times], [time.high - time.middle for time in times]]
        places = [sizes.index(result.size) for result in results]
        axes.errorbar(places, [time.middle for time in times], error, marker="o", capsize=3, label=program)
    axes.set_xticks(range(len(sizes)), [", ".join(map(str, size)) for size in sizes], rotation=20, ha="right")
    axes.set_xlabel(", ".join(run.benchmark.axes))
    axes.set_yscale("log")
    axes.set_ylabel("milliseconds")
    axes.set_title(run.benchmark.about, fontsize="medium")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")
