from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from examples import variants


def test_the_kinds_learn_to_name_the_last_capital(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = variants.main(["--quick", "--out", str(tmp_path)])
    for kind in ("lstm", "peepholes", "coupled_gates", "gru"):
        assert figures[f"{kind}_short"] > 0.9
        assert figures[f"{kind}_learned"] < figures["lstm_of_1997_learned"]
    assert figures["latest_letter"] < 0.5
    assert {path.name for path in tmp_path.iterdir()} == {"course.svg"} | {f"{n}.svg" for n in variants.DRAWN.values()}
    for path in tmp_path.iterdir():
        ElementTree.parse(path)


def test_the_last_capital_stays_until_the_next_one() -> None:
    small, question = variants.LETTERS, variants.QUESTION
    symbols = np.array([[small, 2, small + 1, question, 0, question]]).T
    assert variants.last_capitals(symbols)[:, 0].tolist() == [-1, 2, 2, 2, 0, 0]


def test_streams_begin_with_a_capital_so_that_every_question_has_an_answer() -> None:
    heard = variants.streams(np.random.default_rng(0), steps=20, count=50)
    assert heard.symbols.shape == (20, 50)
    assert heard.symbols.max() == variants.QUESTION
    assert heard.last.min() >= 0


def test_naming_the_letter_heard_last_is_right_only_if_it_was_the_capital() -> None:
    small, question = variants.LETTERS, variants.QUESTION
    symbols = np.array([[1, question, small + 2, question, small + 1, question]]).T
    heard = variants.Streams(symbols, variants.last_capitals(symbols))
    assert variants.latest_letter(heard) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", variants.KINDS)
def test_sizes_are_chosen_to_have_about_as_many_parameters(kind: str) -> None:
    wanted = variants.parameters(variants.KINDS["LSTM"], 8)
    layer = variants.KINDS[kind]
    assert abs(variants.parameters(layer, variants.hidden_for(layer, wanted)) - wanted) < 0.05 * wanted
