"""Checkpoints: a model, the characters that it knows and how it was trained, in one safetensors file.

The checkpoint of a training that is not over holds all that is needed to go on with it, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..data import Vocabulary
from ..interchange import FormatError, packed, safetensors, unpacked
from ..tensor import Tensor
from .model import CharLM
from .training import Configuration, Training

__all__ = ["Checkpoint", "load", "resumed", "save"]

FORMAT = "tinygrad_lstm.charlm 3"
"""What the metadata says under ``format``; the number changes with what is kept."""

FORMATS = (FORMAT, "tinygrad_lstm.charlm 2", "tinygrad_lstm.charlm 1")
"""What can be read: before 3 a training did not keep its best weights, before 2 it was not in a checkpoint at all."""

TRAINING = "training"
"""Where the training is: the metadata under this name, and the tensors whose names begin with it."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes
    ----------
    model
        The model with its weights.
    vocabulary
        The characters that it knows.
    configuration
        How it was trained.
    updates
        After how many updates the model had these weights; fewer than ``configuration.updates`` if training was
        interrupted, or if later weights did worse on the held-out text.
    training
        The state of the training, `Training.state_dict`, if it is to go on; `resumed` makes a training of it again.
    """

    model: CharLM
    vocabulary: Vocabulary
    configuration: Configuration
    updates: int
    training: Mapping[str, Any] | None = None


def save(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Vocabulary, configuration, the count of updates and what there is of the training besides tensors are JSON in the
    file's metadata.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    checkpoint
        What to write.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> checkpoint = Checkpoint(CharLM(2, embedding=2, hidden=3), Vocabulary("ab"), Configuration(2, 3), updates=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(pathlib.Path(folder, "model.safetensors"), checkpoint)
    ...     load(pathlib.Path(folder, "model.safetensors")).vocabulary
    Vocabulary('ab')
    """
    training, tensors = packed(checkpoint.training, TRAINING)
    metadata = {
        "format": FORMAT,
        "vocabulary": json.dumps(checkpoint.vocabulary.characters),
        "configuration": json.dumps(asdict(checkpoint.configuration)),
        "updates": json.dumps(checkpoint.updates),
        TRAINING: json.dumps(training),
    }
    safetensors.save(path, {**checkpoint.model.state_dict(), **tensors}, metadata)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Return what a checkpoint holds; nothing in the file is executed.

    Raises
    ------
    OSError
        If the file cannot be read.
    FormatError
        If it is not a checkpoint of a character model, or its parts do not fit each other.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     save(path, Checkpoint(CharLM(2, 2, 3), Vocabulary("ab"), Configuration(2, 3, updates=9), updates=4))
    ...     checkpoint = load(path)
    >>> checkpoint.updates, checkpoint.configuration.updates
    (4, 9)
    """
    tensors, metadata = safetensors.load(path)
    if metadata.get("format") not in FORMATS:
        raise FormatError(
            f"{os.fspath(path)} is a safetensors file but not a checkpoint of a character model: its metadata says "
            f"format={metadata.get('format')!r}, wanted {' or '.join(map(repr, FORMATS))}."
        )
    try:
        return _checkpoint(tensors, metadata)
    except (KeyError, TypeError, ValueError, ArithmeticError, MemoryError) as error:
        raise FormatError(f"{os.fspath(path)} is a checkpoint whose parts do not fit each other: {error}") from None


def _checkpoint(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Checkpoint:
    """Return a checkpoint of the parts of a file."""
    vocabulary = Vocabulary(json.loads(metadata["vocabulary"]))
    configuration = Configuration(**json.loads(metadata["configuration"]))
    model = CharLM(len(vocabulary), configuration.embedding, configuration.hidden)
    model.load_state_dict({name: x for name, x in tensors.items() if not name.startswith(f"{TRAINING}.")})
    training = unpacked(json.loads(metadata.get(TRAINING, "null")), tensors)
    return Checkpoint(model, vocabulary, configuration, json.loads(metadata["updates"]), training)


def resumed(checkpoint: Checkpoint) -> Training:
    """Return the training of a checkpoint, to go on as if never left; random generators go on with it.

    Raises
    ------
    FormatError
        If there is no training in the checkpoint, as when it was over, or it does not fit.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm import charlm
    >>> text, configuration = tg.arange(5), Configuration(2, 3, batch=2, steps=4, updates=3)
    >>> training = Training(CharLM(5, 2, 3), configuration)
    >>> update = next(charlm.train(training, text))
    >>> checkpoint = Checkpoint(training.model, Vocabulary("abcde"), configuration, 1, training.state_dict())
    >>> len(list(charlm.train(resumed(checkpoint), text)))
    2
    """
    if checkpoint.training is None:
        raise FormatError(
            f"the checkpoint has no training to go on with, but a model after {checkpoint.updates:,} of "
            f"{checkpoint.configuration.updates:,} updates."
        )
    try:
        training = Training(checkpoint.model, checkpoint.configuration)
        training.load_state_dict(checkpoint.training)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(f"the training in the checkpoint does not fit its model: {error}") from None
    return training
