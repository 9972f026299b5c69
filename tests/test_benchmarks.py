"""The suite of benchmarks: its declarations, its statistics, its verdicts, and a run from end to end."""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import figures, plot, record, report, targets, turns, worker
from benchmarks.declarations import Benchmark, Program, Step
from benchmarks.figures import Result, Spread
from benchmarks.suite import BENCHMARKS, Run, Selection, SelectionError
from tinygrad_lstm.cli import benching, main

ROOT = Path(__file__).parents[1]
EACH = pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)


def result(program: str, *milliseconds: float, size: tuple[Any, ...] = (1,), added: float | None = None) -> Result:
    return Result("sum", size, program, milliseconds, 100.0, added)


# Declarations


@EACH
def test_a_benchmark_is_well_formed(benchmark: Benchmark) -> None:
    assert benchmark.about
    assert benchmark.sizes
    assert benchmark.baseline in benchmark.programs
    kinds = [type(part) for part in benchmark.quick]
    for size in [*benchmark.sizes, benchmark.quick]:
        assert len(size) == len(benchmark.axes)
        assert [type(part) for part in size] == kinds
    for program in benchmark.programs.values():
        assert set(program.sizes or ()) <= set(benchmark.sizes)


@EACH
def test_each_target_of_a_benchmark_has_a_figure_when_all_of_it_was_run(benchmark: Benchmark) -> None:
    cases = itertools.product(benchmark.sizes, benchmark.programs)
    everything = [Result(benchmark.name, size, name, (1.0, 2.0), 100.0, 50.0) for size, name in cases]
    verdicts = Run(benchmark, everything).verdicts()
    assert len(verdicts) == len(benchmark.targets)
    assert len({str(verdict) for verdict in verdicts}) == len(verdicts)


@EACH
def test_our_programs_of_a_benchmark_agree(benchmark: Benchmark) -> None:
    programs = Selection(quick=True, peers=()).programs(benchmark, benchmark.quick)
    answers = {}
    for name, program in programs.items():
        step = program.make(benchmark.work(benchmark.quick))
        step.run()
        if step.answers:
            answers[name] = step.answers()
    first = next(iter(answers.items()), ("none", {}))
    for each in answers.items():
        turns.compare(benchmark.name, first, each, benchmark.tolerance)


# Figures


