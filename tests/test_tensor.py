"""Tensors: what they are made of, how they print, what indexing, recording and differentiating them do, and refuse."""

from __future__ import annotations

import copy
import gc
import operator
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lstm as tg
from tinygrad_lstm import backend
from tinygrad_lstm.ops.linalg import Outer
from tinygrad_lstm.primitive import sum_to

ON_HOST = pytest.mark.skipif(backend.name != "numpy", reason="memory is shared, and places checked, on the host alone")


def leaf(data: Any, dtype: str | None = None) -> tg.Tensor:
    """Return a tensor that gradients are asked for."""
    return tg.asarray(data, dtype=dtype, requires_grad=True)


def host(x: tg.Tensor) -> Any:
    """Return a tensor's elements as an array of NumPy's."""
    return x.detach().numpy()


# Making tensors


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.0, "float32"), ([1.0, 2], "float32"), ((1, 2.0), "float32"), ([], "float32"), ([np.float32(1)], "float32"),
        (1, "int64"), (range(3), "int64"), ([[True]], "bool"), (np.ones(2), "float64"), (np.float64(1), "float64"),
        (np.ones(2, "int8"), "int8"), (np.ones(2, "uint8"), "uint8"),
    ],
)  # fmt: skip
def test_the_type_is_that_of_the_data_and_of_python_floats_float32(data: Any, dtype: str) -> None:
    assert tg.asarray(data).dtype == dtype
    assert tg.asarray(data, dtype="float64").dtype == "float64"


def test_a_tensor_comes_back_as_it_is() -> None:
    x = leaf([1.0])
    assert tg.asarray(x) is x
    assert not tg.asarray(x, dtype="float64").requires_grad
    assert tg.asarray(x.detach(), requires_grad=True).requires_grad


def test_an_array_of_the_backend_is_shared() -> None:
    array = backend.xp.ones(3)
    x = tg.asarray(array)
    array[0] = 5
    assert x.tolist() == [5, 1, 1]


@ON_HOST
def test_numpy_shares_what_is_in_host_memory() -> None:
    array = np.ones(3)
    tg.asarray(array).numpy()[1] = 7
    assert array.tolist() == [1, 7, 1]


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">f2", ">i2", ">u8"])
def test_bytes_are_brought_into_the_order_of_the_machine(dtype: str) -> None:
    array = np.arange(4).astype(dtype)
    for x in (tg.asarray(array), tg.asarray([array])[0], tg.zeros(4, dtype=dtype) + tg.arange(4).astype(dtype)):
        assert (x.tolist(), x.dtype.isnative, x.dtype) == ([0, 1, 2, 3], True, dtype[1:])
    with pytest.raises(ValueError, match=r"asarray: got ndarray and copy=False"):
        tg.asarray(array, copy=False)


@ON_HOST
def test_arrays_of_other_classes_become_plain_ones() -> None:
    matrix = np.asarray([[1.0, 2.0], [3.0, 4.0]]).view(np.matrix)
    x = tg.asarray(matrix)
    assert (x**2).tolist() == [[1, 4], [9, 16]]
    assert type(x.data) is np.ndarray
    matrix[0, 0] = 7
    assert x[0, 0].item() == 7
    assert tg.asarray(matrix, copy=False).tolist() == x.tolist()
    copied = tg.asarray(matrix, copy=True)
    matrix[0, 0] = 8
    assert copied[0, 0].item() == 7

    class Table:  # as those of pandas, which have a method of that name
        dtype = np.dtype("float64")
        mask = None

        def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
            return np.ones(2)

    assert tg.asarray(Table()).tolist() == [1, 1]
    with pytest.raises(TypeError, match=r"asarray: got a masked array, whose mask would be lost"):
        tg.asarray(np.ma.masked_array([1.0, 2.0], [False, True]))


@pytest.mark.skipif(np.dtype("longdouble").itemsize == 8, reason="there, these are float64")
def test_what_is_longer_than_64_bits_is_refused() -> None:
    for make in (
        lambda: tg.asarray(np.ones(2, "longdouble")),
        lambda: tg.asarray([np.longdouble(1)]),
        lambda: tg.asarray([1.0], dtype="longdouble"),
        lambda: tg.ones(2).astype("longdouble"),
    ):
        with pytest.raises(TypeError, match=r"^(asarray|astype): got .*float\d+, wanted .* of 64 bits at most\.$"):
            make()


@pytest.mark.parametrize("data", ["text", None, [object()], 1j])
def test_what_is_no_number_is_refused(data: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="wanted real numbers or bools"):
        tg.asarray(data)


