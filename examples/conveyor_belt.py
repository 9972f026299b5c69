"""The cell state, a conveyor belt: what a trained LSTM has on it, and how gradients travel along it.

An LSTM and a plain RNN learn the texts of `examples.long_gaps`: "I grew up in France. ... I speak fluent ___". What the
LSTM has on its belt is plotted word by word, and exchanged for that of another text to see which answer comes with it.
Then the gradient of the blank is followed back through both nets, beside what the equations say: the product of the
forget gates, and that of the RNN's Jacobian matrices.

    python -m examples.conveyor_belt
    python -m examples.conveyor_belt --quick
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Sequence
from pathlib import Path

import tinygrad_lstm as tg
from examples import plots
from examples.long_gaps import COUNTRIES, LANGUAGES, NAME, NUMBERS, Reader, Settings, accuracy, batch, story, train
from tinygrad_lstm import nn
from tinygrad_lstm.graph.palette import COLOURS, TINTS

Step = dict[str, tg.Tensor]
"""What a cell computed at a step, by letter: h, and the LSTM's c, i, f, g and o."""


def trained(kind: str, seed: int, updates: int, longest: int) -> Reader:
    """Return a net that has learned texts with ever more words between."""
    tg.manual_seed(seed)
    model = Reader(kind, hidden=32)
    train(model, Settings(updates=updates, longest=longest), seed, kind)
    return model


# One step at a time


def one_step(layer: nn.LSTM | nn.RNN) -> nn.LSTMCell | nn.RNNCell:
    """Return a cell with the weights of a layer, so that each step's states can be had, cut and exchanged."""
    kind = nn.LSTMCell if isinstance(layer, nn.LSTM) else nn.RNNCell
    cell = kind(layer.input_size, layer.hidden_size)
    cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in layer.state_dict().items()})
    return cell


def read(model: Reader, words: tg.Tensor, cut: str = "") -> list[Step]:
    """Return what each step computes on words (T, B); through a state that is cut, no gradient passes between steps."""
    cell, state, steps = one_step(model.recurrent), None, []
    for x in model.embedding(words):
        _, seen = cell(x, state, record=True)
        steps.append(seen)
        carried = [seen[letter].detach() if letter in cut else seen[letter] for letter in "hc" if letter in seen]
        state = carried if len(carried) == 2 else carried[0]
    return steps


# What is on the belt


def numbered(text: Sequence[str]) -> tg.Tensor:
    """Return the words of one text up to the blank, as numbers (T, 1)."""
    return tg.asarray([[NUMBERS[word]] for word in text[:-1]])


def moved(text: Sequence[str], country: str) -> list[str]:
    """Return the same text about another country."""
    return [*text[:NAME], country, *text[NAME + 1 : -1], LANGUAGES[country]]


def belt(model: Reader, text: Sequence[str]) -> tg.Tensor:
    """Return the cell state after each word of a text, (T, H)."""
    *_, seen = model.recurrent(model.embedding(numbered(text)), record=True)
    return seen["c"][0, :, 0].detach()


def exchanged(model: Reader, letters: str, gap: int) -> float:
    """Return how often a net tells the other text's language when it gets that text's c or h, or both, half way.

    There are a hundred pairs of texts, the two of each different in the country alone.
    """
    cell = one_step(model.recurrent)
    draw = random.Random(f"held out, {gap}")
    own = [story(gap, draw) for _ in range(100)]
    other = [moved(text, draw.choice([country for country in COUNTRIES if country != text[NAME]])) for text in own]
    half = NAME + 2 + gap // 2
    with nn.evaluating(model):
        mine, theirs = (tg.concat([numbered(text) for text in some], axis=1) for some in (own, other))
        here, there = read(model, mine[:half])[-1], read(model, theirs[:half])[-1]
        state = tuple((there if letter in letters else here)[letter] for letter in "hc")
        for x in model.embedding(mine[half:]):
            state = cell(x, state)
        said = model.scores(state[0]).argmax(axis=-1)
    answers = tg.asarray([NUMBERS[text[-1]] for text in other])
    return (said == answers).mean().item()


# How gradients travel


