"""Hooks on tensors: functions that see a gradient on its way, and gradients that are kept where they pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from .sweep import hooks, retained
from .tape import Node, describe
from .tensor import DType, Tensor, asarray, method, wrap

__all__ = ["Handle"]


class Handle:
    """A function among others that are called at some event, and the means to take it off: ``remove()``."""

    _numbers = itertools.count()

    def __init__(self, functions: dict[int, Any], function: Callable[..., Any]) -> None:
        self._functions, self._number = functions, next(self._numbers)
        functions[self._number] = function

    def remove(self) -> None:
        """Take the function off; once off, nothing more happens."""
        self._functions.pop(self._number, None)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def given(result: Any, by: str, place: str, shape: tuple[int, ...], dtype: DType) -> Tensor:
    """Return a gradient that a hook has given, or refuse one of another shape or type, and say by whom and where."""
    g = asarray(result)
    if (g.shape, g.dtype) != (shape, dtype):
        raise ValueError(f"{by} gave a gradient of shape {g.shape} and {g.dtype}{place}, wanted {shape} and {dtype}.")
    return g


class _Hooks:
    """The hooks of a tensor, as the sweep calls them: an array or a tensor in, the same out."""

    def __init__(self, whose: str, shape: tuple[int, ...], dtype: DType) -> None:
        self.whose, self.shape, self.dtype = whose, shape, dtype
        self.functions: dict[int, Callable[[Tensor], Tensor | None]] = {}

    def __call__(self, cotangent: Any) -> Any:
        recorded = type(cotangent) is Tensor
        g = cotangent if recorded else wrap(cotangent, None)
        for hook in list(self.functions.values()):
            result = hook(g)
            if result is not None:
                g = given(result, f"register_hook: the hook of {self.whose}", "", self.shape, self.dtype)
        return g if recorded else g.data


@method("retain_grad")
def _retain_grad(self: Tensor) -> None:
    """Have `backward` leave the gradient in ``grad`` though this is no leaf.

    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True)
    >>> y = x * x
    >>> y.retain_grad()
    >>> (3 * y).sum().backward()
    >>> y.grad
    Tensor([3., 3.])
    """
    node = self.recorded("retain_grad")
    if isinstance(node, Node):
        retained.setdefault(node, None)


@method("register_hook")
def _register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> Handle:
    """Have a function see the gradient of this tensor in every sweep, once it is whole and before it goes on.

    Parameters
    ----------
    hook
        Takes the gradient; returns another one in its place, of the same shape, or None to leave it. Several hooks
        of a tensor are called in the order in which they were registered.

    Returns
    -------
    Handle
        Its ``remove()`` takes the hook off again.

    Raises
    ------
    RuntimeError
        If this tensor is not on the tape.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True)
    >>> handle = x.register_hook(lambda g: g * 10)
    >>> x.sum().backward()
    >>> x.grad
    Tensor([10., 10.])
    """
    node = self.recorded("register_hook")
    if node not in hooks:
        hooks[node] = _Hooks(describe(node), self.shape, self.dtype)
    return Handle(hooks[node].functions, hook)
