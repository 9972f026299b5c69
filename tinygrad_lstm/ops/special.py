"""Special functions: the error function and its complement, of which the normal distribution is made.

NumPy has neither, so they are computed from rational approximations, which serve both backends and every float type.
"""

from __future__ import annotations

import math

from ..backend import Array, xp
from ..primitive import unary
from ..tensor import Tensor
from .elementwise import exp

__all__ = ["erf", "erfc"]

SLOPE = 2 / math.sqrt(math.pi)
"""The derivative of the error function at 0."""

# fmt: off
_erf  = unary("erf",  lambda x: _error(x),      lambda g, x: g * (SLOPE * exp(-x * x)),  floating=True)
_erfc = unary("erfc", lambda x: _complement(x), lambda g, x: g * (-SLOPE * exp(-x * x)), floating=True)

NEAR, FAR, END = 0.46875, 4.0, 28.0
"""Where one approximation takes over from another, and from where on the complement is 0 in every type."""

# Numerators and denominators by falling powers. BELOW_NEAR is erf(x) / x in x², BETWEEN is exp(x²) erfc(x) in x, and
# BEYOND_FAR, in z = 1 / x², is (1/√π - x exp(x²) erfc(x)) / z. They are from W. J. Cody, Rational Chebyshev
# approximations for the error function, Mathematics of Computation 23 (1969), 631-637, in the digits of his program
# CALERF.
BELOW_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
BETWEEN = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)
BEYOND_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346047e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)
# fmt: on


def _polynomial(coefficients: tuple[float, ...], z: Array) -> Array:
    """Return a polynomial by Horner's rule."""
    result = coefficients[0] * z
    for c in coefficients[1:-1]:
        result += c
        result *= z
    result += coefficients[-1]
    return result


def _quotient(approximation: tuple[tuple[float, ...], tuple[float, ...]], z: Array) -> Array:
    """Return a rational approximation."""
    numerator, denominator = approximation
    return _polynomial(numerator, z) / _polynomial(denominator, z)


def _error_near_0(x: Array) -> Array:
    """Return erf(x) where that is the better of the two to compute, and anything elsewhere."""
    x = xp.clip(x, -NEAR, NEAR)
    return x * _quotient(BELOW_NEAR, x * x)


def _complement_of_size(size: Array) -> Array:
    """Return erfc(size) for sizes from `NEAR` up, and anything for smaller ones."""
    y = xp.clip(size, NEAR, FAR)
    between = _quotient(BETWEEN, y)
    y = xp.clip(size, FAR, END)
    z = 1 / (y * y)
    beyond = (1 / math.sqrt(math.pi) - z * _quotient(BEYOND_FAR, z)) / y
    y = xp.minimum(size, END)
    short = xp.trunc(16 * y) / 16  # its square is exact, and what it lacks of y² small: exp(-y²) to the last digits
    decay = xp.exp(-short * short) * xp.exp((short - y) * (short + y))
    return decay * xp.where(size <= FAR, between, beyond)


def _error(x: Array) -> Array:
    """Return erf(x) of an array."""
    x = xp.asarray(x)
    if x.dtype.char == "e":
        return _error(x.astype("f")).astype("e")
    size = xp.abs(x)
    return xp.where(size <= NEAR, _error_near_0(x), xp.copysign(1 - _complement_of_size(size), x))


def _complement(x: Array) -> Array:
    """Return erfc(x) of an array."""
    x = xp.asarray(x)
    if x.dtype.char == "e":
        return _complement(x.astype("f")).astype("e")
    size = xp.abs(x)
    beyond = _complement_of_size(size)
    return xp.where(size <= NEAR, 1 - _error_near_0(x), xp.where(x < 0, 2 - beyond, beyond))


def erf(x: Tensor | Array, /) -> Tensor:
    """Return the error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t * t)`` from 0 to ``x``.

    It is right to the last few digits of its type. The standard normal distribution is ``(1 + erf(x / sqrt(2))) / 2``.

    >>> import tinygrad_lstm as tg
    >>> tg.erf(tg.asarray([-tg.inf, 0.0, 0.5]))
    Tensor([-1.        ,  0.        ,  0.52049994])
    """
    return _erf(x)


def erfc(x: Tensor | Array, /) -> Tensor:
    """Return ``1 - erf(x)``, right to the last few digits where that is all but 0.

    >>> import tinygrad_lstm as tg
    >>> tg.erfc(tg.asarray([0.0, 10.0], dtype="float64"))
    Tensor([1.00000000e+00, 2.08848758e-45], dtype=float64)
    """
    return _erfc(x)
