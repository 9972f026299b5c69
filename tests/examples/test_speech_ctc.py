from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from examples import speech_ctc
from examples.speech_ctc import Utterance


def test_the_quick_model_hears_more_than_one_without_memory(tmp_path: Path) -> None:
    figures = speech_ctc.main(["--quick", "--out", str(tmp_path)])
    assert figures["errors_lstm"] < 0.25 < figures["errors_nearest_utterance"]
    assert figures["errors_lstm"] < figures["errors_no_memory"]
    assert {path.name for path in tmp_path.iterdir()} == {"lstm.svg", "no-memory.svg"}
    for path in tmp_path.iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_utterances_differ_in_length_and_stay_the_same_for_a_seed() -> None:
    first, again = speech_ctc.utterances(20, seed=3), speech_ctc.utterances(20, seed=3)
    for one, other in zip(first, again, strict=True):
        assert one.said == other.said
        assert 3 <= len(one.said) <= 6
        np.testing.assert_array_equal(one.heard, other.heard)
        assert one.heard.shape[1] == 20
    assert len({len(each.heard) for each in first}) > 5


def test_label_errors_are_edits_for_each_digit_said() -> None:
    nothing = np.zeros((1, 20), dtype="float32")
    wanted = [Utterance(nothing, "123"), Utterance(nothing, "4")]
    assert speech_ctc.error_rate(["123", "4"], wanted) == 0
    assert speech_ctc.error_rate(["13", "45"], wanted) == 0.5
    assert speech_ctc.error_rate(["", ""], wanted) == 1


def test_the_nearest_utterance_to_one_of_training_is_itself() -> None:
    training = speech_ctc.utterances(10, seed=0)
    assert speech_ctc.nearest(training, training) == [each.said for each in training]
