"""Data: nothing is lost on the way into streams, sequences, parts and batches; a seed says where each thing goes."""

from __future__ import annotations

import contextlib
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_lstm as tg
from tinygrad_lstm.data import (
    Minibatches,
    Progress,
    TextError,
    Vocabulary,
    length_mask,
    pad_sequence,
    python_topics,
    random_split,
    read_text,
    sequence_lengths,
    windows,
)

# Streams


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


@pytest.mark.parametrize(("batch", "steps", "name"), [(0, 3, "batch"), (-1, 3, "batch"), (2, 0, "steps")])
def test_windows_have_streams_and_steps(batch: int, steps: int, name: str) -> None:
    with pytest.raises(ValueError, match=rf"windows: got {name} = (0|-1), wanted at least 1\."):
        windows(tg.arange(9), batch, steps)


# Texts


@pytest.mark.parametrize("number", [-1, 3])
def test_a_number_without_a_character_is_told(number: int) -> None:
    with pytest.raises(IndexError, match=rf"decode: got {number}, wanted numbers from 0 to 2\."):
        Vocabulary("abc").decode([0, number])


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


# Sequences

LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=6)


def sequences(lengths: list[int], dtype: str = "float32") -> list[tg.Tensor]:
    """Return a sequence of two features for each length, every number another."""
    numbers = iter(range(1, 1000))
    return [tg.asarray([[next(numbers), next(numbers)] for _ in range(n)], dtype=dtype).reshape(n, 2) for n in lengths]


@given(lengths=LENGTHS, batch_first=st.booleans(), dtype=st.sampled_from(["float32", "float64", "int64", "bool"]))
def test_padding_keeps_every_sequence_and_its_type(lengths: list[int], batch_first: bool, dtype: str) -> None:
    parts = sequences(lengths, dtype)
    padded = pad_sequence(parts, batch_first=batch_first)
    assert padded.shape == ((len(lengths), max(lengths), 2) if batch_first else (max(lengths), len(lengths), 2))
    assert padded.dtype == dtype
    rows = padded if batch_first else tg.permute_dims(padded, (1, 0, 2))
    mask = length_mask(sequence_lengths(parts), batch_first=True)
    assert sequence_lengths(parts).tolist() == lengths == mask.sum(axis=1).tolist()
    for row, part, own in zip(rows, parts, mask, strict=True):
        assert row[own].tolist() == part.tolist()
        assert row[~own].sum() == 0


@given(lengths=LENGTHS, batch_first=st.booleans())
@pytest.mark.peers
def test_padding_is_that_of_pytorch(lengths: list[int], batch_first: bool) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    parts = [part.numpy() for part in sequences(lengths)]
    ours = pad_sequence(parts, batch_first=batch_first, padding_value=-1.5)
    theirs = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(part) for part in parts], batch_first=batch_first, padding_value=-1.5
    )
    assert np.array_equal(ours.numpy(), theirs.numpy())


def test_gradients_go_back_to_the_sequences_alone() -> None:
    parts = [part.detach() for part in sequences([3, 1, 2])]
    for part in parts:
        part.requires_grad = True
    weight = tg.arange(18).reshape(3, 3, 2)
    (pad_sequence(parts, padding_value=7.0) * weight).sum().backward()
    grads = [part.grad for part in parts]
    assert all(grad is not None for grad in grads)
    assert [grad.tolist() for grad in grads if grad is not None] == [
        [[0, 1], [6, 7], [12, 13]], [[2, 3]], [[4, 5], [10, 11]]
    ]  # fmt: skip


def test_padding_is_one_node_however_many_the_sequences() -> None:
    parts = [tg.asarray(part.detach(), requires_grad=True) for part in sequences([3, 1, 2])]
    with tg.Tape() as tape:
        pad_sequence(parts)
    assert [entry.node.name for entry in tape] == ["pad_sequence"]


def test_lists_are_padded_as_tensors_are() -> None:
    assert pad_sequence([[1], [2, 3]], padding_value=9.0).tolist() == [[1, 2], [9, 3]]
    assert pad_sequence([[0.5], [1.5, 2.5]]).dtype == "float32"


def test_a_mask_may_be_longer_than_the_longest_sequence() -> None:
    assert length_mask([2, 0], 3).tolist() == [[True, False], [True, False], [False, False]]
    assert length_mask(tg.asarray([2, 0]), batch_first=True).tolist() == [[True, True], [False, False]]
    assert length_mask([]).shape == (0, 0)


