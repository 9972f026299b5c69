"""Gate by gate: what each gate of an LSTM does in a net that has read stories about she and he.

A net learns to say the next word of little stories: "clara sees her dog . the sun is warm . she meets dear hugo ."
After a full stop it has to know who the story is about, because that decides between "she" and "he". A new subject
replaces the old one; a friend who is only met does not. Of several nets, the one whose cell keeps this most clearly in
a single number is looked into: what the forget gate does to that number when a new subject comes, and what happens if
the gate is held open.

    python -m examples.gates
    python -m examples.gates --quick
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
from tinygrad_lstm.graph.palette import COLOURS, TINTS

PRONOUNS, POSSESSIVES = ("she", "he"), ("her", "his")
NAMES = ["anna", "clara", "emma", "ida", "lena", "nora"], ["adam", "david", "felix", "hugo", "jonas", "paul"]
VERBS = ["sees", "meets", "hears", "likes", "finds", "draws"]
THINGS = ["dog", "car", "sun", "house", "tree", "river"]
QUALITIES = ["old", "red", "warm", "new"]
WORDS = [".", "the", "is", "dear", *PRONOUNS, *POSSESSIVES, *NAMES[0], *NAMES[1], *VERBS, *THINGS, *QUALITIES]
NUMBER = {word: number for number, word in enumerate(WORDS)}
LENGTH = 5
"""How many words a sentence has, with its full stop."""


class Stories(NamedTuple):
    """Stories side by side: the numbers of their words and the gender of the subject at each, both (T, B)."""

    words: np.ndarray
    gender: np.ndarray


def story(draw: random.Random, sentences: int) -> tuple[list[str], list[int]]:
    """Return the words of a story, and at each the gender of its subject: 0 for her, 1 for him."""
    words, genders = [], []
    for sentence in range(sentences):
        kind = "new" if sentence == 0 else draw.choices(["new", "pronoun", "other"], [0.3, 0.45, 0.25])[0]
        if kind == "new":
            gender = draw.randrange(2)
        if kind == "other":
            words += ["the", draw.choice(THINGS), "is", draw.choice(QUALITIES), "."]
        else:
            words += [draw.choice(NAMES[gender]) if kind == "new" else PRONOUNS[gender], draw.choice(VERBS)]
            friend = ["dear", draw.choice(NAMES[draw.randrange(2)])]
            words += [*(friend if draw.random() < 0.4 else [POSSESSIVES[gender], draw.choice(THINGS)]), "."]
        genders += [gender] * LENGTH
    return words, genders


def stories(draw: random.Random, count: int, sentences: int) -> Stories:
    """Return many stories of as many sentences."""
    words, genders = zip(*(story(draw, sentences) for _ in range(count)), strict=True)
    return Stories(np.array([[NUMBER[word] for word in told] for told in words]).T, np.array(genders).T)


class Storyteller(nn.Module):
    """After each word, scores for the next one."""

    def __init__(self, hidden: int = 32) -> None:
        self.embedding = nn.Embedding(len(WORDS), 12)
        self.lstm = nn.LSTM(12, hidden)
        self.output = nn.Linear(hidden, len(WORDS))

    def forward(self, words: tg.Tensor) -> tg.Tensor:
        """Return scores (T, B, V) for words (T, B)."""
        shown, _ = self.lstm(self.embedding(words))
        return self.output(shown)


def trained(seed: int, updates: int = 500, title: str = "Training") -> Storyteller:
    """Return a net that has read stories of eight sentences."""
    tg.manual_seed(seed)
    draw = random.Random(seed)
    model = Storyteller()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=updates)
    bar = data.Progress(range(updates), title, unit="updates")
    for _ in bar:
        words = tg.asarray(stories(draw, count=32, sentences=8).words)
        scores = model(words[:-1])
        loss = tg.cross_entropy(scores.reshape(-1, len(WORDS)), words[1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.show(loss=loss)
    return model


class Gates:
    """The four learned layers of an LSTM, each with the weights it has in a trained one."""

    def __init__(self, lstm: nn.LSTM) -> None:
        self.W = dict(zip("ifgo", tg.split(lstm.weight_ih_l0.detach(), 4), strict=True))
        self.U = dict(zip("ifgo", tg.split(lstm.weight_hh_l0.detach(), 4), strict=True))
        self.b = dict(zip("ifgo", tg.split((lstm.bias_ih_l0 + lstm.bias_hh_l0).detach(), 4), strict=True))

    def layer(self, letter: str, x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
        """Return W x + U h + b with the weights of a gate."""
        return x @ self.W[letter].T + h @ self.U[letter].T + self.b[letter]

    def forget(self, x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
        """Return f: which part of each number of the cell stays."""
        return tg.sigmoid(self.layer("f", x, h))

    def input(self, x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
        """Return i: which part of each candidate is written."""
        return tg.sigmoid(self.layer("i", x, h))

    def candidate(self, x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
        """Return g: what could be written."""
        return tg.tanh(self.layer("g", x, h))

    def output(self, x: tg.Tensor, h: tg.Tensor) -> tg.Tensor:
        """Return o: which part of each number is shown."""
        return tg.sigmoid(self.layer("o", x, h))

    def read(self, xs: tg.Tensor, held: np.ndarray | None = None) -> tg.Tensor:
        """Return h at every step (T, B, H); where ``held``, of the same shape, the forget gate is held open."""
        h = c = tg.zeros((xs.shape[1], self.b["f"].shape[0]))
        shown = []
        for t, x in enumerate(xs):
            f, i, g, o = self.forget(x, h), self.input(x, h), self.candidate(x, h), self.output(x, h)
            if held is not None:
                f = tg.where(tg.asarray(held[t]), 1.0, f)
            c = f * c + i * g
            h = o * tg.tanh(c)
            shown.append(h)
        return tg.stack(shown)


def recorded(model: Storyteller, told: Stories) -> dict[str, np.ndarray]:
    """Return every gate and state of a net that reads stories, by letter, each (T, B, H)."""
    with tg.no_grad():
        *_, seen = model.lstm(model.embedding(tg.asarray(told.words)), record=True)
    return {letter: part[0].numpy() for letter, part in seen.items()}


class Places(NamedTuple):
    """Where in stories what happens, each (T, B)."""

    new: np.ndarray
    """The name of a new subject, after the first."""
    friend: np.ndarray
    """The name of somebody who is only met."""
    pronoun: np.ndarray
    """She and he."""
    other: np.ndarray
    """Every other word."""


def places(told: Stories) -> Places:
    """Find the names in stories."""
    name = np.isin(told.words, [NUMBER[name] for names in NAMES for name in names])
    first = (np.arange(len(name)) % LENGTH == 0)[:, None]
    pronoun = np.isin(told.words, [NUMBER[pronoun] for pronoun in PRONOUNS])
    new = name & first
    new[0] = False
    return Places(new, name & ~first, pronoun, ~name & ~pronoun)


class Judgement(NamedTuple):
    """How often the right pronoun is found likelier than the other one."""

    all: float
    changed: float
    """Where the subject is not of the gender that the story began with."""


def judged(says_he: np.ndarray, told: Stories) -> Judgement:
    """Judge what was said after each word, (T, B), where a pronoun follows."""
    follows = np.isin(told.words[1:], [NUMBER[pronoun] for pronoun in PRONOUNS])
    right = says_he[:-1] == (told.words[1:] == NUMBER["he"])
    changed = told.gender[:-1] != told.gender[0]
    return Judgement(float(right[follows].mean()), float(right[follows & changed].mean()))


def says_he(model: Storyteller, shown: tg.Tensor) -> np.ndarray:
    """Tell where "he" is found likelier than "she" as the next word, from h (T, B, H)."""
    with tg.no_grad():
        scores = model.output(shown)
    return (scores[..., NUMBER["he"]] > scores[..., NUMBER["she"]]).numpy()


def last_name(told: Stories) -> np.ndarray:
    """Say the gender of the last name that was read: the baseline."""
    gender = np.isin(told.words, [NUMBER[name] for name in NAMES[1]])
    name = np.isin(told.words, [NUMBER[name] for names in NAMES for name in names])
    last = np.maximum.accumulate(np.where(name, np.arange(len(name))[:, None], 0), axis=0)
    return np.take_along_axis(gender, last, axis=0)


def gender_unit(c: np.ndarray, told: Stories) -> tuple[int, float]:
    """Return which number of the cell goes with the subject's gender the most, and its correlation."""
    correlations = [np.corrcoef(unit.ravel(), told.gender.ravel())[0, 1] for unit in np.moveaxis(c, -1, 0)]
    unit = int(np.argmax(np.abs(correlations)))
    return unit, float(correlations[unit])


