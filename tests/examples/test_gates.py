from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lstm as tg
from examples import gates

PICTURES = {f"{part}{kind}.svg" for part in gates.PARTS for kind in ("", "-activations")} | {"subject.svg"}


def test_a_net_knows_who_the_story_is_about_and_forgets_her_when_he_comes(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = gates.main(["--quick", "--out", str(tmp_path)])
    assert figures["accuracy"] > 0.95 > figures["baseline"]
    assert figures["forget_new"] < 0.5 * figures["forget_other"]
    assert figures["accuracy_held_open"] < figures["accuracy_changed"]
    assert {path.name for path in tmp_path.iterdir()} == PICTURES
    for path in tmp_path.iterdir():
        ElementTree.parse(path)


def test_a_story_has_pronouns_of_its_subjects_gender() -> None:
    words, genders = gates.story(random.Random(0), 200)
    assert len(words) == len(genders) == 200 * gates.LENGTH
    for word, gender in zip(words, genders, strict=True):
        assert word not in (gates.PRONOUNS[1 - gender], gates.POSSESSIVES[1 - gender])
    assert set(genders) == {0, 1}


def test_the_gates_by_hand_are_those_of_the_layer() -> None:
    model = gates.Storyteller(hidden=5)
    told = gates.stories(random.Random(0), count=3, sentences=2)
    by_hand = gates.Gates(model.lstm).read(model.embedding(tg.asarray(told.words)).detach())
    np.testing.assert_allclose(by_hand.numpy(), gates.recorded(model, told)["h"], atol=1e-5)


def test_a_part_of_a_picture_is_lit_and_the_rest_pale(tmp_path: Path) -> None:
    pytest.importorskip("pygraphviz")
    gates.draw_parts(gates.Storyteller(hidden=3), tmp_path)
    for part, gate in {"forget": "f₁", "input": "i₁", "output": "o₁"}.items():
        marks = ElementTree.parse(tmp_path / f"{part}.svg").iterfind(".//{*}g[@class]")
        clear = [
            mark for mark in marks if mark.attrib["class"].startswith("node op") and "pale" not in mark.attrib["class"]
        ]
        lit = {mark.findtext(".//{*}title", "").split("\n")[0] for mark in clear}
        assert lit & {"f₁", "i₁", "o₁"} == {gate}
