"""Hooks of modules: functions that see what goes in and out of a module, forward and backward, and may change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..autodiff.joint import flattened, seen_together, unflattened
from ..tensor import Tensor

__all__ = ["Hooks"]


class Hooks:
    """The hooks of a module, in the order in which they were registered."""

    def __init__(self) -> None:
        self.before: dict[int, Callable[..., Any]] = {}
        self.after: dict[int, Callable[..., Any]] = {}
        self.backward: dict[int, Callable[..., Any]] = {}

    def call(self, module: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Compute the module's ``forward`` with its hooks around it."""
        for hook in list(self.before.values()):
            changed = hook(module, inputs)
            if changed is not None:
                inputs = changed if isinstance(changed, tuple) else (changed,)
        output = self._watched(module, inputs, options) if self.backward else module.forward(*inputs, **options)
        for hook in list(self.after.values()):
            changed = hook(module, inputs, output)
            output = output if changed is None else changed
        return output

    def _watched(self, module: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Compute ``forward`` with the gradients of its inputs, and of its outputs, going through a node each."""
        grad_output: tuple[Tensor | None, ...] = ()

        def see_inputs(grad_input: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
            for hook in list(self.backward.values()):
                changed = hook(module, grad_input, grad_output)
                grad_input = grad_input if changed is None else changed
            return grad_input

        def see_outputs(gs: tuple[Tensor | None, ...]) -> None:
            nonlocal grad_output
            grad_output = gs

        inputs = _through(inputs, see_inputs)
        return _through(module.forward(*inputs, **options), see_outputs)


def _through(structure: Any, see: Callable[..., Any]) -> Any:
    """Return a structure with the gradients of its tensors seen together."""
    tensors: list[Tensor] = []
    places = flattened(structure, tensors)
    return unflattened(places, iter(seen_together(tensors, see)))
