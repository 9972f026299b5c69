from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from examples import captioning
from examples.captioning import Thing


def test_the_quick_model_describes_better_than_the_nearest_scene(tmp_path: Path) -> None:
    figures = captioning.main(["--quick", "--out", str(tmp_path)])
    assert figures["bleu_model"] > figures["bleu_nearest"] > figures["bleu_most_frequent"]
    assert figures["exact_model"] > figures["exact_most_frequent"]
    assert {path.name for path in tmp_path.iterdir()} == {"captions.svg", "attention.svg"}
    for path in tmp_path.iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_the_left_or_upper_thing_is_named_first() -> None:
    red, blue = Thing("red", "circle", 3, 4, 2), Thing("blue", "square", 12, 5, 3)
    assert " ".join(captioning.caption(blue, red)) == "a red circle left of a blue square"
    assert captioning.caption(red, blue) == captioning.caption(blue, red)
    low = Thing("green", "cross", 4, 12, 2)
    assert " ".join(captioning.caption(low, red)) == "a red circle above a green cross"


def test_scenes_show_two_things_apart_and_keep_what_is_unseen_out() -> None:
    for unseen in (False, True):
        for each in captioning.scenes(50, seed=0, unseen=unseen):
            assert each.picture.shape == (3, 16, 16)
            words = [word for word in each.caption if word not in ("a", "left", "of", "above")]
            things = {(words[0], words[1]), (words[2], words[3])}
            assert bool(things & captioning.UNSEEN) == unseen


@pytest.mark.parametrize("shape", captioning.SHAPES)
def test_shapes_differ_and_stay_within_their_reach(shape: str) -> None:
    covered = captioning.covered(Thing("red", shape, 8, 8, 3))
    rows, columns = np.nonzero(covered)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 11, 5, 11) or shape in ("square", "triangle")
    assert all(
        (covered != captioning.covered(Thing("red", other, 8, 8, 3))).sum() > 5
        for other in captioning.SHAPES
        if other != shape
    )


def test_bleu_of_perfect_short_and_unlike_captions() -> None:
    right = ["a", "red", "circle", "left", "of", "a", "blue", "square"]
    assert captioning.bleu([right], [right]) == 1
    assert captioning.bleu([right[:6]], [right]) == pytest.approx(np.exp(1 - 8 / 6))
    assert captioning.bleu([["white"] * 8], [right]) == 0
    assert captioning.bleu([["a"] * 8], [right], longest=1) == 0.25
