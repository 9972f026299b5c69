"""Image captioning: a small convolutional net looks at a scene, and an LSTM says what is in it.

The scenes are generated: two coloured shapes, one beside or above the other, captioned "a red circle left of a blue
square". The gist of the picture is the first "word" that the LSTM reads, as in Vinyals et al., "Show and tell", 2015,
and at each word it looks at the places that matter, as in Xu et al., "Show, attend and tell", 2015. It is judged by
captions that are right in every word and by BLEU, beside the caption of the nearest scene that it was shown and the
most frequent one; and on scenes with shapes in colours that it has never seen them in.

    python -m examples.captioning
    python -m examples.captioning --quick
"""

from __future__ import annotations

import argparse
import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph import palette

SIDE = 16
"""How many pixels a scene is high and wide."""

DARK = np.float32(0.15)
"""How bright the ground is."""

COLOURS = {
    "red": (0.84, 0.15, 0.16),
    "green": (0.17, 0.63, 0.17),
    "blue": (0.12, 0.35, 0.80),
    "yellow": (0.95, 0.85, 0.15),
    "purple": (0.58, 0.25, 0.70),
    "white": (0.95, 0.95, 0.95),
}
SHAPES = ("circle", "square", "triangle", "cross")
UNSEEN = {("red", "triangle"), ("blue", "circle"), ("yellow", "cross"), ("white", "square")}
"""What is in no scene to learn from, although each colour and each shape is."""

END = "<end>"
WORDS = [END, "a", *COLOURS, *SHAPES, "left", "of", "above"]
NUMBERS = {word: number for number, word in enumerate(WORDS)}

LONGEST = 10
"""How many words a caption has at most, if it is never ended."""


class Thing(NamedTuple):
    """A coloured shape, and where its middle is and how far it reaches from there, in pixels."""

    colour: str
    shape: str
    x: int
    y: int
    reach: int


class Scene(NamedTuple):
    """A picture (3, 16, 16), and its caption word by word."""

    picture: np.ndarray
    caption: list[str]


