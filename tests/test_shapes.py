"""Elements in other shapes and orders, and sums of products by subscripts: edges, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend

x23, x3, m22 = tg.ones((2, 3)), tg.ones((3,)), tg.ones((2, 2, 2))


def shares(x: tg.Tensor, y: tg.Tensor) -> bool:
    """Tell whether two tensors hold their elements in the same memory."""
    return bool(backend.xp.may_share_memory(x.data, y.data))


def test_reshape_copies_as_it_is_told() -> None:
    x = tg.asarray(np.arange(6.0).reshape(2, 3), requires_grad=True)
    assert shares(x, tg.reshape(x, (3, 2)))
    assert shares(x, x.reshape(3, 2, copy=False))
    assert not shares(x, x.reshape((3, 2), copy=True))
    assert not shares(x, x.reshape(2, 3, copy=True))
    assert x.T.reshape(-1, copy=True).tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(ValueError, match=r"reshape: got shape \(3, 2\) and copy=False, wanted \(6,\), which takes a c"):
        x.T.reshape(6, copy=False)
    assert tg.ones((0, 3)).T.reshape(0, copy=False).shape == (0,)
    (g,) = tg.grad((x.reshape(6, copy=True) * tg.arange(6)).sum(), [x])
    assert g.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_lengths_may_be_tensors() -> None:
    n = tg.asarray(3)
    assert tg.reshape(x23, (n, 2)).shape == tg.reshape(x23, (n, -1)).shape == (3, 2)
    assert tg.broadcast_to(x3, (2, n)).shape == (2, 3)
    for six in (6, np.int64(6), [6], tg.asarray(6), tg.asarray([6]), np.asarray([6])):
        assert x23.reshape(six).shape == (6,)


def test_broadcasting_a_number_of_arrays() -> None:
    assert tg.broadcast_arrays() == []
    a, b = tg.broadcast_arrays(x3.data, tg.ones((2, 1), dtype="int32"))
    assert (type(a), a.shape, a.dtype, b.shape, b.dtype) == (tg.Tensor, (2, 3), "float32", (2, 3), "int32")


def test_moving_no_axis_is_a_copy_of_the_view() -> None:
    assert tg.moveaxis(x23, (), ()).shape == (2, 3)
    assert tg.moveaxis(tg.ones((2, 3, 4, 5)), (0, 1), (-1, 1)).shape == (4, 3, 5, 2)


def test_results_are_tensors_of_their_own() -> None:
    """What changes nothing gives another tensor all the same, so that naming it does not rename the argument."""
    x = tg.ones((2, 2), requires_grad=True)
    for y in (
        tg.roll(x, 1, axis=()), tg.tile(x, ()), tg.pad(x, 0), tg.pad(x, 0, "edge"), tg.einsum("ij", x),
        tg.broadcast_to(x, (2, 2)), *tg.broadcast_arrays(x), tg.repeat(x, 1, axis=0), tg.tril(x, k=5),
    ):  # fmt: skip
        assert y is not x
        assert y.tolist() == x.tolist()
        assert not isinstance(y.node, type(x.node))


def test_padding_with_numbers() -> None:
    inf = float("inf")
    assert tg.pad(tg.asarray([1.0]), 1, constant_values=-inf).tolist() == [-inf, 1, -inf]
    assert tg.pad(tg.asarray([1]), 1, constant_values=-2).tolist() == [-2, 1, -2]
    assert tg.pad(tg.asarray([True]), 1, constant_values=True).tolist() == [True] * 3
    assert tg.pad(tg.asarray([1.0]), 1, constant_values=np.float64(2)).dtype == "float32"
    assert tg.pad(x23, [[0, 1], [1, 0]]).shape == (3, 4)


def test_repeats_of_every_kind_of_integer() -> None:
    x = tg.asarray([1, 2])
    for twice in (2, np.int8(2), [2], [2, 2], (2, 2), tg.asarray([2]), np.asarray([2, 2], "uint8")):
        assert tg.repeat(x, twice).tolist() == [1, 1, 2, 2]
    assert type(tg.repeat(x.data, tg.asarray([1, 2]))) is tg.Tensor
    assert x.repeat([0, 0]).tolist() == []


def test_einsum_adds_what_it_multiplies_in_one_type() -> None:
    small = tg.asarray(np.full(3, 100, "int8"))
    assert tg.einsum("i,i,i->i", small, small, tg.asarray([1.0, 2, 3])).tolist() == [1e4, 2e4, 3e4]
    assert tg.einsum("i,i", tg.asarray([1, 2]), tg.asarray([0.5, 0.5])).dtype == "float32"
    assert tg.einsum("i->", small.astype("int32")).dtype == "int32"
    assert type(tg.einsum("i,i", x3.data, x3)) is tg.Tensor


def test_einsum_of_many_is_made_of_small_products() -> None:
    """Each product is the cheapest there is: here a matrix with a vector, twice, and never two matrices."""
    n = 300
    a, b, v = tg.ones((n, n)), tg.ones((n, n)), tg.ones((n,))
    with tg.Tape() as tape:
        tg.einsum("ij,jk,k->i", a.detach(), b, tg.asarray(v, requires_grad=True))
    assert [entry.value.shape for entry in tape.entries] == [(n,), (n,)]


def test_einsum_sums_alone_what_stands_alone() -> None:
    x, y = tg.ones((200, 300), requires_grad=True), tg.ones((300, 400), requires_grad=True)
    g = tg.grad(tg.einsum("ij,jk->", x, y), [x, y])
    assert [(part.shape, part[0, 0].item()) for part in g] == [((200, 300), 400), ((300, 400), 200)]


MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"reshape: got shape \(2, 3\), of 6 elements, wanted \(4,\)\.": (ValueError, lambda: tg.reshape(x23, 4)),
    r"reshape: got shape \(2, 3\), of 6 elements, wanted \(-1, -1\)": (ValueError, lambda: x23.reshape(-1, -1)),
    r"reshape: got length 1\.5, wanted an int": (TypeError, lambda: x23.reshape(1.5, 4)),
    r"reshape: got builtins\.list, wanted a tensor or an array": (TypeError, lambda: tg.reshape([1, 2], 2)),
    r"expand_dims: got axis 3 for shape \(2, 3\), wanted -3 to 2\.": (IndexError, lambda: tg.expand_dims(x23, 3)),
    r"permute_dims: got axes 1 for shape \(2, 3\), wanted": (ValueError, lambda: tg.permute_dims(x23, 1)),
    r"split: got length 1\.5, wanted an int": (TypeError, lambda: tg.split(x23, 1.5)),
    r"linear: got builtins\.float, wanted a tensor or an array": (TypeError, lambda: tg.linear(3.0, x23)),
    r"expand_dims: got axis \(0, 1\), wanted an int": (TypeError, lambda: tg.expand_dims(x23, (0, 1))),
    r"squeeze: got axis 0 of shape \(2, 3\), wanted axes of length 1": (ValueError, lambda: tg.squeeze(x23, 0)),
    r"squeeze: got axis 2, wanted one of 2 axes": (ValueError, lambda: tg.squeeze(x23, 2)),
    r"squeeze: got axes \(0, -1\), wanted each one once": (ValueError, lambda: tg.squeeze(tg.ones((1,)), (0, -1))),
    r"squeeze: got axis None, wanted the axes": (TypeError, lambda: tg.squeeze(x23, None)),
    r"broadcast_to: got shape \(2, 3\), which does not broadcast to \(2, 4\)": (
        ValueError, lambda: tg.broadcast_to(x23, (2, 4)),
    ),
    r"broadcast_to: got shape \(2, 3\), which does not broadcast to \(3,\)": (
        ValueError, lambda: tg.broadcast_to(x23, 3),
    ),
    r"broadcast_to: got shape \(1,\), which does not broadcast to \(-1,\)": (
        ValueError, lambda: tg.broadcast_to(tg.ones((1,)), (-1,)),
    ),
    r"broadcast_arrays: got shapes \(2, 3\), \(2,\), wanted them to broadcast": (
        ValueError, lambda: tg.broadcast_arrays(x23, x3[:2]),
    ),
    r"permute_dims: got axes \(0, 3\) for shape \(2, 3\), wanted each axis once": (
        ValueError, lambda: tg.permute_dims(x23, (0, 3)),
    ),
    r"permute_dims: got axes \(0,\) for shape \(\)": (ValueError, lambda: tg.permute_dims(tg.asarray(1.0), (0,))),
    r"moveaxis: got axes \(0, 1\) to be moved to 0, wanted as many": (ValueError, lambda: tg.moveaxis(x23, (0, 1), 0)),
    r"moveaxis: got axis 2, wanted one of 2 axes": (ValueError, lambda: tg.moveaxis(x23, 0, 2)),
    r"matrix_transpose: got shape \(3,\), wanted at least two axes": (ValueError, lambda: tg.matrix_transpose(x3)),
    r"concat: got no arrays, wanted at least one": (ValueError, lambda: tg.concat([])),
    r"concat: got builtins\.float, wanted a tensor": (TypeError, lambda: tg.concat([1.0, 2.0])),
    r"stack: got shapes \[\], wanted one shape": (ValueError, lambda: tg.stack([])),
    r"flip: got axis 2, wanted one of 2 axes": (ValueError, lambda: tg.flip(x23, axis=2)),
    r"flip: got axes \(0, -2\), wanted each one once": (ValueError, lambda: tg.flip(x23, axis=(0, -2))),
    r"roll: got shifts \(1, 2\) along axes 0, wanted as many": (ValueError, lambda: tg.roll(x23, (1, 2), axis=0)),
    r"roll: got shift \(1, 2\), wanted an int": (TypeError, lambda: tg.roll(x23, (1, 2))),
    r"roll: got shift 0\.5, wanted an int": (TypeError, lambda: tg.roll(x23, 0.5, axis=0)),
    r"repeat: got repeats -1, wanted at least 0": (ValueError, lambda: tg.repeat(x3, -1)),
    r"repeat: got repeats -2, wanted at least 0": (ValueError, lambda: tg.repeat(x3, [1, -2, 0])),
    r"repeat: got repeats 0\.5, wanted an int": (TypeError, lambda: tg.repeat(x3, 0.5)),
    r"repeat: got repeats of float32, wanted an array of integers": (TypeError, lambda: tg.repeat(x3, x3)),
    r"repeat: got repeats of shape \(2,\) for axis 1 of shape \(2, 3\), wanted as many": (
        ValueError, lambda: tg.repeat(x23, [1, 2], axis=1),
    ),
    r"tile: got repetitions \(2, -1\), wanted at least 0 of each": (ValueError, lambda: tg.tile(x3, (2, -1))),
    r"pad: got pad_width=\(1, 2, 3\), wanted whole numbers .* for each of 1 axes": (
        ValueError, lambda: tg.pad(x3, (1, 2, 3)),
    ),
    r"pad: got pad_width=\(\(1, 1\),\), wanted .* for each of 2 axes": (ValueError, lambda: tg.pad(x23, ((1, 1),))),
    r"pad: got pad_width=-1, wanted": (ValueError, lambda: tg.pad(x3, -1)),
    r"pad: got pad_width=0\.5, wanted": (ValueError, lambda: tg.pad(x3, 0.5)),
    r"pad: got mode='mirror', wanted 'constant', 'edge', 'reflect' or 'wrap'": (
        ValueError, lambda: tg.pad(x3, 1, "mirror"),
    ),
    r"pad: got shape \(0,\) and mode='wrap', wanted elements along axis 0": (
        ValueError, lambda: tg.pad(tg.ones((0,)), 1, "wrap"),
    ),
    r"pad: got constant_values=0\.5 for elements of int64, wanted an integer": (
        TypeError, lambda: tg.pad(tg.arange(3), 1, constant_values=0.5),
    ),
    r"pad: got constant_values=Tensor.*, wanted a number": (TypeError, lambda: tg.pad(x3, 1, constant_values=x3[0])),
    r"tril: got shape \(3,\), wanted at least two axes": (ValueError, lambda: tg.tril(x3)),
    r"triu: got k 0\.5, wanted an int": (TypeError, lambda: tg.triu(x23, k=0.5)),
    r"outer: got shapes \(2, 3\) and \(3,\), wanted two vectors": (ValueError, lambda: tg.outer(x23, x3)),
    r"vecdot: got shapes \(2, 3\) and \(2,\), wanted axis -1 as long in both": (
        ValueError, lambda: tg.vecdot(x23, x3[:2]),
    ),
    r"vecdot: got axis 0 for shapes \(2, 3\) and \(3,\), wanted it counted from the end": (
        ValueError, lambda: tg.vecdot(x23, x3, axis=0),
    ),
    r"vecdot: got shapes \(2, 3\), \(3, 3\), wanted them to broadcast": (
        ValueError, lambda: tg.vecdot(x23, tg.ones((3, 3))),
    ),
    r"vecdot: got axis -2, wanted one of 1 axes": (ValueError, lambda: tg.vecdot(x23, x3, axis=-2)),
    r"tensordot: got shapes \(2, 3\) and \(2, 3\), wanted the axes \(1,\) .* as long as the axes \(0,\)": (
        ValueError, lambda: tg.tensordot(x23, x23, axes=1),
    ),
    r"tensordot: got axes=3 for arrays of 2 and 2 axes": (ValueError, lambda: tg.tensordot(x23, x23, axes=3)),
    r"tensordot: got axes 0\.5, wanted an int": (TypeError, lambda: tg.tensordot(x23, x23, axes=0.5)),
    r"tensordot: got axes=\[1, 0, 1\], wanted a number of axes or the axes of each": (
        ValueError, lambda: tg.tensordot(x23, x23, axes=[1, 0, 1]),
    ),
    r"tensordot: .* wanted the axes \(0, 1\) of the first as long as the axes \(0,\)": (
        ValueError, lambda: tg.tensordot(x23, x23, axes=((0, 1), (0,))),
    ),
    r"einsum: got 'ij,jk' for shapes \(2, 3\), \(2, 3\), wanted axes of one length, or 1, for 'j'": (
        ValueError, lambda: tg.einsum("ij,jk", x23, x23),
    ),
    r"einsum: got 'ij' for shapes \(2, 3\), \(3,\), wanted as many operands as terms": (
        ValueError, lambda: tg.einsum("ij", x23, x3),
    ),
    r"einsum: got '' for shapes none, wanted as many operands": (ValueError, lambda: tg.einsum("")),
    r"einsum: got 'i' for shapes \(2, 3\), wanted as many letters": (ValueError, lambda: tg.einsum("i", x23)),
    r"einsum: got '\.\.\.ij' for shapes \(3,\), wanted as many letters": (ValueError, lambda: tg.einsum("...ij", x3)),
    r"einsum: got 'ii' for shapes \(2, 3\), wanted axes of one length for 'i', which": (
        ValueError, lambda: tg.einsum("ii", x23),
    ),
    r"einsum: got 'ij->k' for .* wanted each letter of the result once, and among": (
        ValueError, lambda: tg.einsum("ij->k", x23),
    ),
    r"einsum: got 'ij->ii' for .* wanted each letter of the result once": (
        ValueError, lambda: tg.einsum("ij->ii", x23),
    ),
    r"einsum: got '\.\.\.j->j' for .* wanted an ellipsis in the result too": (
        ValueError, lambda: tg.einsum("...j->j", x23),
    ),
    r"einsum: got 'i1' for .* wanted letters, commas": (ValueError, lambda: tg.einsum("i1", x23)),
    r"einsum: got 'i\.j' for .* wanted letters, commas": (ValueError, lambda: tg.einsum("i.j", x23)),
    r"einsum: got '\.\.\.\.\.\.' for .* wanted letters, commas": (ValueError, lambda: tg.einsum("......", x23)),
    r"einsum: got 'ij->i->j' for .* wanted letters, commas": (ValueError, lambda: tg.einsum("ij->i->j", x23)),
    r"einsum: got a Tensor first, wanted subscripts, as in": (TypeError, lambda: tg.einsum(x23, "ij")),
    r"einsum: got builtins\.list, wanted a tensor": (TypeError, lambda: tg.einsum("i", [1, 2])),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told_by_op_and_shapes(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()
