"""Reductions and cumulative functions where it is hard: zeros, equals, extremes, nothing at all; and mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from optable import torch

import tinygrad_lstm as tg
from tinygrad_lstm import backend

INF, NAN = math.inf, math.nan


def slope(op: Callable[[Any], Any], data: Any) -> Any:
    """Return the gradient of an op's summed result as a list."""
    x = tg.asarray(data, dtype="float64", requires_grad=True)
    return tg.grad(op(x).sum(), x).tolist()


def bend(op: Callable[[Any], Any], data: Any) -> Any:
    """Return the gradient of half the sum of the squares of the gradient of an op's summed result as a list."""
    x = tg.asarray(data, dtype="float64", requires_grad=True)
    g = tg.grad(op(x).sum(), x, create_graph=True)
    return tg.grad((tg.square(g) / 2 + 0 * x).sum(), x).tolist()


def check(op: Callable[..., Any], data: Any) -> None:
    """Hold an op's first three derivatives against differences."""
    assert tg.gradcheck(op, [tg.asarray(data, dtype="float64")], order=3)


# Zeros in products

ZEROS = ([2, 3, 4], [2, 0, 3], [0, 2, 0, 3], [0, 0, 0], [0], [[1, 0, 2], [3, 4, 5], [0, 0, 6]])


@pytest.mark.parametrize("data", ZEROS, ids=str)
def test_products_with_zeros_have_derivatives(data: Any) -> None:
    check(tg.prod, data)
    check(lambda x: tg.prod(x, axis=-1, keepdims=True), data)
    check(lambda x: tg.cumulative_prod(x, axis=0), data)
    check(lambda x: tg.cumulative_prod(x, axis=-1, include_initial=True), data)


def test_the_slope_of_a_product_is_the_product_of_the_others() -> None:
    assert slope(tg.prod, [2, 0, 3]) == [0, 6, 0]
    assert bend(tg.prod, [2, 0, 3]) == [18, 0, 12]
    assert slope(tg.prod, [2, 0, 3, 0]) == [0, 0, 0, 0]
    cube = np.arange(8.0).reshape(2, 2, 2)
    assert slope(lambda x: tg.prod(x, axis=(2, 0)), cube) == [[[20, 0], [126, 84]], [[0, 0], [42, 36]]]


