"""The way back: a dashed line for each use of a mark, with what its user has sent to its gradient.

A line is the thicker the more it carries, so a gradient that vanishes is seen; one between two numbers says by what it
was multiplied there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..structure.ir import Edge, Graph, norm
from ..structure.shares import Shares
from ..view import View
from .dot import Tooltip
from .marks import written
from .strips import short
from .theme import LINES, SURFACES

__all__ = ["STILL", "Backward", "expect_gradients", "returning"]

THINNEST, THICKEST = 0.5, 5.0
"""Points: the width of a line without, and with the largest contribution."""


class Backward:
    """The lines of gradients in a graph; what is asked about one are a mark and those that use it.

    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.graph.structure.ir import read
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
        self.shares = Shares(graph)
        self.flows = {edge: self._together(edge.source, [edge.target]) for edge in dict.fromkeys(graph.edges)}
        self.largest = max((flow for flow in self.flows.values() if math.isfinite(flow)), default=0.0)

    def goes(self, source: int, target: int) -> bool:
        """Tell whether a mark got anything from one of its users, were it zeros."""
        return bool(self.graph.contributions(source, target))

    def flow(self, source: int, *targets: int) -> float:
        """Return the norm of what a mark got from some of its users together; 0 if nothing."""
        if len(targets) == 1:
            return self.flows.get(Edge(source, targets[0]), 0.0)
        return self._together(source, list(dict.fromkeys(targets)))

    def _together(self, source: int, targets: Sequence[int]) -> float:
        """Return the norm of the sum of what several marks have sent, or of what is known of each."""
        sent = [self.shares.of(source, target) for target in targets]
        arrays = [array for arrays in sent if arrays is not None for array in arrays]
        several = self.graph[source].folded is not None or len({array.shape for array in arrays}) > 1
        if several or None in sent:
            return math.hypot(*(self.graph.flow(source, target) for target in targets))
        return norm(sum(arrays[1:], arrays[0])) if arrays else 0.0

    def line(self, source: int, *targets: int) -> dict[str, Any]:
        """Return the look of a line from users of a mark back to it, but not its direction, and its classes."""
        classes = " ".join(["bwd", f"from-n{source}", *(f"to-n{target}" for target in dict.fromkeys(targets))])
        return {**returning(self.flow(source, *targets), self.largest), "class_": classes}

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


def returning(flow: float, largest: float) -> dict[str, Any]:
    """Return the look of a line on which a gradient of some norm comes back, beside the largest of the picture."""
    share = min(1.0, flow / largest) if largest and not math.isnan(flow) else 0.0
    width = round(THINNEST + (THICKEST - THINNEST) * math.sqrt(share), 2)
    return {**LINE, "penwidth": width, "tooltip": Tooltip(f"∂: norm {short(flow)}")}


STILL = {"color": SURFACES["hairline"][0], "arrowhead": "none", "penwidth": 1.0}
"""The look of a line on which no gradient comes back, in a picture of gradients."""


def expect_gradients(graph: Graph, view: View) -> None:
    """Say what is missing, if a picture of gradients is asked for and there are none."""
    asked = f"direction={view.direction!r}" if view.direction != "forward" else "grads=True" if view.grads else ""
    swept = graph.record is not None and graph.record.root is not None
    if asked and not swept and (view.direction != "forward" or all(mark.grad is None for mark in graph)):
        raise ValueError(f"draw: got {asked} and no sweep, wanted a Tape inside which backward() was called.")
