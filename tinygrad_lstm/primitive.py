"""Primitives: functions of arrays with a derivative in each argument, and how applying one makes a node.

`unary`, `binary`, `ternary` and `variadic` make an op of a forward function and its derivatives:

>>> import tinygrad_lstm as tg
>>> from tinygrad_lstm.backend import xp
>>> softsign = tg.unary("softsign", lambda x: x / (1 + xp.abs(x)), lambda g, x: g / tg.square(1 + tg.abs(x)))
>>> x = tg.asarray([-1.0, 1.0], requires_grad=True)
>>> softsign(x).sum().backward()
>>> x.grad
Tensor([0.25, 0.25])

The ops are closures, and the frequent cases are spelt out, because this is where a small network spends its time.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from . import backend
from .backend import Array, ndarray, xp
from .sweep import Deferred
from .tape import Argument, Node, thread, tick
from .tensor import Tensor, asarray, float16, float32, new, wrap

__all__ = ["Primitive", "binary", "ternary", "unary", "variadic"]

Op: TypeAlias = Callable[..., Any]
"""Takes arrays, tensors or numbers, then parameters; returns a tensor if there was one among them, else an array."""

Derivative: TypeAlias = Callable[..., Any]
"""Takes the cotangent ``g`` of the output and then, by name, what it needs; returns the cotangent of an argument.

