"""What all tests share: Hypothesis' profiles, the seed, and a count of work over the stand-in for CuPy."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

import tinygrad_lstm as tg
from tinygrad_lstm.backend import xp

settings.register_profile("default", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=300)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Start every test from the same random numbers."""
    tg.manual_seed(0)


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
