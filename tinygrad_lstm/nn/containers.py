"""Modules that hold modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """Modules and functions applied one after the other: attributes ``0``, ``1``, …, as in PyTorch.

    Parameters
    ----------
    *steps
        Modules and functions of one argument. ``model[0]`` is the first of them; an attribute that is set anew takes
        the place of the one that was there.

    Raises
    ------
    TypeError
        If a step cannot be called.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> model = tg.nn.Sequential(tg.nn.Linear(4, 8), tg.tanh, tg.nn.Linear(8, 2))
    >>> model(tg.ones((3, 4))).shape
    (3, 2)
    >>> list(model.state_dict())
    ['0.weight', '0.bias', '2.weight', '2.bias']
    """

    def __init__(self, *steps: Callable[[Any], Any]) -> None:
        for index, step in enumerate(steps):
            if not callable(step):
                raise TypeError(
                    f"Sequential: got {type(step).__name__} as step {index}, wanted a module or a function."
                )
            setattr(self, str(index), step)
        self._length = len(steps)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Callable[[Any], Any]:
        """Return a step, counted from the end if the index is negative."""
        return tuple(self)[index]

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return (getattr(self, str(index)) for index in range(self._length))

    def forward(self, x: Any) -> Any:
        """Return what the last step makes of what the others made of ``x``."""
        for step in self:
            x = step(x)
        return x