# Looking at them


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (1.5, "Tensor(1.5)"),
        ([1, 2], "Tensor([1, 2])"),
        ([[1.0, 2.0], [3.0, 4.0]], "Tensor([[1., 2.],\n        [3., 4.]])"),
        ([True], "Tensor([ True])"),
        (np.ones(1), "Tensor([1.], dtype=float64)"),
        (np.ones(1, "int32"), "Tensor([1], dtype=int32)"),
        (np.arange(1000), "Tensor([  0,   1,   2, ..., 997, 998, 999], shape=(1000,))"),
    ],
)
def test_repr(data: Any, text: str) -> None:
    assert repr(tg.asarray(data)) == text


def test_repr_says_how_a_tensor_came_to_be() -> None:
    x = leaf([2.0])
    assert repr(x) == "Tensor([2.], requires_grad=True)"
    assert repr(x * x) == "Tensor([4.], op=multiply)"
    assert repr(x.detach()) == "Tensor([2.])"


def test_numbers_are_formatted_as_numbers() -> None:
    assert f"{tg.asarray(2.34567):.2f} {tg.asarray(7):3d}" == "2.35   7"
    assert f"{tg.asarray([1, 2])}" == "Tensor([1, 2])"


def test_shape_and_size() -> None:
    x = tg.zeros((2, 3))
    assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((2, 3), 2, 6, 2, "float32")
    assert x.device == backend.device_name()


def test_out_to_python() -> None:
    one = tg.asarray([[2.5]])
    assert one.item() == float(one) == 2.5
    assert type(one.item()) is float
    assert int(one) == 2
    assert one.tolist() == [[2.5]]
    assert "abc"[tg.asarray(1)] == "b"
    assert not tg.asarray(0.0)
    assert tg.asarray([3])


def test_what_only_one_element_or_one_axis_can_answer() -> None:
    several = tg.ones((2, 3))
    for ask in (tg.Tensor.item, float, int, bool):
        with pytest.raises(ValueError, match=rf"{ask.__name__}: got a tensor of shape \(2, 3\), wanted one element"):
            ask(several)
    for ask in (len, list):
        with pytest.raises(TypeError, match=r"len: got a tensor of shape \(\), wanted at least one axis"):
            ask(tg.asarray(1.0))
    with pytest.raises(TypeError, match="index: got a tensor of float32, wanted an integer"):
        operator.index(tg.asarray(1.0))


def test_iteration_gives_parts_on_the_tape() -> None:
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    first, second = x
    (first * 2 + second).sum().backward()
    assert x.grad.tolist() == [[2, 2], [1, 1]]


def test_a_tensor_is_a_key_by_identity() -> None:
    x, y = tg.ones((1,)), tg.ones((1,))
    assert {x: "x", y: "y"}[x] == "x"


def test_copies_are_independent() -> None:
    x = leaf([1.0, 2.0]).named("x")
    y = copy.deepcopy(x)
    y.assign_(tg.asarray([5.0, 5.0]))
    (y * y).sum().backward()
    assert (x.tolist(), x.grad, y.name, y.grad.tolist()) == ([1, 2], None, "x", [10, 10])


# Indexing

MATRIX = np.arange(12.0).reshape(3, 4)

INDICES: dict[str, Callable[[Callable[[Any], Any]], Any]] = {
    "integer": lambda _: 1,
    "negative": lambda _: -1,
    "integers": lambda _: (2, -1),
    "slice": lambda _: slice(None, None, -1),
    "slices": lambda _: (slice(1, None), slice(0, 4, 2)),
    "none": lambda _: (None, 0, None),
    "ellipsis": lambda _: (..., 1),
    "empty": lambda _: slice(2, 1),
    "true": lambda _: True,
    "list": lambda _: [0, 2, 0],
    "empty list": lambda _: [],
    "list of bools": lambda _: [True, False, True],
    "nested list": lambda _: [[0, 1], [2, 2]],
    "integer array": lambda array: array([2, 0, -1]),
    "integer without axes": lambda array: array(1),
    "pair of arrays": lambda array: (array([0, 2]), array([3, 3])),
    "arrays that broadcast": lambda array: (array([[0], [2]]), array([1, 3, 1])),
    "array behind a slice": lambda array: (slice(0, 2), array([[0, 0], [1, 3]])),
    "array before an ellipsis": lambda array: (array([0, 0]), ...),
    "array beside an integer": lambda array: (1, array([0, 3, 0])),
    "array beside a list and none": lambda array: (None, array([0, 1]), [2, 2]),
    "mask": lambda array: array(MATRIX > 4),
    "mask of rows": lambda array: array([True, False, True]),
    "mask of columns": lambda array: (slice(None), array([True, False, True, False])),
    "mask of nothing": lambda array: array(MATRIX > 100),
}


