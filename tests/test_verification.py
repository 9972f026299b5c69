"""Verification: nothing public is left out, rounding stays within the bounds, and what is wrong is found and named."""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optable
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend, nn, optim, verification
from tinygrad_lstm.cli import main
from tinygrad_lstm.verification import BOUNDS, CASES, PARTS, compare, outcome, ulps
from tinygrad_lstm.verification.cases import Case, case, real

ROOT = Path(__file__).parents[1]
STANDIN = ROOT / "tests" / "standin"
STATE = {"get_rng_state", "manual_seed", "set_rng_state"}
"""Ops that compute nothing."""


def classes(namespace: Any, base: type) -> set[str]:
    """Return the public classes of a namespace that are of a kind and can be made."""
    members = inspect.getmembers(namespace, inspect.isclass)
    return {name for name, member in members if issubclass(member, base) and member is not base}


# Nothing is missing


def test_every_op_module_and_optimiser_has_a_case() -> None:
    public = set(tg.ops.__all__) - optable.VOCABULARY - STATE
    public |= classes(nn, nn.Module) | classes(optim, optim.Optimizer)
    public |= {name for name in vars(optim) if name.startswith("clip_grad")}
    assert public - {case.of for case in CASES} == set()


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_what_has_a_derivative_is_compared_with_it() -> None:
    """By the table of all ops: a case that lost its gradient would still agree with itself."""
    differentiable = {row.name for row in optable.ROWS if row.differentiable and "f" in row.kinds}
    compared = {case.of for case in verification.OPS if outcome(case, "float32").get("second")}
    without_second = {
        "ceil",
        "floor",
        "floor_divide",
        "round",
        "sign",
        "trunc",
    }  # flat everywhere: nothing to differentiate again
    assert differentiable - compared == without_second


# Rounding


class InSinglePrecision:
    """A generator whose numbers are the same in single and in double precision."""

    def __init__(self, generator: Any) -> None:
        self.generator = generator

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def drawn(*arguments: Any) -> Any:
            numbers = getattr(self.generator, name)(*arguments)
            return numbers.astype("float32") if numbers.dtype.kind == "f" else numbers

        return drawn


