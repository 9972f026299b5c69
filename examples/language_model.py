"""Language modelling: an LSTM reads half a million characters and learns to say which one comes next.

The text is that of Python's own ``help()``, which every Python carries. This is ``tinygrad-lstm demo`` written out in
one file: the model, truncated backpropagation through time, the bits that a held-out character costs, and a sample.

    python -m examples.language_model
    python -m examples.language_model --quick
"""

from __future__ import annotations

import argparse
import lzma
import math
import random
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS, heat

State = tuple[tg.Tensor, tg.Tensor]

BATCH, STEPS = 32, 64

COLUMNS = 72
"""How many characters a line of the text of surprises has at most."""


def split(text: str) -> tuple[str, str]:
    """Return the text but for its last tenth, to train on, and its last tenth, held out."""
    border = len(text) - len(text) // 10
    return text[:border], text[border:]


class LanguageModel(nn.Module):
    """From each character of a text, and what came before, a score for each character that may follow."""

    def __init__(self, characters: int, embedding: int, hidden: int) -> None:
        self.embedding = nn.Embedding(characters, embedding)
        self.lstm = nn.LSTM(embedding, hidden)
        self.output = nn.Linear(hidden, characters)

    def forward(self, characters: tg.Tensor, state: State | None = None) -> tuple[tg.Tensor, State]:
        """Return scores (T, B, V) and the state behind the last step, for characters (T, B)."""
        hidden, state = self.lstm(self.embedding(characters), state)
        return self.output(hidden), state


def nats(scores: tg.Tensor, targets: tg.Tensor) -> tg.Tensor:
    """Return -log p of each target, shape (T * B,), for scores (T, B, V) and targets (T, B)."""
    return tg.cross_entropy(scores.reshape(targets.size, -1), targets.reshape(-1), reduction="none")


def stretches(model: LanguageModel, numbers: tg.Tensor) -> Iterator[tuple[tg.Tensor, tg.Tensor]]:
    """Give the text over and over: scores and targets of 64 characters in each of 32 places, the state carried on."""
    while True:
        yield from nn.truncated_bptt(model, data.windows(numbers, BATCH, STEPS))


def train(
    model: LanguageModel, training: tg.Tensor, heldout: tg.Tensor, updates: int, every: int
) -> list[tuple[int, float]]:
    """Train, and return the bits per held-out character after every so many updates."""
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    schedule = optim.CosineAnnealingLR(optimizer, updates)
    curve = [(0, bits_per_character(model, heldout))]
    bar = data.Progress(islice(stretches(model, training), updates), "Training", total=updates, unit="updates")
    for update, (scores, targets) in enumerate(bar, start=1):
        loss = nats(scores, targets).mean()
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.show(**{"bits/char": loss.item() / math.log(2)})
        if update % every == 0 or update == updates:
            curve.append((update, bits_per_character(model, heldout)))
    return curve


def bits_per_character(model: LanguageModel, numbers: tg.Tensor) -> float:
    """Return the mean of -log2 p over a text read from its beginning, in 32 parts side by side."""
    total, count = 0.0, 0
    with nn.evaluating(model):
        for scores, targets in nn.truncated_bptt(model, data.windows(numbers, BATCH, STEPS)):
            total += nats(scores, targets).sum().item()
            count += targets.size
    return total / math.log(2) / count


def bigram_bits(training: str, heldout: str, characters: int, smoothing: float = 0.1) -> float:
    """Return the bits per held-out character where each depends on the one before, as counted in training."""
    pairs, firsts = Counter(pairwise(training)), Counter(training[:-1])
    bits = [
        -math.log2((pairs[a, b] + smoothing) / (firsts[a] + smoothing * characters))
        for a, b in pairwise(training[-1] + heldout)
    ]
    return sum(bits) / len(bits)


def compressor_bits(training: str, heldout: str) -> float:
    """Return the bits that xz adds for each held-out character, when it has just packed the training text.

    Predicting well and packing small are the same task: a good predictor spends -log2 p bits on what comes.
    """
    both, first = (len(lzma.compress(text.encode(), preset=9)) for text in (training + heldout, training))
    return (both - first) * 8 / len(heldout)


def write(
    model: LanguageModel, vocabulary: data.Vocabulary, prompt: str, length: int, temperature: float, seed: int
) -> str:
    """Continue a text: draw a character by its probability, feed it back, and so on."""
    draw = random.Random(seed)
    text, unread, state = prompt, prompt, None
    with nn.evaluating(model):
        for _ in range(length):
            scores, state = model(vocabulary.encode(unread)[:, None], state)
            p = tg.softmax(scores[-1, 0] / temperature)
            unread = draw.choices(vocabulary.characters, p.tolist())[0]
            text += unread
    return text


