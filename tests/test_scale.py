"""Many steps and many sequences: what a step costs is the same at any length, and a sequence is the same in any batch.

Nothing is timed here: nodes and bytes are counted. A plain layer has compiled kernels where there is Numba, one with a
projection has kernels in plain NumPy.
"""

from __future__ import annotations

import contextlib
import gc
import math
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from typing import Any

import pytest

import tinygrad_lstm as tg
from benchmarks.figures import exponent
from tinygrad_lstm import backend, nn
from tinygrad_lstm.backend import xp

KERNEL = [512, 2_048, 8_192]
"""Lengths of sequences for the kernels of a layer, which are the host's."""

COMPOSED = [36, 144, 576]
"""Lengths for layers that go step by step."""

in_one_piece = pytest.mark.skipif(backend.name != "numpy", reason="the kernels are the host's")
every_kernel = pytest.mark.parametrize("options", [{}, {"proj_size": 2}], ids=["plain", "projected"])


def training_step(layer: nn.LSTM, x: tg.Tensor) -> tg.Tensor:
    """Run a layer forward and backward, and return the loss."""
    layer.zero_grad()
    loss = tg.sum(tg.square(layer(x)[0]))
    loss.backward()
    return loss


def checkpointed_step(layer: nn.LSTM, x: tg.Tensor) -> tg.Tensor:
    """Do the same in stretches of about the square root of the length, of which the inputs alone are kept."""

    def stretch(x: tg.Tensor, *state: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor, tg.Tensor]:
        y, (h, c) = layer(x, state or None)
        return tg.sum(tg.square(y)), h, c

    layer.zero_grad()
    length, state, loss = math.isqrt(len(x)), (), 0.0
    for t in range(0, len(x), length):
        part, *state = tg.checkpoint(stretch, x[t : t + length], *state)
        loss = loss + part
    loss.backward()
    return loss


def gradients(layer: nn.LSTM) -> list[Any]:
    """Return copies of a layer's gradients."""
    return [p.grad.numpy().copy() for p in layer.parameters()]


def peak(action: Callable[[], Any]) -> int:
    """Return how many bytes an action holds at its peak, those of arrays among them, beyond what there was."""
    gc.collect()
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def peaks(step: Callable[[nn.LSTM, tg.Tensor], Any], lengths: list[int], **options: int) -> list[int]:
    """Return the peaks of a step of a small LSTM over sequences of some lengths."""
    layer = nn.LSTM(2, 3, **options)
    step(layer, tg.randn(lengths[0], 1, 2))
    inputs = [tg.randn(length, 1, 2) for length in lengths]
    return [peak(lambda x=x: step(layer, x)) for x in inputs]


