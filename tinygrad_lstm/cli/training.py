"""``tinygrad-lstm demo`` and ``train``: a character model trained, judged, kept, made to write, and drawn."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn

from .. import backend, charlm
from ..charlm import Best, CharLM, Checkpoint, Configuration, Training
from ..data import TextError, Vocabulary, python_topics, read_text
from ..graph import RenderError, draw
from ..interchange import write_whole
from ..ops import manual_seed
from ..tensor import Tensor
from .progress import interruptible, progress

__all__ = ["demo", "train"]

SAMPLE = 400
"""How many characters the model writes when it is trained."""

TEMPERATURE = 0.7
"""Where a model of this size makes more sense than at 1, its own judgement."""

DRAWN_STEPS = 3


def demo(arguments: argparse.Namespace) -> None:
    """Train a character model on the text of Python's help(), let it write, and draw it."""
    _run("Python's help() topics", python_topics(), arguments, ["demo"], Path("demo"))


def train(arguments: argparse.Namespace) -> None:
    """Train a character model on a text of your own, let it write, and draw it."""
    file = str(arguments.file)
    _run(file, read_text(file), arguments, ["train", file], Path(f"{arguments.file.stem}-lstm"))


def _run(title: str, text: str, arguments: argparse.Namespace, command: list[str], folder: Path) -> None:
    """Train on a text, and write and say what came of it; what is gone on with stays in its own folder."""
    out = arguments.out or (arguments.resume.parent if arguments.resume else folder)
    seen, heldout = charlm.split(text)
    vocabulary = Vocabulary.of(text)
    numbers = vocabulary.encode(text)
    training = _training(arguments, vocabulary)
    model, configuration = training.model, training.configuration
    out.mkdir(parents=True, exist_ok=True)
    _introduce(title, text, model, vocabulary, configuration)

    pace = _train(training, numbers[: len(seen)], numbers[len(seen) - 1 :])
    if training.updates < configuration.updates:
        _interrupt(training, vocabulary, out / "interrupted.safetensors", command)
    best = _best(training)
    checkpoint = out / "checkpoint.safetensors"
    charlm.save(checkpoint, Checkpoint(model, vocabulary, configuration, best.updates))
    bits = {
        "heldout_bits_per_char": best.bits,
        "uniform_bits_per_char": charlm.uniform_bits(len(vocabulary)),
        "bigram_bits_per_char": charlm.bigram_bits(seen, heldout, len(vocabulary)),
    }
    metrics = out / "metrics.json"
    _write_metrics(metrics, {**bits, **pace, "kept_after_updates": best.updates}, configuration)
    _compare(bits, vocabulary, knows_by_heart=best.updates < configuration.updates)
    prompt = (text.split(maxsplit=1) or [text])[0][:20]
    _sample(model, vocabulary, prompt, configuration.seed)
    pictures = _draw(model, numbers[:DRAWN_STEPS], f"The model over {text[:DRAWN_STEPS]!r}", out)
    _conclude([checkpoint, metrics, *pictures], checkpoint, prompt)


def _training(arguments: argparse.Namespace, vocabulary: Vocabulary) -> Training:
    """Return a new training with the settings that the options say, or that of the checkpoint to resume."""
    options = {field.name: getattr(arguments, field.name) for field in fields(Configuration)}
    settings = {name: value for name, value in options.items() if value is not None}
    if arguments.resume:
        if settings:
            arguments.refuse(
                f"--resume goes on with the settings of the checkpoint, so --{next(iter(settings))} has no use"
            )
        checkpoint = charlm.load(arguments.resume)
        if checkpoint.vocabulary.characters != vocabulary.characters:
            raise TextError("the text has other characters than the one on which this training was begun.")
        return charlm.resumed(checkpoint)
    configuration = Configuration(**settings)
    manual_seed(configuration.seed)
    return Training(CharLM(len(vocabulary), configuration.embedding, configuration.hidden), configuration)


def _introduce(title: str, text: str, model: CharLM, vocabulary: Vocabulary, configuration: Configuration) -> None:
    """Say what is about to be trained, on what and where."""
    weights = sum(parameter.size for parameter in model.parameters())
    print(f"Text    {title}: {len(text):,} characters, {len(vocabulary)} different; the last tenth is held out")
    print(
        f"Model   Embedding {configuration.embedding}, LSTM {configuration.hidden}, Linear {len(vocabulary)}: "
        f"{weights:,} weights; {backend.name} on {backend.device_name()}",
        flush=True,
    )


