"""float16 over thousands of elements, and where squares are more than it can hold: as exact as its results can be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_lstm as tg

try:
    import torch
except ImportError:
    torch = None

LONG = np.linspace(0.3, 0.48, 8192).reshape(4096, 2).astype("float16")
"""Added up one by one in float16, either column stops at 1024."""

FEW = np.asarray([300, -300, 100, 0.5], "float16")
"""Their squares are more than float16 can hold."""

FACTORS = np.asarray([300, 300, 0.01, 0.5], "float16")
"""The product of the first two is more than float16 can hold."""

SHRINKING = np.full(4096, 0.999, "float16")

CLASSES, MANY = [5, 4000], [0, 1, 2, 3] * 2048


class Case(NamedTuple):
    """A function of an array, and the same in PyTorch if that has a word for it."""

    name: str
    data: Any
    ours: Callable[[Any], Any]
    torchs: Callable[[Any], Any] | None = None

    def __repr__(self) -> str:
        return self.name


CASES = [
    Case("sum", LONG, lambda x: tg.sum(x, axis=0), lambda x: x.sum(0)),
    Case("mean", LONG, lambda x: tg.mean(x, axis=0), lambda x: x.mean(0)),
    Case("norm of order 1", LONG, lambda x: tg.norm(x, axis=0, ord=1), lambda x: x.norm(1, 0)),
    Case("norm of order 0", LONG, lambda x: tg.norm(x, axis=0, ord=0)),
    Case("std", LONG, lambda x: tg.std(x, axis=0), lambda x: x.std(0, correction=0)),
    Case("logsumexp", LONG, lambda x: tg.logsumexp(x, axis=0), lambda x: x.logsumexp(0)),
    Case("softmax", LONG, lambda x: tg.softmax(x, axis=0)[::99] * 99, lambda x: x.softmax(0)[::99] * 99),
    Case("log_softmax", LONG, lambda x: tg.log_softmax(x, axis=0), lambda x: x.log_softmax(0)),
    Case("softmax of a transpose", LONG.T, lambda x: tg.softmax(x)[:, ::99] * 99, lambda x: x.softmax(1)[:, ::99] * 99),
    Case("cross_entropy", LONG.T, lambda x: tg.cross_entropy(x, tg.asarray(CLASSES)),
         lambda x: torch.nn.functional.cross_entropy(x, torch.tensor(CLASSES))),
    Case("cross_entropy with weights", np.tile(LONG[:5].T, (4096, 1)),
         lambda x: tg.cross_entropy(x * 9, tg.asarray(MANY), tg.full(5, 30.0, dtype=x.dtype), ignore_index=1) * 4096,
         lambda x: torch.nn.functional.cross_entropy(x * 9, torch.tensor(MANY), ignore_index=1) * 4096),
    Case("equal extremes", LONG * 0, lambda x: tg.max(x, axis=0), lambda x: x.amax(0)),
    Case("cumulative_sum", LONG, lambda x: tg.cumulative_sum(x, axis=0), lambda x: x.cumsum(0)),
    Case("prod", FACTORS, tg.prod, lambda x: x.prod()),
    Case("cumulative_prod", SHRINKING, lambda x: tg.cumulative_prod(x)[::99], lambda x: x.cumprod(0)[::99]),
    Case("einsum of one", LONG, lambda x: tg.einsum("ij->j", x), lambda x: torch.einsum("ij->j", x)),
    Case("einsum of two", LONG, lambda x: tg.einsum("ij,ij->j", x, x), lambda x: torch.einsum("ij,ij->j", x, x)),
    Case("vecdot", LONG, lambda x: tg.vecdot(x, x, axis=0), lambda x: torch.linalg.vecdot(x, x, dim=0)),
    Case("avg_pool1d", LONG.T, lambda x: tg.avg_pool1d(x * 100, 4096),
         lambda x: torch.nn.functional.avg_pool1d(x * 100, 4096)),
    Case("avg_pool1d of overlaps", LONG.T, lambda x: tg.avg_pool1d(x, 2, 1),
         lambda x: torch.nn.functional.avg_pool1d(x, 2, 1)),
    Case("broadcasting", LONG[0], lambda x: tg.sum(x + tg.ones((4096, 2), dtype=x.dtype), axis=0),
         lambda x: (x + torch.ones((4096, 2), dtype=x.dtype)).sum(0)),
    Case("a place named often", LONG[0], lambda x: tg.expand_dims(x, 0)[[0] * 4096, [0, 1] * 2048],
         lambda x: x[None][[0] * 4096, [0, 1] * 2048]),
    Case("take_along_axis", LONG[:1], lambda x: tg.take_along_axis(x, tg.zeros((1, 4096), dtype="int64"), axis=1),
         lambda x: x.take_along_dim(torch.zeros((1, 4096), dtype=torch.int64), 1)),
    Case("repeat", LONG[:1], lambda x: tg.repeat(x, 4096, axis=0), lambda x: x.repeat_interleave(4096, 0)),
    Case("tile", LONG[:1], lambda x: tg.tile(x, (4096, 1)), lambda x: x.tile((4096, 1))),
    Case("layer_norm", FEW, lambda x: tg.layer_norm(x, 4), lambda x: torch.nn.functional.layer_norm(x, (4,))),
    Case("std of squares too large", FEW, tg.std, lambda x: x.std(correction=0)),
    Case("norm of squares too large", FEW, tg.norm, lambda x: x.norm()),
]  # fmt: skip


def results(case: Case, dtype: str) -> list[tg.Tensor]:
    """Return a case's value and its gradient, each element of the value weighed by its own number, in a type."""
    x = tg.asarray(case.data, dtype=dtype, requires_grad=True)
    y = case.ours(x)
    return [y.detach(), tg.grad(y, x, weights(y.shape, dtype))]


