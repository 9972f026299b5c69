"""Derivatives as functions, their check, recomputation, and what is told when a derivative goes wrong."""

from __future__ import annotations

import dataclasses
import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend, nn

try:
    import torch
except ImportError:
    torch = None


def leaf(data: Any, dtype: str = "float64") -> tg.Tensor:
    """Return a tensor that gradients are asked for."""
    return tg.asarray(data, dtype=dtype, requires_grad=True)


def host(x: tg.Tensor) -> Any:
    """Return a tensor's elements as an array of NumPy's."""
    return x.detach().numpy()


# Functions of functions


def mixing(xp: Any) -> Callable[..., Any]:
    """Return a function of two arrays, a vector and a matrix, with two results; in our words or in PyTorch's."""
    return lambda a, w: (xp.tanh(w @ a) * a[0], xp.exp(a).sum())


A, W, U, V, WV = (
    np.asarray([0.5, -1.0, 2.0]), np.asarray([[0.1, 0.2, -0.3], [1.0, 0.5, 0.25]]), np.asarray([1.0, -2.0]),
    np.asarray([0.3, 0.2, 0.1]), np.asarray([[1.0, 0.0, 2.0], [-1.0, 0.5, 0.0]]),
)  # fmt: skip


def flat(structure: Any) -> list[Any]:
    """Return the arrays within nested tuples."""
    if isinstance(structure, tuple):
        return [array for part in structure for array in flat(part)]
    return [structure.detach().numpy()]