def probed(c: np.ndarray, told: Stories) -> float:
    """Return how often a linear probe reads the subject's gender off the cell; it is fitted to the first half."""
    wanted = 2.0 * told.gender - 1
    half = c.shape[1] // 2
    fitted, held_out = (
        (np.c_[part.reshape(-1, c.shape[-1]), np.ones(part[..., 0].size)], sign.ravel())
        for part, sign in ((c[:, :half], wanted[:, :half]), (c[:, half:], wanted[:, half:]))
    )
    weights = np.linalg.lstsq(*fitted, rcond=None)[0]
    return float((np.sign(held_out[0] @ weights) == held_out[1]).mean())


def held_open(model: Storyteller, unit: int, told: Stories) -> float:
    """Return the accuracy after a change of gender if a unit's forget gate is held open at every new subject."""
    new = places(told).new
    held = np.zeros((*new.shape, model.lstm.hidden_size), dtype=bool)
    held[new, unit] = True
    with tg.no_grad():
        shown = Gates(model.lstm).read(model.embedding(tg.asarray(told.words)), held)
    return judged(says_he(model, shown), told).changed


def looked_into(model: Storyteller, told: Stories) -> dict[str, float]:
    """Return what is found in a net: how well it does, its gender unit, and what its forget gate does there."""
    seen, at = recorded(model, told), places(told)
    unit, correlation = gender_unit(seen["c"], told)
    right = judged(says_he(model, tg.asarray(seen["h"])), told)
    return {
        "accuracy": right.all,
        "accuracy_changed": right.changed,
        "accuracy_held_open": held_open(model, unit, told),
        "probe": probed(seen["c"], told),
        "unit": unit,
        "correlation": correlation,
        **{f"forget_{name}": float(seen["f"][where, unit].mean()) for name, where in at._asdict().items()},
    }