def gradients(model: Reader, letter: str, gap: int, texts: int, cut: str = "") -> tuple[list[tg.Tensor], list[Step]]:
    """Return the gradient (B, H) of the blank's loss with respect to c or h, for every step, and the steps."""
    words, following = batch(gap, texts, random.Random(f"held out, {gap}"))
    steps = read(model, words, cut)
    loss = tg.cross_entropy(model.scores(steps[-1]["h"]), following[-1], reduction="sum")
    return list(tg.grad(loss, [step[letter] for step in steps])), steps


def along_the_gates(last: tg.Tensor, steps: Sequence[Step]) -> list[tg.Tensor]:
    """Return dL/dc_T times the forget gates of all later steps, for every step."""
    left = [last]
    for step in reversed(steps[1:]):
        left.append(left[-1] * step["f"].detach())
    return left[::-1]


def through_the_matrices(last: tg.Tensor, steps: Sequence[Step], W_h: tg.Tensor) -> list[tg.Tensor]:
    """Return dL/dh_T times the Jacobians of all later steps, diag(1 - h²) W_h, for every step."""
    left = [last]
    for step in reversed(steps[1:]):
        left.append((left[-1] * (1 - step["h"].detach() ** 2)) @ W_h.detach())
    return left[::-1]


def left_over(found: Sequence[tg.Tensor]) -> list[float]:
    """Return the norm of each step's gradient divided by the last step's, the median of the texts."""
    return [statistics.median((tg.norm(g, axis=-1) / tg.norm(found[-1], axis=-1)).tolist()) for g in found]


def measured(lstm: Reader, rnn: Reader, gap: int, texts: int = 50) -> dict[str, list[float]]:
    """Return what is left of the gradient at every step, along each way through the nets."""
    of_c, steps = gradients(lstm, "c", gap, texts)
    of_h, _ = gradients(lstm, "h", gap, texts)
    only_c, _ = gradients(lstm, "c", gap, texts, cut="h")
    only_h, _ = gradients(lstm, "h", gap, texts, cut="c")
    of_rnn, rnn_steps = gradients(rnn, "h", gap, texts)
    W_h = rnn.recurrent.weight_hh_l0
    return {
        "LSTM, dL/dc": left_over(of_c),
        "LSTM, dL/dh": left_over(of_h),
        "LSTM, product of the forget gates": left_over(along_the_gates(of_c[-1], steps)),
        "LSTM, dL/dc along the belt alone": left_over(only_c),
        "LSTM, dL/dh through h alone": left_over(only_h),
        "RNN, dL/dh": left_over(of_rnn),
        "RNN, product of the matrices": left_over(through_the_matrices(of_rnn[-1], rnn_steps, W_h)),
    }


def cells_that_keep(model: Reader, gap: int, texts: int = 50) -> float:
    """Return how many cells keep more than half of what they had at the name until the blank, in the texts' mean."""
    words, _ = batch(gap, texts, random.Random(f"held out, {gap}"))
    with nn.evaluating(model):
        steps = read(model, words)
    kept = along_the_gates(tg.ones_like(steps[-1]["f"]), steps)[NAME]
    return (kept > 0.5).sum().item() / texts


# Pictures


def plot_belt(model: Reader, gap: int, path: Path) -> None:
    """Plot the belt on a text about France, and what is other on it if the text is about Italy."""
    from matplotlib.colors import LinearSegmentedColormap

    text = moved(story(gap, random.Random(3)), "France")
    here, there = belt(model, text), belt(model, moved(text, "Italy"))
    by_difference = tg.argsort(tg.abs(here - there)[-1], descending=True)
    tints = LinearSegmentedColormap.from_list("tints", TINTS)
    with plots.figure(path, 9, 7) as figure:
        panels = figure.subplots(2, sharex=True)
        titles = "The cell state after each word", "What is other on it if “Italy” stands for “France”: the difference"
        for axes, values, title in zip(panels, (here, here - there), titles, strict=True):
            rows = tg.take(values, by_difference, axis=1).T.numpy()
            image = axes.imshow(rows, aspect="auto", cmap=tints, vmin=-5, vmax=5, interpolation="nearest")
            axes.set_title(title, loc="left")
            axes.set(ylabel="32 cells, in the order of\ntheir difference at the end", yticks=[])
        panels[1].set_xticks(range(len(text) - 1), text[:-1], rotation=60, ha="right", rotation_mode="anchor")
        figure.colorbar(image, ax=panels, label="value; tints end at −5 and 5", shrink=0.6)


