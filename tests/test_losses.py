"""Losses at kinks, in the tails, of what is ignored, and what they say of mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend

pytestmark = pytest.mark.filterwarnings("error")

INF, NAN = float("inf"), float("nan")


def slopes(loss: Callable[..., Any], *data: Any) -> list[Any]:
    """Return the gradients of a loss as lists of numbers."""
    xs = [tg.asarray(x, dtype="float64", requires_grad=True) for x in data]
    return [g.tolist() for g in tg.grad(loss(*xs), xs)]


# Of one number against another


def test_slopes_at_kinks() -> None:
    x, zero = [-3, -2, 0, 2, 3], [0] * 5
    assert slopes(lambda x, y: tg.l1_loss(x, y, reduction="sum"), x, zero) == [[-1, -1, 0, 1, 1], [1, 1, 0, -1, -1]]
    assert slopes(lambda x, y: tg.huber_loss(x, y, reduction="sum", delta=2.0), x, zero)[0] == [-2, -2, 0, 2, 2]
    assert slopes(lambda x, y: tg.smooth_l1_loss(x, y, reduction="sum", beta=2.0), x, zero)[0] == [-1, -1, 0, 1, 1]


def test_the_line_of_huber_has_no_bend_from_its_beginning_on() -> None:
    x = tg.asarray([-3, -2, -1, 0, 1, 2, 3], dtype="float64", requires_grad=True)
    slope = tg.grad(tg.huber_loss(x, tg.zeros((7,)), reduction="sum", delta=2.0), x, create_graph=True)
    assert tg.grad(slope.sum(), x).tolist() == [0, 0, 1, 1, 1, 0, 0]  # as in PyTorch


def test_huge_differences_do_not_overflow_where_the_loss_is_a_line() -> None:
    x = tg.asarray([-1e30, 1e30])
    assert tg.huber_loss(x, tg.zeros((2,)), reduction="none").tolist() == pytest.approx([1e30, 1e30])
    assert tg.smooth_l1_loss(x, tg.zeros((2,)), reduction="none", beta=2.0).tolist() == pytest.approx([1e30, 1e30])


ON_PAIRS = ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits", "kl_div"]


@pytest.mark.parametrize("dtypes", [("uint8", "uint8"), ("int8", "int8"), ("int16", "uint8"), ("bool", "bool")])
@pytest.mark.parametrize("name", ON_PAIRS)
def test_losses_of_integers_are_those_of_floats(name: str, dtypes: tuple[str, str]) -> None:
    loss, xs = getattr(tg, name), [np.asarray([1, 100, 0]), np.asarray([2, 3, 0])]
    xs = [x.astype(dtype) for x, dtype in zip(xs, dtypes, strict=True)]
    found, wanted = loss(*map(tg.asarray, xs)), loss(*(tg.asarray(x.astype("float32")) for x in xs))
    assert (found.item(), found.dtype) == (wanted.item(), "float32")


def test_logarithms_that_are_integers_do_not_wrap_round() -> None:
    assert tg.nll_loss(tg.asarray([[1, 2]], dtype="uint8"), tg.asarray([1])).item() == -2


def test_integers_beside_float64_keep_their_digits() -> None:
    loss = tg.l1_loss(tg.asarray([2**30 + 1]), tg.zeros((1,), dtype="float64"))
    assert (loss.item(), loss.dtype) == (2**30 + 1, "float64")


# Of probabilities


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_cross_entropy_of_yes_or_no_is_exact_however_sure(dtype: str) -> None:
    def loss(x: Any, y: Any) -> Any:
        return tg.binary_cross_entropy_with_logits(x, y, reduction="none")

    x = tg.asarray([-1000, -30, 30, 1000], dtype=dtype, requires_grad=True)
    tail = math.exp(-30)
    for y, costs, slope in [
        (tg.zeros((4,)), [0, tail, 30, 1000], [0, tail, 1, 1]),
        (tg.ones((4,)), [1000, 30, tail, 0], [-1, -1, -tail, 0]),
    ]:
        assert loss(x, y).tolist() == pytest.approx(costs, rel=1e-6, abs=1e-30)
        assert tg.grad(loss(x, y).sum(), x).tolist() == pytest.approx(slope, rel=1e-6, abs=1e-30)


@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_yes_or_no_may_be_integers_or_bools(dtype: str) -> None:
    x, y = tg.asarray([0.5, -1.5]), [1, 0]
    loss = tg.binary_cross_entropy_with_logits(x, tg.asarray(y, dtype=dtype))
    assert loss.dtype == "float32"
    assert loss.item() == tg.binary_cross_entropy_with_logits(x, tg.asarray(y, dtype="float32")).item()


def test_weights_of_yes_or_no_have_slopes() -> None:
    xs = [tg.asarray(np.random.default_rng(i).uniform(0.1, 0.9, (2, 3))) for i in range(4)]
    assert tg.gradcheck(lambda x, y, w, p: tg.binary_cross_entropy_with_logits(x, y, w, pos_weight=p), xs)


def test_a_right_probability_of_zero_costs_nothing() -> None:
    log_p = tg.log(tg.asarray([0.5, 0.5]))
    assert tg.kl_div(log_p, tg.asarray([1.0, 0.0]), reduction="none").tolist() == pytest.approx([math.log(2), 0])
    y = tg.asarray([1.0, 0.0], requires_grad=True)
    loss = tg.kl_div(log_p, y, reduction="sum")
    assert tg.grad(loss, y).tolist() == [pytest.approx(1 + math.log(2)), -INF]


# Of classes


def test_what_is_ignored_costs_nothing_and_has_no_slope() -> None:
    scores, target = tg.randn(4, 3, requires_grad=True), np.asarray([0, -100, 2, -100])
    kept = tg.cross_entropy(scores[::2], tg.asarray(target[::2]))
    loss = tg.cross_entropy(scores, tg.asarray(target))
    assert loss.item() == pytest.approx(kept.item())
    assert tg.cross_entropy(scores, tg.asarray(target), reduction="none").tolist()[1::2] == [0, 0]
    slope = tg.grad(loss, scores).numpy()
    assert not slope[1::2].any()
    assert slope[::2].all()


@pytest.mark.parametrize("settings", [{}, {"weight": tg.asarray([1.0, 2.0, 3.0])}, {"label_smoothing": 0.2}])
def test_where_all_are_ignored_the_mean_is_of_nothing(settings: dict[str, Any]) -> None:
    scores, target = tg.randn(2, 3, requires_grad=True), tg.asarray([1, 1])
    assert math.isnan(tg.cross_entropy(scores, target, ignore_index=1, **settings).item())
    loss = tg.cross_entropy(scores, target, ignore_index=1, reduction="sum", **settings)
    assert loss.item() == 0
    assert not tg.grad(loss, scores).numpy().any()


def test_a_class_may_be_ignored_that_nobody_has() -> None:
    """What is ignored need not be a class, and what is neither is a mistake still."""
    scores = tg.ones((2, 3))
    assert tg.nll_loss(scores, tg.asarray([7, 0]), ignore_index=7).item() == -1
    if backend.name == "numpy":
        with pytest.raises(IndexError, match="nll_loss: got a target 8, wanted classes from 0 to 2"):
            tg.nll_loss(scores, tg.asarray([7, 8]), ignore_index=7)
    else:
        losses = tg.nll_loss(scores, tg.asarray([7, 8]), ignore_index=7, reduction="none").tolist()
        assert losses == pytest.approx([0, NAN], nan_ok=True)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_classes_may_be_integers_of_any_width(dtype: str) -> None:
    scores = tg.randn(2, 200)
    target = tg.asarray([100, 3])
    assert tg.cross_entropy(scores, target.astype(dtype)).item() == tg.cross_entropy(scores, target).item()


def test_weights_of_classes_have_slopes() -> None:
    """In the losses, and in the mean's divisor."""
    scores, weight = tg.randn(4, 3, dtype="float64"), tg.asarray([0.5, 1.5, 2.5], dtype="float64")
    target = tg.asarray([0, 2, 1, 2])
    for settings in ({}, {"label_smoothing": 0.2}, {"ignore_index": 1}):
        assert tg.gradcheck(lambda x, w, s=settings: tg.cross_entropy(x, target, w, **s), [scores, weight])
    soft = tg.softmax(tg.randn(4, 3, dtype="float64"))
    assert tg.gradcheck(lambda x, p, w: tg.cross_entropy(x, p, w, label_smoothing=0.2), [scores, soft, weight])