It may name an argument, ``y`` for the output, a parameter, and the argument's ``shape`` and ``dtype``; what no
derivative names is not kept. The formula is made of operators and of public ops, so that it serves arrays at the first
order and tensors at every other. What it returns has the argument's shape, but for ops that broadcast.
"""

Pull: TypeAlias = "Callable[[Node, Any], Sequence[Any]]"
"""Takes a node and the cotangent of its output; returns those of its arguments, None where none is needed."""


class Primitive:
    """What the tape knows of an op.

    Attributes
    ----------
    name
        What tables, pictures and errors call it.
    pull
        The derivative.
    pass_deferred
        Takes a `Deferred` cotangent of the output, and the parameters; returns that of the only argument, or None if it
        has to be made dense first. None if that is always so.
    op
        The op itself, to apply it anew: a function of the arguments and then the parameters.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> y = tg.tanh(tg.asarray(0.5, requires_grad=True))
    >>> y.node.primitive, y.node.primitive.op(tg.asarray(0.0))
    (<primitive tanh>, Tensor(0.))
    """

    __slots__ = ("name", "op", "pass_deferred", "pull")

    op: Op

    def __init__(self, name: str, pull: Pull, pass_deferred: Callable[..., Deferred | None] | None = None) -> None:
        self.name = name
        self.pull = pull
        self.pass_deferred = pass_deferred

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"

    def pass_on(self, node: Node, deferred: list[Deferred]) -> list[Deferred] | None:
        """Return deferred cotangents as the argument gets them, or None if this op has to see them dense."""
        if self.pass_deferred is None:
            return None
        passed = [self.pass_deferred(cotangent, *node.params) for cotangent in deferred]
        return None if None in passed else passed  # type: ignore[return-value]


def unary(
    name: str,
    forward: Callable[..., Array],
    derivative: Derivative | None = None,
    *,
    params: Sequence[str] = (),
    floating: bool = False,
    pass_deferred: Callable[..., Deferred | None] | None = None,
) -> Op:
    """Return an op of one array, ``x``.

    Parameters
    ----------
    name
        What tables, pictures and errors call it.
    forward
        Takes an array, then the parameters, and returns an array.
    derivative
        The derivative; without one, the result is a constant.
    params
        The names of the parameters.
    floating
        Integers and bools are taken as float32.
    pass_deferred
        See `Primitive`.

    Raises
    ------
    TypeError
        If the derivative asks for anything but ``g``, ``x``, ``y``, the parameters, ``shape`` and ``dtype``.
    ValueError
        From the op, where ``forward`` raises one; it says what the op is called and which shapes it got.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> scaled = tg.unary("scaled", lambda x, by: x * by, lambda g, by: g * by, params=("by",))
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True)
    >>> tg.grad(scaled(x, 3.0).sum(), x)
    Tensor([3., 3.])
    """
    if derivative is None:
        return _constant_op(name, forward, 1, floating)
    wanted = _wanted(derivative, ("x", "y", *params, "shape", "dtype"))
    keep_x, keep_y = 0 in wanted, 1 in wanted
    primitive = Primitive(name, _pull_one(derivative, wanted, len(params)), pass_deferred)
    constant = _constant_op(name, forward, 1, floating)

    def op(x: Any, *parameters: Any) -> Any:
        if type(x) is not Tensor or (floating and x.node is None and x.data.dtype.kind != "f"):
            return constant(x, *parameters)
        data, parent = x.data, x.node
        try:
            value = forward(data, *parameters) if parameters else forward(data)
        except ValueError as error:
            raise _failed(name, error, data) from None
        if parent is None or not thread.state.recording:
            return unrecorded(name, (x,), value)
        saved = (data if keep_x else None, value if keep_y else None)
        return recorded(primitive, (x,), (parent,), saved, parameters, value)

    primitive.op = op
    return op


def binary(
    name: str,
    forward: Callable[..., Array],
    derivative1: Derivative | None = None,
    derivative2: Derivative | None = None,
    *,
    params: Sequence[str] = (),
    broadcasts: bool = False,
    floating: bool = False,
) -> Op:
    """Return an op of two arrays, ``x1`` and ``x2``, either of which may be a number.

    Parameters
    ----------
    name, forward, params, floating
        As for `unary`.
    derivative1, derivative2
        The derivatives in ``x1`` and ``x2``; without them, the result is a constant.
    broadcasts
        The arguments broadcast against each other: cotangents are summed back to their shapes.

    Raises
    ------
    TypeError, ValueError
        As for `unary`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> times = tg.binary("times", lambda x1, x2: x1 * x2, lambda g, x2: g * x2, lambda g, x1: g * x1, broadcasts=True)
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True)
    >>> tg.grad(times(x, tg.ones((3, 2))).sum(), x)
    Tensor([3., 3.])
    """
    if derivative1 is None or derivative2 is None:
        return _constant_op(name, forward, 2, floating)
    names = ("x1", "x2", "y", *params, "shape", "dtype")
    wanted1, wanted2 = _wanted(derivative1, names), _wanted(derivative2, names)
    keeps = _keeps((wanted1, wanted2))
    keep_for_1, keep_for_2, keep_for_both = keeps[True, False], keeps[False, True], keeps[True, True]
    primitive = Primitive(name, _pull_two(derivative1, derivative2, wanted1, wanted2, len(params), broadcasts))
    constant = _constant_op(name, forward, 2, floating)

    def op(x1: Any, x2: Any, *parameters: Any) -> Any:
        alike = type(x1) is type(x2) is Tensor and x1.data.dtype is x2.data.dtype
        if alike and (not floating or x1.data.dtype.kind == "f"):
            a, b, parent1, parent2 = x1.data, x2.data, x1.node, x2.node
        elif type(x1) is Tensor or type(x2) is Tensor:
            x1, x2 = _aligned(name, (x1, x2), floating)
            a, parent1 = (x1.data, x1.node) if type(x1) is Tensor else (x1, None)
            b, parent2 = (x2.data, x2.node) if type(x2) is Tensor else (x2, None)
        else:
            return constant(x1, x2, *parameters)
        try:
            value = forward(a, b, *parameters) if parameters else forward(a, b)
        except ValueError as error:
            raise _failed(name, error, a, b) from None
        if parent1 is parent2 is None or not thread.state.recording:
            return unrecorded(name, (x1, x2), value)
        keep_a, keep_b, keep_y = keep_for_1 if parent2 is None else keep_for_2 if parent1 is None else keep_for_both
        saved = (a if keep_a else None, b if keep_b else None, value if keep_y else None)
        return recorded(primitive, (x1, x2), (parent1, parent2), saved, parameters, value)

    primitive.op = op
    return op


def ternary(
    name: str,
    forward: Callable[..., Array],
    derivative1: Derivative,
    derivative2: Derivative,
    derivative3: Derivative,
    *,
    params: Sequence[str] = (),
) -> Op:
    """Return an op of three arrays, ``x1``, ``x2`` and ``x3``.

    Parameters
    ----------
    name, forward, params
        As for `unary`.
    derivative1, derivative2, derivative3
        The derivatives in ``x1``, ``x2`` and ``x3``, each of its argument's shape: nothing is summed.

    Raises
    ------
    TypeError, ValueError
        As for `unary`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> slopes = (lambda g, x2: g * x2, lambda g, x1: g * x1, lambda g: g)
    >>> fma = tg.ternary("fma", lambda x1, x2, x3: x1 * x2 + x3, *slopes)
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True)
    >>> tg.grad(fma(x, x, x).sum(), x)
    Tensor([3., 5.])
    """
    names = ("x1", "x2", "x3", "y", *params, "shape", "dtype")
    derivatives = (derivative1, derivative2, derivative3)
    wanted = [_wanted(derivative, names) for derivative in derivatives]
    keeps = _keeps(wanted)
    rule1, rule2, rule3 = (
        _rule(derivative, places, 4, len(params)) for derivative, places in zip(derivatives, wanted, strict=True)
    )
    constant = _constant_op(name, forward, 3, False)

    def pull(node: Node, g: Any) -> Sequence[Any]:
        saved = node.saved if type(g) is not Tensor else _lifted(node)
        parent1, parent2, parent3 = node.parents
        return (
            None if parent1 is None else rule1(g, saved, node, 0),
            None if parent2 is None else rule2(g, saved, node, 1),
            None if parent3 is None else rule3(g, saved, node, 2),
        )

    primitive = Primitive(name, pull)

    def op(x1: Any, x2: Any, x3: Any, *parameters: Any) -> Any:
        if not (type(x1) is type(x2) is type(x3) is Tensor and x1.data.dtype is x2.data.dtype is x3.data.dtype):
            if Tensor not in (type(x1), type(x2), type(x3)):
                return constant(x1, x2, x3, *parameters)
            x1, x2, x3 = (asarray(x) for x in _aligned(name, (x1, x2, x3), False))
        parents = parent1, parent2, parent3 = x1.node, x2.node, x3.node
        a, b, c = x1.data, x2.data, x3.data
        try:
            value = forward(a, b, c, *parameters) if parameters else forward(a, b, c)
        except ValueError as error:
            raise _failed(name, error, a, b, c) from None
        if (parent1 is None and parent2 is None and parent3 is None) or not thread.state.recording:
            return unrecorded(name, (x1, x2, x3), value)
        keep_a, keep_b, keep_c, keep_y = keeps[parent1 is not None, parent2 is not None, parent3 is not None]
        saved = (a if keep_a else None, b if keep_b else None, c if keep_c else None, value if keep_y else None)
        return recorded(primitive, (x1, x2, x3), parents, saved, parameters, value)

    primitive.op = op
    return op


def variadic(
    name: str, forward: Callable[..., Array], derivative: Callable[..., Sequence[Any]], *, params: Sequence[str] = ()
) -> Op:
    """Return an op of a sequence of arrays.

    Parameters
    ----------
    name, params
        As for `unary`.
    forward
        Takes the list of arrays, then the parameters.
    derivative
        Returns the cotangents of all the arrays. It may name ``xs``, the arrays, and ``y`` and parameters as others do.

    Raises
    ------
    TypeError
        If the derivative asks for anything else.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> total = tg.variadic("total", lambda xs: sum(xs), lambda g, xs: [g] * len(xs))
    >>> x = tg.asarray([1.0, 2.0], requires_grad=True)
    >>> tg.grad(total([x, x, tg.ones((2,))]).sum(), x)
    Tensor([2., 2.])
    """
    wanted = _wanted(derivative, ("xs", "y", *params))
    keep_xs, keep_y = 0 in wanted, 1 in wanted

    def pull(node: Node, g: Any) -> list[Any]:
        saved: Any = node.saved if type(g) is not Tensor else _lifted(node)
        known = (saved[:-1], saved[-1], *node.params)
        cotangents = derivative(g, *[known[place] for place in wanted])
        return [None if parent is None else c for parent, c in zip(node.parents, cotangents, strict=True)]

    primitive = Primitive(name, pull)

    def op(xs: Sequence[Any], *parameters: Any) -> Any:
        if Tensor not in map(type, xs):
            return forward(xs, *parameters)
        operands = _aligned(name, xs, False)
        data = [x.data if type(x) is Tensor else x for x in operands]
        value = forward(data, *parameters)
        parents = tuple([x.node if type(x) is Tensor else None for x in operands])
        if not any(parents) or not thread.state.recording:
            return unrecorded(name, operands, value)
        saved = (*(data if keep_xs else [None] * len(data)), value if keep_y else None)
        return recorded(primitive, operands, parents, saved, parameters, value)

    primitive.op = lambda *arguments: op(arguments[: -len(params) or None], *arguments[len(arguments) - len(params) :])
    return op


def _constant_op(name: str, forward: Callable[..., Array], arity: int, floating: bool) -> Op:
    """Return an op whose result is not on the tape: what every op does where nothing needs a gradient."""

    def op(*arguments: Any) -> Any:
        operands, parameters = arguments[:arity], arguments[arity:]
        among_tensors = Tensor in map(type, operands)
        if among_tensors:
            data = [x.data if type(x) is Tensor else x for x in _aligned(name, operands, floating)]
        else:
            data = [_raw(name, x, floating) for x in operands]
        try:
            value = forward(*data, *parameters)
        except ValueError as error:
            raise _failed(name, error, *data) from None
        return unrecorded(name, operands, value) if among_tensors else value

    return op


def _raw(name: str, x: Any, floating: bool) -> Any:
    """Return an operand of an op on arrays alone, integers as float32 where the op wants floating point."""
    if type(x) is not ndarray and not isinstance(x, (bool, int, float, backend.Scalar)):
        raise TypeError(_wrong_kind(name, x))
    if not floating or isinstance(x, float):
        return x
    return x if hasattr(x, "dtype") and x.dtype.kind == "f" else xp.asarray(x, dtype=float32)


def _failed(name: str, error: ValueError, *data: Any) -> ValueError:
    """Return an array library's complaint with the op's name and the shapes that it got."""
    shapes = " and ".join(str(getattr(x, "shape", x)) for x in data)
    return ValueError(f"{name}: got shape {shapes}: {error}")


def _wanted(derivative: Callable[..., Any], names: tuple[str, ...]) -> tuple[int, ...]:
    """Return which of the names a derivative takes behind ``g``, as places in ``names``."""
    code = derivative.__code__
    asked = code.co_varnames[1 : code.co_argcount]
    if not set(asked) <= set(names):
        raise TypeError(
            f"a derivative: got the parameters g, {', '.join(asked)}, wanted g and some of {', '.join(names)}."
        )
    return tuple(map(names.index, asked))


def _keeps(wanted: Sequence[tuple[int, ...]]) -> dict[tuple[bool, ...], tuple[bool, ...]]:
    """Return which arguments to keep, and whether to keep the output, by which arguments need a gradient."""
    keeps = {}
    for needs in itertools.product((False, True), repeat=len(wanted)):
        used = {place for places, need in zip(wanted, needs, strict=True) if need for place in places}
        keeps[needs] = tuple(place in used for place in range(len(wanted) + 1))
    return keeps


def _rule(derivative: Derivative, wanted: tuple[int, ...], kept: int, params: int) -> Callable[..., Any]:
    """Return a derivative as a function of ``(g, saved, node, index)``, of which ``kept`` values are saved."""
    if not wanted:
        return lambda g, saved, node, index: derivative(g)
    if wanted == _params_and_shape(kept, params):
        return lambda g, saved, node, index: derivative(g, *node.params, node.parents[index].shape)
    place = _only_value(wanted, kept)
    if place is not None:
        return lambda g, saved, node, index: derivative(g, saved[place])

    pick = operator.itemgetter(*wanted) if len(wanted) > 1 else lambda known: (known[wanted[0]],)

    def rule(g: Any, saved: tuple[Any, ...], node: Node, index: int) -> Any:
        parent: Any = node.parents[index]
        return derivative(g, *pick((*saved, *node.params, parent.shape, parent.dtype)))

    return rule


def _params_and_shape(kept: int, params: int) -> tuple[int, ...]:
    """Return the places of all parameters and of the argument's shape, behind those of what is saved."""
    return tuple(range(kept, kept + params + 1))


