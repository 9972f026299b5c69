"""Element types: their names, what they hold, which one comes of several, and the change from one to another.

A type is a ``numpy.dtype`` on either backend, and may be given by its name too: ``tg.zeros(3, dtype="float64")``. There
are bools, integers and floating point; there are no complex numbers. `float32` is what floating point is by default.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .. import backend
from ..backend import Array, Scalar, xp
from ..primitive import unary
from ..tensor import HELD, DType, Tensor, float16, float32, method, real_dtype

__all__ = [
    "__array_namespace_info__", "astype", "bool", "can_cast", "e", "finfo", "float16", "float32", "float64", "iinfo",
    "inf", "int8", "int16", "int32", "int64", "isdtype", "nan", "newaxis", "pi", "result_type", "uint8", "uint16",
    "uint32", "uint64",
]  # fmt: skip

bool = xp.dtype("bool")
int8, int16, int32, int64 = map(xp.dtype, ("int8", "int16", "int32", "int64"))
uint8, uint16, uint32, uint64 = map(xp.dtype, ("uint8", "uint16", "uint32", "uint64"))
float64 = xp.dtype("float64")

DTYPES = {str(dtype): dtype for dtype in HELD.values()}
"""All element types by name."""

KINDS = {
    "bool": "b", "signed integer": "i", "unsigned integer": "u", "integral": "iu", "real floating": "f",
    "complex floating": "", "numeric": "iuf",
}  # fmt: skip
"""The standard's names of kinds of element types, and the letters of ``dtype.kind`` that they stand for."""

e, inf, nan, pi = math.e, math.inf, math.nan, math.pi
newaxis = None

_astype = unary("astype", lambda x, to: x.astype(to), lambda g, dtype: g.astype(dtype, copy=False), params=("to",))


@method("astype")
def astype(x: Tensor | Array, dtype: DType, /, *, copy: builtins.bool = True, device: str | None = None) -> Tensor:
    """Return ``x`` with elements of another type.

    Parameters
    ----------
    x
        A tensor or an array.
    dtype
        The type. Digits that it cannot hold are lost, as in NumPy: floating point is cut off towards 0 by integers.
    copy
        With False, what has the type already comes back as it is.
    device
        The device: the backend's own, or None.

    Returns
    -------
    Tensor
        Between floating types the gradient is cast back; to any other type there is none.

    Raises
    ------
    TypeError
        If the type is no type of real numbers or bools.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.astype(tg.asarray([0.0, 1.5]), "int64")
    Tensor([0, 1])
    """
    backend.check_device("astype", device)
    to = real_dtype("astype", dtype)
    if not hasattr(x, "dtype"):
        raise TypeError(f"astype: got {x!r}, wanted a tensor or an array; asarray makes a tensor of it.")
    if x.dtype == to and not copy:
        return x
    return _astype(x.detach() if type(x) is Tensor and to.kind != "f" else x, to)


def result_type(*arrays_and_dtypes: Any) -> DType:
    """Return the element type in which an op computes with these.

    Floating point wins over integers and bools whatever their width (as in PyTorch and JAX); among floats, and among
    integers, the wider type wins. Numbers take the type of the tensors; a float makes integers float32, and an int
    makes bools int64.

    This is how tensors meet. Arrays of the backend among themselves follow NumPy, where int64 beside float32 gives
    float64.

    Parameters
    ----------
    *arrays_and_dtypes
        Tensors, arrays, element types and Python's numbers, at least one of them no number.

    Raises
    ------
    TypeError
        If there are only numbers, or something that is none of these.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.result_type(tg.int64, tg.float32), tg.result_type(tg.arange(3), 0.5)
    (dtype('float32'), dtype('float32'))
    """
    return common_dtype("result_type", arrays_and_dtypes)


def common_dtype(op: str, arrays_and_dtypes: tuple[Any, ...]) -> DType:
    """Return `result_type` in the name of an op."""
    dtypes, numbers = set(), set()
    for x in arrays_and_dtypes:
        if isinstance(x, (builtins.bool, int, float, Scalar)):
            numbers.add(type(x.item() if isinstance(x, Scalar) else x))
        else:
            dtypes.add(_dtype_of(op, x))
    floats = {dtype for dtype in dtypes if dtype.kind == "f"}
    if not dtypes:
        raise TypeError(f"{op}: got no tensor, array or dtype, wanted at least one.")
    if not floats and float in numbers:
        floats = {float32}
    if dtypes == {bool} and int in numbers:
        dtypes = {int64}
    return xp.result_type(*(floats or dtypes))


def in_floating(*operands: Any) -> Sequence[Any]:
    """Return operands with those of integers and bools in the type of the floats, or float32; numbers as they are."""
    held = [x.dtype for x in operands if hasattr(x, "dtype")]
    floats = [dtype for dtype in held if dtype.kind == "f"]
    if len(floats) == len(held):
        return operands
    dtype = xp.result_type(*floats) if floats else float32
    return [astype(x, dtype) if hasattr(x, "dtype") and x.dtype.kind != "f" else x for x in operands]