def test_a_certain_target_is_a_class() -> None:
    scores, target = tg.randn(3, 4, 2), np.asarray([[0, 3], [1, 1], [2, 0]])
    certain = tg.asarray(np.moveaxis(np.eye(4, dtype="float32")[target], -1, 1))
    for settings in ({}, {"label_smoothing": 0.1}, {"weight": tg.asarray([1.0, 2.0, 3.0, 4.0]), "reduction": "sum"}):
        by_class = tg.cross_entropy(scores, tg.asarray(target), **settings).item()
        assert tg.cross_entropy(scores, certain, **settings).item() == pytest.approx(by_class, rel=1e-5)


# What goes in and comes out


def test_losses_take_arrays_and_give_tensors() -> None:
    x, y = tg.rand(2, 3).data, tg.rand(2, 3).data
    losses = (
        tg.mse_loss, tg.l1_loss, tg.huber_loss, tg.smooth_l1_loss, tg.kl_div, tg.binary_cross_entropy_with_logits,
        tg.cross_entropy,
    )  # fmt: skip
    for loss in losses:
        assert type(loss(x, y)) is tg.Tensor
    for loss in (tg.cross_entropy, tg.nll_loss):
        assert type(loss(x, tg.asarray([0, 1]).data, tg.ones((3,)).data)) is tg.Tensor


