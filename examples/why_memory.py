"""Why memory: on which floor is the lift, for a net that sees the last few buttons, and for one that remembers.

"Up" leads to another floor each time, depending on where the lift was. A feed-forward net is shown the last 1, 2, 4 or
8 buttons; a recurrent net, one layer of tanh, sees one button at a time, and its own last output.

    python -m examples.why_memory
    python -m examples.why_memory --quick
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import tinygrad_lstm as tg
from examples import plots
from tinygrad_lstm import data, nn, optim
from tinygrad_lstm.graph.palette import COLOURS

BUTTONS = ("down", "stay", "up")
FLOORS = 5
STEPS = 30


def rides(count: int) -> tuple[tg.Tensor, tg.Tensor]:
    """Return buttons as numbers (T, B), and the floors after them; a lift begins on floor 0 and stops at both ends."""
    buttons = tg.randint(0, len(BUTTONS), (STEPS, count))
    floor, floors = tg.zeros((count,), dtype="int64"), []
    for button in buttons:
        floor = tg.clip(floor + button - 1, 0, FLOORS - 1)
        floors.append(floor)
    return buttons, tg.stack(floors)


class FeedForward(nn.Module):
    """Sees the last few buttons, and nothing of what was before them."""

    def __init__(self, window: int, hidden: int = 64) -> None:
        self.window = window
        self.layer = nn.Linear(window * len(BUTTONS), hidden)
        self.scores = nn.Linear(hidden, FLOORS)

    def forward(self, buttons: tg.Tensor) -> tg.Tensor:
        """Return a score for each floor (T, B, 5) after the buttons (T, B)."""
        shown = tg.pad(tg.one_hot(buttons, len(BUTTONS)), ((self.window - 1, 0), (0, 0), (0, 0)))
        last = [shown[back : back + len(buttons)] for back in range(self.window)]
        return self.scores(tg.tanh(self.layer(tg.concat(last, axis=-1).astype("float32"))))


class Recurrent(nn.Module):
    """The standard repeating module: one layer of tanh that sees the button and its own last output."""

    def __init__(self, hidden: int = 32) -> None:
        self.W_x = nn.Parameter(tg.randn(len(BUTTONS), hidden) * 0.5)
        self.W_h = nn.Parameter(tg.randn(hidden, hidden) / hidden**0.5)
        self.b = nn.Parameter(tg.zeros((hidden,)))
        self.scores = nn.Linear(hidden, FLOORS)

    def forward(self, buttons: tg.Tensor) -> tg.Tensor:
        """Return a score for each floor (T, B, 5) after the buttons (T, B)."""
        return self.scores(tg.stack(self.states(tg.one_hot(buttons, len(BUTTONS)).astype("float32"))))

    def states(self, xs: tg.Tensor) -> list[tg.Tensor]:
        """Return the state after each input (B, 3) of (T, B, 3)."""
        h = tg.zeros((xs.shape[1], self.W_h.shape[0])).named("h")
        states = []
        for t, x in enumerate(xs, start=1):
            with tg.scope(f"t={t}"):
                h = tg.tanh(x.named("x") @ self.W_x + h @ self.W_h + self.b).named("h")
            states.append(h)
        return states


def train(model: nn.Module, updates: int, title: str) -> None:
    """Train a net to tell the floor after every button."""
    optimizer = optim.Adam(model.parameters(), lr=0.005)
    bar = data.Progress(range(updates), title, unit="updates")
    for _ in bar:
        buttons, floors = rides(32)
        loss = tg.cross_entropy(model(buttons).reshape(-1, FLOORS), floors.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        bar.show(loss=loss)


def accuracy(model: nn.Module, count: int = 500) -> float:
    """Return how often a net tells the floor in rides that it has not seen."""
    buttons, floors = rides(count)
    with nn.evaluating(model):
        return (model(buttons).argmax(axis=-1) == floors).mean().item()


def most_frequent(count: int = 500) -> float:
    """Return how often one is right who always says the most frequent floor."""
    _, floors = rides(count)
    return max((floors == floor).mean().item() for floor in range(FLOORS))


def draw(folder: Path) -> None:
    """Draw the recurrent net as a loop and unrolled, and its repeating module op by op."""
    tg.manual_seed(0)
    model = Recurrent(hidden=4)
    xs = tg.one_hot(tg.asarray([[2], [2], [0]]), len(BUTTONS)).astype("float32")
    with tg.Tape() as tape:
        model.states(xs)
    tg.draw(tape, folder / "loop.svg", rolled=True)
    tg.draw(tape, folder / "unrolled.svg")
    with tg.Tape() as tape:
        model.states(xs[:1])
    tg.draw(tape, folder / "module.svg", level="op", values=True)


def plot(by_window: dict[int, float], recurrent: float, baseline: float, path: Path) -> None:
    """Plot how often the nets are right, against how much the feed-forward ones are shown."""
    with plots.figure(path, 7, 4) as figure:
        axes = figure.subplots()
        lines = (
            (recurrent, "c", "recurrent, one button at a time"),
            (baseline, "edge", "always the most frequent floor"),
        )
        for height, kind, text in lines:
            axes.axhline(height, color=COLOURS[kind], linestyle="--")
            axes.annotate(text, (1, height), xytext=(0, -14), textcoords="offset points", color=COLOURS[kind])
        windows, heights = list(by_window), list(by_window.values())
        axes.plot(windows, heights, color=COLOURS["h"], marker="o")
        axes.annotate("feed-forward", (windows[-1], heights[-1]), xytext=(-70, -20), textcoords="offset points",
                      color=COLOURS["h"])  # fmt: skip
        axes.set(ylim=(0, 1.05), xlabel="last buttons shown to the feed-forward net", ylabel="floors told rightly")
        axes.set_title("On which floor is the lift?")
        axes.set_xticks(windows)
        axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train the nets, print how often they are right, and draw; return that by name."""
    parser = argparse.ArgumentParser(prog="python -m examples.why_memory", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer nets and updates: seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("why_memory-pictures"), help="where pictures go")
    options = parser.parse_args(arguments)

    updates, windows = (300, (1, 4)) if options.quick else (1500, (1, 2, 4, 8))
    tg.manual_seed(options.seed)
    figures = {"most frequent floor": most_frequent()}
    by_window = {}
    for window in windows:
        model = FeedForward(window)
        train(model, updates, f"Feed-forward, {window} shown")
        by_window[window] = figures[f"feed-forward, {window}"] = accuracy(model)
    recurrent = Recurrent()
    train(recurrent, updates, "Recurrent")
    figures["recurrent"] = accuracy(recurrent)
    for name, right in figures.items():
        print(f"{name:>20}: {right:.1%}")

    with plots.pictures(options.out):
        plot(by_window, figures["recurrent"], figures["most frequent floor"], options.out / "accuracy.svg")
        draw(options.out)
    return figures


if __name__ == "__main__":
    main()
