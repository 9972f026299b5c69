"""Optimisers and clipping: PyTorch's steps, and a clear word to those who call them wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import optim
from tinygrad_lstm.backend import to_host

SETTINGS = [("SGD", {"lr": 0.1}), ("SGD", {"lr": 0.1, "momentum": 0.9})]
SETTINGS += [("Adam", {"lr": 0.1}), ("Adam", {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3})]


@pytest.mark.peers
@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_steps_match_pytorch(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    ours = tg.randn(3, 4, dtype="float64", requires_grad=True)
    theirs = torch.tensor(to_host(ours.data), requires_grad=True)
    our_optimizer = getattr(optim, name)([ours], **options)
    their_optimizer = getattr(torch.optim, name)([theirs], **options)
    for _ in range(10):
        our_optimizer.zero_grad()
        their_optimizer.zero_grad()
        tg.sum(ours * ours + tg.cos(2.5 * ours)).backward()
        (theirs * theirs + torch.cos(2.5 * theirs)).sum().backward()
        our_optimizer.step()
        their_optimizer.step()
    assert abs(to_host(ours.data) - theirs.detach().numpy()).max() < 1e-12


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_every_optimiser_goes_downhill(name: str, options: dict[str, Any]) -> None:
    w = tg.asarray([1.0, -2.0], requires_grad=True)
    optimizer = getattr(optim, name)([w], **options)
    for _ in range(200):
        optimizer.zero_grad()
        tg.sum(w * w).backward()
        optimizer.step()
    assert tg.sum(w * w).item() < 1e-2


def test_a_parameter_without_a_gradient_stays() -> None:
    w, unused = (tg.asarray([1.0], requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([w, unused], lr=0.5)
    tg.sum(w * w).backward()
    optimizer.step()
    assert (w.item(), unused.item()) == (0.0, 1.0)


def test_a_step_voids_graphs_made_before() -> None:
    w = tg.asarray([1.0], requires_grad=True).named("w")
    loss = tg.sum(w * w)
    loss.backward(retain_graph=True)
    optim.SGD([w], lr=0.5).step()
    with pytest.raises(RuntimeError, match=r"the leaf 'w' of shape .* was changed after"):
        loss.backward()


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


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: optim.SGD([]), ValueError, "SGD: got no parameters"),
        (lambda: optim.Adam([tg.ones((2,), requires_grad=True)], lr=-1), ValueError, "Adam: got lr = -1"),
        (lambda: optim.Adam([tg.ones((2,))]), TypeError, r"Adam: got a tensor of shape \(2,\) that is no leaf"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
