"""Schedules: learning rates that change with the number of steps, as `torch.optim.lr_scheduler` defines them.

A schedule is stepped after the optimiser is, once an update or once an epoch, as its numbers are meant. The rate is a
function of the number of steps and of the rate at first, which is kept in each group as ``initial_lr``; only
`ReduceLROnPlateau` goes from rate to rate. Below, t is the number of steps so far.
"""

from __future__ import annotations

import bisect
import itertools
import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, SupportsFloat

from .optimizer import INITIAL, Optimizer

__all__ = [
    "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "OneCycleLR",
    "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip


class _Scheduler:
    """What all schedules share: the optimiser, the count of steps, and how it is kept."""

    keeps: ClassVar[tuple[str, ...]] = ("last_epoch",)
    """What changes from step to step, besides the optimiser's groups."""

    def __init__(self, optimizer: Optimizer) -> None:
        _check_optimizer(type(self).__name__, optimizer)
        self.optimizer = optimizer
        self.last_epoch = 0

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group as it is now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return what changes from step to step; the settings are the program's, and the rates the optimiser's."""
        return {name: getattr(self, name) for name in self.keeps}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where a schedule with the same settings was.

        Raises
        ------
        ValueError
            If the state is none of such a schedule.
        """
        if set(state_dict) != set(self.keeps):
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: got {', '.join(state_dict) or 'nothing'}, wanted "
                f"{', '.join(self.keeps)}."
            )
        _count(f"{type(self).__name__}.load_state_dict", "last_epoch", state_dict["last_epoch"], least=0)
        for name, value in state_dict.items():
            setattr(self, name, value)


class LRScheduler(_Scheduler):
    """What schedules share whose rates are a function of the number of steps: every one says its `factor` or `get_lr`.

    Parameters
    ----------
    optimizer
        The optimiser; its rates are those of t = 0 from here on.

    Attributes
    ----------
    last_epoch
        t, how many steps there were.

    Raises
    ------
    ValueError
        If a setting is out of its bounds.
    RuntimeError
        From `step`, if something else has changed a rate since: it would be lost.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> class Inverse(LRScheduler):
    ...     def factor(self, t):
    ...         return 1 / (1 + t)
    >>> schedule = Inverse(tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__(optimizer)
        self.enter(0)

    @property
    def base_lrs(self) -> list[float]:
        """The learning rate of each group at first."""
        for group in self.optimizer.param_groups:
            group.setdefault(INITIAL, group["lr"])
        return [group[INITIAL] for group in self.optimizer.param_groups]

    def factor(self, t: int) -> float:
        """Return by what the first rates are multiplied after ``t`` steps."""
        raise NotImplementedError(f"{type(self).__name__} has neither factor nor get_lr.")

    def get_lr(self) -> list[float]:
        """Return the rate of each group after ``last_epoch`` steps."""
        factor = self.factor(self.last_epoch)
        return [base * factor for base in self.base_lrs]

    def step(self) -> None:
        """Set the next rates."""
        for number, (wanted, found) in enumerate(zip(self._rates, self.get_last_lr(), strict=False)):
            if wanted != found:
                raise RuntimeError(
                    f"{type(self).__name__}: the learning rate of group {number} is {found}, but this schedule had set "
                    f"{wanted} and would undo the change; SequentialLR sets schedules one behind the other, and "
                    "LambdaLR takes any function."
                )
        self.enter(self.last_epoch + 1)

    def enter(self, t: int) -> None:
        """Set the rates of ``t`` steps."""
        self.last_epoch = t
        self._rates = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where a schedule with the same settings was, and set its rates.

        Raises
        ------
        ValueError
            If the state is none of such a schedule; nothing is changed then.
        """
        before = self.state_dict()
        super().load_state_dict(state_dict)
        try:
            self.enter(self.last_epoch)
        except ValueError:
            super().load_state_dict(before)
            raise


