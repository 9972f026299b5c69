"""Long gaps: "I grew up in France. ... I speak fluent ___", with ever more text between, for an RNN, a GRU and an LSTM.

Each net learns to tell every next word, and the last one above all. It begins with two words between the two sentences,
and whenever it is right nine times in ten, it gets half as many more. Measured are how far each net gets, how often it
is right at each gap, and what is left of the blank's gradient when it arrives at the country's name.

    python -m examples.long_gaps
    python -m examples.long_gaps --quick
    python -m examples.long_gaps --nets RNN --hidden 64 --rate 0.001 --updates 6000
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS

# The text

LANGUAGES = {
    "France": "French", "Germany": "German", "Greece": "Greek", "Italy": "Italian",
    "Japan": "Japanese", "Poland": "Polish", "Spain": "Spanish", "Turkey": "Turkish",
}  # fmt: skip
COUNTRIES = list(LANGUAGES)

CHOICES = {
    "PERSON": ["friend", "sister", "brother", "neighbour", "teacher", "doctor"],
    "KIND": ["old", "young", "quiet", "happy"],
    "MEETS": ["likes", "sees", "meets", "calls"],
    "PLACE": ["house", "garden", "river", "market", "school", "station"],
}
SENTENCES = [
    "really .", "it rains .", "my PERSON sleeps .", "my KIND PERSON sleeps .", "my PERSON MEETS the PERSON .",
    "the PERSON walks to the PLACE .", "my KIND PERSON MEETS the KIND PERSON .",
]  # fmt: skip
BY_LENGTH = {len(sentence.split()): sentence.split() for sentence in SENTENCES}  # 2 to 8 words

BEGINNING, END = "I grew up in", "I speak fluent"
NAME = len(BEGINNING.split())
"""The place of the country's name."""

WORDS = sorted(
    {*BEGINNING.split(), *END.split(), *LANGUAGES, *LANGUAGES.values()}
    | {choice for word in " ".join(SENTENCES).split() for choice in CHOICES.get(word, [word])}
)
NUMBERS = {word: number for number, word in enumerate(WORDS)}


def other_text(length: int, draw: random.Random) -> list[str]:
    """Return sentences about other things that have so many words together, full stops included: 0, or at least 2."""
    words: list[str] = []
    while len(words) < length:
        left = length - len(words)
        fitting = [n for n in BY_LENGTH if n == left or n <= left - min(BY_LENGTH)]
        words += [draw.choice(CHOICES.get(word, [word])) for word in BY_LENGTH[draw.choice(fitting)]]
    return words


def story(gap: int, draw: random.Random) -> list[str]:
    """Return a text as words; the last one is the language, and so many words are between its two sentences.

    >>> print(*story(4, random.Random(1)))
    I grew up in Greece . my teacher sleeps . I speak fluent Greek
    """
    country = draw.choice(COUNTRIES)
    return [*BEGINNING.split(), country, ".", *other_text(gap, draw), *END.split(), LANGUAGES[country]]


def batch(gap: int, size: int, draw: random.Random) -> tuple[tg.Tensor, tg.Tensor]:
    """Return the words of some texts as numbers (T, B), and for each word the one that follows it."""
    numbers = tg.asarray([[NUMBERS[word] for word in story(gap, draw)] for _ in range(size)]).T
    return numbers[:-1], numbers[1:]


# The nets


class Reader(nn.Module):
    """Words, a recurrent layer, and after each word a score for every word that may follow."""

    def __init__(self, kind: str, hidden: int, plain: bool = False) -> None:
        self.embedding = nn.Embedding(len(WORDS), 16)
        self.recurrent = recurrent_layer(kind, 16, hidden, plain)
        self.scores = nn.Linear(hidden, len(WORDS))

    def forward(self, words: tg.Tensor) -> tg.Tensor:
        """Return scores (T, B, words) for words (T, B)."""
        outputs, *_ = self.recurrent(self.embedding(words))
        return self.scores(outputs)


