"""Derivatives of functions: products with the Jacobian from either side, the Jacobian itself, and second derivatives.

The names and arguments are those of ``torch.autograd.functional``. The inputs are one tensor or several, and so is what
the function returns; results have the same structure. With ``create_graph=True`` they are on the tape and can be
differentiated in their turn, through the inputs and through whatever else the function uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from ..ops import eye, ones_like, positive, reshape, stack, zeros, zeros_like
from ..tape import enable_grad
from ..tensor import Tensor, asarray
from .gradients import grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vjp"]

Tensors: TypeAlias = "Tensor | Sequence[Tensor]"
"""One tensor or several."""

Function: TypeAlias = "Callable[..., Tensors]"
"""Takes as many tensors as there are inputs."""


def vjp(func: Function, inputs: Tensors, v: Tensors | None = None, *, create_graph: bool = False) -> tuple[Any, Any]:
    """Return a function's outputs, and the product of a vector with its Jacobian, ``v @ J``.

    Parameters
    ----------
    func
        The function.
    inputs
        Where to differentiate it: a tensor or several, floating point.
    v
        A cotangent for each output, of its shape; it may be left out if they are scalars.
    create_graph
        Record the results, so that they can be differentiated.

    Raises
    ------
    TypeError, ValueError
        If an input is not floating point; if a cotangent is missing or has another shape.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0])
    >>> tg.vjp(lambda x: x * x, x, tg.asarray([1.0, 10.0]))
    (Tensor([1., 4.]), Tensor([ 2., 40.]))
    """
    with enable_grad():
        at = _entered("vjp", inputs, create_graph)
        y = _bundle(func(*at.tensors))
        products = _pulled_back(y.tensors, at.tensors, _given("vjp", v, y.tensors), create_graph)
    return y.left(create_graph), at.shaped(products)


def jvp(func: Function, inputs: Tensors, v: Tensors | None = None, *, create_graph: bool = False) -> tuple[Any, Any]:
    """Return a function's outputs, and the product of its Jacobian with a vector, ``J @ v``.

    ``u @ J`` is linear in ``u``, and its derivative in ``u`` is ``J``: two sweeps, and no second set of derivatives.

    Parameters
    ----------
    func, inputs, create_graph
        As for `vjp`.
    v
        A tangent for each input, of its shape; it may be left out if they are scalars.

    Raises
    ------
    TypeError, ValueError
        As for `vjp`.

    References
    ----------
    J. Townsend, "A new trick for calculating Jacobian vector products", 2017.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0])
    >>> tg.jvp(lambda x: x.sum() * x, x, tg.asarray([1.0, 0.0]))
    (Tensor([3., 6.]), Tensor([4., 2.]))
    """
    with enable_grad():
        at = _entered("jvp", inputs, create_graph)
        y = _bundle(func(*at.tensors))
        u = [asarray(zeros_like(part), requires_grad=True) for part in y.tensors]
        products = _pulled_back(y.tensors, at.tensors, u, create_graph=True)
        moved = _pulled_back(products, u, _given("jvp", v, at.tensors), create_graph)
    return y.left(create_graph), y.shaped(moved)


def jacobian(func: Function, inputs: Tensors, *, create_graph: bool = False) -> Any:
    """Return the Jacobian: the derivative of each element of the output in each element of the input.

    It takes a sweep for each element of the output.

    Parameters
    ----------
    func, inputs, create_graph
        As for `vjp`.

    Returns
    -------
    Tensor or tuple
        Of shape ``y.shape + x.shape``. For several inputs, a tuple over them; for several outputs, a tuple over those
        of what there is for one.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.jacobian(lambda x: x * x, tg.asarray([1.0, 2.0]))
    Tensor([[2., 0.],
            [0., 4.]])
    """
    with enable_grad():
        at = _entered("jacobian", inputs, create_graph)
        y = _bundle(func(*at.tensors))
        return y.shaped([at.shaped(_rows(part, at.tensors, create_graph)) for part in y.tensors])


def hessian(func: Function, inputs: Tensors, *, create_graph: bool = False) -> Any:
    """Return the Hessian of a scalar function: its second derivatives, of shape ``x.shape + x.shape``.

    Parameters
    ----------
    func, inputs, create_graph
        As for `vjp`; the function returns a scalar. For several inputs there is a tuple of tuples.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.hessian(lambda x: (x * x * x).sum(), tg.asarray([1.0, 2.0]))
    Tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def slope(*xs: Tensor) -> Any:
        y = _bundle(func(*xs)).tensors
        return at.shaped(_pulled_back(y, xs, _given("hessian", None, y), create_graph=True))

    at = _bundle(inputs)
    return jacobian(slope, inputs, create_graph=create_graph)


