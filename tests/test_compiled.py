"""Compiled kernels are held to those in plain NumPy, and their parts to what they stand for."""

from __future__ import annotations

import gc
import itertools
import math
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend, kernels
from tinygrad_lstm.kernels import choice

pytestmark = pytest.mark.skipif(backend.name != "numpy", reason="the kernels are the host's")
pytest.importorskip("numba", reason="compiled kernels need Numba")

from numba.core.dispatcher import Dispatcher  # noqa: E402

from tinygrad_lstm.kernels import compiled  # noqa: E402
from tinygrad_lstm.kernels.compiled import lanes, products, spare, team, workers  # noqa: E402
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
SIZES = [(1, 1, 1, 1), (4, 5, 3, 4), (6, 1, 40, 35), (5, 17, 33, 16), (11, 40, 9, 70), (70, 40, 3, 5)]
"""(T, B, I, H): less than a tile and a register, more, much that does not come out even, and more than a stretch."""

every_twin = pytest.mark.parametrize("kind", TWINS)


every_precision = pytest.mark.parametrize("dtype", ["float32", "float64"])


def drawn(*shape: int, dtype: str = "float32") -> Any:
    """Return numbers of the size of weights."""
    return (backend.generator(sum(shape)).standard_normal(shape) / math.sqrt(shape[-1])).astype(dtype)


def given(
    kind: str, size: tuple[int, int, int, int], bias: bool = True, dtype: str = "float32"
) -> tuple[Any, tuple[Any, ...], Arrays]:
    """Return an input, a state and weights."""
    T, B, inputs, H = size
    rows, of = TWINS[kind][2] * H, partial(drawn, dtype=dtype)
    biases = [of(rows) if bias else None, *([-of(rows) if bias else None] if kind == "gru" else [])]
    weights = [of(rows, inputs), of(rows, H), *biases, *([None] if kind == "lstm" else [])]
    return 3 * of(T, B, inputs), tuple(of(B, H + n)[:, :H] for n in range(2 if kind == "lstm" else 1)), weights


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
    """Compare everything, to the rounding of the precision."""
    plain, fast, _ = TWINS[kind]
    dtype = arguments[0].dtype
    for ours, theirs in zip(answers(fast, *arguments), answers(plain, *arguments), strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert ours.dtype == dtype
            scale = max(1.0, np.abs(theirs).max())
            np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=50 * np.finfo(dtype).eps)