@pytest.mark.parametrize("kind", INDICES)
def test_indexing_is_that_of_numpy(kind: str) -> None:
    x = tg.asarray(MATRIX)
    wanted = MATRIX[INDICES[kind](np.asarray)]
    for array in (tg.asarray, np.asarray, lambda data: backend.to_device(np.asarray(data))):
        part = x[INDICES[kind](array)]
        assert type(part) is tg.Tensor
        np.testing.assert_array_equal(part.numpy(), wanted, strict=True)


@pytest.mark.parametrize("kind", INDICES)
def test_indexing_scatters_its_gradient(kind: str) -> None:
    x = leaf(MATRIX)
    index = INDICES[kind](np.asarray)
    weights = np.random.default_rng(0).uniform(1, 2, MATRIX[index].shape)
    (x[INDICES[kind](tg.asarray)] * tg.asarray(weights)).sum().backward()
    wanted = np.zeros_like(MATRIX)
    np.add.at(wanted, index, weights)
    np.testing.assert_allclose(host(x.grad), wanted)


def test_scalars_of_numpy_are_integers() -> None:
    x = tg.asarray(MATRIX)
    assert x[np.int8(1), np.int64(-1)].item() == 7


def test_parts_of_parts_and_overlaps_add_up() -> None:
    x = leaf(np.zeros((4, 3)))
    y = x[0].sum() + 2 * x[0, 1] + 3 * x[1:3][1].sum() + 4 * x[-1:, ::2].sum() + 5 * x.sum() + 6 * x[[0, 0]].sum()
    y.backward()
    assert x.grad.tolist() == [[18, 20, 18], [5, 5, 5], [8, 8, 8], [9, 5, 9]]


@given(data=st.data())
def test_any_parts_of_one_tensor_add_up(data: st.DataObject) -> None:
    """Rows, slabs and scatters of one tensor meet in its gradient, in any number and order."""
    shape = data.draw(hnp.array_shapes(max_dims=3, max_side=3))
    kinds = [
        st.integers(0, shape[0] - 1),
        hnp.basic_indices(shape),
        hnp.integer_array_indices(shape),
        hnp.arrays(bool, shape),
    ]
    kinds.append(hnp.arrays("int64", st.integers(1, 4), elements=kinds[0]))
    x = leaf(np.zeros(shape))
    wanted, total = np.zeros(shape), tg.asarray(0.0)
    for weight, index in enumerate(data.draw(st.lists(st.one_of(kinds), min_size=1, max_size=6)), start=1):
        np.add.at(wanted, index, weight)
        total = total + weight * x[index].sum()
    total.backward()
    np.testing.assert_array_equal(host(x.grad), wanted)


@pytest.mark.parametrize(
    "use", [list, tg.unstack, lambda x: tg.split(x, len(x))], ids=["iteration", "unstack", "split"]
)
def test_the_gradient_of_all_parts_costs_no_more_than_the_whole(
    use: Callable[[Any], Any], elements_written: Callable[[Any], int]
) -> None:
    def work(steps: int) -> int:
        x = tg.ones((steps, 10), requires_grad=True)
        parts = [y * y for y in use(x)]
        total = sum(parts[1:], start=parts[0]).sum()
        return elements_written(total.backward)

    assert work(80) < 2.2 * work(40)


def test_the_gradient_of_a_weight_used_at_every_step_is_multiplied_once(elements_written: Callable[[Any], int]) -> None:
    def work(steps: int) -> int:
        w, h = tg.zeros((50, 50), requires_grad=True), tg.ones((1, 50))
        for _ in range(steps):
            h = tg.tanh(h @ w.T)
        return elements_written(h.sum().backward)

    product = 50 * 50
    assert work(80) - work(40) < 40 * product / 2


