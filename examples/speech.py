"""Speech: who of nine men is speaking? An LSTM hears two vowels, twelve numbers at a time.

The recordings are the "Japanese Vowels" of Kudo, Toyama and Shimbo, "Multidimensional curve classification using
passing-through regions", 1999: 640 utterances of /ae/, each 7 to 29 moments long, at each moment twelve coefficients of
a linear prediction (LPC). The package ``aeon`` carries them, so nothing is fetched. The LSTM is compared with the
nearest of the nine speakers' means, and with the nearest of all utterances in training.

    pip install ".[speech]"
    python -m examples.speech
    python -m examples.speech --quick
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS

SPEAKERS = 9
COEFFICIENTS = 12


class Utterance(NamedTuple):
    """What was heard, (T, 12), and who spoke, a number from 0 to 8."""

    heard: np.ndarray
    speaker: int


def utterances(part: str) -> list[Utterance]:
    """Return the utterances of a part, ``"TRAIN"`` or ``"TEST"``.

    Raises
    ------
    SystemExit
        If aeon is not installed.
    """
    try:
        folder = resources.files("aeon")
    except ModuleNotFoundError:
        raise SystemExit("The recordings are in the package aeon, which is not installed: pip install aeon.") from None
    text = folder.joinpath(f"datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts").read_text(encoding="utf-8")
    return [parsed(line) for line in text.partition("@data\n")[2].splitlines()]


def parsed(line: str) -> Utterance:
    """Return the utterance on a line: each coefficient over time, apart by colons, and the speaker, from 1.

    >>> parsed("1,2,3:4,5,6:2")
    Utterance(heard=array([[1., 4.],
           [2., 5.],
           [3., 6.]], dtype=float32), speaker=1)
    """
    *coefficients, speaker = line.split(":")
    heard = [[float(number) for number in coefficient.split(",")] for coefficient in coefficients]
    return Utterance(np.array(heard, dtype="float32").T, int(speaker) - 1)


class Listener(nn.Module):
    """Hear an utterance forwards and backwards, and tell from the mean of all states who it was."""

    def __init__(self, hidden: int = 48) -> None:
        self.lstm = nn.LSTM(COEFFICIENTS, hidden, bidirectional=True)
        self.dropout = nn.Dropout(0.3)
        self.output = nn.Linear(2 * hidden, SPEAKERS)

    def forward(self, heard: tg.Tensor, lengths: tg.Tensor) -> tg.Tensor:
        """Return scores (B, 9) for what was heard, (T, B, 12), of which each has a length (B,)."""
        hidden, _ = self.lstm(heard, lengths=lengths)  # 0 behind the end of an utterance
        return self.output(self.dropout(hidden.sum(axis=0) / lengths[:, None]))

    def so_far(self, heard: tg.Tensor) -> tg.Tensor:
        """Return how likely each speaker is, had the utterance (T, 12) ended at every one of its moments: (T, 9)."""
        beginnings = [heard[: t + 1] for t in range(len(heard))]
        return tg.softmax(self(data.pad_sequence(beginnings), data.sequence_lengths(beginnings)), axis=-1)


class Scale(NamedTuple):
    """Mean and spread of each coefficient in training, (12,)."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, training: Sequence[Utterance]) -> Scale:
        """Return the scale of what was heard in training."""
        moments = np.concatenate([each.heard for each in training])
        return cls(moments.mean(axis=0), moments.std(axis=0))

    def __call__(self, heard: np.ndarray) -> np.ndarray:
        """Return what was heard, every coefficient around 0 with spread 1."""
        return (heard - self.mean) / self.spread


def collate(batch: Sequence[Utterance]) -> tuple[tg.Tensor, tg.Tensor, tg.Tensor]:
    """Return what was heard (T, B, 12), the lengths (B,) and the speakers (B,)."""
    heard = [each.heard for each in batch]
    return data.pad_sequence(heard), data.sequence_lengths(heard), tg.asarray([each.speaker for each in batch])


def train(model: Listener, training: list[Utterance], epochs: int) -> None:
    """Train on all utterances, some times over."""
    batches = [batch for epoch in range(epochs) for batch in data.Minibatches(training, 30, seed=epoch)]
    optimizer = optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.01)
    schedule = optim.CosineAnnealingLR(optimizer, len(batches))
    bar = data.Progress(batches, "Training", unit="updates")
    for batch in bar:
        heard, lengths, speakers = collate(batch)
        loss = tg.cross_entropy(model(heard, lengths), speakers)
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.show(loss=loss)


def recognised(model: Listener, batch: Sequence[Utterance]) -> np.ndarray:
    """Return who the model takes to be speaking, (B,)."""
    heard, lengths, _ = collate(batch)
    with nn.evaluating(model):
        return model(heard, lengths).argmax(axis=-1).numpy()