PARTS = {
    "forget": ("x₁", "h₀", "f₁", "c₀"),
    "input": ("x₁", "h₀", "i₁", "g₁"),
    "update": ("c₀", "f₁", "i₁", "g₁", "c₁"),
    "output": ("x₁", "h₀", "o₁", "c₁", "tanh", "h₁"),
}
"""What of the picture of a step belongs to each gate: the names of its marks."""


def draw_parts(model: Storyteller, folder: Path) -> None:
    """Draw the first step of the net's LSTM once for each gate, with its part lit."""
    clara = model.embedding(tg.asarray([[NUMBER["clara"]]])).detach()
    with tg.Tape() as tape:
        model.lstm(clara)
    for part, names in PARTS.items():
        tg.draw(tape, folder / f"{part}.svg", level="gate", title=part.capitalize(), highlight=names)


TOLD = "clara sees her dog . the sun is warm . she meets dear hugo . she likes her house . paul hears dear anna . he"


def read_aloud(model: Storyteller, text: str = TOLD) -> dict[str, np.ndarray]:
    """Return every gate and state of a net that reads one story, by letter, each (T, H)."""
    numbers = np.array([[NUMBER[word]] for word in text.split()])
    return {letter: part[:, 0] for letter, part in recorded(model, Stories(numbers, numbers)).items()}