def assert_same(ours: Any, theirs: Any) -> None:
    """Assert that two results have the same structure and values."""
    assert [x.shape for x in flat(ours)] == [x.shape for x in flat(theirs)]
    for x, y in zip(flat(ours), flat(theirs), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


@pytest.mark.peers
@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
def test_products_and_jacobians_are_those_of_torch() -> None:
    theirs = torch.autograd.functional
    ours_in, theirs_in = ((make(A), make(W)) for make in (tg.asarray, torch.tensor))
    u = [(make(U), make(np.asarray(3.0))) for make in (tg.asarray, torch.tensor)]
    v = [(make(V), make(WV)) for make in (tg.asarray, torch.tensor)]
    assert_same(tg.vjp(mixing(tg), ours_in, u[0]), theirs.vjp(mixing(torch), theirs_in, u[1]))
    assert_same(tg.jvp(mixing(tg), ours_in, v[0]), theirs.jvp(mixing(torch), theirs_in, v[1]))
    assert_same(tg.jacobian(mixing(tg), ours_in), theirs.jacobian(mixing(torch), theirs_in))

    def scalar(xp: Any) -> Callable[..., Any]:
        return lambda a, w: xp.square(mixing(xp)(a, w)[0]).sum()

    assert_same(tg.hessian(scalar(tg), ours_in), theirs.hessian(scalar(torch), theirs_in))
    assert_same(tg.hvp(scalar(tg), ours_in, v[0]), theirs.hvp(scalar(torch), theirs_in, v[1]))


def test_a_jacobian_times_a_vector_is_the_product() -> None:
    inputs = (tg.asarray(A), tg.asarray(W))
    (by_a, by_w), (sum_by_a, sum_by_w) = tg.jacobian(mixing(tg), inputs)
    _, (moved, moved_sum) = tg.jvp(mixing(tg), inputs, (tg.asarray(V), tg.asarray(WV)))
    np.testing.assert_allclose(host(moved), host(by_a) @ V + np.einsum("oij,ij", host(by_w), WV), rtol=1e-12)
    np.testing.assert_allclose(host(moved_sum), host(sum_by_a) @ V, rtol=1e-12)
    assert not sum_by_w.data.any()
    _, (pulled, _) = tg.vjp(mixing(tg), inputs, (tg.asarray(U), tg.asarray(0.0, dtype="float64")))
    np.testing.assert_allclose(host(pulled), U @ host(by_a), rtol=1e-12)


def test_through_a_recurrent_layer() -> None:
    tg.manual_seed(1)
    layer = nn.LSTM(2, 3).to("float64")
    x, v = tg.randn(4, 1, 2, dtype="float64"), tg.randn(4, 1, 2, dtype="float64")

    def total(x: tg.Tensor) -> tg.Tensor:
        return tg.square(layer(x)[0]).sum()

    eps = 1e-6
    _, moved = tg.jvp(lambda x: layer(x)[0], x, v)
    by_differences = (layer(x + eps * v)[0] - layer(x - eps * v)[0]) / (2 * eps)
    np.testing.assert_allclose(host(moved), host(by_differences), rtol=1e-6, atol=1e-9)
    hessian = tg.hessian(total, x)
    assert hessian.shape == (*x.shape, *x.shape)
    _, product = tg.hvp(total, x, v)
    np.testing.assert_allclose(host(product), np.tensordot(host(hessian), host(v), 3), rtol=1e-9, atol=1e-12)


def test_derivatives_of_derivatives() -> None:
    """d³/dx³ of sin is -cos, whichever way the three are taken."""
    x = leaf([0.3, 1.2])
    one = tg.ones((2,), dtype="float64")

    def twice(x: tg.Tensor) -> tg.Tensor:
        return tg.jvp(lambda x: tg.vjp(tg.sin, x, one, create_graph=True)[1], x, one, create_graph=True)[1]

    third = tg.vjp(twice, x, one)[1]
    np.testing.assert_allclose(host(third), -np.cos([0.3, 1.2]), rtol=1e-12)
    diagonal = tg.jacobian(lambda x: tg.hessian(lambda x: tg.sin(x).sum(), x, create_graph=True), x)
    np.testing.assert_allclose(np.einsum("iiii->i", host(diagonal)[:, :, :, None] * np.eye(2)[None, None]).sum(),
                               -np.cos([0.3, 1.2]).sum(), rtol=1e-12)  # fmt: skip


def test_a_product_with_the_hessian_can_be_differentiated() -> None:
    """The Hessian of x³ times v is 6xv, and that by x is 6v."""
    x, v = leaf([0.3, 1.2]), tg.asarray([2.0, -1.0], dtype="float64")
    value, product = tg.hvp(lambda x: (x**3).sum(), x, v, create_graph=True)
    np.testing.assert_allclose(host(tg.grad(value, x, retain_graph=True)), [3 * 0.3**2, 3 * 1.2**2], rtol=1e-12)
    np.testing.assert_allclose(host(tg.grad(product.sum(), x)), [12, -6], rtol=1e-12)
    assert not any(result.requires_grad for result in tg.hvp(lambda x: (x**3).sum(), x, v))


def test_recorded_results_reach_inputs_and_whatever_else_is_used() -> None:
    x, w = leaf([1.0, 2.0]), leaf(3.0)
    _, slopes = tg.vjp(lambda x: (w * x * x).sum(), x, create_graph=True)
    by_x, by_w = tg.grad(slopes.sum(), [x, w])
    assert (by_x.tolist(), by_w.item()) == ([6, 6], 6)
    value, slopes = tg.vjp(lambda x: (w * x * x).sum(), x)
    assert not value.requires_grad
    assert not slopes.requires_grad


def test_derivatives_where_nothing_depends_or_nothing_is_there() -> None:
    x = tg.asarray([1.0, 2.0])
    assert tg.vjp(lambda x: tg.ones((2,)), x, tg.ones((2,)))[1].tolist() == [0, 0]
    assert tg.jvp(lambda x: tg.ones((3,)), x, tg.ones((2,)))[1].tolist() == [0, 0, 0]
    assert tg.jacobian(lambda x: tg.ones((3,)), x).tolist() == [[0, 0]] * 3
    assert tg.jacobian(lambda x: x[:0], x).shape == (0, 2)
    assert tg.hessian(lambda x: x.sum(), x).tolist() == [[0, 0], [0, 0]]
    assert tg.jacobian(lambda x: x, tg.zeros((0,))).shape == (0, 0)
    with tg.no_grad():
        assert tg.jacobian(tg.square, x).tolist() == [[2, 0], [0, 4]]


FUNCTION_MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"grad: got 1 grad_outputs for 2 outputs, wanted one for each": (
        ValueError,
        lambda: tg.grad([leaf([1.0]), leaf([1.0])], [leaf([1.0])], [tg.ones(1)]),
    ),
    r"grad: no output depends on the input of shape \(1,\)": (RuntimeError, lambda: tg.grad(leaf([1.0]), leaf([1.0]))),
    r"grad: no output depends on the input 'w' of shape \(\)": (
        RuntimeError,
        lambda: tg.grad(leaf(1.0), leaf(1.0).named("w")),
    ),
    r"vjp: got an input of int64, wanted floating point": (TypeError, lambda: tg.vjp(tg.sin, tg.arange(3))),
    r"vjp: got no vector for a tensor of shape \(2,\), wanted one, or a scalar": (
        ValueError, lambda: tg.vjp(tg.sin, tg.ones((2,))),
    ),
    r"jvp: got vectors of shapes \(3,\), wanted \(2,\)": (
        ValueError, lambda: tg.jvp(tg.sin, tg.ones((2,)), tg.ones((3,))),
    ),
    r"hvp: got no vector for a tensor of shape \(2,\)": (
        ValueError, lambda: tg.hvp(tg.sin, tg.ones((2,)), tg.ones((2,))),
    ),
    r"hessian: got no vector for a tensor of shape \(2,\)": (ValueError, lambda: tg.hessian(tg.sin, tg.ones((2,)))),
}  # fmt: skip


