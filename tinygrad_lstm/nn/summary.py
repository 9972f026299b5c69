"""A table of a model's modules: where each stands, what it gives, how many parameters it has, how much it computes."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from ..structures import flat
from ..tape import Argument, Node, Watcher, enable_grad, scope_path, thread
from ..tensor import Tensor
from .evaluation import evaluating
from .module import Module

__all__ = ["ModuleSummary", "Summary", "summary"]

STEP = re.compile(r"t=\d+", re.ASCII)
"""The scope of a time step."""

MOVED = {
    "astype", "broadcast_to", "checkpoint", "concat", "empty_like", "expand_dims", "flip", "full_like", "getitem",
    "meshgrid", "one_hot", "ones_like", "pad", "pad_sequence", "part", "permute_dims", "repeat", "reshape", "roll",
    "seen", "split", "squeeze", "stack", "tile", "tril", "triu", "zeros_like",
}  # fmt: skip
"""The primitives that put elements elsewhere, hand them on, or make them of nothing."""


# fmt: off
PRODUCTS: dict[str, Callable[..., int]] = {
    "matmul":         lambda x1, x2, y, node: y.size * x1.shape[-1],
    "linear":         lambda x1, x2, y, node: y.size * x1.shape[-1],
    "vecdot":         lambda x1, x2, y, node: y.size * x1.shape[-1],
    "conv":           lambda x1, x2, y, node: y.size * (x2.size // x2.shape[0]),
    "conv_transpose": lambda x1, x2, y, node: x1.size * (x2.size // x2.shape[0]),
    "einsum":         lambda x1, x2, y, node: _letters(x1, x2, y, node),
}
"""The multiply-adds of products, by their arguments, result and node."""
# fmt: on


def _letters(x1: Any, x2: Any, y: Any, node: Node | None) -> int:
    """Return how many values all letters of a product have together; only a node knows the letters."""
    if node is None:
        return max(x1.size, x2.size, y.size)
    term1, term2, _ = node.params
    lengths = dict(zip(term1 + term2, x1.shape + x2.shape, strict=True))
    return math.prod(lengths.values())


@dataclasses.dataclass(frozen=True)
class ModuleSummary:
    """What a model does in one of its modules, all modules within it included.

    Attributes
    ----------
    path
        The names that lead to it, joined by dots; empty for the model itself. A module that stands in several places
        is counted once, at the first.
    kind
        The name of its class.
    shapes
        The shapes of the tensors that it returned when it was last called.
    parameters
        How many numbers are trained in it, those shared counted once.
    multiply_adds
        How many multiply-adds it did, in all calls.
    calls
        How often it was called.
    steps
        Over how many time steps it went, in all calls: 0 where it is not recurrent.
    multiply_adds_per_step
        How many multiply-adds one of these steps did, what is done once for all of them left out; the mean if they
        differ, and None where there are no steps.
    """

    path: str
    kind: str
    shapes: tuple[tuple[int, ...], ...]
    parameters: int
    multiply_adds: int
    calls: int
    steps: int
    multiply_adds_per_step: float | None


class Summary(Sequence[ModuleSummary]):
    """The modules of a model, the model itself first; as a string, a table with the model as its last line.

    >>> import tinygrad_lstm as tg
    >>> table = tg.nn.summary(tg.nn.Sequential(tg.nn.Linear(3, 2), tg.tanh), tg.ones((4, 3)))
    >>> [(row.kind, row.parameters) for row in table]
    [('Sequential', 8), ('Linear', 8)]
    """

    def __init__(self, rows: Sequence[ModuleSummary]) -> None:
        self._rows = tuple(rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        model, *modules = self._rows
        lines = [_HEAD, *(_cells(row.path, row) for row in modules), _cells("total", model)]
        columns = [column for column in zip(*lines, strict=True) if any(column[1:])]
        widths = [max(map(len, column)) for column in columns]
        texts = [
            "  ".join(
                cell.rjust(width) if column[0] in _NUMBERS else cell.ljust(width)
                for cell, width, column in zip(line, widths, columns, strict=True)
            ).rstrip()
            for line in zip(*columns, strict=True)
        ]
        texts.insert(-1, "-" * (sum(widths) + 2 * len(widths) - 2))
        return "\n".join(texts)


_NUMBERS = ("parameters", "multiply-adds", "calls", "steps", "per step")
_HEAD = ("module", "class", "output", *_NUMBERS)


def _cells(path: str, row: ModuleSummary) -> tuple[str, ...]:
    """Return a line of the table; a column in which nobody has anything to say is left out."""
    shapes = " ".join(map(str, row.shapes))
    per_step = "" if row.multiply_adds_per_step is None else f"{row.multiply_adds_per_step:,.0f}"
    calls = "" if row.calls == 1 else f"{row.calls:,}"
    steps = f"{row.steps:,}" if row.steps else ""
    return (path, row.kind, shapes, f"{row.parameters:,}", f"{row.multiply_adds:,}", calls, steps, per_step)


def summary(model: Module, *inputs: Any, **options: Any) -> Summary:
    """Return a table of a model's modules, found by calling the model once, in evaluation.

    Counted are multiply-adds: ``a * b + c``, the unit in which products of matrices are measured. A product of shapes
    (N, K) and (K, M) has N K M of them, with a bias or without; a convolution has one for each element of its result
    and of the weight that it sees there, an `einsum` in which a parameter takes part one for each value of all its
    letters together. Every other op counts one for each element of its result or of its largest argument, whichever
    has more, be it an addition or a tanh; what only moves elements, as `reshape`, `stack` and indexing do, counts
    nothing. Counts are for the whole input, all sequences of a batch and all steps; what one time step of a recurrent
    layer does stands beside them.

    Parameters
    ----------
    model
        The model. It is left as it was: its mode, its parameters and its hooks.
    inputs, options
        What to call it with.

    Returns
    -------
    Summary
        A `ModuleSummary` for each module, in the order of `Module.parameters`, the model itself first; ``print`` shows
        the table.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> model = tg.nn.Sequential(tg.nn.LSTM(3, 5), lambda states: states[0], tg.nn.Linear(5, 2))
    >>> table = tg.nn.summary(model, tg.ones((7, 1, 3)))
    >>> print(table)
    module  class       output                         parameters  multiply-adds  steps  per step
    0       LSTM        (7, 1, 5) (1, 1, 5) (1, 1, 5)         200          1,455      7       205
    2       Linear      (7, 1, 2)                              12             70
    ---------------------------------------------------------------------------------------------
    total   Sequential  (7, 1, 2)                             212          1,525
    >>> table[0].parameters
    212
    """
    tallies = {module: _Tally(path) for path, module in model.named_modules()}
    with contextlib.ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(enable_grad())
        counter = stack.enter_context(_Counter(tallies))
        for module in tallies:
            stack.enter_context(module.register_forward_pre_hook(counter.entered))
            stack.enter_context(module.register_forward_hook(counter.left))
        model(*inputs, **options)
    return Summary([tally.row(module) for module, tally in tallies.items()])


@dataclasses.dataclass
class _Tally:
    """What has been counted of a module."""

    path: str
    shapes: tuple[tuple[int, ...], ...] = ()
    calls: int = 0
    multiply_adds: int = 0
    steps: int = 0
    in_steps: int = 0

    def row(self, module: Module) -> ModuleSummary:
        parameters = sum(parameter.size for parameter in module.parameters())
        per_step = self.in_steps / self.steps if self.steps else None
        return ModuleSummary(
            self.path, type(module).__name__, self.shapes, parameters, self.multiply_adds, self.calls,
            self.steps, per_step,
        )  # fmt: skip


@dataclasses.dataclass
class _Call:
    """A call of a module that has not returned: how deep its scope is, and the time steps that it has gone over."""

    tally: _Tally
    depth: int
    steps: set[str] = dataclasses.field(default_factory=set)


class _Counter(Watcher):
    """Counts what is computed for all modules that are being called."""

    def __init__(self, tallies: dict[Module, _Tally]) -> None:
        self.tallies = tallies
        self.calls: list[_Call] = []

    def entered(self, module: Module, inputs: Any) -> None:
        """Hear that a module is called."""
        self.calls.append(_Call(self.tallies[module], len(scope_path(thread.state.scope))))

    def left(self, module: Module, inputs: Any, output: Any) -> None:
        """Hear that it has returned."""
        call = self.calls.pop()
        call.tally.calls += 1
        call.tally.steps += len(call.steps)
        call.tally.shapes = tuple(part.shape for part in flat(output) if isinstance(part, Tensor))

    def applied(self, name: str, node: Node | None, operands: Sequence[Argument], value: Any) -> None:
        """Count a primitive for every module around it, and for the time step that a module has made around it."""
        count = _multiply_adds(name, node, [operand.value for operand in operands], value)
        if count == 0:
            return
        path = scope_path(thread.state.scope)
        for tally in {id(call.tally): call.tally for call in self.calls}.values():  # once, though it call itself
            tally.multiply_adds += count
        for call, inner in zip(self.calls, [*self.calls[1:], None], strict=True):
            own = path[call.depth : inner.depth if inner else None]
            step = next(filter(STEP.fullmatch, own), None)
            if step is not None:
                call.steps.add(step)
                call.tally.in_steps += count


def _multiply_adds(name: str, node: Node | None, operands: list[Any], value: Any) -> int:
    """Return how many multiply-adds an application of a primitive counts as."""
    if name in MOVED:
        return 0
    if name in PRODUCTS:
        return PRODUCTS[name](*operands[:2], value, node)
    return max(getattr(x, "size", 1) for x in (value, *operands))
