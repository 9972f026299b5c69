"""Speech: digits spoken one after the other, written down by an LSTM that nobody told when each of them was said.

The "speech" is a caricature: the formants of vowels glide from sound to sound, at a pace and with a voice that differ
from utterance to utterance, and a noisy filter bank listens. The net is trained with connectionist temporal
classification (CTC), which sums over all ways to place the digits in time. It is compared with the same loss on a net
without memory, which hears each moment and its neighbours alone, and with the nearest utterance that was in training.

    python -m examples.speech_ctc
    python -m examples.speech_ctc --quick
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS

# Formants in Hz, and how loud a sound is. Vowels: means over men of Peterson and Barney, "Control methods used in a
# study of the vowels", 1952. Consonants are only hinted at.
SOUNDS = {
    "i": (270, 2290, 3010, 1.0),
    "I": (390, 1990, 2550, 1.0),
    "E": (530, 1840, 2480, 1.0),
    "a": (730, 1090, 2440, 1.0),
    "O": (570, 840, 2410, 1.0),
    "U": (440, 1020, 2240, 1.0),
    "u": (300, 870, 2240, 1.0),
    "A": (640, 1190, 2390, 1.0),
    "r": (490, 1350, 1690, 0.8),
    "n": (250, 1400, 2300, 0.5),
    "v": (250, 1100, 2100, 0.3),
    "f": (900, 1400, 2900, 0.1),
    "s": (1700, 2700, 3300, 0.2),
    "t": (400, 1700, 2600, 0.05),
}
DIGITS = {
    "0": "sIrOU",
    "1": "uAn",
    "2": "tu",
    "3": "fri",
    "4": "fOr",
    "5": "faIv",
    "6": "sIts",
    "7": "sEvAn",
    "8": "EIt",
    "9": "naIn",
}
BLANK = 0
"""The class that stands for nothing said; digit d is class d + 1."""

BANDS = np.linspace(200, 3600, 20)
"""The middles of the filter bank's bands, in Hz."""


class Utterance(NamedTuple):
    """What was heard, (T, 20), and what was said."""

    heard: np.ndarray
    said: str


def utterance(draw: np.random.Generator) -> Utterance:
    """Return three to six digits, spoken by a voice of its own at a pace of its own."""
    said = "".join(draw.choice([*DIGITS], draw.integers(3, 7)))
    voice, pace = draw.uniform(0.88, 1.14), draw.uniform(2.0, 4.5)
    targets = np.array([SOUNDS[sound] for digit in said for sound in DIGITS[digit]])
    moments = np.cumsum(pace * draw.uniform(0.6, 1.4, len(targets)))
    frames = np.arange(math.ceil(moments[-1]) + 2)
    *formants, loudness = (np.interp(frames, moments, track) for track in targets.T)
    power = sum(np.exp(-(((BANDS - voice * formant[:, None]) / 220) ** 2)) for formant in formants)
    heard = np.log(loudness[:, None] * power + 0.02) + draw.normal(0, 0.5, (len(frames), len(BANDS)))
    return Utterance(heard.astype("float32"), said)


def utterances(count: int, seed: int) -> list[Utterance]:
    """Return utterances drawn by a seed."""
    draw = np.random.default_rng(seed)
    return [utterance(draw) for _ in range(count)]


class Recogniser(nn.Module):
    """At every moment the log-probabilities of blank and ten digits, from all moments before and behind."""

    def __init__(self, hidden: int = 64) -> None:
        self.lstm = nn.LSTM(len(BANDS), hidden, bidirectional=True)
        self.output = nn.Linear(2 * hidden, 1 + len(DIGITS))

    def forward(self, heard: tg.Tensor, lengths: tg.Tensor) -> tg.Tensor:
        """Return (T, B, 11) for what was heard, (T, B, 20), of which each has a length (B,)."""
        hidden, _ = self.lstm(heard, lengths=lengths)
        return tg.log_softmax(self.output(hidden), axis=-1)


class Momentary(nn.Module):
    """The same without memory: each moment, with the two before and behind it, goes through two layers alone."""

    def __init__(self, hidden: int = 128) -> None:
        self.first = nn.Linear(5 * len(BANDS), hidden)
        self.second = nn.Linear(hidden, hidden)
        self.output = nn.Linear(hidden, 1 + len(DIGITS))

    def forward(self, heard: tg.Tensor, lengths: tg.Tensor) -> tg.Tensor:
        """Return (T, B, 11) for what was heard, (T, B, 20); lengths make no difference."""
        padded = tg.pad(heard, [(2, 2), (0, 0), (0, 0)])
        window = tg.concat([padded[i : i + len(heard)] for i in range(5)], axis=-1)
        return tg.log_softmax(self.output(tg.relu(self.second(tg.relu(self.first(window))))), axis=-1)


def collate(batch: Sequence[Utterance]) -> tuple[tg.Tensor, tg.Tensor]:
    """Return what was heard (T, B, 20), around 0, and the lengths (B,)."""
    heard = [each.heard / 2 + 1 for each in batch]
    return data.pad_sequence(heard), data.sequence_lengths(heard)


def ctc(model: nn.Module, batch: Sequence[Utterance]) -> tg.Tensor:
    """Return the loss of a batch: all ways to place the digits in time count as right."""
    heard, lengths = collate(batch)
    labels = [[int(digit) + 1 for digit in each.said] for each in batch]
    return tg.ctc_loss(
        model(heard, lengths), data.pad_sequence(labels, batch_first=True), lengths, data.sequence_lengths(labels)
    )


