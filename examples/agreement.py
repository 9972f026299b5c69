"""Agreement: "the key to the cabinets ... is", and what happens to it when other nouns come between.

Nets learn to say the next word of generated sentences, in which other nouns often come between a subject and its verb,
and a few of those, the attractors, are not of the subject's number. They are asked what Linzen, Dupoux and Goldberg
asked ("Assessing the ability of LSTMs to learn syntax-sensitive dependencies", TACL 4, 2016): how often is the verb of
the right number found likelier, with 0, 1, 2, ... attractors between? Then the output gate of the LSTM is looked at:
does it tell the number when a verb can come, and not before? (Mostly not: it stands open all the time.)

    python -m examples.agreement
    python -m examples.agreement --quick
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS

SUBJECTS = ["key", "cabinet", "boy", "girl", "dog", "car", "book", "teacher", "farmer", "picture", "table", "flower"]
NOUNS = [(noun, f"{noun}s") for noun in SUBJECTS]
VERBS = [("is", "are"), ("was", "were"), ("has", "have"), ("falls", "fall"), ("shines", "shine"), ("waits", "wait")]
INNER = [("likes", "like"), ("sees", "see"), ("paints", "paint"), ("loses", "lose")]
PREPOSITIONS, ENDS = ["of", "near", "behind", "with"], ["old", "here", "there", "new", "red", "big"]
PAIRS = [*NOUNS, *VERBS, *INNER]
WORDS = ["", ".", "the", "that", *PREPOSITIONS, *ENDS, *(word for pair in PAIRS for word in pair)]
NUMBER = {word: number for number, word in enumerate(WORDS)}

MOST = 6
"""The most attractors in a test."""


class Sentence(NamedTuple):
    """A sentence with what is asked about it."""

    words: list[str]
    verb: int
    """Where its verb stands."""
    number: int
    """0 if its subject is one, 1 if there are several."""
    between: list[int]
    """The numbers of the nouns between them, in their order."""


def finished(phrase: list[str], between: list[int], number: int, draw: random.Random) -> Sentence:
    """Return a sentence with this subject."""
    words = [*phrase, draw.choice(VERBS)[number], draw.choice(ENDS), "."]
    return Sentence(words, len(phrase), number, between)


def attached(phrase: list[str], number: int, draw: random.Random) -> list[str]:
    """Return what a noun with all that belongs to it becomes when it is attached to another one."""
    if draw.random() < 0.3:
        return ["that", *phrase, draw.choice(INNER)[number]]
    return [draw.choice(PREPOSITIONS), *phrase]


def phrase(number: int, likely: float, draw: random.Random) -> tuple[list[str], list[int]]:
    """Return a noun with others attached to it, and theirs attached to them; and the numbers of those others."""
    words, numbers = ["the", draw.choice(NOUNS)[number]], []
    while draw.random() < likely and len(numbers) < MOST:
        other = draw.randrange(2) if draw.random() < 0.4 else number
        inner, within = phrase(other, likely * 0.6, draw)
        words += attached(inner, other, draw)
        numbers += [other, *within]
    return words, numbers


def sentence(draw: random.Random) -> Sentence:
    """Return a sentence to learn from."""
    number = draw.randrange(2)
    return finished(*phrase(number, 0.4, draw), number, draw)


def question(attractors: int, draw: random.Random) -> Sentence:
    """Return a sentence in which so many nouns stand between subject and verb, none of them of the subject's number."""
    number = draw.randrange(2)
    words = ["the", draw.choice(NOUNS)[number]]
    for _ in range(attractors):
        words += attached(["the", draw.choice(NOUNS)[1 - number]], 1 - number, draw)
    return finished(words, [1 - number] * attractors, number, draw)


def numbered(sentences: Sequence[Sentence]) -> tg.Tensor:
    """Return the numbers of the sentences' words (T, B), 0 behind their ends."""
    return data.pad_sequence([[NUMBER[word] for word in sentence.words] for sentence in sentences])


class Reader(nn.Module):
    """After each word, scores for the next one; by an RNN, a GRU or an LSTM."""

    def __init__(self, layer: type[nn.RNN | nn.GRU | nn.LSTM], hidden: int = 32) -> None:
        self.embedding = nn.Embedding(len(WORDS), 16)
        self.recurrent = layer(16, hidden)
        self.output = nn.Linear(hidden, len(WORDS))

    def forward(self, words: tg.Tensor) -> tg.Tensor:
        """Return scores (T, B, V) for words (T, B)."""
        shown, _ = self.recurrent(self.embedding(words))
        return self.output(shown)