def plot_activations(model: Storyteller, unit: int, letters: dict[str, str], path: Path) -> None:
    """Plot gates or states over a story: a row for each unit, one of them marked, and a column for each word."""
    from matplotlib.colors import LinearSegmentedColormap

    tints = LinearSegmentedColormap.from_list("tints", TINTS)
    seen, words = read_aloud(model), TOLD.split()
    with plots.figure(path, 9, 0.9 + 2.2 * len(letters)) as figure:
        panels = figure.subplots(len(letters), squeeze=False, sharex=True)[:, 0]
        for axes, (letter, title) in zip(panels, letters.items(), strict=True):
            image = axes.imshow(seen[letter].T, cmap=tints, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
            axes.set_title(title, loc="left", fontsize=10)
            axes.set_yticks([unit], [f"unit {unit}"])
            axes.set_xticks(range(len(words)), words, rotation=60, ha="right", rotation_mode="anchor")
            axes.spines[:].set_visible(False)
        figure.colorbar(image, ax=panels, shrink=0.8, label="value")


def plot_unit(model: Storyteller, unit: int, path: Path) -> None:
    """Plot what one number of the cell and its gates do over a story."""
    seen, words = read_aloud(model), TOLD.split()
    steps = np.arange(len(words))
    with plots.figure(path, 9, 5.4) as figure:
        cell, forget, write = figure.subplots(3, sharex=True, height_ratios=[2, 1.2, 1.2])
        cell.axhline(0, color=COLOURS["hairline"], linewidth=0.8, zorder=0)
        cell.plot(steps, seen["c"][:, unit], color=COLOURS["c"], linewidth=3, marker="o")
        cell.set_title(f"Unit {unit} of the cell, c: one sign for her, the other for him", loc="left", fontsize=10)
        forget.bar(steps, seen["f"][:, unit], color=COLOURS["layer"], width=0.6)
        forget.set_title("its forget gate, f: 1 keeps, 0 drops", loc="left", fontsize=10)
        write.axhline(0, color=COLOURS["hairline"], linewidth=0.8, zorder=0)
        write.bar(steps, (seen["i"] * seen["g"])[:, unit], color=COLOURS["h"], width=0.6)
        write.set_title("what is added, i * g", loc="left", fontsize=10)
        forget.set_ylim(0, 1.05)
        write.set_xticks(steps, words, rotation=60, ha="right", rotation_mode="anchor")
        for step, word in enumerate(words):
            if word in NAMES[0] + NAMES[1] and step % LENGTH == 0:
                write.get_xticklabels()[step].set(fontweight="bold", color=COLOURS["gradient"])
                for axes in (cell, forget, write):
                    axes.axvline(step, color=COLOURS["gradient"], linewidth=0.8, linestyle=":", zorder=0)


def draw_all(model: Storyteller, unit: int, folder: Path) -> None:
    """Write every picture of a net into a folder."""
    plot_activations(model, unit, {"f": "forget gate f"}, folder / "forget-activations.svg")
    plot_activations(model, unit, {"i": "input gate i", "g": "candidate g"}, folder / "input-activations.svg")
    plot_activations(model, unit, {"c": "cell state c"}, folder / "update-activations.svg")
    plot_activations(model, unit, {"o": "output gate o", "h": "hidden state h"}, folder / "output-activations.svg")
    plot_unit(model, unit, folder / "subject.svg")
    draw_parts(model, folder)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train nets, look into each, draw the one with the clearest gender unit; return its figures by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.gates", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one net instead of six")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("gates-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)

    told = stories(random.Random("held out"), count=300, sentences=10)
    nets = 1 if options.quick else 6
    models = [trained(options.seed * nets + net, title=f"Net {net + 1} of {nets}") for net in range(nets)]
    found = [looked_into(model, told) for model in models]
    baseline = judged(last_name(told), told)
    report(found, baseline)
    clearest = max(range(nets), key=lambda net: abs(found[net]["correlation"]))
    model, unit = models[clearest], int(found[clearest]["unit"])
    others = [held_open(model, other, told) for other in range(model.lstm.hidden_size) if other != unit]
    print(f"Held open in any other single unit of net {clearest}: {np.mean(others):.1%}, at worst {min(others):.1%}")
    with plots.pictures(options.out):
        draw_all(model, unit, options.out)
    drops = sum(figures["forget_new"] < figures["forget_other"] / 2 for figures in found)
    return {
        **found[clearest],
        "baseline": baseline.all,
        "accuracy_other_held_open": float(np.mean(others)),
        "nets": nets,
        "nets_that_drop": drops,
    }


def report(found: Sequence[dict[str, float]], baseline: Judgement) -> None:
    """Print what was found in each net, beside the baseline."""
    print("She or he? Right always, after a change of gender, and after one with the unit's forget gate held open;")
    print("the gender unit, its correlation, and the mean of its forget gate at each kind of word.")
    print(f"the last name read      {baseline.all:6.1%} {baseline.changed:6.1%}")
    for net, figures in enumerate(found):
        right = " ".join(f"{figures[name]:6.1%}" for name in ("accuracy", "accuracy_changed", "accuracy_held_open"))
        gate = ", ".join(f"{name} {figures[f'forget_{name}']:.2f}" for name in Places._fields)
        unit = f"{figures['unit']:2.0f} {figures['correlation']:5.2f}"
        print(f"net {net}, probe {figures['probe']:6.1%}    {right}   {unit}   {gate}")


if __name__ == "__main__":
    main()
