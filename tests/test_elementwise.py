"""Elementwise ops where it is hard: edges, ties, infinities, bits, last digits, and what a mistake is told."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend

try:
    import torch
except ImportError:
    torch = None

pytestmark = pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")  # NumPy's, of 1/0 and the like

INF, NAN = math.inf, math.nan
LN2 = math.log(2)


# Derivatives at hard points


class Point(NamedTuple):
    """A hard point of a function, and its derivatives there; which of them PyTorch has too is the last word."""

    op: str
    at: Sequence[float]
    first: Sequence[float]
    second: Sequence[Sequence[float]] | None = None
    in_torch: str = "both"

    def __str__(self) -> str:
        return f"{self.op}({', '.join(map(str, self.at))})"


NONE1, NONE2, NONE3 = [[0]], [[0, 0]] * 2, [[0, 0, 0]] * 3

POINTS = [
    Point("abs", [0], [0], NONE1),
    Point("sign", [0], [0], NONE1),
    Point("floor", [1], [0], NONE1),
    Point("ceil", [1], [0], NONE1),
    Point("trunc", [-1], [0], NONE1),
    Point("round", [0.5], [0], NONE1),
    Point("sqrt", [0], [INF], [[-INF]]),
    Point("reciprocal", [0], [-INF], [[INF]]),
    Point("log", [0], [INF], [[-INF]]),
    Point("asin", [1], [INF], [[INF]]),
    Point("acos", [-1], [-INF], [[INF]]),
    Point("acosh", [1], [INF], [[-INF]]),
    Point("atanh", [1], [INF], [[INF]]),
    Point("erf", [0], [2 / math.sqrt(math.pi)], NONE1),
    Point("erfc", [INF], [0]),
    Point("maximum", [1, 1], [0.5, 0.5], NONE2),
    Point("minimum", [1, 1], [0.5, 0.5], NONE2),
    Point("maximum", [NAN, 1], [1, 1], NONE2),
    Point("minimum", [1, NAN], [1, 1], NONE2),
    Point("clip", [0, 1, 2], [0, 1, 0], NONE3),
    Point("clip", [1, 1, 2], [1, 0, 0], NONE3),
    Point("clip", [2, 1, 2], [1, 0, 0], NONE3),
    Point("clip", [3, 1, 2], [0, 0, 1], NONE3),
    Point("clip", [0, 3, 1], [0, 0, 1], NONE3),
    Point("clip", [2, 3, 1], [0, 0, 1], NONE3),
    Point("clip", [4, 3, 1], [0, 0, 1], NONE3),
    Point("clip", [1, 1, 1], [1, 0, 0], NONE3),
    Point("clip", [2, 1, 1], [0, 0, 1], NONE3),
    Point("clip", [0, 1, 1], [0, 1, 0], None, "neither"),
    Point("clip", [NAN, 1, 2], [0, 0, 0], NONE3),
    Point("pow", [0, 0], [0, 0], NONE2, "first"),
    Point("pow", [0, 1], [1, 0], [[0, 1], [0, 0]], "first"),
    Point("pow", [0, 2], [0, 0], [[2, 0], [0, 0]], "first"),
    Point("pow", [0, 3], [0, 0], NONE2, "first"),
    Point("pow", [0, 0.5], [INF, 0]),
    Point("pow", [0, -1], [-INF, -INF]),
    Point("pow", [2, 0], [0, LN2], [[0, 0.5], [0.5, LN2 * LN2]], "first"),
    Point("pow", [1e-320, 0], [0, math.log(1e-320)]),
    Point("pow", [INF, 0], [0, INF]),
    Point("pow", [NAN, 0], [0, NAN]),
    Point("copysign", [0, 1], [0, 0], NONE2, "first"),
    Point("copysign", [-2, -0.0], [1, 0], NONE2),
    Point("copysign", [2, -0.0], [-1, 0], NONE2),
    Point("remainder", [5, 3], [1, -1], NONE2),
    Point("remainder", [-5, 3], [1, 2], NONE2),
    Point("remainder", [6, 3], [1, -2], NONE2),
    Point("hypot", [0, 0], [0, 0], NONE2, "neither"),
    Point("atan2", [0, 0], [0, 0], NONE2, "first"),
    Point("logaddexp", [1, 1], [0.5, 0.5], [[0.25, -0.25], [-0.25, 0.25]]),
    Point("logaddexp", [-INF, -INF], [0, 0], NONE2, "neither"),
    Point("logaddexp", [INF, INF], [0, 0], NONE2, "neither"),
    Point("logaddexp", [-INF, 0], [0, 1], NONE2, "first"),
    Point("logaddexp", [INF, 0], [1, 0], NONE2, "first"),
    Point("logaddexp", [0, 1000], [0, 1], NONE2, "first"),
]


def derivatives(op: Callable[..., Any], at: Sequence[float]) -> tuple[list[float], list[list[float]]]:
    """Return the gradient of a function of numbers, and the matrix of its second derivatives."""
    xs = [tg.asarray(x, dtype="float64", requires_grad=True) for x in at]
    first = tg.grad(op(*xs), xs, create_graph=True)
    second = [
        tg.grad(g, xs, allow_unused=True, retain_graph=True) if g.requires_grad else [None] * len(xs) for g in first
    ]
    return [g.item() for g in first], [[0 if h is None else h.item() for h in row] for row in second]


def derivatives_of_torch(op: Callable[..., Any], at: Sequence[float]) -> tuple[list[float], list[list[float]]]:
    """Return PyTorch's word for the same."""
    xs = [torch.tensor(float(x), dtype=torch.float64, requires_grad=True) for x in at]
    first = torch.autograd.grad(op(*xs), xs, create_graph=True)
    second = [
        torch.autograd.grad(g, xs, allow_unused=True, retain_graph=True) if g.requires_grad else [None] * len(xs)
        for g in first
    ]
    return [g.item() for g in first], [[0 if h is None else h.item() for h in row] for row in second]


