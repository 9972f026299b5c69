"""``tinygrad-lstm generate``: a text continued, character by character as they are drawn."""

from __future__ import annotations

import argparse

from .. import charlm

__all__ = ["generate"]


def generate(arguments: argparse.Namespace) -> None:
    """Let a trained model continue a text."""
    checkpoint = charlm.load(arguments.checkpoint)
    characters = charlm.generate(
        checkpoint.model,
        checkpoint.vocabulary,
        arguments.prompt,
        arguments.length,
        temperature=arguments.temperature,
        top_k=arguments.top_k,
        seed=arguments.seed,
    )
    print(arguments.prompt, end="", flush=True)
    for character in characters:
        print(character, end="", flush=True)
    print()
