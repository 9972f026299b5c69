"""Compiled kernels are held to those in plain NumPy, and their parts to what they stand for."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend, kernels
from tinygrad_lstm.kernels import choice

pytestmark = pytest.mark.skipif(backend.name != "numpy", reason="the kernels are the host's")
pytest.importorskip("numba", reason="compiled kernels need Numba")

from tinygrad_lstm.kernels import compiled  # noqa: E402
from tinygrad_lstm.kernels.compiled import products, workers  # noqa: E402
from tinygrad_lstm.kernels.compiled.caching import compiled as compile_  # noqa: E402
from tinygrad_lstm.kernels.compiled.gates import sigmoid, tanh  # noqa: E402
from tinygrad_lstm.kernels.compiled.lanes import elementwise  # noqa: E402

Arrays = list[Any]

TWINS = {
    "lstm": (kernels.LSTM, compiled.LSTM, 4),
    "gru": (kernels.GRU, compiled.GRU, 3),
    "rnn": (kernels.RNN["tanh"], compiled.RNN["tanh"], 1),
    "rnn relu": (kernels.RNN["relu"], compiled.RNN["relu"], 1),
}
SIZES = [(1, 1, 1, 1), (4, 5, 3, 4), (6, 1, 40, 35), (5, 17, 33, 16), (11, 40, 9, 70)]
"""(T, B, I, H): less than a tile and a register, more, and much that does not come out even."""

every_twin = pytest.mark.parametrize("kind", TWINS)


def drawn(*shape: int) -> Any:
    """Return numbers of the size of weights."""
    return (backend.generator(sum(shape)).standard_normal(shape) / math.sqrt(shape[-1])).astype("float32")


def given(kind: str, size: tuple[int, int, int, int], bias: bool = True) -> tuple[Any, tuple[Any, ...], Arrays]:
    """Return an input, a state and weights."""
    T, B, inputs, H = size
    rows = TWINS[kind][2] * H
    biases = [drawn(rows) if bias else None, *([-drawn(rows) if bias else None] if kind == "gru" else [])]
    weights = [drawn(rows, inputs), drawn(rows, H), *biases, *([None] if kind == "lstm" else [])]
    return 3 * drawn(T, B, inputs), tuple(drawn(B, H + n)[:, :H] for n in range(2 if kind == "lstm" else 1)), weights


def answers(
    kernel: Any,
    x: Any,
    state: Any,
    weights: Arrays,
    times: range,
    within: Any,
    d_outputs: Any,
    d_last: Any,
    needs_x: bool,
) -> Arrays:
    """Return all that a kernel computes."""
    outputs, last, kept = kernel.forward(x, state, weights, times, within)
    d_x, d_state, d_weights = kernel.backward(kept, d_outputs, d_last, needs_x)
    return [outputs, *last, *kernel.seen(kept).values(), d_x, *d_state, *d_weights]


def assert_twins_agree(kind: str, *arguments: Any) -> None:
    """Compare everything, to the rounding of single precision."""
    plain, fast, _ = TWINS[kind]
    for ours, theirs in zip(answers(fast, *arguments), answers(plain, *arguments), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.dtype == "float32"
            scale = max(1.0, np.abs(theirs).max())
            np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=5e-6)


@every_twin
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("threads", [1, 3])
def test_twins_agree(kind: str, size: tuple[int, int, int, int], threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CORES", threads)
    monkeypatch.setattr(workers, "LITTLE", 0)
    monkeypatch.setattr(workers, "_pool", None)
    x, state, weights = given(kind, size)
    T, B, _, H = size
    counts = backend.generator(1).integers(0, T + 1, B)
    within = counts[:, None] > np.arange(T)[:, None, None]
    for times, here in itertools.product((range(T), range(T - 1, -1, -1)), (None, within)):
        assert_twins_agree(kind, x, state, weights, times, here, drawn(T, B, H), tuple(map(np.copy, state)), True)


@every_twin
def test_twins_agree_on_less(kind: str) -> None:
    x, state, weights = given(kind, (5, 6, 7, 8), bias=False)
    nothing = tuple(None for _ in state)
    assert_twins_agree(kind, x, state, weights, range(5), None, None, (drawn(6, 8), *nothing[1:]), False)
    assert_twins_agree(kind, x, state, weights, range(5), None, drawn(5, 6, 8), nothing, False)


@every_twin
def test_arrays_in_pieces_are_read_as_they_are(kind: str) -> None:
    x, state, weights = given(kind, (5, 6, 7, 8))
    scattered = [None if w is None else np.asfortranarray(w) for w in weights]
    constant = np.broadcast_to(np.float32(0.5), (5, 6, 8))
    x = np.ascontiguousarray(x.transpose(1, 0, 2)).transpose(1, 0, 2)
    assert_twins_agree(kind, x, state, scattered, range(5), None, constant, tuple(s.T.copy().T for s in state), True)


@every_twin
def test_what_is_no_number_stays_none(kind: str) -> None:
    x, state, weights = given(kind, (3, 2, 4, 20))
    x[1, 0, 2] = np.nan
    outputs, _, _ = TWINS[kind][1].forward(x, state, weights, range(3), None)
    assert np.isnan(outputs[1:, 0]).all()
    assert np.isfinite(outputs[:1]).all()
    assert np.isfinite(outputs[:, 1]).all()


def applied(formula: Any, x: Any) -> Any:
    """Return a formula of lanes of an array."""
    run = elementwise(lambda lanes: (formula(lanes),))

    @compile_
    def go(source: int, target: int, count: int) -> None:
        run((source,), (target,), count)

    y = np.full_like(x, 7)
    go(x.ctypes.data, y.ctypes.data, x.size)
    return y


def test_tanh_and_sigmoid_are_right_to_a_few_units_in_the_last_place() -> None:
    small = np.logspace(-38, 1.5, 3001)
    x = np.concatenate([-small, [0.0], small, [np.inf, -np.inf]]).astype("float32")
    y, exact = applied(tanh, x), np.array([math.tanh(v) for v in x])
    assert (np.abs(y - exact) <= 6 * np.spacing(np.abs(exact).astype("float32"))).all()
    assert np.abs(y).max() == 1
    np.testing.assert_array_equal(y, -applied(tanh, -x))
    np.testing.assert_allclose(applied(sigmoid, x), 0.5 + 0.5 * np.tanh(x.astype("float64") / 2), rtol=0, atol=2e-7)
    assert np.isnan(applied(tanh, np.array([np.nan], "float32"))[0])


@pytest.mark.parametrize(("depth", "rows", "columns"), [(1, 1, 1), (300, 13, 37), (7, 64, 64)])
def test_products(depth: int, rows: int, columns: int) -> None:
    a, w, first = drawn(rows, depth), drawn(depth, columns), drawn(columns)
    for made in (products.panels(w), products.panels_of_transposed(np.ascontiguousarray(w.T))):
        c = np.full((rows + 1, columns), 7, "float32")
        products.multiply(a.ctypes.data, rows, depth, made.ctypes.data, columns, first.ctypes.data, 0, c.ctypes.data)
        np.testing.assert_allclose(c[:rows], a @ w + first, rtol=1e-5, atol=1e-5)
        assert (c[rows] == 7).all()
    d, x, c = drawn(depth, rows), drawn(depth, columns), np.ones((rows, columns), "float32")
    space = products.workspace(columns)
    products.multiply_transposed(
        d.ctypes.data, rows, 1, rows, x.ctypes.data, columns, depth, c.ctypes.data, space.ctypes.data
    )
    np.testing.assert_allclose(c[1:], 1 + d.T[1:] @ x, rtol=1e-5, atol=1e-4)
    assert (c[:1] == 1).all()


def test_the_compiled_kernel_is_chosen_where_it_computes_the_same() -> None:
    x, state, weights = given("lstm", (2, 3, 4, 5))
    if os.environ.get(choice.VARIABLE) == "numpy":
        pytest.skip("switched off by the environment")
    for plain, fast, _ in TWINS.values():
        assert kernels.fastest(plain, x, state, weights) is fast
    wide, projected = x.astype("float64"), [*weights[:3], drawn(2, 5)]
    for others in (
        (wide, state, weights),
        (x, (wide, *state[1:]), weights),
        (x, state, projected),
        (x[:0], state, weights),
    ):
        assert kernels.fastest(kernels.LSTM, *others) is kernels.LSTM


def test_a_state_of_another_type_and_a_projection_are_computed_all_the_same() -> None:
    x = tg.asarray(drawn(4, 3, 5))
    projected = tg.nn.LSTM(5, 6, proj_size=2)
    with tg.nn.stepwise():
        wanted = projected(x)[0]
    np.testing.assert_allclose(projected(x)[0].detach().numpy(), wanted.detach().numpy(), atol=1e-5)


def output_of(program: str, **environment: str) -> str:
    """Return what a process of its own prints."""
    root = str(Path(tg.__file__).parents[1])
    every = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])}
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=every | environment
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


USE = """
import sys
import numpy as np
import tinygrad_lstm as tg
lstm = tg.nn.LSTM(5, 9)
x = tg.randn(6, 19, 5)
with tg.nn.stepwise():
    wanted = lstm(x)[0]
