"""Tensors: an array, and the place on the tape where it was computed.

The operators and methods that every Python user types (``x @ y``, ``x.sum(axis=0)``, ``x.T``) are bound by `method`
where each op is defined; here stands what a tensor is without them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from . import backend
from .backend import Array, ndarray, xp
from .sweep import growth, retained, sweep
from .tape import Leaf, Node, describe

__all__ = ["Axis", "DType", "Operand", "Tensor", "asarray", "float16", "float32", "method", "own", "wrap"]

Operand: TypeAlias = "Tensor | Array | float"
"""What an op takes: a tensor, an array of the backend, or a number."""

Axis: TypeAlias = "int | tuple[int, ...] | None"
"""One axis, several, or None for all."""

DType: TypeAlias = Any

float16, float32 = map(xp.dtype, ("float16", "float32"))

PLAIN_DTYPES = (float32, xp.dtype("int64"), xp.dtype("bool"))
"""The types that Python's own numbers become: a printed tensor need not name them."""

NAMES = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64"

HELD = {dtype: dtype for dtype in map(xp.dtype, NAMES.split())}
HELD |= {dtype.newbyteorder(): dtype for dtype in HELD}
"""The element types of tensors, by themselves and by what they are in the other order of bytes."""

F = TypeVar("F", bound=Callable[..., Any])