def agree(found: Any, wanted: Any) -> bool:
    """Tell whether numbers are the same, NaN and NaN too."""
    return np.allclose(found, wanted, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_derivatives_at_hard_points(point: Point) -> None:
    first, second = derivatives(getattr(tg, point.op), point.at)
    np.testing.assert_allclose(first, point.first, rtol=1e-12)
    if point.second is not None:
        np.testing.assert_allclose(second, point.second, rtol=1e-12)


@pytest.mark.peers
@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_derivatives_at_hard_points_are_those_of_torch_where_it_is_said(point: Point) -> None:
    first, second = derivatives_of_torch(getattr(torch, point.op), point.at)
    assert agree(first, point.first) == (point.in_torch != "neither")
    if point.second is not None:
        assert agree(second, point.second) == (point.in_torch == "both")


POWERS = {0: (0, 0), 1: (1, 0), 2: (0, 2), 3: (0, 0), 0.5: (INF, -INF), -1: (-INF, INF)}


@pytest.mark.parametrize("exponent", POWERS)
def test_powers_of_0_by_numbers(exponent: float) -> None:
    wanted = POWERS[exponent]
    (first,), ((second,),) = derivatives(lambda x: x**exponent, [0])
    assert (first, second) == wanted
    if torch is not None:
        (first,), ((second,),) = derivatives_of_torch(lambda x: x**exponent, [0])
        assert (first, second) == wanted


def test_a_third_derivative_of_a_square_is_0_at_0() -> None:
    for exponent in (2, tg.asarray(2.0, dtype="float64")):
        x = tg.asarray(0.0, dtype="float64", requires_grad=True)
        (first,) = tg.grad(x**exponent, [x], create_graph=True)
        (second,) = tg.grad(first, [x], create_graph=True)
        (third,) = tg.grad(second, [x], allow_unused=True)
        assert third is None or third.item() == 0


def test_what_has_no_slope_passes_no_infinity_on() -> None:
    x = tg.asarray([0.0, 4.0], requires_grad=True)
    for op in (tg.sign, tg.floor, tg.ceil, tg.round, tg.trunc, lambda x: x // 3):
        (g,) = tg.grad(op(x), [x], tg.asarray([INF, NAN]))
        assert g.tolist() == [0, 0]


# Far from 1


def test_shares_are_right_to_the_last_digits_however_small() -> None:
    (_, small), ((_, _), (_, curvature)) = derivatives(tg.logaddexp, [700.0, 660.0])
    assert small == pytest.approx(math.exp(-40), rel=1e-14)
    assert curvature == pytest.approx(math.exp(-40), rel=1e-14)


def test_angles_and_distances_do_not_overflow() -> None:
    x, y = (tg.asarray([n], requires_grad=True) for n in (3e30, 4e30))
    np.testing.assert_allclose([g.item() for g in tg.grad(tg.hypot(x, y), [x, y])], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose([g.item() for g in tg.grad(tg.atan2(x, y), [x, y])], [1.6e-31, -1.2e-31], rtol=1e-6)


# The error function


def last_digits(found: Any, wanted: Any) -> float:
    """Return the greatest error in units of the last digit."""
    found, wanted = np.asarray(found, dtype="float64"), np.asarray(wanted)
    return float(np.max(np.abs(found - wanted.astype("float64")) / np.spacing(np.abs(wanted))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["erf", "erfc"])
def test_the_error_function_is_right_to_the_last_digits(name: str, dtype: str) -> None:
    at = np.concatenate([10.0 ** np.arange(-30, -3), np.linspace(0.001, 27, 2000), [0.46875, 4, 28]])
    at = np.concatenate([-at[::-1], at]).astype(dtype)
    wanted = np.asarray([getattr(math, name)(x) for x in at.tolist()]).astype(dtype)
    found = getattr(tg, name)(tg.asarray(at))
    normal = np.abs(wanted) >= np.finfo(dtype).smallest_normal
    assert found.dtype == dtype
    assert last_digits(backend.to_host(found.data)[normal], wanted[normal]) < 8
    assert np.all(backend.to_host(found.data)[~normal] < np.finfo(dtype).smallest_normal * 1.001)


@pytest.mark.filterwarnings("error")
def test_the_error_function_at_the_ends_of_the_line_and_in_half_precision() -> None:
    x = tg.asarray([-INF, -1e30, -0.0, 0.0, 1e30, INF, NAN])
    np.testing.assert_array_equal(tg.erf(x).tolist(), [-1, -1, 0, 0, 1, 1, NAN])
    np.testing.assert_array_equal(tg.erfc(x).tolist(), [2, 2, 1, 1, 0, 0, NAN])
    assert tg.signbit(tg.erf(x)).tolist() == [True, True, True, False, False, False, tg.signbit(x)[-1].item()]
    half = tg.asarray([0.5], dtype="float16", requires_grad=True)
    for op in (tg.erf, tg.erfc):
        y = op(half)
        assert y.dtype == tg.grad(y, [half])[0].dtype == "float16"
        assert y.item() == pytest.approx(op(0.5).item(), rel=1e-3)


# Choices


def test_where_hides_what_was_not_chosen_from_the_gradient() -> None:
    a, b = tg.asarray([NAN, 1.0], requires_grad=True), tg.asarray([2.0, INF], requires_grad=True)
    g_a, g_b = tg.grad(tg.where(tg.asarray([False, True]), a, b).sum(), [a, b])
    assert (g_a.tolist(), g_b.tolist()) == ([0, 1], [1, 0])


def test_where_cannot_help_behind_an_infinite_slope_but_a_second_one_can() -> None:
    x = tg.asarray([0.0, 2.0], requires_grad=True)
    (g,) = tg.grad(tg.where(x > 0, tg.log(x), 0.0).sum(), [x])
    np.testing.assert_array_equal(g.tolist(), [NAN, 0.5])
    (g,) = tg.grad(tg.where(x > 0, tg.log(tg.where(x > 0, x, 1.0)), 0.0).sum(), [x])
    assert g.tolist() == [0, 0.5]


def test_where_takes_one_bool_for_all() -> None:
    x = tg.asarray([1.0, 2.0], requires_grad=True)
    assert tg.where(True, x, 0.0).tolist() == [1, 2]
    assert tg.where(np.bool_(False), x, 0.0).tolist() == [0, 0]
    assert tg.where(tg.asarray(True), 1.0, 2).dtype == "float32"
    assert tg.grad(tg.where(False, x, 3 * x).sum(), [x])[0].tolist() == [3, 3]


def test_clip_takes_bounds_of_all_kinds() -> None:
    x = tg.asarray([[-2.0, 0.5, 3.0], [1.0, 2.0, 9.0]], requires_grad=True)
    low, high = tg.asarray([0.0, 0.0, 4.0], requires_grad=True), tg.asarray([[1.0], [1.5]], requires_grad=True)
    y = tg.clip(x, low, high)
    assert y.tolist() == [[0, 0.5, 1], [1, 1.5, 1.5]]
    g_x, g_low, g_high = tg.grad(y.sum(), [x, low, high])
    assert g_x.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert (g_low.tolist(), g_high.tolist()) == ([1, 0, 0], [[1], [2]])
    assert x.clip(max=high.data).tolist() == [[-2, 0.5, 1], [1, 1.5, 1.5]]
    assert tg.clip(x, low, 1).tolist() == [[0, 0.5, 1], [1, 1, 1]]
    assert tg.clip(x, np.float64(0), np.int64(2)).dtype == "float32"
    assert tg.clip(x).tolist() == x.tolist()


def test_clip_keeps_integers_unless_a_bound_is_a_float() -> None:
    x = tg.asarray([-2, 0, 9])
    assert (x.clip(-1, 5).dtype, x.clip(-1, 5).tolist()) == ("int64", [-1, 0, 5])
    assert (x.clip(-1.5).dtype, x.clip(-1.5).tolist()) == ("float32", [-1.5, 0, 9])
    assert x.clip(tg.asarray(-1), 5).dtype == "int64"
    assert x.clip(tg.asarray(-1.5), 5).dtype == "float32"


@pytest.mark.parametrize("weight", [0, 0.0, 1, 1.0])
def test_the_ends_of_a_way_are_met_exactly(weight: float) -> None:
    start, end = tg.asarray([1e8, 1.0]), tg.asarray([1.0, 1e8])
    wanted = (end if weight else start).tolist()
    assert tg.lerp(start, end, weight).tolist() == wanted
    assert tg.lerp(start, end, tg.asarray(weight)).tolist() == wanted
    assert tg.lerp(start.data, end.data, weight).tolist() == wanted


# Whole numbers and bits


@pytest.mark.parametrize("name", ["floor", "ceil", "trunc", "round", "positive", "abs"])
def test_integers_are_whole_already(name: str) -> None:
    x = tg.asarray([0, 2**60 + 1, 3])
    y = getattr(tg, name)(x)
    assert (y.dtype, y.tolist()) == ("int64", x.tolist())
    assert tg.round(tg.asarray([True])).dtype == "bool"
    assert [tg.round(2.5), tg.floor(3)] == [2, 3]


def test_quotients_and_remainders_follow_pythons_signs() -> None:
    pairs = [(a, b) for a in (-7, -6, 6, 7) for b in (-3, 3)]
    for dtype in ("int64", "int8", "float32"):
        a, b = (tg.asarray(list(column), dtype=dtype) for column in zip(*pairs, strict=True))
        assert ((a // b).tolist(), (a % b).tolist()) == ([a // b for a, b in pairs], [a % b for a, b in pairs])
    x = tg.asarray([2.0, 3.0])
    assert ((7 // x).tolist(), (7 % x).tolist()) == ([3, 2], [1, 1])


def test_operators_work_on_bits() -> None:
    x, y = tg.asarray([0b1100, -1]), tg.asarray([0b1010, 0b0110])
    assert [(x & y).tolist(), (x | y).tolist(), (x ^ y).tolist()] == [[0b1000, 6], [0b1110, -1], [0b0110, -7]]
    assert [(~x).tolist(), (x << 2).tolist(), (x >> 1).tolist()] == [[-13, 0], [48, -4], [6, -1]]
    assert [(1 & x).tolist(), (1 | x).tolist(), (1 ^ x).tolist()] == [[0, 1], [13, -1], [13, -2]]
    assert [(1 << y).tolist(), (2**20 >> y).tolist()] == [[1024, 64], [1024, 2**14]]
    yes, no = tg.asarray([True]), tg.asarray([False])
    for result in (yes & True, no | yes, False ^ yes, ~no):
        assert (result.dtype, result.tolist()) == ("bool", [True])


# Mistakes

INTEGERS, FLOATS = tg.asarray([1, 2]), tg.asarray([1.0, 2.0])


@pytest.mark.parametrize("base", [2, -1, 0, np.int64(3), 2.5])
@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "float32"])
def test_numbers_to_the_power_of_tensors_are_those_of_numpy(base: Any, dtype: str) -> None:
    exponents = np.asarray([1, 0]).astype(dtype)
    y = base ** tg.asarray(exponents)
    base = base.item() if isinstance(base, np.generic) else base
    assert y.tolist() == (base**exponents).tolist()
    assert y.dtype == ("float32" if isinstance(base, float) else (base**exponents).dtype)


@pytest.mark.peers
@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("base", [2, -1, 2.5])
def test_numbers_to_the_power_of_bools_are_those_of_torch(base: float) -> None:
    assert (base ** tg.asarray([True, False])).tolist() == (base ** torch.tensor([True, False])).tolist()


@pytest.mark.skipif(backend.name != "numpy", reason="what CuPy says of numbers out of range is its own")
@pytest.mark.parametrize("number", [300, -2])
def test_a_base_that_does_not_fit_is_refused_as_a_summand_is(number: int) -> None:
    x = tg.asarray([1, 2], dtype="uint8")
    for op in (tg.add, tg.pow):
        with pytest.raises(OverflowError, match=f"{number} out of bounds for uint8"):
            op(number, x)


@pytest.mark.parametrize(("start", "end"), [(10, 5), (5, 10), (200, 100)])
@pytest.mark.parametrize("weight", [0, 0.25, 0.5, 1])
def test_the_way_between_integers_does_not_wrap_round(start: int, end: int, weight: float) -> None:
    a, b = tg.asarray([start], dtype="uint8"), tg.asarray([end], dtype="uint8")
    for y in (tg.lerp(a, b, weight), tg.lerp(a.data, b.data, weight), tg.lerp(a, b, tg.asarray(weight))):
        assert (y.tolist(), y.dtype) == ([start + weight * (end - start)], "float32")
    assert tg.lerp(tg.asarray(2**24 + 1), tg.asarray(0.0, dtype="float64"), 0).item() == 2**24 + 1


MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"bitwise_and: got float32 and 1, wanted integers or bools": (TypeError, lambda: FLOATS & 1),
    r"bitwise_or: got int64 and float32, wanted integers or bools": (TypeError, lambda: INTEGERS | FLOATS),
    r"bitwise_xor: got 0\.5 and int64, wanted integers or bools": (TypeError, lambda: 0.5 ^ INTEGERS),
    r"bitwise_xor: got int64 and uint64, wanted .* of a common type": (
        TypeError, lambda: INTEGERS ^ INTEGERS.astype("uint64"),
    ),
    r"bitwise_invert: got float32, wanted integers or bools": (TypeError, lambda: ~FLOATS),
    r"bitwise_left_shift: got bool and True, wanted integers of": (
        TypeError, lambda: INTEGERS.astype("bool") << True,
    ),
    r"bitwise_right_shift: got \[1\], wanted a tensor": (TypeError, lambda: INTEGERS >> [1]),
    r"pow: got int64 to the power -1, wanted floating point": (ValueError, lambda: INTEGERS**-1),
    r"where: got \[True, False\] as condition, wanted a bool": (
        TypeError, lambda: tg.where([True, False], FLOATS, 0),
    ),
    r"where: got float32, wanted a bool": (TypeError, lambda: tg.where(FLOATS, FLOATS, 0)),
    r"where: got int64, wanted a bool": (TypeError, lambda: tg.where(INTEGERS.data, FLOATS, 0)),
    r"clip: got builtins\.list, wanted": (TypeError, lambda: FLOATS.clip([0, 0])),
    r"hypot: got builtins\.str, wanted": (TypeError, lambda: tg.hypot(FLOATS, "x")),
    r"atan2: got shape \(2,\) and \(3,\)": (ValueError, lambda: tg.atan2(FLOATS, tg.ones(3))),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told_by_op_and_types(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()