np.testing.assert_allclose(lstm(x)[0].detach().numpy(), wanted.detach().numpy(), atol=1e-5)
"""


NARROW = """
import llvmlite.binding as llvm
host = llvm.get_host_cpu_features()
narrow = type(host)({name: had and "avx512" not in name for name, had in host.items()})
llvm.get_host_cpu_features = lambda: narrow
"""


def test_one_variable_switches_compiled_kernels_off() -> None:
    program = USE + "from tinygrad_lstm import kernels; print('numba' in sys.modules, kernels.in_use())"
    assert output_of(program, TINYGRAD_LSTM_KERNELS="numpy").startswith("False NumPy's, as TINYGRAD_LSTM_KERNELS says")
    assert output_of(program, TINYGRAD_LSTM_KERNELS="auto").startswith("True compiled at first use, and kept in ")
    program = USE.replace("lstm(x)[0].detach().numpy()", "1") + "print('not reached')"
    with pytest.raises(AssertionError, match="TINYGRAD_LSTM_KERNELS=fortran is no choice of kernels"):
        output_of(USE, TINYGRAD_LSTM_KERNELS="fortran")


def test_narrower_registers_and_a_folder_for_what_is_kept(tmp_path: Path) -> None:
    program = NARROW + USE + "from tinygrad_lstm.kernels.compiled.lanes import LANES; print(LANES)"
    assert int(output_of(program, NUMBA_CACHE_DIR=str(tmp_path))) <= 8
    assert list(tmp_path.glob("tinygrad_lstm-*/**/*.nbi"))


def test_nothing_need_be_kept(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    output_of(USE, NUMBA_CACHE_DIR=str(nowhere / "below"))


def test_without_numba_numpy_computes() -> None:
    hidden = "import sys; sys.modules['numba'] = None\n"
    assert "NumPy's" in output_of(hidden + USE + "from tinygrad_lstm import kernels; print(kernels.in_use())")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_process_starts_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import os, sys
from tinygrad_lstm.kernels.compiled import workers
workers.CORES, workers.LITTLE = 2, 0
done = []
workers.together(lambda n, start, stop: done.append(n), workers.parts(4, 1))
child = os.fork()
if child == 0:
    workers.together(lambda n, start, stop: done.append(n), workers.parts(4, 1))
    os._exit(len(done))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert output_of(program) == "4\n"
