"""Schedules: PyTorch's rates step by step, a state that goes on as if never left, and a clear word to wrong calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import optim

Make = Callable[[Any, Any], Any]
"""Takes a module of schedules, ours or PyTorch's, and an optimiser, and returns a schedule."""

STEPS = 24
SCHEDULES: dict[str, Make] = {
    "LambdaLR": lambda m, o: m.LambdaLR(o, lambda t: 1 / (1 + t)),
    "LambdaLR-each": lambda m, o: m.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1.0]),
    "StepLR": lambda m, o: m.StepLR(o, 5),
    "StepLR-gamma": lambda m, o: m.StepLR(o, step_size=1, gamma=0.5),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [2, 5, 5, 19], gamma=0.5),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.8),
    "LinearLR": lambda m, o: m.LinearLR(o),
    "LinearLR-down": lambda m, o: m.LinearLR(o, 1.0, 0.0, total_iters=7),
    "LinearLR-warm-up": lambda m, o: m.LinearLR(o, start_factor=1e-3, total_iters=30),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, STEPS),
    "CosineAnnealingLR-again": lambda m, o: m.CosineAnnealingLR(o, T_max=5, eta_min=0.01),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.5, total_steps=STEPS + 1),
    "OneCycleLR-linear": lambda m, o: m.OneCycleLR(
        o, [0.5, 0.1], total_steps=STEPS + 1, anneal_strategy="linear", pct_start=0.4, div_factor=5, final_div_factor=10
    ),
    "OneCycleLR-three": lambda m, o: m.OneCycleLR(o, 0.5, STEPS + 1, three_phase=True, max_momentum=0.8),
    "OneCycleLR-down": lambda m, o: m.OneCycleLR(o, 0.5, STEPS + 1, pct_start=0.0, cycle_momentum=False),
    "OneCycleLR-up": lambda m, o: m.OneCycleLR(o, 0.5, STEPS + 1, pct_start=1.0, base_momentum=[0.5, 0.6]),
    "SequentialLR": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=6), m.CosineAnnealingLR(o, STEPS - 6, eta_min=1e-3)], [6]
    ),
    "SequentialLR-three": lambda m, o: m.SequentialLR(
        o, [m.ExponentialLR(o, 0.5), m.StepLR(o, 3), m.LambdaLR(o, lambda t: 2.0 + t)], milestones=[4, 15]
    ),
    "SequentialLR-one-cycle": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.5), m.OneCycleLR(o, 0.5, STEPS)], milestones=[5]
    ),
}

each_schedule = pytest.mark.parametrize("make", SCHEDULES.values(), ids=SCHEDULES)

MEASURES = [5, 4, 4, 4.5, 3.99999, 3.9, 4, 4, 4, 4, 3, 3, 3, 3, 3, 3, math.nan, 3, 2, 2.5, -1, -1, -2, -2, -2, -2]
PLATEAUS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "patience": {"patience": 1, "factor": 0.5},
    "none": {"patience": 0, "min_lr": 1e-3, "threshold": 0.05},
    "cooldown": {"patience": 1, "cooldown": 3, "min_lr": [0.01, 1e-5]},
    "max": {"mode": "max", "patience": 2, "factor": 0.3},
    "max-abs": {"mode": "max", "patience": 0, "threshold_mode": "abs", "threshold": 0.3, "eps": 1e-3},
    "min-abs": {"patience": 0, "threshold_mode": "abs", "threshold": 0.6},
}

each_plateau = pytest.mark.parametrize("options", PLATEAUS.values(), ids=PLATEAUS)


def optimizer(name: str = "SGD") -> optim.Optimizer:
    """Return an optimiser of two groups with rates of their own."""
    groups = [{"params": tg.asarray([1.0], requires_grad=True), "lr": lr} for lr in (0.2, 0.05)]
    return getattr(optim, name)(groups)


def twin(name: str = "SGD") -> tuple[Any, Any]:
    """Return PyTorch's module of schedules and its optimiser of the same kind."""
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    groups = [{"params": torch.ones(1, requires_grad=True), "lr": lr} for lr in (0.2, 0.05)]
    return torch.optim.lr_scheduler, getattr(torch.optim, name)(groups)


def settings(optimizer: Any) -> list[list[float]]:
    """Return what schedules change in each group."""
    groups = optimizer.param_groups
    return [[g["lr"], g.get("momentum", g.get("betas", (0,))[0])] for g in groups]


# The rates


@pytest.mark.peers
@pytest.mark.parametrize("name", ["SGD", "Adam"])
@each_schedule
def test_rates_are_pytorchs(make: Make, name: str) -> None:
    module, theirs = twin(name)
    ours = optimizer(name)
    schedule, other = make(optim, ours), make(module, theirs)
    for t in range(STEPS):
        assert schedule.last_epoch == t
        for found, wanted in zip(settings(ours), settings(theirs), strict=True):
            assert found == pytest.approx(wanted, rel=1e-9, abs=1e-15)
        assert schedule.get_last_lr() == [group["lr"] for group in ours.param_groups]
        theirs.step()
        schedule.step()
        other.step()


