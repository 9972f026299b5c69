"""Derivatives as functions: gradients of chosen tensors, at any order, and the numerical check of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import backend
from .backend import xp
from .sweep import sweep
from .tensor import Tensor, own, wrap

__all__ = ["grad", "gradcheck"]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    *,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> Any:
    """Return the gradients of the outputs, added up, with respect to the inputs; ``.grad`` is left alone.

    Parameters
    ----------
    outputs
        A scalar, or tensors of any shape with ``grad_outputs``.
    inputs
        A tensor or several: leaves, or results on the way to the outputs.
    grad_outputs
        The cotangent of each output; 1 for a scalar.
    retain_graph
        Keep the graph, so that it can be differentiated again; by default as ``create_graph``.
    create_graph
        Record the derivative itself, so that it can be differentiated in its turn.
    allow_unused
        Return None for an input on which no output depends, instead of raising.

    Returns
    -------
    Tensor or tuple of Tensor
        One gradient for one input, a tuple for a sequence of them.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray(3.0, requires_grad=True)
    >>> slope = tg.grad(x * x * x, x, create_graph=True)
    >>> slope.item(), tg.grad(slope, x).item()
    (27.0, 18.0)
    """
    targets = _sequence(inputs)
    for x in targets:
        if x.node is None:
            raise RuntimeError(f"grad: got an input of shape {x.shape} that is not on the tape, wanted requires_grad.")
    roots = [
        (output.recorded("grad"), output.cotangent(g, create_graph, "grad"))
        for output, g in zip(_sequence(outputs), _cotangents(outputs, grad_outputs), strict=True)
    ]
    found: dict[Any, Any] = {}

    def arrive(node: Any, cotangent: Any, owned: bool) -> None:
        found[node] = own(cotangent, owned)

    with backend.quiet():
        sweep(roots, arrive, [x.node for x in targets if x.node is not None], retain_graph or create_graph)
    gradients = [_gradient(found.get(x.node), x, allow_unused) for x in targets]
    return gradients[0] if type(inputs) is Tensor else tuple(gradients)


def _sequence(tensors: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    """Return one tensor as a sequence of one."""
    return (tensors,) if type(tensors) is Tensor else tensors  # type: ignore[return-value]


def _cotangents(outputs: Any, given: Any) -> Sequence[Tensor | None]:
    """Return a cotangent, or None, for each output."""
    if given is None:
        return [None] * len(_sequence(outputs))
    return _sequence(given)


def _gradient(found: Any, x: Tensor, allow_unused: bool) -> Tensor | None:
    """Return what a sweep found for an input as a tensor."""
    if found is not None:
        return found if type(found) is Tensor else wrap(found, None)
    if allow_unused:
        return None
    raise RuntimeError(
        f"grad: no output depends on the input {x.name or ''!r} of shape {x.shape}; allow_unused=True gives None."
    )


def gradcheck(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
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
        Takes the inputs, and returns a tensor of any shape.
    inputs
        Tensors of float64, all of which are differentiated.
    order
        How many orders to check; at each, the derivative along a random direction is the next function.
    eps
        The step of the differences.
    rtol, atol
        The tolerance, relative and absolute.

    Raises
    ------
    AssertionError
        If a derivative is off; the message names the order, the input and both values.
    TypeError
        If an input is not float64: differences of others are too coarse.

    References
    ----------
    Random directions instead of whole Jacobians are from HIPS autograd's ``check_grads``.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([0.5, -1.0], dtype="float64")
    >>> gradcheck(tg.tanh, [x])
    True
    """
    for x in inputs:
        if x.dtype != xp.float64:
            raise TypeError(f"gradcheck: got an input of {x.dtype}, wanted float64.")
    rng = backend.generator(0)
    y = function(*inputs)
    weights = _random_like(y, rng)
    scalar = _total(lambda *xs: [function(*xs)], [weights])
    for level in range(1, order + 1):
        directions = [_random_like(x, rng) for x in inputs]
        _check_slopes(scalar, inputs, directions, level, eps, rtol, atol)
        scalar = _total(_slopes_of(scalar), directions)
    return True


def _random_like(x: Tensor, rng: Any) -> Tensor:
    """Return a random constant in the shape of a tensor, bounded away from 0."""
    return wrap(backend.to_device(rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape)), None)


def _total(function: Callable[..., Sequence[Tensor]], weights: Sequence[Tensor]) -> Callable[..., Tensor]:
    """Return a function's outputs, weighted and added up, as a scalar function."""

    def total(*xs: Tensor) -> Tensor:
        parts = [(y * w).sum() for y, w in zip(function(*xs), weights, strict=True)]
        return sum(parts[1:], start=parts[0])

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


def _check_slopes(
    scalar: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    directions: Sequence[Tensor],
    level: int,
    eps: float,
    rtol: float,
    atol: float,
) -> None:
    """Hold the gradient of a scalar function, input by input, against its difference along a direction."""
    xs = [x.detach() for x in inputs]
    for i, (gradient, direction) in enumerate(zip(_slopes_of(scalar)(*xs), directions, strict=True)):
        found = (gradient * direction).sum().item()
        ahead, behind = ([x + sign * eps * direction if j == i else x for j, x in enumerate(xs)] for sign in (1, -1))
        wanted = (scalar(*ahead).item() - scalar(*behind).item()) / (2 * eps)
        if not abs(found - wanted) <= atol + rtol * abs(wanted):
            raise AssertionError(
                f"gradcheck: order {level}, input {i} of shape {inputs[i].shape}: the derivative along a random "
                f"direction is {found:.9g}, the central difference {wanted:.9g}."
            )
