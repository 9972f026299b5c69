from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from examples import short_gaps


def test_sentences_end_with_the_place_of_their_thing_and_no_two_are_alike() -> None:
    made = short_gaps.sentences()
    assert len({tuple(sentence) for sentence in made}) == len(made)
    for sentence in made:
        (thing,) = set(sentence) & set(short_gaps.THINGS[sentence[-1]])
        assert 4 <= len(sentence) - sentence.index(thing) - 1 <= 5


def test_a_bigram_knows_the_word_that_follows_most_often() -> None:
    follows = short_gaps.bigram([["a", "b"], ["a", "c"], ["a", "c"], ["b", "a"]])
    assert follows == {"a": "c", "b": "a"}


def test_the_rnn_tells_what_the_baselines_cannot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = short_gaps.main(["--quick", "--out", str(tmp_path)])
    assert figures["RNN"] > 0.9
    assert figures["bigram"] < 0.4
    assert figures["most frequent place"] < 0.4
    assert ElementTree.parse(tmp_path / "clouds.svg").getroot().tag.endswith("svg")