def surprises(model: LanguageModel, vocabulary: data.Vocabulary, text: str) -> list[float]:
    """Return how many bits each character of a text costs the model, but for the first, which it is given."""
    numbers = vocabulary.encode(text)[:, None]
    with nn.evaluating(model):
        scores, _ = model(numbers[:-1])
    return (nats(scores, numbers[1:]) / math.log(2)).tolist()


def plot_training(curve: list[tuple[int, float]], baselines: dict[str, float], path: Path) -> None:
    """Plot the bits per held-out character during training, beside what simpler things need."""
    with plots.figure(path, 7, 4) as figure:
        axes = figure.subplots()
        updates, bits = zip(*curve, strict=True)
        axes.plot(updates, bits, color=COLOURS["h"], marker="o", markersize=4)
        axes.annotate(
            f"LSTM, {bits[-1]:.2f}", (updates[-1], bits[-1]), xytext=(6, 0), textcoords="offset points", va="center"
        )
        for name, value in baselines.items():
            axes.axhline(value, color=COLOURS["edge"], linestyle="--", linewidth=1)
            axes.annotate(
                f"{name}, {value:.2f}", (updates[-1], value), xytext=(6, 0), textcoords="offset points", va="center"
            )
        axes.set(title="What a held-out character costs", xlabel="Updates", ylabel="Bits per character", ylim=(0, None))
        axes.set_xlim(0, updates[-1])


def plot_surprises(text: str, bits: list[float], path: Path) -> None:
    """Write a text with each character on the tint of what it cost: orange is a surprise, white none."""
    from matplotlib.patches import Rectangle

    lines: list[list[tuple[str, float]]] = [[]]
    for character, cost in zip(text, [0.0, *bits], strict=True):
        lines[-1].append(("↵" if character == "\n" else character, cost))
        if character == "\n" or len(lines[-1]) == COLUMNS:
            lines.append([])
    with plots.figure(path, 9, 0.26 * len(lines) + 0.4) as figure:
        axes = figure.subplots()
        for row, line in enumerate(lines):
            for column, (character, cost) in enumerate(line):
                tint = heat(min(cost, 8.0) / 8 * 0.7)
                axes.add_patch(Rectangle((column, row), 1, 1, facecolor=tint, edgecolor="none"))
                if character != " ":
                    axes.text(
                        column + 0.5, row + 0.55, character, family="monospace", fontsize=9, ha="center", va="center"
                    )
        axes.set(xlim=(0, COLUMNS), ylim=(len(lines), 0))
        axes.set_title("Held-out text, each character tinted by its surprise: white 0 bits, orange 8 bits and more")
        axes.axis("off")


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train, compare, let the model write, and draw; return the bits per held-out character by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.language_model", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small model and a part of the text: seconds, for a try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("language_model-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)
    tg.manual_seed(options.seed)

    text = data.python_topics()[: 100_000 if options.quick else None]
    training, heldout = split(text)
    vocabulary = data.Vocabulary.of(text)
    hidden, updates = (64, 250) if options.quick else (256, 600)
    model = LanguageModel(len(vocabulary), embedding=64, hidden=hidden)
    print(f"{len(training):,} characters to learn from, {len(heldout):,} held out, {len(vocabulary)} different ones")
    curve = train(model, vocabulary.encode(training), vocabulary.encode(heldout), updates, every=max(1, updates // 12))

    figures = {
        "lstm": curve[-1][1],
        "uniform": math.log2(len(vocabulary)),
        "bigram": bigram_bits(training, heldout, len(vocabulary)),
        "xz": compressor_bits(training, heldout),
    }
    print("Bits per held-out character, fewer are better")
    print(f"  {figures['uniform']:.3f}  all characters as likely")
    print(f"  {figures['bigram']:.3f}  from the character before, as counted")
    print(f"  {figures['xz']:.3f}  the packer xz, which keeps the whole training text")
    print(f"  {figures['lstm']:.3f}  the LSTM, with {sum(p.size for p in model.parameters()):,} weights")
    print("The model writes, from 'The ' on")
    print(
        textwrap.indent(
            write(model, vocabulary, "The ", 400, temperature=0.7, seed=options.seed), "  | ", lambda _: True
        )
    )

    with plots.pictures(options.out):
        baselines = {"bigram": figures["bigram"], "uniform": figures["uniform"], "xz": figures["xz"]}
        plot_training(curve, baselines, options.out / "training.svg")
        passage = heldout[:500]
        plot_surprises(passage, surprises(model, vocabulary, passage), options.out / "surprises.svg")
    return figures


if __name__ == "__main__":
    main()
