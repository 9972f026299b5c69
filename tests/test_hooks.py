"""Hooks on tensors and modules, gradients kept on the way, and the switches of recording."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import nn


def leaf(data: Any) -> tg.Tensor:
    """Return a tensor that gradients are asked for."""
    return tg.asarray(data, requires_grad=True)


# Tensors


def test_a_hook_sees_the_whole_gradient_once_and_may_change_it() -> None:
    x = leaf([1.0, 2.0])
    h = x * 2
    seen: list[Any] = []
    h.register_hook(lambda g: seen.append(g.tolist()))
    h.register_hook(lambda g: g * 10)
    (h * 3 + h).sum().backward()
    assert seen == [[4, 4]]
    assert x.grad.tolist() == [80, 80]


def test_hooks_on_leaves_come_before_the_gradient_is_added() -> None:
    x = leaf([1.0, 2.0])
    with x.register_hook(lambda g: tg.clip(g, max=1.0)):
        (x * tg.asarray([0.5, 7.0])).sum().backward()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.5, 3]


def test_a_removed_hook_is_not_called() -> None:
    x = leaf([1.0])
    handle = x.register_hook(lambda g: g * 100)
    handle.remove()
    handle.remove()
    x.sum().backward()
    assert x.grad.tolist() == [1]


def test_hooks_see_the_gradients_of_slices_and_weights_made_dense() -> None:
    x, w = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf([[1.0, 0.0], [0.0, 1.0]])
    seen: dict[str, Any] = {}
    x.register_hook(lambda g: seen.update(x=g.tolist()))
    w.register_hook(lambda g: seen.update(w=g.tolist()))
    tg.linear(x[0], w).sum().backward()
    assert seen == {"x": [[1, 1], [0, 0]], "w": [[1, 2], [1, 2]]}


def test_hooks_are_part_of_derivatives_that_are_recorded() -> None:
    x = leaf([3.0])
    h = x * x
    h.register_hook(lambda g: g * x)
    (slope,) = tg.grad(h.sum(), [x], create_graph=True)
    assert slope.tolist() == [18]
    assert tg.grad(slope.sum(), x).tolist() == [12]


def test_a_hook_that_changes_the_shape_is_refused() -> None:
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: g.sum())
    with pytest.raises(
        ValueError, match=r"register_hook: the hook of leaf of shape \(2,\) gave a gradient of shape \(\)"
    ):
        x.sum().backward()
    with pytest.raises(RuntimeError, match="register_hook: nothing was recorded"):
        tg.ones((2,)).register_hook(print)


def test_retained_gradients_add_up_as_those_of_leaves_do() -> None:
    x = leaf([1.0, 2.0])
    h = x * 2
    h.retain_grad()
    x.retain_grad()
    assert h.grad is None
    (h * h).sum().backward(retain_graph=True)
    assert h.grad.tolist() == [4, 8]
    (h * 1).sum().backward()
    assert h.grad.tolist() == [5, 9]
    assert tg.grad((x * 2).sum(), x).tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="retain_grad: nothing was recorded"):
        tg.ones((2,)).retain_grad()


def test_a_gradient_that_was_not_kept_is_asked_for_in_vain_and_said_so() -> None:
    h = leaf([1.0]) * 2
    h.sum().backward()
    with pytest.warns(UserWarning, match=r"grad: the multiply of shape \(1,\) is no leaf.* retain_grad\(\)"):
        assert h.grad is None


# Modules


def test_forward_hooks_see_and_change_what_goes_in_and_out() -> None:
    layer = nn.Linear(2, 3)
    x = tg.ones((1, 2))
    plain = layer(x)
    seen: list[Any] = []
    with layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 0,)):
        assert layer(x).tolist() == [layer.bias.tolist()]
    with layer.register_forward_pre_hook(lambda module, inputs: inputs[0] * 0):
        assert layer(x).tolist() == [layer.bias.tolist()]
    with (
        layer.register_forward_hook(lambda module, inputs, output: seen.append((module, inputs, output.shape))),
        layer.register_forward_hook(lambda module, inputs, output: output * 2),
    ):
        assert layer(x).tolist() == (plain * 2).tolist()
    assert seen == [(layer, (x,), (1, 3))]
    assert layer(x).tolist() == plain.tolist()


def test_backward_hooks_see_the_gradients_at_both_ends() -> None:
    layer = nn.LSTM(2, 3)
    x = leaf(tg.randn(4, 1, 2).tolist())
    out, (h, c) = layer(x)
    wanted = tg.grad((out * 2).sum() + h.sum(), [x, *layer.parameters()])
    seen: list[Any] = []
    layer.register_full_backward_hook(lambda *arguments: seen.append(arguments))
    out, (h, c) = layer(x)
    found = tg.grad((out * 2).sum() + h.sum(), [x, *layer.parameters()])
    assert [g.tolist() for g in found] == [g.tolist() for g in wanted]
    ((module, grad_input, grad_output),) = seen
    assert module is layer
    assert [g.tolist() for g in grad_input] == [wanted[0].tolist()]
    assert [None if g is None else g.shape for g in grad_output] == [(4, 1, 3), (1, 1, 3), None]
    assert grad_output[0].tolist() == (out.detach() * 0 + 2).tolist()
    assert c.shape == (1, 1, 3)


def test_backward_hooks_see_the_gradients_of_a_dictionary() -> None:
    class Both(nn.Module):
        def forward(self, x: tg.Tensor) -> dict[str, tg.Tensor]:
            return {"double": x * 2, "square": x * x}

    module, x = Both(), leaf([3.0])
    seen: list[Any] = []
    module.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append((grad_input, grad_output)))
    y = module(x)
    (y["double"] + 5 * y["square"]).sum().backward()
    ((grad_input, grad_output),) = seen
    assert [g.tolist() for g in (*grad_input, *grad_output)] == [[32], [1], [5]]
    assert x.grad.tolist() == [32]


def test_a_backward_hook_may_change_the_gradient_of_the_input() -> None:
    layer = nn.Linear(2, 2)
    x = leaf([[1.0, 2.0]])
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: tuple(g * 0 for g in grad_input))
    layer(x).sum().backward()
    assert x.grad.tolist() == [[0, 0]]
    assert layer.bias.grad.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda g: g.astype("float64"), r"shape \(1, 2\) and float64 for input 0, wanted \(1, 2\) and float32"),
        (lambda g: g[0], r"shape \(2,\) and float32 for input 0, wanted \(1, 2\) and float32"),
    ],
    ids=["type", "shape"],
)
def test_what_a_backward_hook_gives_is_of_the_same_shape_and_type(change: Any, told: str) -> None:
    layer, x = nn.Linear(2, 2), leaf([[1.0, 2.0]])
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: tuple(map(change, grad_input)))
    with pytest.raises(ValueError, match="register_full_backward_hook: a hook gave a gradient of " + told):
        layer(x).sum().backward()


def test_a_backward_hook_gives_a_gradient_for_each_input() -> None:
    layer, x = nn.Linear(2, 2), leaf([[1.0, 2.0]])
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: 2 * grad_input)
    with pytest.raises(ValueError, match="register_full_backward_hook: a hook gave 2 gradients, wanted 1"):
        layer(x).sum().backward()


def test_a_backward_hook_that_looks_on_leaves_gradients_of_any_type() -> None:
    layer, x = nn.Linear(2, 2), leaf([[1.0, 2.0]])
    wide = tg.unary("wide", lambda x: x * 1, lambda g: g.astype("float64"))
    seen: list[Any] = []
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.extend(grad_input))
    wide(layer(x)).sum().backward()
    assert [g.dtype for g in seen] == ["float64"]


def test_backward_hooks_are_not_called_where_no_input_is_on_the_tape() -> None:
    layer = nn.Linear(2, 2)
    layer.register_full_backward_hook(lambda *arguments: pytest.fail("called"))
    layer(tg.ones((1, 2))).sum().backward()
    assert layer.bias.grad.tolist() == [1, 1]


def test_hooks_are_no_parameters_and_go_with_a_copy() -> None:
    layer = nn.Linear(2, 2)
    layer.register_forward_hook(lambda module, inputs, output: output * 0)
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert copy.deepcopy(layer)(tg.ones((1, 2))).tolist() == [[0, 0]]


# Switches


def test_switches_of_recording_as_contexts_calls_and_decorators() -> None:
    x = leaf([1.0])
    with tg.no_grad():
        assert not (x * 2).requires_grad
        with tg.enable_grad():
            assert (x * 2).requires_grad
        with tg.set_grad_enabled(True):
            assert tg.is_grad_enabled()
        assert not tg.is_grad_enabled()
    tg.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    tg.set_grad_enabled(True)
    assert (x * 2).requires_grad

    @tg.set_grad_enabled(False)
    def constant(x: tg.Tensor) -> tg.Tensor:
        return x * 2

    @tg.enable_grad()
    def recorded(x: tg.Tensor) -> tg.Tensor:
        return x * 2

    assert tg.is_grad_enabled()
    assert not constant(x).requires_grad
    with tg.no_grad():
        assert recorded(x).requires_grad
    assert tg.is_grad_enabled()