def test_sequences_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^pad_sequence: got no sequences"):
        pad_sequence([])
    with pytest.raises(ValueError, match=r"^pad_sequence: got sequences of shapes \(2, 3\) and \(2, 4\), wanted"):
        pad_sequence([tg.ones((2, 3)), tg.ones((2, 4))])
    with pytest.raises(ValueError, match=r"shapes \(\) and \(\), wanted shapes \(T, ...\)"):
        pad_sequence([tg.asarray(1.0)])
    with pytest.raises(TypeError, match=r"^pad_sequence: got padding_value=0.5 for elements of int64"):
        pad_sequence([[1], [2, 3]], padding_value=0.5)
    with pytest.raises(ValueError, match=r"^length_mask: got lengths of shape \(1, 2\), wanted \(B,\)"):
        length_mask([[1, 2]])
    with pytest.raises(TypeError, match=r"^length_mask: got lengths of float32, wanted integers"):
        length_mask(tg.asarray([1.0]))


# Parts


@given(count=st.integers(0, 40), cuts=st.lists(st.integers(0, 40), max_size=4), seed=st.integers(0, 3))
def test_every_example_is_in_one_part(count: int, cuts: list[int], seed: int) -> None:
    borders = [0, *sorted(min(cut, count) for cut in cuts), count]
    counts = [end - start for start, end in pairwise(borders)]
    parts = random_split(range(count), counts, seed=seed)
    assert [len(part) for part in parts] == counts
    assert sorted(number for part in parts for number in part) == list(range(count))
    assert parts == random_split(range(count), counts, seed=seed)


def test_fractions_are_rounded_down_and_the_rest_goes_to_the_first() -> None:
    for count, fractions, counts in (
        (10, [0.8, 0.1, 0.1], [8, 1, 1]),
        (11, [0.5, 0.5], [6, 5]),
        (13, [0.3, 0.3, 0.4], [4, 4, 5]),
        (100, [0.7, 0.29, 0.01], [70, 29, 1]),
        (5, [1, 0.0], [5, 0]),
        (0, [0.5, 0.5], [0, 0]),
    ):
        assert [len(part) for part in random_split(range(count), fractions, seed=0)] == counts


def test_a_seed_says_which_part_on_every_backend() -> None:
    assert random_split("abcdefgh", [np.float32(0.75), np.float32(0.25)], seed=1) == random_split(
        "abcdefgh", [6, 2], seed=1
    )
    assert random_split("abcdefgh", [5, 3], seed=1) == [["f", "a", "b", "e", "c"], ["g", "d", "h"]]
    assert random_split("abcdefgh", [5, 3], seed=2) != random_split("abcdefgh", [5, 3], seed=1)


def test_lengths_that_do_not_add_up_are_refused() -> None:
    for lengths, message in (
        ([3, 3], r"got counts \[3, 3\], wanted ones that add up to 7"),
        ([0.5, 0.4], r"got fractions \[0.5, 0.4\], wanted ones that add up to 1"),
        ([8, -1], r"wanted none below 0"),
        ([], r"got counts \[\]"),
    ):
        with pytest.raises(ValueError, match=r"^random_split: .*" + message):
            random_split(range(7), lengths, seed=0)


# Batches