@every_twin
@every_precision
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("division", ["nothing", "sequences", "units"])
def test_twins_agree(
    kind: str, dtype: str, size: tuple[int, int, int, int], division: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CORES", 1 if division == "nothing" else 3)
    monkeypatch.setattr(workers, "LITTLE", 0)
    monkeypatch.setattr(workers, "MUCH", 0 if division == "units" else sys.maxsize)
    monkeypatch.setattr(workers, "BRIEF", 0)
    monkeypatch.setattr(workers, "_team", None)
    x, state, weights = given(kind, size, dtype=dtype)
    T, B, _, H = size
    counts = backend.generator(1).integers(0, T + 1, B)
    within = counts[:, None] > np.arange(T)[:, None, None]
    for times, here in itertools.product((range(T), range(T - 1, -1, -1)), (None, within)):
        assert_twins_agree(
            kind, x, state, weights, times, here, drawn(T, B, H, dtype=dtype), tuple(map(np.copy, state)), True
        )


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
def test_derivatives_given_in_another_type_are_those_in_the_own(kind: str) -> None:
    x, state, weights = given(kind, (5, 6, 7, 8))
    d_outputs, d_last = drawn(5, 6, 8), tuple(map(np.copy, state))
    for kernel in TWINS[kind][:2]:
        wanted = answers(kernel, x, state, weights, range(5), None, d_outputs, d_last, True)
        wide = d_outputs.astype("float64"), tuple(d.astype("float64") for d in d_last)
        for ours, theirs in zip(answers(kernel, x, state, weights, range(5), None, *wide, True), wanted, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@every_twin
def test_derivatives_given_in_another_shape_are_refused(kind: str) -> None:
    x, state, weights = given(kind, (5, 6, 7, 8))
    nothing = (None,) * len(state)
    for kernel in TWINS[kind][:2]:
        kept = kernel.forward(x, state, weights, range(5), None)[2]
        for shape in ((8,), (5, 6, 7), (5, 1, 8), (4, 6, 8)):
            with pytest.raises(ValueError, match=rf"gradient of shape \({shape[0]},.*the shape \(5, 6, 8\)"):
                kernel.backward(kept, np.zeros(shape, "float32"), nothing, True)
        with pytest.raises(ValueError, match=r"gradient of shape \(8, 6\) for what has the shape \(6, 8\)"):
            kernel.backward(kept, None, (*nothing[1:], np.zeros((8, 6), "float32")), True)


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
    def go(x: Any, y: Any) -> None:
        run(lanes.kind_of(x), (lanes.address(x),), (lanes.address(y),), x.size)

    y = np.full_like(x, 7)
    go(x, y)
    return y


@every_precision
def test_tanh_and_sigmoid_are_right_to_a_few_units_in_the_last_place(dtype: str) -> None:
    small = np.logspace(-38, 1.5, 3001)
    x = np.concatenate([-small, [0.0], small, [np.inf, -np.inf]]).astype(dtype)
    y, exact = applied(tanh, x), np.array([math.tanh(v) for v in x])
    assert (np.abs(y - exact) <= 6 * np.spacing(np.abs(exact).astype(dtype))).all()
    assert np.abs(y).max() == 1
    np.testing.assert_array_equal(y, -applied(tanh, -x))
    wanted, eps = 0.5 + 0.5 * np.tanh(x.astype("float64") / 2), np.finfo(dtype).eps
    np.testing.assert_allclose(applied(sigmoid, x), wanted, rtol=0, atol=2 * eps)
    assert np.isnan(applied(tanh, np.array([np.nan], dtype))[0])


@compile_
def multiplied(a: Any, w: Any, first: Any, space: Any, c: Any) -> None:
    """Write ``first + a @ w`` to the first rows of ``c``, by way of panels."""
    kind, (rows, depth), columns, size = lanes.kind_of(a), a.shape, w.shape[1], a.itemsize
    for n in range(products.panels_in(kind, columns)):
        products.pack_panel(n, kind, lanes.address(w), columns * size, depth, columns, lanes.address(space))
    products.multiply(
        kind, rows, lanes.address(a), depth * size, depth, lanes.address(space), columns, lanes.address(first), 0,
        lanes.address(c), columns * size,
    )  # fmt: skip


@every_precision
@pytest.mark.parametrize(("depth", "rows", "columns"), [(1, 1, 1), (300, 13, 37), (7, 64, 64)])
def test_products(depth: int, rows: int, columns: int, dtype: str) -> None:
    a, w, first = (drawn(*shape, dtype=dtype) for shape in ((rows, depth), (depth, columns), (columns,)))
    space, c = np.empty(depth * (columns + 64), dtype), np.full((rows + 1, columns), 7, dtype)
    multiplied(a, w, first, space, c)
    np.testing.assert_allclose(c[:rows], a @ w + first, rtol=0, atol=100 * np.finfo(dtype).eps)
    assert (c[rows] == 7).all()


def of_order(turned: bool, rows: int, columns: int, dtype: str) -> Any:
    """Return a matrix, or the transpose of one."""
    return drawn(columns, rows, dtype=dtype).T if turned else drawn(rows, columns, dtype=dtype)


@every_precision
@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize(
    ("rows", "depth", "columns"), [(1, 1, 1), (3, 5, 7), (17, 300, 65), (101, 1025, 31), (49, 2100, 64), (700, 130, 33)]
)
def test_products_of_matrices_in_any_order_of_memory(
    rows: int, depth: int, columns: int, cores: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CORES", cores)
    monkeypatch.setattr(workers, "_team", None)
    for of_a, of_b in itertools.product([False, True], repeat=2):
        a, b = of_order(of_a, rows, depth, dtype), of_order(of_b, depth, columns, dtype)
        for first in (None, drawn(columns, dtype=dtype), drawn(rows, columns, dtype=dtype)):
            found, wanted = compiled.matmul(a, b, first), a @ b + (0 if first is None else first)
            assert found.dtype == dtype
            np.testing.assert_allclose(found, wanted, rtol=0, atol=100 * np.finfo(dtype).eps)


def test_compiled_products_are_chosen_where_memory_allows_it() -> None:
    if os.environ.get(choice.VARIABLE) == "numpy":
        pytest.skip("switched off by the environment")
    a, b = np.zeros((90, 80), "float32"), np.zeros((80, 100), "float32")
    row, all_rows = b[0], np.zeros((90, 100), "float32")
    for given in ((a, b), (a, b, row), (a, b, all_rows), (b.T, a.T), (a.astype("float64"), b.astype("float64"))):
        assert kernels.matmul(*given) is compiled.matmul
    apart, frozen = np.zeros((90, 160), "float32")[:, ::2], np.broadcast_to(a[0], a.shape)
    for given in ((apart, b), (frozen, b), (a, b.astype("float64")), (a, b.T.copy())):
        assert kernels.matmul(*given) is None
    for first in (row.astype("float64"), all_rows[:1], all_rows.T.copy().T, np.zeros(1, "float32")):
        assert kernels.matmul(a, b, first) is None
    for dtype in ("int32", ">f4", ">f8"):
        assert kernels.matmul(a.astype(dtype), b.astype(dtype)) is None


@pytest.mark.parametrize(("rows", "is_much"), [(7, False), (8, True)])
def test_large_products_of_ops_are_compiled(rows: int, is_much: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def matmul(*arrays: Any) -> Any:
        made.append(arrays)
        return arrays[0] @ arrays[1]

    monkeypatch.setattr(choice, "_compiled", lambda: SimpleNamespace(matmul=matmul))
    w = tg.randn(400, 300, requires_grad=True)
    tg.matmul(tg.randn(3, rows, 300)[0] * 1, w.T)
    assert len(made) == is_much
    tg.matmul(tg.randn(7, 3, 300), w.T)  # a stack of matrices is one of 21 rows
    assert len(made) == is_much + 1
    tg.square(tg.linear(tg.randn(32, 300, requires_grad=True), w)).sum().backward()
    assert len(made) == is_much + 4


@every_precision
@pytest.mark.parametrize("bias", [(100,), (1,), (), (90, 100)])
def test_ops_with_compiled_products_have_the_same_derivatives(dtype: str, bias: tuple[int, ...]) -> None:
    arrays = drawn(90, 80, dtype=dtype), drawn(100, 80, dtype=dtype), np.asarray(drawn(*bias, 1, dtype=dtype)[..., 0])
    (x, w, b), tolerance = arrays, 300 * np.finfo(dtype).eps
    tensors = [tg.asarray(a, requires_grad=True) for a in arrays]
    y = tg.linear(*tensors)
    np.testing.assert_allclose(y.detach().numpy(), x @ w.T + b, rtol=0, atol=tolerance)
    d_x, d_w, d_b = tg.grad(tg.sum(tg.sin(y)), tensors, create_graph=True)
    slope = np.cos(x @ w.T + b)
    lost = tuple(range(2 - len(bias))) + tuple(2 - len(bias) + n for n, m in enumerate(bias) if m == 1)
    for found, wanted in (
        (d_x, slope @ w), (d_w, slope.T @ x), (d_b, slope.sum(axis=lost, keepdims=True).reshape(bias)),
    ):  # fmt: skip
        scale = max(1.0, np.abs(wanted).max())
        np.testing.assert_allclose(found.detach().numpy() / scale, wanted / scale, rtol=0, atol=tolerance)
    (second,) = tg.grad(tg.sum(d_x), [tensors[1]])
    wanted = np.ones_like(x).T @ slope  # of sum(cos(x W.T + b) W), by W
    wanted = wanted.T - ((np.ones_like(x) @ w.T) * np.sin(x @ w.T + b)).T @ x
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(second.numpy() / scale, wanted / scale, rtol=0, atol=tolerance)


def test_shapes_that_do_not_fit_are_told_for_large_matrices_too() -> None:
    with pytest.raises(ValueError, match=r"matmul: got shapes \(200, 300\) and \(200, 300\)"):
        tg.ones((200, 300)) @ tg.ones((200, 300))


def test_the_compiled_kernel_is_chosen_where_it_computes_the_same() -> None:
    if os.environ.get(choice.VARIABLE) == "numpy":
        pytest.skip("switched off by the environment")
    for kind, (plain, fast, _) in TWINS.items():
        for dtype in ("float32", "float64"):
            assert kernels.fastest(plain, *given(kind, (2, 3, 4, 5), dtype=dtype)) is fast
    x, state, weights = given("lstm", (2, 3, 4, 5))
    _, wide_state, _ = given("lstm", (2, 3, 4, 5), dtype="float64")
    projected = [*weights[:3], drawn(2, 5)]
    for others in (
        (x, (wide_state[0], *state[1:]), weights),
        (x, state, projected),
        (x[:0], state, weights),
    ):
        assert kernels.fastest(kernels.LSTM, *others) is kernels.LSTM


@every_twin
def test_the_compiled_kernel_is_not_chosen_for_shapes_that_do_not_fit(kind: str) -> None:
    plain, fast, gates = TWINS[kind]
    x, state, weights = given(kind, (2, 3, 4, 5))
    if os.environ.get(choice.VARIABLE) == "numpy":
        pytest.skip("switched off by the environment")
    assert kernels.fastest(plain, x, state, weights) is fast
    rows = gates * 5
    for place, shape in ((0, (rows, 3)), (0, (4, rows)), (0, (rows + 5, 4)), (1, (rows, 4)), (1, (rows,)), (2, (1,))):
        others = [*weights[:place], drawn(*shape), *weights[place + 1 :]]
        assert kernels.fastest(plain, x, state, others) is plain
    assert kernels.fastest(plain, x, (*state[1:], drawn(1, 5)), weights) is plain
    assert kernels.fastest(plain, x[:, :2], state, weights) is plain


def test_a_state_of_another_type_and_a_projection_are_computed_all_the_same() -> None:
    x = tg.asarray(drawn(4, 3, 5))
    projected = tg.nn.LSTM(5, 6, proj_size=2)
    with tg.nn.stepwise():
        wanted = projected(x)[0]
    np.testing.assert_allclose(projected(x)[0].detach().numpy(), wanted.detach().numpy(), atol=1e-5)


@every_precision
@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("shape", [(), (0, 3), (7, 5), (3, 30_001)])
def test_adam_in_one_pass_is_that_in_many(
    shape: tuple[int, ...], cores: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "CORES", cores)
    monkeypatch.setattr(workers, "_team", None)
    start = np.asarray(drawn(*shape, 2, dtype=dtype)[..., 0], order="C")

    def trained(step: Any, **options: Any) -> Arrays:
        monkeypatch.setattr(choice, "_compiled", lambda: SimpleNamespace(adam=step) if step else None)
        p = tg.asarray(start.copy(), requires_grad=True)
        optimizer = tg.optim.Adam([p], lr=0.1, **options)
        for n in range(3):
            p.grad = tg.asarray(start * (n - 0.5))
            optimizer.step()
        memory = optimizer.state_dict()["state"][0]
        return [p.detach().numpy(), memory["exp_avg"].numpy(), memory["exp_avg_sq"].numpy()]

    for options in ({}, {"betas": (0, 0.5), "eps": 1e-3, "weight_decay": 0.1}):
        for ours, theirs in zip(trained(compiled.adam, **options), trained(None, **options), strict=True):
            assert ours.dtype == dtype
            assert ours.shape == shape
            np.testing.assert_allclose(ours, theirs, rtol=20 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


def test_adam_in_one_pass_is_chosen_where_memory_allows_it() -> None:
    a = np.zeros((4, 5), "float32")
    if os.environ.get(choice.VARIABLE) == "numpy":
        pytest.skip("switched off by the environment")
    assert kernels.adam(a, a, a, a) is compiled.adam
    frozen = np.broadcast_to(a[0], a.shape)
    apart = np.zeros((4, 10), "float32")[:, ::2]
    for other in (np.asfortranarray(a), a.astype("float64"), apart, frozen, a[:3], np.zeros(20, "float32")):
        assert kernels.adam(a, other, a, a) is None
    half = a.astype("float16")
    assert kernels.adam(half, half, half, half) is None
    swapped = a.astype(">f4")
    assert kernels.adam(swapped, swapped, swapped, swapped) is None
    model = tg.nn.Linear(3, 4)
    optimizer = tg.optim.Adam(model.parameters())
    model.weight.grad, model.bias.grad = tg.ones((3, 4)).T, tg.ones((4,))
    before = model.weight.tolist()
    optimizer.step()
    np.testing.assert_allclose(model.weight.tolist(), np.asarray(before) - 1e-3, rtol=1e-5, atol=1e-6)


def output_of(program: str, **environment: str) -> str:
    """Return what a process of its own prints."""
    root = str(Path(tg.__file__).parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    every = {**os.environ, "PYTHONPATH": path, choice.VARIABLE: "auto"}
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
    program = NARROW + USE + "from tinygrad_lstm.kernels.compiled.lanes import BYTES; print(BYTES)"
    assert int(output_of(program, NUMBA_CACHE_DIR=str(tmp_path))) <= 32
    assert list(tmp_path.glob("tinygrad_lstm-*/**/*.nbi"))


def test_nothing_need_be_kept(tmp_path: Path) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    kept = "from tinygrad_lstm.kernels.compiled import lstm\nprint(lstm._forward.stats.cache_path, kernels.in_use())\n"
    told = output_of(USE + "from tinygrad_lstm import kernels\n" + kept, NUMBA_CACHE_DIR=str(nowhere / "below"))
    assert told.startswith("None compiled at first use, and not kept, as no folder for it can be written to (")
    assert str(nowhere) in told


STEP = """
import numpy as np
import tinygrad_lstm as tg
from tinygrad_lstm import kernels
w = tg.ones((7,), requires_grad=True)
w.grad = tg.ones((7,))
tg.optim.Adam([w], lr=0.5).step()
np.testing.assert_allclose(w.detach().numpy(), 0.5, rtol=1e-5)
print(kernels.in_use())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows always knows a home")
def test_nothing_is_kept_where_there_is_no_home() -> None:
    homeless = """
import os, pwd
for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
    os.environ.pop(name, None)
def getpwuid(uid):
    raise KeyError(uid)
pwd.getpwuid = getpwuid
"""
    if sys.platform == "darwin":
        homeless = homeless.replace('"XDG_CACHE_HOME", ', "")
    told = output_of(homeless + STEP)
    assert told.startswith("compiled at first use, and not kept, as no folder for it can be written to (Could not")


LOGGED = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="logged: %(message)s")
"""


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def replaced(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("damage", "which"), [(emptied, "*.nbi"), (emptied, "*.nbc"), (flipped, "*.nbc"), (replaced, "*.nbi")]
)
def test_what_is_damaged_is_compiled_anew(damage: Any, which: str, tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert "logged" not in output_of(LOGGED + STEP, NUMBA_CACHE_DIR=folder)
    files = list(tmp_path.rglob(which))
    assert files
    for file in files:
        damage(file)
    told = output_of(LOGGED + STEP, NUMBA_CACHE_DIR=folder)
    assert told.count("logged") == 1
    assert told.startswith(f"logged: {folder}")
    assert "cannot be read" in told
    if damage is not replaced:
        assert "logged" not in output_of(LOGGED + STEP, NUMBA_CACHE_DIR=folder)


def test_a_file_where_a_folder_should_be_is_told_once(tmp_path: Path) -> None:
    output_of(LOGGED + STEP, NUMBA_CACHE_DIR=str(tmp_path))
    (below,) = tmp_path.glob("*/*")
    shutil.rmtree(below)
    below.write_text("")
    assert output_of(LOGGED + STEP, NUMBA_CACHE_DIR=str(tmp_path)).count("logged") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no limit of a file's size")
def test_a_disk_without_room_is_told_once(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    told = output_of(limit + LOGGED + STEP, NUMBA_CACHE_DIR=str(tmp_path))
    assert told.count("logged") == 1
    assert f"{tmp_path}" in told
    assert "cannot be written" in told


def test_machines_with_registers_of_their_own_keep_code_apart(tmp_path: Path) -> None:
    environment = {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_CPU_NAME": "generic"}
    width = "from tinygrad_lstm.kernels.compiled.lanes import BYTES; print(BYTES)"
    widths = {output_of(program + STEP + width, **environment).split()[-1] for program in ("", NARROW)}
    assert {folder.name.rpartition("-")[2] for folder in tmp_path.iterdir()} == widths


def test_numpy_computes_where_numba_is_told_to_compile_nothing() -> None:
    told = output_of(USE + STEP, NUMBA_DISABLE_JIT="1")
    assert told.startswith("NumPy's: Numba cannot be used (NUMBA_DISABLE_JIT")


def test_without_numba_numpy_computes() -> None:
    hidden = "import sys; sys.modules['numba'] = None\n"
    assert "NumPy's" in output_of(hidden + USE + "from tinygrad_lstm import kernels; print(kernels.in_use())")


def test_threads_that_ask_for_help_at_once_get_their_own_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CORES", 3)
    monkeypatch.setattr(workers, "LITTLE", 0)
    monkeypatch.setattr(workers, "_team", None)
    asked = [(*given("lstm", (5, 6 + n, 7, 20)), range(5), None, None, (None, None), True) for n in range(4)]
    alone = [answers(compiled.LSTM, *some) for some in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        for _ in range(20):
            for ours, wanted in zip(pool.map(lambda some: answers(compiled.LSTM, *some), asked), alone, strict=True):
                for y, expected in zip(ours, wanted, strict=True):
                    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    ("asked", "cores"),
    [("3", 3), (" 3 ", 3), ("3,2", 3), ("²", None), ("0", None), ("-1", None), ("many", None), ("", None)],
)
def test_the_number_of_threads_is_that_of_the_outermost_level(
    asked: str, cores: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    usual = workers._cores()
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert workers._cores() == (cores or usual)


@pytest.mark.parametrize("most", [0, 2])
def test_as_many_help_as_the_system_lets_start(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        asked.append(thread.name)
        if len(asked) > most:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    monkeypatch.setattr(workers, "CORES", 5)
    monkeypatch.setattr(workers, "LITTLE", 0)
    monkeypatch.setattr(workers, "_team", None)
    for _ in range(3):
        assert_twins_agree("gru", *given("gru", (4, 5, 3, 4)), range(4), None, None, (drawn(5, 4),), True)
    assert len(asked) == most + 1
    assert (workers.helpers() is workers.NOBODY) == (most == 0)


def test_helpers_rest_for_good_at_the_end_even_while_there_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "CORES", 3)
    monkeypatch.setattr(workers, "_team", None)
    words, ended = workers.helpers(), threading.Event()

    def work() -> None:
        a = np.ones((300, 300), "float32")
        while not ended.is_set():
            compiled.matmul(a, a)

    daemon = threading.Thread(target=work, daemon=True)
    daemon.start()
    workers._rest()
    assert workers.helpers() is workers.NOBODY
    team.serve(words, sys.maxsize)  # comes back at once
    ended.set()
    daemon.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_process_waits_for_no_thread_of_its_parent() -> None:
    program = """
import os, threading
import numpy as np
import tinygrad_lstm as tg
from tinygrad_lstm.kernels.compiled import spare

class Slow:
    shape = ()
    def __radd__(self, other):
        held.set()
        over.wait()

def allocate(*given):
    held.set()
    over.wait()
    return np.empty(*given)

class Backend:
    empty, frombuffer = staticmethod(allocate), staticmethod(np.frombuffer)

leaf = tg.ones((), requires_grad=True).node
leaf.grad, usual = 1.0, spare.xp
for hold, use in (
    (lambda: leaf.accumulate(Slow()), lambda: leaf.accumulate(1.0)),
    (lambda: spare.empty(spare.LARGE, np.dtype("uint8")), lambda: spare.empty(spare.LARGE + 1, np.dtype("uint8"))),
):
    held, over = threading.Event(), threading.Event()
    spare.xp = Backend
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    child = os.fork()
    if child == 0:
        import signal
        signal.alarm(60)
        spare.xp = usual
        use()
        os._exit(4)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    over.set()
    thread.join()
"""
    assert output_of(program) == "4\n4\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_process_starts_threads_of_its_own() -> None:
    program = """
import os
import numpy as np
import tinygrad_lstm as tg
from tinygrad_lstm.kernels.compiled import workers
workers.CORES, workers.LITTLE = 2, 0
layer, x = tg.nn.LSTM(5, 9), tg.ones((6, 4, 5))
wanted = layer(x)[0].detach().numpy()
before = workers._team
child = os.fork()
if child == 0:
    same = np.array_equal(layer(x)[0].detach().numpy(), wanted)
    os._exit(4 if same and workers._team is not before else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert output_of(program) == "4\n"


def test_no_two_functions_of_the_kernels_have_one_name() -> None:
    """Kept code of several processes is linked by names: two products of one name, and one stands for the other."""
    made = [thing.py_func for thing in gc.get_objects() if issubclass(type(thing), Dispatcher)]  # no proxies
    names = [(f.__module__, f.__qualname__) for f in made if f.__module__.startswith(compiled.__name__)]
    assert len(names) > 30
    assert len(set(names)) == len(names)


# Memory


def test_large_memory_is_had_again_once_all_that_was_cut_from_it_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "LARGE", 1000)
    monkeypatch.setattr(spare, "_pieces", [])
    kind = np.dtype("float32")
    first = spare.empty(500, kind)
    place, cut = first.ctypes.data, first[7:].reshape(17, 29)[3]
    del first
    assert spare.empty(500, kind).ctypes.data != place
    del cut
    again = spare.empty(300, kind)
    assert (again.ctypes.data, again.shape, again.dtype) == (place, (300,), kind)
    assert again.flags.carray
    assert spare.empty(500, kind).ctypes.data != place
    assert spare.empty(100, kind).base is None


def test_no_more_memory_is_kept_than_there_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "LARGE", 1000)
    monkeypatch.setattr(spare, "MOST", 5000)
    monkeypatch.setattr(spare, "_pieces", [])
    kind = np.dtype("uint8")

    def kept() -> list[int]:
        return [piece.memory.nbytes for piece in spare._pieces]

    used = [spare.empty(size, kind) for size in (2000, 2500)]
    assert kept() == [2000, 2500]
    more = spare.empty(3000, kind)
    assert kept() == [2000, 2500]
    del used[0]
    more = spare.empty(2100, kind)
    assert kept() == [2500, 2100]
    assert more.size == 2100
    assert spare.empty(6000, kind).size == 6000
    assert kept() == [2500, 2100]


def test_memory_of_one_content_is_not_taken_for_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "LARGE", 1000)
    monkeypatch.setattr(spare, "MOST", 5000)
    monkeypatch.setattr(spare, "_pieces", [])
    monkeypatch.setattr(spare, "xp", SimpleNamespace(empty=np.zeros, frombuffer=np.frombuffer))
    used = [spare.empty(500, np.dtype("float32")) for _ in range(3)]
    assert [id(piece.user()) for piece in spare._pieces] == [id(array) for array in used[:2]]


@every_twin
def test_what_one_pass_has_kept_is_not_overwritten_by_another(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spare, "LARGE", 1)
    _, fast, _ = TWINS[kind]
    asked = [(*given(kind, (5, 6, 7, 20)), range(5), None) for _ in range(2)]
    asked[1][0][...] *= 0.5
    d_output, nothing = drawn(5, 6, 20), (None,) * len(asked[0][1])
    alone = [fast.backward(fast.forward(*some)[2], d_output, nothing, True) for some in asked]
    passes = [fast.forward(*some)[2] for some in asked]
    for kept, wanted in zip(passes, alone, strict=True):
        for ours, theirs in zip(fast.backward(kept, d_output, nothing, True)[2], wanted[2], strict=True):
            if ours is not None:
                np.testing.assert_array_equal(ours, theirs)