class LambdaLR(LRScheduler):
    """The first rate times any function of t.

    Parameters
    ----------
    optimizer
        As for `LRScheduler`.
    lr_lambda
        The function, or one for each group; it is not part of the state.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> optimizer = tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = LambdaLR(optimizer, lambda t: 1 / (1 + t))
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]
    ) -> None:
        self.lr_lambdas = _for_each_group("LambdaLR", optimizer, "lr_lambda", lr_lambda)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rate of each group after ``last_epoch`` steps."""
        return [base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class StepLR(LRScheduler):
    """Multiply the rate by ``gamma`` every ``step_size`` steps.

    ::

        lr = initial_lr * gamma^floor(t / step_size)

    Parameters
    ----------
    optimizer
        As for `LRScheduler`.
    step_size
        After how many steps the rate changes, at least 1.
    gamma
        By what to multiply.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> schedule = StepLR(tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5), step_size=2, gamma=0.5)
    >>> for _ in range(4):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = _count("StepLR", "step_size", step_size), gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """Return by what the first rates are multiplied after ``t`` steps."""
        return self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """Multiply the rate by ``gamma`` when t reaches one of the ``milestones``.

    ::

        lr = initial_lr * gamma^(the number of milestones that are at most t)

    Parameters
    ----------
    optimizer
        As for `LRScheduler`.
    milestones
        The numbers of steps after which the rate changes, in any order.
    gamma
        By what to multiply.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> optimizer = tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for _ in range(3):
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """Return by what the first rates are multiplied after ``t`` steps."""
        return self.gamma ** bisect.bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    """Multiply the rate by ``gamma`` at every step.

    ::

        lr = initial_lr * gamma^t

    Parameters
    ----------
    optimizer
        As for `LRScheduler`.
    gamma
        By what to multiply.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> schedule = ExponentialLR(tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5), gamma=0.5)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = gamma
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """Return by what the first rates are multiplied after ``t`` steps."""
        return self.gamma**t


class LinearLR(LRScheduler):
    """Go from one fraction of the rate to another in a straight line, and stay there: a warm-up.

    ::

        lr = initial_lr * (start_factor + (end_factor - start_factor) * min(t / total_iters, 1))

    Parameters
    ----------
    optimizer
        As for `LRScheduler`.
    start_factor
        From above 0 to 1.
    end_factor
        From 0 to 1.
    total_iters
        After how many steps the second is reached.

    Raises
    ------
    ValueError
        If a factor is out of its bounds, or ``total_iters`` is no whole number from 1 on.

    References
    ----------
    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017, section 2.2, for the warm-up.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> schedule = LinearLR(tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5), 0.5, total_iters=2)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.375]
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5
    ) -> None:
        if not (0 < start_factor <= 1 and 0 <= end_factor <= 1):
            raise ValueError(
                f"LinearLR: got start_factor = {start_factor} and end_factor = {end_factor}, wanted numbers from 0 to "
                "1, the first above 0."
            )
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = _count("LinearLR", "total_iters", total_iters)
        super().__init__(optimizer)

    def factor(self, t: int) -> float:
        """Return by what the first rates are multiplied after ``t`` steps."""
        return _line(self.start_factor, self.end_factor, min(t / self.total_iters, 1))


class CosineAnnealingLR(LRScheduler):
    """Fall along half a cosine, from the first rate to ``eta_min``, and then rise and fall again and again.

    ::

        lr = eta_min + (initial_lr - eta_min) * (1 + cos(pi * t / T_max)) / 2

    Parameters
    ----------
    optimizer
        As for `LRScheduler`.
    T_max
        After how many steps the rate is at its lowest.
    eta_min
        The lowest rate.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017; without restarts.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> schedule = CosineAnnealingLR(tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5), T_max=2)
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = _count("CosineAnnealingLR", "T_max", T_max), eta_min
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rate of each group after ``last_epoch`` steps."""
        share = self.last_epoch / self.T_max
        return [_half_cosine(base, self.eta_min, share) for base in self.base_lrs]