class Tensor:
    """An array that remembers how it was computed.

    Make one with `asarray`, `zeros`, `ones` and their kin; ops on tensors give tensors.

    Parameters
    ----------
    data
        Numbers, nested sequences of them, an array of NumPy or of the backend, or a tensor.
    dtype
        The element type; by default what ``data`` has, with Python's floats taken as float32.
    requires_grad
        Ask for the gradient with respect to this tensor; only floating point can.

    Raises
    ------
    TypeError, ValueError
        If the data are no real numbers or bools of 64 bits at most, or a gradient is asked for of anything but floating
        point.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_name", "data", "node")

    data: Array
    node: Node | Leaf | None

    def __init__(self, data: Any, dtype: DType = None, requires_grad: bool = False) -> None:
        self.data = _as_array(data, dtype)
        self.node = None
        if requires_grad:
            self.requires_grad = True

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape

    @property
    def dtype(self) -> DType:
        """The element type, a ``numpy.dtype``."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def device(self) -> str:
        """The device that holds the data: ``cpu`` or the GPU's name."""
        return backend.device_name()

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len: got a tensor of shape (), wanted at least one axis.")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))

    # Its place on the tape

    @property
    def requires_grad(self) -> bool:
        """Whether a derivative of this tensor, or through it, can be asked for."""
        return self.node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if isinstance(self.node, Node):
            raise RuntimeError(f"requires_grad: got the result of {self.node.name}, wanted a leaf; detach() makes one.")
        if wanted and self.dtype.kind != "f":
            raise TypeError(f"requires_grad: got a tensor of {self.dtype}, wanted floating point.")
        if wanted and self.node is None:
            self.node = Leaf(self.shape, self.dtype, self.name)
        elif not wanted and self.node is not None:
            name = self.name
            self.node = None
            if name is not None:
                self._name = name

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` left here, or None: at a leaf, or where `retain_grad` has asked for it."""
        node = self.node
        grad = node.grad if isinstance(node, Leaf) else retained.get(node) if node is not None else None
        if grad is None and isinstance(node, Node) and node not in retained:
            warnings.warn(
                f"grad: the {describe(node)} is no leaf and keeps no gradient; retain_grad() before backward() asks "
                "for it.",
                stacklevel=2,
            )
        return grad if grad is None or type(grad) is Tensor else wrap(grad, None)

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if not isinstance(self.node, Leaf):
            raise RuntimeError("grad: got a tensor that is no leaf with requires_grad, so it holds no gradient.")
        if value is not None and value.shape != self.shape:
            raise ValueError(f"grad: got shape {value.shape}, wanted {self.shape}.")
        self.node.grad = value

    @property
    def name(self) -> str | None:
        """The name given by `named`, which pictures, tables and errors show."""
        return getattr(self, "_name", None) if self.node is None else self.node.label

    def named(self, name: str) -> Tensor:
        """Give the tensor a name and return it.

        >>> import tinygrad_lstm as tg
        >>> tg.ones((2,)).named("h").name
        'h'
        """
        if self.node is None:
            self._name = name
        else:
            self.node.label = name
        return self

    def detach(self) -> Tensor:
        """Return the same data, cut off from the tape: a graph made from it does not notice a change of the leaf."""
        return wrap(self.data, None)

    def backward(
        self, gradient: Tensor | None = None, *, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add the gradient of this tensor to ``grad`` of every leaf it was computed from.

        Parameters
        ----------
        gradient
            The cotangent to start from, of this tensor's shape; 1 for a scalar.
        retain_graph
            Keep the graph, so that it can be differentiated again.
        create_graph
            Record the sweep itself, so that the gradients can be differentiated; keeps the graph too.

        Raises
        ------
        RuntimeError
            If nothing was recorded, or the graph was swept before, or a leaf was changed since.
        ValueError
            If this is no scalar and no gradient is given, or one of another shape.
        """
        root = (self.recorded("backward"), self.cotangent(gradient, create_graph, "backward"))
        with backend.quiet():
            reach = sweep([root], _accumulate, retain_graph=retain_graph or create_graph)
        if retain_graph and not create_graph:
            growth.note(reach, stacklevel=2)

    def recorded(self, op: str) -> Node | Leaf:
        """Return the node, or say that there is none."""
        if self.node is None:
            raise RuntimeError(
                f"{op}: nothing was recorded for this tensor of shape {self.shape}: no argument of it requires a "
                "gradient, or it was computed under no_grad."
            )
        return self.node

    def cotangent(self, gradient: Tensor | Array | None, recorded: bool, op: str) -> Any:
        """Return what a sweep from here starts with: a tensor if the sweep is to be recorded, else an array."""
        if gradient is None:
            if self.size != 1:
                raise ValueError(f"{op}: got a tensor of shape {self.shape} and no gradient, wanted a scalar or both.")
            value = xp.ones(self.shape, dtype=self.dtype)
            return wrap(value, None) if recorded else value
        gradient = asarray(gradient)
        if gradient.shape != self.shape:
            raise ValueError(f"{op}: got a gradient of shape {gradient.shape}, wanted {self.shape}.")
        if gradient.dtype != self.dtype:
            gradient = wrap(gradient.data.astype(self.dtype), None) if not recorded else gradient.astype(self.dtype)
        return gradient if recorded else gradient.data

    def assign_(self, value: Tensor | Array) -> Tensor:
        """Change the value of a leaf, or of a constant; graphs made from a leaf can no longer be differentiated then.

        A graph that has a leaf's data by way of `detach`, of a view made under `no_grad`, or from when the leaf was
        frozen does not notice the change, and is differentiated with the new values.

        Raises
        ------
        RuntimeError
            If this tensor is the result of an op.
        ValueError
            If the shape differs.
        TypeError
            If the value is of another kind, as floating point is for integers.
        """
        if isinstance(self.node, Node):
            raise RuntimeError(f"assign_: got the result of {self.node.name}, wanted a leaf.")
        value = asarray(value).data
        if value.shape != self.shape:
            raise ValueError(f"assign_: got shape {value.shape}, wanted {self.shape}.")
        if value.dtype.kind == "f" and self.dtype.kind != "f":
            raise TypeError(f"assign_: got {value.dtype}, wanted {self.dtype}; astype says that digits may be lost.")
        if self.node is None:
            self.data = value.astype(self.dtype)  # a copy: graphs may hold the old array
        else:
            self.data[...] = value
            self.node.restamp()
        return self

    # Out to Python

    def numpy(self) -> Any:
        """Return the data as a NumPy array in host memory, sharing it where it is there already.

        Raises
        ------
        RuntimeError
            If the tensor is recorded: an array would silently lose the gradient.
        """
        if self.node is not None:
            raise RuntimeError(
                "numpy: got a tensor that requires a gradient, which an array cannot carry; detach() it."
            )
        return backend.to_host(self.data)

    def item(self) -> Any:
        """Return the only element as a Python number."""
        return self._only("item")

    def _only(self, op: str) -> Any:
        """Return the only element, or say in an op's name that there are several."""
        if self.size != 1:
            raise ValueError(f"{op}: got a tensor of shape {self.shape}, wanted one element.")
        return self.data.item()

    def tolist(self) -> Any:
        """Return the data as nested lists of Python numbers."""
        return self.data.tolist()

    def __float__(self) -> float:
        return float(self._only("float"))

    def __int__(self) -> int:
        return int(self._only("int"))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"bool: got a tensor of shape {self.shape}, wanted one element; any() or all() make one.")
        return bool(self.data.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"index: got a tensor of {self.dtype}, wanted an integer.")
        return int(self._only("index"))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "setitem: tensors do not change in place, for a derivative may need what was there; where(), concat() and "
            "their kin make a new one, and assign_() changes the whole of a leaf."
        )

    def __format__(self, spec: str) -> str:
        if not spec:
            return str(self)
        if self.ndim > 0:
            raise TypeError(
                f"format: got a tensor of shape {self.shape} and {spec!r}, wanted a scalar to format as a number."
            )
        return format(self.item(), spec)

    def __repr__(self) -> str:
        text = backend.array_text(self.data, prefix="Tensor(")
        if "..." in text or (self.size == 0 and self.ndim > 1):
            text += f", shape={self.shape}"
        if self.dtype not in PLAIN_DTYPES:
            text += f", dtype={self.dtype}"
        if isinstance(self.node, Leaf):
            text += ", requires_grad=True"
        elif self.node is not None:
            text += f", op={self.node.name}"
        return f"Tensor({text})"

    def _repr_mimebundle_(self, **asked: Any) -> dict[str, Any]:
        """Return what a notebook shows: how the tensor was computed, if that was recorded, and its numbers."""
        if not isinstance(self.node, Node):
            return {"text/plain": repr(self)}
        from .graph.output.notebook import bundle  # upwards, and only when a notebook asks

        return bundle(self, repr(self), **asked)

    __hash__ = object.__hash__

    if TYPE_CHECKING:  # bound by `method` next to each op, in the rooms above

        @property
        def T(self) -> Tensor: ...
        @property
        def mT(self) -> Tensor: ...
        def __add__(self, other: Operand) -> Tensor: ...
        def __radd__(self, other: Operand) -> Tensor: ...
        def __sub__(self, other: Operand) -> Tensor: ...
        def __rsub__(self, other: Operand) -> Tensor: ...
        def __mul__(self, other: Operand) -> Tensor: ...
        def __rmul__(self, other: Operand) -> Tensor: ...
        def __truediv__(self, other: Operand) -> Tensor: ...
        def __rtruediv__(self, other: Operand) -> Tensor: ...
        def __floordiv__(self, other: Operand) -> Tensor: ...
        def __rfloordiv__(self, other: Operand) -> Tensor: ...
        def __mod__(self, other: Operand) -> Tensor: ...
        def __rmod__(self, other: Operand) -> Tensor: ...
        def __pow__(self, other: Operand) -> Tensor: ...
        def __rpow__(self, other: Operand) -> Tensor: ...
        def __matmul__(self, other: Tensor | Array) -> Tensor: ...
        def __rmatmul__(self, other: Tensor | Array) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Operand) -> Tensor: ...
        def __rand__(self, other: Operand) -> Tensor: ...
        def __or__(self, other: Operand) -> Tensor: ...
        def __ror__(self, other: Operand) -> Tensor: ...
        def __xor__(self, other: Operand) -> Tensor: ...
        def __rxor__(self, other: Operand) -> Tensor: ...
        def __lshift__(self, other: Operand) -> Tensor: ...
        def __rlshift__(self, other: Operand) -> Tensor: ...
        def __rshift__(self, other: Operand) -> Tensor: ...
        def __rrshift__(self, other: Operand) -> Tensor: ...
        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __lt__(self, other: Operand) -> Tensor: ...
        def __le__(self, other: Operand) -> Tensor: ...
        def __gt__(self, other: Operand) -> Tensor: ...
        def __ge__(self, other: Operand) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def retain_grad(self) -> None: ...
        def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any: ...
        def astype(self, dtype: DType, /, *, copy: bool = True, device: str | None = None) -> Tensor: ...
        def clip(self, /, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
        def round(self) -> Tensor: ...
        def sum(self, axis: Axis = None, keepdims: bool = False, *, dtype: DType = None) -> Tensor: ...
        def prod(self, axis: Axis = None, keepdims: bool = False, *, dtype: DType = None) -> Tensor: ...
        def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def var(self, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor: ...
        def std(self, axis: Axis = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor: ...
        def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor: ...
        def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor: ...
        def argsort(self, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor: ...
        def searchsorted(self, x2: Operand, /, *, side: str = "left", sorter: Any = None) -> Tensor: ...
        def nonzero(self) -> tuple[Tensor, ...]: ...
        def all(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def any(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def reshape(self, *shape: Any, copy: bool | None = None) -> Tensor: ...
        def squeeze(self, axis: int | tuple[int, ...]) -> Tensor: ...
        def repeat(self, repeats: Any, /, *, axis: int | None = None) -> Tensor: ...
        def take(self, indices: Any, /, *, axis: int | None = None) -> Tensor: ...


def own(cotangent: Any, owned: bool) -> Any:
    """Return what a sweep brought as the receiver's own: an array that others may hold is copied.

    The copy of a tensor has its place on the tape.
    """
    if owned:
        return cotangent
    return wrap(xp.array(cotangent.data), cotangent.node) if type(cotangent) is Tensor else xp.array(cotangent)


def _accumulate(node: Leaf | Node, cotangent: Any, owned: bool) -> None:
    """Add what a sweep brought to the gradient of a leaf, or of another node that keeps one."""
    cotangent = own(cotangent, owned)
    if isinstance(node, Leaf):
        node.accumulate(cotangent)
    else:
        before = retained[node]
        retained[node] = cotangent if before is None else before + cotangent


def wrap(value: Array, node: Node | Leaf | None) -> Tensor:
    """Return a tensor of an array and its node, by the short way: nothing is checked or copied."""
    tensor = new(Tensor)
    tensor.data = value if type(value) is ndarray else xp.asarray(value)
    tensor.node = node
    return tensor


new = object.__new__
"""Makes a tensor without a word of its ``__init__``; hot paths spell `wrap` out with it."""


def _as_array(data: Any, dtype: DType) -> Array:
    """Return data of any accepted kind as an array of the backend, Python's floats as float32."""
    if isinstance(data, Tensor):
        data = data.data
    elif not hasattr(data, "dtype"):
        return _from_python(data, dtype)
    if backend.is_host_array(data):
        data = data.astype(_held(data.dtype), copy=False)  # on the host, for a device may know no other types
    array = backend.to_device(data)
    held = _held(array.dtype)
    return array.astype(held if dtype is None else real_dtype("asarray", dtype), copy=False)


def _from_python(data: Any, dtype: DType) -> Array:
    """Return numbers and nested sequences of them, tensors among them, as an array of the backend."""
    try:
        host = backend.host_array(_without_tensors(data))
    except ValueError as error:
        raise ValueError(f"asarray: got sequences that are no array: {error}") from None
    held = _held(host.dtype)
    if dtype is None:
        dtype = float32 if held.kind == "f" and _is_plain(data) else held
    return backend.to_device(host.astype(real_dtype("asarray", dtype), copy=False))


def _is_plain(data: Any) -> bool:
    """Tell whether nested sequences hold Python's own numbers, judged by the first."""
    while isinstance(data, (list, tuple, range)):
        data = data[0] if data else None
    return not hasattr(data, "dtype")


def _without_tensors(data: Any) -> Any:
    """Return nested sequences with their tensors and device arrays as arrays of the host."""
    if type(data) is Tensor:
        if data.node is not None:
            raise TypeError(
                "asarray: got a sequence with a tensor that requires a gradient, which would be lost; stack() keeps it."
            )
        return backend.to_host(data.data)
    if isinstance(data, (list, tuple)):
        return [_without_tensors(x) for x in data]
    return backend.to_host(data) if isinstance(data, ndarray) else data


def _held(dtype: DType) -> DType:
    """Return the type as which a tensor holds elements of another, or refuse them."""
    held = HELD.get(dtype)
    if held is None:
        raise TypeError(f"asarray: got elements of {dtype}, wanted real numbers or bools, of 64 bits at most.")
    return held


def real_dtype(op: str, dtype: DType) -> DType:
    """Return an element type that was asked for, or refuse it in the name of an op."""
    try:
        known = xp.dtype(dtype)
    except TypeError:
        known = None
    held = HELD.get(known)
    if held is None:
        got = dtype if known is None else known
        raise TypeError(f"{op}: got dtype {got}, wanted real numbers or bool, of 64 bits at most.")
    return held


def asarray(
    obj: Any,
    /,
    *,
    dtype: DType = None,
    device: str | None = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of numbers, nested sequences, an array of NumPy or of the backend, or a tensor.

    Parameters
    ----------
    obj
        The data; sequences may hold tensors and arrays. Of an array of a class of its own, as a matrix of NumPy's, the
        elements are taken and nothing else.
    dtype
        The element type; by default what the data has, with Python's floats taken as float32. The bytes of an element
        are brought into the machine's order.
    device
        The device: the backend's own, or None.
    copy
        True makes a copy, False refuses one; by default data is shared where it can be.
    requires_grad
        Ask for the gradient with respect to this tensor. A tensor comes back as it is, with its place on the tape,
        where nothing is asked of it.

    Raises
    ------
    TypeError, ValueError
        If the data are no real numbers or bools of 64 bits at most, are masked, or cannot be had without a copy.

    Examples
    --------
    >>> asarray([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    if dtype is None and not requires_grad and copy is not True:
        if type(obj) is Tensor:
            return obj
        if type(obj) is ndarray and device is None and HELD.get(obj.dtype) is obj.dtype:
            return wrap(obj, None)
    backend.check_device("asarray", device)
    if isinstance(obj, ndarray):
        obj = backend.to_device(obj)
    tensor = Tensor(obj, dtype)
    if tensor.data is (obj.data if type(obj) is Tensor else obj):
        if copy is True:
            tensor.data = xp.array(tensor.data)
    elif copy is False:
        raise ValueError(f"asarray: got {type(obj).__name__} and copy=False, but a tensor of it can only be a copy.")
    tensor.requires_grad = requires_grad
    return tensor


def method(*names: str, reflected: str | None = None) -> Callable[[F], F]:
    """Make a public function a method (or operator) of `Tensor` too, under the names given."""

    def bind(function: F) -> F:
        for name in names:
            setattr(Tensor, name, function)
        if reflected is not None:
            setattr(Tensor, reflected, lambda self, other: function(other, self))
        return function

    return bind
