"""Optimisers and clipping: PyTorch's steps, a state that goes on as if never left, and a clear word to wrong calls."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import optim
from tinygrad_lstm.backend import to_host
from tinygrad_lstm.interchange import load_state, save_state

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.3}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3}),
    ("Adam", {"lr": 0.1, "betas": (0.0, 0.0), "weight_decay": 0.3}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.6), "amsgrad": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.0}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.5, "eps": 1e-3, "weight_decay": 0.3}),
    ("RMSprop", {"lr": 0.1, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.1, "centered": True, "weight_decay": 0.3}),
    ("RMSprop", {"lr": 0.1, "centered": True, "momentum": 0.9}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.2, "weight_decay": 0.3}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
]
SHAPES = [(3, 4), (), (2, 0), (5,)]

each_setting = pytest.mark.parametrize(
    ("name", "options"), SETTINGS, ids=[f"{name}-{'-'.join(options) or 'defaults'}" for name, options in SETTINGS]
)


def parameters(dtype: str = "float64") -> list[tg.Tensor]:
    return [tg.randn(shape, dtype=dtype, requires_grad=True) for shape in SHAPES]


def give_gradients(params: list[tg.Tensor], step: int) -> None:
    """Set gradients that are the same for the same step; the last parameter has none at every third."""
    with tg.backend.seeded(step):
        for parameter in params:
            parameter.grad = tg.randn(parameter.shape, dtype=parameter.dtype)
    if step % 3 == 1:
        params[-1].grad = None


def run(optimizer: optim.Optimizer, steps: range) -> None:
    params = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for step in steps:
        give_gradients(params, step)
        optimizer.step()


def values(params: list[tg.Tensor]) -> list[Any]:
    return [parameter.detach().tolist() for parameter in params]


# The steps


@pytest.mark.peers
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
@each_setting
def test_steps_and_state_are_pytorchs(name: str, options: dict[str, Any], dtype: str, tolerance: float) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    ours = parameters(dtype)
    theirs = [torch.tensor(to_host(p.data), requires_grad=True) for p in ours]
    groups = [({"params": p[:2]}, {"params": p[2:], "lr": 0.03, "weight_decay": 0.1}) for p in (ours, theirs)]
    optimizer = getattr(optim, name)(groups[0], **options)
    twin = getattr(torch.optim, name)(groups[1], **options)
    for step in range(200):
        give_gradients(ours, step)
        for p, q in zip(ours, theirs, strict=True):
            q.grad = None if p.grad is None else torch.tensor(to_host(p.grad.data))
        optimizer.step()
        twin.step()
    state = optimizer.state_dict()["state"]
    for position, (p, q) in enumerate(zip(ours, theirs, strict=True)):
        assert str(p.dtype) == dtype
        assert to_host(p.data) == pytest.approx(q.detach().numpy(), rel=tolerance, abs=tolerance)
        for key, value in twin.state_dict()["state"].get(position, {}).items():
            if value is not None:
                ours_value = state[position][key]
                ours_value = ours_value if key == "step" else to_host(ours_value.data)
                assert ours_value == pytest.approx(value.numpy(), rel=tolerance, abs=tolerance)


@each_setting
def test_every_optimiser_goes_downhill(name: str, options: dict[str, Any]) -> None:
    w = tg.asarray([1.0, -2.0], requires_grad=True)
    optimizer = getattr(optim, name)([w], **options)
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = tg.sum(w * w)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert losses[-1] < losses[0]
    assert w.dtype == "float32"


@each_setting
def test_gradients_stay_as_they_are(name: str, options: dict[str, Any]) -> None:
    params = parameters()
    optimizer = getattr(optim, name)(params, **options)
    run(optimizer, range(3))
    give_gradients(params, 0)
    before = [parameter.grad.tolist() for parameter in params]
    optimizer.step()
    assert [parameter.grad.tolist() for parameter in params] == before


def test_settings_of_a_group_may_change_between_steps() -> None:
    w = tg.asarray([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0)
    for lr, momentum in ((1.0, 0.0), (0.5, 0.0), (0.0, 0.9), (0.5, 0.5)):
        w.grad = tg.asarray([1.0])
        optimizer.param_groups[0].update(lr=lr, momentum=momentum)
        optimizer.step()
    assert w.item() == 1 - 1 - 0.5 - 0.5 * (0.5 + 1)


def test_a_constant_gradient_has_no_variance_to_divide_by_and_the_step_stays_finite() -> None:
    w = tg.asarray([1.0, 2.0, 3.0], requires_grad=True)
    optimizer = optim.RMSprop([w], lr=1e-6, alpha=0.9, centered=True)
    w.grad = tg.asarray([0.1, 0.7, 1.3])
    for _ in range(500):
        optimizer.step()
    assert all(map(tg.isfinite, w.detach()))


def test_a_parameter_without_a_gradient_stays() -> None:
    w, unused = (tg.asarray([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([w, unused], lr=0.5)
    tg.sum(w * w).backward()
    optimizer.step()
    assert (w.item(), unused.item()) == (0.0, 1.0)
    optimizer.zero_grad()
    assert w.grad is None


def test_a_parameter_that_is_frozen_later_stays_too() -> None:
    w, frozen = (tg.asarray([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([w, frozen], lr=0.5)
    frozen.requires_grad = False
    optimizer.zero_grad()
    tg.sum(w * frozen).backward()
    optimizer.step()
    assert (w.item(), frozen.item()) == (0.5, 1.0)


def test_a_step_voids_graphs_made_before() -> None:
    w = tg.asarray([1.0], requires_grad=True).named("w")
    loss = tg.sum(w * w)
    loss.backward(retain_graph=True)
    optim.SGD([w], lr=0.5).step()
    with pytest.raises(RuntimeError, match=r"the leaf 'w' of shape .* was changed after"):
        loss.backward()


# The state


@each_setting
@pytest.mark.parametrize("through_a_file", [False, True])
def test_a_state_that_was_loaded_goes_on_as_if_never_left(
    name: str, options: dict[str, Any], through_a_file: bool, tmp_path: Path
) -> None:
    params = parameters("float32")
    again = [tg.asarray(parameter.detach(), copy=True, requires_grad=True) for parameter in params]
    run(getattr(optim, name)(params, **options), range(8))
    first, second = (getattr(optim, name)(again, **options) for _ in range(2))
    run(first, range(5))
    state = first.state_dict()
    if through_a_file:
        save_state(tmp_path / "optimizer.safetensors", state)
        state = load_state(tmp_path / "optimizer.safetensors")
    second.load_state_dict(state)
    assert second.param_groups == first.param_groups
    run(second, range(5, 8))
    assert values(again) == values(params)


def test_a_loaded_state_is_a_copy() -> None:
    params = parameters()
    one, two = (optim.Adam(params) for _ in range(2))
    run(one, range(2))
    two.load_state_dict(one.state_dict())
    before = two.state_dict()["state"][0]["exp_avg"].tolist()
    run(one, range(2))
    assert two.state_dict()["state"][0]["exp_avg"].tolist() == before


def adam_state() -> tuple[optim.Adam, dict[str, Any]]:
    """Return an optimiser that has made steps, and a deep copy of its state."""
    optimizer = optim.Adam([{"params": parameters()[:2]}, {"params": parameters()[:1]}], lr=0.5)
    run(optimizer, range(2))
    return optimizer, copy.deepcopy(optimizer.state_dict())


def damaged(*path: Any, value: Any = None) -> Callable[[dict[str, Any]], None]:
    """Return a function that puts another value, or none, at a place in a state."""

    def damage(state: Any) -> None:
        for key in path[:-1]:
            state = state[key]
        if value is None:
            del state[path[-1]]
        else:
            state[path[-1]] = value

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damaged("state"), "got param_groups, wanted state and param_groups"),
        (damaged("param_groups", 0), r"got groups of \[1\] parameters, wanted \[2, 1\]"),
        (damaged("param_groups", 0, "params", value=[0]), r"got groups of \[1, 1\] parameters, wanted \[2, 1\]"),
        (damaged("param_groups", 0, "betas"), "got a group with amsgrad, eps, lr, params, weight_decay, wanted "),
        (damaged("param_groups", 0, "momentum", value=0.5), "got a group with .*momentum.*, wanted "),
        (damaged("param_groups", 1, "lr", value=-1), "got lr = -1, wanted a number that is not negative"),
        (damaged("state", 0, "exp_avg"), "got step, exp_avg_sq as the state of parameter 0, wanted step, exp_avg, "),
        (damaged("state", 1, "sum", value=tg.ones(())), "got step, .*, sum as the state of parameter 1, wanted "),
        (damaged("state", 2, "exp_avg", value=tg.ones((3,))), r"got exp_avg of shape \(3,\) for parameter 2, wanted "),
        (damaged("state", 7, value={}), r"got the state of parameters \[7\], which are in no group"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(damage: Callable[[dict[str, Any]], None], message: str) -> None:
    optimizer, wrong = adam_state()
    wrong["param_groups"][0]["lr"] = 0.25
    wrong["state"][0]["step"] = 9
    before = str(optimizer.state_dict())
    damage(wrong)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(wrong)
    assert str(optimizer.state_dict()) == before


# Clipping


def test_two_tensors_that_share_a_gradient_are_clipped_once_each() -> None:
    a, b = (tg.asarray([0.0], requires_grad=True) for _ in range(2))
    tg.sum((a + b) * 8.0).backward()
    assert optim.clip_grad_norm_([a, b], 1.0).item() == pytest.approx(128**0.5)
    assert [x.grad.item() for x in (a, b)] == pytest.approx([0.5**0.5] * 2)


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_norm_is_clipped_only_where_it_is_too_large(scale: float) -> None:
    w = tg.asarray([3.0, 4.0], requires_grad=True)
    tg.sum(w * w * (scale / 2)).backward()
    before = 5 * scale
    assert optim.clip_grad_norm_([w], 1.0).item() == pytest.approx(before)
    after = tg.sum(tg.square(w.grad)).item() ** 0.5
    assert after == pytest.approx(min(before, 1.0), rel=1e-4)


def test_clipping_nothing_is_nothing() -> None:
    w = tg.asarray([3.0], requires_grad=True)
    assert optim.clip_grad_norm_([w], 1.0).item() == 0
    optim.clip_grad_value_([w], 1.0)
    assert w.grad is None


def test_gradients_of_several_types_are_clipped_together_and_keep_their_types() -> None:
    params = [tg.asarray([x], dtype=dtype, requires_grad=True) for x, dtype in ((3.0, "float32"), (4.0, "float64"))]
    for parameter in params:
        parameter.grad = parameter.detach()
    assert optim.clip_grad_norm_(params, 1.0).item() == pytest.approx(5)
    assert [str(p.grad.dtype) for p in params] == ["float32", "float64"]
    assert [p.grad.item() for p in params] == pytest.approx([0.6, 0.8], rel=1e-5)


def test_the_norm_of_half_precision_does_not_overflow() -> None:
    w = tg.zeros((100,), dtype="float16", requires_grad=True)
    w.grad = tg.full((100,), 30.0, dtype="float16")
    assert optim.clip_grad_norm_(w, 1.0).item() == pytest.approx(300)
    assert (w.grad.dtype, w.grad[0].item()) == ("float16", pytest.approx(0.1, rel=1e-3))


@pytest.mark.parametrize("wrong", [float("inf"), float("nan")])
def test_a_norm_that_is_not_finite_can_be_an_error(wrong: float) -> None:
    w = tg.asarray([1.0, 1.0], requires_grad=True)
    w.grad = tg.asarray([wrong, 2.0])
    with pytest.raises(RuntimeError, match=f"clip_grad_norm_: got gradients whose norm is {wrong}, wanted a finite"):
        optim.clip_grad_norm_(w, 1.0, error_if_nonfinite=True)
    assert w.grad.tolist()[1] == 2.0
    assert not tg.isfinite(optim.clip_grad_norm_(w, 1.0))


@pytest.mark.peers
@pytest.mark.parametrize("gradient", [[3.0, 4.0], [0.3, 0.4], [0.0, 0.0], [float("inf"), 2.0], [float("nan"), 2.0]])
def test_clipping_is_pytorchs(gradient: list[float]) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    for clip in ("clip_grad_norm_", "clip_grad_value_"):
        w, v = tg.asarray([1.0, 1.0], requires_grad=True), torch.tensor([1.0, 1.0], requires_grad=True)
        w.grad, v.grad = tg.asarray(gradient), torch.tensor(gradient)
        ours, theirs = getattr(optim, clip)([w], 1.0), getattr(torch.nn.utils, clip)([v], 1.0)
        assert w.grad.tolist() == pytest.approx(v.grad.tolist(), nan_ok=True)
        assert (ours is theirs is None) or ours.item() == pytest.approx(theirs.item(), nan_ok=True)


# Errors


def leaf() -> tg.Tensor:
    return tg.ones((2,), requires_grad=True)


def twice() -> list[tg.Tensor]:
    w = leaf()
    return [w, w]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optim.SGD([]), ValueError, "SGD: got no parameters"),
        (lambda: optim.SGD([{"params": []}]), ValueError, "SGD: got a group without parameters"),
        (lambda: optim.SGD(twice()), ValueError, r"SGD: got a parameter of shape \(2,\) twice"),
        (lambda: optim.SGD([{"params": p} for p in twice()]), ValueError, r"SGD: got a parameter of shape .* twice"),
        (lambda: optim.Adam([tg.ones((2,))]), TypeError, r"Adam: got a tensor of shape \(2,\) among the parameters"),
        (lambda: optim.Adam([leaf() * 2]), TypeError, r"wanted leaves that require a gradient"),
        (lambda: optim.Adam([("w", leaf())]), TypeError, r"Adam: got \('w', .* among the parameters"),
        (lambda: optim.Adam([{"lr": 1}]), TypeError, r"Adam: got .* among groups, wanted a dictionary with params"),
        (lambda: optim.Adam([{"params": leaf(), "rate": 1}]), TypeError, "Adam: got a group with rate, wanted lr, "),
        (lambda: optim.Adam([leaf()], lr=-1), ValueError, "Adam: got lr = -1, wanted a number that is not negative"),
        (lambda: optim.Adam([leaf()], lr=float("nan")), ValueError, "Adam: got lr = nan"),
        (lambda: optim.Adam([leaf()], lr="fast"), ValueError, "Adam: got lr = fast"),
        (lambda: optim.Adam([{"params": leaf(), "eps": -1}]), ValueError, "Adam: got eps = -1"),
        (lambda: optim.Adam([leaf()], betas=(0.9, 1.0)), ValueError, r"Adam: got betas = \(0.9, 1.0\), wanted two"),
        (lambda: optim.AdamW([leaf()], betas=(0.9,)), ValueError, r"AdamW: got betas = \(0.9,\), wanted two"),
        (lambda: optim.AdamW([leaf()], betas=0.9), ValueError, r"AdamW: got betas = 0.9, wanted two"),
        (lambda: optim.AdamW([leaf()], weight_decay=-1), ValueError, "AdamW: got weight_decay = -1"),
        (lambda: optim.SGD([leaf()], momentum=-1), ValueError, "SGD: got momentum = -1"),
        (lambda: optim.SGD([leaf()], nesterov=True), ValueError, "SGD: got nesterov with momentum = 0.0 and dampening"),
        (
            lambda: optim.SGD([leaf()], momentum=0.9, dampening=0.5, nesterov=True),
            ValueError,
            "SGD: got nesterov with momentum = 0.9 and dampening = 0.5, wanted momentum above 0 and no dampening",
        ),
        (lambda: optim.RMSprop([leaf()], alpha=-1), ValueError, "RMSprop: got alpha = -1"),
        (lambda: optim.Adagrad([leaf()], lr_decay=-1), ValueError, "Adagrad: got lr_decay = -1"),
        (lambda: optim.clip_grad_norm_([leaf()], -1.0), ValueError, "clip_grad_norm_: got max_norm = -1.0, wanted"),
        (lambda: optim.clip_grad_value_([leaf()], -1.0), ValueError, "clip_grad_value_: got clip_value = -1.0, wanted"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("make", [optim.Adam, optim.RMSprop, lambda params: optim.SGD(params, lr=0.1, momentum=0.9)])
def test_a_parameter_that_has_grown_is_told(make: Callable[..., optim.Optimizer]) -> None:
    w = tg.ones((3,), requires_grad=True)
    optimizer = make([w])
    for size in (3, 300):
        w.requires_grad = False
        w.data = tg.ones((size,)).data
        w.requires_grad = True
        tg.sum(w * w).backward()
        if size == 3:
            optimizer.step()
    with pytest.raises(
        ValueError, match=r"got a parameter of shape \(300,\) that had the shape \(3,\) at the step before"
    ):
        optimizer.step()