class OneCycleLR(LRScheduler):
    """Rise to ``max_lr`` and fall to nearly nothing, while the momentum goes the other way.

    The rate goes from ``max_lr / div_factor`` up to ``max_lr``, where it is at t = ``pct_start * total_steps - 1``, and
    from there down to ``max_lr / div_factor / final_div_factor`` at t = ``total_steps - 1``. With ``three_phase`` it
    first goes back down as fast as it came up, and only then to its lowest.

    Parameters
    ----------
    optimizer
        As for `LRScheduler`; its own rates do not matter.
    max_lr
        The highest rate, or one for each group.
    total_steps
        How many updates there will be.
    pct_start
        Which part of them is the way up, from 0 to 1.
    anneal_strategy
        ``"cos"`` to go along half a cosine, ``"linear"`` in a straight line.
    cycle_momentum
        Whether to set the momentum, or the first of Adam's ``betas``, too.
    base_momentum, max_momentum
        The momentum where the rate is highest, and at both ends; numbers, or one for each group.
    div_factor, final_div_factor
        How far below the highest rate the first one is, and how far below that the last one.
    three_phase
        Whether to go back to the first rate before going to the last.

    Raises
    ------
    ValueError
        If a setting is out of its bounds, the optimiser has no momentum to cycle, or there are more steps than
        ``total_steps``.

    References
    ----------
    L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks using large learning rates",
    2017, for three phases; two are fastai's.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> optimizer = tg.optim.Adam([tg.asarray([1.0], requires_grad=True)])
    >>> schedule = OneCycleLR(optimizer, max_lr=0.5, total_steps=10, div_factor=10)
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(9):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> [round(rate, 2) for rate in rates]
    [0.05, 0.28, 0.5, 0.48, 0.41, 0.31, 0.19, 0.09, 0.02, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
    ) -> None:
        op = "OneCycleLR"
        total_steps = _count(op, "total_steps", total_steps)
        _check_choice(op, "anneal_strategy", anneal_strategy, ANNEALINGS)
        if not 0 <= pct_start <= 1:
            raise ValueError(f"{op}: got pct_start = {pct_start}, wanted a number from 0 to 1.")
        self.total_steps, self.anneal, self.cycle_momentum = total_steps, ANNEALINGS[anneal_strategy], cycle_momentum
        self.max_lrs = _for_each_group(op, optimizer, "max_lr", max_lr)
        self.base_momentums = _for_each_group(op, optimizer, "base_momentum", base_momentum)
        self.max_momentums = _for_each_group(op, optimizer, "max_momentum", max_momentum)
        if cycle_momentum and not {"momentum", "betas"} & optimizer.defaults.keys():
            raise ValueError(
                f"{op}: got {type(optimizer).__name__}, which has no momentum; cycle_momentum=False asks none."
            )
        up, low, lowest = pct_start * total_steps, 1 / div_factor, 1 / div_factor / final_div_factor
        if three_phase:
            self.knots = [(0.0, low, 0), (up - 1, 1.0, 1), (2 * up - 2, low, 0), (total_steps - 1.0, lowest, 0)]
        else:
            self.knots = [(0.0, low, 0), (up - 1, 1.0, 1), (total_steps - 1.0, lowest, 0)]
        for group, highest in zip(optimizer.param_groups, self.max_lrs, strict=True):
            group[INITIAL] = highest / div_factor
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rate of each group after ``last_epoch`` steps."""
        height, _ = self._height(self.last_epoch)
        return [highest * height for highest in self.max_lrs]

    def enter(self, t: int) -> None:
        """Set the rates, and the momenta, of ``t`` steps."""
        if t > self.total_steps:
            raise ValueError(f"OneCycleLR: got more steps than total_steps = {self.total_steps}.")
        super().enter(t)
        if not self.cycle_momentum:
            return
        _, depth = self._height(t)
        for group, base, highest in zip(
            self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True
        ):
            momentum = _line(highest, base, depth)
            if "betas" in group:
                group["betas"] = (momentum, group["betas"][1])
            else:
                group["momentum"] = momentum

    def _height(self, t: int) -> tuple[float, float]:
        """Return the rate as a part of the highest, and how far the momentum is from its highest to its lowest."""
        pieces = list(itertools.pairwise(self.knots))
        (start, low1, depth1), (end, low2, depth2) = next((piece for piece in pieces if t <= piece[1][0]), pieces[-1])
        share = min((t - start) / (end - start), 1) if end > start else 1.0
        return self.anneal(low1, low2, share), self.anneal(depth1, depth2, share)


