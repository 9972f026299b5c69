"""What tests share: Hypothesis' profiles, the seed, pictures, and what a device or its stand-in counts."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, settings

import tinygrad_lstm as tg
from tinygrad_lstm import backend
from tinygrad_lstm.backend import xp
from tinygrad_lstm.graph.output import render as rendering

settings.register_profile("default", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=300)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


TESTS = Path(__file__).parent

ONCE = {
    TESTS / name
    for name in (
        "examples", "test_architecture.py", "test_docstrings.py", "test_graph_highlight.py", "test_graph_lanes.py",
        "test_graph_levels.py", "test_graph_output.py", "test_names.py", "test_notebooks.py", "test_reference.py",
    )
}  # fmt: skip
"""What is the same wherever arrays live, and marked ``once``: pictures, except that a tape is read and values come from
the device; programs made of public names; and what the documents and the rooms say."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what need not be run over the stand-in for CuPy as well."""
    for item in items:
        if not ONCE.isdisjoint((item.path, item.path.parent)):
            item.add_marker(pytest.mark.once)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Start every test from the same random numbers."""
    tg.manual_seed(0)


@pytest.fixture(autouse=True)
def remarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return what Graphviz remarks, which it prints and goes on; fail a test in which any of it is left."""
    remarked: list[str] = []
    pass_on = rendering.pass_on

    def note(remark: str) -> None:
        remarked.append(remark)
        pass_on(remark)

    monkeypatch.setattr(rendering, "pass_on", note)
    yield remarked
    assert not remarked


@pytest.fixture
def svg() -> Callable[[str], ElementTree.Element]:
    """Return a function that draws DOT as SVG and parses it, where there is a Graphviz."""
    if shutil.which("dot") is None:
        pytest.importorskip("pygraphviz")
    return lambda text: ElementTree.fromstring(rendering.render(text, "svg"))


@pytest.fixture
def elements_written() -> Callable[[Callable[[], object]], int]:
    """Return a function that counts the elements which an action writes, over the backend that can count them."""
    if not hasattr(xp, "work"):
        pytest.skip("only the stand-in for CuPy counts work")

    def count(action: Callable[[], object]) -> int:
        before = xp.work.elements
        action()
        return int(xp.work.elements - before)

    return count


class Traffic(NamedTuple):
    """How often something went from the host to the device, and how often the host waited for the device."""

    sent: int
    waited: int


@pytest.fixture
def traffic() -> Callable[[Callable[[], object]], Traffic]:
    """Return a function that counts the traffic of an action, over the backend that can count it."""
    if not hasattr(xp, "work"):
        pytest.skip("only the stand-in for CuPy counts transfers")

    def count(action: Callable[[], object]) -> Traffic:
        sent, waited = xp.work.sent, xp.work.waited
        action()
        return Traffic(xp.work.sent - sent, xp.work.waited - waited)

    return count


@pytest.fixture
def host_waits() -> Callable[[Callable[[], object]], bool]:
    """Return a function that tells whether an action makes the host wait for the GPU, on a machine that has one.

    The GPU is kept busy until the action is over: if it is no longer busy then, somebody has waited. An action may
    start a few hundred kernels; CUDA makes the host wait when about a thousand are in line.
    """
    if backend.name != "cupy" or hasattr(xp, "work"):
        pytest.skip("there is no GPU")

    def waits(action: Callable[[], object]) -> bool:
        over = threading.Event()
        stream = xp.cuda.get_current_stream()
        stream.synchronize()
        stream.launch_host_func(lambda _: over.wait(10), None)
        idle = stream.record()
        action()
        waited = bool(idle.done)
        over.set()
        stream.synchronize()
        return waited

    return waits


@pytest.fixture
def pool() -> Iterator[Any]:
    """Return the memory of the device, or of its stand-in, with all that nobody uses given back."""
    if backend.name != "cupy":
        pytest.skip("NumPy does not count memory")
    memory = xp.get_default_memory_pool()
    memory.free_all_blocks()
    yield memory
    memory.set_limit(size=0)
