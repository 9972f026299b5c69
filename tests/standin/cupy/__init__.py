"""A stand-in for CuPy where there is no GPU: NumPy's arithmetic behind CuPy's manners, for tests alone.

With the folder ``tests/standin`` on ``PYTHONPATH`` and ``TINYGRAD_LSTM_BACKEND=cupy``, the whole suite takes the very
path that CuPy takes. Where the two differ the stand-in is the stricter:

- an array of the host is never taken silently, and an array of the device never becomes one;
- what has no axes is still an array, never one of NumPy's scalars;
- integer arrays used as indices wrap around the end of their axis instead of raising;
- a copy in a stream of its own is made when somebody waits for it, and from what stands in host memory then;
- there are the names listed here, all of them CuPy's, and no others; a division by zero warns nobody.

`work` is its own: it counts the elements that were written, so that a test can bound work instead of time, and how
often something went to the device, or the host waited for it.
"""

from __future__ import annotations

import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy

__version__ = "14.0.0+standin"

# What there is. Each name means what it means in CuPy; where that is installed, a test holds the lists against it.

SAME_AS_NUMPY = """
    bool_ complex64 complex128 dtype e euler_gamma finfo float16 float32 float64 floating generic iinfo inexact inf int8
    int16 int32 int64 integer intp issubdtype nan newaxis number pi promote_types signedinteger uint8 uint16 uint32
    uint64 unsignedinteger
"""

CREATION = "arange empty eye full identity linspace ones tri zeros"

ELEMENTWISE = """
    abs absolute add arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and bitwise_or bitwise_xor ceil
    copysign cos cosh divide equal exp exp2 expm1 floor floor_divide fmax fmin greater greater_equal hypot invert
    isfinite isinf isnan left_shift less less_equal log log10 log1p log2 logaddexp logical_and logical_not
    logical_or logical_xor matmul maximum minimum multiply negative nextafter not_equal positive power reciprocal
    remainder right_shift rint sign signbit sin sinh sqrt square subtract tan tanh true_divide trunc
"""

ON_ARRAY = """
    all allclose amax amin any argmax argmin argsort array_equal ascontiguousarray bincount broadcast_to clip copy
    count_nonzero cumprod cumsum diag diff dot empty_like expand_dims flatnonzero flip full_like max mean min moveaxis
    nonzero ones_like outer prod ravel repeat reshape roll searchsorted sort split squeeze std sum swapaxes
    take take_along_axis tensordot tile transpose tril triu unique var vdot zeros_like
"""

METHODS = """
    all any argmax argmin argsort clip copy cumprod cumsum diagonal dot flatten max mean min nonzero prod ravel repeat
    reshape round squeeze std sum swapaxes take trace transpose var
"""

ASKED_OF_A_COPY = "__bool__ __float__ __format__ __int__ __len__ __repr__ __str__ item tolist"

ATTRIBUTES = "T dtype itemsize nbytes ndim shape size strides"

OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
COMPARISONS = {
    "lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal", "gt": "greater", "ge": "greater_equal",
}  # fmt: skip
SIGNS = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}

OPTIONS = {"axis", "axes", "ddof", "dtype", "k", "keepdims", "kind", "minlength", "offset", "return_inverse"}
"""Keyword arguments that CuPy's functions of arrays have too; of ``where=`` and ``initial=`` it has hardly any."""

SCALARS = (bool, int, float, complex, numpy.number, numpy.bool_)
"""What CuPy computes with beside its own arrays."""

CUDA = 2
"""The type of the device in DLPack's terms; the host's is 1."""

ATOMIC = ("int32", "uint32", "uint64", "float16", "float32", "float64")
"""The element types that CuPy can add into a place named twice."""


WAITS = {"bincount", "flatnonzero", "nonzero", "unique"}
"""Functions of arrays whose results have a shape that the host has to ask the device for."""


class _Work:
    """How many operations wrote something, and how many elements they wrote: a view writes nothing.

    ``sent`` is how often something went from the host to the device, ``waited`` how often the host waited for the
    device, be it for an array, for a number or for nothing.
    """

    def __init__(self) -> None:
        self.calls = self.elements = self.sent = self.waited = 0

    def wrote(self, elements: int) -> None:
        self.calls += 1
        self.elements += elements


work = _Work()


