"""Modules that hold modules."""

from __future__ import annotations

from typing import Any

from .module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Modules and functions applied one after the other; the modules are attributes ``0``, ``1``, …, as in PyTorch.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.tanh, tg.nn.Linear(8, 2))
    >>> model(tg.ones((3, 4))).shape
    (3, 2)
    >>> list(model.state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *steps: Any) -> None:
        self.steps = steps
        for index, step in enumerate(steps):
            if isinstance(step, Module):
                setattr(self, str(index), step)

    def forward(self, x: Any) -> Any:
        """Return what the last step makes of what the others made of ``x``."""
        for step in self.steps:
            x = step(x)
        return x