def _only_value(wanted: tuple[int, ...], kept: int) -> int | None:
    """Return the place of the one saved value that a derivative takes, None if it takes anything else."""
    return wanted[0] if len(wanted) == 1 and wanted[0] < kept else None


def _pull_one(derivative: Derivative, wanted: tuple[int, ...], params: int) -> Pull:
    """Return the derivative of an op of one array."""
    if wanted == _params_and_shape(2, params):
        return lambda node, g: (derivative(g, *node.params, node.parents[0].shape),)  # type: ignore[union-attr]
    place = _only_value(wanted, 2)
    if place is not None:

        def pull_with_saved(node: Node, g: Any) -> Sequence[Any]:
            saved: Any = node.saved if type(g) is not Tensor else _lifted(node)
            return (derivative(g, saved[place]),)

        return pull_with_saved
    rule = _rule(derivative, wanted, 2, params)

    def pull(node: Node, g: Any) -> Sequence[Any]:
        return (rule(g, node.saved if type(g) is not Tensor else _lifted(node), node, 0),)

    return pull


def _pull_two(
    derivative1: Derivative,
    derivative2: Derivative,
    wanted1: tuple[int, ...],
    wanted2: tuple[int, ...],
    params: int,
    broadcasts: bool,
) -> Pull:
    """Return the derivative of an op of two arrays, its parts summed back to the arguments' shapes if it broadcasts."""
    rule1, rule2 = _rule(derivative1, wanted1, 3, params), _rule(derivative2, wanted2, 3, params)
    place1, place2 = _only_value(wanted1, 3), _only_value(wanted2, 3)

    def pull(node: Node, g: Any) -> Sequence[Any]:
        saved: Any = node.saved if type(g) is not Tensor else _lifted(node)
        parent1, parent2 = node.parents
        g1: Any = None
        g2: Any = None
        if parent1 is not None:
            g1 = rule1(g, saved, node, 0) if place1 is None else derivative1(g, saved[place1])
        if parent2 is not None:
            g2 = rule2(g, saved, node, 1) if place2 is None else derivative2(g, saved[place2])
        if broadcasts:
            shape = node.shape
            if parent1 is not None and parent1.shape != shape:
                g1 = sum_to(g1, parent1.shape)
            if parent2 is not None and parent2.shape != shape:
                g2 = sum_to(g2, parent2.shape)
        return g1, g2

    return pull