@pytest.mark.peers
@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("data", ZEROS, ids=str)
def test_cumulative_products_with_zeros_have_the_slopes_of_torch(data: Any) -> None:
    x = torch.tensor(data, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(x.cumprod(-1).sum(), [x])
    np.testing.assert_allclose(slope(lambda x: tg.cumulative_prod(x, axis=-1), data), wanted.numpy())


def test_the_slope_of_a_cumulative_product_takes_little_more_than_linear_work(
    elements_written: Callable[[Callable[[], object]], int],
) -> None:
    n = 2000
    x = tg.asarray(np.linspace(-1, 1, n), requires_grad=True)
    y = tg.cumulative_prod(x).sum()
    assert elements_written(y.backward) < n * 6 * math.log2(n)


def test_a_long_cumulative_product_has_exact_slopes() -> None:
    x = np.where(np.arange(1000) % 2 == 0, 1.25, 0.8)
    x[700] = 0
    found = np.asarray(slope(lambda x: tg.cumulative_prod(x)[-300:], x))
    assert found[:700].tolist() == [0] * 700
    assert found[701:].tolist() == [0] * 299
    np.testing.assert_allclose(found[700], np.cumprod([1.0, *x[701:]]).sum())


# Equals, and norms of 0


def test_equal_elements_have_no_deviation_and_no_slope() -> None:
    equals = [[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]]
    for op in (tg.std, tg.var):
        assert slope(lambda x, op=op: op(x, axis=1), equals)[0] == [0, 0, 0]
        assert bend(lambda x, op=op: op(x, axis=1), equals)[0] == [0, 0, 0]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_deviations_without_degrees_of_freedom() -> None:
    for op in (tg.var, tg.std):
        assert math.isnan(op(tg.asarray([2.0]), correction=1).item())
        assert math.isnan(slope(lambda x, op=op: op(x, correction=1), [2.0])[0])
        assert not math.isfinite(op(tg.asarray([1.0, 2.0]), correction=2).item())


ORDERS = (0, 0.5, 1, 1.5, 2, 2.5, 3, 4, INF, -INF, -1, -2)
VECTORS = ([0.0, 0.0], [0.0, 3.0], [3.0, -3.0], [1.0, -2.0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of a negative power of 0
@pytest.mark.parametrize("order", ORDERS)
def test_slopes_of_norms_are_finite_everywhere(order: float) -> None:
    for data in VECTORS:
        assert np.isfinite(slope(lambda x: tg.norm(x, ord=order), data)).all()
        assert np.isfinite(bend(lambda x: tg.norm(x, ord=order), data)).all()


@pytest.mark.peers
@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("data", VECTORS, ids=str)
def test_norms_and_their_slopes_are_those_of_torch(order: float, data: list[float]) -> None:
    x = torch.tensor(data, dtype=torch.float64, requires_grad=True)
    y = torch.linalg.vector_norm(x, order)
    (wanted,) = torch.autograd.grad(y, [x], allow_unused=True)
    assert tg.norm(tg.asarray(data, dtype="float64"), ord=order).item() == pytest.approx(y.item())
    assert slope(lambda x: tg.norm(x, ord=order), data) == pytest.approx([0, 0] if wanted is None else wanted.tolist())


def test_norms_of_special_numbers() -> None:
    assert tg.norm(tg.asarray([NAN, 0.0, -0.0, INF]), ord=0).item() == 2
    assert tg.norm(tg.asarray([-INF, 1.0])).item() == INF
    assert math.isnan(tg.norm(tg.asarray([NAN, 1.0]), ord=INF).item())
    assert tg.norm(tg.asarray([300.0, 400.0], dtype="float16")).item() == 500
    assert tg.norm(tg.asarray([3, 4]), ord=np.int64(2)).dtype == "float32"


# Extremes


@pytest.mark.filterwarnings("error")
def test_logarithms_of_sums_of_exponentials_at_infinity() -> None:
    assert tg.logsumexp(tg.zeros((2, 0)), axis=1).tolist() == [-INF, -INF]
    assert tg.logsumexp(tg.asarray([-INF, -INF])).item() == -INF
    assert tg.logsumexp(tg.asarray([INF, -INF])).item() == INF
    assert math.isnan(tg.logsumexp(tg.asarray([NAN, 1.0])).item())
    assert slope(tg.logsumexp, [0.0, -INF]) == [1, 0]


@pytest.mark.peers
@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("data", [[-INF, -INF], [INF, 0.0], [INF, INF], [INF, -INF], [0.0, -INF]], ids=str)
def test_slopes_at_infinity_are_those_of_torch(data: list[float]) -> None:
    x = torch.tensor(data, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(x.logsumexp(0), [x])
    np.testing.assert_array_equal(slope(tg.logsumexp, data), wanted.numpy())


def test_nan_is_an_extreme() -> None:
    x = tg.asarray([1.0, NAN, 3.0])
    assert math.isnan(tg.max(x).item())
    assert math.isnan(tg.min(x).item())
    assert tg.argmax(x).item() == tg.argmin(x).item() == 1


# Nothing


def test_reductions_of_nothing() -> None:
    nothing = tg.zeros((2, 0))
    assert tg.sum(nothing, axis=1).tolist() == [0, 0]
    assert tg.prod(nothing, axis=1).tolist() == [1, 1]
    assert tg.all(nothing).item()
    assert not tg.any(nothing).item()
    assert tg.count_nonzero(nothing).item() == 0
    assert tg.norm(nothing, axis=1).tolist() == tg.norm(nothing, axis=1, ord=0).tolist() == [0, 0]
    assert tg.max(nothing, axis=0).shape == tg.argmin(nothing, axis=0).shape == (0,)
    assert tg.cumulative_sum(nothing, axis=1, include_initial=True).tolist() == [[0], [0]]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of a mean of nothing
@pytest.mark.parametrize("op", [tg.mean, tg.var, tg.std])
def test_means_of_nothing_are_not_numbers(op: Any) -> None:
    x = tg.zeros((2, 0), requires_grad=True)
    y = op(x, axis=1)
    assert np.isnan(y.tolist()).all()
    y.sum().backward()
    assert x.grad.shape == (2, 0)
    assert op(tg.zeros((0, 3)), axis=1).shape == (0,)


def test_no_axes_reduce_nothing() -> None:
    x = tg.asarray([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for op in (tg.sum, tg.prod, tg.mean, tg.max, tg.logsumexp, tg.norm):
        assert op(x, axis=()).tolist() == x.tolist()
        assert slope(lambda x, op=op: op(x, axis=()), x.tolist()) == [[1, 1], [1, 1]]


# Element types


@pytest.mark.parametrize("op", [tg.sum, tg.prod, tg.cumulative_sum, tg.cumulative_prod])
def test_totals_of_integers_are_wide(op: Any) -> None:
    for dtype in ("int8", "int32", "bool"):
        assert op(tg.ones((3,), dtype=dtype)).dtype == "int64"
    for dtype in ("uint8", "uint64"):
        assert op(tg.ones((3,), dtype=dtype)).dtype == "uint64"
    for dtype in ("float16", "float32", "float64"):
        assert op(tg.ones((3,), dtype=dtype)).dtype == dtype
    assert op(tg.ones((3,), dtype="uint8"), dtype="int16").dtype == "int16"
    assert op(tg.asarray([100, 100, 100], dtype="int8")).reshape(-1)[-1].item() in (300, 10**6)


@pytest.mark.parametrize("op", [tg.sum, tg.prod, tg.cumulative_sum, tg.cumulative_prod])
def test_totals_in_another_type_pass_gradients_between_floats_alone(op: Any) -> None:
    x = tg.asarray([1.5, 2.5], requires_grad=True)
    y = op(x, dtype="float64")
    assert y.dtype == "float64"
    y.sum().backward()
    assert x.grad.dtype == "float32"
    assert not op(x, dtype="int64").requires_grad
    assert op(x, dtype="int64").reshape(-1)[-1].item() in (2, 3)  # the elements are cut off first


def test_axes_stand_behind_the_array_too() -> None:
    x = tg.asarray([[1.0, 2.0], [3.0, 4.0]])
    assert x.sum(0).tolist() == tg.sum(x, 0).tolist() == x.sum(axis=0).tolist() == [4, 6]
    assert x.mean(1, True).tolist() == [[1.5], [3.5]]
    assert tg.sum(x.data, axis=np.int64(1)).tolist() == [3, 7]


# Mistakes

x0, x3, x23, nothing = tg.asarray(1.0), tg.ones((3,)), tg.ones((2, 3)), tg.zeros((2, 0))

MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"sum: got axis 2, wanted one of 2 axes": (ValueError, lambda: tg.sum(x23, axis=2)),
    r"prod: got axis -1, wanted one of 0 axes": (ValueError, lambda: tg.prod(x0, axis=-1)),
    r"var: got axes \(1, -1\), wanted each one once": (ValueError, lambda: tg.var(x23, axis=(1, -1))),
    r"mean: got axis 1\.0, wanted an int": (TypeError, lambda: tg.mean(x23, axis=1.0)),
    r"argmax: got axis \(0, 1\), wanted an int": (TypeError, lambda: tg.argmax(x23, axis=(0, 1))),
    r"prod: got builtins\.list, wanted a tensor or an array": (TypeError, lambda: tg.prod([1.0])),
    r"sum: got dtype complex64, wanted real numbers": (TypeError, lambda: tg.sum(x3, dtype="complex64")),
    r"max: got shape \(2, 0\), without elements along the axes reduced": (ValueError, lambda: tg.max(nothing)),
    r"min: got shape \(2, 0\), without elements": (ValueError, lambda: tg.min(nothing, axis=1)),
    r"argmin: got shape \(2, 0\), without elements": (ValueError, lambda: tg.argmin(nothing, axis=-1)),
    r"norm: got shape \(2, 0\), without elements": (ValueError, lambda: tg.norm(nothing, axis=1, ord=INF)),
    r"norm: got ord='fro', wanted a number": (ValueError, lambda: tg.norm(x23, ord="fro")),
    r"std: got correction=None, wanted a number": (ValueError, lambda: tg.std(x23, correction=None)),
    r"cumulative_sum: got no axis for shape \(2, 3\), wanted": (ValueError, lambda: tg.cumulative_sum(x23)),
    r"cumulative_prod: got axis 1, wanted one of 1 axes": (ValueError, lambda: tg.cumulative_prod(x3, axis=1)),
    r"cumulative_prod: got no axis for shape \(\), wanted": (ValueError, lambda: tg.cumulative_prod(x0)),
    r"diff: got axis -1, wanted one of 0 axes": (ValueError, lambda: tg.diff(x0)),
    r"diff: got n = -1, wanted at least 0": (ValueError, lambda: tg.diff(x3, n=-1)),
    r"diff: got bools, wanted numbers": (TypeError, lambda: tg.diff(x3 > 0)),
    r"diff: got prepend, x and append of shapes \(2, 3\), \(3,\)": (ValueError, lambda: tg.diff(x23, append=x3)),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told_by_op_and_shapes(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()


def test_arrays_give_arrays() -> None:
    assert isinstance(tg.norm(tg.ones((3,)).data, ord=1), (backend.ndarray, backend.Scalar))
    assert isinstance(tg.diff(tg.ones((3,)).data), backend.ndarray)
