"""Translation: German numbers, one long word each, into English ones, by an encoder and a decoder with attention.

"siebenundneunzigtausendfünf" is "ninety seven thousand and five": one word becomes five, and seven and ninety change
places. An LSTM reads the letters in both directions; another writes the words and, for each one, looks back at the
letters that matter. It is compared with the same net without the look back, and with the nearest pair it was shown.

    python -m examples.translation
    python -m examples.translation --quick
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

# fmt: off
GERMAN = [
    "null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf",
    "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn", "neunzehn",
]
GERMAN_TENS = ["", "", "zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
ENGLISH = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]
ENGLISH_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
# fmt: on

LETTERS = data.Vocabulary("abcdefghijklmnopqrstuvwxyzßöü")
START, END = "<start>", "<end>"
WORDS = [START, END, *ENGLISH[1:], *ENGLISH_TENS[2:], "hundred", "thousand", "and"]
NUMBERS = {word: number for number, word in enumerate(WORDS)}

SHOWN = (97, 5_346, 28_071, 654_321)
"""The numbers whose attention is drawn; they are kept out of training."""


def german(n: int) -> str:
    """Return a number from 1 to 999,999 in German.

    >>> german(97_021)
    'siebenundneunzigtausendeinundzwanzig'
    """
    if n >= 1000:
        return german(n // 1000).removesuffix("s" * (n // 1000 % 100 == 1)) + "tausend" + german(n % 1000)
    if n >= 100:
        return GERMAN[n // 100].removesuffix("s" * (n // 100 == 1)) + "hundert" + german(n % 100)
    if n >= 20:
        tens, ones = GERMAN_TENS[n // 10], n % 10
        return GERMAN[ones].removesuffix("s" * (ones == 1)) + "und" + tens if ones else tens
    return GERMAN[n] if n else ""


def english(n: int) -> list[str]:
    """Return a number from 1 to 999,999 in English, word by word.

    >>> " ".join(english(97_021))
    'ninety seven thousand and twenty one'
    """
    if n >= 1000:
        rest = n % 1000
        return [*english(n // 1000), "thousand", *(["and"] if 0 < rest < 100 else []), *english(rest)]
    if n >= 100:
        return [ENGLISH[n // 100], "hundred", *(["and"] if n % 100 else []), *english(n % 100)]
    if n >= 20:
        return [ENGLISH_TENS[n // 10], *english(n % 10)]
    return [ENGLISH[n]] if n else []


class Pair(NamedTuple):
    """A number in both languages."""

    number: int
    german: str
    english: list[str]


def pairs(count: int, heldout: int, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Return pairs to learn from and held-out ones, no number twice; short numbers are as likely as long ones."""
    draw, numbers = random.Random(seed), dict.fromkeys(SHOWN)
    while len(numbers) < count + heldout + len(SHOWN):
        numbers[int(10 ** draw.uniform(0, 6))] = None
    drawn = [Pair(n, german(n), english(n)) for n in numbers if n not in SHOWN]
    draw.shuffle(drawn)
    return drawn[heldout:], drawn[:heldout]


class Sources(NamedTuple):
    """German words of a batch: their letters (T, B), and how many there are of each."""

    letters: tg.Tensor
    lengths: tg.Tensor


def sources(words: Sequence[str]) -> Sources:
    """Return German words as a batch."""
    encoded = [LETTERS.encode(word) for word in words]
    return Sources(data.pad_sequence(encoded), data.sequence_lengths(encoded))


def targets(sentences: Sequence[list[str]]) -> tg.Tensor:
    """Return English words as numbers (U + 1, B), the start before them, the end behind and over the padding."""
    numbers = [[NUMBERS[word] for word in [START, *words, END]] for words in sentences]
    return data.pad_sequence(numbers, padding_value=NUMBERS[END])