def hvp(func: Function, inputs: Tensors, v: Tensors | None = None, *, create_graph: bool = False) -> tuple[Any, Any]:
    """Return a scalar function's value, and the product of its Hessian with a vector, in two sweeps.

    Parameters
    ----------
    func, inputs, create_graph
        As for `vjp`; the function returns a scalar.
    v
        A vector for each input, of its shape; it may be left out if they are scalars.

    References
    ----------
    B. A. Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation, 1994.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0])
    >>> tg.hvp(lambda x: (x * x * x).sum(), x, tg.asarray([1.0, 10.0]))
    (Tensor(9.), Tensor([  6., 120.]))
    """
    with enable_grad():
        at = _entered("hvp", inputs, create_graph)
        y = _bundle(func(*at.tensors))
        slopes = _pulled_back(y.tensors, at.tensors, _given("hvp", None, y.tensors), create_graph=True)
        products = _pulled_back(slopes, at.tensors, _given("hvp", v, at.tensors), create_graph)
    return y.left(create_graph), at.shaped(products)


class _Bundle(NamedTuple):
    """One tensor or several, and which of the two they were."""

    tensors: list[Tensor]
    single: bool

    def shaped(self, values: Sequence[Any]) -> Any:
        """Return as many values in the same structure."""
        return values[0] if self.single else tuple(values)

    def left(self, recorded: bool) -> Any:
        """Return the tensors as results, on the tape or not."""
        return self.shaped(self.tensors if recorded else [x.detach() for x in self.tensors])


def _bundle(tensors: Any) -> _Bundle:
    """Return one tensor or several as a list, and remember which."""
    single = not isinstance(tensors, (list, tuple))
    return _Bundle([asarray(x) for x in ((tensors,) if single else tensors)], single)


def _entered(op: str, inputs: Tensors, recorded: bool) -> _Bundle:
    """Return the inputs as tensors to differentiate in; if it is recorded, those on the tape stay there."""
    tensors, single = _bundle(inputs)
    for x in tensors:
        if x.dtype.kind != "f":
            raise TypeError(f"{op}: got an input of {x.dtype}, wanted floating point.")
    entered = [
        positive(x) if recorded and x.requires_grad else asarray(x.detach(), requires_grad=True) for x in tensors
    ]
    return _Bundle(entered, single)


def _given(op: str, v: Tensors | None, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return a vector for each tensor, or say which is missing or of another shape."""
    if v is None:
        for x in tensors:
            if x.size != 1:
                raise ValueError(f"{op}: got no vector for a tensor of shape {x.shape}, wanted one, or a scalar.")
        return [ones_like(x) for x in tensors]
    vectors = _bundle(v).tensors
    if [x.shape for x in vectors] != [x.shape for x in tensors]:
        got, wanted = (", ".join(str(x.shape) for x in xs) for xs in (vectors, tensors))
        raise ValueError(f"{op}: got vectors of shapes {got}, wanted {wanted}.")
    return vectors


def _pulled_back(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    create_graph: bool,
    retain_graph: bool | None = None,
) -> list[Tensor]:
    """Return the products of cotangents with the Jacobian; zeros where no output depends on an input."""
    pairs = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
    if not pairs:
        return [zeros_like(x) for x in inputs]
    ys, gs = zip(*pairs, strict=True)
    found = grad(ys, inputs, gs, create_graph=create_graph, retain_graph=retain_graph, allow_unused=True)
    return [zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def _rows(y: Tensor, inputs: Sequence[Tensor], create_graph: bool) -> list[Tensor]:
    """Return the Jacobian of one output in each of the inputs, a sweep for each row."""
    units: Any = eye(y.size, dtype=y.dtype) if y.requires_grad else []
    rows = [_pulled_back([y], inputs, [reshape(unit, y.shape)], create_graph, retain_graph=True) for unit in units]
    if not rows:
        return [zeros(y.shape + x.shape, dtype=x.dtype) for x in inputs]
    return [reshape(stack(parts), y.shape + x.shape) for parts, x in zip(zip(*rows, strict=True), inputs, strict=True)]