@ON_HOST
def test_the_gradient_of_a_weight_used_at_very_many_steps_lets_go_of_what_it_is_made_of() -> None:
    steps, w, h = 2_000, tg.zeros((8, 8), requires_grad=True), tg.ones((64, 8))
    for _ in range(steps):
        h = tg.tanh(tg.linear(h, w))
    loss = h.sum()
    tracemalloc.start()
    loss.backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < steps * h.data.nbytes / 3


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (3, r"index that does not fit shape \(3, 4\): .* 3 is out of bounds"),
        ((0, 0, 0), r"index that does not fit shape \(3, 4\): too many indices"),
        ((0, -5), r"index that does not fit shape \(3, 4\): .*-5 is out of bounds"),
        (tg.asarray([0.5]), "index of float32, wanted integers or bools"),
        (1.5, "index of builtins.float, wanted ints"),
        (tg.asarray([True, False]), "index that does not fit"),
    ],
)
def test_a_wrong_index_is_told_by_shape(index: Any, message: str) -> None:
    with pytest.raises(IndexError, match="getitem: got an " + message):
        tg.asarray(MATRIX)[index]


@ON_HOST
def test_an_array_of_wrong_indices_is_refused() -> None:
    with pytest.raises(IndexError, match=r"getitem: .* index 7 is out of bounds"):
        tg.asarray(MATRIX)[tg.asarray([7])]


# What requires a gradient


def test_only_floating_point_requires_a_gradient() -> None:
    with pytest.raises(TypeError, match="requires_grad: got a tensor of int64, wanted floating point"):
        leaf([1, 2])
    with pytest.raises(TypeError, match="requires_grad: got a tensor of bool"):
        tg.ones((2,), dtype="bool", requires_grad=True)


def test_results_require_a_gradient_if_an_argument_does() -> None:
    x, c = leaf([1.0]), tg.ones((1,))
    assert (x + c).requires_grad
    assert (c + x).requires_grad
    assert not (c + c).requires_grad
    assert not (x > 0).requires_grad
    assert not x.astype("int64").requires_grad
    assert x.astype("float64").requires_grad


def test_requires_grad_can_be_switched_at_leaves_only() -> None:
    x = tg.ones((2,)).named("x")
    x.requires_grad = True
    assert (x.requires_grad, x.name, x.grad) == (True, "x", None)
    y = x * 2
    with pytest.raises(RuntimeError, match=r"requires_grad: got the result of multiply, wanted a leaf; detach\(\)"):
        y.requires_grad = False
    x.requires_grad = False
    assert (x * 2).requires_grad is False


def test_detach_cuts_off() -> None:
    x = leaf([3.0])
    (x * x.detach()).sum().backward()
    assert x.grad.tolist() == [3]


def test_numpy_would_lose_the_gradient() -> None:
    x = leaf([3.0])
    for recorded in (x, x * 2):
        with pytest.raises(RuntimeError, match=r"numpy: got a tensor that requires a gradient.*detach\(\)"):
            recorded.numpy()


# Backward


def test_gradients_of_calls_add_up_until_they_are_reset() -> None:
    x = leaf([1.0, 2.0])
    (x * x).sum().backward()
    (3 * x).sum().backward()
    assert x.grad.tolist() == [5, 7]
    x.grad = None
    x.sum().backward()
    assert x.grad.tolist() == [1, 1]


def test_a_gradient_can_be_set_in_the_shape_of_its_leaf() -> None:
    x = leaf([1.0, 2.0])
    x.grad = tg.asarray([10.0, 20.0])
    x.sum().backward()
    assert x.grad.tolist() == [11, 21]
    with pytest.raises(ValueError, match=r"grad: got shape \(3,\), wanted \(2,\)"):
        x.grad = tg.ones((3,))
    with pytest.raises(RuntimeError, match="grad: got a tensor that is no leaf"):
        (x * 2).grad = tg.ones((2,))


def test_a_node_used_twice_keeps_both_edges() -> None:
    x = leaf(3.0)
    with tg.Tape() as tape:
        y = x * x
    assert tape.entries[0].node.parents == (x.node, x.node)
    y.backward()
    assert x.grad.item() == 6


