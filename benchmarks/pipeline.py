"""`streams` and `sequences`: from a text to arrays that a model takes, against PyTorch's `DataLoader`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .declarations import Benchmark, Program, Size, Step
from .targets import Ratio

SYMBOLS, LONGEST = 96, 100


def characters(size: Size) -> int:
    """Return how many characters the text has."""
    count: int = size[0]
    return count


def numbers(size: Size) -> tuple[Any, Size]:
    """Return the numbers of a text's characters, the same every time, and the size."""
    return np.random.default_rng(0).integers(1, SYMBOLS, size[0]), size


def sums(batches: Any) -> tuple[int, int]:
    """Go through inputs and targets; return how many there were, and what all their numbers add up to."""
    count = total = 0
    for inputs, targets in batches:
        count += 1
        total += int(inputs[-1, -1]) + int(targets[0, 0])  # little work, but none without the arrays
    return count, total


def told(batches: Any) -> Step:
    """Return a pass over what ``batches()`` gives."""
    found: list[tuple[int, int]] = []

    def run() -> None:
        found[:] = [sums(batches())]

    return Step(run, lambda: {"batches": np.array(found[0][0]), "total": np.array(found[0][1])})


def our_streams(work: tuple[Any, Size]) -> Step:
    """Return a pass over our windows of a text."""
    import tinygrad_lstm as tg
    from tinygrad_lstm.data import windows

    text, (_, batch, steps) = tg.asarray(work[0]), work[1]
    return told(lambda: ((x.data, y.data) for x, y in windows(text, batch, steps)))


def torch_streams(work: tuple[Any, Size]) -> Step:
    """Return a pass over the same windows with a dataset and a loader of PyTorch's."""
    import torch

    text, (_, batch, steps) = torch.tensor(work[0]), work[1]
    length = (len(text) - 1) // batch
    inputs, targets = (text[first : first + batch * length].view(batch, length).T for first in (0, 1))

    class Windows(torch.utils.data.Dataset):  # type: ignore[type-arg]
        """The windows by number."""

        def __len__(self) -> int:
            return -(-length // steps)

        def __getitem__(self, number: int) -> tuple[Any, Any]:
            if number >= len(self):
                raise IndexError
            here = slice(number * steps, (number + 1) * steps)
            return inputs[here], targets[here]

    return told(lambda: torch.utils.data.DataLoader(Windows(), batch_size=None))


def sentences(work: tuple[Any, Size]) -> list[Any]:
    """Return a text cut into sequences of 1 to 100 characters."""
    borders = np.cumsum(np.random.default_rng(1).integers(1, LONGEST + 1, len(work[0])))
    borders = borders[borders < len(work[0])]
    return [work[0][a:b] for a, b in itertools.pairwise([0, *borders.tolist()])]


def our_sequences(work: tuple[Any, Size]) -> Step:
    """Return a pass over our batches of padded sequences, with their lengths."""
    from tinygrad_lstm.data import Minibatches, pad_sequence, sequence_lengths

    sequences, (_, batch) = sentences(work), work[1]

    def batches() -> Any:
        for some in Minibatches(sequences, batch):
            yield pad_sequence(some).data, sequence_lengths(some).data[None]

    return told(batches)


def torch_sequences(work: tuple[Any, Size]) -> Step:
    """Return the same with PyTorch's loader and ``pad_sequence``."""
    import torch

    sequences, (_, batch) = [torch.tensor(sequence) for sequence in sentences(work)], work[1]

    def collate(some: list[Any]) -> tuple[Any, Any]:
        return torch.nn.utils.rnn.pad_sequence(some), torch.tensor([len(each) for each in some])[None]

    return told(lambda: torch.utils.data.DataLoader(sequences, batch_size=batch, collate_fn=collate))


def pipeline(
    name: str, about: str, axes: tuple[str, ...], quick: Size, sizes: list[Size], ours: Any, theirs: Any
) -> Benchmark:
    """Return a benchmark of a pass over a text, PyTorch's with its `DataLoader`."""
    return Benchmark(
        name=name,
        about=about,
        axes=axes,
        sizes=sizes,
        work=numbers,
        programs={"ours": Program(ours), "PyTorch": Program(theirs, needs=("torch",))},
        baseline="PyTorch",
        quick=quick,
        targets=(Ratio("ours", ("PyTorch",), "PyTorch", 1.0, "largest"),),
        unit="character",
        count=characters,
    )


BENCHMARKS = [
    pipeline(
        "streams",
        "one pass over a text in windows of T steps of B streams, in PyTorch with a DataLoader",
        ("characters", "B", "T"),
        (100, 2, 5),
        [(1_000_000, 32, 64), (1_000_000, 1, 100), (1_000_000, 256, 35)],
        our_streams,
        torch_streams,
    ),
    pipeline(
        "sequences",
        f"one pass over sequences of 1 to {LONGEST} characters in padded batches, in PyTorch with a DataLoader",
        ("characters", "B"),
        (2000, 4),
        [(1_000_000, 32), (1_000_000, 256)],
        our_sequences,
        torch_sequences,
    ),
]