def loss_of(model: Reader, words: tg.Tensor) -> tg.Tensor:
    """Return the mean loss over the words that there are."""
    scores, wanted = model(words[:-1]).reshape(-1, len(WORDS)), words[1:].reshape(-1)
    there = (wanted != 0).astype("float32")
    return (tg.cross_entropy(scores, wanted, reduction="none") * there).sum() / there.sum()


def plural_likelier(scores: np.ndarray, at: Sequence[int]) -> np.ndarray:
    """Tell for each sentence whether verbs in the plural are likelier than those in the singular at its verb."""
    before = np.exp(scores[np.array(at) - 1, np.arange(len(at))])
    singular, plural = ([NUMBER[verb[number]] for verb in VERBS] for number in (0, 1))
    return before[:, plural].sum(axis=1) > before[:, singular].sum(axis=1)


def accuracy(model: Reader, questions: Sequence[Sentence]) -> float:
    """Return how often the number of the verb is right."""
    with tg.no_grad():
        scores = model(numbered(questions)).numpy()
    plural = plural_likelier(scores, [asked.verb for asked in questions])
    return float(np.mean(plural == [asked.number for asked in questions]))


class Baselines(NamedTuple):
    """How often simpler rules are right."""

    majority: float
    nearest: float


def baselines(questions: Sequence[Sentence]) -> Baselines:
    """Judge two rules: always the likelier number; the number of the nearest noun."""
    numbers = np.array([asked.number for asked in questions])
    nearest = [[asked.number, *asked.between][-1] for asked in questions]
    return Baselines(float(max(numbers.mean(), 1 - numbers.mean())), float(np.mean(numbers == nearest)))


Tests = list[list[Sentence]]
"""Questions by the number of attractors."""


def trained(
    layer: type[nn.RNN | nn.GRU | nn.LSTM], corpus: list[Sentence], seed: int, updates: int, tests: Tests | None = None
) -> tuple[Reader, list[list[float]]]:
    """Return a net, and its accuracies by the number of attractors every 50 updates if there are tests."""
    tg.manual_seed(seed)
    draw = random.Random(seed)
    model = Reader(layer)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=updates)
    course = []
    bar = data.Progress(range(updates), f"{layer.__name__} {seed}", unit="updates")
    for update in bar:
        if tests and update % 50 == 0:
            course.append([accuracy(model, questions[:100]) for questions in tests])
        loss = loss_of(model, numbered(draw.choices(corpus, k=64)))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.show(loss=loss)
    return model, course


class Telling(NamedTuple):
    """What the output gate has to do with the number of the verb."""

    unit: int
    """The number of the cell that goes with the subject's number the most, between subject and verb."""
    correlation: float
    before_verb: float
    """Its output gate's mean where the verb is next."""
    before_noun: float
    """The same where a noun is next, after "the"."""
    told: float
    """How often the verb's number is right."""
    silent: float
    """The same with this unit's output gate closed where the verb is next."""
    others_silent: float
    """The same with that of another unit closed, the mean over all others."""


def looked_into(model: Reader, questions: list[Sentence]) -> Telling:
    """Look at the output gate of a net while it reads sentences."""
    with tg.no_grad():
        *_, seen = model.recurrent(model.embedding(numbered(questions)), record=True)
    c, o, h = (seen[letter][0].numpy() for letter in "coh")
    verbs = np.array([asked.verb for asked in questions])
    step, row = np.arange(len(c))[:, None], np.arange(len(questions))
    inside = (step >= 1) & (step < verbs)
    numbers = np.broadcast_to(np.array([asked.number for asked in questions]), inside.shape)
    correlations = [np.corrcoef(unit[inside], numbers[inside])[0, 1] for unit in np.moveaxis(c, -1, 0)]
    unit = int(np.argmax(np.abs(correlations)))
    noun_next = inside & (numbered(questions).numpy() == NUMBER["the"])

    def told(closed: int | None) -> float:
        shown = h.copy()
        if closed is not None:
            shown[verbs - 1, row, closed] = 0
        with tg.no_grad():
            scores = model.output(tg.asarray(shown)).numpy()
        return float(np.mean(plural_likelier(scores, verbs) == numbers[0]))

    others = [told(other) for other in range(c.shape[-1]) if other != unit]
    return Telling(
        unit,
        float(correlations[unit]),
        float(o[verbs - 1, row, unit].mean()),
        float(o[noun_next, unit].mean()),
        told(None),
        told(unit),
        float(np.mean(others)),
    )


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train nets, ask them, look at the output gate, draw; return the figures by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.agreement", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one net of a kind instead of five, and fewer questions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("agreement-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)

    draw = random.Random(options.seed)
    corpus = [sentence(draw) for _ in range(3000)]
    mixed = np.mean([any(number != read.number for number in read.between) for read in corpus])
    print(f"{len(corpus):,} sentences, {mixed:.1%} of them with an attractor; for example")
    print(" ".join(word for read in corpus[:4] for word in read.words))
    tests = [[question(n, draw) for _ in range(100 if options.quick else 400)] for n in range(MOST + 1)]
    nets = 1 if options.quick else 5
    right: dict[str, list[list[float]]] = {}
    for layer in (nn.RNN, nn.GRU, nn.LSTM):
        trainings = [trained(layer, corpus, options.seed * nets + net, 600, tests) for net in range(nets)]
        right[layer.__name__] = [[accuracy(model, questions) for questions in tests] for model, _ in trainings]
    tellings = [looked_into(model, tests[2]) for model, _ in trainings]
    rules = [baselines(questions) for questions in tests]
    report(right, rules, tellings)

    with plots.pictures(options.out):
        plot_accuracy(right, [rule.nearest for rule in rules], options.out / "accuracy.svg")
        plot_course(trainings[-1][1], options.out / "course.svg")
    return {
        **{f"{name.lower()}_{n}": float(np.mean(right[name], axis=0)[n]) for name in right for n in range(MOST + 1)},
        **{f"nearest_{n}": rule.nearest for n, rule in enumerate(rules)},
        "majority": rules[0].majority,
        **{name: float(np.mean([telling[i] for telling in tellings])) for i, name in enumerate(Telling._fields)},
    }