def recurrent_layer(kind: str, inputs: int, hidden: int, plain: bool) -> nn.Module:
    """Return a recurrent layer; unless a plain one is wanted, its initial values help it to remember."""
    if kind == "LSTM":
        return nn.LSTM(inputs, hidden, forget_bias=None if plain else 1.0)
    if kind == "GRU":
        layer = nn.GRU(inputs, hidden)
        if not plain:  # z, the second of the three gates, says what to keep
            reset, update, candidate = tg.split(layer.bias_ih_l0.detach(), 3)
            layer.bias_ih_l0.assign_(tg.concat([reset, tg.ones_like(update), candidate]))
        return layer
    layer = nn.RNN(inputs, hidden)
    if not plain:  # an orthogonal matrix keeps the lengths of vectors
        nn.init.orthogonal_(layer.weight_hh_l0)
    return layer


# Training


class Settings(NamedTuple):
    """How a net is trained.

    Attributes
    ----------
    hidden, rate, updates
        How many hidden units it has, how fast it learns, and how often.
    longest
        The longest gap that it gets to read.
    mixed
        Gaps of all lengths from the beginning, instead of ones that grow.
    blank_only
        The net learns to tell the last word and no other.
    plain
        The initial values are drawn as in PyTorch.
    """

    hidden: int = 32
    rate: float = 0.003
    updates: int = 3000
    longest: int = 200
    mixed: bool = False
    blank_only: bool = False
    plain: bool = False


class Curriculum:
    """How long the gap may be by now: half as long again whenever nine in ten of the longest are mastered."""

    def __init__(self, longest: int, mixed: bool) -> None:
        self.longest, self.gap = longest, longest if mixed else 2
        self.right = 0.0

    def draw(self, draw: random.Random) -> int:
        """Return a gap from 2 to what it may be; each doubling is as likely as the other."""
        return round(math.exp(draw.uniform(math.log(2), math.log(self.gap))))

    def note(self, gap: int, right: float) -> None:
        """Take down which part of a batch was right."""
        if gap >= self.gap * 2 / 3:
            self.right += 0.1 * (right - self.right)
        if self.right > 0.9 and self.gap < self.longest:
            self.gap = min(self.longest, math.ceil(self.gap * 1.5))
            self.right = 0.5