def test_a_diamond_is_passed_once() -> None:
    """The number of paths doubles at every step; the work must not."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad.item() == 2.0**60


def test_depth_has_no_limit() -> None:
    x = leaf([1.0])
    y = x
    for _ in range(20_000):
        y = y * 1.0
    y.backward()
    assert x.grad.item() == 1
    del y  # neither does letting go of it


def test_a_cotangent_that_several_share_is_not_added_to_in_place() -> None:
    x, y, g = leaf([1.0, 2.0]), leaf([3.0, 4.0]), tg.ones((2,))
    five_x = x * 5
    ((x + y) + five_x).backward(g)
    assert (x.grad.tolist(), y.grad.tolist(), g.tolist()) == ([6, 6], [1, 1], [1, 1])


def test_backward_of_other_than_scalars_wants_a_gradient() -> None:
    x = leaf([1.0, 2.0])
    with pytest.raises(ValueError, match=r"backward: got a tensor of shape \(2,\) and no gradient, wanted a scalar"):
        (x * x).backward()
    with pytest.raises(ValueError, match=r"backward: got a gradient of shape \(3,\), wanted \(2,\)"):
        (x * x).backward(tg.ones((3,)))
    (x * x).backward(tg.asarray([1, 10]))
    assert x.grad.tolist() == [2, 40]


def test_backward_of_a_constant_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"backward: nothing was recorded for this tensor of shape \(2,\)"):
        tg.ones((2,)).backward()


def test_backward_twice_is_refused_unless_the_graph_is_retained() -> None:
    x = leaf(3.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12
    with pytest.raises(RuntimeError, match=r"multiply of shape \(\) was differentiated before.*retain_graph=True"):
        y.backward()


def test_a_shared_part_cannot_be_swept_twice_either() -> None:
    x = leaf(3.0)
    h = tg.exp(x)
    (h * 2).backward()
    with pytest.raises(RuntimeError, match="exp of shape"):
        (h * 3).backward()


def test_a_leaf_that_was_changed_after_use_is_named() -> None:
    w = leaf([1.0, 2.0]).named("weight")
    with tg.scope("layer"):
        y = (w * w).sum()
    w.assign_(tg.asarray([5.0, 5.0]))
    with pytest.raises(RuntimeError, match=r"leaf 'weight' of shape \(2,\) was changed after multiply .*in layer"):
        y.backward()
    (w * w).sum().backward()
    assert w.grad.tolist() == [10, 10]


def test_assign_is_for_leaves_in_their_shape() -> None:
    x = leaf([1.0, 2.0])
    assert x.assign_(backend.xp.asarray([3.0, 4.0])) is x
    assert (x.tolist(), x.dtype) == ([3, 4], "float32")
    with pytest.raises(RuntimeError, match="assign_: got the result of multiply, wanted a leaf"):
        (x * x).assign_(x)
    with pytest.raises(ValueError, match=r"assign_: got shape \(3,\), wanted \(2,\)"):
        x.assign_(tg.ones((3,)))


def test_dropping_the_result_frees_the_graph_without_the_collector() -> None:
    x = leaf([1.0])
    gc.disable()
    try:
        y = tg.exp(x * x).sum()
        node = weakref.ref(y.node)
        del y
        assert node() is None
    finally:
        gc.enable()


# Gradients as a function


def test_grad_leaves_the_leaves_alone() -> None:
    x, w = leaf([1.0, 2.0]), leaf(3.0)
    gx, gw = tg.grad((x * w).sum(), [x, w])
    assert (gx.tolist(), gw.item(), x.grad, w.grad) == ([3, 3], 3, None, None)


def test_grad_of_one_input_is_one_tensor() -> None:
    x = leaf(2.0)
    assert tg.grad(x * x, x).item() == 4
    assert isinstance(tg.grad(x * x, [x]), tuple)


def test_grad_with_respect_to_results_on_the_way() -> None:
    x = leaf(2.0)
    h = x * 3
    y = h * h
    gh, gx, gy = tg.grad(y, [h, x, y])
    assert (gh.item(), gx.item(), gy.item()) == (12, 36, 1)


def test_grad_of_several_outputs_adds_up() -> None:
    x = leaf([1.0, 2.0])
    assert tg.grad([(x * x).sum(), 3 * x], x, [None, tg.asarray([1.0, 10.0])]).tolist() == [5, 34]
    assert tg.grad(x * x, x, tg.asarray([1.0, 0.5])).tolist() == [2, 2]


def test_grad_of_an_unused_input() -> None:
    x, unused = leaf(2.0), leaf([1.0]).named("unused")
    with pytest.raises(
        RuntimeError, match=r"no output depends on the input 'unused' of shape \(1,\); allow_unused=True"
    ):
        tg.grad(x * x, [x, unused])
    gx, gu = tg.grad(x * x, [x, unused], allow_unused=True)
    assert (gx.item(), gu) == (4, None)


def test_grad_wants_inputs_and_outputs_on_the_tape() -> None:
    x = leaf(2.0)
    with pytest.raises(RuntimeError, match=r"grad: got an input of shape \(\) that is not on the tape"):
        tg.grad(x * x, tg.asarray(1.0))
    with pytest.raises(RuntimeError, match="grad: nothing was recorded"):
        tg.grad(tg.asarray(1.0), x)


def test_grad_frees_the_graph_unless_it_is_retained() -> None:
    x = leaf(3.0)
    y = x * x
    tg.grad(y, x, retain_graph=True)
    tg.grad(y, x)
    with pytest.raises(RuntimeError, match="differentiated before"):
        tg.grad(y, x)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_derivatives_of_every_order(order: int) -> None:
    x = leaf(0.5, "float64")
    y = tg.tanh(x) + x**5
    for _ in range(order):
        y = tg.grad(y, x, create_graph=True)
    t = np.tanh(0.5)
    s = 1 - t * t
    tanh = {1: s, 2: -2 * t * s, 3: -2 * s * (1 - 3 * t * t), 4: 8 * t * s * (2 - 3 * t * t)}[order]
    power = {1: 5 * 0.5**4, 2: 20 * 0.5**3, 3: 60 * 0.5**2, 4: 120 * 0.5}[order]
    assert y.item() == pytest.approx(tanh + power)


def test_gradients_of_a_recorded_sweep_can_be_differentiated() -> None:
    x = leaf([1.0, 2.0])
    (x * x * x).sum().backward(create_graph=True)
    slope = x.grad
    assert slope.requires_grad
    x.grad = None
    slope.sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_gradients_that_are_not_recorded_are_constants() -> None:
    x = leaf(2.0)
    (x * x).backward()
    assert not x.grad.requires_grad
    assert not tg.grad(x * x, x).requires_grad


@pytest.mark.parametrize("together", [2, 100])
def test_weights_used_at_every_step_have_second_derivatives(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their cotangents are pairs of factors, multiplied some together: by ``@``, by `linear`, and transposed."""
    monkeypatch.setattr(Outer, "together", together)

    def unrolled(xs: tg.Tensor, w: tg.Tensor, u: tg.Tensor, b: tg.Tensor) -> tg.Tensor:
        h = tg.zeros((2, 4), dtype="float64")
        for x in xs:
            h = tg.tanh(x @ w + tg.linear(h, u, b)) + x @ w @ u.T
        return h

    rng = np.random.default_rng(0)
    assert tg.gradcheck(unrolled, [tg.asarray(rng.uniform(-1, 1, s)) for s in [(3, 2, 3), (3, 4), (4, 4), (4,)]])