def test_spreads_and_paired_ratios() -> None:
    assert figures.spread([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(2.0, 3.0, 4.0)
    fast, slow = result("a", 1.0, 2.0, 3.0), result("b", 2.0, 8.0, 3.0)
    assert figures.paired(fast, slow) == Spread(0.375, 0.5, 0.75)
    assert figures.best([slow, fast]) is fast


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    sizes = [100, 1_000, 10_000]
    assert math.isclose(figures.exponent(sizes, [7 * size**power for size in sizes]), power)


# Verdicts


def test_a_ratio_is_to_the_best_of_the_others_at_each_size() -> None:
    measured = [
        *(result("ours", 1.0, size=(1,)), result("a", 2.0, size=(1,)), result("b", 4.0, size=(1,))),
        *(result("ours", 1.0, size=(2,)), result("a", 9.0, size=(2,)), result("b", 8.0, size=(2,))),
    ]
    mean = targets.Ratio("ours", ("a", "b"), "the best", 0.25, "geometric mean").judge(measured)
    assert str(mean) == "ours / the best, geometric mean of 2: 0.25, goal 0.25: reached"
    worst = targets.Ratio("ours", ("a", "b"), "the best", 0.25, "largest").judge(measured)
    assert str(worst) == "ours / the best, largest of 2: 0.50, goal 0.25: missed"
    one = targets.Ratio("ours", ("a",), "a", 0.25, "largest", [(2,)]).judge(measured)
    assert one is not None
    assert one.figure == pytest.approx(1 / 9)
    assert targets.Ratio("ours", ("c",), "c", 0.25, "largest").judge(measured) is None


def test_costs_memory_and_differences_are_judged() -> None:
    measured = [result("ours", 4.0 * n, size=(n,), added=3.0 * n**0.5) for n in (1, 10, 100)]
    measured.append(result("ours", 6000.0, size=(1000,)))
    count: Callable[[Any], int] = lambda size: size[0]  # noqa: E731
    flat = targets.Flat("ours", count, "step", 1.2).judge(measured)
    memory = targets.Memory("ours", count, "steps", 0.6).judge(measured)
    assert str(flat) == "ours: cost per step, largest / smallest: 1.50, goal 1.20: missed"
    assert str(memory) == "ours: memory grows as the steps to the power of: 0.50, goal 0.60: reached"
    extra = targets.Extra("a", "b", 3.0).judge([result("a", 5.0, 9.0), result("b", 2.0, 6.0)])
    assert str(extra) == "a over b, ms: 3.00, goal 3.00: reached"


# Turns


def same(size: tuple[int]) -> int:
    return size[0]


def sum_of(work: int, wrong: float = 0.0) -> Step:
    """Return a step that sums, and adds what is wrong."""
    found = {}

    def run() -> None:
        found["total"] = np.arange(work).sum() + wrong

    return Step(run, lambda: {"total": found["total"]})


def right(work: int) -> Step:
    return sum_of(work)


def wrong(work: int) -> Step:
    return sum_of(work, wrong=0.5)


def failing(work: int) -> Step:
    raise ValueError("there is nothing to sum")


def ending(work: int) -> Step:
    raise SystemExit(3)


def sums(**programs: Callable[[int], Step]) -> Benchmark:
    return Benchmark(
        name="sum",
        about="a sum",
        axes=("n",),
        sizes=[(5,)],
        work=same,
        programs={name: Program(make) for name, make in programs.items()},
        baseline="first",
        quick=(5,),
        targets=(targets.Ratio("second", ("first",), "first", 1000.0, "largest"),),
        unit="number",
        count=same,
    )


@pytest.mark.once
def test_programs_take_turns() -> None:
    benchmark = sums(first=right, second=right)
    results = turns.measured(benchmark, benchmark.programs, (5,), turns.QUICK)
    assert [result.program for result in results] == ["first", "second"]
    assert all(len(result.milliseconds) == 2 and min(result.milliseconds) > 0 for result in results)


@pytest.mark.once
def test_programs_that_disagree_are_not_timed() -> None:
    benchmark = sums(first=right, second=wrong)
    with pytest.raises(turns.Disagreement, match=r"^sum 5: total differs by 0\.5 between first and second;"):
        turns.measured(benchmark, benchmark.programs, (5,), turns.QUICK)


def test_answers_that_are_missing_or_of_another_shape_or_no_number_disagree() -> None:
    ones = ("a", {"x": np.ones(2)})
    turns.compare("sum", ones, ("b", {"x": np.ones(2) + 1e-4}), 1e-3)
    for other, words in (
        ({}, "a answers x, and b does not"),
        ({"x": np.ones(3)}, "x has the shape (2,) in a, and (3,) in b"),
        ({"x": np.array([1, math.nan])}, "x differs by nan"),
    ):
        with pytest.raises(turns.Disagreement) as caught:
            turns.compare("sum", ones, ("b", other), 1e-3)
        assert words in str(caught.value)


@pytest.mark.once
def test_a_program_that_fails_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    for make, words in (
        (failing, "ValueError: there is nothing to sum."),
        (ending, "ended with status 3."),
    ):
        benchmark = sums(first=right, second=make)
        with pytest.raises(turns.ProgramError) as caught:
            turns.measured(benchmark, benchmark.programs, (5,), turns.QUICK)
        assert str(caught.value) == f"sum 5: the program 'second' failed: {words}"


class Clock:
    """A clock that stands still but for what is said to take time."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def take(self, seconds: float) -> None:
        self.now += seconds


def test_a_block_takes_at_least_so_many_steps_and_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(worker, "time", clock)
    for seconds, steps in ((0.0, 4), (2.0, 4), (2.5, 5), (4.0, 8)):
        assert worker.timed(lambda: clock.take(0.5), 4, seconds) == [500.0] * steps


def test_a_cold_turn_is_one_step() -> None:
    assert turns.Pace(cold=True).block(3) == worker.Block(untimed=(0, 0.0), timed=(1, 0.0))
    assert turns.Pace().block(3).timed[0] == 3


# Selections


def test_what_is_not_there_cannot_be_selected() -> None:
    for selection, words in (
        (Selection(["lstm", "abacus"]), "there is no benchmark 'abacus': choose from lstm, "),
        (Selection(["lstm", "gru"], ["1,2,3,4"]), "sizes are those of one benchmark"),
        (Selection(["lstm"], peers=["torch", "abacus"]), "there is no peer 'abacus': choose from .*torch, .* or none"),
    ):
        with pytest.raises(SelectionError, match=words):
            selection.benchmarks()
    for size in ("1,2", "1,2,3,many"):
        with pytest.raises(SelectionError, match=f"got the size '{size}', wanted "):
            Selection(["lstm"], [size]).sizes_of(BENCHMARKS["lstm"])


def test_peers_are_left_out_where_they_are_not_asked_for() -> None:
    lstm = BENCHMARKS["lstm"]
    alone = Selection(["lstm"], peers=[]).programs(lstm, lstm.sizes[0])
    assert {"in NumPy", "products"} <= set(alone) <= {"compiled", "in NumPy", "products"}
    assert Selection(["ops"], ["tanh,1_000"]).sizes_of(BENCHMARKS["ops"]) == [("tanh", 1000)]


# What a run says


def test_a_report_has_a_line_for_each_program_and_target(tmp_path: Path) -> None:
    benchmark = sums(first=right, second=right)
    results = [result("first", 2.0, 4.0, size=(5,)), result("second", 1.0, 2.0, size=(5,))]
    run = Run(benchmark, results)
    lines = report.case(run, results).splitlines()
    assert lines[1] == "sum: a sum"
    assert " ".join(lines[-1].split()) == "5 second 1.50 1.25 to 1.75 0.50 (0.50 to 0.50) 100 3,333"
    assert report.targets(run) == "\nsum: second / first, largest of 1: 0.50, goal 1000.00: reached"
    written = record.record([run], turns.QUICK)
    assert json.loads(json.dumps(written)) == written
    assert written["benchmarks"][0]["results"][1]["milliseconds"] == [1.0, 2.0]


def test_what_cannot_be_run_is_told() -> None:
    benchmark = replace(sums(first=right), programs={"first": Program(right), "abacus": Program(right, ("beads",))})
    lines = report.heading(benchmark).splitlines()
    assert lines[:3] == ["", "sum: a sum", "  left out: abacus (needs beads)"]
    assert "left out" not in report.heading(sums(first=right))


def test_other_work_on_the_machine_is_told() -> None:
    benchmark = sums(first=right)
    disturbed = [Result("sum", (5,), "first", (1.0,), others=0.5)]
    assert "other work took up to 50% of the machine" in report.case(Run(benchmark, disturbed), disturbed)


@pytest.mark.once
def test_a_run_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    measured = [result("first", 2.0, 4.0, size=(5,)), result("second", 1.0, 2.0, size=(5,))]
    plot.plot(tmp_path / "run.svg", [Run(sums(first=right, second=right), measured)])
    assert "<svg" in (tmp_path / "run.svg").read_text()


# The command


def test_the_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(any(line.startswith(f"{name}: ") for line in lines) for name in BENCHMARKS)


def test_a_quick_run_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    words = ["bench", "lstm", "import", "--quick", "--peers", "none", "--threads", "1", "--json", str(path)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "\nlstm: a training step of an LSTM layer" in printed
    assert "\nimport: import tinygrad_lstm over import numpy, ms: " in printed
    written = json.loads(path.read_text())
    assert [benchmark["name"] for benchmark in written["benchmarks"]] == ["lstm", "import"]
    assert written["pace"]["threads"] == 1
    rows = written["benchmarks"][0]["results"]
    assert {"in NumPy", "products"} <= {row["program"] for row in rows}
    assert all(len(row["milliseconds"]) == 2 for row in rows)


@pytest.mark.peers
@pytest.mark.once
def test_the_peers_agree(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    assert main(["bench", "owncell", "--quick", "--peers", "torch"]) == 0
    assert "owncell: ours / PyTorch" in capsys.readouterr().out


@pytest.mark.parametrize("peer", ["autograd", "mygrad"])
@pytest.mark.parametrize("name", ["composed", "owncell", "ops"])
def test_the_small_engines_agree(name: str, peer: str) -> None:
    pytest.importorskip(peer)
    benchmark = BENCHMARKS[name]
    programs = Selection(quick=True, peers=[peer]).programs(benchmark, benchmark.quick)
    assert any(peer in program.needs for program in programs.values())
    results = turns.measured(benchmark, programs, benchmark.quick, turns.QUICK)
    assert [result.program for result in results] == list(programs)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder that holds what an installer would copy: the package, and the suite beside it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "tinygrad_lstm", tmp_path / "tinygrad_lstm", ignore=ignored)
    shutil.copytree(ROOT / "benchmarks", tmp_path / benching.INSTALLED, ignore=ignored)
    return tmp_path


def bench_in(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a benchmark where nothing but a folder has been added to Python."""
    words = [sys.executable, "-m", "tinygrad_lstm", "bench", "lstm", "--quick", "--peers", "none"]
    environment = {name: value for name, value in os.environ.items() if name != "TINYGRAD_LSTM_BACKEND"}
    environment["PYTHONPATH"] = str(folder)
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.once
def test_the_suite_runs_where_it_is_installed(installed: Path) -> None:
    finished = bench_in(installed)
    assert finished.returncode == 0, finished.stderr
    assert "in NumPy" in finished.stdout


def test_without_the_suite_the_command_says_where_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["bench", "lstm", "--quick"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("tinygrad-lstm: the benchmarks are not installed: ")
    assert told.count("\n") == 1


@pytest.mark.once
def test_an_installer_takes_the_suite_along(monkeypatch: pytest.MonkeyPatch) -> None:
    setuptools = pytest.importorskip("setuptools")
    told: dict[str, Any] = {}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(setuptools, "setup", told.update)
    runpy.run_path("setup.py")
    folders = {path.parent for path in Path("tinygrad_lstm").rglob("__init__.py")}
    assert set(told["packages"]) == {".".join(folder.parts) for folder in folders} | {benching.INSTALLED}
    assert told["package_dir"] == {benching.INSTALLED: "benchmarks"}


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_results_that_cannot_be_written_are_refused_beforehand(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path, words in (
        (tmp_path / "nowhere" / "a.svg", "wanted a file in a folder that can be written to"),
        (tmp_path, "a folder, wanted a file"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(["bench", "lstm", "--quick", option, str(path)])
        told = capsys.readouterr()
        assert f"error: argument {option}: got '{path}', {words}" in told.err
        assert told.out == ""


def test_a_plot_of_a_form_that_there_is_not_is_refused_beforehand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert main(["bench", "lstm", "--quick", "--plot", str(tmp_path / "a.xyz")]) == 2
    told = capsys.readouterr()
    assert re.fullmatch(r"tinygrad-lstm: --plot: got the file \S*a\.xyz, wanted one of .*\.svg.*\.\n", told.err)
    assert told.out == ""


def test_what_the_command_cannot_run_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "abacus"]) == 2
    assert capsys.readouterr().err.startswith("tinygrad-lstm: there is no benchmark 'abacus'")
