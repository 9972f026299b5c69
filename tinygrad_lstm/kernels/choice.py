"""Which kernel computes: the compiled one where there is one and Numba is installed, else the one in plain NumPy."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from ..backend import Array, name, xp
from .gru import GRU
from .lstm import LSTM
from .rnn import RNN
from .shared import Kernel

__all__ = ["VARIABLE", "KernelsError", "adam", "fastest", "in_use", "matmul"]

VARIABLE = "TINYGRAD_LSTM_KERNELS"
CHOICES = ("auto", "numpy")
COMPILED = frozenset(map(xp.dtype, ("float32", "float64")))
"""The element types for which there is compiled code; bytes in the other order make another type."""
PROJECTION = 3
"""The place of the LSTM's weight that the compiled kernel does not have."""

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""How many blocks of H rows the weights of a kernel have, by its name."""


class KernelsError(ValueError):
    """There are no such kernels as were asked for; the message says which there are."""


def fastest(kernel: Kernel, x: Array, state: Sequence[Array], weights: Sequence[Any]) -> Kernel:
    """Return the fastest kernel that computes the same of such an input, state and weights."""
    if x.dtype not in COMPILED or x.size == 0 or any(part.dtype != x.dtype for part in state):
        return kernel
    if kernel is LSTM and weights[PROJECTION] is not None:
        return kernel
    if not _fit(GATES[kernel.name], x, state, weights):
        return kernel
    return _twins().get(kernel, kernel)


def _fit(gates: int, x: Array, state: Sequence[Array], weights: Sequence[Any]) -> bool:
    """Tell whether a state and weights have the shapes for an input and so many gates: compiled code looks at none."""
    _, B, inputs = x.shape
    H = state[0].shape[-1]
    rows = gates * H
    W_ih, W_hh, *biases = weights
    return (
        W_ih.shape == (rows, inputs)
        and W_hh.shape == (rows, H)
        and state[0].shape == state[-1].shape == (B, H)
        and all([bias is None or bias.shape == (rows,) for bias in biases])
    )


def matmul(a: Array, b: Array, first: Array | None = None) -> Any:
    """Return the compiled function for ``first + a @ b``, ``first`` being a row or all of them; None if NumPy has to.

    Each factor has to be in one piece, or the transpose of what is.
    """
    if not _is_for_all(a, b) or a.shape[1] != len(b):
        return None
    if not all(array.flags.behaved and array.flags.forc for array in (a, b)):
        return None
    if first is not None and not (
        first.dtype == a.dtype and first.flags.carray and first.shape in (b.shape[1:], (len(a), b.shape[1]))
    ):
        return None
    compiled = _compiled()
    return compiled and compiled.matmul


def adam(*arrays: Array) -> Any:
    """Return Adam's step in one pass over such a parameter, gradient and means; None where NumPy has to take it."""
    shape = arrays[0].shape
    if not _is_for_all(*arrays) or not all(array.flags.carray and array.shape == shape for array in arrays):
        return None
    compiled = _compiled()
    return compiled and compiled.adam


def _is_for_all(first: Array, *others: Array) -> bool:
    """Tell whether arrays are of one type, for which there is compiled code."""
    dtype = first.dtype
    return name == "numpy" and dtype in COMPILED and all(other.dtype == dtype for other in others)


def in_use() -> str:
    """Tell, for people, which kernels compute."""
    if name != "numpy":
        return "none: each step is computed by itself"
    if _asked() == "numpy":
        return f"NumPy's, as {VARIABLE} says"
    if importlib.util.find_spec("numba") is None:
        return "NumPy's: pip install numba for compiled ones"
    try:
        from .compiled import KEPT
    except ImportError as error:
        return f"NumPy's: Numba cannot be used ({error})"
    return f"compiled at first use, and {KEPT}"


def _asked() -> str:
    asked = os.environ.get(VARIABLE) or "auto"
    if asked not in CHOICES:
        raise KernelsError(f"{VARIABLE}={asked} is no choice of kernels: set it to one of {', '.join(CHOICES)}.")
    return asked


@cache
def _twins() -> dict[Kernel, Kernel]:
    """Return the compiled twin of each kernel, if there are any."""
    compiled = _compiled()
    if compiled is None:
        return {}
    return {LSTM: compiled.LSTM, GRU: compiled.GRU, **{RNN[name]: compiled.RNN[name] for name in RNN}}


@cache
def _compiled() -> Any:
    """Return what is compiled; None if it is switched off or there is no Numba."""
    if _asked() == "numpy" or importlib.util.find_spec("numba") is None:
        return None
    try:
        from . import compiled
    except ImportError:  # Numba, for its part, may not go with this NumPy, or be told to compile nothing
        return None
    return compiled