class Translator(nn.Module):
    """An LSTM that reads letters in both directions, and one that writes words and looks back at them.

    The look back is the global attention of Luong, Pham and Manning, "Effective approaches to attention-based neural
    machine translation", 2015: with s the states of the letters and h that of the word being written,
    a = softmax(h · s), context = Σ a s, and the scores of the words are made of tanh(W [context; h]).
    """

    def __init__(self, attention: bool, embedding: int = 32, hidden: int = 64) -> None:
        self.attention = attention
        self.letters = nn.Embedding(len(LETTERS), embedding)
        self.encoder = nn.LSTM(embedding, hidden, bidirectional=True)
        self.words = nn.Embedding(len(WORDS), embedding)
        self.decoder = nn.LSTM(embedding, 2 * hidden)
        self.combine = nn.Linear(4 * hidden if attention else 2 * hidden, 2 * hidden)
        self.output = nn.Linear(2 * hidden, len(WORDS))

    def encode(self, source: Sources) -> tuple[tg.Tensor, tuple[tg.Tensor, tg.Tensor]]:
        """Return the states at all letters (T, B, 2H), and the state (h, c) from which the decoder starts."""
        states, (h, c) = self.encoder(self.letters(source.letters), lengths=source.lengths)
        return states, (tg.concat(list(h), axis=-1)[None], tg.concat(list(c), axis=-1)[None])

    def decode(
        self, words: tg.Tensor, state: tuple[tg.Tensor, tg.Tensor], states: tg.Tensor, lengths: tg.Tensor
    ) -> tuple[tg.Tensor, tuple[tg.Tensor, tg.Tensor], tg.Tensor | None]:
        """Return scores (U, B, V) of the words that follow words (U, B), the state, and the attention (U, B, T)."""
        h, state = self.decoder(self.words(words), state)
        if not self.attention:
            return self.output(tg.tanh(self.combine(h))), state, None
        similar = tg.einsum("ubk,tbk->ubt", h, states)
        within = data.length_mask(lengths, len(states), batch_first=True)
        a = tg.softmax(tg.where(within, similar, -1e9), axis=-1)
        context = tg.einsum("ubt,tbk->ubk", a, states)
        return self.output(tg.tanh(self.combine(tg.concat([context, h], axis=-1)))), state, a

    def forward(self, source: Sources, words: tg.Tensor) -> tg.Tensor:
        """Return the scores of the words that follow words (U, B), each seen with all before it."""
        states, state = self.encode(source)
        return self.decode(words, state, states, source.lengths)[0]


def translate(model: Translator, words: Sequence[str], longest: int = 16) -> tuple[list[list[str]], np.ndarray | None]:
    """Return translations, each word the likeliest, and the attention (U, B, T) while they were written."""
    source = sources(words)
    written, seen = [], []
    with nn.evaluating(model):
        states, state = model.encode(source)
        last = tg.full((1, len(words)), NUMBERS[START], dtype="int64")
        for _ in range(longest):
            scores, state, a = model.decode(last, state, states, source.lengths)
            last = scores.argmax(axis=-1)
            written.append(last[0].tolist())
            seen.append(a)
    sentences = [[WORDS[number] for number in numbers] for numbers in zip(*written, strict=True)]
    attention = tg.concat(seen).numpy() if model.attention else None
    return [sentence[: sentence.index(END)] if END in sentence else sentence for sentence in sentences], attention


