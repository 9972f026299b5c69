from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from examples import tape_by_hand
from examples.tape_by_hand import Value


def test_the_gradients_are_those_of_the_library(tmp_path: Path) -> None:
    pytest.importorskip("pygraphviz")
    figures = tape_by_hand.main(["--quick", "--out", str(tmp_path)])
    assert set(figures) == {"weight_ih", "weight_hh", "bias_ih", "bias_hh", "x"}
    assert max(figures.values()) < 1e-12
    ElementTree.parse(tmp_path / "tape.svg")


def test_a_value_used_twice_adds_up_its_gradients() -> None:
    x = Value(np.array([[2.0, 3.0]]))
    (x * x + x).sum().backward()
    np.testing.assert_array_equal(x.grad, [[5.0, 7.0]])


def test_gradients_are_summed_over_what_was_broadcast() -> None:
    rows, row = Value(np.ones((4, 3))), Value(np.ones(3))
    (rows * row).sum().backward()
    np.testing.assert_array_equal(row.grad, [4.0, 4.0, 4.0])


def test_a_long_tape_needs_no_recursion() -> None:
    x = total = Value(np.array(1.0))
    for _ in range(20_000):
        total = total + x
    total.backward()
    assert x.grad == 20_001
