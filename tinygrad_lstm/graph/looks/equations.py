"""What happens at a mark as a line of mathematics: how it is computed, and what it sends back."""

from __future__ import annotations

import re
from functools import cached_property

from ..structure.ir import Graph, Mark
from . import formulas, marks
from .dot import clean

__all__ = ["BACKWARD", "Equations"]

BACKWARD = {
    "add": ("g", "g"),
    "subtract": ("g", "-g"),
    "multiply": ("g * b", "g * a"),
    "divide": ("g / b", "-g * y / b"),
    "negative": ("-g",),
    "square": ("2 * g * a",),
    "sqrt": ("g / (2 * y)",),
    "exp": ("g * y",),
    "log": ("g / a",),
    "reciprocal": ("-g * y * y",),
    "sigmoid": ("g * y * (1 - y)",),
    "tanh": ("g * (1 - y * y)",),
    "matmul": ("g @ b.T", "a.T @ g"),
    "sum": ("g",),
}
"""What comes to the arguments of an op: ``a`` and ``b`` are those, ``y`` its result, ``g`` the gradient of that."""

TYPESET = {"*": "⊙", "-": "−", ".T": "ᵀ", "2 * ": "2 "}


class Equations:
    """The equations of a graph.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.structure.ir import read
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True).named("x")
    >>> with tg.Tape() as tape:
    ...     y = tg.tanh(1 - x * x).sum().named("y")
    >>> graph = read(tape)
    >>> equations = Equations(graph)
    >>> [equations.forward(mark) for mark in graph if not mark.stored]
    ['v₁ = x²', 'v₂ = 1 − v₁', 'v₃ = tanh(v₂)', 'y = Σ(v₃)']
    >>> equations.backward(graph[4], graph[3])
    '∂v₂ += ∂v₃ ⊙ (1 − v₃ ⊙ v₃)'
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def called(self, mark: Mark) -> str:
        """Return what a mark is called: its name, or that of the scope that it is, or else its number on the tape."""
        if mark.is_number:
            return marks.number(mark.value)
        if mark.folded is not None:
            return f"[{clean(mark.folded)}]"
        known = marks.name(self.graph, mark) or (marks.stored_text(self.graph, mark) if mark.stored else None)
        return clean(known) if known else marks.subscripted("v", self._numbers.get(mark.id, mark.id))

    @cached_property
    def _numbers(self) -> dict[int, int]:
        """The numbers of computed marks as ``print(tape)`` shows them."""
        tape = self.graph if self.graph.record is None else self.graph.record.marks.values()
        return {id: number for number, id in enumerate((mark.id for mark in tape if not mark.stored), start=1)}

    def _operands(self, mark: Mark) -> list[str]:
        return ["…" if id is None else self.called(self.graph[id]) for id in mark.inputs]

    def forward(self, mark: Mark) -> str:
        """Return how a mark is computed."""
        if mark.equation is not None:
            return clean(mark.equation.partition("\n")[0])
        if mark.folded is not None:
            return " reads ".join(filter(None, [self.called(mark), ", ".join(self._operands(mark))]))
        if len(mark.inputs) == 1 and any(self.graph[id].folded is not None for id in mark.sources):
            return f"{self.called(mark)} from {self._operands(mark)[0]}"  # its op may have had more arguments
        if mark.parts:
            made = f"{clean(mark.op)}({', '.join(self._operands(mark))})"
        else:
            made = clean(formulas.op(mark, self._operands(mark)))
        return f"{self.called(mark)} = {made}"

    def backward(self, mark: Mark, source: Mark) -> str:
        """Return what a mark adds to the gradient of one of its arguments."""
        to, of = self.called(source), self.called(mark)
        known = BACKWARD.get(mark.op, ())
        if mark.parts or len(known) != len(mark.inputs):
            return f"∂{to} += ∂{of} · d{of}/d{to}"
        names = {"g": f"∂{of}", "y": of, **dict(zip("ab", self._operands(mark), strict=False)), **TYPESET}
        parts = [
            re.sub(r"[gyab]\b|\.T|2 \* |[*-]", lambda word: names[word[0]], formula)
            for formula, id in zip(known, mark.inputs, strict=True)
            if id == source.id
        ]
        return f"∂{to} += {' + '.join(parts)}"
