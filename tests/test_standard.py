"""The array API standard, 2024.12: every function with its signature, every operator, and a list of what is left out.

The reference is ``array-api-strict``, the standard's own minimal implementation. What is left out stands in
docs/tensors.md too.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg

strict = pytest.importorskip("array_api_strict", reason="array-api-strict is not installed")

LEFT_OUT = {
    "complex64": "complex numbers", "complex128": "complex numbers", "conj": "complex numbers",
    "imag": "complex numbers", "real": "complex numbers",
    "fft": "an extension", "linalg": "an extension",
    "isin": "a later version", "broadcast_shapes": "a later version",
}  # fmt: skip
"""What of the reference we do not have, and why."""

ITS_OWN = {
    "ArrayAPIStrictFlags", "Device", "get_array_api_strict_flags", "reset_array_api_strict_flags",
    "set_array_api_strict_flags", "__version__",
}  # fmt: skip
"""What the reference has for itself."""

METHODS_LEFT_OUT = {
    "__complex__": "complex numbers",
    "__buffer__": "needs Python 3.12",
}

NAMES = sorted(set(strict.__all__) - LEFT_OUT.keys() - ITS_OWN)
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(strict, name)) and name != "__array_namespace_info__"]
Array = type(strict.asarray(1.0))
METHODS = sorted(
    name
    for name in vars(Array)
    if (name.startswith("__") or not name.startswith("_"))
    and name not in METHODS_LEFT_OUT
    and not hasattr(object, name)
    and (callable(vars(Array)[name]) or isinstance(vars(Array)[name], property))
)


def test_every_name_of_the_standard_is_there() -> None:
    assert [name for name in NAMES if not hasattr(tg, name)] == []
    assert [name for name in LEFT_OUT if hasattr(tg, name)] == []


def test_every_method_and_operator_of_the_standard_is_there() -> None:
    assert [name for name in METHODS if not hasattr(tg.Tensor, name) and not name.startswith("__i")] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_can_be_called_as_the_standard_says(name: str) -> None:
    theirs = inspect.signature(getattr(strict, name)).parameters
    ours = inspect.signature(getattr(tg, name)).parameters
    positional = [p for p in theirs.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    of_ours = [p for p in ours.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for wanted, got in zip(positional, of_ours, strict=False):
        if wanted.kind == wanted.POSITIONAL_OR_KEYWORD:
            assert (got.name, got.kind) == (wanted.name, wanted.kind)
        assert wanted.default is wanted.empty or got.default is not got.empty
    assert len(of_ours) >= len(positional) or any(p.kind == p.VAR_POSITIONAL for p in ours.values())
    for wanted in theirs.values():
        if wanted.kind == wanted.KEYWORD_ONLY:
            assert wanted.name in ours
            assert ours[wanted.name].kind in (wanted.KEYWORD_ONLY, wanted.POSITIONAL_OR_KEYWORD)
            assert wanted.default is wanted.empty or ours[wanted.name].default is not wanted.empty
    extra = [p for p in ours.values() if p.name not in theirs and p.kind == p.KEYWORD_ONLY]
    assert all(p.default is not p.empty for p in extra)


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "//": lambda x, y: x // y,
    "%": lambda x, y: x % y, "**": lambda x, y: x**y, "&": lambda x, y: x & y, "|": lambda x, y: x | y,
    "^": lambda x, y: x ^ y, "<<": lambda x, y: x << y, ">>": lambda x, y: x >> y, "==": lambda x, y: x == y,
    "<": lambda x, y: x < y, ">=": lambda x, y: x >= y, "@": lambda x, y: x @ y,
}  # fmt: skip
DTYPES = ("int8", "int32", "int64", "uint8", "uint16", "float32", "float64", "bool")


@pytest.mark.parametrize("symbol", OPERATORS)
def test_operators_give_the_values_and_types_of_the_standard(symbol: str) -> None:
    """Wherever the standard defines a result for two types, so do we, and it is the same."""
    operate, tried = OPERATORS[symbol], 0
    for dtype1 in DTYPES:
        for dtype2 in DTYPES:
            x, y = np.asarray([3, 1, 2]).astype(dtype1), np.asarray([1, 2, 3]).astype(dtype2)
            try:
                wanted = operate(strict.asarray(x), strict.asarray(y))
            except TypeError:
                continue
            found = operate(tg.asarray(x), tg.asarray(y))
            assert str(found.dtype) == str(wanted.dtype).rsplit(".", maxsplit=1)[-1]
            np.testing.assert_allclose(found.numpy(), np.asarray(wanted), rtol=1e-6)
            tried += 1
    assert tried > 0


def test_types_are_promoted_as_the_standard_says() -> None:
    for name1 in DTYPES:
        for name2 in DTYPES:
            try:
                wanted = strict.result_type(getattr(strict, name1), getattr(strict, name2))
            except TypeError:
                continue
            assert tg.result_type(getattr(tg, name1), getattr(tg, name2)) == str(wanted).rsplit(".", maxsplit=1)[-1]


PAGE = (Path(__file__).parent.parent / "docs" / "tensors.md").read_text()


def named(part: str) -> set[str]:
    """Return the names that stand in a part of the page as code."""
    return set(re.findall(r"`(\w+)`", part))


def test_the_page_on_tensors_lists_what_there_is() -> None:
    table = PAGE.split("## What there is")[1].split("Operators are")[0]
    assert named(table) == set(tg.ops.__all__)


def test_the_page_on_tensors_lists_what_is_left_out() -> None:
    assert LEFT_OUT.keys() | METHODS_LEFT_OUT.keys() <= named(PAGE.split("## What is left out")[1])