@pytest.mark.peers
@each_plateau
def test_plateaus_are_pytorchs(options: dict[str, Any]) -> None:
    module, theirs = twin()
    ours = optimizer()
    schedule, other = optim.ReduceLROnPlateau(ours, **options), module.ReduceLROnPlateau(theirs, **options)
    for measure in MEASURES:
        schedule.step(measure)
        other.step(measure)
        assert schedule.get_last_lr() == other.get_last_lr()
        assert schedule.state_dict() == {name: getattr(other, name) for name in schedule.keeps}


def test_rates_go_to_the_optimiser_at_once() -> None:
    w = tg.asarray([1.0], requires_grad=True)
    schedule = optim.StepLR(optim.SGD([w], lr=0.5), step_size=1, gamma=0.5)
    for _ in range(2):
        w.grad = tg.asarray([1.0])
        schedule.optimizer.step()
        schedule.step()
    assert w.item() == 1 - 0.5 - 0.25


def test_a_plateau_takes_a_tensor() -> None:
    schedule = optim.ReduceLROnPlateau(optimizer(), patience=0)
    schedule.step(tg.asarray(1.0))
    schedule.step(tg.asarray([2.0]))
    assert schedule.get_last_lr() == [pytest.approx(0.02), pytest.approx(0.005)]


def test_a_group_that_comes_later_is_scheduled_from_its_own_rate() -> None:
    schedule = optim.ExponentialLR(optimizer(), gamma=0.5)
    schedule.optimizer.add_param_group({"params": tg.ones((1,), requires_grad=True), "lr": 8.0})
    schedule.step()
    assert schedule.get_last_lr() == [0.1, 0.025, 4.0]


@pytest.mark.parametrize("total_steps", [1, 2, 10])
def test_a_cycle_of_few_steps_divides_by_nothing(total_steps: int) -> None:
    schedule = optim.OneCycleLR(optimizer(), 0.5, total_steps, pct_start=0.1, anneal_strategy="linear")
    for _ in range(total_steps):
        assert all(0 < lr <= 0.5 for lr in schedule.get_last_lr())
        schedule.step()
    with pytest.raises(ValueError, match=f"OneCycleLR: got more steps than total_steps = {total_steps}"):
        schedule.step()


# The state


@each_schedule
@pytest.mark.parametrize("optimizer_first", [False, True])
def test_a_schedule_that_was_loaded_goes_on_as_if_never_left(make: Make, optimizer_first: bool) -> None:
    whole = make(optim, optimizer())
    first, second = (make(optim, optimizer()) for _ in range(2))
    for _ in range(9):
        whole.step()
        first.step()
    loads = [(second, first.state_dict()), (second.optimizer, first.optimizer.state_dict())]
    for target, state in reversed(loads) if optimizer_first else loads:
        target.load_state_dict(state)
    for _ in range(9):
        assert settings(second.optimizer) == settings(whole.optimizer)
        whole.step()
        second.step()


