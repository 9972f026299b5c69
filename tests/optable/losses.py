"""Losses: functions of one or two arrays, with all that is constant in a dict of settings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import Domain, Host, Row, Sample, Samples, Shape, one, real, reduced, shapes, softmax, torch

Settings = dict[str, Any]

HOWS = ("mean", "sum", "none")
HALVES = np.asarray([0.5, 1.5, 2.5])


def probable(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers between 0 and 1, away from both."""
    return rng.uniform(0.05, 0.95, shape)


def settled(call: Callable[..., Any], make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of keywords as one of a dict of them, in which arrays become a library's, of the type of x."""

    def settle(*args: Any) -> Any:
        *xs, settings = args
        dtype = str(xs[0].dtype).removeprefix("torch.")
        arrays = {name: value for name, value in settings.items() if isinstance(value, np.ndarray)}
        made = {name: make(x.astype(dtype) if x.dtype.kind == "f" else x) for name, x in arrays.items()}
        return call(*xs, **settings | made)

    return settle


def of_torch(name: str) -> Callable[..., Any]:
    """Return PyTorch's loss of that name, without its advice on means."""

    def call(*xs: Any, **settings: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return getattr(torch.nn.functional, name)(*xs, **settings)

    return settled(call, lambda x: torch.tensor(x))


def loss(name: str, samples: Samples, reference: Callable[..., Any], domain: Domain = real) -> Row:
    """Return the row of a loss that has the same name and settings in PyTorch."""
    numpy = settled(reference, np.asarray)
    return Row(
        name,
        samples,
        lambda *args: np.asarray(numpy(*args)).astype(args[0].dtype),
        of_torch(name),
        settled(getattr(tg, name), tg.asarray),
        domain=domain,
        kinds="f",
        closed=False,
    )


def with_reductions(*settings: Settings) -> list[Settings]:
    """Return settings with each reduction."""
    return [setting | {"reduction": how} for setting in settings for how in HOWS]


# Of two arrays


def elementwise(reference: Callable[..., Host]) -> Callable[..., Any]:
    """Return a function of arrays with the reduction of its result as one more setting."""
    return lambda *xs, reduction="mean", **settings: reduced(reference(*xs, **settings), reduction)


def pair(shape: Shape, settings: Settings) -> Sample:
    """Return a sample of two arrays of one shape, and settings."""
    return Sample((shape, shape), (settings,))


def pairs(*settings: Settings) -> Samples:
    """Return samples of two arrays of one shape, with these settings and each reduction."""
    every = with_reductions(*settings or [{}])
    corners: list[Shape] = [(2, 3), (), (3,)] * len(every)
    return Samples(
        [pair(shape, setting) for shape, setting in [*zip(corners, every, strict=False), ((0, 3), every[1])]],
        st.builds(pair, shapes(min_side=1), st.sampled_from(every)),
    )


def huber(x: Host, y: Host, delta: float = 1) -> Host:
    """Return half the square of the difference, and beyond delta a line."""
    d = np.abs(x - y)
    return np.where(d < delta, 0.5 * d**2, delta * (d - 0.5 * delta))


def smooth_l1(x: Host, y: Host, beta: float = 1) -> Host:
    """Return huber over beta, and the absolute difference for 0."""
    return huber(x, y, beta) / beta if beta else np.abs(x - y)


def divergence(x: Host, y: Host, reduction: str, log_target: bool = False) -> Any:
    """Return y * (log(y) - x), reduced."""
    each = np.exp(y) * (y - x) if log_target else y * (np.log(y) - x)
    return each.sum() / len(each) if reduction == "batchmean" else reduced(each, reduction)


DIVERGENCES = pairs({}, {"log_target": True})
BATCHES = Samples([pair(shape, {"reduction": "batchmean"}) for shape in [(3,), (2, 3), (4, 2, 1)]])


def yes_or_no(x: Host, y: Host, weight: Any = 1.0, pos_weight: Any = 1.0) -> Host:
    """Return the cross entropy of yes or no."""
    p = 1 / (1 + np.exp(-x))
    return -weight * (pos_weight * y * np.log(p) + (1 - y) * np.log(1 - p))


ENTROPIES = Samples(
    [
        *pairs().corners,
        *(pair((2, 3), setting) for setting in with_reductions({"weight": HALVES})),
        pair((2, 3), {"pos_weight": HALVES}),
        pair((3, 2), {"weight": HALVES[:, None], "pos_weight": HALVES[:2], "reduction": "none"}),
        pair((), {"pos_weight": np.asarray(0.5)}),
    ],
    pairs().drawn,
)


# Of classes


def class_loss(
    log_p: Host, target: Host, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0,
) -> Any:  # fmt: skip
    """Return minus the logarithm of the target's probability, sample by sample."""
    rows = np.moveaxis(log_p, min(1, log_p.ndim - 1), -1)
    weight = np.ones(rows.shape[-1]) if weight is None else weight
    each, share = np.zeros(target.shape), np.zeros(target.shape)
    for place in np.ndindex(target.shape):
        c = target[place]
        if c != ignore_index:
            share[place] = weight[c]
            even = np.mean(-weight * rows[place])
            each[place] = (1 - label_smoothing) * -weight[c] * rows[place][c] + label_smoothing * even
    return each.sum() / share.sum() if reduction == "mean" else reduced(each, reduction)


def cross_entropy(x: Host, target: Host, **settings: Any) -> Any:
    """Return the loss of classes, of unnormalised scores."""
    return class_loss(np.log(softmax(x, min(1, x.ndim - 1))), target, **settings)


def soft_cross_entropy(x: Host, y: Host, reduction: str, weight: Any = None, label_smoothing: float = 0) -> Any:
    """Return the cross entropy of probabilities of classes."""
    axis = min(1, x.ndim - 1)
    log_p = np.moveaxis(np.log(softmax(x, axis)), axis, -1)
    target = (1 - label_smoothing) * np.moveaxis(y, axis, -1) + label_smoothing / x.shape[axis]
    return reduced(-(log_p * target * (1 if weight is None else weight)).sum(-1), reduction)


TARGETS: list[tuple[Shape, Any]] = [
    ((2, 3), [0, 2]), ((2, 3, 2), [[0, 1], [2, 2]]), ((3,), 2), ((4, 3), [0, 2, 1, 2]),
]  # fmt: skip
"""Shapes of scores of three classes, and targets for them."""


def classified(*settings: Settings) -> Samples:
    """Return samples of scores of three classes, with targets, these settings and each reduction."""
    every = with_reductions(*settings)
    corners = [(*TARGETS[i % len(TARGETS)], setting) for i, setting in enumerate(every)]
    return Samples(
        [one(shape, setting | {"target": np.asarray(target)}) for shape, target, setting in corners], _classified(every)
    )


@st.composite
def _classified(draw: Any, every: list[Settings]) -> Sample:
    """Draw scores of three classes, targets of which the first is not ignored, and settings."""
    setting = draw(st.sampled_from(every))
    sides = (draw(st.integers(1, 3)), *draw(st.sampled_from([(), (2,), (1, 3)])))
    target = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 3, sides)
    target[target == 1] = setting.get("ignore_index", 1)
    target.flat[0] = 2
    return one((sides[0], 3, *sides[1:]), setting | {"target": target})


WEIGHTED: list[Settings] = [
    {}, {"weight": HALVES}, {"ignore_index": 0}, {"ignore_index": -1, "weight": HALVES},
]  # fmt: skip
SMOOTHED: list[Settings] = [
    {"label_smoothing": 0.1}, {"label_smoothing": 0.3, "weight": HALVES},
    {"label_smoothing": 1.0, "weight": HALVES, "ignore_index": 0},
]  # fmt: skip
SOFT = Samples(
    [
        pair(shape, setting)
        for shape, setting in zip([(2, 3), (2, 3, 2), (3,)] * 3, with_reductions({}, *SMOOTHED[:2]), strict=True)
    ]
)

ROWS = [
    loss("mse_loss", pairs(), elementwise(lambda x, y: (x - y) ** 2)),
    loss("l1_loss", pairs(), elementwise(lambda x, y: np.abs(x - y))),
    loss("huber_loss", pairs({}, {"delta": 0.5}), elementwise(huber)),
    loss("smooth_l1_loss", pairs({}, {"beta": 0.5}, {"beta": 0.0}), elementwise(smooth_l1)),
    loss("kl_div", DIVERGENCES, divergence, probable),
    loss("kl_div", BATCHES, divergence, probable),
    loss("binary_cross_entropy_with_logits", ENTROPIES, elementwise(yes_or_no), probable),
    loss("nll_loss", classified(*WEIGHTED), class_loss),
    loss("cross_entropy", classified(*WEIGHTED, *SMOOTHED), cross_entropy),
    loss("cross_entropy", SOFT, soft_cross_entropy, probable),
]
