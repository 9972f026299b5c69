from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from examples import translation
from examples.translation import Pair


def test_the_quick_model_translates_with_attention(tmp_path: Path) -> None:
    figures = translation.main(["--quick", "--out", str(tmp_path)])
    assert figures["exact_with_attention"] > 0.5
    assert figures["exact_without_attention"] < figures["exact_with_attention"] - 0.3
    assert figures["exact_nearest_pair"] == 0
    assert figures["wrong_words_with_attention"] < figures["wrong_words_nearest_pair"]
    assert {path.name for path in tmp_path.iterdir()} == {"attention.svg", "lengths.svg"}
    for path in tmp_path.iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("number", "german", "english"),
    [
        (1, "eins", "one"),
        (21, "einundzwanzig", "twenty one"),
        (100, "einhundert", "one hundred"),
        (101, "einhunderteins", "one hundred and one"),
        (1001, "eintausendeins", "one thousand and one"),
        (1100, "eintausendeinhundert", "one thousand one hundred"),
        (16_017, "sechzehntausendsiebzehn", "sixteen thousand and seventeen"),
        (101_000, "einhunderteintausend", "one hundred and one thousand"),
        (
            654_321,
            "sechshundertvierundfünfzigtausenddreihunderteinundzwanzig",
            "six hundred and fifty four thousand three hundred and twenty one",
        ),
    ],
)
def test_numbers_in_words(number: int, german: str, english: str) -> None:
    assert translation.german(number) == german
    assert " ".join(translation.english(number)) == english


def test_no_two_numbers_are_the_same_word() -> None:
    assert len({translation.german(n) for n in range(1, 12_000)}) == 11_999
    assert len({tuple(translation.english(n)) for n in range(1, 12_000)}) == 11_999


def test_held_out_numbers_are_not_among_those_to_learn_from() -> None:
    training, heldout = translation.pairs(200, heldout=50, seed=0)
    assert (len(training), len(heldout)) == (200, 50)
    numbers = [pair.number for pair in training + heldout]
    assert len(set(numbers)) == 250
    assert not set(numbers) & set(translation.SHOWN)


def test_edit_distances() -> None:
    others = ["kitten", "sitting", "", "saturday", "kitten"]
    assert translation.distances("kitten", others).tolist() == [0, 3, 6, 7, 0]
    assert translation.distances("sunday", others)[3] == 3


def test_wrong_words_are_counted_by_edits() -> None:
    wanted = [Pair(21, "einundzwanzig", ["twenty", "one"]), Pair(7, "sieben", ["seven"])]
    found = [["twenty"], ["seven"]]
    assert translation.wrong_words(found, wanted) == pytest.approx(1 / 3)
    assert translation.exact(found, wanted) == 0.5


def test_attention_is_spread_over_the_letters_that_there_are() -> None:
    words = ["eins", "siebzehn"]
    _, attention = translation.translate(translation.Translator(attention=True), words, longest=3)
    assert attention is not None
    assert attention.shape == (3, 2, 8)
    np.testing.assert_allclose(attention.sum(axis=-1), 1, rtol=1e-5)
    assert np.all(attention[:, 0, 4:] == 0)