class ndarray:
    """An array "on the device": an array of NumPy's that nobody else may see."""

    __slots__ = ("__weakref__", "_host")

    __array_ufunc__ = None  # NumPy's operators and ufuncs leave such arrays alone
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, shape: Any, dtype: Any = float) -> None:
        self._host = _allocated(numpy.zeros(shape, dtype))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array "
            "explicitly."
        )

    def __reduce__(self) -> Any:
        return asarray, (self.get(),)

    def __dlpack__(self, **options: Any) -> ndarray:
        return self[...]  # in place of a capsule: nobody but `from_dlpack` here can open it

    def __dlpack_device__(self) -> tuple[int, int]:
        return CUDA, 0

    def get(self) -> numpy.ndarray[Any, Any]:
        work.waited += 1
        return self._host.copy()

    def set(self, arr: numpy.ndarray[Any, Any], stream: _Stream | None = None) -> None:
        """Copy an array of the host of the same shape and type: at once, or in a stream."""
        if (arr.shape, arr.dtype) != (self.shape, self.dtype):
            raise TypeError(f"{arr.dtype} of shape {arr.shape} cannot be set to {self.dtype} of shape {self.shape}")
        work.sent += 1
        if stream is None:
            self._host[...] = arr
        else:
            self._host.reshape(-1).view("uint8")[...] = 0  # nothing of the array is there before the copy is made
            stream.later(lambda: self._host.__setitem__(..., arr))

    @property
    def data(self) -> Any:
        memory = _memory(self._host)
        address = memory.__array_interface__["data"][0]
        return types.SimpleNamespace(mem=types.SimpleNamespace(ptr=address, size=memory.nbytes))

    def astype(self, dtype: Any, copy: bool = True) -> ndarray:
        return self if not copy and self.dtype == dtype else _computed(self._host.astype, dtype)

    @property
    def flags(self) -> Any:
        flags = self._host.flags
        return types.SimpleNamespace(c_contiguous=flags.c_contiguous, f_contiguous=flags.f_contiguous)

    def __getitem__(self, index: Any) -> ndarray:
        index = _index(index, self.shape)
        if any(isinstance(part, numpy.ndarray) and part.dtype == bool for part in index):
            work.waited += 1  # for how many are true
        return _computed(self._host.__getitem__, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        index, value = _index(index, self.shape), _operand(value)
        place = numpy.asarray(self._host[index])
        if not _is_same_place(place, value):
            self._host[index] = value
            work.wrote(place.size)

    def __iter__(self) -> Iterator[ndarray]:
        return map(self.__getitem__, range(len(self)))


class ufunc:
    """A function of elements: arrays of the device and numbers in, an array out."""

    def __init__(self, name: str) -> None:
        self.__name__ = name
        self._function = getattr(numpy, name)

    def __call__(self, *operands: Any, out: ndarray | None = None, dtype: Any = None) -> ndarray:
        host = map(_operand, operands)
        if out is None:
            return _computed(self._function, *host, dtype=dtype)
        if type(out) is not ndarray:
            raise TypeError(f"return arrays must be of ArrayType, not {type(out)}")
        _computed(self._function, *host, dtype=dtype, out=out._host)
        work.wrote(out.size)
        return out

    def at(self, a: ndarray, indices: Any, b: Any) -> None:
        """Add in place, as often as the indices name a place; CuPy does that for few functions and types."""
        if self.__name__ != "add":
            raise NotImplementedError(f"`cupy.{self.__name__}.at` is not supported")
        if a.dtype.name not in ATOMIC:
            raise TypeError(f"scatter_add only supports {', '.join(ATOMIC)}, as data type")
        index = _index(indices, a.shape)
        numpy.add.at(a._host, index, _operand(b))
        work.wrote(numpy.size(a._host[index]))


def asarray(a: Any, dtype: Any = None) -> ndarray:
    """Return numbers, nested sequences of them, or an array from either side, on the device."""
    if type(a) is ndarray:
        return a if dtype is None else a.astype(dtype, copy=False)
    host = numpy.array(a, dtype)
    if host.dtype.kind not in "?biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    work.sent += 1
    return _received(host, ())


def array(obj: Any, dtype: Any = None) -> ndarray:
    """Return a copy of `asarray`'s array."""
    return obj.astype(dtype or obj.dtype) if type(obj) is ndarray else asarray(obj, dtype)


def asnumpy(a: Any) -> numpy.ndarray[Any, Any]:
    """Return an array in host memory."""
    return a.get() if type(a) is ndarray else numpy.asarray(a)


def from_dlpack(array: Any) -> ndarray:
    """Return an array that shares the memory of another one on the device."""
    if array.__dlpack_device__()[0] != CUDA:
        raise TypeError(
            "CPU arrays cannot be directly imported to CuPy. Use `cupy.array(numpy.from_dlpack(input))` instead."
        )
    return array.__dlpack__()


def result_type(*arrays_and_dtypes: Any) -> numpy.dtype[Any]:
    """Return the element type to which all are promoted."""
    return numpy.result_type(*(x.dtype if type(x) is ndarray else x for x in arrays_and_dtypes))


def concatenate(tup: Any, axis: int = 0) -> ndarray:
    """Return arrays joined along an axis."""
    return _computed(numpy.concatenate, _arrays(tup), axis)


def stack(tup: Any, axis: int = 0) -> ndarray:
    """Return arrays joined along a new axis."""
    return _computed(numpy.stack, _arrays(tup), axis)


def where(condition: ndarray, x: Any, y: Any) -> ndarray:
    """Return elements of one or the other; these two may be numbers, the condition may not."""
    return _computed(numpy.where, *_arrays([condition]), _operand(x), _operand(y))


def may_share_memory(a: ndarray, b: ndarray) -> bool:
    """Tell whether the memory of two arrays overlaps."""
    return numpy.may_share_memory(*_arrays([a, b]))


def einsum(subscripts: str, *operands: ndarray) -> ndarray:
    """Return sums of products, as the subscripts say."""
    return _computed(numpy.einsum, subscripts, *_arrays(operands))


# How it is made


def _operand(value: Any) -> Any:
    """Return an operand as NumPy takes it, if CuPy would take it."""
    if type(value) is ndarray:
        return value._host
    if isinstance(value, SCALARS):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def _arrays(values: Any) -> list[Any]:
    """Return arrays of the device, and nothing else, as NumPy takes them."""
    for value in values:
        if type(value) is not ndarray:
            raise TypeError(f"Unsupported type {type(value)}")
    return [value._host for value in values]


def _setting(value: Any) -> Any:
    """Return an argument behind the arrays: a shape, an axis, a type, an array; never an array of the host."""
    return _operand(value) if isinstance(value, (ndarray, numpy.ndarray)) else value


def _computed(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Return what NumPy computes, on the device."""
    options = {name: value for name, value in options.items() if name != "dtype" or value is not None}
    with numpy.errstate(all="ignore"):
        result = function(*arguments, **options)
    sources = [getattr(function, "__self__", None), options.get("out"), *arguments]
    if isinstance(result, (list, tuple)):
        return type(result)(_received(part, sources) for part in result)
    return _received(result, sources)


def _received(result: Any, sources: Any) -> ndarray:
    """Return a result of NumPy's as an array of the device, counted as written unless it is a view of a source."""
    array = object.__new__(ndarray)
    array._host = numpy.asarray(result)
    if not any(isinstance(x, numpy.ndarray) and numpy.may_share_memory(x, array._host) for x in sources):
        _allocated(array._host)
        work.wrote(array.size)
    return array


def _memory(host: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """Return the array of which an array is a view."""
    while isinstance(host.base, numpy.ndarray):
        host = host.base
    return host


def _allocated(host: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """Return an array of which the device's memory knows, until it is gone."""
    memory = _memory(host)
    if memory.nbytes:
        _allocator(memory.nbytes)
        weakref.finalize(memory, _pool.freed, memory.nbytes).atexit = False
    return host


def _index(index: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """Return an index for NumPy, integer arrays wrapped around the axis they stand for, as CuPy's kernels do it."""
    parts = [_index_part(part) for part in (index if isinstance(index, tuple) else (index,))]
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)  # so that a part without axes is a view too, and no scalar
    left_over = len(shape) - sum(map(_axes_taken, parts))
    axis = 0
    for i, part in enumerate(parts):
        if isinstance(part, numpy.ndarray) and part.dtype.kind in "iu" and axis < len(shape) and shape[axis] > 0:
            parts[i] = part.astype("int64") % shape[axis]
        axis += left_over if part is Ellipsis else _axes_taken(part)
    return tuple(parts)


def _index_part(part: Any) -> Any:
    """Return one part of an index for NumPy, if CuPy would take it."""
    if part is None or part is Ellipsis or isinstance(part, (bool, int, slice, numpy.integer, numpy.bool_)):
        return part
    part = _operand(asarray(part, None if part else int) if isinstance(part, list) else part)
    if not isinstance(part, numpy.ndarray) or part.dtype.kind not in "iub":
        raise IndexError("arrays used as indices must be of integer or boolean type.")
    return part


def _axes_taken(part: Any) -> int:
    """Return for how many axes one part of an index stands."""
    if part is None or part is Ellipsis or isinstance(part, (bool, numpy.bool_)):
        return 0
    return part.ndim if isinstance(part, numpy.ndarray) and part.dtype == bool else 1


def _is_same_place(place: numpy.ndarray[Any, Any], value: Any) -> bool:
    """Tell whether a value is the place itself: the end of ``a[i] += b``, which CuPy skips."""
    if not isinstance(value, numpy.ndarray) or (value.shape, value.strides) != (place.shape, place.strides):
        return False
    return bool(value.__array_interface__["data"] == place.__array_interface__["data"])


def _creator(name: str) -> Callable[..., ndarray]:
    """Return NumPy's function that makes an array of numbers."""
    return lambda *arguments, **options: _computed(getattr(numpy, name), *map(_setting, arguments), **options)


def _checked(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of an array and settings that refuses the keyword arguments which CuPy lacks."""

    def checked(a: ndarray, *settings: Any, **options: Any) -> Any:
        for option in options.keys() - OPTIONS:
            raise TypeError(f"{name}() got an unexpected keyword argument '{option}'")
        work.waited += name in WAITS
        return call(*_arrays([a]), *map(_setting, settings), **options)

    return checked


def _function(name: str) -> Callable[..., Any]:
    """Return NumPy's function of an array."""
    return _checked(name, lambda host, *rest, **options: _computed(getattr(numpy, name), host, *rest, **options))


def _method(name: str) -> Callable[..., Any]:
    """Return NumPy's method of an array."""
    return _checked(name, lambda host, *rest, **options: _computed(getattr(host, name), *rest, **options))


def _asked_of_a_copy(name: str) -> Callable[..., Any]:
    """Return NumPy's method of a copy on the host, whose answer is no array."""
    return lambda self, *arguments: getattr(self.get(), name)(*arguments)


def _attribute(name: str) -> property:
    """Return NumPy's attribute: a description, or a view."""

    def attribute(self: ndarray) -> Any:
        value = getattr(self._host, name)
        return _received(value, [self._host]) if isinstance(value, numpy.ndarray) else value

    return property(attribute)


def _operator(function: ufunc, reflected: bool = False) -> Callable[[ndarray, Any], Any]:
    """Return an operator, which steps back for a class that opts out of ufuncs, as CuPy's does."""

    def operate(self: ndarray, other: Any) -> Any:
        if type(other) is not ndarray and getattr(other, "__array_ufunc__", ...) is None:
            return NotImplemented
        return function(other, self) if reflected else function(self, other)

    return operate


_listed: dict[str, Any] = {
    **{name: getattr(numpy, name) for name in SAME_AS_NUMPY.split()},
    **{name: _creator(name) for name in CREATION.split()},
    **{name: ufunc(name) for name in ELEMENTWISE.split()},
    **{name: _function(name) for name in ON_ARRAY.split()},
}
"""What the lists name; not this module's globals, where they would hide Python's own ``any``, ``sum`` and ``max``."""


def __getattr__(name: str) -> Any:
    if name not in _listed:
        raise AttributeError(f"module 'cupy' has no attribute '{name}', or its stand-in does not list it")
    return _listed[name]


for _name in METHODS.split():
    setattr(ndarray, _name, _method(_name))
for _name in ASKED_OF_A_COPY.split():
    setattr(ndarray, _name, _asked_of_a_copy(_name))
for _name in ATTRIBUTES.split():
    setattr(ndarray, _name, _attribute(_name))
for _mark, _name in SIGNS.items():
    setattr(ndarray, f"__{_mark}__", lambda self, f=_listed[_name]: f(self))
for _mark, _name in COMPARISONS.items():
    setattr(ndarray, f"__{_mark}__", _operator(_listed[_name]))
for _mark, _name in OPERATORS.items():
    setattr(ndarray, f"__{_mark}__", _operator(_listed[_name]))
    setattr(ndarray, f"__r{_mark}__", _operator(_listed[_name], reflected=True))
    if _mark != "matmul":
        setattr(ndarray, f"__i{_mark}__", lambda self, other, f=_listed[_name]: f(self, other, out=self))


class _Generator:
    """A random generator with its numbers on the device."""

    def __init__(self, seed: int | None = None) -> None:
        self._host = numpy.random.default_rng(seed)

    def __getattr__(self, name: str) -> Callable[..., ndarray]:
        if name not in ("integers", "random", "standard_normal", "uniform"):
            raise AttributeError(name)
        draw = getattr(self._host, name)
        return lambda *bounds, dtype=None, **options: _received(numpy.asarray(draw(*bounds, **options), dtype), ())


class _OutOfMemoryError(MemoryError):
    """There is no room for an array."""

    def __init__(self, size: int, total: int, limit: int) -> None:
        super().__init__(
            f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes, limit set to: {limit:,} "
            "bytes)."
        )


class _Pool:
    """The device's memory: how much is used, how much ever was, and how much there may be, 0 for any."""

    def __init__(self) -> None:
        self._used = self._total = self._limit = 0

    def malloc(self, size: int) -> None:
        if self._limit and self._used + size > self._limit:
            raise _OutOfMemoryError(size, self._used, self._limit)
        self._used += size
        self._total = max(self._total, self._used)

    def freed(self, size: int) -> None:
        self._used -= size

    def used_bytes(self) -> int:
        return self._used

    def total_bytes(self) -> int:
        return self._total

    def free_all_blocks(self) -> None:
        self._total = self._used

    def set_limit(self, size: int) -> None:
        self._limit = size


_pool = _Pool()
_allocator: Callable[[int], Any] = _pool.malloc


def get_default_memory_pool() -> _Pool:
    """Return the memory of the device."""
    return _pool


def _set_allocator(allocator: Callable[[int], Any]) -> None:
    """Have memory given by a function from here on."""
    global _allocator
    _allocator = allocator


class _Stream:
    """What is done one after the other: at once in the stream that computes, when somebody waits for it in others."""

    def __init__(self, non_blocking: bool = False) -> None:
        self._to_do: deque[Callable[[], object]] = deque()
        self.done = self.given = 0

    def __enter__(self) -> _Stream:
        _streams.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        _streams.remove(self)

    def later(self, act: Callable[[], object]) -> None:
        self._to_do.append(act)
        self.given += 1

    def do(self, count: int) -> None:
        while self.done < count:
            self._to_do.popleft()()
            self.done += 1

    def record(self) -> _Event:
        return _Event(self)

    def wait_event(self, event: _Event) -> None:
        event.stream.do(event.count)

    def synchronize(self) -> None:
        work.waited += 1
        self.do(self.given)


class _Event:
    """A point in a stream."""

    def __init__(self, stream: _Stream) -> None:
        self.stream, self.count = stream, stream.given

    @property
    def done(self) -> bool:
        return self.stream.done >= self.count


_streams = [_Stream()]


class _Device:
    """The one device there is."""

    id = 0

    def synchronize(self) -> None:
        """Wait for nothing: whatever was asked for has been done."""
        work.waited += 1


lib = types.SimpleNamespace(
    stride_tricks=types.SimpleNamespace(
        sliding_window_view=lambda x, window_shape, axis=None: _computed(
            numpy.lib.stride_tricks.sliding_window_view, *_arrays([x]), window_shape, axis
        )
    )
)
random = types.SimpleNamespace(default_rng=_Generator, Generator=_Generator)
cuda = types.SimpleNamespace(
    Device=_Device,
    Stream=_Stream,
    alloc_pinned_memory=bytearray,
    get_allocator=lambda: _allocator,
    get_current_stream=lambda: _streams[-1],
    memory=types.SimpleNamespace(OutOfMemoryError=_OutOfMemoryError),
    set_allocator=_set_allocator,
    is_available=lambda: True,
    runtime=types.SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceCount=lambda: 1,
        runtimeGetVersion=lambda: 12090,
        getDeviceProperties=lambda device: {"name": b"stand-in for a GPU"},
    ),
)