def recorded(
    primitive: Primitive, operands: Sequence[Any], parents: tuple[Any, ...], saved: Any, parameters: Any, value: Array
) -> Tensor:
    """Return an op's result with a node on the tape."""
    state = thread.state
    node = new(Node)  # what its __init__ does, without the call
    node.seq = tick()
    node.primitive = primitive
    node.parents = parents
    node.saved = saved
    node.params = parameters
    node.shape = value.shape
    node.dtype = value.dtype
    node.scope = state.scope
    node.label = None
    if state.watchers:
        tell(primitive.name, node, operands, value)
    result = new(Tensor)
    result.data = value if type(value) is ndarray else xp.asarray(value)
    result.node = node
    return result


def unrecorded(name: str, operands: Sequence[Any], value: Array) -> Tensor:
    """Return an op's result as a constant."""
    if thread.state.watchers:
        tell(name, None, operands, value)
    return wrap(value, None)


def tell(name: str, node: Node | None, operands: Sequence[Any], value: Array) -> None:
    """Tell whoever watches that an op was applied."""
    told = [Argument(x.data, x.node, x.name) if type(x) is Tensor else Argument(x) for x in operands]
    for watcher in thread.state.watchers:
        watcher.applied(name, node, told, value)


def _lifted(node: Node) -> tuple[Any, ...]:
    """Return what a node saved as tensors with their places on the tape, so that a derivative of it is recorded."""
    assert node.saved is not None
    owners = (*node.parents, node)
    return tuple(
        wrap(value, owner) if isinstance(value, (ndarray, backend.Scalar)) else value
        for value, owner in zip(node.saved, owners, strict=True)
    )