def report(right: dict[str, list[list[float]]], rules: list[Baselines], tellings: list[Telling]) -> None:
    """Print how often nets and rules are right, and what the output gates do."""
    print("The verb's number is right, by the number of attractors (mean of the nets, the best and the worst)")
    print("                 " + "".join(f"{n:8}" for n in range(MOST + 1)))
    for name, nets in right.items():
        for which in (np.mean, np.max, np.min):
            figures = which(nets, axis=0)
            print(f"{name:>8} {which.__name__:8}" + "".join(f"{figure:8.1%}" for figure in figures))
    print("the nearest noun " + "".join(f"{rule.nearest:8.1%}" for rule in rules))
    print("the majority     " + "".join(f"{rule.majority:8.1%}" for rule in rules))
    print("The unit of each LSTM that goes with the number: its output gate before a verb and before a noun;")
    print("right with it, with its gate closed before the verb, and with that of another unit closed")
    for telling in tellings:
        print(
            f"unit {telling.unit:2}, correlation {telling.correlation:5.2f}: {telling.before_verb:.2f}, "
            f"{telling.before_noun:.2f}; {telling.told:.1%}, {telling.silent:.1%}, {telling.others_silent:.1%}"
        )


def plot_accuracy(right: dict[str, list[list[float]]], nearest: list[float], path: Path) -> None:
    """Plot accuracies against the number of attractors: thick for the mean of a kind, thin for a net."""
    with plots.figure(path, 7.5, 4.5) as figure:
        axes = figure.subplots()
        looks = {"RNN": (COLOURS["layer"], "s", 0), "GRU": (COLOURS["h"], "o", 7), "LSTM": (COLOURS["c"], "^", -4)}
        for name, nets in right.items():
            colour, marker, shift = looks[name]
            mean = 100 * np.mean(nets, axis=0)
            for net in nets:
                axes.plot(100 * np.array(net), color=colour, linewidth=0.7, alpha=0.5)
            axes.plot(mean, color=colour, linewidth=2.5, marker=marker)
            axes.annotate(name, (MOST, mean[-1]), (8, shift), textcoords="offset points", va="center", color=colour)
        axes.plot(100 * np.array(nearest), color=COLOURS["edge"], linestyle="--")
        axes.annotate("nearest noun", (1, 0), (6, 8), textcoords="offset points", color=COLOURS["edge"])
        axes.set(
            title="The verb agrees with its subject", xlabel="Attractors between subject and verb", ylabel="Right, %"
        )
        axes.set(ylim=(-3, 103), xlim=(-0.2, MOST + 0.7))


def plot_course(course: list[list[float]], path: Path) -> None:
    """Plot how one net's accuracies go in training, a line for each number of attractors."""
    with plots.figure(path, 7.5, 4) as figure:
        axes = figure.subplots()
        updates = 50 * np.arange(len(course))
        shown = {0: (COLOURS["edge"], "o"), 1: (COLOURS["h"], "s"), 2: (COLOURS["c"], "^"), 4: (COLOURS["layer"], "v")}
        for n, (colour, marker) in shown.items():
            heights = [100 * right[n] for right in course]
            axes.plot(updates, heights, color=colour, marker=marker, label=f"{n} attractors")
        axes.set(title="One LSTM learns: the nearest noun first, then the subject", xlabel="Updates", ylabel="Right, %")
        axes.legend(frameon=False)


if __name__ == "__main__":
    main()