def test_gradcheck_finds_a_wrong_derivative() -> None:
    wrong = tg.unary("wrong", lambda x: x * x * x, lambda g, x: g * x)
    told = r"gradcheck: order 1, input 1 of 1, index \(\d,\) of shape \(2,\): the .* to blame is wrong"
    with pytest.raises(AssertionError, match=told):
        tg.gradcheck(wrong, [tg.asarray([1.0, 2.0], dtype="float64")])
    wrong_slope = tg.unary("wrong_slope", lambda x: x * x * x, lambda g, x: g * tg.asarray(3 * x.data * x.data))
    with pytest.raises(AssertionError, match="gradcheck: order 2"):
        tg.gradcheck(lambda x: wrong_slope(x), [tg.asarray([1.0, 2.0], dtype="float64")])


def test_gradcheck_wants_float64() -> None:
    with pytest.raises(TypeError, match="gradcheck: got an input of float32, wanted float64"):
        tg.gradcheck(tg.exp, [tg.ones((2,))])


# Recording


def test_no_grad_records_nothing() -> None:
    x = leaf([1.0])
    with tg.no_grad():
        y = x * x
        with tg.no_grad():
            pass
        assert not (x * 2).requires_grad
    assert not y.requires_grad
    assert (x * x).requires_grad


def test_no_grad_ends_with_an_exception_and_decorates() -> None:
    x = leaf([1.0])
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        _ = 1 / 0

    @tg.no_grad()
    def double(x: tg.Tensor) -> tg.Tensor:
        return x * 2

    assert not double(x).requires_grad
    assert (x * 2).requires_grad


def test_names_belong_to_tensors_and_their_nodes() -> None:
    x = leaf([1.0]).named("x")
    y = (x * 2).named("y")
    c = tg.ones((1,)).named("c")
    assert (x.name, y.name, c.name) == ("x", "y", "c")
    assert y.node.label == "y"
    assert ((x * 2).name, tg.ones((1,)).name) == (None, None)


def test_scopes_nest_and_mark_nodes() -> None:
    x = leaf([1.0])
    with tg.Tape() as tape:
        with tg.scope("lstm"):
            with tg.scope("t=1"):
                x * 1
            x * 2
        x * 3

    @tg.scope("decorated")
    def triple(x: tg.Tensor) -> tg.Tensor:
        return x * 3

    with tape:
        triple(x)
    rows = [line.split() for line in str(tape).splitlines()[1:]]
    assert [row[-1] for row in rows] == ["lstm/t=1", "lstm", "(1,)", "decorated"]