@pytest.mark.parametrize("message", FUNCTION_MISTAKES)
def test_mistakes_are_told_by_name_and_shapes(message: str) -> None:
    error, mistake = FUNCTION_MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()


# The check of derivatives

cube_wrong = tg.unary("cube", lambda x: x**3, lambda g, x: 2 * g * x * x)
cube_rough = tg.unary("rough_cube", lambda x: x**3, lambda g, x: 3.03 * g * x * x)
cube_flat = tg.unary("flat_cube", lambda x: x**3, lambda g, x: g * tg.asarray(x).detach() ** 2 * 3)
product_wrong = tg.binary(
    "product", lambda a, b: a * b, lambda g, x2: g * x2, lambda g, x1: g * x1 * [1.0, 2.0][x1.ndim]
)


def test_gradcheck_names_the_op_the_argument_and_the_index() -> None:
    x = tg.asarray([[0.0, 1.0]], dtype="float64")
    with pytest.raises(AssertionError) as info, tg.scope("layer"):
        tg.gradcheck(lambda a, x: tg.exp(a * cube_wrong(x)), [tg.asarray(1.0, dtype="float64"), x], order=1)
    text = str(info.value)
    assert text.startswith("gradcheck: order 1, input 2 of 2, index (0, 1) of shape (1, 2): the derivative is ")
    assert "the op to blame is cube in layer: order 1, argument 1 of 1, index (0, 1) of shape (1, 2)" in text


def test_gradcheck_names_the_argument_of_an_op_of_two() -> None:
    x = tg.asarray([1.0, 2.0], dtype="float64")
    with pytest.raises(AssertionError, match=r"the op to blame is product: order 1, argument 2 of 2, index"):
        tg.gradcheck(lambda x: product_wrong(x, tg.sin(x)), [x], order=1)


def test_gradcheck_finds_what_is_wrong_in_the_second_order_alone() -> None:
    x = tg.asarray([0.5, 2.0], dtype="float64")
    assert tg.gradcheck(cube_flat, [x], order=1)
    with pytest.raises(
        AssertionError, match=r"gradcheck: order 2, input 1 of 1, .* the op to blame is flat_cube: order 2"
    ):
        tg.gradcheck(lambda x: tg.exp(cube_flat(x)), [x])


def test_gradcheck_of_what_left_the_tape_blames_no_op() -> None:
    x = tg.asarray([0.5, 2.0], dtype="float64")
    with pytest.raises(AssertionError, match=r"each op stands the check alone, so look for what left the tape"):
        tg.gradcheck(lambda x: x * x.detach(), [x])


def test_gradcheck_passes_on_what_is_not_differentiated_and_takes_several_results() -> None:
    x, places = tg.asarray([0.5, 2.0, 3.0], dtype="float64"), tg.asarray([2, 0])
    assert tg.gradcheck(lambda x, i, n: (x[i] * n, tg.sin(x)), [x, places, 3])


@pytest.mark.parametrize("options", [{"rtol": 0.02}, {"rtol": 0.0, "atol": 1.0}, {"rtol": 0.02, "eps": 1e-3}])
def test_gradcheck_accepts_what_is_off_by_less_than_it_is_told(options: dict[str, float]) -> None:
    assert tg.gradcheck(cube_rough, [tg.asarray([2.0], dtype="float64")], order=1, **options)


@pytest.mark.parametrize("options", [{}, {"rtol": 0.005}, {"rtol": 0.0, "atol": 0.01}, {"rtol": 0.02, "eps": 2.0}])
def test_gradcheck_refuses_what_is_off_by_more_than_it_is_told(options: dict[str, float]) -> None:
    with pytest.raises(AssertionError, match="gradcheck: order 1"):
        tg.gradcheck(cube_rough, [tg.asarray([2.0], dtype="float64")], order=1, **options)


