from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import tinygrad_lstm as tg
from examples import long_gaps


@pytest.mark.parametrize("gap", [2, 3, 9, 50, 201])
def test_a_story_has_as_many_words_between_as_it_was_asked_for_and_ends_with_the_language(gap: int) -> None:
    words = long_gaps.story(gap, random.Random(gap))
    assert len(words) == gap + 10
    assert words[:4] == ["I", "grew", "up", "in"]
    assert words[-4:] == ["I", "speak", "fluent", long_gaps.LANGUAGES[words[long_gaps.NAME]]]
    assert words[-5] == "."


def test_what_stands_between_says_nothing_about_the_answer() -> None:
    between = " ".join(word for seed in range(50) for word in long_gaps.other_text(30, random.Random(seed)))
    assert not {*between.split()} & {*long_gaps.LANGUAGES, *long_gaps.LANGUAGES.values()}


def test_a_batch_is_the_words_and_those_that_follow() -> None:
    words, following = long_gaps.batch(4, 3, random.Random(0))
    assert words.shape == following.shape == (13, 3)
    assert tg.all(words[1:] == following[:-1])


def test_the_gap_grows_when_the_longest_is_mastered_and_not_before() -> None:
    curriculum = long_gaps.Curriculum(4, mixed=False)
    for _ in range(50):
        curriculum.note(2, 0.5)
    assert curriculum.gap == 2
    for _ in range(60):
        curriculum.note(curriculum.gap, 1.0)
    assert curriculum.gap == 4


def test_less_of_the_gradient_arrives_from_further_away() -> None:
    tg.manual_seed(0)
    model = long_gaps.Reader("RNN", 32)
    near, far = (long_gaps.gradient_that_arrives(model, gap, texts=5) for gap in (2, 50))
    assert near > 1000 * far > 0


def test_the_lstm_outlasts_the_rnn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = long_gaps.main(["--quick", "--nets", "RNN", "LSTM", "--out", str(tmp_path)])
    assert figures["LSTM accuracy"] > 0.9
    assert figures["RNN accuracy"] < 0.5
    assert figures["LSTM gap"] == 20 > figures["RNN gap"]
    for name in ("accuracy", "gradients", "progress"):
        assert ElementTree.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")
