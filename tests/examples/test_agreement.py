from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from examples import agreement


def test_nets_agree_where_the_nearest_noun_does_not(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = agreement.main(["--quick", "--out", str(tmp_path)])
    assert figures["lstm_0"] > 0.95
    assert figures["gru_1"] > figures["nearest_1"] + 0.5
    assert figures["lstm_1"] > figures["nearest_1"] + 0.5
    assert {path.name for path in tmp_path.iterdir()} == {"accuracy.svg", "course.svg"}
    for path in tmp_path.iterdir():
        ElementTree.parse(path)


@pytest.mark.parametrize("attractors", [0, 1, 4])
def test_a_question_has_its_attractors_between_subject_and_verb(attractors: int) -> None:
    asked = agreement.question(attractors, random.Random(1))
    nouns = [word for word in asked.words[2 : asked.verb] for pair in agreement.NOUNS if word == pair[1 - asked.number]]
    assert len(nouns) == attractors == len(asked.between)
    assert asked.words[1] in [pair[asked.number] for pair in agreement.NOUNS]
    assert asked.words[asked.verb] in [pair[asked.number] for pair in agreement.VERBS]


def test_the_nearest_noun_is_right_without_attractors_and_wrong_with_them() -> None:
    draw = random.Random(0)
    assert agreement.baselines([agreement.question(0, draw) for _ in range(10)]).nearest == 1
    assert agreement.baselines([agreement.question(2, draw) for _ in range(10)]).nearest == 0