def _train(training: Training, seen: Tensor, heldout: Tensor) -> dict[str, float]:
    """Train with a bar, to the end or until Ctrl-C, and return how long it took."""
    started, before, characters = time.perf_counter(), training.updates, 0
    with interruptible() as interrupted:
        for update in progress(charlm.train(training, seen, heldout), training.configuration.updates - before):
            characters += update.characters
            if interrupted():
                break
    seconds = time.perf_counter() - started
    done = training.updates - before
    print(f"Trained {done:,} updates in {seconds:.1f} s, {characters / seconds:,.0f} characters a second")
    return {"train_seconds": seconds, "chars_per_second": characters / seconds, "resumed_after_updates": before}


def _interrupt(training: Training, vocabulary: Vocabulary, path: Path, command: list[str]) -> NoReturn:
    """Keep a training as it is, and end the command, saying how to go on."""
    done = training.updates
    charlm.save(path, Checkpoint(training.model, vocabulary, training.configuration, done, training.state_dict()))
    again = shlex.join(["tinygrad-lstm", *command, "--resume", str(path)])
    raise KeyboardInterrupt(f"interrupted after {done:,} updates; to go on: {again}")


def _best(training: Training) -> Best:
    """Give the model the weights that did best on the held-out text, and say so if they are not its last ones."""
    best = training.best
    assert best is not None  # training ends with a look at that text
    training.model.load_state_dict(best.weights)
    if best.updates < training.updates:
        print(f"Kept    the weights after {best.updates:,} updates: later ones did worse on the held-out text")
    return best


def _write_metrics(path: Path, measured: dict[str, float], configuration: Configuration) -> None:
    """Write what was measured, and with what."""
    settings: dict[str, Any] = {"seed": configuration.seed, "configuration": asdict(configuration)}
    place = {"backend": backend.name, "device": backend.device_name()}
    write_whole(path, json.dumps({**measured, **settings, **place}, indent=2).encode() + b"\n")


def _compare(bits: dict[str, float], vocabulary: Vocabulary, knows_by_heart: bool) -> None:
    """Print the bits per character of the model beside those of the baselines, and what to try if these are better."""
    print("\nBits per character of the held-out text (fewer are better)")
    print(f"  {bits['uniform_bits_per_char']:.3f}  every one of {len(vocabulary)} characters as likely")
    print(f"  {bits['bigram_bits_per_char']:.3f}  from the character before, as counted in training")
    print(f"  {bits['heldout_bits_per_char']:.3f}  this model")
    if bits["heldout_bits_per_char"] > bits["bigram_bits_per_char"]:
        reason = "learns the text by heart: try a longer one" if knows_by_heart else "still learns: try more --updates"
        print(f"Counting pairs of characters does better. The model {reason}.")


def _sample(model: CharLM, vocabulary: Vocabulary, prompt: str, seed: int) -> None:
    """Print what the model writes after a prompt."""
    sample = "".join(charlm.generate(model, vocabulary, prompt, SAMPLE, temperature=TEMPERATURE, seed=seed))
    print(f"\nThe model writes, from {prompt!r} on")
    for line in (prompt + sample).splitlines():
        print(f"  | {line}")


def _draw(model: CharLM, numbers: Tensor, title: str, out: Path) -> list[Path]:
    """Draw the model over a few characters; return the pictures, or their source if there is nothing to draw with."""
    pictures = [out / "graph.svg", out / "graph.png"]
    try:
        draw(charlm.unrolled(model, numbers), *pictures, title=title)
    except RenderError as error:
        print(f"\nNot drawn: {error}")
        return [out / "graph.dot"]
    return pictures


def _conclude(written: Iterable[Path], checkpoint: Path, prompt: str) -> None:
    """Print what was written and what to try next."""
    print("\nWritten")
    for path in written:
        print(f"  {path}")
    print("\nNext")
    print(f"  tinygrad-lstm generate {shlex.quote(str(checkpoint))} --prompt {shlex.quote(prompt)}")
    print("  tinygrad-lstm train FILE")