@contextmanager
def shallow() -> Iterator[None]:
    """Allow but little recursion."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(150)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


# Steps


def nodes_made(length: int, how: AbstractContextManager[None]) -> int:
    """Return how many nodes the outputs of a layer are computed by."""
    layer, seen = nn.LSTM(2, 3), set()
    with how:
        waiting = [layer(tg.randn(length, 1, 2))[0].node]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting.extend(node.parents)
    return len(seen)


def test_a_step_is_as_many_nodes_at_any_length() -> None:
    counts = [nodes_made(length, nn.stepwise()) for length in (10, 100, 1_000)]
    assert (counts[2] - counts[1]) / 900 == (counts[1] - counts[0]) / 90 == pytest.approx(15, abs=2)


@in_one_piece
def test_a_sequence_in_one_piece_is_as_many_nodes_at_any_length() -> None:
    assert len({nodes_made(length, contextlib.nullcontext()) for length in KERNEL}) == 1


@in_one_piece
@every_kernel
@pytest.mark.parametrize("step", [training_step, checkpointed_step])
def test_100_000_steps_are_no_recursion(step: Callable[..., tg.Tensor], options: dict[str, int]) -> None:
    layer, x = nn.LSTM(2, 3, **options), tg.randn(100_000, 1, 2)
    step(layer, x[:1_000])  # what is compiled at first use, with recursion of its own
    with shallow():
        step(layer, x)
    assert all(float(abs(p.grad.data).max()) > 0 for p in layer.parameters())


@in_one_piece
@every_kernel
def test_a_step_takes_as_much_memory_at_any_length(options: dict[str, int]) -> None:
    found = peaks(training_step, KERNEL, **options)
    (few, more, many) = (size / length for size, length in zip(found, KERNEL, strict=True))
    assert many <= 1.05 * more <= 1.2 * few


@in_one_piece
@every_kernel
def test_without_recording_the_gates_of_few_steps_are_in_memory(options: dict[str, int]) -> None:
    layer, x = nn.LSTM(8, 64, **options), tg.randn(8_192, 16, 8)
    with tg.no_grad():
        layer(x[:1])
        taken = peak(lambda: layer(x))
    gates = 4 * 8_192 * 16 * 64 * 4
    assert taken < gates / 1.5


def test_a_composed_step_takes_as_much_memory_at_any_length() -> None:
    with nn.stepwise():
        assert exponent(COMPOSED, peaks(training_step, COMPOSED)) == pytest.approx(1.0, abs=0.05)


@in_one_piece
@every_kernel
def test_memory_in_checkpointed_stretches_grows_as_the_square_root_at_most(options: dict[str, int]) -> None:
    found = peaks(checkpointed_step, KERNEL, **options)
    assert exponent(KERNEL, found) < 0.6


def test_memory_of_composed_steps_in_checkpointed_stretches_grows_as_the_square_root_at_most() -> None:
    with nn.stepwise():
        assert exponent(COMPOSED, peaks(checkpointed_step, COMPOSED)) < 0.6


def test_stretches_give_the_gradients_of_the_whole() -> None:
    layer, x = nn.LSTM(2, 3).to("float64"), tg.randn(50, 2, 2, dtype="float64")
    whole, stretches = ([step(layer, x).item(), *gradients(layer)] for step in (training_step, checkpointed_step))
    for a, b in zip(whole, stretches, strict=True):
        assert b == pytest.approx(a, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("step", [training_step, checkpointed_step])
def test_many_composed_steps_are_no_recursion(step: Callable[..., tg.Tensor]) -> None:
    layer, x = nn.LSTM(2, 3), tg.randn(2_000, 1, 2)
    with shallow(), nn.stepwise():
        loss = step(layer, x)
        del loss
    assert all(float(abs(p.grad.data).max()) > 0 for p in layer.parameters())


# Sequences


BATCHES = [1, 2, 5, 16, 63, 256, 1_024, 1_025, 4_096]
"""Even and uneven: threads, parts and registers have some of the sequences each."""


def values(layer: nn.LSTM, x: tg.Tensor) -> tuple[Any, Any]:
    """Return the outputs and the gradient with respect to the input, as arrays."""
    x = tg.asarray(x, requires_grad=True)
    y = layer(x)[0]
    tg.sum(tg.sin(y)).backward()
    return y.data, x.grad.data


@in_one_piece
@every_kernel
def test_a_sequence_is_the_same_in_any_batch(options: dict[str, int]) -> None:
    layer, x = nn.LSTM(3, 5, **options), tg.randn(4, BATCHES[-1], 3)
    pieces = [values(layer, x[:, b : b + 1]) for b in range(BATCHES[-1])]
    alone = [xp.concatenate(parts, axis=1) for parts in zip(*pieces, strict=True)]
    for B in BATCHES:
        for together, apart in zip(values(layer, x[:, :B]), alone, strict=True):
            assert float(abs(together - apart[:, :B]).max()) < 1e-6


def test_a_sequence_is_the_same_in_any_batch_step_by_step() -> None:
    layer, x = nn.LSTM(3, 5), tg.randn(4, BATCHES[-1], 3)
    with nn.stepwise():
        whole = values(layer, x)
        for first, last in pairwise([0, *BATCHES]):
            for part, all_ in zip(values(layer, x[:, first:last]), whole, strict=True):
                assert float(abs(part - all_[:, first:last]).max()) < 1e-6
