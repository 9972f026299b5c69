"""`layout`: from an LSTM in ops to its picture, against the tools that draw PyTorch's models.

Every program runs the model, looks on, and lays out what it saw. The others write down every node for Graphviz; ours
chooses what can be read, and lays that out.
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from .cells import own_cell
from .declarations import Benchmark, Program, Size, Step
from .layers import Work
from .layers import work as layer_work

PER_STEP = 15
"""How many nodes a step of our LSTM has."""

SIZES: list[Size] = [(50,), (500,), (5_000,), (100_000,)]


def nodes(size: Size) -> int:
    """Return how many nodes the tape has, about."""
    count: int = size[0]
    return count


def work(size: Size) -> Work:
    """Return weights and a sequence so long that the tape has as many nodes."""
    return layer_work((max(1, nodes(size) // PER_STEP), 1, 4, 8))


def ours(work: Work, suffix: str = "") -> Step:
    """Return our picture: as a text in Graphviz's language, or as a file of some kind."""
    import tinygrad_lstm as tg
    from tinygrad_lstm.graph import to_dot

    layer = tg.nn.LSTM(*work.sizes)
    layer.load_state_dict(work.weights)
    x = tg.asarray(work.x)

    def run() -> None:
        with tg.Tape() as tape, tg.nn.stepwise():
            layer(x)
        if not suffix:
            to_dot(tape)
            return
        with tempfile.TemporaryDirectory() as folder:
            tg.draw(tape, Path(folder, f"picture{suffix}"))

    return Step(run)


def torch_model(work: Work) -> tuple[Any, Any]:
    """Return a module that applies the same LSTM in PyTorch's ops, and its input."""
    import torch

    class Model(torch.nn.Module):
        """A loop over a cell made of ops."""

        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.ParameterDict({name: torch.tensor(weight) for name, weight in work.weights.items()})

        def forward(self, x: Any) -> Any:
            h = c = x.new_zeros(x.shape[1], work.sizes[1])
            for t in range(len(x)):
                h, c = own_cell(torch, self.w, x[t], h, c)
            return h

    return Model(), torch.tensor(work.x)


def torchview(work: Work) -> Step:
    """Return torchview's picture, a text in Graphviz's language."""
    import torchview

    model, x = torch_model(work)
    return Step(lambda: torchview.draw_graph(model, input_data=x).visual_graph.source)


def torchlens(work: Work) -> Step:
    """Return what TorchLens does before it draws."""
    import torchlens

    model, x = torch_model(work)
    return Step(lambda: torchlens.trace(model, x))


BENCHMARKS = [
    Benchmark(
        name="layout",
        about="an LSTM run op by op, recorded and laid out as a picture",
        axes=("nodes",),
        sizes=SIZES,
        work=work,
        programs={
            "to_dot": Program(ours),
            "draw SVG": Program(partial(ours, suffix=".svg"), needs=("pygraphviz",)),
            "torchview, as DOT": Program(torchview, needs=("torch", "torchview"), sizes=SIZES[:3]),
            "TorchLens, recording": Program(torchlens, needs=("torch", "torchlens"), sizes=SIZES[:2]),
        },
        baseline="torchview, as DOT",
        quick=(30,),
        unit="node",
        count=nodes,
        least=1,
    )
]