def _aligned(name: str, operands: Sequence[Any], floating: bool) -> Sequence[Any]:
    """Return the operands of a tensor op in one element type: tensors, and numbers as they are.

    Floating point wins over integers and bools whatever their width (as in PyTorch and JAX); among floats, and among
    integers, the wider type wins. Numbers take the type of the tensors; a float makes integers float32.
    """
    dtype: Any = None
    for x in operands:
        if type(x) is Tensor and (dtype is None or x.data.dtype is dtype):
            dtype = x.data.dtype
        else:
            break
    else:
        if not floating or dtype.kind == "f":
            return operands
    operands = [x if type(x) is Tensor else _operand(name, x) for x in operands]
    dtypes = {x.data.dtype for x in operands if type(x) is Tensor}
    floats = {dtype for dtype in dtypes if dtype.kind == "f"}
    if not floats and (floating or float in map(type, operands)):
        floats = {float32}
    dtype = xp.result_type(*(floats or dtypes))
    return [x.astype(dtype) if type(x) is Tensor and x.data.dtype != dtype else x for x in operands]


def _operand(name: str, x: Any) -> Any:
    """Return an operand that is no tensor as one, or as a Python number."""
    if isinstance(x, ndarray):
        return wrap(x, None)
    if isinstance(x, backend.Scalar):
        return x.item()
    if isinstance(x, (bool, int, float)):
        return x
    raise TypeError(_wrong_kind(name, x))


