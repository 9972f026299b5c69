"""``tinygrad-lstm generate``: a text continued, character by character as they are drawn."""

from __future__ import annotations

import argparse
from typing import Any

from .. import charlm
from .training import TEMPERATURE

__all__ = ["generate"]

DRAWING = ("temperature", "top_k", "top_p", "seed")
"""The options that say how to draw, None where they are not given."""


def generate(arguments: argparse.Namespace) -> None:
    """Let a trained model continue a text."""
    settings = _settings(arguments)
    checkpoint = charlm.load(arguments.checkpoint)
    characters = charlm.generate(
        checkpoint.model, checkpoint.vocabulary, arguments.prompt, arguments.length, **settings
    )
    print(arguments.prompt, end="", flush=True)
    for character in characters:
        print(character, end="", flush=True)
    print()


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return how characters are to be chosen, or refuse options that say nothing together."""
    drawing = {name: value for name in DRAWING if (value := getattr(arguments, name)) is not None}
    if not (arguments.greedy or arguments.beams):
        return {"temperature": TEMPERATURE, **drawing}
    if drawing:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in drawing)
        arguments.refuse(f"{'--greedy' if arguments.greedy else '--beams'} draws nothing: leave out {options}")
    return {"top_k": 1} if arguments.greedy else {"beams": arguments.beams}