def weights(shape: tuple[int, ...], dtype: str) -> tg.Tensor:
    """Return numbers that float16 can hold."""
    return tg.asarray(((np.arange(math.prod(shape)) % 4 + 1) / 4).reshape(shape), dtype=dtype)


def assert_near(halves: list[Any], wanted: list[Any]) -> None:
    """Assert that arrays are what float16 can hold of others, but for a few roundings."""
    for half, exact in zip(halves, wanted, strict=True):
        assert half.dtype == "float16"
        np.testing.assert_allclose(half, exact, rtol=4e-3, atol=4e-3 * np.abs(exact).max())


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_halves_are_added_up_as_floats_are(case: Case) -> None:
    assert_near([x.numpy() for x in results(case, "float16")], [x.numpy() for x in results(case, "float64")])


@pytest.mark.peers
@pytest.mark.skipif(torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("case", [case for case in CASES if case.torchs], ids=repr)
def test_halves_are_what_floats_are_in_torch(case: Case) -> None:
    assert case.torchs is not None
    x = torch.tensor(case.data.astype("float64"), requires_grad=True)
    y = case.torchs(x)
    y.backward(torch.tensor(weights(tuple(y.shape), "float64").numpy()))
    assert_near([x.numpy() for x in results(case, "float16")], [y.detach().numpy(), x.grad.numpy()])


def test_arrays_of_halves_are_added_up_as_tensors_are() -> None:
    x = tg.asarray(LONG)
    for op in (tg.sum, tg.logsumexp, tg.norm, tg.std, tg.softmax, tg.cumulative_sum):
        assert op(x.data, axis=0).dtype == "float16"
        assert op(x.data, axis=0).tolist() == op(x, axis=0).tolist()


@pytest.mark.parametrize(
    "loss", [tg.mean, lambda x: tg.mse_loss(x, x.detach() - 0.5), tg.var], ids=["mean", "mse", "var"]
)
def test_means_of_more_than_float16_can_count_have_gradients(loss: Callable[[Any], Any]) -> None:
    x = tg.asarray(np.arange(2.0**17) % 2, dtype="float16", requires_grad=True)
    wide = tg.asarray(np.arange(2.0**17) % 2, requires_grad=True)
    assert tg.grad(loss(x), x).tolist()[:2] == pytest.approx(tg.grad(loss(wide), wide).tolist()[:2], rel=0.01)


def test_recorded_gradients_of_halves_are_added_up_as_floats_are() -> None:
    bias = tg.zeros((2,), dtype="float16", requires_grad=True)
    g = tg.grad(tg.square(tg.asarray(LONG) + bias).sum(), bias, create_graph=True)
    assert g.dtype == "float16"
    np.testing.assert_allclose(g.detach().numpy(), 2 * LONG.sum(axis=0, dtype="float64"), rtol=2e-3)
    assert tg.grad(g.sum(), bias).tolist() == [8192, 8192]