def train(model: Translator, training: list[Pair], epochs: int, title: str) -> None:
    """Train on all pairs, some times over: the decoder is given the right words so far, and asked for the next."""
    batches = [
        batch
        for epoch in range(epochs)
        for batch in data.Minibatches(training, 64, seed=epoch, length=lambda pair: len(pair.german))
    ]
    optimizer = optim.Adam(model.parameters(), lr=0.004)
    schedule = optim.CosineAnnealingLR(optimizer, len(batches))
    bar = data.Progress(batches, title, unit="updates")
    for batch in bar:
        words = targets([pair.english for pair in batch])
        scores = model(sources([pair.german for pair in batch]), words[:-1])
        loss = tg.cross_entropy(scores.reshape(-1, len(WORDS)), words[1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        bar.show(loss=loss)


def distances(word: str, others: Sequence[str]) -> np.ndarray:
    """Return the edit distances (Levenshtein 1966) from a word to each of many: a row of all tables at a time."""
    letters = np.zeros((len(others), max(map(len, others))), dtype=np.int32)
    for row, other in zip(letters, others, strict=True):
        row[: len(other)] = [ord(letter) for letter in other]
    places = np.arange(letters.shape[1] + 1, dtype=np.int16)
    table = np.broadcast_to(places, (len(others), len(places)))
    for letter in word:
        changed = table[:, :-1] + (letters != ord(letter))
        table = np.concatenate([table[:, :1] + 1, np.minimum(changed, table[:, 1:] + 1)], axis=1, dtype=np.int16)
        table = np.minimum.accumulate(table - places, axis=1) + places
    return table[np.arange(len(others)), [len(other) for other in others]]


def nearest(word: str, training: list[Pair]) -> list[str]:
    """Return the translation of the pair whose German word is the nearest, the first of several."""
    return training[int(distances(word, [pair.german for pair in training]).argmin())].english


def exact(found: list[list[str]], wanted: list[Pair]) -> float:
    """Return the share of translations that are right, every word of them."""
    return float(np.mean([words == pair.english for words, pair in zip(found, wanted, strict=True)]))


def wrong_words(found: list[list[str]], wanted: list[Pair]) -> float:
    """Return the word error rate: by how many words translations are to be changed, for each word that is right."""
    alphabet = {word: chr(number) for word, number in NUMBERS.items()}

    def spelled(words: list[str]) -> str:
        return "".join(alphabet[word] for word in words)

    edits = sum(
        distances(spelled(words), [spelled(pair.english)])[0] for words, pair in zip(found, wanted, strict=True)
    )
    return float(edits / sum(len(pair.english) for pair in wanted))


def plot_attention(model: Translator, path: Path) -> None:
    """Plot at which letters the decoder looked while it wrote each word, for a few numbers."""
    from matplotlib.colors import LinearSegmentedColormap

    words = [german(n) for n in SHOWN]
    translations, attention = translate(model, words)
    ink = LinearSegmentedColormap.from_list("attention", ["#FFFFFF", COLOURS["h"]])
    with plots.figure(path, 9, 9) as figure:
        heights = [len(translation) + 2 for translation in translations]
        for index, axes in enumerate(figure.subplots(len(words), height_ratios=heights)):
            word, translation = words[index], [*translations[index], "(end)"]
            axes.imshow(attention[: len(translation), index, : len(word)], cmap=ink, vmin=0, vmax=1, aspect="auto")
            axes.set_xticks(range(len(word)), word, family="monospace")
            axes.set_yticks(range(len(translation)), translation)
            axes.set_xticks([x + 0.5 for x in range(len(word) - 1)], minor=True)
            axes.set_yticks([y + 0.5 for y in range(len(translation) - 1)], minor=True)
            axes.grid(which="minor", color=COLOURS["hairline"], linewidth=0.5)
            axes.tick_params(which="both", length=0)
            axes.set_title(f"{SHOWN[index]:,}", loc="left")
        figure.suptitle("At which letters the decoder looks while it writes each word (white 0, blue 1)")


def plot_lengths(found: dict[str, list[list[str]]], wanted: list[Pair], path: Path) -> None:
    """Plot the share of exact translations against the number of digits, a line a model."""
    with plots.figure(path, 7, 4) as figure:
        axes = figure.subplots()
        digits = sorted({len(str(pair.number)) for pair in wanted})
        for (name, translations), kind, mark in zip(found.items(), ("h", "pointwise"), "os", strict=True):
            shares = []
            for count in digits:
                chosen = [i for i, pair in enumerate(wanted) if len(str(pair.number)) == count]
                shares.append(100 * exact([translations[i] for i in chosen], [wanted[i] for i in chosen]))
            colour = COLOURS[kind]
            axes.plot(digits, shares, color=colour, marker=mark)
            axes.annotate(
                name, (digits[-1], shares[-1]), xytext=(8, 0), textcoords="offset points", va="center", color=colour
            )
        axes.set(
            title="Held-out numbers that are translated without a mistake", xlabel="Digits of the number", ylabel="%"
        )
        axes.set_xticks(digits)
        axes.set_ylim(-3, 103)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train with attention and without, compare on held-out numbers, and draw; return the figures by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.translation", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less data and time: seconds, for a try")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("translation-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)
    tg.manual_seed(options.seed)

    count, epochs = (1000, 12) if options.quick else (2000, 20)
    training, heldout = pairs(count, heldout=100 if options.quick else 400, seed=options.seed)
    words = [pair.german for pair in heldout]
    print(f"{len(training):,} pairs to learn from, {len(heldout)} held out, such as {heldout[0].german}")
    models = {"with attention": Translator(attention=True), "without attention": Translator(attention=False)}
    found = {}
    for name, model in models.items():
        train(model, training, epochs, name.capitalize())
        found[name] = translate(model, words)[0]
    found["nearest pair"] = [nearest(word, training) for word in words]

    figures = {}
    print("Held-out numbers: translated without a mistake, and wrong words for each right one")
    for name, translations in found.items():
        key = name.replace(" ", "_")
        figures[f"exact_{key}"] = exact(translations, heldout)
        figures[f"wrong_words_{key}"] = wrong_words(translations, heldout)
        print(f"  {figures[f'exact_{key}']:6.1%}  {figures[f'wrong_words_{key}']:6.1%}  {name}")
    for pair, translation in list(zip(heldout, found["with attention"], strict=True))[:3]:
        print(f"  {pair.number:,}: {pair.german}: {' '.join(translation)}")

    with plots.pictures(options.out):
        plot_attention(models["with attention"], options.out / "attention.svg")
        plot_lengths({name: found[name] for name in models}, heldout, options.out / "lengths.svg")
    return figures


if __name__ == "__main__":
    main()