def _wrong_kind(name: str, x: Any) -> str:
    kind = f"{type(x).__module__}.{type(x).__name__}"
    return f"{name}: got {kind}, wanted a tensor, a {backend.name} array or a number; asarray makes a tensor of it."


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Return ``g`` summed over the axes along which an array of ``shape`` was broadcast to it.

    >>> import tinygrad_lstm as tg
    >>> sum_to(tg.ones((2, 3)), (3,))
    Tensor([2., 2., 2.])
    """
    if g.shape == shape:
        return g
    if g.size == math.prod(shape):
        return g.reshape(shape)
    lead = g.ndim - len(shape)
    axes = tuple(axis for axis, n in enumerate(g.shape) if axis < lead or (shape[axis - lead] == 1 and n != 1))
    return total(g, axes, keepdims=True).reshape(shape)


def total(x: Any, axis: Any, keepdims: bool = False, to: Any = None) -> Any:
    """Return the sum of an array or a tensor, added up in the type ``to`` or in its own, but float16 in float32.

    NumPy adds float16 one by one, unless along a last axis in one piece, and 2048 + 1 is 2048 there.

    >>> from tinygrad_lstm.backend import xp
    >>> total(xp.ones((4096, 2), dtype="float16"), 0).tolist()
    [4096.0, 4096.0]
    """
    if x.dtype == float16:
        return x.sum(axis=axis, dtype=float32, keepdims=keepdims).astype(x.dtype)
    return x.sum(axis=axis, dtype=to, keepdims=keepdims)


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that brings float16 to float32 first, and its result back: sums and squares need the room.

    It goes by the first argument, an array or a tensor, and leaves the others to the promotion of types.

    >>> from tinygrad_lstm.backend import xp
    >>> in_float32(lambda x: xp.sqrt(x * x))(xp.full((), 300, dtype="float16")).item()
    300.0
    """

    def computed(x: Any, *others: Any) -> Any:
        if getattr(x, "dtype", None) != float16:
            return function(x, *others)
        return function(x.astype(float32), *others).astype(x.dtype)

    return computed