def test_gradcheck_of_nan_fails() -> None:
    nan = tg.unary("nowhere", lambda x: x, lambda g: g * float("nan"))
    with pytest.raises(AssertionError, match="gradcheck: order 1"):
        tg.gradcheck(nan, [tg.asarray([1.0], dtype="float64")])


# Recomputation


def lstm_and_input() -> tuple[nn.LSTM, tg.Tensor]:
    """Return a small layer and an input to it."""
    tg.manual_seed(3)
    return nn.LSTM(2, 3).to("float64"), leaf(host(tg.randn(5, 2, 2, dtype="float64")))


def test_a_checkpoint_gives_the_same_values_and_gradients() -> None:
    layer, x = lstm_and_input()
    out, (h, c) = layer(x)
    wanted = tg.grad(tg.square(out).sum() + (h * c).sum(), [x, *layer.parameters()])
    out, (h, c) = tg.checkpoint(layer, x)
    found = tg.grad(tg.square(out).sum() + (h * c).sum(), [x, *layer.parameters()])
    for g, g_wanted in zip(found, wanted, strict=True):
        np.testing.assert_allclose(host(g), host(g_wanted), rtol=1e-12)


def test_recorded_gradients_share_no_memory() -> None:
    x, y, v = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([5.0, 6.0])
    g_x, g_y = tg.grad(x + y, [x, y], v, create_graph=True)
    g_x.data[...] = 0
    assert (g_y.tolist(), v.tolist()) == ([5, 6], [5, 6])
    assert tg.grad((g_x + g_y * g_y).sum(), v).tolist() == [11, 13]
    (x + y).backward(v, create_graph=True)
    x.grad.data[...] = 0
    assert (y.grad.tolist(), v.tolist()) == ([5, 6], [5, 6])


def test_a_checkpoint_can_be_differentiated_twice() -> None:
    w, x = leaf([0.5, -0.5]), leaf([1.0, 2.0])
    assert tg.gradcheck(lambda x, w: tg.checkpoint(lambda x: tg.tanh(x * w) * x, x).sum(), [x.detach(), w.detach()])
    y = tg.checkpoint(lambda x: (x * x * x * w).sum(), x)
    (slope,) = tg.grad([y], [x], create_graph=True)
    assert tg.grad(slope.sum(), [x, w])[0].tolist() == [3.0, -6.0]


def test_a_checkpoint_keeps_its_inputs_alone() -> None:
    kept: list[weakref.ref[Any]] = []

    def function(x: tg.Tensor) -> tg.Tensor:
        middle = tg.exp(x)
        kept.append(weakref.ref(middle.node))
        return tg.square(middle)

    x = leaf([1.0])
    y = tg.checkpoint(function, x)
    gc.collect()
    assert kept[0]() is None
    y.backward()
    assert len(kept) == 2
    with pytest.raises(RuntimeError, match="was differentiated before"):
        y.backward()


def test_a_checkpoint_may_use_results_from_outside_that_lead_to_each_other() -> None:
    a = leaf([1.0, 2.0])
    b = a * 3
    y = tg.checkpoint(lambda x: x * a * b, tg.ones((2,), dtype="float64"))
    (y.sum() + (b * a).sum()).backward()
    assert a.grad.tolist() == [12, 24]
    layer, x = lstm_and_input()
    wanted = tg.grad(layer(x, layer(x)[1])[0].sum(), list(layer.parameters()))
    state = layer(x)[1]
    found = tg.grad(tg.checkpoint(lambda x: layer(x, state)[0], x).sum(), list(layer.parameters()))
    for g, g_wanted in zip(found, wanted, strict=True):
        np.testing.assert_allclose(host(g), host(g_wanted), rtol=1e-12)


def test_what_of_a_checkpoint_does_not_depend_on_anything_is_a_constant() -> None:
    x = leaf([1.0, 2.0])
    double, place, zeros = tg.checkpoint(lambda x: (x * 2, x.argmax(), tg.zeros(2)), x)
    assert [y.requires_grad for y in (double, place, zeros)] == [True, False, False]
    assert place.item() == 1


def test_a_checkpoint_draws_the_same_random_numbers_again() -> None:
    x = leaf(np.ones(100))
    y = tg.checkpoint(lambda x: tg.dropout(x, 0.5), x)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert tg.dropout(x, 0.5).tolist() != tg.dropout(x, 0.5).tolist()


