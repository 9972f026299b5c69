"""The way back: a dashed line for each use of a mark, with what its user has sent to its gradient.

A line is the thicker the more it carries, so a gradient that vanishes is seen; one between two numbers says by what it
was multiplied there.
"""

from __future__ import annotations

import math
from typing import Any

from .dot import Tooltip
from .ir import Edge, Graph
from .marks import written
from .strips import short
from .theme import LINES

__all__ = ["Backward", "expect_gradients"]

THINNEST, THICKEST = 0.5, 5.0
"""Points: the width of a line without, and with the largest contribution."""


class Backward:
    """The lines of gradients in a graph.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.ir import read
    >>> x = tg.asarray(3.0, requires_grad=True)
    >>> with tg.Tape() as tape:
    ...     y = x * x
    ...     y.backward()
    >>> lines = Backward(read(tape))
    >>> lines.derivative(0, 1), lines.line(0, 1)["penwidth"]
    ('× 3.00 twice', 5.0)
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.flows = {edge: graph.flow(*edge) for edge in graph.edges}
        self.largest = max((flow for flow in self.flows.values() if math.isfinite(flow)), default=0.0)

    def goes(self, source: int, target: int) -> bool:
        """Tell whether a mark got anything from one of its users, were it zeros."""
        return bool(self.graph.contributions(source, target))

    def width(self, source: int, target: int) -> float:
        """Return the width of a line by the norm of what it carries."""
        flow = self.flows.get(Edge(source, target), 0.0)
        share = min(1.0, flow / self.largest) if self.largest and not math.isnan(flow) else 0.0
        return round(THINNEST + (THICKEST - THINNEST) * math.sqrt(share), 2)

    def line(self, source: int, target: int) -> dict[str, Any]:
        """Return the look of the line from a mark back to what it used, but not its direction, and its classes."""
        carried = f"∂: norm {short(self.flows.get(Edge(source, target), 0.0))}"
        return {**LINE, "penwidth": self.width(source, target), "tooltip": Tooltip(carried),
                "class_": f"bwd from-n{source} to-n{target}"}  # fmt: skip

    def derivative(self, source: int, target: int) -> str | None:
        """Return by what a number's gradient was multiplied on the way to another's, if these are numbers."""
        cotangent, record = self.graph[target].grad, self.graph.record
        if (
            record is None
            or self.graph[target].parts
            or cotangent is None
            or cotangent.size != 1
            or not cotangent.any()
        ):
            return None
        each = record.each(source, target)
        if not each or any(array is None or array.size != 1 for array in each):
            return None
        factors = [f"× {written(float(array.reshape(())) / float(cotangent.reshape(())))}" for array in each]
        if len(set(factors)) > 1:
            return ", ".join(factors)
        times = {1: "", 2: " twice"}.get(len(factors), f" {len(factors)} times")
        return factors[0] + times


LINE = {"style": "dashed", "color": LINES["gradient"][0], "fontcolor": LINES["gradient"][0]}
"""What all lines of gradients have in common."""


def expect_gradients(graph: Graph, what: str) -> None:
    """Say what is missing, if a picture of gradients is asked for and there are none."""
    if all(mark.grad is None for mark in graph):
        raise ValueError(f"draw: got {what}, but no gradient; call backward() inside the tape, after what is drawn.")