def nearest_mean(training: Sequence[Utterance], heldout: Sequence[Utterance]) -> np.ndarray:
    """Return the speakers whose mean over all moments is nearest to the mean over those of an utterance."""
    by_speaker = [[each.heard for each in training if each.speaker == speaker] for speaker in range(SPEAKERS)]
    means = np.stack([np.concatenate(heard).mean(axis=0) for heard in by_speaker])
    own = np.stack([each.heard.mean(axis=0) for each in heldout])
    return ((own[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)


def nearest_utterance(training: Sequence[Utterance], heldout: Sequence[Utterance]) -> np.ndarray:
    """Return who spoke the utterance in training that is nearest, all filled up with zeros to the same length."""
    longest = max(len(each.heard) for each in [*training, *heldout])

    def padded(each: Utterance) -> np.ndarray:
        return np.pad(each.heard, [(0, longest - len(each.heard)), (0, 0)]).ravel()

    known = np.stack([padded(each) for each in training])
    places = [((known - padded(each)) ** 2).sum(axis=1).argmin() for each in heldout]
    return np.array([training[place].speaker for place in places])


def plot_confusions(found: np.ndarray, heldout: Sequence[Utterance], path: Path) -> None:
    """Plot how many utterances of each speaker were taken for whose."""
    from matplotlib.colors import LinearSegmentedColormap

    counts = np.zeros((SPEAKERS, SPEAKERS), dtype=int)
    np.add.at(counts, ([each.speaker for each in heldout], found), 1)
    with plots.figure(path, 5.5, 5) as figure:
        axes = figure.subplots()
        ink = LinearSegmentedColormap.from_list("counts", ["#FFFFFF", COLOURS["h"]])
        axes.imshow(counts / counts.sum(axis=1, keepdims=True), cmap=ink, vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                axes.text(column, row, count, ha="center", va="center", color="white" if row == column else "black")
        numbers = range(1, SPEAKERS + 1)
        axes.set_xticks(range(SPEAKERS), numbers)
        axes.set_yticks(range(SPEAKERS), numbers)
        axes.set(
            xlabel="Taken for speaker", ylabel="Speaker", title="Held-out utterances: who spoke, and who was recognised"
        )


def plot_moments(p: np.ndarray, each: Utterance, path: Path) -> None:
    """Plot an utterance over time, and below how likely each speaker is after every moment."""
    with plots.figure(path, 7, 5) as figure:
        above, below = figure.subplots(2, sharex=True)
        above.imshow(each.heard.T, aspect="auto", cmap="PuOr_r", vmin=-3, vmax=3)
        above.set(
            ylabel="Coefficient",
            title=f"An utterance of speaker {each.speaker + 1} (violet below the mean, orange above)",
        )
        above.set_yticks(range(0, COEFFICIENTS, 2), range(1, COEFFICIENTS + 1, 2))
        below.plot(p, color=COLOURS["edge"], linewidth=0.8)
        below.plot(p[:, each.speaker], color=COLOURS["h"], linewidth=2.5)
        for speaker in np.unique([*p.argmax(axis=1), each.speaker]):
            moment = int(p[:, speaker].argmax())
            below.annotate(
                f"speaker {speaker + 1}",
                (moment, p[moment, speaker]),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
            )
        below.set(
            xlabel="Moment", ylabel="Probability", ylim=(-0.02, 1.15), title="Who the model believes it is, so far"
        )


def hesitant(model: Listener, heldout: Sequence[Utterance]) -> Iterator[tuple[np.ndarray, Utterance]]:
    """Give the utterances of which the model is right in the end but was wrong before, with what it believed (T, 9)."""
    with nn.evaluating(model):
        for each in heldout:
            p = model.so_far(tg.asarray(each.heard)).numpy()
            if p[-1].argmax() == each.speaker and (p[:4].argmax(axis=1) != each.speaker).any():
                yield p, each


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train, compare with nearest neighbours on held-out utterances, and draw; return the accuracies by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.speech", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less time: seconds, for a try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("speech-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)
    tg.manual_seed(options.seed)

    training, heldout = utterances("TRAIN"), utterances("TEST")
    scale = Scale.of(training)
    training, heldout = ([each._replace(heard=scale(each.heard)) for each in part] for part in (training, heldout))
    print(f"{len(training)} utterances of {SPEAKERS} speakers to learn from, {len(heldout)} held out")
    model = Listener()
    train(model, training, epochs=20 if options.quick else 100)

    found = {
        "LSTM": recognised(model, heldout),
        "nearest utterance": nearest_utterance(training, heldout),
        "nearest mean": nearest_mean(training, heldout),
    }
    spoke = np.array([each.speaker for each in heldout])
    figures = {}
    print("Held-out utterances of which the speaker was recognised")
    for name, speakers in found.items():
        figures[name.lower().replace(" ", "_")] = accuracy = float((speakers == spoke).mean())
        print(f"  {accuracy:6.1%}  {name}")
    print(f"  {np.bincount(spoke).max() / len(spoke):6.1%}  the most frequent speaker every time")

    with plots.pictures(options.out):
        plot_confusions(found["LSTM"], heldout, options.out / "confusions.svg")
        p, each = next(hesitant(model, heldout))
        plot_moments(p, each, options.out / "moments.svg")
    return figures


if __name__ == "__main__":
    main()