def _dtype_of(op: str, x: Any) -> DType:
    """Return the element type of a tensor or an array, or the one that is meant."""
    is_type = isinstance(x, (str, type, xp.dtype))
    if not is_type and not hasattr(x, "dtype"):
        raise TypeError(f"{op}: got {x!r}, wanted a tensor, an array, a dtype or a number.")
    return real_dtype(op, x if is_type else x.dtype)


def can_cast(from_: Tensor | Array | DType, to: DType, /) -> builtins.bool:
    """Return whether `result_type` of the two is ``to``, so that an op may take the one for the other.

    Parameters
    ----------
    from_
        A tensor, an array or an element type.
    to
        An element type.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.can_cast(tg.int64, tg.float32), tg.can_cast(tg.float64, tg.float32)
    (True, False)
    """
    to = _dtype_of("can_cast", to)
    return builtins.bool(common_dtype("can_cast", (_dtype_of("can_cast", from_), to)) == to)


@dataclass(frozen=True)
class FloatInfo:
    """The limits of a floating type, as Python's numbers.

    Attributes
    ----------
    bits
        How many bits an element has.
    eps
        The distance from 1 to the next greater number.
    max, min
        The greatest and the smallest finite number.
    smallest_normal
        The smallest positive number with all its digits.
    dtype
        The type itself.
    """

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclass(frozen=True)
class IntegerInfo:
    """The limits of an integer type, as Python's numbers.

    Attributes
    ----------
    bits
        How many bits an element has.
    max, min
        The greatest and the smallest number.
    dtype
        The type itself.
    """

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(type: DType | Tensor | Array, /) -> FloatInfo:
    """Return the limits of a floating type, or of a tensor's type.

    Raises
    ------
    TypeError
        If the type is not floating point.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.finfo("float32").max
    3.4028234663852886e+38
    """
    dtype = _dtype_of("finfo", type)
    if dtype.kind != "f":
        raise TypeError(f"finfo: got {dtype}, wanted floating point.")
    info = xp.finfo(dtype)
    eps, greatest, smallest, normal = map(float, (info.eps, info.max, info.min, info.smallest_normal))
    return FloatInfo(info.bits, eps, greatest, smallest, normal, dtype)


def iinfo(type: DType | Tensor | Array, /) -> IntegerInfo:
    """Return the limits of an integer type, or of a tensor's type.

    Raises
    ------
    TypeError
        If the type is not one of integers.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.iinfo(tg.int8).min
    -128
    """
    dtype = _dtype_of("iinfo", type)
    if dtype.kind not in "iu":
        raise TypeError(f"iinfo: got {dtype}, wanted integers.")
    info = xp.iinfo(dtype)
    return IntegerInfo(info.bits, int(info.max), int(info.min), dtype)


def isdtype(dtype: DType, kind: DType | str | tuple[DType | str, ...]) -> builtins.bool:
    """Return whether an element type is of a kind.

    Parameters
    ----------
    dtype
        The type.
    kind
        ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``, ``"real floating"``, ``"complex
        floating"`` (which none is) or ``"numeric"``; or a type; or a tuple of these, one of which has to be right.

    Raises
    ------
    ValueError
        If there is no such kind.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.isdtype(tg.uint8, "integral"), tg.isdtype(tg.uint8, (tg.int8, "real floating"))
    (True, False)
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str) and kind in KINDS:
        return xp.dtype(dtype).kind in tuple(KINDS[kind])
    if isinstance(kind, str) and kind not in DTYPES:
        raise ValueError(f"isdtype: got the kind {kind!r}, wanted a dtype or one of {', '.join(KINDS)}.")
    return builtins.bool(xp.dtype(dtype) == xp.dtype(kind))


class NamespaceInfo:
    """What the array API standard lets a program ask of the package; see `__array_namespace_info__`."""

    def capabilities(self) -> dict[str, Any]:
        """Return what goes beyond what every library can do."""
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": 64 if backend.name == "numpy" else 32,
        }

    def default_device(self) -> str:
        """Return the device on which tensors are made."""
        return backend.device_name()

    def default_dtypes(self, *, device: str | None = None) -> dict[str, DType]:
        """Return the element types that are used where none is named."""
        backend.check_device("default_dtypes", device)
        return {"real floating": float32, "integral": int64, "indexing": int64}

    def devices(self) -> list[str]:
        """Return all devices: each backend has one."""
        return [backend.device_name()]

    def dtypes(self, *, device: str | None = None, kind: str | tuple[str, ...] | None = None) -> dict[str, DType]:
        """Return the standard's element types by name, all or those of a kind (see `isdtype`)."""
        backend.check_device("dtypes", device)
        standard = {name: dtype for name, dtype in DTYPES.items() if name != "float16"}
        return {name: dtype for name, dtype in standard.items() if kind is None or isdtype(dtype, kind)}


def __array_namespace_info__() -> NamespaceInfo:
    """Return what the array API standard lets a program ask: capabilities, devices, element types.

    >>> import tinygrad_lstm as tg
    >>> list(tg.__array_namespace_info__().dtypes(kind="real floating"))
    ['float32', 'float64']
    """
    return NamespaceInfo()
