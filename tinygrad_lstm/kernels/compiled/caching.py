"""Functions compiled at first use, and found again by later processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

from .keeping import cache_of

__all__ = ["apart", "compiled", "inlined", "piece"]

if numba.config.DISABLE_JIT:
    raise ImportError("NUMBA_DISABLE_JIT says that nothing is to be compiled")


def apart(*which: object) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator for one of the functions that a factory makes: its name says which one it is.

    Kept code is linked by names, and Numba tells functions of one name apart by counting them, anew in each process.
    """

    def named(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__qualname__ += "".join(f"_{part}" for part in which)
        return function

    return named


def piece(function: Callable[..., Any]) -> Any:
    """Return a function for compiled ones alone to call, with which it is compiled and kept."""
    return numba.njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)


def inlined(function: Callable[..., Any]) -> Any:
    """Return the same, compiled as a part of whatever calls it, and not by itself before: that takes half the time."""
    return numba.njit(function, inline="always", **OPTIONS)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called; it runs without Python's lock and keeps to IEEE's rules.

    One thing is let go: a product and a sum may be rounded once, together.
    """
    made = numba.njit(function, no_cfunc_wrapper=True, **OPTIONS)
    made._cache = cache_of(function)
    return made


OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