class SequentialLR(LRScheduler):
    """Schedules one behind the other: a warm-up and what follows it, for one.

    Parameters
    ----------
    optimizer
        As for `LRScheduler`.
    schedulers
        The schedules, all of them over this optimiser; they are not stepped by themselves.
    milestones
        At which t each but the first begins, as though it were its t = 0.

    Raises
    ------
    ValueError
        If a schedule is of another kind or over another optimiser, or the milestones are not in order or not one fewer
        than the schedules.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> optimizer = tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5)
    >>> schedules = [LinearLR(optimizer, 0.5, total_iters=2), CosineAnnealingLR(optimizer, T_max=2)]
    >>> schedule = SequentialLR(optimizer, schedules, milestones=[2])
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(4):
    ...     schedule.step()
    ...     rates += schedule.get_last_lr()
    >>> rates
    [0.25, 0.375, 0.5, 0.25, 0.0]
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        for schedule in schedulers:
            if not isinstance(schedule, LRScheduler) or schedule.optimizer is not optimizer:
                raise ValueError(
                    f"SequentialLR: got {type(schedule).__name__}, wanted schedules over the same optimiser that go by "
                    "the number of steps."
                )
        if len(milestones) != len(schedulers) - 1 or list(milestones) != sorted(milestones):
            raise ValueError(
                f"SequentialLR: got {len(schedulers)} schedules and milestones = {list(milestones)}, wanted one "
                "milestone less, in order."
            )
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:
        """Return the rate of each group after ``last_epoch`` steps."""
        number = bisect.bisect_right(self.milestones, self.last_epoch)
        schedule = self.schedulers[number]
        schedule.enter(self.last_epoch - (self.milestones[number - 1] if number else 0))
        return schedule.get_last_lr()


class ReduceLROnPlateau(_Scheduler):
    """Multiply the rate by ``factor`` when a measure has not got better for more than ``patience`` steps.

    Parameters
    ----------
    optimizer
        The optimiser.
    mode
        Whether smaller is better, ``"min"``, or larger, ``"max"``.
    factor
        By what to multiply; below 1.
    patience
        How many steps without a better measure are borne.
    threshold, threshold_mode
        How much better is better: as a part of the best one so far, ``"rel"``, or as it is, ``"abs"``.
    cooldown
        For how many steps after a reduction nothing is held against the measure.
    min_lr
        The lowest rate, or one for each group.
    eps
        A reduction by no more than that is left out.

    Attributes
    ----------
    best
        The best measure so far.

    Raises
    ------
    ValueError
        If a word is unknown, ``factor`` is not from 0 to below 1, or there are not as many ``min_lr`` as groups.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> optimizer = tg.optim.SGD([tg.asarray([1.0], requires_grad=True)], lr=0.5)
    >>> schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.5, 2.5):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.25]
    """

    keeps = ("last_epoch", "best", "num_bad_epochs", "cooldown_counter")

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(optimizer)
        op = "ReduceLROnPlateau"
        _check_choice(op, "mode", mode, ("min", "max"))
        _check_choice(op, "threshold_mode", threshold_mode, ("rel", "abs"))
        if not 0 <= factor < 1:
            raise ValueError(f"{op}: got factor = {factor}, wanted a number from 0 to below 1.")
        self.sign = 1 if mode == "min" else -1
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.min_lrs = _for_each_group(op, optimizer, "min_lr", min_lr)
        self.best = self.sign * math.inf
        self.num_bad_epochs = self.cooldown_counter = 0

    def step(self, metrics: SupportsFloat) -> None:
        """Hear of the next measure, a number or a tensor with one, and reduce the rates if it is time."""
        self.last_epoch += 1
        measure = float(metrics)
        margin = self.sign * self.threshold
        limit = self.best * (1 - margin) if self.threshold_mode == "rel" else self.best - margin
        if self.sign * measure < self.sign * limit:
            self.best = measure
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def _reduce(self) -> None:
        """Make the rates smaller."""
        for group, lowest in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            rate = max(group["lr"] * self.factor, lowest)
            if group["lr"] - rate > self.eps:
                group["lr"] = rate


def _line(start: float, end: float, share: float) -> float:
    """Return what stands at a share of the way from start to end, along a straight line."""
    return start + (end - start) * share


def _half_cosine(start: float, end: float, share: float) -> float:
    """Return what stands at a share of the way from start to end, along half a cosine, which is flat at both."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


ANNEALINGS: dict[str, Callable[[float, float, float], float]] = {"cos": _half_cosine, "linear": _line}


def _for_each_group(op: str, optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """Return a setting that is one for all groups, or one for each, as one for each."""
    _check_optimizer(op, optimizer)
    groups = len(optimizer.param_groups)
    if not isinstance(value, Sequence):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"{op}: got {len(value)} of {name}, wanted one for each of {groups} groups.")
    return list(value)


def _check_optimizer(op: str, optimizer: Any) -> None:
    """Refuse what is no optimiser."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{op}: got {type(optimizer).__name__}, wanted an optimiser.")


def _count(op: str, name: str, value: Any, least: int = 1) -> int:
    """Return a whole number as an int, or refuse what is none or too small."""
    if not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(f"{op}: got {name} = {value}, wanted a whole number of at least {least}.")
    return int(value)


def _check_choice(op: str, name: str, value: str, choices: Iterable[str]) -> None:
    """Refuse what is not one of a few words."""
    if value not in choices:
        raise ValueError(f"{op}: got {name}={value!r}, wanted one of {', '.join(map(repr, choices))}.")
