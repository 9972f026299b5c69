"""``tinygrad-lstm demo`` and ``train``: a character model trained, judged, kept, made to write, and drawn."""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from .. import backend, charlm
from ..charlm import CharLM, Checkpoint, Configuration, Training
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
    _run("Python's help() topics", python_topics(), arguments, arguments.out)


def train(arguments: argparse.Namespace) -> None:
    """Train a character model on a text of your own, let it write, and draw it."""
    out = arguments.out or Path(f"{arguments.file.stem}-lstm")
    _run(str(arguments.file), read_text(arguments.file), arguments, out)


def _run(title: str, text: str, arguments: argparse.Namespace, out: Path) -> None:
    """Train on a text, and write and say what came of it."""
    seen, heldout = charlm.split(text)
    vocabulary = Vocabulary.of(text)
    numbers = vocabulary.encode(text)
    training = _training(arguments, vocabulary)
    model, configuration = training.model, training.configuration
    out.mkdir(parents=True, exist_ok=True)
    _introduce(title, text, model, vocabulary, configuration)

    pace = _train(training, vocabulary, numbers[: len(seen)], out)
    checkpoint = out / "checkpoint.safetensors"
    charlm.save(checkpoint, Checkpoint(model, vocabulary, configuration, training.updates))
    bits = {
        "heldout_bits_per_char": charlm.bits_per_char(model, numbers[len(seen) - 1 :]),
        "uniform_bits_per_char": charlm.uniform_bits(len(vocabulary)),
        "bigram_bits_per_char": charlm.bigram_bits(seen, heldout, len(vocabulary)),
    }
    metrics = out / "metrics.json"
    _write_metrics(metrics, {**bits, **pace}, configuration)
    _compare(bits, vocabulary)
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


def _train(training: Training, vocabulary: Vocabulary, numbers: Tensor, out: Path) -> dict[str, float]:
    """Train with a bar, and return how long it took; Ctrl-C keeps the training as it is then, and ends the command."""
    started, before, characters = time.perf_counter(), training.updates, 0
    configuration = training.configuration
    with interruptible() as interrupted:
        for update in progress(charlm.train(training, numbers), configuration.updates - before):
            characters += update.characters
            if interrupted():
                break
    done = training.updates
    if done < configuration.updates:
        path = out / "interrupted.safetensors"
        charlm.save(path, Checkpoint(training.model, vocabulary, configuration, done, training.state_dict()))
        raise KeyboardInterrupt(f"interrupted after {done:,} updates; --resume goes on with what is in {path}.")
    seconds = time.perf_counter() - started
    print(f"Trained {done - before:,} updates in {seconds:.1f} s, {characters / seconds:,.0f} characters a second")
    return {"train_seconds": seconds, "chars_per_second": characters / seconds, "resumed_after_updates": before}


def _write_metrics(path: Path, measured: dict[str, float], configuration: Configuration) -> None:
    """Write what was measured, and with what."""
    settings: dict[str, Any] = {"seed": configuration.seed, "configuration": asdict(configuration)}
    place = {"backend": backend.name, "device": backend.device_name()}
    write_whole(path, json.dumps({**measured, **settings, **place}, indent=2).encode() + b"\n")


def _compare(bits: dict[str, float], vocabulary: Vocabulary) -> None:
    """Print the bits per character of the model beside those of the baselines."""
    print("\nBits per character of the held-out text (fewer are better)")
    print(f"  {bits['uniform_bits_per_char']:.3f}  every one of {len(vocabulary)} characters as likely")
    print(f"  {bits['bigram_bits_per_char']:.3f}  from the character before, as counted in training")
    print(f"  {bits['heldout_bits_per_char']:.3f}  this model")


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
