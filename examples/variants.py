"""Variants of the LSTM: what each of them removes or adds, what it costs, and what it changes on one task.

A stream of letters goes by, some of them capitals. At a question mark the net has to name the last capital; the small
letters that came since are of no matter. So a memory must be kept, and dropped when the next capital comes.
The plain LSTM, the one of 1997 without a forget gate, peepholes, coupled gates, the LSTM that shows its cell without a
tanh, and the GRU learn it, from the same streams, at equal hidden size and at about equal numbers of parameters.

    python -m examples.variants
    python -m examples.variants --quick
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS

LETTERS = 8
QUESTION = 2 * LETTERS
"""The number of the question mark; the capitals come first, then the small letters."""
SYMBOLS = QUESTION + 1
SHORT, LONG = 40, 400
"""The steps of a stream to learn from, and of one that is ten times as long."""
EVERY = 25
"""The updates from one look at a net to the next."""

Layer = Callable[[int, int], nn.LSTM | nn.GRU | nn.RNN]
"""What makes a recurrent layer of an input size and a hidden size."""

KINDS: dict[str, Layer] = {
    "LSTM": nn.LSTM,
    "LSTM of 1997": lambda inputs, hidden: nn.LSTM(inputs, hidden, **nn.variants.NO_FORGET_GATE_1997),
    "peepholes": lambda inputs, hidden: nn.LSTM(inputs, hidden, peephole=True),
    "coupled gates": lambda inputs, hidden: nn.LSTM(inputs, hidden, coupled=True),
    "no output tanh": lambda inputs, hidden: nn.LSTM(inputs, hidden, output_activation="identity"),
    "GRU": nn.GRU,
    "RNN": nn.RNN,
}
DRAWN = {"LSTM": "lstm", "LSTM of 1997": "1997", "peepholes": "peephole", "coupled gates": "coupled", "GRU": "gru"}
"""The files of the kinds that are drawn."""


class Streams(NamedTuple):
    """Streams side by side: their symbols, and at each the last capital, or -1 before the first; both (T, B)."""

    symbols: np.ndarray
    last: np.ndarray


def streams(draw: np.random.Generator, steps: int, count: int) -> Streams:
    """Return streams that begin with a capital; of the others one in ten is a capital, one in ten a question mark."""
    kind = draw.choice(3, size=(steps, count), p=[0.1, 0.8, 0.1])
    kind[0] = 0
    letter = draw.integers(LETTERS, size=(steps, count))
    symbols = np.where(kind == 2, QUESTION, kind * LETTERS + letter)
    return Streams(symbols, last_capitals(symbols))


def last_capitals(symbols: np.ndarray) -> np.ndarray:
    """Return at each step the last capital so far, or -1."""
    last = np.full_like(symbols, -1)
    for t in range(len(symbols)):
        last[t] = np.where(symbols[t] < LETTERS, symbols[t], last[t - 1] if t else -1)
    return last


class Listener(nn.Module):
    """After each symbol, scores for what the last capital was."""

    def __init__(self, layer: Layer, hidden: int) -> None:
        self.recurrent = layer(SYMBOLS, hidden)
        self.output = nn.Linear(hidden, LETTERS)

    def forward(self, symbols: tg.Tensor) -> tg.Tensor:
        """Return scores (T, B, 8) for symbols (T, B)."""
        shown, _ = self.recurrent(tg.one_hot(symbols, SYMBOLS).astype("float32"))
        return self.output(shown)


def parameters(layer: Layer, hidden: int) -> int:
    """Return how many parameters a net has."""
    return sum(weight.size for weight in Listener(layer, hidden).parameters())


def hidden_for(layer: Layer, wanted: int) -> int:
    """Return the hidden size at which the number of parameters is nearest to a given one."""
    return min(range(1, 65), key=lambda hidden: abs(parameters(layer, hidden) - wanted))


def accuracy(model: Listener, heard: Streams) -> float:
    """Return how often the net is right where it is asked."""
    asked = heard.symbols == QUESTION
    with tg.no_grad():
        named = model(tg.asarray(heard.symbols)).numpy().argmax(axis=-1)
    return float(np.mean(named[asked] == heard.last[asked]))


def latest_letter(heard: Streams) -> float:
    """Return how often it would be right to name the letter that was heard last, capital or not."""
    latest = last_capitals(np.where(heard.symbols == QUESTION, QUESTION, heard.symbols % LETTERS))
    asked = heard.symbols == QUESTION
    return float(np.mean(latest[asked] == heard.last[asked]))


def loss_of(model: Listener, heard: Streams) -> tg.Tensor:
    """Return the mean loss over the questions."""
    asked = (heard.symbols == QUESTION).reshape(-1)
    scores = model(tg.asarray(heard.symbols)).reshape(-1, LETTERS)
    losses = tg.cross_entropy(scores, tg.asarray(np.maximum(heard.last, 0).reshape(-1)), reduction="none")
    return (losses * tg.asarray(asked.astype(np.float32))).sum() / int(asked.sum())


class Result(NamedTuple):
    """How a net fared."""

    course: list[float]
    """How often it was right, every ``EVERY`` updates, on short streams."""
    short: float
    long: float

    @property
    def learned(self) -> float:
        """After how many updates it was right at 95% for the first time; infinity if never."""
        return next((EVERY * i for i, right in enumerate(self.course) if right >= 0.95), float("inf"))


class Tests(NamedTuple):
    """Streams that no net learns from."""

    short: Streams
    long: Streams


def tests(seed: int) -> Tests:
    """Return streams to judge nets by."""
    draw = np.random.default_rng([seed, 1])
    return Tests(streams(draw, SHORT, 200), streams(draw, LONG, 50))


def trained(name: str, hidden: int, seed: int, updates: int, judge: Tests) -> Result:
    """Train a net and judge it; all nets of a seed learn from the same streams."""
    tg.manual_seed(seed)
    draw = np.random.default_rng([seed, 0])
    model = Listener(KINDS[name], hidden)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    course = []
    bar = data.Progress(range(updates), f"{name}, {hidden} units, net {seed}", unit="updates")
    for update in bar:
        if update % EVERY == 0:
            course.append(accuracy(model, judge.short))
        loss = loss_of(model, streams(draw, SHORT, 32))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        bar.show(loss=loss)
    short = accuracy(model, judge.short)
    return Result([*course, short], short, accuracy(model, judge.long))


Results = dict[tuple[str, int], list[Result]]
"""By kind and hidden size, a result for each net."""


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train every kind at both sizes, print and plot how they fare, draw a step of each; return the figures by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.variants", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one net of a kind instead of three, at equal hidden size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("variants-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)

    judge = tests(options.seed)
    nets, updates, hidden = (1, 300, 8) if options.quick else (3, 600, 8)
    equal = {name: hidden for name in KINDS}
    wanted = parameters(nn.LSTM, hidden)
    sized = {} if options.quick else {name: hidden_for(layer, wanted) for name, layer in KINDS.items()}
    results: Results = {}
    for case in sorted({*equal.items(), *sized.items()}, key=lambda case: list(KINDS).index(case[0])):
        results[case] = [trained(*case, options.seed * nets + net, updates, judge) for net in range(nets)]

    latest = latest_letter(judge.short)
    report("At equal hidden size", {case: results[case] for case in equal.items()})
    if sized:
        report("At about equal numbers of parameters", {case: results[case] for case in sized.items()})
    print(f"naming the letter heard last: {latest:.1%}; guessing: {1 / LETTERS:.1%}")

    with plots.pictures(options.out):
        plot_course({name: results[name, hidden] for name in KINDS}, latest, options.out / "course.svg")
        for name, file in DRAWN.items():
            draw_step(name, options.out / f"{file}.svg")
    return {"latest_letter": latest, **figures(results, equal, ""), **figures(results, sized, "_sized")}


def figures(results: Results, cases: dict[str, int], ending: str) -> dict[str, float]:
    """Return the means over nets by name, as ``lstm_short`` or ``lstm_learned_sized``."""
    return {
        f"{name.lower().replace(' ', '_')}_{length}{ending}": float(
            np.mean([getattr(result, length) for result in results[name, hidden]])
        )
        for name, hidden in cases.items()
        for length in ("short", "long", "learned")
    }


def report(title: str, results: Results) -> None:
    """Print sizes and how often nets are right: the mean, and the range over nets."""
    print(f"{title}: right on streams of {SHORT} steps, and of {LONG} (mean, worst and best net);")
    print("after how many updates each net was right at 95% on the short ones for the first time")
    for (name, hidden), reached in results.items():
        spread = ""
        for length in ("short", "long"):
            rates = [getattr(result, length) for result in reached]
            spread += f"  {np.mean(rates):6.1%} ({min(rates):6.1%} to {max(rates):6.1%})"
        learned = ", ".join(f"{result.learned:g}" for result in reached)
        print(f"{name:>15} {hidden:3} units {parameters(KINDS[name], hidden):5} parameters{spread}  {learned}")


def draw_step(name: str, path: Path) -> None:
    """Draw one step of a kind, gate by gate."""
    tg.manual_seed(0)
    layer = KINDS[name](SYMBOLS, 8)
    with tg.Tape() as tape:
        layer(tg.one_hot(tg.asarray([[0]]), SYMBOLS).astype("float32"))
    tg.draw(tape, path, level="gate", title=name if name == name.upper() else name[0].upper() + name[1:])


def plot_course(results: dict[str, list[Result]], latest: float, path: Path) -> None:
    """Plot for each kind how often its nets are right as they learn, thick for their mean, beside the plain LSTM's."""
    with plots.figure(path, 9, 4.6) as figure:
        axes = figure.subplots(2, 3, sharex=True, sharey=True)
        plain = 100 * np.mean([result.course for result in results["LSTM"]], axis=0)
        updates = EVERY * np.arange(len(plain))
        kinds = [name for name in results if name != "LSTM"]
        meanings = ("gradient", "h", "c", "layer", "h", "gradient")
        for panel, name, meaning in zip(axes.flat, kinds, meanings, strict=True):
            colour = COLOURS[meaning]
            panel.plot(updates, plain, color=COLOURS["input"], linewidth=2)
            courses = [100 * np.array(result.course) for result in results[name]]
            for course in courses:
                panel.plot(updates, course, color=colour, linewidth=0.7, alpha=0.6)
            panel.plot(updates, np.mean(courses, axis=0), color=colour, linewidth=2.2)
            panel.axhline(100 * latest, color=COLOURS["text"], linewidth=0.8, linestyle=":")
            panel.set_title(name[0].upper() + name[1:], color=colour)
            panel.set_ylim(0, 103)
        axes[0, 1].annotate(
            "the letter heard last", (updates[-1], 100 * latest), (0, 4), textcoords="offset points", ha="right"
        )
        figure.suptitle("Right at a question, by kind (the plain LSTM in grey)")
        figure.supxlabel("Updates")
        figure.supylabel("Right, %")


if __name__ == "__main__":
    main()
