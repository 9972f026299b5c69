"""Element types: their names, which one comes of several, their limits, and what is refused."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend
from tinygrad_lstm.ops.dtypes import DTYPES, KINDS

ALL = pytest.mark.parametrize("name", DTYPES)


@ALL
def test_a_type_is_numpys_by_its_name(name: str) -> None:
    dtype = getattr(tg, name)
    assert dtype == np.dtype(name)
    assert tg.zeros(2, dtype=dtype).dtype == tg.zeros(2, dtype=name).dtype == dtype


def test_constants() -> None:
    assert (tg.e, tg.pi, tg.inf) == (math.e, math.pi, math.inf)
    assert math.isnan(tg.nan)
    assert tg.ones(3)[tg.newaxis].shape == (1, 3)


# Which one comes of several


def test_tensors_and_numbers_meet_in_their_result_type() -> None:
    """What `result_type` says is what ops do."""
    tensors = {name: tg.ones((2,), dtype=name) for name in DTYPES}
    for x, y in itertools.combinations_with_replacement(tensors.values(), 2):
        assert (x + y).dtype == (y + x).dtype == tg.result_type(x, y) == tg.result_type(x.dtype, y.dtype)
    for x, number in itertools.product(tensors.values(), (True, 1, 0.5, np.float32(1), np.int16(1))):
        assert (x + number).dtype == (number + x).dtype == tg.result_type(x, number) == tg.result_type(number, x.dtype)


def test_floating_point_wins_and_then_the_wider() -> None:
    assert tg.result_type("int64", "float16") == "float16"
    assert tg.result_type("float32", tg.float64, "int8") == "float64"
    assert tg.result_type(tg.int8, tg.uint8) == "int16"
    assert tg.result_type("bool", "int8", True) == "int8"
    assert tg.result_type("int8", 1, 0.5) == "float32"
    assert tg.result_type(tg.ones(2).data, 1e300) == "float32"


def test_a_cast_is_possible_where_an_op_would_do_it() -> None:
    for name1, name2 in itertools.product(DTYPES, repeat=2):
        assert tg.can_cast(name1, name2) is bool(tg.result_type(name1, name2) == name2)
    assert tg.can_cast(tg.ones(2), "float64") is True


# What they hold


@ALL
def test_limits(name: str) -> None:
    dtype = np.dtype(name)
    if dtype.kind == "f":
        info, wanted = tg.finfo(name), np.finfo(dtype)
        fields = ("eps", "max", "min", "smallest_normal")
        assert type(info.eps) is float
    elif dtype.kind in "iu":
        info, wanted = tg.iinfo(tg.ones(2, dtype=name)), np.iinfo(dtype)
        fields = ("max", "min")
        assert type(info.max) is int
    else:
        return
    assert (info.bits, info.dtype) == (8 * dtype.itemsize, dtype)
    assert [getattr(info, field) for field in fields] == [getattr(wanted, field) for field in fields]


@ALL
def test_kinds(name: str) -> None:
    for kind in KINDS:
        numpys = kind.replace("complex floating", "bool") if kind == "complex floating" else kind
        assert tg.isdtype(name, kind) is (kind != "complex floating" and bool(np.isdtype(np.dtype(name), numpys)))
    assert tg.isdtype(name, name) is tg.isdtype(name, ("complex floating", np.dtype(name))) is True
    assert tg.isdtype(name, ()) is False
    assert tg.isdtype("complex64", "numeric") is False


def test_what_a_program_can_ask() -> None:
    info = tg.__array_namespace_info__()
    assert info.capabilities()["boolean indexing"] is True
    assert info.default_device() == tg.ones(1).device
    assert info.devices() == [tg.ones(1).device]
    assert info.default_dtypes(device=info.default_device())["real floating"] == tg.zeros(1).dtype
    assert info.default_dtypes()["integral"] == tg.asarray([1]).dtype == tg.arange(3).dtype
    assert info.dtypes() == {name: dtype for name, dtype in DTYPES.items() if name != "float16"}
    assert list(info.dtypes(kind=("bool", "real floating"))) == ["bool", "float32", "float64"]
    most = info.capabilities()["max dimensions"]
    assert tg.zeros((1,) * most).ndim == most


# Casts


def test_astype_copies_unless_asked_not_to() -> None:
    x = tg.asarray([1.0, 2.0], requires_grad=True)
    assert tg.astype(x, "float32", copy=False) is x
    copied = x.astype(tg.float32, device=x.device)
    assert tg.grad(copied.sum(), [x])[0].tolist() == [1, 1]
    x.assign_(tg.asarray([7.0, 7.0]))
    assert copied.tolist() == [1, 2]
    assert type(tg.astype(x.data, "int8")) is backend.ndarray
    assert tg.astype(x.data, "float32") is not x.data


def test_a_cast_to_integers_is_a_constant() -> None:
    x = tg.asarray([1.9, -1.9], requires_grad=True)
    y = x.astype(tg.int64)
    assert (y.tolist(), y.requires_grad) == ([1, -1], False)


# Mistakes

x3 = tg.ones(3)

TAKES_A_TYPE: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda dtype: tg.zeros(3, dtype=dtype),
    "ones": lambda dtype: tg.ones(3, dtype=dtype),
    "empty": lambda dtype: tg.empty(3, dtype=dtype),
    "full": lambda dtype: tg.full(3, 0, dtype=dtype),
    "zeros_like": lambda dtype: tg.zeros_like(x3, dtype=dtype),
    "ones_like": lambda dtype: tg.ones_like(x3, dtype=dtype),
    "empty_like": lambda dtype: tg.empty_like(x3, dtype=dtype),
    "full_like": lambda dtype: tg.full_like(x3, 0, dtype=dtype),
    "arange": lambda dtype: tg.arange(3, dtype=dtype),
    "linspace": lambda dtype: tg.linspace(0, 1, 3, dtype=dtype),
    "eye": lambda dtype: tg.eye(3, dtype=dtype),
    "one_hot": lambda dtype: tg.one_hot(tg.arange(3), 3, dtype=dtype),
    "rand": lambda dtype: tg.rand(3, dtype=dtype),
    "randn": lambda dtype: tg.randn(3, dtype=dtype),
    "astype": lambda dtype: x3.astype(dtype),
    "result_type": lambda dtype: tg.result_type(x3, dtype),
    "can_cast": lambda dtype: tg.can_cast(x3, dtype),
    "finfo": lambda dtype: tg.finfo(dtype),
}


@pytest.mark.parametrize("op", TAKES_A_TYPE)
def test_there_are_no_complex_numbers(op: str) -> None:
    for dtype in ("complex64", np.dtype("complex128"), np.complex64):
        with pytest.raises(TypeError, match=f"{op}: got dtype complex.*, wanted real numbers or bool"):
            TAKES_A_TYPE[op](dtype)


MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    "result_type: got no tensor, array or dtype, wanted at least one.": (TypeError, lambda: tg.result_type(1, 2.0)),
    "result_type: got [1], wanted a tensor, an array, a dtype or a number.": (
        TypeError, lambda: tg.result_type(x3, [1]),
    ),
    "result_type: got None, wanted a tensor": (TypeError, lambda: tg.result_type(x3, None)),
    "can_cast: got 1j, wanted": (TypeError, lambda: tg.can_cast(1j, "float32")),
    "finfo: got int64, wanted floating point.": (TypeError, lambda: tg.finfo("int64")),
    "iinfo: got float32, wanted integers.": (TypeError, lambda: tg.iinfo(x3)),
    "isdtype: got the kind 'real', wanted a dtype or one of bool, signed": (
        ValueError, lambda: tg.isdtype("int8", "real"),
    ),
    "astype: got 2.0, wanted a tensor or an array": (TypeError, lambda: tg.astype(2.0, "int8")),
    "astype: got device 'elsewhere', wanted": (ValueError, lambda: x3.astype("int8", device="elsewhere")),
    "dtypes: got device 'elsewhere', wanted": (
        ValueError, lambda: tg.__array_namespace_info__().dtypes(device="elsewhere"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=re.escape(message)):
        mistake()