def test_a_tape_prints_as_a_table() -> None:
    x, c = leaf([1.0, 2.0]).named("x"), tg.ones((2,)).named("c")
    with tg.Tape() as tape:
        h = (x * c).named("h")
        tg.concat([2.0 / tg.exp(h + c.data), h])
    assert str(tape).splitlines() == [
        "node  op        inputs   shape  scope",
        "h     multiply  x, c     (2,)",
        "%2    add       h, c     (2,)",
        "%3    exp       %2       (2,)",
        "%4    divide    2.0, %3  (2,)",
        "%5    concat    %4, h    (4,)",
    ]


def test_a_tape_keeps_nodes_arguments_and_values() -> None:
    x = leaf([1.0, 2.0])
    with tg.Tape() as tape:
        y = x * 3.0
    (entry,) = tape
    assert len(tape) == 1
    assert entry.node is y.node
    assert entry.inputs == (x.node, 3.0)
    assert entry.value is y.data


def test_a_tape_knows_one_constant_by_one_entry() -> None:
    x, c = leaf([1.0]), tg.ones((1,)).named("c")
    with tg.Tape() as tape:
        (x * c) + c
    first, second = tape
    assert first.inputs[1] is second.inputs[1]
    assert (first.inputs[1].name, first.inputs[1].label, first.inputs[1].shape) == ("constant", "c", (1,))


def test_tapes_within_tapes_note_all_that_is_recorded() -> None:
    x = leaf([1.0])
    with tg.Tape() as outer:
        x * 1
        with tg.Tape() as inner:
            x * 2
        with tg.no_grad():
            x * 3
        tg.ones((1,)) * 4
    x * 5
    assert (len(outer), len(inner)) == (2, 1)


def test_recording_scopes_and_tapes_belong_to_one_thread() -> None:
    x = leaf([1.0])
    seen: dict[str, Any] = {}

    def elsewhere() -> None:
        y = x * 2
        seen["recorded"] = y.requires_grad
        with tg.Tape() as tape:
            x * 3
        seen["scope"] = str(tape).split()[-1]
        y.sum().backward()

    with tg.no_grad(), tg.scope("here"), tg.Tape() as tape:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert seen == {"recorded": True, "scope": "(1,)"}
    assert len(tape) == 0
    assert x.grad.item() == 2


def test_threads_add_to_one_gradient() -> None:
    x = leaf([0.0])

    def add() -> None:
        for _ in range(50):
            (x * 1.0).sum().backward()

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.item() == 200


# Among arrays


@pytest.mark.parametrize(
    "op", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.matmul]
)
def test_arrays_on_either_side_make_tensors(op: Callable[..., Any]) -> None:
    a, b = np.asarray([[1.0, 2.0], [3.0, 4.0]]), np.asarray([[2.0, 1.0], [0.5, 3.0]])
    for x, y in [(tg.asarray(a), backend.to_device(b)), (backend.to_device(a), tg.asarray(b))]:
        assert type(op(x, y)) is tg.Tensor
        np.testing.assert_allclose(op(x, y).numpy(), op(a, b))


