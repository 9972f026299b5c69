"""Long graphs: no recursion, work in proportion to the length, and memory that goes when the result goes.

Nothing is timed here. Work is counted: calls of functions, and elements written where the backend counts them.
"""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend, nn


def unrolled(steps: int) -> tuple[nn.LSTM, tg.Tensor]:
    """Return a small LSTM and its loss over a sequence; each row of the sequence requires a gradient too."""
    layer = nn.LSTM(2, 3)
    x = tg.randn(steps, 1, 2, requires_grad=True)
    return layer, tg.sum(tg.square(layer(x)[0]))


def calls_made(action: Callable[[], Any]) -> int:
    """Return how many functions the interpreter called, Python's and C's."""
    count = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def test_an_lstm_over_5_000_steps_is_differentiated_without_recursion() -> None:
    layer, loss = unrolled(5_000)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(150)
    try:
        loss.backward()
    finally:
        sys.setrecursionlimit(limit)
    assert all(float(abs(p.grad.data).max()) > 0 for p in layer.parameters())


def test_a_chain_of_100_000_nodes_is_differentiated_and_freed() -> None:
    x = tg.asarray(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + x
    y.backward()
    assert x.grad.item() == 100_001
    del y


@pytest.mark.parametrize("part", ["forward", "backward"])
def test_calls_grow_with_the_length_alone(part: str) -> None:
    counts = []
    part_of_kernels = 1024 if backend.name == "numpy" else 128  # so long are the parts in which kernels take a sequence
    unrolled(part_of_kernels)[1].backward()  # what is done the first time alone is not counted
    for steps in (part_of_kernels, 2 * part_of_kernels, 4 * part_of_kernels):
        if part == "forward":
            counts.append(calls_made(lambda steps=steps: unrolled(steps)))
        else:
            _, loss = unrolled(steps)
            counts.append(calls_made(loss.backward))
    assert (counts[2] - counts[1]) == pytest.approx(2 * (counts[1] - counts[0]), rel=0.02)


def test_elements_written_grow_with_the_length_alone(elements_written: Callable[[Callable[[], object]], int]) -> None:
    counts = []
    for steps in (200, 400, 800):
        _, loss = unrolled(steps)
        counts.append(elements_written(loss.backward))
    assert (counts[2] - counts[1]) == pytest.approx(2 * (counts[1] - counts[0]), rel=0.02)


def test_rows_taken_one_by_one_write_each_element_once(elements_written: Callable[[Callable[[], object]], int]) -> None:
    x = tg.randn(400, 5, requires_grad=True)
    total = sum((tg.sum(x[t]) for t in range(400)), start=tg.zeros(()))
    assert elements_written(total.backward) < 10 * x.size


def test_a_graph_is_freed_by_reference_counts_alone() -> None:
    gc.collect()
    gc.disable()
    try:
        _, loss = unrolled(50)
        inner = weakref.ref(loss.node)
        oldest = weakref.ref(loss.node.parents[0].parents[0].parents[0])
        loss.backward()
        assert inner() is not None
        assert oldest() is not None
        del loss
        assert inner() is None
        assert oldest() is None
    finally:
        gc.enable()


def test_a_sweep_lets_go_of_what_nodes_saved() -> None:
    x = tg.randn(1000, requires_grad=True)
    y = tg.exp(x)
    saved = weakref.ref(y.data)
    loss = tg.sum(y)
    del y
    assert saved() is not None
    loss.backward()
    assert saved() is None
    assert loss.item() > 0


def test_a_training_step_takes_no_fresh_memory_from_the_system() -> None:
    if backend.name != "numpy" or platform.libc_ver()[0] != "glibc":
        pytest.skip("it is glibc that is told to keep freed memory")
    program = """
import resource, tinygrad_lstm as tg
layer, x = tg.nn.LSTM(64, 128), tg.randn(64, 32, 64)
def step():
    layer.zero_grad()
    tg.mean(tg.square(layer(x)[0])).backward()
for _ in range(5):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10)
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert float(run.stdout) < 200  # about 1,900 pages when glibc goes by its own rule
