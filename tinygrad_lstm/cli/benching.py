"""``tinygrad-lstm bench``: a face over the suite, which stands beside the package in a checkout or is installed too."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

__all__ = ["BenchError", "bench"]

INSTALLED = "tinygrad_lstm_benchmarks"
"""What the suite is called where it is installed; in a checkout it is ``benchmarks``."""


class BenchError(ValueError):
    """A benchmark cannot be run, or its programs disagree; the message says why in one sentence."""


def bench(arguments: argparse.Namespace) -> None:
    """Time ours against what else is installed: the same work, in turns, its results compared beforehand.

    Without a name, all benchmarks are run, which takes hours: --list shows them.
    """
    package = suite()
    with _errors_in_one_sentence(package):
        if arguments.list:
            print(_module(package, "report").listing())
        else:
            _run(package, arguments)


def suite() -> str:
    """Return the name of the package that holds the suite."""
    root = Path(__file__).parents[2]
    beside = importlib.util.find_spec("benchmarks") if (root / "benchmarks" / "suite.py").exists() else None
    if beside and beside.origin and Path(beside.origin).parents[1] == root:
        return "benchmarks"
    if importlib.util.find_spec(INSTALLED):
        return INSTALLED
    raise BenchError(
        "the benchmarks are not installed: install the package from its source with pip, or run "
        "`python -m tinygrad_lstm bench` in a clone of its repository."
    )


def _module(package: str, name: str) -> ModuleType:
    return importlib.import_module(f"{package}.{name}")


@contextmanager
def _errors_in_one_sentence(package: str) -> Iterator[None]:
    """Turn the suite's errors into one that the command line knows."""
    turns, selecting = _module(package, "turns"), _module(package, "suite")
    try:
        yield
    except (turns.Disagreement, turns.ProgramError, selecting.SelectionError) as error:
        raise BenchError(str(error)) from error


def _run(package: str, arguments: argparse.Namespace) -> None:
    """Run what was asked for, and tell it in every way that was asked for."""
    selecting, turns, report = (_module(package, name) for name in ("suite", "turns", "report"))
    selection = selecting.Selection(arguments.names, arguments.sizes or (), arguments.peers, arguments.quick)
    pace = turns.QUICK if arguments.quick else turns.Pace()
    given = {"pairs": arguments.pairs, "threads": arguments.threads, "cold": arguments.cold or None}
    pace = replace(pace, **{name: value for name, value in given.items() if value is not None})
    if arguments.plot:
        _check_plot(arguments.plot)

    def told(run: object, results: object) -> None:
        print(report.case(run, results), flush=True)

    print(report.preface(pace))
    runs = []
    for run in selecting.run(selection, pace, told):
        print(report.targets(run), flush=True)
        runs.append(run)
        if arguments.json:  # time and again: what was measured is kept if the rest is interrupted
            _module(package, "record").write(arguments.json, runs, pace)
    if arguments.plot:
        _module(package, "plot").plot(arguments.plot, runs)


def _check_plot(path: Path) -> None:
    """Refuse a plot that could not be drawn when everything is measured."""
    if not importlib.util.find_spec("matplotlib"):
        raise BenchError("--plot needs Matplotlib: pip install matplotlib.")
    forms = importlib.import_module("matplotlib.backend_bases").FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in forms:
        raise BenchError(f"--plot: got the file {path}, wanted one of {', '.join(f'.{form}' for form in forms)}.")
