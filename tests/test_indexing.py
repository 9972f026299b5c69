"""Parts of a tensor: what an index may be made of, what it refuses, and where the gradient of a part goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend

x34 = tg.asarray(np.arange(12.0).reshape(3, 4))
x3 = x34[:, 0]

ON_NUMPY = pytest.mark.skipif(backend.name != "numpy", reason="CuPy wraps an array of indices instead")


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_integers_of_every_width_are_indices_of_long_axes(dtype: str) -> None:
    x = tg.ones((300, 2), requires_grad=True)
    index = [-1, 7, 7] if dtype.startswith("i") else [255, 7, 7]
    places = tg.asarray(np.asarray(index, dtype))
    parts = [x[places], tg.take(x, places, axis=0), x[places, 1], tg.take_along_axis(x, places.reshape(-1, 1), axis=0)]
    (g,) = tg.grad(sum(part.sum() for part in parts), [x])
    wanted = np.zeros((300, 2))
    for columns in ([0, 1], [0, 1], [1], [0, 1]):
        np.add.at(wanted, np.ix_(np.asarray(index), columns), 1)
    np.testing.assert_array_equal(backend.to_host(g.data), wanted)


def test_sequences_are_indices() -> None:
    for sequence in ([0, 2], (0, 2), range(0, 3, 2)):
        assert x34[sequence, 1].tolist() == [1, 9]
    assert x34[range(2)].shape == (2, 4)
    assert x34[[[0, 1], [2, 2]]].shape == (2, 2, 4)
    assert x34[[]].shape == (0, 4)
    assert x34[[[]]].shape == (1, 0, 4)
    assert x34[[True, False, True]].shape == (2, 4)


def test_a_bool_is_a_mask_without_axes() -> None:
    for yes in (True, np.True_, tg.asarray(True), tg.asarray(True).data):
        assert x34[yes].shape == (1, 3, 4)
        assert x34[yes, 1].tolist() == [[4, 5, 6, 7]]
        assert x34[:, yes].shape == (3, 1, 4)
    for no in (False, np.False_, tg.asarray(False), x34[0, 0] > 0):
        assert x34[no].shape == (0, 3, 4)


def test_integers_of_any_kind_are_integers() -> None:
    class Two:
        def __index__(self) -> int:
            return 2

    for two in (2, -1, np.int64(2), np.uint8(2), tg.asarray(2), tg.asarray(2).data, Two()):
        assert x34[two].tolist() == [8, 9, 10, 11]
        assert x34[two, 1:3].tolist() == [9, 10]


def test_slices_take_tensors_as_their_ends() -> None:
    assert x34[tg.asarray(1) :, : tg.asarray(-3)].tolist() == [[4], [8]]


def test_a_place_named_twice_gets_the_sum() -> None:
    x = tg.asarray([1.0, 2, 3], requires_grad=True)
    (g,) = tg.grad((x[[0, 2, 0]] * tg.asarray([1.0, 10, 100])).sum(), [x])
    assert g.tolist() == [101, 0, 10]
    (g,) = tg.grad(tg.take_along_axis(x, tg.asarray([2, 2, -1])).sum(), [x])
    assert g.tolist() == [0, 0, 3]
    (g,) = tg.grad(tg.take_along_axis(x.reshape(1, 3), tg.asarray([[0], [1]]), axis=1).sum(), [x])
    assert g.tolist() == [1, 1, 0]


def test_sorting_is_undone_by_taking_along() -> None:
    x = tg.asarray([[3.0, 1, 2], [0, 5, 4]])
    order = tg.asarray([[1, 2, 0], [0, 2, 1]])
    assert tg.take_along_axis(x, order).tolist() == [[1, 2, 3], [0, 4, 5]]


def test_indices_that_are_a_tensor_make_a_tensor() -> None:
    places = tg.asarray([0, 1])
    assert type(tg.take(x3.data, places)) is tg.Tensor
    assert type(tg.take_along_axis(x3.data, places)) is tg.Tensor
    assert type(tg.take(x3.data, places.data)) is backend.ndarray


x23, places = tg.ones((2, 3)), tg.asarray([0, 1])

MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"getitem: .* \(3, 4\): index 3 is out of bounds for axis 0, of length 3\.": (IndexError, lambda: x34[3]),
    r"getitem: .* \(3, 4\): index -5 is out of bounds for axis 1, of length 4\.": (IndexError, lambda: x34[..., -5]),
    r"getitem: .* \(3, 4\): index 4 is out of bounds for axis 1": (IndexError, lambda: x34[:, None, 4]),
    r"getitem: .* \(3, 4\): too many indices, for 3 axes\.": (IndexError, lambda: x34[0, :, 0]),
    r"getitem: .* \(\): too many indices, for 1 axes\.": (IndexError, lambda: tg.asarray(1.0)[0]),
    r"getitem: .* \(3, 4\): a mask has shape \(4,\), and the axes from 0 on \(3,\)\.": (
        IndexError, lambda: x34[x34[0] > 0],
    ),
    r"getitem: .* \(3, 4\): a mask has shape \(4, 3\), and .* \(3, 4\)\.": (IndexError, lambda: x34[x34.T > 0]),
    r"getitem: .* \(3, 4\): its arrays have shapes \(2,\), \(3,\), which do not broadcast\.": (
        IndexError, lambda: x34[[0, 1], [0, 1, 2]],
    ),
    r"getitem: .* its arrays have shapes \(2,\), \(3,\), which do not broadcast": (
        IndexError, lambda: x34[[True, False, True], [0, 1, 2]],
    ),
    r"getitem: .* \(3, 4\): more than one ellipsis\.": (IndexError, lambda: x34[..., 0, ...]),
    r"getitem: .* index 3 is out of bounds for axis 0, of length 3": (IndexError, lambda: x34[True, 3]),
    r"getitem: .* its arrays have shapes \(0,\), \(2,\), which do not broadcast": (
        IndexError, lambda: x34[False, [0, 1]],
    ),
    r"getitem: got an index of float64, wanted integers or bools\.": (IndexError, lambda: x34[x3]),
    r"getitem: got an index of builtins\.float, wanted ints, slices": (IndexError, lambda: x34[1.5]),
    r"getitem: got an index of builtins\.str, wanted ints, slices": (IndexError, lambda: x34[0, "a"]),
    r"getitem: got an index \['a'\], wanted integers or bools|index of <U1, wanted integers": (
        IndexError, lambda: x34[["a"]],
    ),
    r"getitem: got an index \[\[0\], \[0, 1\]\], wanted integers or bools": (IndexError, lambda: x34[[[0], [0, 1]]]),
    r"getitem: .* slice step cannot be zero": (ValueError, lambda: x34[::0]),
    r"take: got indices 1, wanted an array of integers": (TypeError, lambda: tg.take(x23, 1, axis=0)),
    r"take: got indices of float64, wanted an array of integers": (TypeError, lambda: tg.take(x23, x3, axis=0)),
    r"take: got indices of bool, wanted an array of integers": (TypeError, lambda: tg.take(x23, x3 > 0, axis=0)),
    r"take: got indices \['a'\], wanted an array of integers": (TypeError, lambda: tg.take(x23, ["a"], axis=0)),
    r"take: got no axis for shape \(2, 3\), wanted one": (ValueError, lambda: tg.take(x23, places)),
    r"take: got axis 2, wanted one of 2 axes": (ValueError, lambda: tg.take(x23, places, axis=2)),
    r"take: got axis 0, wanted one of 0 axes": (ValueError, lambda: tg.take(tg.asarray(1.0), places, axis=0)),
    r"take: got builtins\.list, wanted a tensor or an array": (TypeError, lambda: tg.take([1, 2], places)),
    r"take: got an index that does not fit shape \(0, 3\): index 0 is out of bounds for axis 0, of length 0": (
        IndexError, lambda: tg.take(tg.ones((0, 3)), places, axis=0),
    ),
    r"take_along_axis: got indices of shape \(2,\) for shape \(2, 3\), wanted as many axes": (
        ValueError, lambda: tg.take_along_axis(x23, places),
    ),
    r"take_along_axis: got indices of shape \(3, 1\) for shape \(2, 3\), wanted": (
        ValueError, lambda: tg.take_along_axis(x23, tg.zeros((3, 1), dtype="int64"), axis=1),
    ),
    r"take_along_axis: got axis 1, wanted one of 1 axes": (
        ValueError, lambda: tg.take_along_axis(x3, places, axis=1),
    ),
    r"split: got parts \(-1, 4\) of axis 1, wanted": (ValueError, lambda: tg.split(x23, [-1, 4], axis=1)),
    r"split: got builtins\.list, wanted a tensor": (TypeError, lambda: tg.split([1, 2], 2)),
    r"unstack: got builtins\.int, wanted a tensor": (TypeError, lambda: tg.unstack(3)),
    r"unstack: got axis 1\.0, wanted an int": (TypeError, lambda: tg.unstack(x23, axis=1.0)),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told_by_op_and_shapes(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()


@ON_NUMPY
def test_an_array_of_indices_out_of_range_is_refused_on_the_host() -> None:
    with pytest.raises(IndexError, match=r"getitem: .* \(3, 4\): index 7 is out of bounds for axis 1, of length 4\."):
        x34[:, [1, 7]]
    with pytest.raises(IndexError, match=r"take: .* \(3, 4\): index -4 is out of bounds for axis 0, of length 3\."):
        tg.take(x34, tg.asarray([0, -4]), axis=0)
    with pytest.raises(
        IndexError, match=r"take_along_axis: .* \(3,\): index 3 is out of bounds for axis 0, of length 3\."
    ):
        tg.take_along_axis(x3, tg.asarray([3]))
    with pytest.raises(IndexError, match="index -1 is out of bounds for axis 0, of length 0"):
        tg.ones((0,))[[-1]]
