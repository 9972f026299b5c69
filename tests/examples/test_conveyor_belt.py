from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lstm as tg
from examples import conveyor_belt
from examples.long_gaps import COUNTRIES, LANGUAGES, NAME, Reader, batch, story


@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_steps_compute_what_the_layer_does_whatever_is_cut(kind: str) -> None:
    model = Reader(kind, hidden=5)
    words, _ = batch(4, 3, random.Random(0))
    outputs, *_ = model.recurrent(model.embedding(words))
    for cut in ("", "h", "c"):
        steps = conveyor_belt.read(model, words, cut)
        h = tg.stack([step["h"] for step in steps])
        np.testing.assert_allclose(h.detach().numpy(), outputs.detach().numpy(), atol=1e-5)


def test_along_the_belt_alone_the_gradient_is_the_product_of_the_forget_gates() -> None:
    model = Reader("LSTM", hidden=5)
    found, steps = conveyor_belt.gradients(model, "c", gap=6, texts=2, cut="h")
    said = conveyor_belt.along_the_gates(found[-1], steps)
    assert len(found) == len(said) == 15
    for measured, product in zip(found, said, strict=True):
        np.testing.assert_allclose(measured.numpy(), product.numpy(), rtol=1e-4)


def test_the_gradient_of_an_rnn_is_the_product_of_its_matrices() -> None:
    model = Reader("RNN", hidden=5)
    found, steps = conveyor_belt.gradients(model, "h", gap=6, texts=2)
    said = conveyor_belt.through_the_matrices(found[-1], steps, model.recurrent.weight_hh_l0)
    for measured, product in zip(found, said, strict=True):
        np.testing.assert_allclose(measured.numpy(), product.numpy(), rtol=1e-3, atol=1e-9)


def test_what_is_left_is_measured_from_the_end() -> None:
    assert conveyor_belt.left_over([tg.asarray([[3.0, 4.0]]), tg.asarray([[0.0, 10.0]])]) == [0.5, 1.0]


def test_a_moved_story_is_the_same_but_for_the_country_and_the_language() -> None:
    text = story(9, random.Random(0))
    for country in COUNTRIES:
        other = conveyor_belt.moved(text, country)
        assert (other[NAME], other[-1]) == (country, LANGUAGES[country])
        assert conveyor_belt.moved(other, text[NAME]) == text


def test_the_answer_is_on_the_belt_and_its_gradient_comes_along_it(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pygraphviz")
    figures = conveyor_belt.main(["--quick", "--out", str(tmp_path)])
    assert figures["LSTM, right"] > 0.9
    assert figures["the other answer with the other c"] > 0.9
    assert figures["the other answer with the other h"] < 0.1
    assert figures["LSTM, dL/dc"] > 0.1
    assert figures["LSTM, dL/dh through h alone"] < 1e-6
    for name in ("belt", "gradients", "steps"):
        assert ElementTree.parse(tmp_path / f"{name}.svg").getroot().tag.endswith("svg")
