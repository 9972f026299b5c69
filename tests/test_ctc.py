"""The loss of labels without timing where it is hard: what cannot be said, what is not looked at, long sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optable
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend

pytestmark = pytest.mark.filterwarnings("error")

INF, NAN = float("inf"), float("nan")


def scores(*shape: int, dtype: str = "float64") -> tg.Tensor:
    return tg.asarray(np.random.default_rng(0).normal(size=shape), dtype=dtype, requires_grad=True)


def loss_and_slope(x: tg.Tensor, *arguments: Any, **settings: Any) -> tuple[tg.Tensor, tg.Tensor]:
    """Return the loss of unnormalised scores and its gradient in them."""
    loss = tg.ctc_loss(tg.log_softmax(x), *arguments, **settings)
    return loss, tg.grad(loss.sum(), x)


def test_one_class_and_one_blank_by_hand() -> None:
    p = tg.asarray([[0.75, 0.25], [0.5, 0.5]], dtype="float64")
    once = 0.75 * 0.5 + 0.25 * 0.5 + 0.25 * 0.5
    for labels, probability in [([], 0.75 * 0.5), ([1], once)]:
        loss = tg.ctc_loss(tg.log(p), tg.asarray(labels, dtype="int64"), 2, len(labels))
        assert loss.item() == pytest.approx(-np.log(probability))
    assert tg.ctc_loss(tg.log(p), tg.asarray([1, 1]), 2, 2).item() == INF  # for the blank between there is no time


def test_the_slope_in_log_probabilities_is_minus_the_share_of_each_class() -> None:
    log_p = tg.log_softmax(scores(6, 2, 4))
    leaf = tg.asarray(log_p.data, requires_grad=True)
    slope = tg.grad(tg.ctc_loss(leaf, tg.asarray([[1, 1], [3, 2]]), [6, 4], [2, 2], reduction="sum"), leaf).numpy()
    assert (slope <= 0).all()
    np.testing.assert_allclose(slope.sum(axis=-1), [[-1, -1]] * 4 + [[-1, 0]] * 2, atol=1e-12)


@pytest.mark.parametrize("zero_infinity", [False, True])
def test_what_cannot_be_said_costs_infinity_or_nothing_and_has_no_slope(zero_infinity: bool) -> None:
    targets = tg.asarray([[1, 1], [1, 2], [2, 2]])
    x = scores(3, 3, 3)
    loss, slope = loss_and_slope(x, targets, [2, 3, 0], [2, 2, 1], reduction="none", zero_infinity=zero_infinity)
    assert np.isinf(loss.detach().numpy()).tolist() == [not zero_infinity, False, not zero_infinity]
    if zero_infinity:
        assert (loss.detach().numpy() == 0).tolist() == [True, False, True]
    assert not slope.numpy()[:, [0, 2]].any()
    assert slope.numpy()[:, 1].all()


def test_classes_that_are_impossible_leave_no_nan() -> None:
    """A probability of 0 closes some ways, or all; gradients of both orders stay numbers."""
    log_p = tg.log_softmax(scores(4, 2, 3)).detach().numpy()
    log_p[1, 0, 1] = log_p[:, 1, 2] = -INF
    leaf = tg.asarray(log_p, requires_grad=True)
    loss = tg.ctc_loss(leaf, tg.asarray([[1, 2], [1, 2]]), [4, 4], [2, 2], reduction="none")
    assert np.isinf(loss.detach().numpy()).tolist() == [False, True]
    slope = tg.grad(loss[0] + tg.where(tg.isfinite(loss[1]), loss[1], 0.0), leaf, create_graph=True)
    bend = tg.grad((slope * slope).sum(), leaf)
    assert np.isfinite(slope.detach().numpy()).all()
    assert np.isfinite(bend.numpy()).all()
    assert slope.detach().numpy()[1, 0, 1] == 0


def test_what_lies_behind_the_lengths_is_not_looked_at() -> None:
    x, targets, lengths = scores(5, 2, 3), np.asarray([[1, 2], [2, 0]]), ([5, 3], [2, 1])
    loss, slope = loss_and_slope(x, tg.asarray(targets), *lengths)
    leaf = tg.asarray(tg.log_softmax(x).detach().numpy(), requires_grad=True)
    leaf.data[3:, 1] = NAN
    targets[1, 1] = -7
    again = tg.ctc_loss(leaf, tg.asarray(targets), *lengths)
    assert again.item() == loss.item()
    padded = tg.grad(again, leaf).numpy()
    assert not padded[3:, 1].any()
    assert not slope.numpy()[3:, 1].any()


def test_nan_among_what_is_looked_at_comes_out() -> None:
    log_p = tg.log_softmax(scores(3, 2, 3)).detach()
    log_p.data[1, 0, 0] = NAN
    loss = tg.ctc_loss(log_p, tg.asarray([[1], [1]]), [3, 3], [1, 1], reduction="none")
    assert np.isnan(loss.numpy()).tolist() == [True, False]


def test_labels_in_one_row_are_the_same_labels() -> None:
    x, lengths = scores(6, 3, 4), ([6, 5, 4], [2, 0, 3])
    row, rows = tg.asarray([1, 1, 2, 3, 2]), tg.asarray([[1, 1, 0], [0, 0, 0], [2, 3, 2]])
    assert tg.ctc_loss(x, row, *lengths).item() == tg.ctc_loss(x, rows, *lengths).item()
    by_tensors = tg.ctc_loss(x, rows, tg.asarray(lengths[0]), np.asarray(lengths[1], "int32"))
    assert by_tensors.item() == tg.ctc_loss(x, rows, *lengths).item()


def test_one_sequence_is_a_batch_of_one() -> None:
    x, targets = scores(5, 3), tg.asarray([1, 2])
    for how in ("mean", "sum", "none"):
        alone = tg.ctc_loss(x, targets, 5, 2, reduction=how)
        batch = tg.ctc_loss(x[:, None], targets[None], [5], [2], reduction=how)
        assert alone.shape == ()
        assert alone.item() == batch.item()


def test_no_sequence_and_no_step() -> None:
    nothing = tg.zeros((0,), dtype="int64")
    assert tg.ctc_loss(tg.zeros((3, 0, 2)), nothing, [], [], reduction="none").shape == (0,)
    assert tg.ctc_loss(tg.zeros((0, 1, 2)), nothing, [0], [0]).item() == 0
    assert tg.ctc_loss(tg.zeros((0, 1, 2)), tg.asarray([[1]]), [0], [1]).item() == INF


@pytest.mark.peers
@pytest.mark.skipif(optable.torch is None, reason="PyTorch is not installed")
def test_long_sequences_are_as_exact_as_torch() -> None:
    """Over more steps than a recursion could go, of probabilities far below what float32 can hold."""
    torch = optable.torch
    x, times, lengths = scores(1200, 2, 6), [1200, 1100], [250, 100]
    targets = np.random.default_rng(0).integers(1, 6, (2, 250))
    peer = torch.tensor(x.detach().numpy(), requires_grad=True)
    wanted = torch.nn.functional.ctc_loss(
        peer.log_softmax(-1), torch.tensor(targets), torch.tensor(times), torch.tensor(lengths), reduction="sum"
    )
    (wanted_slope,) = torch.autograd.grad(wanted, peer)
    for dtype, tolerance in [("float64", 1e-9), ("float32", 5e-3)]:
        loss, slope = loss_and_slope(
            scores(1200, 2, 6, dtype=dtype), tg.asarray(targets), times, lengths, reduction="sum"
        )
        assert loss.dtype == slope.dtype == dtype
        assert loss.item() == pytest.approx(wanted.item(), rel=tolerance)
        np.testing.assert_allclose(slope.numpy(), wanted_slope.numpy(), atol=tolerance)


@pytest.mark.parametrize("targets", [[[1, 3]], [[-1, 1]], [[1, 0]]])
def test_labels_that_are_no_classes(targets: list[list[int]]) -> None:
    """The host looks and refuses; on a device, where looking means waiting, the loss says it."""
    x = scores(4, 1, 3)
    if backend.name == "numpy":
        with pytest.raises(IndexError, match=r"ctc_loss: got a target .*, wanted classes from 0 to 2 but for 0"):
            tg.ctc_loss(x, tg.asarray(targets), [4], [2])
    else:
        assert np.isnan(tg.ctc_loss(x, tg.asarray(targets), [4], [2]).item())


x423, t22 = tg.zeros((4, 2, 3)), tg.ones((2, 2), dtype="int64")

MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"ctc_loss: got log_probs of shape \(3,\), wanted \(T, N, C\)": (
        ValueError, lambda: tg.ctc_loss(tg.zeros((3,)), t22, 1, 1),
    ),
    r"ctc_loss: got log_probs of int64, wanted float32 or float64": (
        TypeError, lambda: tg.ctc_loss(tg.zeros((4, 2, 3), dtype="int64"), t22, [4, 4], [2, 2]),
    ),
    r"ctc_loss: got blank = 3, wanted a class from 0 to 2": (
        ValueError, lambda: tg.ctc_loss(x423, t22, [4, 4], [2, 2], blank=3),
    ),
    r"ctc_loss: got reduction='batchmean', wanted one of 'mean', 'sum', 'none'": (
        ValueError, lambda: tg.ctc_loss(x423, t22, [4, 4], [2, 2], reduction="batchmean"),
    ),
    r"ctc_loss: got input_lengths \[4\], wanted an integer for each of 2 sequences": (
        ValueError, lambda: tg.ctc_loss(x423, t22, [4], [2, 2]),
    ),
    r"ctc_loss: got target_lengths \[2.0, 2.0\], wanted an integer for each": (
        ValueError, lambda: tg.ctc_loss(x423, t22, [4, 4], tg.asarray([2.0, 2.0])),
    ),
    r"ctc_loss: got input_lengths \[4, 5\], wanted numbers from 0 to 4": (
        ValueError, lambda: tg.ctc_loss(x423, t22, [4, 5], [2, 2]),
    ),
    r"ctc_loss: got target_lengths \[2, -1\], wanted numbers from 0 up": (
        ValueError, lambda: tg.ctc_loss(x423, t22, [4, 4], [2, -1]),
    ),
    r"ctc_loss: got targets of float32, wanted integers": (
        TypeError, lambda: tg.ctc_loss(x423, tg.ones((2, 2)), [4, 4], [2, 2]),
    ),
    r"ctc_loss: got targets of shape \(2, 2\) and target_lengths \[3, 2\], wanted \(N, S\)": (
        ValueError, lambda: tg.ctc_loss(x423, t22, [4, 4], [3, 2]),
    ),
    r"ctc_loss: got targets of shape \(3,\) and target_lengths \[2, 2\], wanted": (
        ValueError, lambda: tg.ctc_loss(x423, tg.ones((3,), dtype="int64"), [4, 4], [2, 2]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()
