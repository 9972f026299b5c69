"""Short gaps: "the clouds are in the ___", told by a recurrent net, where the word that decides is a few words back.

The text is made of sentences about things and where they are. A net learns to tell every next word; what counts is the
last one of sentences that it has not seen, beside the most frequent place, and a bigram, which knows the word before.

    python -m examples.short_gaps
    python -m examples.short_gaps --quick
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS

THINGS = {
    "sky": ["clouds", "stars", "kites", "swallows"],
    "sea": ["whales", "waves", "dolphins"],
    "garden": ["roses", "bees", "tulips"],
    "library": ["books", "readers"],
    "kitchen": ["spoons", "plates", "cooks"],
    "stable": ["horses", "saddles"],
}
KINDS = ["white", "small", "old", "beautiful", "other"]
TIMES = ["now", "today", "often", "still"]


def sentences() -> list[list[str]]:
    """Return every sentence: (the | all) [kind] thing are [time] in the place; two or three words before "the"."""
    return [
        [first, *kind, thing, "are", *time, "in", "the", place]
        for place, things in THINGS.items()
        for thing in things
        for first in ("the", "all")
        for kind in ([], *([kind] for kind in KINDS))
        for time in ([], *([time] for time in TIMES))
    ]


WORDS = sorted({word for sentence in sentences() for word in sentence})
NUMBERS = {word: number for number, word in enumerate(WORDS)}


class NextWord(nn.Module):
    """Words, a plain recurrent layer, and after each word a score for every word that may follow."""

    def __init__(self, hidden: int = 32) -> None:
        self.embedding = nn.Embedding(len(WORDS), 16)
        self.rnn = nn.RNN(16, hidden)
        self.scores = nn.Linear(hidden, len(WORDS))

    def forward(self, words: tg.Tensor) -> tg.Tensor:
        """Return scores (T, B, words) for words (T, B)."""
        outputs, _ = self.rnn(self.embedding(words))
        return self.scores(outputs)


def padded(batch: Sequence[Sequence[str]]) -> tg.Tensor:
    """Return sentences as numbers (T, B), each filled up at its end."""
    return data.pad_sequence([[NUMBERS[word] for word in sentence] for sentence in batch])


def train(model: NextWord, training: Sequence[list[str]], epochs: int) -> None:
    """Train a net to tell each next word."""
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(epochs):
        batches = data.Minibatches(training, 32, seed=epoch)
        bar = data.Progress(batches, f"Epoch {epoch + 1} of {epochs}", unit="batches")
        for batch in bar:
            words = padded(batch)
            own = data.length_mask(data.sequence_lengths(batch))[1:]
            loss = tg.cross_entropy(model(words[:-1])[own], words[1:][own])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            bar.show(loss=loss)


def told(model: NextWord, beginnings: Sequence[list[str]]) -> list[str]:
    """Return the word that a net expects after each beginning."""
    lengths = data.sequence_lengths(beginnings)
    with nn.evaluating(model):
        scores = model(padded(beginnings))[lengths - 1, tg.arange(len(beginnings))]
    return [WORDS[number] for number in scores.argmax(axis=-1).tolist()]


def bigram(training: Sequence[list[str]]) -> dict[str, str]:
    """Return for each word the one that follows it most often."""
    following: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sentence in training:
        for word, after in pairwise(sentence):
            following[word][after] += 1
    return {word: counts.most_common(1)[0][0] for word, counts in following.items()}


def right(answers: Sequence[str], held_out: Sequence[list[str]]) -> float:
    """Return how often an answer is the last word."""
    return sum(answer == sentence[-1] for answer, sentence in zip(answers, held_out, strict=True)) / len(held_out)


def plot(model: NextWord, words: Sequence[str], path: Path) -> None:
    """Plot how likely each place is, to a net, after each word of a beginning."""
    with nn.evaluating(model):
        likely = tg.softmax(model(padded([list(words)]))[-1, 0], axis=-1)
    shown = [likely[NUMBERS[place]].item() for place in THINGS]
    with plots.figure(path, 7, 3.2) as figure:
        axes = figure.subplots()
        axes.barh(list(THINGS), shown, color=COLOURS["h"])
        axes.invert_yaxis()
        axes.set(xlim=(0, 1), xlabel="probability of the next word", title=" ".join([*words, "___"]))


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train, compare with two baselines on sentences that were held out, and draw; return what was right by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.short_gaps", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer epochs: seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("short_gaps-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)

    tg.manual_seed(options.seed)
    training, held_out = data.random_split(sentences(), [0.8, 0.2], seed=options.seed)
    model = NextWord()
    train(model, training, 100 if options.quick else 150)

    place = Counter(sentence[-1] for sentence in training).most_common(1)[0][0]
    follows = bigram(training)
    figures = {
        "most frequent place": right([place] * len(held_out), held_out),
        "bigram": right([follows[sentence[-2]] for sentence in held_out], held_out),
        "RNN": right(told(model, [sentence[:-1] for sentence in held_out]), held_out),
    }
    for name, part in figures.items():
        print(f"{name:>20}: {part:.1%} of {len(held_out)} last words")

    with plots.pictures(options.out):
        plot(model, ["the", "clouds", "are", "in", "the"], options.out / "clouds.svg")
    random.seed(options.seed)
    for sentence in random.sample(held_out, 3):
        print(*sentence[:-1], "...", *told(model, [sentence[:-1]]))
    return figures


if __name__ == "__main__":
    main()