@pytest.mark.once
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_rounding_stays_below_half_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Single precision against double: the bounds are no guess, and every case is one that rounding leaves alone."""
    original = backend.generator
    monkeypatch.setattr(backend, "generator", lambda seed: InSinglePrecision(original(seed)))
    for case_ in CASES:
        if case_.of in ("nextafter", "astype"):  # these are about the type itself
            continue
        single, double = outcome(case_, "float32"), outcome(case_, "float64")
        pairs = {part: zip(single[part], double[part], strict=True) for part in PARTS}
        rounded = {part: [y.astype(x.dtype) for x, y in pair] for part, pair in pairs.items()}
        comparison = compare(case_.name, single, rounded)
        assert comparison.problem is None, comparison
        assert all(difference <= BOUNDS[part] / 2 for part, difference in comparison.differences.items()), comparison


# The measure


def test_units_are_those_of_the_element_or_of_the_whole() -> None:
    ones = tg.asarray([1.0, 4.0])
    assert ulps(ones, ones) == 0
    assert ulps(ones, tg.asarray([1.0, 4.0 + 2**-21])) == 1
    assert ulps(tg.asarray([3.0, 1e-9]), tg.asarray([3.0, 0.0])) < 0.01  # what is left of 3 - 3
    assert ulps(tg.asarray([1.0], dtype="float64"), tg.asarray([1.0 + 2**-52], dtype="float64")) == 1
    assert ulps(tg.zeros((2,)), tg.zeros((2,))) == 0
    assert ulps(tg.zeros((0,)), tg.zeros((0,))) == 0


def test_what_is_not_finite_is_the_same_or_wrong() -> None:
    strange = tg.asarray([math.nan, math.inf, 1.0])
    assert ulps(strange, strange) == 0
    for other in ([1.0, math.inf, 1.0], [math.nan, -math.inf, 1.0], [math.nan, math.inf, math.nan]):
        with pytest.raises(ValueError, match="1 of 3 elements differ, not finite on one of the two"):
            ulps(strange, tg.asarray(other))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ([1, 2, 4], "1 of 3 elements differ, int64"),
        ([1.0, 2.0, 3.0], r"int64 of shape \(3,\) on NumPy, float32 of shape \(3,\) on CuPy"),
        ([[1, 2, 3]], r"of shape \(1, 3\) on CuPy"),
    ],
)
def test_integers_shapes_and_types_are_the_same_or_wrong(other: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ulps(tg.asarray([1, 2, 3]), tg.asarray(other))


def test_an_error_is_the_problem_of_its_case() -> None:
    broken = case("sum", real(3), call=lambda x: x.sum(axis=5), how="broken")
    found = outcome(broken, "float32")
    assert (
        compare("it", outcome(dataclasses.replace(broken, call=lambda f, x: x), "float32"), found).problem is not None
    )
    assert compare("it", found, found).problem == f"on NumPy: {found['error']}"
    assert not compare("it", found, found).agrees


def test_a_gradient_that_one_backend_lacks_is_a_problem() -> None:
    whole, cut = (
        outcome(Case("x", "", lambda f=f: f, (real(3),)), "float32") for f in (tg.exp, lambda x: tg.exp(x.detach()))
    )
    assert compare("exp", whole, cut).problem == "gradient: 1 tensors on NumPy and 0 on CuPy"


# The command


def verify(*words: str, path: Path = STANDIN) -> subprocess.CompletedProcess[str]:
    """Run the command over what stands for CuPy in a folder."""
    paths = os.pathsep.join(map(str, (ROOT, path)))
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_lstm", "verify", *words],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, timeout=170,
    )  # fmt: skip


def changed(tmp_path: Path, line: str) -> Path:
    """Return a folder with a stand-in for CuPy that ends with one more line."""
    (tmp_path / "cupy").mkdir()
    (tmp_path / "cupy" / "__init__.py").write_text((STANDIN / "cupy" / "__init__.py").read_text() + f"\n\n{line}\n")
    return tmp_path


@pytest.mark.once
def test_the_stand_in_agrees_but_for_kernels_and_the_order_of_sums(tmp_path: Path) -> None:
    run = verify("--json", str(tmp_path / "found.json"))
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len(CASES)} cases, 0 beyond the bounds" in run.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["dtype"] == "float32"
    assert found["backends"]["cupy"]["device"] == "stand-in for a GPU"
    differ = {name.split(",")[0] for name, row in found["cases"].items() if any(row.get(part) for part in PARTS)}
    in_one_piece = {"RNN", "GRU", "LSTM", "CharLM"}  # on NumPy, and step by step elsewhere
    compiled = {"matmul", "linear", "Linear", "Adam", "AdamW"}  # on NumPy, where there is Numba
    in_another_order = {"take", "getitem", "pad", "repeat", "nll_loss", "cross_entropy", "Embedding", "ctc_loss"}
    assert differ <= in_one_piece | compiled | in_another_order  # where gradients of one place are added up


@pytest.mark.once
def test_double_precision_and_a_pattern() -> None:
    run = verify("--dtype", "float64", "--only", "softmax")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("softmax") >= 4
    assert "ulp of float64" in run.stdout
    assert "4 cases, 0 beyond the bounds" in run.stdout


@pytest.mark.once
def test_a_wrong_op_is_found_and_named(tmp_path: Path) -> None:
    wrong = changed(tmp_path, "_listed['sinh'] = lambda x: _computed(lambda v: numpy.sinh(v) * 1.0001, x._host)")
    run = verify("--only", "sinh", path=wrong)
    assert run.returncode == 1, run.stdout + run.stderr
    *_, first, second, third = run.stdout.splitlines()
    assert first.endswith(" 2 beyond the bounds")
    assert (second, third) == ("  sinh", "  sinh, extremes")
    (line,) = (line for line in run.stdout.splitlines() if line.startswith("sinh "))
    assert line.endswith("beyond the bound")


@pytest.mark.once
def test_an_op_that_fails_on_one_backend_is_named_with_the_error(tmp_path: Path) -> None:
    run = verify(
        "--only",
        "hypot",
        "--json",
        str(tmp_path / "found.json"),
        path=changed(tmp_path, "_listed['hypot'] = numpy.hypot"),
    )
    assert run.returncode == 1, run.stdout + run.stderr
    assert "on CuPy: TypeError: operand 'ndarray' does not support ufuncs" in run.stdout
    assert json.loads((tmp_path / "found.json").read_text())["cases"]["hypot"]["agrees"] is False


@pytest.mark.once
def test_without_a_device_there_is_a_sentence(tmp_path: Path) -> None:
    run = verify("--only", "abs", path=changed(tmp_path, "cuda.runtime.getDeviceCount = lambda: 0"))
    assert run.returncode == 2
    assert run.stderr.startswith("tinygrad-lstm: TINYGRAD_LSTM_BACKEND=cupy asks for a GPU")
    assert run.stderr.count("\n") == 1


def test_without_cupy_it_is_said_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert main(["verify", "--only", "abs"]) == 2
    sentence = capsys.readouterr().err
    assert sentence.startswith("tinygrad-lstm: verify compares NumPy with CuPy on a GPU, and CuPy is not installed: ")
    assert sentence.count("\n") == 1
    assert "TINYGRAD_LSTM_BACKEND" not in sentence


@pytest.mark.once
def test_a_pattern_that_fits_nothing_is_refused() -> None:
    run = verify("--only", "quux")
    assert run.returncode == 2
    assert "--only quux is in the name of no case" in run.stderr