@each_plateau
def test_a_plateau_that_was_loaded_goes_on_as_if_never_left(options: dict[str, Any]) -> None:
    whole, first, second = (optim.ReduceLROnPlateau(optimizer(), **options) for _ in range(3))
    for measure in MEASURES[:13]:
        whole.step(measure)
        first.step(measure)
    second.load_state_dict(first.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    for measure in MEASURES[13:]:
        whole.step(measure)
        second.step(measure)
    assert second.get_last_lr() == whole.get_last_lr()
    assert second.state_dict() == whole.state_dict()


def test_the_first_rate_is_in_the_optimisers_state() -> None:
    schedule = optim.ExponentialLR(optimizer(), gamma=0.5)
    schedule.step()
    other = optimizer()
    other.load_state_dict(schedule.optimizer.state_dict())
    again = optim.ExponentialLR(other, gamma=0.5)
    again.load_state_dict(schedule.state_dict())
    assert again.base_lrs == [0.2, 0.05]
    assert again.get_last_lr() == [0.1, 0.025]


# Errors


def changed() -> None:
    schedule = optim.StepLR(optimizer(), 5)
    schedule.optimizer.param_groups[1]["lr"] = 0.5
    schedule.step()


def two_at_once() -> None:
    of = optimizer()
    schedules = [optim.LinearLR(of), optim.ExponentialLR(of, gamma=0.5)]
    for schedule in schedules:
        schedule.step()


def sequence(milestones: list[int]) -> None:
    of = optimizer()
    optim.SequentialLR(of, [optim.StepLR(of, 5), optim.StepLR(of, 2), optim.StepLR(of, 2)], milestones)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            changed,
            RuntimeError,
            "StepLR: the learning rate of group 1 is 0.5, but this schedule had set 0.05 and would",
        ),
        (two_at_once, RuntimeError, "LinearLR: the learning rate of group 0 is 0.2, but this schedule had set 0.06.*"),
        (lambda: optim.StepLR(tg.nn.Linear(1, 1), 5), TypeError, "StepLR: got Linear, wanted an optimiser"),
        (lambda: optim.OneCycleLR(tg.nn.Linear(1, 1), 1, 5), TypeError, "OneCycleLR: got Linear, wanted an optimiser"),
        (lambda: optim.StepLR(optimizer(), 0), ValueError, "StepLR: got step_size = 0, wanted a whole number"),
        (lambda: optim.StepLR(optimizer(), 0.5), ValueError, "StepLR: got step_size = 0.5, wanted a whole number"),
        (lambda: optim.LinearLR(optimizer(), 0.0), ValueError, "LinearLR: got start_factor = 0.0 and end_factor = 1.0"),
        (lambda: optim.LinearLR(optimizer(), 1, 2), ValueError, "LinearLR: got start_factor = 1 and end_factor = 2"),
        (lambda: optim.LinearLR(optimizer(), total_iters=0), ValueError, "LinearLR: got total_iters = 0, wanted a"),
        (lambda: optim.CosineAnnealingLR(optimizer(), 0), ValueError, "CosineAnnealingLR: got T_max = 0, wanted a"),
        (lambda: optim.LambdaLR(optimizer(), [abs]), ValueError, "LambdaLR: got 1 of lr_lambda, wanted one for each"),
        (lambda: optim.OneCycleLR(optimizer(), 1, 0), ValueError, "OneCycleLR: got total_steps = 0, wanted a whole"),
        (lambda: optim.OneCycleLR(optimizer(), [1], 9), ValueError, "OneCycleLR: got 1 of max_lr, wanted one for each"),
        (lambda: optim.OneCycleLR(optimizer(), 1, 9, 2), ValueError, "OneCycleLR: got pct_start = 2, wanted a number"),
        (
            lambda: optim.OneCycleLR(optimizer(), 1, 9, anneal_strategy="sin"),
            ValueError,
            "OneCycleLR: got anneal_strategy='sin', wanted one of 'cos', 'linear'",
        ),
        (lambda: optim.OneCycleLR(optimizer("Adagrad"), 1, 9), ValueError, "OneCycleLR: got Adagrad, which has no mom"),
        (lambda: sequence([5]), ValueError, r"SequentialLR: got 3 schedules and milestones = \[5\], wanted one"),
        (lambda: sequence([5, 4]), ValueError, r"SequentialLR: got 3 schedules and milestones = \[5, 4\], wanted"),
        (
            lambda: optim.SequentialLR(optimizer(), [optim.StepLR(optimizer(), 5)], []),
            ValueError,
            "SequentialLR: got StepLR, wanted schedules over the same optimiser",
        ),
        (
            lambda: optim.SequentialLR((of := optimizer()), [optim.ReduceLROnPlateau(of)], []),
            ValueError,
            "SequentialLR: got ReduceLROnPlateau, wanted schedules .* that go by the number of steps",
        ),
        (lambda: optim.ReduceLROnPlateau(optimizer(), "low"), ValueError, "ReduceLROnPlateau: got mode='low', wanted"),
        (lambda: optim.ReduceLROnPlateau(optimizer(), factor=1), ValueError, "ReduceLROnPlateau: got factor = 1, wan"),
        (
            lambda: optim.StepLR(optimizer(), 5).load_state_dict({"best": 3}),
            ValueError,
            "StepLR.load_state_dict: got best, wanted last_epoch",
        ),
        (
            lambda: optim.StepLR(optimizer(), 5).load_state_dict({"last_epoch": -5}),
            ValueError,
            "StepLR.load_state_dict: got last_epoch = -5, wanted a whole number of at least 0",
        ),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    schedule = optim.OneCycleLR(optimizer(), max_lr=1.0, total_steps=10)
    schedule.step()
    before, rate = schedule.state_dict(), schedule.get_last_lr()
    with pytest.raises(ValueError, match="OneCycleLR"):
        schedule.load_state_dict({"last_epoch": 99})
    assert (schedule.state_dict(), schedule.get_last_lr()) == (before, rate)


def test_counts_may_be_integers_of_numpys() -> None:
    theirs, ours = optim.StepLR(optimizer(), np.int64(2)), optim.StepLR(optimizer(), 2)
    for schedule in (theirs, ours):
        schedule.step()
        schedule.step()
    assert theirs.get_last_lr() == ours.get_last_lr()
    assert {type(rate) for rate in theirs.get_last_lr()} == {float}