def train(model: nn.Module, training: list[Utterance], epochs: int, title: str) -> None:
    """Train on all utterances, some times over."""
    batches = [
        batch
        for epoch in range(epochs)
        for batch in data.Minibatches(training, 32, seed=epoch, length=lambda each: len(each.heard))
    ]
    optimizer = optim.Adam(model.parameters(), lr=0.005)
    schedule = optim.CosineAnnealingLR(optimizer, len(batches))
    bar = data.Progress(batches, title, unit="updates")
    for batch in bar:
        loss = ctc(model, batch)
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.show(loss=loss)


def transcribe(model: nn.Module, batch: Sequence[Utterance]) -> list[str]:
    """Return what a model hears: the likeliest class at each moment, repetitions and blanks left out."""
    heard, lengths = collate(batch)
    with nn.evaluating(model):
        likeliest = model(heard, lengths).argmax(axis=-1).numpy()
    return [
        "".join(str(number - 1) for number, _ in groupby(classes[:length].tolist()) if number != BLANK)
        for classes, length in zip(likeliest.T, lengths.tolist(), strict=True)
    ]


def distance(said: str, heard: str) -> int:
    """Return the edit distance: how many digits are to be changed, added or left out.

    >>> distance("1234", "2335")
    3
    """
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, start=1):
        before, row[0] = row[0], i
        for j, b in enumerate(heard, start=1):
            before, row[j] = row[j], min(before + (a != b), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def error_rate(heard: Sequence[str], wanted: Sequence[Utterance]) -> float:
    """Return the label error rate: edits for each digit that was said."""
    edits = sum(distance(each.said, digits) for digits, each in zip(heard, wanted, strict=True))
    return edits / sum(len(each.said) for each in wanted)


def nearest(training: Sequence[Utterance], wanted: Sequence[Utterance]) -> list[str]:
    """Return for each utterance the digits of the nearest in training, when all are stretched to the same length."""

    def stretched(each: Utterance) -> np.ndarray:
        places = np.linspace(0, len(each.heard) - 1, 50)
        return np.stack([np.interp(places, range(len(each.heard)), band) for band in each.heard.T]).ravel()

    known = np.stack([stretched(each) for each in training])
    return [training[int(((known - stretched(each)) ** 2).sum(axis=1).argmin())].said for each in wanted]


def plot_utterance(model: nn.Module, each: Utterance, title: str, path: Path) -> None:
    """Plot what was heard over time, and below how likely the model takes each digit at each moment."""
    with nn.evaluating(model):
        p = tg.exp(model(*collate([each]))[:, 0]).numpy()
    with plots.figure(path, 9, 5) as figure:
        above, below = figure.subplots(2, sharex=True)
        above.imshow(each.heard.T, origin="lower", aspect="auto", cmap="Greys", extent=(-0.5, len(p) - 0.5, 0.1, 3.7))
        above.set(ylabel="Frequency (kHz)", title=f"What was heard when “{' '.join(each.said)}” was said")
        below.plot(p[:, BLANK], color=COLOURS["edge"], linewidth=1, linestyle=":")
        for digit in DIGITS:
            track = p[:, int(digit) + 1]
            if track.max() > 0.3:
                below.plot(track, color=COLOURS["h"])
        for number, run in groupby(range(len(p)), key=lambda t: int(p[t].argmax())):
            if number != BLANK:
                middle = max(run, key=lambda t: p[t, number])
                below.annotate(
                    str(number - 1), (middle, p[middle, number]), xytext=(0, 4), textcoords="offset points", ha="center"
                )
        below.set(xlabel="Moment", ylabel="Probability", ylim=(0, 1.18), title=title)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train with memory and without, compare on held-out utterances, and draw; return label error rates by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.speech_ctc", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less data and time: seconds, for a try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("speech_ctc-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)
    tg.manual_seed(options.seed)

    count, epochs, judged = (600, 15, 50) if options.quick else (1500, 10, 300)
    training, heldout = utterances(count, 2 * options.seed), utterances(judged, 2 * options.seed + 1)
    moments = sum(len(each.heard) for each in training) / count
    print(f"{count:,} utterances to learn from, of 3 to 6 digits in {moments:.0f} moments on average")
    models = {"LSTM": Recogniser(), "no memory": Momentary()}
    heard = {}
    for name, model in models.items():
        train(model, training, epochs, name)
        heard[name] = transcribe(model, heldout)
    heard["nearest utterance"] = nearest(training, heldout)

    figures = {}
    print("Held-out utterances: label error rate, and those heard without a mistake")
    for name, digits in heard.items():
        key = name.lower().replace(" ", "_")
        figures[f"errors_{key}"] = error_rate(digits, heldout)
        figures[f"exact_{key}"] = sum(
            each.said == heard_now for each, heard_now in zip(heldout, digits, strict=True)
        ) / len(heldout)
        print(f"  {figures[f'errors_{key}']:6.1%}  {figures[f'exact_{key}']:6.1%}  {name}")

    with plots.pictures(options.out):
        title = "How likely each digit is at each moment (dotted: blank)"
        plot_utterance(models["LSTM"], heldout[0], f"LSTM: {title}", options.out / "lstm.svg")
        plot_utterance(models["no memory"], heldout[0], f"No memory: {title}", options.out / "no-memory.svg")
    return figures


if __name__ == "__main__":
    main()
