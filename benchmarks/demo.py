"""`demo`: the training of `tinygrad-lstm demo`, update by update, against the same model in PyTorch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .declarations import Benchmark, Program, Size, Step
from .layers import IN_NUMPY
from .layers import work as layer_work
from .targets import Ratio

CHARACTERS, UPDATES, LR, MAX_NORM = 96, 100_000, 0.01, 1.0
CHECKED = 3
"""After how many more updates the losses are compared too."""


class Work(NamedTuple):
    """Weights by the names of the model, the numbers of a text's characters, and the sizes."""

    weights: dict[str, Any]
    text: Any
    T: int
    B: int
    embedding: int
    hidden: int


def work(size: Size) -> Work:
    """Return a model and a text, the same every time."""
    _, _, embedding, hidden = size
    rng = np.random.default_rng(1)
    lstm = layer_work(size).weights
    weights = {f"lstm.{name}": weight for name, weight in lstm.items()}
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (CHARACTERS, embedding)}
    shapes |= {"output.weight": (CHARACTERS, hidden), "output.bias": (CHARACTERS,)}
    weights |= {name: rng.uniform(-0.1, 0.1, shape).astype("float32") for name, shape in shapes.items()}
    return Work(weights, rng.integers(0, CHARACTERS, 500_000), *size)


def told(update: Any) -> Step:
    """Return a step that updates a model; the losses of the first updates are the answers."""
    losses: list[float] = []

    def run() -> None:
        losses.append(update())

    def answers() -> dict[str, Any]:
        for _ in range(CHECKED):
            run()
        return {"losses": np.array(losses)}

    return Step(run, answers)


def ours(work: Work) -> Step:
    """Return an update of the demo's training."""
    import tinygrad_lstm as tg
    from tinygrad_lstm import charlm

    model = charlm.CharLM(CHARACTERS, work.embedding, work.hidden)
    model.load_state_dict(work.weights)
    configuration = charlm.Configuration(work.embedding, work.hidden, work.B, work.T, UPDATES, LR)
    updates = charlm.train(charlm.Training(model, configuration), tg.asarray(work.text))
    return told(lambda: next(updates).loss.item())


def torchs(work: Work) -> Step:
    """Return an update of the same training, written for PyTorch."""
    import torch

    class Model(torch.nn.Module):
        """Embedding, LSTM, Linear."""

        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(CHARACTERS, work.embedding)
            self.lstm = torch.nn.LSTM(work.embedding, work.hidden)
            self.output = torch.nn.Linear(work.hidden, CHARACTERS)

        def forward(self, characters: Any, state: Any) -> Any:
            outputs, state = self.lstm(self.embedding(characters), state)
            return self.output(outputs), state

    model = Model()
    model.load_state_dict({name: torch.tensor(weight) for name, weight in work.weights.items()})
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, UPDATES)
    length = (len(work.text) - 1) // work.B
    used, text = work.B * length, torch.tensor(work.text)
    inputs, targets = (text[first : first + used].view(work.B, length).T for first in (0, 1))

    def updates() -> Any:
        while True:
            state = None
            for t in range(0, length, work.T):
                scores, (h, c) = model(inputs[t : t + work.T], state)
                loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets[t : t + work.T].flatten())
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
                optimizer.step()
                schedule.step()
                state = h.detach(), c.detach()
                yield loss.item()

    every = updates()
    return told(lambda: next(every))


BENCHMARKS = [
    Benchmark(
        name="demo",
        about="an update of the demo's character model: loss, gradients, clipping, Adam, float32",
        axes=("T", "B", "embedding", "hidden"),
        sizes=[(64, 32, 64, 256)],
        work=work,
        programs={
            "compiled": Program(ours, needs=("numba",), environment={"TINYGRAD_LSTM_KERNELS": "auto"}),
            "in NumPy": Program(ours, environment=IN_NUMPY),
            "PyTorch": Program(torchs, needs=("torch",)),
        },
        baseline="PyTorch",
        quick=(3, 2, 4, 5),
        targets=(
            Ratio("compiled", ("PyTorch",), "PyTorch", 1.0, "largest"),
            Ratio("in NumPy", ("PyTorch",), "PyTorch", 1.0, "largest"),
        ),
        unit="character",
        count=lambda size: size[0] * size[1],
    )
]
