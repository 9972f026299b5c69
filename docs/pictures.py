"""Draw the pictures of README and docs: `make pictures`."""

from __future__ import annotations

from pathlib import Path

import tinygrad_lstm as tg

IMAGES = Path(__file__).parent / "images"


def lstm() -> tg.Tape:
    """Return the tape of an LSTM over three steps."""
    tg.manual_seed(0)
    layer = tg.nn.LSTM(input_size=2, hidden_size=3)
    with tg.Tape() as tape:
        layer(tg.randn(3, 1, 2))
    return tape


if __name__ == "__main__":
    lstm().draw(IMAGES / "lstm.svg")
