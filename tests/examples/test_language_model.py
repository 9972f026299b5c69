from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("matplotlib")

import tinygrad_lstm as tg
from examples import language_model
from tinygrad_lstm import charlm, data


def test_the_quick_model_beats_what_counts_pairs(tmp_path: Path) -> None:
    figures = language_model.main(["--quick", "--out", str(tmp_path)])
    assert figures["lstm"] < figures["bigram"] - 0.3 < figures["uniform"] - 3
    assert {path.name for path in tmp_path.iterdir()} == {"training.svg", "surprises.svg"}
    for path in tmp_path.iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_figures_are_those_of_the_demo() -> None:
    training, heldout = language_model.split("the cat sat on the mat. " * 40)
    assert (training, heldout) == charlm.split(training + heldout)
    ours = language_model.bigram_bits(training, heldout, 12)
    assert ours == pytest.approx(charlm.bigram_bits(training, heldout, 12))


def test_a_model_that_knows_nothing_needs_uniform_bits() -> None:
    model = language_model.LanguageModel(8, embedding=2, hidden=3)
    for weight in model.parameters():
        weight.assign_(tg.zeros_like(weight))
    assert language_model.bits_per_character(model, tg.arange(300) % 8) == pytest.approx(3)


def test_surprises_and_samples_fit_the_text() -> None:
    vocabulary = data.Vocabulary("abc")
    model = language_model.LanguageModel(3, embedding=2, hidden=3)
    bits = language_model.surprises(model, vocabulary, "abcab")
    assert len(bits) == 4
    assert all(0 < bit < 5 * math.log2(3) for bit in bits)
    written = language_model.write(model, vocabulary, "ab", 10, temperature=1.0, seed=0)
    assert written.startswith("ab")
    assert len(written) == 12
    assert written == language_model.write(model, vocabulary, "ab", 10, temperature=1.0, seed=0)
