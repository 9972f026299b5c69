"""Sampling: what may be drawn is exactly what the settings leave, as often as it should; beams find what there is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lstm as tg
from tinygrad_lstm import backend, charlm
from tinygrad_lstm.charlm import CharLM, Hypothesis, beam_search, greedy, likelihoods, sample
from tinygrad_lstm.data import Vocabulary

INF = float("inf")
PROBABILITIES = [0.05, 0.4, 0.25, 0.05, 0.25]
SCORES = [math.log(p) + 3 for p in PROBABILITIES]
SETTINGS: list[tuple[dict[str, Any], list[float]]] = [
    ({}, PROBABILITIES),
    ({"top_k": 1}, [0, 1, 0, 0, 0]),
    ({"top_k": 2}, [0, 0.4 / 0.65, 0.25 / 0.65, 0, 0]),  # of equals the first
    ({"top_k": 4}, [0.05 / 0.95, 0.4 / 0.95, 0.25 / 0.95, 0, 0.25 / 0.95]),
    ({"top_k": 99}, PROBABILITIES),
    ({"top_p": 0.01}, [0, 1, 0, 0, 0]),
    ({"top_p": 0.39}, [0, 1, 0, 0, 0]),
    ({"top_p": 0.41}, [0, 0.4 / 0.65, 0.25 / 0.65, 0, 0]),
    ({"top_p": 0.89}, [0, 0.4 / 0.9, 0.25 / 0.9, 0, 0.25 / 0.9]),
    ({"top_p": 0.91}, [0.05 / 0.95, 0.4 / 0.95, 0.25 / 0.95, 0, 0.25 / 0.95]),
    ({"top_p": 1.0}, PROBABILITIES),
    ({"top_k": 3, "top_p": 0.5}, [0, 0.4 / 0.65, 0.25 / 0.65, 0, 0]),  # 0.4 of 0.9 that are left is less than half
    ({"temperature": 0.5}, [p * p / 0.29 for p in PROBABILITIES]),
    ({"temperature": 0.5, "top_p": 0.6}, [0, 0.16 / 0.2225, 0.0625 / 0.2225, 0, 0]),
    ({"temperature": 1e9}, [0.2] * 5),
]


def uniform(count: int, seed: int = 0) -> tg.Tensor:
    """Return random numbers from 0 to 1."""
    return tg.asarray(backend.generator(seed).random(count))


# Likelihoods


@pytest.mark.parametrize(("settings", "expected"), SETTINGS, ids=lambda value: str(value))
def test_likelihoods_are_those_worked_out_by_hand(settings: dict[str, Any], expected: list[float]) -> None:
    for dtype in ("float32", "float64"):
        found = likelihoods(tg.asarray(SCORES, dtype=dtype), **settings).tolist()
        assert found == pytest.approx(expected, rel=1e-5, abs=0)  # what is 0 is exactly 0


@given(
    scores=hnp.arrays(np.float64, st.integers(1, 8), elements=st.integers(-4, 4).map(float)),
    top_p=st.floats(0.01, 1, exclude_min=True),
)
def test_a_nucleus_is_no_larger_than_it_has_to_be(scores: Any, top_p: float) -> None:
    whole = np.exp(scores) / np.exp(scores).sum()
    found = likelihoods(scores, top_p=top_p).numpy()
    kept = found > 0
    assert whole[kept].sum() >= top_p - 1e-9
    assert whole[kept].sum() - whole[kept].min() <= top_p + 1e-9
    assert whole[kept].min() >= whole[~kept].max(initial=0) - 1e-12
    assert found.sum() == pytest.approx(1)


def test_rows_are_apart_from_each_other() -> None:
    scores = tg.randn(2, 3, 5)
    settings = {"temperature": 0.8, "top_k": 4, "top_p": 0.9}
    together, draws = likelihoods(scores, **settings), uniform(6).reshape(2, 3)
    chosen = sample(scores, draws, **settings)
    assert together.shape == (2, 3, 5)
    assert chosen.shape == (2, 3)
    for i, j in itertools.product(range(2), range(3)):
        assert together[i, j].tolist() == likelihoods(scores[i, j], **settings).tolist()
        assert chosen[i, j].item() == sample(scores[i, j], draws[i, j].item(), **settings).item()
        assert greedy(scores)[i, j].item() == greedy(scores[i, j]).item()


def test_what_is_impossible_stays_so_and_what_is_certain_too() -> None:
    assert likelihoods([-INF, 0.0, -INF, 0.0]).tolist() == [0, 0.5, 0, 0.5]
    assert likelihoods([-INF, 2.0], temperature=1e-300).tolist() == [0, 1]
    assert likelihoods([1e300, -1e300, 1e300], top_k=1).tolist() == [1, 0, 0]
    assert likelihoods([7.0]).tolist() == [1]


def test_scores_on_the_tape_are_taken_as_numbers() -> None:
    scores = tg.asarray(SCORES, requires_grad=True)
    assert not likelihoods(scores).requires_grad
    assert sample(scores * 1.0, 0.0).item() == greedy(scores).item() == 1


# Draws


@pytest.mark.parametrize(("settings", "expected"), SETTINGS, ids=lambda value: str(value))
def test_draws_are_as_frequent_as_they_are_likely(settings: dict[str, Any], expected: list[float]) -> None:
    count = 4000
    scores = tg.asarray([SCORES] * count)
    chosen = sample(scores, uniform(count), **settings).tolist()
    for number, p in enumerate(expected):  # within four standard deviations, and never what is impossible
        assert abs(chosen.count(number) / count - p) <= 4 * math.sqrt(p * (1 - p) / count)
    evenly = sample(scores, (tg.arange(count) + 0.5) / count, **settings).tolist()
    for number, p in enumerate(expected):
        assert abs(evenly.count(number) - p * count) <= 1


def test_the_extreme_draws_are_the_likeliest_and_the_unlikeliest_that_is_left() -> None:
    highest = 1 - 2**-53
    for settings, last in (({}, 3), ({"top_k": 3}, 4), ({"top_p": 0.5}, 2), ({"top_k": 1}, 1)):
        assert sample(SCORES, 0.0, **settings).item() == 1
        assert sample(SCORES, highest, **settings).item() == last


@given(hnp.arrays(np.float32, (3, 6), elements=st.floats(-9, 9, width=32)))
def test_a_temperature_near_zero_is_greedy(scores: Any) -> None:
    scores += np.arange(6, dtype=np.float32) * 1e-3
    best = greedy(scores).tolist()
    assert best == scores.argmax(axis=-1).tolist()
    assert sample(scores, uniform(3), top_k=1).tolist() == best
    if (np.sort(scores)[:, -1] - np.sort(scores)[:, -2]).min() > 0:
        assert sample(scores, uniform(3), temperature=1e-12).tolist() == best


def test_of_equals_the_first_is_greedy() -> None:
    assert greedy([1.0, 3.0, 3.0, 2.0]).item() == 1
    assert sample([1.0, 3.0, 3.0, 2.0], 0.999, top_k=1).item() == 1


def test_settings_and_scores_out_of_range_are_refused() -> None:
    for settings in (
        {"temperature": 0.0}, {"temperature": -1.0}, {"temperature": math.nan}, {"temperature": INF}, {"top_k": 0},
        {"top_p": 0.0}, {"top_p": 1.1}, {"top_p": math.nan},
    ):  # fmt: skip
        name = next(iter(settings))
        for function in (lambda **options: likelihoods(SCORES, **options), lambda **o: sample(SCORES, 0.5, **o)):
            with pytest.raises(ValueError, match=rf"^(likelihoods|sample): got {name} = .*, wanted"):
                function(**settings)
    for scores in ([math.nan, 1.0], [INF, 1.0], [-INF, -INF]):
        for call in (lambda s: greedy(s), lambda s: likelihoods(s), lambda s: sample(s, 0.5)):
            with pytest.raises(ValueError, match=r"got scores that are NaN or infinite"):
                call(scores)
    with pytest.raises(ValueError, match=r"^greedy: got scores of shape \(\), wanted at least one choice"):
        greedy(1.0)
    with pytest.raises(
        ValueError, match=r"^sample: got scores of shape \(5,\) and draws of \(2,\), wanted one a choice"
    ):
        sample(SCORES, [0.5, 0.5])
    for draw in (-0.1, 1.0, math.nan):
        with pytest.raises(ValueError, match=r"^sample: got draws out of range"):
            sample(SCORES, draw)


# Beams


@pytest.fixture
def model() -> CharLM:
    """Return a model of three characters with strong opinions."""
    model = CharLM(vocabulary_size=3, embedding=3, hidden=4)
    for weight in model.parameters():
        weight.assign_(weight.detach() * 3)
    return model


def log_prob(model: CharLM, start: int, tokens: tuple[int, ...]) -> float:
    """Return the logarithm of the probability of a sequence, read by the model as a whole."""
    scores, _ = model(tg.asarray([start, *tokens[:-1]])[:, None])
    rows = tg.log_softmax(scores[:, 0].detach().astype("float64")).tolist()
    return math.fsum(row[token] for row, token in zip(rows, tokens, strict=True))


def searched(model: CharLM, length: int, **options: Any) -> list[Hypothesis]:
    def step(last: tg.Tensor, state: Any) -> Any:
        scores, state = model(last[None], state)
        return scores[0], state

    return beam_search(step, 0, None, length, **options)


def sequences(length: int, end: int | None) -> Iterator[tuple[int, ...]]:
    """Give all sequences of three tokens that end at their end, or at the full length."""
    for tokens in itertools.product(range(3), repeat=length):
        if end not in tokens[:-1]:
            yield tokens
    if end is not None and length > 1:
        yield from (tokens for tokens in sequences(length - 1, end) if tokens[-1] == end)


@pytest.mark.parametrize("end", [None, 2])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_wide_beam_finds_what_trying_everything_does(model: CharLM, end: int | None, length_penalty: float) -> None:
    found = searched(model, 4, beams=100, end=end, length_penalty=length_penalty)
    every = {tokens: log_prob(model, 0, tokens) for tokens in sequences(4, end)}
    assert {hypothesis.tokens for hypothesis in found} == every.keys()
    for tokens, own, score in found:
        assert own == pytest.approx(every[tokens], rel=1e-5)
        assert score == pytest.approx(own / len(tokens) ** length_penalty)
    assert [hypothesis.score for hypothesis in found] == sorted((h.score for h in found), reverse=True)


def test_beams_as_many_as_prefixes_are_exact(model: CharLM) -> None:
    every = sorted(sequences(4, None), key=lambda tokens: -log_prob(model, 0, tokens))
    assert [hypothesis.tokens for hypothesis in searched(model, 4, beams=27)] == every[:27]


@pytest.mark.parametrize("end", [None, 1])
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_a_narrow_beam_knows_how_likely_its_sequences_are(model: CharLM, beams: int, end: int | None) -> None:
    found = searched(model, 6, beams=beams, end=end)
    assert len({hypothesis.tokens for hypothesis in found}) == len(found) == beams
    for tokens, own, _ in found:
        assert own == pytest.approx(log_prob(model, 0, tokens), rel=1e-5)
        assert end not in tokens[:-1]
        assert len(tokens) == 6 or tokens[-1] == end


@pytest.mark.parametrize("end", [None, 0, 1, 2])
def test_one_beam_is_greedy(model: CharLM, end: int | None) -> None:
    tokens: list[int] = []
    while len(tokens) < 8 and end not in tokens:
        scores, _ = model(tg.asarray([0, *tokens])[:, None])
        tokens.append(greedy(scores[-1, 0]).item())
    (found,) = searched(model, 8, beams=1, end=end)
    assert found.tokens == tuple(tokens)


def test_of_equally_likely_sequences_the_lowest_come_first() -> None:
    def step(last: tg.Tensor, state: None) -> tuple[tg.Tensor, None]:
        return tg.zeros((len(last), 3)), None

    found = beam_search(step, 0, None, 2, beams=4)
    assert [hypothesis.tokens for hypothesis in found] == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert [hypothesis.log_prob for hypothesis in found] == pytest.approx([-2 * math.log(3)] * 4)
    assert beam_search(step, 0, None, 5, beams=1)[0].tokens == (0,) * 5
    assert beam_search(step, 0, None, 0, beams=2) == [((), 0.0, 0.0)]


def test_the_length_penalty_says_whether_short_or_long_is_better() -> None:
    follows = tg.log(tg.asarray([[0.45, 0.55], [0.2, 0.8]]))  # 0 is the end, 1 goes on

    def best(length_penalty: float) -> tuple[int, ...]:
        options: dict[str, Any] = {"beams": 3, "end": 0, "length_penalty": length_penalty}
        found = beam_search(lambda last, _: (follows[last], None), 0, None, 3, **options)
        assert {hypothesis.tokens for hypothesis in found} == {(0,), (1, 0), (1, 1, 1)}
        return found[0].tokens

    assert best(0.0) == (0,)  # 0.45 against 0.55 * 0.8 * 0.8 = 0.352
    assert best(1.0) == (1, 1, 1)  # 0.352 ** (1 / 3) = 0.706 against 0.45


def test_impossible_sequences_are_not_found() -> None:
    follows = tg.asarray([[0.0, -INF], [-INF, 0.0]])
    found = beam_search(lambda last, _: (follows[last], None), 1, None, 4, beams=5)
    assert found == [((1, 1, 1, 1), 0.0, 0.0)]


def test_a_state_of_any_kind_is_reordered_by_who_made_it() -> None:
    def step(last: tg.Tensor, seen: list[tuple[int, ...]]) -> tuple[tg.Tensor, list[tuple[int, ...]]]:
        seen = [(*before, token) for before, token in zip(seen, last.tolist(), strict=True)]
        return tg.asarray([[float(sum(path) % 3 == token) for token in range(3)] for path in seen]), seen

    def chosen(seen: list[tuple[int, ...]], rows: list[int]) -> list[tuple[int, ...]]:
        return [seen[row] for row in rows]

    for tokens, own, _ in beam_search(step, 1, [()], 5, beams=3, reorder=chosen):
        expected, before = 0.0, [1]
        for token in tokens:
            hit = sum(before) % 3 == token
            expected += float(hit) - math.log(math.e + 2)
            before.append(token)
        assert own == pytest.approx(expected)


def test_a_search_records_nothing_and_refuses_what_it_cannot_do(model: CharLM) -> None:
    states = []

    def step(last: tg.Tensor, state: Any) -> Any:
        scores, state = model(last[None], state)
        states.append(state)
        return scores[0], state

    beam_search(step, 0, None, 2, beams=2)
    assert not any(part.requires_grad for state in states for part in state)
    with pytest.raises(ValueError, match=r"^beam_search: got beams = 0, wanted at least 1"):
        searched(model, 2, beams=0)
    with pytest.raises(ValueError, match=r"^beam_search: got scores that are NaN or infinite"):
        beam_search(lambda last, state: (tg.full((1, 2), math.nan), state), 0, None, 2, beams=1)


# Texts


@pytest.mark.parametrize("prompt", ["a", "bca"])
def test_a_text_is_searched_as_a_whole(model: CharLM, prompt: str) -> None:
    vocabulary = Vocabulary("abc")
    numbers = vocabulary.encode(prompt).tolist()

    def of_text(tokens: tuple[int, ...]) -> float:
        return log_prob(model, numbers[0], (*numbers[1:], *tokens))

    text = "".join(charlm.generate(model, vocabulary, prompt, 3, beams=9))
    best = max(itertools.product(range(3), repeat=3), key=of_text)
    assert text == vocabulary.decode(best)
    one = "".join(charlm.generate(model, vocabulary, prompt, 20, beams=1))
    assert one == "".join(charlm.generate(model, vocabulary, prompt, 20, top_k=1))
    assert list(charlm.generate(model, vocabulary, prompt, 0, beams=2)) == []


def test_a_nucleus_is_drawn_from(model: CharLM) -> None:
    for weight in model.parameters():
        weight.assign_(tg.zeros_like(weight))
    model.output.bias.assign_(tg.log(tg.asarray([0.2, 0.5, 0.3])))
    text = "".join(charlm.generate(model, Vocabulary("abc"), "a", 200, top_p=0.7, seed=1))
    assert set(text) == set("bc")
    assert text.count("b") / 200 == pytest.approx(0.625, abs=0.14)


def test_writing_is_no_training(model: CharLM) -> None:
    modes = []
    forward = type(model).forward

    class Watched(CharLM):
        def forward(self, *arguments: Any) -> Any:
            modes.append(self.training)
            return forward(self, *arguments)

    model.__class__ = Watched
    model.lstm.training = False
    for options in ({}, {"beams": 2}):
        for _ in charlm.generate(model, Vocabulary("abc"), "ab", 2, **options):
            assert model.training
            assert not model.lstm.training
    assert modes
    assert not any(modes)


def test_settings_that_exclude_each_other_are_refused(model: CharLM) -> None:
    vocabulary = Vocabulary("abc")
    for options in ({"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.5}):
        with pytest.raises(ValueError, match=r"^generate: got beams and temperature, top_k or top_p"):
            charlm.generate(model, vocabulary, "a", beams=2, **options)
    with pytest.raises(ValueError, match=r"^generate: got beams = 0, wanted at least 1"):
        charlm.generate(model, vocabulary, "a", beams=0)
    with pytest.raises(ValueError, match=r"^generate: got top_p = 2, wanted"):
        charlm.generate(model, vocabulary, "a", top_p=2)