def test_a_checkpoint_of_several_results_of_which_some_are_used() -> None:
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    first, rest = tg.checkpoint(lambda x: (x * w, [x + 1, 5]), x)
    assert rest[1] == 5
    rest[0].sum().backward()
    assert (x.grad.tolist(), w.grad.tolist()) == ([1, 1], [0, 0])
    assert first.tolist() == [3, 8]


class Pair(NamedTuple):
    first: Any
    second: Any


@dataclasses.dataclass(frozen=True)
class Record:
    first: Any
    second: Any


@pytest.mark.parametrize(
    "make", [lambda a, b: {"first": a, "second": b}, Pair, Record], ids=["dict", "named", "record"]
)
def test_gradients_pass_a_checkpoint_whose_results_stand_in_any_structure(make: Callable[..., Any]) -> None:
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    found = tg.checkpoint(lambda x: make([x * w, "a word"], x * x), x)
    assert type(found) is type(make(None, None))
    first, second = found.values() if isinstance(found, dict) else (found.first, found.second)
    assert first[1] == "a word"
    (first[0] + second).sum().backward()
    assert (x.grad.tolist(), w.grad.tolist()) == ([5, 8], [1, 2])


def test_a_checkpoint_of_a_record_of_gates_is_like_no_checkpoint() -> None:
    layer, x = lstm_and_input()
    *_, seen = layer(x, record=True)
    wanted = tg.grad(seen["f"].sum(), x)
    *_, seen = tg.checkpoint(layer, x, record=True)
    np.testing.assert_allclose(host(tg.grad(seen["f"].sum(), x)), host(wanted), rtol=1e-12)


def test_a_checkpoint_without_results_is_none() -> None:
    assert tg.checkpoint(lambda x: None, leaf([1.0])) is None


def test_a_checkpoint_where_nothing_is_recorded() -> None:
    assert not tg.checkpoint(tg.exp, tg.ones((2,))).requires_grad
    with tg.no_grad():
        assert not tg.checkpoint(tg.exp, leaf([1.0])).requires_grad


def test_a_checkpoint_on_a_tape_is_one_line() -> None:
    x = leaf([1.0, 2.0]).named("x")
    with tg.Tape() as tape:
        y = tg.checkpoint(lambda x: tg.exp(x * 2), x)
        y.sum()
    assert [entry.node.name for entry in tape] == ["checkpoint", "sum"]
    assert tape.entries[0].inputs == (x.node,)


# Anomalies


def test_an_anomaly_is_reported_with_op_scope_shapes_and_line() -> None:
    x = leaf([1.0, 0.0])
    with pytest.raises(FloatingPointError) as info, tg.detect_anomaly(), tg.scope("layer"):
        tg.log(x * 1.0)  # this very line
    text = str(info.value)
    assert text.startswith("anomaly: log of (2,) in layer gave -inf at index (1,), computed at ")
    assert text.endswith("tg.log(x * 1.0)  # this very line")
    assert "test_autodiff.py:" in text


def test_an_anomaly_backward_names_the_line_of_the_forward_pass() -> None:
    x = leaf([4.0, 0.0])
    with tg.detect_anomaly():
        y = tg.sqrt(x)  # forward
        with pytest.raises(FloatingPointError) as info:
            y.sum().backward()
    assert "the derivative of sqrt of shape (2,) gave inf at index (1,) for argument 1 of 1" in str(info.value)
    assert str(info.value).endswith("y = tg.sqrt(x)  # forward")


def test_constants_are_watched_too_and_only_the_first_anomaly_is_blamed() -> None:
    with tg.detect_anomaly():
        masked = tg.where(tg.asarray([True, False]), tg.asarray([1.0, 2.0]), -float("inf"))
        assert tg.exp(masked).tolist()[1] == 0
        with pytest.raises(FloatingPointError, match=r"anomaly: divide of \(\), \(\) gave nan at index \(\)"):
            tg.asarray(0.0) / tg.asarray(0.0)
        with pytest.raises(FloatingPointError, match=r"anomaly: subtract of \(2,\), \(2,\) gave nan at index \(1,\)"):
            masked - masked


