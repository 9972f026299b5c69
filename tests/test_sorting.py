"""Sorting, searching and sets where it is hard: equals, NaN, nothing at all; and mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend

NAN, INF = math.nan, math.inf


def slope(op: Callable[[Any], Any], data: Any) -> Any:
    """Return the gradient of an op's result, its elements weighted with 1, 2, 3 and so on, as a list."""
    x = tg.asarray(data, dtype="float64", requires_grad=True)
    y = op(x)
    weights = tg.asarray(np.arange(1.0, y.size + 1).reshape(y.shape))
    (g,) = tg.grad((y * weights).sum(), [x])
    return g.tolist()


def test_equal_elements_stay_in_order_in_both_directions() -> None:
    x = tg.asarray([2, 1, 2, 1, 2])
    assert tg.argsort(x).tolist() == [1, 3, 0, 2, 4]
    assert tg.argsort(x, descending=True).tolist() == [0, 2, 4, 1, 3]
    many = tg.asarray(np.arange(1000) % 3)
    for descending in (False, True):
        order = tg.argsort(many, descending=descending).numpy()
        assert all((np.diff(order[many.numpy()[order] == value]) > 0).all() for value in range(3))


def test_an_order_that_need_not_be_stable_sorts_too() -> None:
    x = tg.asarray(np.random.default_rng(0).permutation(50) % 7)
    for descending in (False, True):
        order = tg.argsort(x, descending=descending, stable=False)
        assert tg.take(x, order).tolist() == tg.sort(x, descending=descending, stable=False).tolist()


def test_nan_is_greater_than_every_number() -> None:
    x = tg.asarray([1.0, NAN, INF, -INF, NAN])
    np.testing.assert_array_equal(tg.sort(x).tolist(), [-INF, 1, INF, NAN, NAN])
    np.testing.assert_array_equal(tg.sort(x, descending=True).tolist(), [NAN, NAN, INF, 1, -INF])
    assert tg.argsort(x).tolist() == [3, 0, 2, 1, 4]
    assert tg.argsort(x, descending=True).tolist() == [1, 4, 2, 0, 3]
    np.testing.assert_array_equal(tg.topk(x, 3).values.tolist(), [NAN, NAN, INF])
    assert tg.topk(x, 2, largest=False).indices.tolist() == [3, 0]


def test_gradients_go_back_to_where_the_elements_came_from() -> None:
    assert slope(tg.sort, [3, 1, 2]) == [3, 1, 2]
    assert slope(tg.sort, [2, 1, 2, 1]) == [3, 1, 4, 2]
    assert slope(lambda x: tg.sort(x, descending=True), [2, 1, 2, 1]) == [1, 3, 2, 4]
    assert slope(lambda x: tg.sort(x, axis=0), [[3, 1], [2, 5]]) == [[3, 2], [1, 4]]
    assert slope(lambda x: tg.topk(x, 2).values, [1, 5, 5, 5]) == [0, 1, 2, 0]
    assert slope(lambda x: tg.topk(x, 2, largest=False).values, [5, 1, 3, 1]) == [0, 1, 0, 2]


def test_topk_has_names_and_takes_the_first_of_equals() -> None:
    top = tg.topk(tg.asarray([[1, 4, 4], [7, 7, 7]]), 2, axis=1)
    assert top.values.tolist() == [[4, 4], [7, 7]]
    assert top.indices.tolist() == [[1, 2], [0, 1]]
    values, indices = top
    assert values is top.values
    assert indices.dtype == "int64"
    assert tg.topk(tg.zeros((0,)), 0).values.shape == (0,)


def test_numbers_are_searched_for_in_the_type_of_the_tensor() -> None:
    for dtype in ("float32", "float64"):
        x = tg.asarray([0.1, 0.2, 0.3], dtype=dtype)
        assert [x.searchsorted(v).item() for v in (0.05, 0.1, 0.2, 0.4)] == [0, 0, 1, 3]
        assert [x.searchsorted(v, side="right").item() for v in (0.05, 0.1, 0.2, 0.4)] == [0, 1, 2, 3]
    x = tg.asarray([1, 2, 3])
    assert [x.searchsorted(v).item() for v in (2, 2.5, True)] == [1, 2, 0]
    assert tg.searchsorted(x.data, 2.5) == 2
    assert tg.searchsorted(tg.asarray([1.0, NAN]), tg.asarray([NAN, 5.0])).tolist() == [1, 1]


def test_the_order_of_what_is_searched_may_stand_beside_it() -> None:
    x = tg.asarray([3.0, 1.0, 2.0])
    assert tg.searchsorted(x, tg.asarray([1.5, 9.0]), sorter=tg.argsort(x)).tolist() == [1, 3]
    assert tg.searchsorted(x.data, x.data[:1], sorter=tg.argsort(x.data)).tolist() == [2]


