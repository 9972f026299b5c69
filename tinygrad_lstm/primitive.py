"""Primitives: functions of arrays with a derivative for each argument, and how calling one makes a node.

To add an op, give its forward function and its derivatives, and call it:

>>> import tinygrad_lstm as tg
>>> from tinygrad_lstm.backend import xp
>>> softsign = tg.Unary("softsign", lambda x: x / (1 + xp.abs(x)), lambda g, x: g / tg.square(1 + tg.abs(x)))
>>> x = tg.asarray([-1.0, 1.0], requires_grad=True)
>>> softsign(x).sum().backward()
>>> x.grad
Tensor([0.25, 0.25])
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from . import backend
from .backend import Array, ndarray, xp
from .tape import Deferred, Entry, Leaf, Node, Tape, state
from .tensor import Tensor, float32, wrap

__all__ = ["Binary", "Primitive", "Unary", "Variadic"]


class Primitive:
    """A function of a fixed number of arrays.

    Parameters
    ----------
    name
        What tables, pictures and errors call it.
    forward
        Takes the arguments (arrays or numbers), then the parameters, and returns an array.
    derivatives
        One for each argument, or none at all. Each takes the cotangent ``g`` and then, by name, what it needs: an
        argument, ``y`` for the output, a parameter, the argument's ``shape`` or its ``dtype``; what no derivative names
        is not kept. A formula is made of operators and of public ops, so that it serves arrays at the first order and
        tensors at every other.
    args, params
        The names of the arguments and of the parameters.
    broadcasts
        The arguments broadcast against each other: the engine sums a cotangent back to its argument's shape.
    floating
        Integers and bools are taken as float32.
    pass_deferred
        Takes a `Deferred` cotangent of the output, and the parameters; returns that of the argument, or None if it has
        to be made dense first.
    """

    args: tuple[str, ...] = ()

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        *derivatives: Callable[..., Any],
        args: Sequence[str] = (),
        params: Sequence[str] = (),
        broadcasts: bool = False,
        floating: bool = False,
        pass_deferred: Callable[..., Deferred | None] | None = None,
    ) -> None:
        self.name = name
        self.forward = forward
        self.args = tuple(args) or self.args
        self.broadcasts = broadcasts
        self.floating = floating
        self.pass_deferred = pass_deferred
        names = (*self.args, "y", *params, "shape", "dtype")
        wanted = [_wanted(derivative, names) for derivative in derivatives]
        self.rules = tuple(_rule(d, places, len(self.args) + 1) for d, places in zip(derivatives, wanted, strict=True))
        self.uses = tuple(map(frozenset, wanted))
        self.kept = {needs: self._kept(needs) for needs in itertools.product((False, True), repeat=len(self.args))}

    def _kept(self, needs: tuple[bool, ...]) -> tuple[bool, ...]:
        """Return which of the arguments and the output to keep, by which arguments need a gradient."""
        used = {place for use, need in zip(self.uses, needs, strict=False) if need for place in use}
        return tuple(place in used for place in range(len(self.args) + 1))

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join(self.args)})>"

    def __call__(self, *arguments: Any) -> Any:
        """Apply to the arguments and, behind them, the parameters; a tensor among them gives a tensor."""
        arity = len(self.args)
        params = arguments[arity:]
        if Tensor not in map(type, arguments[:arity]):
            return self.forward(*arguments)
        operands = _aligned(self, arguments[:arity])
        data = [x.data if type(x) is Tensor else x for x in operands]
        value = self.forward(*data, *params)
        parents = tuple([x.node if type(x) is Tensor else None for x in operands])
        if not any(parents) or not state.recording or not self.rules:
            return wrap(value, None)
        kept = self.kept[tuple([parent is not None for parent in parents])]
        saved = tuple([x if keep else None for x, keep in zip((*data, value), kept, strict=True)])
        return _recorded(self, operands, parents, saved, params, value)

    def pull(self, node: Node, g: Any) -> Sequence[Any]:
        """Return the cotangents of the arguments, None where none is needed, from the cotangent of the output."""
        saved = node.saved if type(g) is not Tensor else _lifted(node)
        return [
            None if parent is None else rule(g, saved, node, index)
            for index, (rule, parent) in enumerate(zip(self.rules, node.parents, strict=True))
        ]

    def pass_on(self, node: Node, deferred: list[Deferred]) -> list[Deferred] | None:
        """Return deferred cotangents as the argument gets them, or None if this op has to see them dense."""
        if self.pass_deferred is None:
            return None
        passed = [self.pass_deferred(cotangent, *node.params) for cotangent in deferred]
        return None if None in passed else passed  # type: ignore[return-value]


class Unary(Primitive):
    """A primitive of one array, ``x``."""

    args = ("x",)

    def __call__(self, x: Any, *params: Any) -> Any:
        """Apply to an array or a tensor."""
        if type(x) is not Tensor:
            _check_raw(self, x)
            return self.forward(x, *params)
        data = x.data
        if self.floating and data.dtype.kind != "f":
            data = data.astype(float32)
        value = self.forward(data, *params)
        parent = x.node
        if parent is None or not state.recording or not self.rules:
            return wrap(value, None)
        keep_x, keep_y = self.kept[True,]
        node = Node(self, (parent,), (data if keep_x else None, value if keep_y else None), params, value)
        if state.tape is not None:
            _note(state.tape, node, (x,), value)
        return wrap(value, node)

    def pull(self, node: Node, g: Any) -> Sequence[Any]:
        """Return the cotangent of the argument from that of the output."""
        return (self.rules[0](g, node.saved if type(g) is not Tensor else _lifted(node), node, 0),)


class Binary(Primitive):
    """A primitive of two arrays, ``x1`` and ``x2``, either of which may be a number."""

    args = ("x1", "x2")

    def __call__(self, x1: Any, x2: Any, *params: Any) -> Any:
        """Apply to arrays, tensors or numbers."""
        if type(x1) is not Tensor or type(x2) is not Tensor or x1.data.dtype is not x2.data.dtype or self.floating:
            if type(x1) is not Tensor and type(x2) is not Tensor:
                _check_raw(self, x1, x2)
                return self.forward(x1, x2, *params)
            x1, x2 = _aligned(self, (x1, x2))
        a, parent1 = (x1.data, x1.node) if type(x1) is Tensor else (x1, None)
        b, parent2 = (x2.data, x2.node) if type(x2) is Tensor else (x2, None)
        value = self.forward(a, b, *params)
        if (parent1 is None and parent2 is None) or not state.recording or not self.rules:
            return wrap(value, None)
        keep_a, keep_b, keep_y = self.kept[parent1 is not None, parent2 is not None]
        saved = (a if keep_a else None, b if keep_b else None, value if keep_y else None)
        node = Node(self, (parent1, parent2), saved, params, value)
        if state.tape is not None:
            _note(state.tape, node, (x1, x2), value)
        return wrap(value, node)

    def pull(self, node: Node, g: Any) -> Sequence[Any]:
        """Return the cotangents of both arguments, None where none is needed, from that of the output."""
        saved = node.saved if type(g) is not Tensor else _lifted(node)
        parent1, parent2 = node.parents
        g1 = None if parent1 is None else self.rules[0](g, saved, node, 0)
        g2 = None if parent2 is None else self.rules[1](g, saved, node, 1)
        if self.broadcasts:
            if g1 is not None and g1.shape != parent1.shape:  # type: ignore[union-attr]
                g1 = sum_to(g1, parent1.shape)  # type: ignore[union-attr]
            if g2 is not None and g2.shape != parent2.shape:  # type: ignore[union-attr]
                g2 = sum_to(g2, parent2.shape)  # type: ignore[union-attr]
        return g1, g2


class Variadic(Primitive):
    """A primitive of any number of arrays.

    ``forward`` takes the list of arrays, then the parameters. There is one derivative, which returns the list of all
    cotangents; it may name ``xs`` (the arrays), ``y`` and parameters.
    """

    def __init__(
        self, name: str, forward: Callable[..., Any], derivative: Callable[..., Any], params: Sequence[str] = ()
    ) -> None:
        super().__init__(name, forward, params=params)
        self.derivative = derivative
        self.wanted = _wanted(derivative, ("xs", "y", *params))

    def __call__(self, xs: Sequence[Any], *params: Any) -> Any:
        """Apply to arrays or tensors; a tensor among them gives a tensor."""
        if Tensor not in map(type, xs):
            return self.forward(xs, *params)
        operands = _aligned(self, xs)
        data = [x.data if type(x) is Tensor else x for x in operands]
        value = self.forward(data, *params)
        parents = tuple(x.node if type(x) is Tensor else None for x in operands)
        if not any(parents) or not state.recording:
            return wrap(value, None)
        saved = (*(data if 0 in self.wanted else [None] * len(data)), value if 1 in self.wanted else None)
        return _recorded(self, operands, parents, saved, params, value)

    def pull(self, node: Node, g: Any) -> list[Any]:
        """Return the cotangents of the arguments, None where none is needed, from the cotangent of the output."""
        saved = node.saved if type(g) is not Tensor else _lifted(node)
        assert saved is not None
        known = (saved[:-1], saved[-1], *node.params)
        cotangents = self.derivative(g, *(known[i] for i in self.wanted))
        return [None if parent is None else c for parent, c in zip(node.parents, cotangents, strict=True)]


def _wanted(derivative: Callable[..., Any], names: tuple[str, ...]) -> tuple[int, ...]:
    """Return which of the names a derivative takes behind ``g``, as places in ``names``."""
    code = derivative.__code__
    return tuple(names.index(name) for name in code.co_varnames[1 : code.co_argcount])


def _rule(derivative: Callable[..., Any], wanted: tuple[int, ...], kept: int) -> Callable[..., Any]:
    """Return a derivative as a function of ``(g, saved, node, index)``; the frequent forms are spelt out for speed."""
    if not wanted:
        return lambda g, saved, node, index: derivative(g)
    if len(wanted) == 1 and wanted[0] < kept:
        (place,) = wanted
        return lambda g, saved, node, index: derivative(g, saved[place])

    def rule(g: Any, saved: tuple[Any, ...], node: Node, index: int) -> Any:
        parent: Any = node.parents[index]
        known = (*saved, *node.params, parent.shape, parent.dtype)
        return derivative(g, *map(known.__getitem__, wanted))

    return rule


def _recorded(
    primitive: Primitive,
    operands: Sequence[Any],
    parents: tuple[Node | Leaf | None, ...],
    saved: tuple[Any, ...],
    params: tuple[Any, ...],
    value: Array,
) -> Tensor:
    """Return the value as a tensor with its node, which an open `Tape` notes too."""
    node = Node(primitive, parents, saved, params, value)
    if state.tape is not None:
        _note(state.tape, node, operands, value)
    return wrap(value, node)


def _note(tape: Tape, node: Node, operands: Sequence[Any], value: Array) -> None:
    """Write a node onto the tape, its arguments as nodes, constants or numbers."""
    inputs = []
    for x in operands:
        if type(x) is Tensor:
            inputs.append(x.node or tape.constant(x.data, x.name))
        else:
            inputs.append(tape.constant(x) if isinstance(x, ndarray) else x)
    tape.entries.append(Entry(node, tuple(inputs), value))


def _lifted(node: Node) -> tuple[Any, ...]:
    """Return what a node saved as tensors with their places on the tape, so that a derivative of it is recorded."""
    assert node.saved is not None
    owners = (*node.parents, node)
    return tuple(
        wrap(value, owner) if isinstance(value, (ndarray, backend.Scalar)) else value
        for value, owner in zip(node.saved, owners, strict=True)
    )


def _aligned(primitive: Primitive, operands: Sequence[Any]) -> Sequence[Any]:
    """Return the operands of a tensor op in one element type: tensors, and numbers or None as they are.

    Floating point wins over integers and bools whatever their width (as in PyTorch and JAX); among floats, and among
    integers, the wider type wins. Numbers take the type of the tensors; a float makes integers float32.
    """
    dtype: Any = None
    for x in operands:
        if type(x) is Tensor and (dtype is None or x.data.dtype is dtype):
            dtype = x.data.dtype
        elif x is not None:
            break
    else:
        if not primitive.floating or dtype.kind == "f":
            return operands
    operands = [x if type(x) is Tensor else _constant(primitive, x) for x in operands]
    dtypes = {x.data.dtype for x in operands if type(x) is Tensor}
    floats = {dtype for dtype in dtypes if dtype.kind == "f"}
    if not floats and (primitive.floating or float in map(type, operands)):
        floats = {float32}
    dtype = xp.result_type(*(floats or dtypes))
    return [x.astype(dtype) if type(x) is Tensor and x.data.dtype != dtype else x for x in operands]


def _constant(primitive: Primitive, x: Any) -> Any:
    """Return an operand that is no tensor as one, or as a Python number."""
    if isinstance(x, ndarray):
        return wrap(x, None)
    if isinstance(x, backend.Scalar):
        return x.item()
    if x is None or isinstance(x, (bool, int, float)):
        return x
    raise TypeError(_wrong_kind(primitive, x))


def _wrong_kind(primitive: Primitive, x: Any) -> str:
    return (
        f"{primitive.name}: got {type(x).__module__}.{type(x).__name__}, wanted a tensor, a {backend.name} array or a "
        "number; asarray makes a tensor of other data."
    )


def _check_raw(primitive: Primitive, *operands: Any) -> None:
    """Refuse what NumPy would silently make an array of."""
    for x in operands:
        if type(x) is not ndarray and not isinstance(x, (backend.Scalar, bool, int, float)):
            raise TypeError(_wrong_kind(primitive, x))


def sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    """Return ``g`` summed over the axes along which an array of ``shape`` was broadcast to it.

    >>> import tinygrad_lstm as tg
    >>> sum_to(tg.ones((2, 3)), (3,))
    Tensor([2., 2., 2.])
    """
    if g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    axes = tuple(axis for axis, n in enumerate(g.shape) if axis < lead or (shape[axis - lead] == 1 and n != 1))
    return g.sum(axis=axes, keepdims=True).reshape(shape)
