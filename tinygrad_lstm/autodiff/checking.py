"""The numerical check of derivatives, for our own ops and for yours."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from .. import backend
from ..backend import xp
from ..tape import Argument, Node, Watcher, scope_path
from ..tensor import Tensor, asarray, wrap
from .gradients import grad

__all__ = ["gradcheck"]


class _Tolerance(NamedTuple):
    """The step of the differences, and how far a derivative may be from them."""

    eps: float
    rtol: float
    atol: float

    def holds(self, found: float, wanted: float) -> bool:
        """Tell whether a derivative agrees with a difference; a NaN never does."""
        return abs(found - wanted) <= self.atol + self.rtol * abs(wanted)


def gradcheck(
    function: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    order: int = 2,
    eps: float = 1e-6,
    rtol: float = 1e-4,
    atol: float = 1e-6,
) -> bool:
    """Hold a function's derivatives against central differences along random directions.

    Parameters
    ----------
    function
        Takes the inputs, and returns a tensor or several, of any shape.
    inputs
        Tensors of float64 are differentiated; integers, bools and whatever is no tensor are passed on as they are.
    order
        How many orders to check; at each, the derivative along a random direction is the next function.
    eps
        The step of the differences.
    rtol, atol
        The tolerance, relative and absolute.

    Raises
    ------
    AssertionError
        If a derivative is off. The message names the order, the input and the index where it is off the most, both
        values (of the outputs added up with random weights), and the op to blame: the first one that does not stand the
        check alone.
    TypeError
        If an input is floating point but not float64: differences of others are too coarse.

    References
    ----------
    Random directions instead of whole Jacobians are from HIPS autograd's ``check_grads``.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([0.5, -1.0], dtype="float64")
    >>> tg.gradcheck(tg.tanh, [x])
    True
    >>> wrong = tg.unary("cube", lambda x: x**3, lambda g, x: 2 * g * x * x)
    >>> tg.gradcheck(lambda x: tg.exp(wrong(x)), [x], order=1)
    Traceback (most recent call last):
    AssertionError: gradcheck: order 1, input 1 of 1, index (0,) of shape (2,): ...; the op to blame is cube...
    """
    for x in inputs:
        if isinstance(x, Tensor) and x.dtype.kind == "f" and x.dtype != xp.float64:
            raise TypeError(f"gradcheck: got an input of {x.dtype}, wanted float64.")
    tolerance = _Tolerance(eps, rtol, atol)
    fault = _first_fault(function, inputs, order, tolerance)
    if fault is not None:
        raise AssertionError(f"gradcheck: {fault}; {_blame(function, inputs, order, tolerance)}.")
    return True


def _first_fault(function: Callable[..., Any], inputs: Sequence[Any], order: int, tolerance: _Tolerance) -> str | None:
    """Return in words where a function's derivatives are off for the first time, or None."""
    places = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.dtype == xp.float64]
    xs = [inputs[i].detach() for i in places]

    def outputs(*xs: Tensor) -> Sequence[Tensor]:
        given = list(inputs)
        for i, x in zip(places, xs, strict=True):
            given[i] = x
        return _listed(function(*given))

    rng = backend.generator(0)
    scalar = _total(outputs, [_random_like(y, rng) for y in outputs(*xs)])
    for level in range(1, order + 1):
        directions = [_random_like(x, rng) for x in xs]
        slopes = _slopes_of(scalar)
        for i, (gradient, direction) in enumerate(zip(slopes(*xs), directions, strict=True)):
            found = (gradient * direction).sum().item()
            wanted = _difference(scalar, xs, i, direction, tolerance.eps)
            if not tolerance.holds(found, wanted):
                where = _worst_index(scalar, xs, i, gradient, tolerance)
                return f"order {level}, input {places[i] + 1} of {len(inputs)}, {where or _along(found, wanted)}"
        scalar = _total(slopes, directions)
    return None


def _listed(result: Any) -> Sequence[Tensor]:
    """Return what a function gave back as a sequence of tensors of float64."""
    return [result] if isinstance(result, Tensor) else list(result)