def train(model: Reader, settings: Settings, seed: int, title: str) -> list[int]:
    """Train a net; return how long the gap was allowed to be at each update."""
    draw = random.Random(seed)
    optimizer = optim.Adam(model.parameters(), lr=settings.rate)
    curriculum = Curriculum(settings.longest, settings.mixed)
    gaps = []
    bar = data.Progress(range(settings.updates), title, unit="updates")
    for _ in bar:
        gap = curriculum.draw(draw)
        words, following = batch(gap, 32, draw)
        scores = model(words)
        loss = tg.cross_entropy(scores[-1], following[-1])
        if not settings.blank_only:
            loss = loss + tg.cross_entropy(scores.reshape(-1, len(WORDS)), following.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        curriculum.note(gap, part_right(scores[-1], following[-1]))
        gaps.append(curriculum.gap)
        bar.show(loss=loss, gap=curriculum.gap)
    return gaps


def part_right(scores: tg.Tensor, answers: tg.Tensor) -> float:
    """Return how often the word with the highest score is the answer."""
    return (scores.argmax(axis=-1) == answers).mean().item()


# What is measured


def accuracy(model: Reader, gap: int, texts: int = 200) -> float:
    """Return how often a net tells the language in texts that it has not seen."""
    words, following = batch(gap, texts, random.Random(f"held out, {gap}"))
    with nn.evaluating(model):
        return part_right(model(words)[-1], following[-1])


def gradient_that_arrives(model: Reader, gap: int, texts: int = 50) -> float:
    """Return which part of the gradient at the blank arrives at the country's name: a ratio of norms, texts' median.

    The gradient is that of the loss at the blank alone, with respect to the last hidden state, where it sets out, and
    to the name's embedding.
    """
    words, following = batch(gap, texts, random.Random(f"held out, {gap}"))
    embedded = model.embedding(words)
    outputs, *_ = model.recurrent(embedded)
    loss = tg.cross_entropy(model.scores(outputs[-1]), following[-1], reduction="sum")
    at_words, at_outputs = tg.grad(loss, [embedded, outputs])
    ratios = tg.norm(at_words[NAME], axis=-1) / tg.norm(at_outputs[-1], axis=-1)
    return statistics.median(ratios.tolist())


class Result(NamedTuple):
    """What was measured of one net.

    Attributes
    ----------
    accuracy
        How often it is right, by gap.
    before, after
        Which part of the gradient arrives, by gap, before training and after it.
    gaps
        How long the gap was allowed to be, by update.
    """

    accuracy: dict[int, float]
    before: dict[int, float]
    after: dict[int, float]
    gaps: list[int]


def measure(kind: str, settings: Settings, seed: int, tested: Sequence[int]) -> Result:
    """Measure a net, train it, and measure it again, at some gaps."""
    tg.manual_seed(seed)
    model = Reader(kind, settings.hidden, settings.plain)
    before = {gap: gradient_that_arrives(model, gap) for gap in tested}
    gaps = train(model, settings, seed, f"{kind}, run {seed}")
    after = {gap: gradient_that_arrives(model, gap) for gap in tested}
    return Result({gap: accuracy(model, gap) for gap in tested}, before, after, gaps)


# Pictures

LINES = {"RNN": COLOURS["gradient"], "GRU": COLOURS["h"], "LSTM": COLOURS["c"]}
MARKERS = {"RNN": "o", "GRU": "s", "LSTM": "^"}


def middle(runs: Sequence[Result], what: str, gap: int) -> float:
    """Return the median of the runs of one kind of net."""
    return statistics.median(getattr(run, what)[gap] for run in runs)


def draw_by_gap(axes: Any, results: dict[str, list[Result]], what: str) -> None:
    """Draw one quantity against the gap: each kind's median as a line, its runs as small dots."""
    gaps = list(getattr(next(iter(results.values()))[0], what))
    for kind, runs in results.items():
        medians = [middle(runs, what, gap) for gap in gaps]
        axes.plot(gaps, medians, color=LINES[kind], marker=MARKERS[kind], label=kind)
        for run in runs:
            axes.plot(gaps, list(getattr(run, what).values()), ".", color=LINES[kind], alpha=0.5, markersize=5)
    axes.set_xscale("log")
    axes.set_xticks(gaps, gaps)
    axes.minorticks_off()
    axes.set_xlabel("words between the two sentences")


def plot_accuracy(results: dict[str, list[Result]], longest: int, path: Path) -> None:
    """Plot how often each kind of net is right, against the gap."""
    with plots.figure(path, 8, 4.2) as figure:
        axes = figure.subplots()
        axes.axhline(1 / len(COUNTRIES), color=COLOURS["edge"], linestyle=":", label="guessing")
        draw_by_gap(axes, results, "accuracy")
        axes.axvline(longest, color=COLOURS["edge"], linewidth=0.8)
        axes.annotate("never seen\nin training", (longest, 0.6), xytext=(5, 0), textcoords="offset points", fontsize=9)
        axes.set(ylabel="told rightly", ylim=(0, 1.05), title="“I grew up in France … I speak fluent ___”")
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
        axes.legend(frameon=False, loc="center left")


def plot_gradients(results: dict[str, list[Result]], path: Path) -> None:
    """Plot which part of the gradient arrives, against the gap, before training and after it."""
    with plots.figure(path, 10, 4.2) as figure:
        before, after = figure.subplots(ncols=2, sharey=True)
        for axes, what, when in ((before, "before", "Before training"), (after, "after", "After training")):
            draw_by_gap(axes, results, what)
            axes.set(yscale="log", ylim=(1e-23, 10), title=when)
        before.set_ylabel("part of the blank's gradient\nthat arrives at the country's name")
        after.legend(frameon=False, loc="lower left")


def plot_progress(results: dict[str, list[Result]], path: Path) -> None:
    """Plot how long the gap was allowed to be while each net was trained."""
    with plots.figure(path, 8, 4.2) as figure:
        axes = figure.subplots()
        for kind, runs in results.items():
            for number, run in enumerate(runs):
                axes.plot(run.gaps, color=LINES[kind], label=kind if number == 0 else None)
        axes.set(
            xlabel="updates", ylabel="words between, up to", yscale="log", title="How far each net got in training"
        )
        axes.set_yticks([2, 5, 10, 20, 50, 100, 200], [2, 5, 10, 20, 50, 100, 200])
        axes.minorticks_off()
        axes.legend(frameon=False, loc="upper left")


# All of it


def report(results: dict[str, list[Result]]) -> None:
    """Print what was measured, as medians of the runs."""
    gaps = list(next(iter(results.values()))[0].accuracy)
    print(f"{'words between':>22}" + "".join(f"{gap:>9}" for gap in gaps))
    for kind, runs in results.items():
        print(f"{kind + ', told rightly':>22}" + "".join(f"{middle(runs, 'accuracy', gap):>9.0%}" for gap in gaps))
    print(f"{'guessing':>22}" + f"{1 / len(COUNTRIES):>9.1%}" * len(gaps))
    for what in ("before", "after"):
        print(f"The part of the gradient that arrives, {what} training")
        for kind, runs in results.items():
            print(f"{kind:>22}" + "".join(f"{middle(runs, what, gap):>9.0e}" for gap in gaps))
    print("The longest gap that each run got to read in training")
    for kind, runs in results.items():
        print(f"{kind:>22}" + "".join(f"{run.gaps[-1]:>9}" for run in runs))


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train and measure the nets, print and draw; return their accuracies and gradients at the longest gap by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.long_gaps", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="shorter gaps, fewer updates, one run: seconds")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first run")
    parser.add_argument("--out", type=Path, default=Path("long_gaps-pictures"), help="where pictures go")
    parser.add_argument("--nets", nargs="+", choices=LINES, default=list(LINES), help="which to train")
    parser.add_argument("--runs", type=int, default=3, help="how many of each")
    parser.add_argument("--updates", type=int, default=3000)
    parser.add_argument("--hidden", type=int, default=32, help="how many hidden units")
    parser.add_argument("--rate", type=float, default=0.003, help="the learning rate")
    parser.add_argument("--mixed", action="store_true", help="gaps of all lengths from the beginning")
    parser.add_argument("--blank-only", action="store_true", help="learn to tell the last word and no other")
    parser.add_argument("--plain", action="store_true", help="initial values as in PyTorch")
    options = parser.parse_args(arguments)

    settings = Settings(
        options.hidden, options.rate, options.updates, 200, options.mixed, options.blank_only, options.plain
    )
    tested, runs = (2, 5, 10, 20, 50, 100, 200, 400), options.runs
    if options.quick:
        settings, tested, runs = settings._replace(updates=700, longest=20), (2, 5, 10, 20, 40), 1
    seeds = range(options.seed, options.seed + runs)
    results = {kind: [measure(kind, settings, seed, tested) for seed in seeds] for kind in options.nets}
    report(results)

    with plots.pictures(options.out):
        plot_accuracy(results, settings.longest, options.out / "accuracy.svg")
        plot_gradients(results, options.out / "gradients.svg")
        plot_progress(results, options.out / "progress.svg")
    figures = {"guessing": 1 / len(COUNTRIES)}
    for kind, measured in results.items():
        figures[f"{kind} accuracy"] = middle(measured, "accuracy", settings.longest)
        figures[f"{kind} gradient"] = middle(measured, "after", settings.longest)
        figures[f"{kind} gap"] = statistics.median(run.gaps[-1] for run in measured)
    return figures


if __name__ == "__main__":
    main()