@given(
    count=st.integers(0, 30),
    size=st.integers(1, 8),
    seed=st.none() | st.integers(0, 3),
    by_length=st.booleans(),
    drop_last=st.booleans(),
)
def test_every_example_is_in_one_batch(
    count: int, size: int, seed: int | None, by_length: bool, drop_last: bool
) -> None:
    length = (lambda number: number * 7 % 5) if by_length else None
    batches = Minibatches(range(count), size, seed=seed, length=length, drop_last=drop_last)
    seen = list(batches)
    assert seen == list(batches) == list(Minibatches(range(count), size, seed=seed, length=length, drop_last=drop_last))
    assert len(seen) == len(batches) == (count // size if drop_last else -(-count // size))
    numbers = [number for batch in seen for number in batch]
    assert len(set(numbers)) == len(numbers) == (count - count % size if drop_last else count)
    if drop_last:
        assert all(len(batch) == size for batch in seen)
    elif not by_length or seed is None:
        assert all(len(batch) == size for batch in seen[:-1])
    if seed is None and not by_length:
        assert numbers == list(range(len(numbers)))


def test_a_seed_says_the_batches_on_every_backend() -> None:
    assert list(Minibatches(range(7), 3, seed=0)) == [[2, 4, 3], [6, 5, 0], [1]]
    assert list(Minibatches(range(7), 3, seed=1)) != list(Minibatches(range(7), 3, seed=0))
    before = tg.rand(3).tolist()
    tg.manual_seed(0)
    list(Minibatches(range(7), 3, seed=1))
    assert tg.rand(3).tolist() == before  # a generator of its own


def test_batches_by_length_hold_neighbours_in_any_order() -> None:
    lengths = [number * 37 % 100 for number in range(100)]
    batches = list(Minibatches(range(100), 10, seed=0, length=lengths.__getitem__))
    ranges = [sorted(lengths[number] for number in batch) for batch in batches]
    assert sorted(ranges) == [list(range(start, start + 10)) for start in range(0, 100, 10)]
    assert ranges != sorted(ranges)


def test_long_datasets_are_sorted_run_by_run() -> None:
    batches = list(Minibatches(range(1000), 2, seed=0, length=lambda number: number))
    again = list(Minibatches(range(1000), 2, seed=1, length=lambda number: number))
    assert {tuple(batch) for batch in batches} != {tuple(batch) for batch in again}
    assert all(first < second < first + 100 for first, second in batches)


def test_what_is_dropped_is_not_always_the_longest() -> None:
    dropped = set()
    for seed in range(20):
        kept = {x for batch in Minibatches(range(7), 3, seed=seed, length=lambda x: x, drop_last=True) for x in batch}
        dropped |= set(range(7)) - kept
    assert len(dropped) > 3


def test_examples_of_any_kind_are_drawn() -> None:
    pairs = [("a", 1), ("b", 2), ("c", 3)]
    assert list(Minibatches(pairs, 2)) == [pairs[:2], pairs[2:]]
    rows = list(Minibatches(tg.arange(4).reshape(4, 1), 3))
    assert [[row.tolist() for row in batch] for batch in rows] == [[[0], [1], [2]], [[3]]]
    with pytest.raises(ValueError, match=r"^Minibatches: got batch_size = 0, wanted at least 1"):
        Minibatches(pairs, 0)


# The bar


class Terminal(io.StringIO):
    """Where a bar is drawn."""

    def isatty(self) -> bool:
        return True

    def last_line(self) -> str:
        return self.getvalue().rstrip("\n").rsplit("\r", maxsplit=1)[-1].strip()


def test_a_bar_shows_figures_by_their_names() -> None:
    seen = []
    with contextlib.redirect_stderr(Terminal()) as terminal:
        for number in (bar := Progress([10, 20, 30], "Training", unit="batches")):
            seen.append(number)
            bar.show(loss=tg.asarray(1 / 3), number=number * 1000)
            bar.show(speed=12345.6, at="home")
    assert seen == [10, 20, 30]
    assert terminal.last_line().startswith("Training 100% ")
    assert terminal.last_line().endswith(" 3/3 batches, 00:00 left, loss 0.3333, number 30,000, speed 12,346, at home")


def test_items_are_counted_where_nobody_knows_how_many_there_are() -> None:
    with contextlib.redirect_stderr(Terminal()) as terminal:
        assert list(Progress(iter("abc"))) == ["a", "b", "c"]
        assert terminal.last_line().startswith("3 items in ")
        assert list(Progress(iter("abc"), total=3)) == ["a", "b", "c"]
        assert " 3/3 items" in terminal.last_line()


def test_figures_are_read_when_the_line_is_drawn_and_not_before() -> None:
    reads = 0

    class Figure:
        def item(self) -> float:
            nonlocal reads
            reads += 1
            return 0.5

    with contextlib.redirect_stderr(Terminal()) as terminal:
        for _ in (bar := Progress(range(1000))):
            bar.show(loss=Figure())
    assert 0 < reads < 500
    assert terminal.last_line().endswith("loss 0.5")


def test_a_loop_that_is_left_leaves_its_line() -> None:
    with contextlib.redirect_stderr(Terminal()) as terminal:
        for number in Progress(range(1000)):
            if number == 7:
                break
    assert terminal.getvalue().endswith("\n")


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    with contextlib.redirect_stderr(io.StringIO()) as stream:
        for _ in (bar := Progress("ab")):
            bar.show(loss=0.5)
    assert stream.getvalue() == ""
