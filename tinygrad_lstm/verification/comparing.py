"""How far apart two backends' results are, in units in the last place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..backend import xp
from ..tensor import Tensor
from .running import PARTS

__all__ = ["BOUNDS", "Comparison", "compare", "ulps"]

BOUNDS = {"value": 128.0, "gradient": 256.0, "second": 1024.0}
"""How many units in the last place two backends may differ, more than twice what rounding does to NumPy's own results.

That is the largest difference between NumPy's in single and in double precision; a test holds it below the half.
"""


@dataclass(frozen=True)
class Comparison:
    """How far apart two backends are in one case.

    Attributes
    ----------
    name
        The case's.
    differences
        The largest difference of each of `PARTS` that there is, in units in the last place.
    problem
        Why the results cannot be compared; None if they can.
    """

    name: str
    differences: Mapping[str, float]
    problem: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether the results are the same but for rounding."""
        return self.problem is None and all(x <= BOUNDS[part] for part, x in self.differences.items())


def compare(name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Comparison:
    """Return how far apart two outcomes of a case are; the names of the backends are NumPy and CuPy."""
    for backend, found in (("NumPy", ours), ("CuPy", theirs)):
        if "error" in found:
            return Comparison(name, {}, f"on {backend}: {found['error']}")
    differences = {}
    for part in PARTS:
        try:
            if ours[part] or theirs[part]:
                differences[part] = _largest(ours[part], theirs[part])
        except ValueError as error:
            return Comparison(name, differences, f"{part}: {error}")
    return Comparison(name, differences)


def _largest(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """Return the largest difference between tensors in line with each other."""
    if len(ours) != len(theirs):
        raise ValueError(f"{len(ours)} tensors on NumPy and {len(theirs)} on CuPy")
    return max(ulps(a, b) for a, b in zip(ours, theirs, strict=True))


def ulps(a: Tensor, b: Tensor) -> float:
    """Return the largest difference between two tensors in units in the last place of their type.

    The unit of an element is the distance from it to the next number of its type, or that of the root of the mean of
    squares of all elements of ``a`` where the element is smaller. For what is left of a sum when its terms cancel has
    the rounding of the terms, which may be any number of its own units; the other elements tell how large terms are.
    Two NaN are the same, and so are equal infinities. Integers and truth values are the same or they are not.

    Raises
    ------
    ValueError
        If the shapes or types differ, integers are not the same, or one of two elements is finite and the other not.

    Examples
    --------
    >>> from tinygrad_lstm import asarray
    >>> ulps(asarray([1.0, -2.0]), asarray([1.0, -2.0 + 2**-22]))
    1.0
    """
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        raise ValueError(f"{a.dtype} of shape {a.shape} on NumPy, {b.dtype} of shape {b.shape} on CuPy")
    x, y = a.data, b.data
    differ = ~((x == y) | ((x != x) & (y != y)))  # NaN alone is not equal to itself
    if a.dtype.kind != "f":
        return _without(differ, f"{a.dtype}")
    finite = xp.isfinite(x)
    _without(differ & ~(finite & xp.isfinite(y)), "not finite on one of the two")
    if not bool(differ.any()):
        return 0.0
    x, y = xp.where(differ, x, 0).astype("float64"), xp.where(differ, y, 0).astype("float64")
    whole = xp.where(finite, a.data, 0).astype("float64")
    scale = xp.maximum(abs(whole), xp.sqrt((whole * whole).mean())).astype(a.dtype)
    unit = xp.nextafter(scale, xp.asarray(math.inf, dtype=a.dtype)) - scale
    return float((abs(x - y) / unit).max())


def _without(wrong: Any, what: str) -> float:
    """Return 0, the difference of what is the same everywhere, or say where it is not."""
    count = int(wrong.sum())
    if count:
        raise ValueError(f"{count} of {wrong.size} elements differ, {what}")
    return 0.0