def test_what_is_not_zero_is_found_row_by_row() -> None:
    x = tg.asarray([[0.0, NAN, -0.0], [2.0, 0.0, -1.0]], requires_grad=True)
    found = x.nonzero()
    assert [i.tolist() for i in found] == [[0, 1, 1], [1, 0, 2]]
    np.testing.assert_array_equal(x[found].tolist(), [NAN, 2, -1])
    assert all(type(i) is tg.Tensor and i.dtype == "int64" for i in found)
    assert [i.shape for i in tg.nonzero(tg.zeros((2, 3)))] == [(0,), (0,)]


def test_each_nan_is_an_element_of_its_own() -> None:
    groups = tg.unique_all(tg.asarray([[NAN, 0.0], [-0.0, NAN]]))
    np.testing.assert_array_equal(groups.values.tolist(), [0, NAN, NAN])
    assert groups.indices.tolist() == [1, 0, 3]
    assert groups.inverse_indices.tolist() == [[1, 0], [0, 2]]
    assert groups.counts.tolist() == [2, 1, 1]


def test_sets_have_the_names_and_types_of_the_standard() -> None:
    x = tg.asarray([[3, 1], [1, 3]], dtype="uint8")
    assert tg.unique_all(x)._fields == ("values", "indices", "inverse_indices", "counts")
    assert tg.unique_counts(x)._fields == ("values", "counts")
    assert tg.unique_inverse(x)._fields == ("values", "inverse_indices")
    assert [str(part.dtype) for part in tg.unique_all(x)] == ["uint8", "int64", "int64", "int64"]
    values, inverse_indices = tg.unique_inverse(x)
    assert values[inverse_indices].tolist() == x.tolist()
    assert [part.shape for part in tg.unique_all(tg.zeros((2, 0)))] == [(0,), (0,), (2, 0), (0,)]


def test_the_first_of_equals_gets_the_gradient_of_a_set() -> None:
    assert slope(tg.unique_values, [3, 1, 3, 2]) == [3, 1, 0, 2]
    x = tg.asarray([3.0, 1.0, 3.0], requires_grad=True)
    _, indices, inverse_indices, counts = tg.unique_all(x)
    assert not any(part.requires_grad for part in (indices, inverse_indices, counts))


def test_arrays_give_arrays() -> None:
    x = tg.asarray([3.0, 1.0, 3.0]).data
    for results in (tg.topk(x, 2), tg.unique_all(x), tg.nonzero(x), [tg.sort(x), tg.argsort(x), tg.searchsorted(x, x)]):
        assert all(isinstance(part, backend.ndarray) for part in results)


x0, x3, x23 = tg.asarray(1.0), tg.ones((3,)), tg.ones((2, 3))

MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"sort: got axis -1, wanted one of 0 axes": (ValueError, lambda: tg.sort(x0)),
    r"argsort: got axis 1, wanted one of 1 axes": (ValueError, lambda: tg.argsort(x3, axis=1)),
    r"sort: got builtins\.list, wanted a tensor or an array": (TypeError, lambda: tg.sort([2, 1])),
    r"topk: got k = 4 for shape \(2, 3\), wanted 0 to 3, the length of axis 1": (ValueError, lambda: tg.topk(x23, 4)),
    r"topk: got k = -1 for shape": (ValueError, lambda: tg.topk(x23, -1)),
    r"topk: got k 1\.5, wanted an int": (TypeError, lambda: tg.topk(x3, 1.5)),
    r"searchsorted: got x1 of shape \(2, 3\), wanted one axis": (ValueError, lambda: tg.searchsorted(x23, x3)),
    r"searchsorted: got side='middle', wanted 'left' or": (ValueError, lambda: tg.searchsorted(x3, 1, side="middle")),
    r"searchsorted: got x1 of shape \(3,\) and sorter of \(2, 3\)": (
        ValueError, lambda: tg.searchsorted(x3, 1, sorter=tg.zeros((2, 3), dtype="int64")),
    ),
    r"searchsorted: got indices .*, wanted an array of integers": (
        TypeError, lambda: tg.searchsorted(x3, 1, sorter=x3),
    ),
    r"searchsorted: got builtins\.list, wanted a tensor": (TypeError, lambda: tg.searchsorted(x3, [1.0])),
    r"nonzero: got shape \(\), wanted at least one axis": (ValueError, lambda: tg.nonzero(x0)),
    r"unique_values: got builtins\.list, wanted a tensor or an array": (TypeError, lambda: tg.unique_values([1, 1])),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told_by_op_and_shapes(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()
