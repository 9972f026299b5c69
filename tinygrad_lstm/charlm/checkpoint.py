"""Checkpoints: a model, the characters that it knows and how it was trained, in one safetensors file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from ..data import Vocabulary
from ..interchange import FormatError, safetensors
from ..tensor import Tensor
from .model import CharLM
from .training import Configuration

__all__ = ["Checkpoint", "load", "save"]

FORMAT = "tinygrad_lstm.charlm 1"
"""What the metadata says under ``format``; the number changes with what is kept."""


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
        How many updates were done; fewer than ``configuration.updates`` if training was interrupted.
    """

    model: CharLM
    vocabulary: Vocabulary
    configuration: Configuration
    updates: int


def save(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Vocabulary, configuration and the count of updates are JSON in the file's metadata.

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
    metadata = {
        "format": FORMAT,
        "vocabulary": json.dumps(checkpoint.vocabulary.characters),
        "configuration": json.dumps(asdict(checkpoint.configuration)),
        "updates": json.dumps(checkpoint.updates),
    }
    safetensors.save(path, checkpoint.model.state_dict(), metadata)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Return what a checkpoint holds; nothing in the file is executed.

    Raises
    ------
    OSError
        If the file cannot be read.
    FormatError
        If it is not a checkpoint of a character model, or its parts do not fit each other.
    """
    tensors, metadata = safetensors.load(path)
    if metadata.get("format") != FORMAT:
        raise FormatError(
            f"{os.fspath(path)} is a safetensors file but not a checkpoint of a character model: its metadata says "
            f"format={metadata.get('format')!r}, wanted {FORMAT!r}."
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
    model.load_state_dict(tensors)
    return Checkpoint(model, vocabulary, configuration, json.loads(metadata["updates"]))