def covered(thing: Thing) -> np.ndarray:
    """Return which pixels a thing covers, bools (16, 16)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    dx, dy = np.abs(x - thing.x), y - thing.y
    return {
        "circle": dx**2 + dy**2 <= (thing.reach + 0.2) ** 2,
        "square": np.maximum(dx, np.abs(dy)) <= thing.reach - 0.3,
        "triangle": (np.abs(dy) <= thing.reach) & (dx <= (dy + thing.reach) / 2),
        "cross": (np.minimum(dx, np.abs(dy)) <= 0.6) & (np.maximum(dx, np.abs(dy)) <= thing.reach),
    }[thing.shape]


def picture(things: Iterable[Thing], draw: np.random.Generator) -> np.ndarray:
    """Return things on a dark ground, in an uneven light and with noise."""
    pixels = np.full((3, SIDE, SIDE), DARK)
    for thing in things:
        pixels[:, covered(thing)] = np.array(COLOURS[thing.colour])[:, None] * draw.uniform(0.75, 1.0)
    return np.clip(pixels + draw.normal(0, 0.04, pixels.shape), 0, 1).astype("float32")


def caption(first: Thing, second: Thing) -> list[str]:
    """Return in words where two things are; the one further left, or further up, is named first."""
    is_row = abs(first.x - second.x) > abs(first.y - second.y)
    first, second = sorted([first, second], key=lambda thing: thing.x if is_row else thing.y)
    where = "left of" if is_row else "above"
    return f"a {first.colour} {first.shape} {where} a {second.colour} {second.shape}".split()


def scene(draw: np.random.Generator, unseen: bool) -> Scene:
    """Return a scene of two things that lie apart; with a combination from `UNSEEN`, or without any."""
    while True:
        things = []
        for _ in range(2):
            colour, shape, reach = draw.choice([*COLOURS]), draw.choice(SHAPES), int(draw.integers(2, 4))
            x, y = draw.integers(reach, SIDE - reach, 2).tolist()
            things.append(Thing(str(colour), str(shape), x, y, reach))
        first, second = things
        apart = sorted([abs(first.x - second.x), abs(first.y - second.y)])
        has_unseen = any((thing.colour, thing.shape) in UNSEEN for thing in things)
        if apart[1] > first.reach + second.reach and apart[1] > apart[0] + 2 and has_unseen == unseen:
            return Scene(picture(things, draw), caption(first, second))


def scenes(count: int, seed: int, unseen: bool = False) -> list[Scene]:
    """Return scenes drawn by a seed."""
    draw = np.random.default_rng(seed)
    return [scene(draw, unseen) for _ in range(count)]


def pictures(batch: Sequence[Scene]) -> tg.Tensor:
    """Return the pictures of scenes, (B, 3, 16, 16), the dark ground as 0: so it is learnt several times faster."""
    return tg.asarray(np.stack([each.picture for each in batch]) * 4 - 4 * DARK)


def convolution(channels: int, outputs: int) -> nn.Sequential:
    """Return a 3x3 convolution, relu, and the maximum of every 2x2 square: half as high and wide."""
    layer = nn.Conv2d(channels, outputs, kernel_size=3, padding=1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return nn.Sequential(layer, tg.relu, lambda x: tg.max_pool2d(x, 2))


class Captioner(nn.Module):
    """Convolutions that turn a picture into 4x4 vectors, and an LSTM that writes words and looks at them."""

    def __init__(self, channels: int = 48, embedding: int = 64, hidden: int = 128) -> None:
        cells = (SIDE // 4) ** 2
        self.near = convolution(3, 24)
        self.wide = convolution(24, channels)
        self.gist = nn.Linear(cells * channels, embedding)
        self.cell = nn.Linear(channels, hidden)
        self.place = nn.Parameter(tg.randn(cells, hidden) * 0.1)
        self.words = nn.Embedding(len(WORDS), embedding)
        self.lstm = nn.LSTM(embedding, hidden)
        self.combine = nn.Linear(2 * hidden, hidden)
        self.output = nn.Linear(hidden, len(WORDS))

    def look(self, x: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        """Return of pictures (B, 3, 16, 16) the gist, like a word (B, E), and the 16 vectors (B, 16, H)."""
        cells = self.wide(self.near(x)).reshape(len(x), -1, len(self.place))
        gist = tg.layer_norm(self.gist(cells.reshape(len(x), -1)), self.words.weight.shape[1])
        return gist, self.cell(tg.permute_dims(cells, (0, 2, 1))) + self.place

    def say(self, h: tg.Tensor, cells: tg.Tensor) -> tuple[tg.Tensor, tg.Tensor]:
        """Return scores of words (U, B, V) and the attention (U, B, 16), for states of the LSTM (U, B, H)."""
        a = tg.softmax(tg.einsum("ubk,bpk->ubp", h, cells), axis=-1)
        context = tg.einsum("ubp,bpk->ubk", a, cells)
        return self.output(tg.tanh(self.combine(tg.concat([context, h], axis=-1)))), a

    def forward(self, x: tg.Tensor, words: tg.Tensor) -> tg.Tensor:
        """Return scores (U + 1, B, V): of the first word from the picture alone, then behind each of words (U, B)."""
        gist, cells = self.look(x)
        h, _ = self.lstm(tg.concat([gist[None], self.words(words)]))
        return self.say(h, cells)[0]


def describe(model: Captioner, batch: Sequence[Scene]) -> tuple[list[list[str]], np.ndarray]:
    """Return a caption for each scene, each word the likeliest, and the attention (U, B, 16) meanwhile."""
    written, seen = [], []
    with nn.evaluating(model):
        (x, cells), state = model.look(pictures(batch)), None
        for _ in range(LONGEST):
            h, state = model.lstm(x[None], state)
            scores, a = model.say(h, cells)
            last = scores[0].argmax(axis=-1)
            written.append(last.tolist())
            seen.append(a)
            x = model.words(last)
    sentences = [[WORDS[number] for number in numbers] for numbers in zip(*written, strict=True)]
    sentences = [sentence[: sentence.index(END)] if END in sentence else sentence for sentence in sentences]
    return sentences, tg.concat(seen).numpy()


def train(model: Captioner, training: list[Scene], epochs: int) -> None:
    """Train on all scenes, some times over: the LSTM is given the right words so far, and asked for the next."""
    batches = [batch for epoch in range(epochs) for batch in data.Minibatches(training, 64, seed=epoch)]
    optimizer = optim.Adam(model.parameters(), lr=0.005)
    schedule = optim.CosineAnnealingLR(optimizer, len(batches))
    bar = data.Progress(batches, "Training", unit="updates")
    for batch in bar:
        sentences = [[NUMBERS[word] for word in [*each.caption, END]] for each in batch]
        words = data.pad_sequence(sentences, padding_value=NUMBERS[END])
        scores = model(pictures(batch), words[:-1])
        loss = tg.cross_entropy(scores.reshape(words.size, -1), words.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.show(loss=loss)


def bleu(found: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]], longest: int = 4) -> float:
    """Return BLEU of captions, from 0 to 1.

    The geometric mean of the shares of their runs of 1 to 4 words that the right caption has too, none counted more
    often than there; less if captions are shorter than the right ones. Source: Papineni, Roukos, Ward and Zhu, "BLEU: a
    method for automatic evaluation of machine translation", ACL 2002.

    >>> found, wanted = "the cat sat down here".split(), "the cat sat down".split()
    >>> round(bleu([found], [wanted]), 4), round((4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** 0.25, 4)
    (0.6687, 0.6687)
    """

    def runs(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
        return Counter(zip(*(words[i:] for i in range(n)), strict=False))

    logarithms = []
    for n in range(1, longest + 1):
        shared = sum((runs(said, n) & runs(right, n)).total() for said, right in zip(found, wanted, strict=True))
        logarithms.append(math.log(shared / sum(runs(said, n).total() for said in found)) if shared else -math.inf)
    brevity = min(0.0, 1 - sum(map(len, wanted)) / sum(map(len, found)))
    return math.exp(brevity + sum(logarithms) / longest)


def exact(found: Sequence[Sequence[str]], wanted: Sequence[Scene]) -> float:
    """Return the share of captions that are right in every word."""
    return float(np.mean([words == each.caption for words, each in zip(found, wanted, strict=True)]))


def most_frequent(training: Sequence[Scene]) -> list[str]:
    """Return the caption that was shown most often."""
    return Counter(" ".join(each.caption) for each in training).most_common(1)[0][0].split()


def nearest(training: Sequence[Scene], wanted: Sequence[Scene]) -> list[list[str]]:
    """Return for each scene the caption of the one whose pixels are the nearest."""
    known = np.stack([each.picture.ravel() for each in training])
    return [training[int(((known - each.picture.ravel()) ** 2).sum(axis=1).argmin())].caption for each in wanted]


def show(axes: Any, pixels: np.ndarray, title: str, colour: str = "black", **how: Any) -> None:
    """Show a picture in a frame, with a title below it."""
    axes.imshow(pixels, **how)
    axes.spines[:].set_visible(True)
    axes.set_xlabel(title, color=colour, fontsize=10)
    axes.set(xticks=[], yticks=[])


def plot_captions(found: Sequence[list[str]], wanted: Sequence[Scene], path: Path) -> None:
    """Show scenes with what the model says of them; wrong captions are marked."""
    with plots.figure(path, 10, 6.4) as figure:
        for axes, words, each in zip(figure.subplots(2, 4).ravel(), found, wanted, strict=False):
            is_right = words == each.caption
            caption = "\n".join(textwrap.wrap(" ".join(words) + ("" if is_right else " (wrong)"), 24))
            show(axes, each.picture.transpose(1, 2, 0), caption, "black" if is_right else palette.COLOURS["gradient"])
        figure.suptitle("Held-out scenes, and what the model says of them")


def plot_attention(model: Captioner, each: Scene, path: Path) -> None:
    """Show at which parts of a scene the model looks while it writes each word."""
    sentences, attention = describe(model, [each])
    with plots.figure(path, 11, 1.9) as figure:
        panels = figure.subplots(1, len(sentences[0]) + 1)
        pixels = each.picture.transpose(1, 2, 0)
        show(panels[0], pixels, "the scene")
        for axes, word, a in zip(panels[1:], sentences[0], attention[:, 0], strict=False):
            light = np.kron((a / a.max()).reshape(4, 4), np.ones((4, 4)))[:, :, None]
            show(axes, pixels * light + (1 - light), word)
        figure.suptitle("Where the model looks while it writes each word (the rest is white)")


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train, compare with simpler captions on held-out scenes, and draw; return the figures by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.captioning", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer scenes and less time: seconds, for a try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("captioning-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)
    tg.manual_seed(options.seed)

    count, epochs, judged = (1500, 16, 100) if options.quick else (5000, 28, 500)
    first = 3 * options.seed
    training, heldout = scenes(count, first), scenes(judged, first + 1)
    unseen = scenes(judged, first + 2, unseen=True)
    print(f"{count:,} scenes to learn from, such as: {' '.join(training[0].caption)}")
    model = Captioner()
    train(model, training, epochs)

    said = describe(model, heldout)[0]
    found = {
        "model": said,
        "nearest": nearest(training, heldout),
        "most_frequent": [most_frequent(training)] * len(heldout),
    }
    figures = {}
    print("Held-out scenes: captions right in every word, and BLEU")
    for name, sentences in found.items():
        figures[f"exact_{name}"] = exact(sentences, heldout)
        figures[f"bleu_{name}"] = bleu(sentences, [each.caption for each in heldout])
        print(f"  {figures[f'exact_{name}']:6.1%}  {figures[f'bleu_{name}']:.3f}  {name.replace('_', ' ')}")
    said_of_unseen = describe(model, unseen)[0]
    figures["exact_unseen"] = exact(said_of_unseen, unseen)
    figures["bleu_unseen"] = bleu(said_of_unseen, [each.caption for each in unseen])
    print(f"  {figures['exact_unseen']:6.1%}  {figures['bleu_unseen']:.3f}  model, where a colour is new to a shape")

    with plots.pictures(options.out):
        plot_captions(said, heldout, options.out / "captions.svg")
        plot_attention(model, heldout[0], options.out / "attention.svg")
    return figures


if __name__ == "__main__":
    main()