@pytest.mark.parametrize("op", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
def test_arrays_on_either_side_are_compared(op: Callable[..., Any]) -> None:
    a, b = np.asarray([1.0, 2.0, 3.0]), np.asarray([3.0, 2.0, 1.0])
    for x, y in [(tg.asarray(a), backend.to_device(b)), (backend.to_device(a), tg.asarray(b)), (tg.asarray(a), 2)]:
        assert type(op(x, y)) is tg.Tensor
        assert op(x, y).tolist() == op(a, y if isinstance(y, int) else b).tolist()


def test_gradients_reach_a_tensor_through_its_arrays() -> None:
    x = leaf([1.0, 2.0])
    array = backend.to_device(np.asarray([3.0, 4.0], "float32"))
    (array * x + x * array).sum().backward()
    assert x.grad.tolist() == [6, 8]


@pytest.mark.skipif(backend.name == "numpy", reason="there, arrays of the host are arrays of the backend")
def test_arrays_of_the_host_are_not_sent_to_the_device_unasked() -> None:
    with pytest.raises(TypeError, match=r"add: got numpy\.ndarray, wanted a tensor, a cupy array or a number; asarray"):
        tg.ones((2,)) + np.ones(2)


@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3, min_side=0).map(
        lambda drawn: (drawn.input_shapes[0], drawn.result_shape)
    )
)
def test_sum_to_undoes_a_broadcast(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """It is the adjoint: the product of ``x`` with the sum is that of ``x``, broadcast, with what was summed."""
    shape, to = shapes
    rng = np.random.default_rng(0)
    x, g = rng.integers(1, 9, shape), rng.integers(1, 9, to)
    found = sum_to(tg.asarray(g), shape)
    assert found.shape == shape
    assert (host(found) * x).sum() == (g * np.broadcast_to(x, to)).sum()


def test_gradients_share_memory_with_nothing() -> None:
    a, b = tg.zeros((3,), requires_grad=True), tg.zeros((3,), requires_grad=True)
    start = tg.ones((3,))
    (a + b).backward(start)
    for grad in (a.grad, *tg.grad(a + b, [a], [start])):
        grad.data[...] = 7
    assert start.tolist() == [1, 1, 1]
    assert b.grad.tolist() == [1, 1, 1]
    a.grad = None
    tg.sum(a).backward()
    a.grad.data[0] = 7
    assert a.grad.tolist() == [7, 1, 1]


def test_assigning_to_a_constant_leaves_graphs_made_from_it_alone() -> None:
    w, x = tg.asarray([2.0], requires_grad=True), tg.asarray([3.0])
    y = w * x
    x.assign_(tg.asarray([100.0]))
    y.backward()
    assert (x.item(), w.grad.item()) == (100.0, 3.0)


def test_floating_point_is_not_assigned_to_integers() -> None:
    counts = tg.asarray([1, 2])
    with pytest.raises(TypeError, match="assign_: got float32, wanted int64"):
        counts.assign_(tg.asarray([1.5, 2.5]))
    assert counts.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tg.ones((2, 3)) + tg.ones((4,)), r"add: got shape \(2, 3\) and \(4,\)"),
        (lambda: tg.ones((2,), requires_grad=True) * tg.ones((4,)), r"multiply: got shape \(2,\) and \(4,\)"),
        (lambda: tg.sum(tg.ones((2, 3)), axis=5), "sum: got axis 5, wanted one of 2 axes"),
        (lambda: tg.broadcast_to(tg.ones((2,)), (3,)), r"broadcast_to: got shape \(2,\)"),
    ],
)
def test_what_does_not_fit_is_told_by_op_and_shapes(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_arrays_of_integers_are_taken_as_float32_too() -> None:
    whole = backend.xp.asarray([0, 2])
    assert float(tg.sigmoid(whole)[0]) == 0.5
    assert float(tg.reciprocal(whole[1:])[0]) == 0.5
    assert tg.exp(whole).dtype == "float32"


def test_random_shapes_are_ints_or_one_tuple() -> None:
    assert tg.rand(2, 3).shape == tg.rand((2, 3)).shape == tg.randn((2, 3)).shape == (2, 3)
    assert tg.rand().shape == tg.rand(()).shape == ()


@pytest.mark.parametrize("again", ["assigned", "swept"])
def test_a_weight_used_transposed_is_watched_like_any_other(again: str) -> None:
    w = tg.randn(2, 3, requires_grad=True).named("w")
    loss = tg.sum(tg.randn(4, 3) @ w.T)
    if again == "swept":
        loss.backward()
        with pytest.raises(RuntimeError, match="was differentiated before"):
            loss.backward()
    else:
        w.assign_(tg.zeros((2, 3)))
        with pytest.raises(RuntimeError, match=r"the leaf 'w' .* was changed after permute_dims"):
            loss.backward()


def test_the_node_of_a_transposed_weight_lets_go_too() -> None:
    w = tg.randn(2, 3, requires_grad=True)
    transposed = w.T
    tg.sum(tg.randn(4, 3) @ transposed).backward()
    with pytest.raises(RuntimeError, match=r"the node permute_dims .* was differentiated before"):
        tg.sum(transposed).backward()


def test_a_decorated_function_may_call_itself() -> None:
    @tg.no_grad()
    def depth(n: int) -> int:
        return 0 if n == 0 else 1 + depth(n - 1)

    assert depth(3) == 3
    assert (leaf([1.0]) * 2).requires_grad


def test_a_derivative_that_asks_for_what_there_is_not_is_refused() -> None:
    with pytest.raises(
        TypeError, match="a derivative: got the parameters g, z, wanted g and some of x, y, shape, dtype"
    ):
        tg.unary("bad", lambda x: x, lambda g, z: g)
