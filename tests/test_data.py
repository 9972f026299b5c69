"""Texts, characters and streams: nothing is lost, and every target is the next character."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lstm as tg
from tinygrad_lstm.data import TextError, Vocabulary, python_topics, read_text, windows


@given(length=st.integers(2, 60), batch=st.integers(1, 7), steps=st.integers(1, 9))
def test_windows_hold_every_pair_once_and_go_on_where_they_ended(length: int, batch: int, steps: int) -> None:
    if length <= batch:
        return
    streams: list[list[tuple[int, int]]] = [[] for _ in range(batch)]
    parts = list(windows(tg.arange(length), batch, steps))
    for inputs, targets in parts:
        assert inputs.shape == targets.shape == (len(inputs), batch)
        for stream, xs, ys in zip(streams, inputs.T.tolist(), targets.T.tolist(), strict=True):
            stream.extend(zip(xs, ys, strict=True))
    assert all(len(inputs) == steps for inputs, _ in parts[:-1])
    seen = [pair for stream in streams for pair in stream]
    assert seen == list(pairwise(range(len(seen) + 1)))
    assert length - 1 - len(seen) < batch


def test_windows_need_a_character_for_each_stream() -> None:
    with pytest.raises(TextError, match=r"a text of 4 characters is too short for a batch of 4: it needs 5 or more"):
        windows(tg.arange(4), 4, 3)


def test_a_text_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "text"
    for text in ("one\r\ntwo\n\rthree\x00\x0c", "\ufeffmark", "日本 é 🙂\n", ""):
        path.write_bytes(text.encode())
        assert read_text(path) == text


def test_a_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin"
    path.write_bytes("caf\xe9".encode("latin-1"))
    with pytest.raises(TextError, match=r"latin is not UTF-8: byte 3 is 0xe9"):
        read_text(path)


def test_the_topics_of_python_are_the_same_text_every_time() -> None:
    text = python_topics()
    assert text == python_topics()
    assert len(text) > 100_000
    assert "yield" in text[len(text) * 9 // 10 :]  # alphabetical order


@given(st.text(min_size=1))
def test_characters_become_numbers_and_come_back(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    numbers = vocabulary.encode(text)
    assert vocabulary.decode(numbers.tolist()) == text
    assert sorted(set(numbers.tolist())) == list(range(len(vocabulary)))


def test_no_text_is_no_numbers() -> None:
    assert Vocabulary("ab").encode("").tolist() == []


def test_unknown_characters_are_named() -> None:
    with pytest.raises(TextError, match=r"outside the vocabulary of 3: '\?' 'é'\.$"):
        Vocabulary("abc").encode("aéb?é")
    with pytest.raises(TextError, match=r"'s' 't' and 6 more\.$"):
        Vocabulary("?").encode("abcdefghijklmnopqrstuvwxyz")


def test_a_vocabulary_has_each_character_once() -> None:
    with pytest.raises(TextError, match="each character once"):
        Vocabulary("aba")