LOOKS = {
    "LSTM, dL/dc": ("c", "-"), "LSTM, product of the forget gates": ("layer", "--"),
    "LSTM, dL/dh through h alone": ("h", "-."), "RNN, dL/dh": ("gradient", "-"),
    "RNN, product of the matrices": ("text", ":"),
}  # fmt: skip


def plot_gradients(before: dict[str, list[float]], runs: Sequence[dict[str, list[float]]], path: Path) -> None:
    """Plot how much gradient is left against how far it has come: of nets before training, and of each trained one."""
    with plots.figure(path, 10, 4.5) as figure:
        panels = figure.subplots(ncols=2, sharey=True)
        for axes, curves, title in zip(panels, ([before], runs), ("Before training", "After training"), strict=True):
            for name, (kind, style) in LOOKS.items():
                for number, run in enumerate(curves):
                    label = name if number == 0 else None
                    axes.plot(run[name][::-1], color=COLOURS[kind], linestyle=style, linewidth=1.8, label=label)
            axes.set(yscale="log", ylim=(1e-15, 1e2), xlabel="words back from the blank", title=title)
        panels[0].set_ylabel("length of the gradient,\nas a part of that at the end")
        panels[0].legend(frameon=False, loc="lower right")


def draw_steps(model: Reader, path: Path) -> None:
    """Draw three steps of the net, from the country's name on, with the values that it computes."""
    words = numbered(moved(story(4, random.Random(3)), "France"))
    with nn.evaluating(model):
        _, state = model.recurrent(model.embedding(words[:NAME]))
        xs = model.embedding(words[NAME : NAME + 3])
    with tg.Tape() as tape:
        model.recurrent(xs, state)
    tg.draw(tape, path, level="gate", values=True, title="“France . my”")


# All of it


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train nets, follow values and gradients along texts, print and draw; return medians of the runs, by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.conveyor_belt", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer updates, shorter texts, one run: seconds")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first run")
    parser.add_argument("--out", type=Path, default=Path("conveyor_belt-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)

    updates, gap, runs = (700, 20, 1) if options.quick else (3000, 50, 3)
    tg.manual_seed(options.seed)
    before = measured(Reader("LSTM", 32), Reader("RNN", 32), gap)
    figures: list[dict[str, float]] = []
    curves: list[dict[str, list[float]]] = []
    nets: list[Reader] = []
    for seed in range(options.seed, options.seed + runs):
        lstm, rnn = (trained(kind, seed, updates, gap) for kind in ("LSTM", "RNN"))
        curves.append(measured(lstm, rnn, gap))
        figures.append(
            {"guessing": 1 / len(COUNTRIES), "LSTM, right": accuracy(lstm, gap), "RNN, right": accuracy(rnn, gap)}
            | {f"the other answer with the other {letters}": exchanged(lstm, letters, gap) for letters in ("c", "h")}
            | {"cells that keep half": cells_that_keep(lstm, gap)}
            | {name: curve[NAME] for name, curve in curves[-1].items()}
        )
        nets.append(lstm)

    print(f"{gap} words between; what is left of the gradient at the name, {gap + 5} words back; each run")
    for name in figures[0]:
        untrained = f"   untrained {before[name][NAME]:.1e}" if name in before else ""
        print(f"{name:>34}" + "".join(f"{run[name]:>9.2g}" for run in figures) + untrained)
    with plots.pictures(options.out):
        plot_gradients(before, curves, options.out / "gradients.svg")
        plot_belt(nets[0], 14, options.out / "belt.svg")
        draw_steps(nets[0], options.out / "steps.svg")
    return {name: statistics.median(run[name] for run in figures) for name in figures[0]}


if __name__ == "__main__":
    main()
