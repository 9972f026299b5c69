from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("aeon", reason="the recordings are in aeon, the extra speech")

from examples import speech


def test_the_quick_model_recognises_speakers_better_than_their_neighbours_do(tmp_path: Path) -> None:
    figures = speech.main(["--quick", "--out", str(tmp_path)])
    assert figures["lstm"] > 0.95
    assert figures["lstm"] > figures["nearest_utterance"] > 0.9
    assert figures["lstm"] > figures["nearest_mean"] > 0.9
    assert {path.name for path in tmp_path.iterdir()} == {"confusions.svg", "moments.svg"}
    for path in tmp_path.iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_all_recordings_are_there() -> None:
    training, heldout = speech.utterances("TRAIN"), speech.utterances("TEST")
    assert np.bincount([each.speaker for each in training]).tolist() == [30] * 9
    assert len(heldout) == 370
    lengths = [len(each.heard) for each in training + heldout]
    assert (min(lengths), max(lengths)) == (7, 29)
    assert all(each.heard.shape[1] == 12 for each in training + heldout)


def test_neighbours_of_what_is_known_are_found() -> None:
    training = speech.utterances("TRAIN")
    spoke = [each.speaker for each in training]
    assert speech.nearest_utterance(training, training).tolist() == spoke
    assert np.mean(speech.nearest_mean(training, training) == spoke) > 0.9