x3, x23, classes = tg.ones((3,)), tg.ones((2, 3)), tg.asarray([0, 1])

MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"l1_loss: got shapes \(2, 3\) and \(3,\), wanted one shape": (ValueError, lambda: tg.l1_loss(x23, x3)),
    r"huber_loss: got delta = 0, wanted a number above 0": (ValueError, lambda: tg.huber_loss(x3, x3, delta=0)),
    r"smooth_l1_loss: got beta = -1, wanted 0 or": (ValueError, lambda: tg.smooth_l1_loss(x3, x3, beta=-1)),
    r"kl_div: got reduction='avg', wanted one of .*'batchmean'": (
        ValueError, lambda: tg.kl_div(x3, x3, reduction="avg"),
    ),
    r"l1_loss: got reduction='batchmean', wanted one of 'mean', 'sum', 'none'": (
        ValueError, lambda: tg.l1_loss(x3, x3, reduction="batchmean"),
    ),
    r"binary_cross_entropy_with_logits: got shapes \(2, 3\) and \(3,\)": (
        ValueError, lambda: tg.binary_cross_entropy_with_logits(x23, x3),
    ),
    r"logits: got weights of shape \(2, 3\), wanted a shape that broadcasts to \(3,\)": (
        ValueError, lambda: tg.binary_cross_entropy_with_logits(x3, x3, x23),
    ),
    r"logits: got weights of shape \(2,\), wanted a shape that broadcasts to \(2, 3\)": (
        ValueError, lambda: tg.binary_cross_entropy_with_logits(x23, x23, pos_weight=tg.ones((2,))),
    ),
    r"nll_loss: got scores of shape \(2, 3\) and targets of shape \(3,\)": (
        ValueError, lambda: tg.nll_loss(x23, tg.asarray([0, 1, 2])),
    ),
    r"cross_entropy: got scores of shape \(\) and targets of shape \(\)": (
        ValueError, lambda: tg.cross_entropy(tg.asarray(1.0), tg.asarray(0)),
    ),
    r"nll_loss: got targets of float32, wanted integers": (TypeError, lambda: tg.nll_loss(x23, classes * 1.0)),
    r"cross_entropy: got weights of shape \(2,\), wanted one for each of 3 classes": (
        ValueError, lambda: tg.cross_entropy(x23, classes, tg.ones((2,))),
    ),
    r"cross_entropy: got weights of shape \(2, 3\), wanted one for each": (
        ValueError, lambda: tg.cross_entropy(x23, x23, x23),
    ),
    r"cross_entropy: got label_smoothing = 1.5, wanted a number between 0 and 1": (
        ValueError, lambda: tg.cross_entropy(x23, classes, label_smoothing=1.5),
    ),
    r"cross_entropy: got targets of int64 for all classes, wanted probabilities": (
        TypeError, lambda: tg.cross_entropy(x23, tg.ones((2, 3), dtype="int64")),
    ),
    r"cross_entropy: got probabilities and ignore_index = 1, wanted classes": (
        ValueError, lambda: tg.cross_entropy(x23, x23, ignore_index=1),
    ),
    r"cross_entropy: got reduction='average', wanted one of": (
        ValueError, lambda: tg.cross_entropy(x23, classes, reduction="average"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()