def test_an_error_in_a_derivative_is_given_its_line() -> None:
    broken = tg.unary("broken", lambda x: x, lambda g: g.no_such_thing)
    with pytest.raises(AttributeError) as info, tg.detect_anomaly():
        broken(leaf([1.0])).backward()
    assert "In the derivative of broken of shape (1,), which was computed at " in info.value.__notes__[0]


def test_anomalies_are_found_in_slices_and_products_too() -> None:
    x, w = leaf([[1.0, 2.0]]), leaf(np.ones((2, 2)))
    nan = tg.unary("nan_slope", lambda x: x, lambda g: g * float("nan"))
    with pytest.raises(FloatingPointError, match="the derivative of nan_slope"), tg.detect_anomaly():
        nan(x @ w)[0].sum().backward()


def test_where_nothing_is_wrong_nothing_is_said() -> None:
    x = leaf([1.0, 2.0])
    with tg.detect_anomaly(), tg.Tape() as tape:
        tg.log(x).sum().backward()
    assert len(tape) == 2
    assert x.grad.tolist() == [1, 0.5]


# Gradients of results on the way


def test_a_gradient_of_a_result_leaves_the_results_own_graph_alone() -> None:
    x = leaf([1.0, 2.0])
    y = x * x
    g = tg.grad((y * y).sum(), y)
    assert g.tolist() == [2, 8]
    assert tg.grad(y, x, g).tolist() == [4, 32]


def test_a_gradient_needs_nothing_behind_what_it_is_of() -> None:
    x = leaf([1.0, 2.0])
    y = x * x
    first, second = (y * y).sum(), (y * y * y).sum()
    y.sum().backward()
    assert tg.grad(first, y).tolist() == [2, 8]
    x.assign_(x.detach() + 1)
    assert tg.grad(second, y).tolist() == [3, 48]


def test_gradients_of_results_that_lead_to_each_other_go_through_both() -> None:
    a = leaf([1.0, 2.0])
    b = a * 3
    assert [g.tolist() for g in tg.grad((a * b).sum(), [a, b])] == [[6, 12], [1, 2]]


def test_a_leaf_that_was_changed_is_told_where_its_gradient_is_asked_for() -> None:
    x = leaf([1.0])
    y = (x * x).sum()
    x.assign_(x.detach() + 1)
    with pytest.raises(RuntimeError, match="was changed after multiply"):
        tg.grad(y, x)


# A graph that grows


def sweep_by_backward(loss: tg.Tensor, w: tg.Tensor) -> None:
    loss.backward(retain_graph=True)


def sweep_by_grad(loss: tg.Tensor, w: tg.Tensor) -> None:
    tg.grad(loss, w, retain_graph=True)


@pytest.mark.parametrize("sweep", [sweep_by_backward, sweep_by_grad])
def test_a_graph_that_grows_from_step_to_step_is_warned_of_once(sweep: Callable[..., None]) -> None:
    w = leaf([0.5])

    def train(steps: int) -> None:
        h = tg.ones((1,), dtype="float64")
        for _ in range(steps):
            h = tg.tanh(h * w)
            sweep(h.sum(), w)

    told = r"backward: 5 sweeps in a row went back to the same multiply .*detach\(\)"
    with pytest.warns(UserWarning, match=told) as seen:
        train(12)
    assert len(seen) == 1
    assert (seen[0].filename, seen[0].lineno) == (__file__, sweep.__code__.co_firstlineno + 1)


def test_graphs_that_do_not_grow_are_not_warned_of() -> None:
    w = leaf([0.5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(12):
            h = tg.tanh(tg.ones((1,), dtype="float64") * w)
            h.sum().backward(retain_graph=True)
            h.sum().backward()
        y = tg.sin(w)
        for _ in range(8):
            (y,) = tg.grad([y], [w], create_graph=True)


def test_a_state_that_was_carried_over_is_named_as_a_cause() -> None:
    w, h = leaf([0.5]), tg.ones((1,), dtype="float64")
    h = tg.tanh(h * w)
    h.sum().backward()
    with pytest.raises(RuntimeError, match=r"was differentiated before.* or detach\(\) a state that was carried over"):
        tg.tanh(h * w).sum().backward()


def test_backend_draws_on_after_a_context_of_its_own() -> None:
    tg.manual_seed(0)
    wanted = [tg.rand(2).tolist(), tg.rand(2).tolist()]
    tg.manual_seed(0)
    found = [tg.rand(2).tolist()]
    with backend.seeded(5):
        tg.rand(7)
    assert [*found, tg.rand(2).tolist()] == wanted