def _random_like(x: Tensor, rng: Any) -> Tensor:
    """Return a random constant in the shape of a tensor, bounded away from 0."""
    return wrap(backend.to_device(rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape)), None)


def _total(function: Callable[..., Sequence[Tensor]], weights: Sequence[Tensor]) -> Callable[..., Tensor]:
    """Return a function's outputs, weighted and added up, as a scalar function."""

    def total(*xs: Tensor) -> Tensor:
        parts = [(y * w).sum() for y, w in zip(function(*xs), weights, strict=True)]
        return sum(parts, start=asarray(0.0, dtype="float64"))

    return total


def _slopes_of(scalar: Callable[..., Tensor]) -> Callable[..., Sequence[Tensor]]:
    """Return the gradients of a scalar function as a function, recorded in their turn; 0 where it is constant."""

    def slopes(*xs: Tensor) -> Sequence[Tensor]:
        leaves = [x if x.requires_grad else Tensor(x, requires_grad=True) for x in xs]
        y = scalar(*leaves)
        if not y.requires_grad:
            return [x * 0 for x in leaves]
        found = grad(y, leaves, create_graph=True, allow_unused=True)
        return [x * 0 if g is None else g for g, x in zip(found, leaves, strict=True)]

    return slopes


def _difference(scalar: Callable[..., Tensor], xs: Sequence[Tensor], i: int, direction: Tensor, eps: float) -> float:
    """Return the central difference of a scalar function along a direction of one of its arguments."""
    ahead, behind = ([x + sign * eps * direction if j == i else x for j, x in enumerate(xs)] for sign in (1, -1))
    return float((scalar(*ahead).item() - scalar(*behind).item()) / (2 * eps))


def _worst_index(
    scalar: Callable[..., Tensor], xs: Sequence[Tensor], i: int, gradient: Tensor, tolerance: _Tolerance
) -> str | None:
    """Return in words where a gradient is off the most, element by element; None if each element alone is right."""
    worst, words = 0.0, None
    host = backend.to_host(gradient.data)
    for index in itertools.product(*map(range, xs[i].shape)):
        unit = xp.zeros(xs[i].shape)
        unit[index] = 1
        found, wanted = float(host[index]), _difference(scalar, xs, i, wrap(unit, None), tolerance.eps)
        off = abs(found - wanted)
        if not tolerance.holds(found, wanted) and (words is None or off > worst):
            worst, words = off, f"index {index} of shape {xs[i].shape}: {_values(found, wanted)}"
    return words


def _along(found: float, wanted: float) -> str:
    return f"along a random direction: {_values(found, wanted)}"


def _values(found: float, wanted: float) -> str:
    return f"the derivative is {found:.9g}, the central difference {wanted:.9g}"


class _Applications(Watcher):
    """Keeps every application of a primitive, with the arrays that it was applied to."""

    def __init__(self) -> None:
        self.kept: list[tuple[Node, Sequence[Argument]]] = []

    def applied(self, name: str, node: Node | None, operands: Sequence[Argument], value: Any) -> None:
        """Keep a node and its arguments."""
        if node is not None:
            self.kept.append((node, operands))


def _blame(function: Callable[..., Any], inputs: Sequence[Any], order: int, tolerance: _Tolerance) -> str:
    """Return in words which op of a function does not stand the check alone."""
    leaves = [
        asarray(x.detach(), requires_grad=True) if isinstance(x, Tensor) and x.dtype == xp.float64 else x
        for x in inputs
    ]
    with _Applications() as applications:
        function(*leaves)
    for node, operands in applications.kept:
        op = getattr(node.primitive, "op", None)
        if op is None:
            continue
        arguments = [wrap(x.value, None) if hasattr(x.value, "shape") else x.value for x in operands]
        fault = _first_fault(lambda *xs: op(*xs, *node.params), arguments, order, tolerance)  # noqa: B023
        if fault is not None:
            where = f" in {'/'.join(scope_path(node.scope))}" if node.scope else ""
            return f"the op to blame is {node.name}{where}: {fault.replace('input', 'argument')}"
    return "each op stands the check alone, so look for what left the tape, or for a kink close by"
