"""Activations as formulas of `Lanes`."""

from __future__ import annotations

from .lanes import Lanes

__all__ = ["sigmoid", "tanh"]

FLAT = 9.02
"""From here on the tanh is 1 in single precision."""

ABOVE = (1.0, 0.13379664719104767, 0.0034939695615321398, 2.0582383513101377e-05, 1.3317529301559716e-08)
BELOW = (1.0, 0.46712979674339294, 0.025870827957987785, 0.0003282985126134008, 7.761391316307709e-07)
"""Coefficients of tanh(x) / x as a fraction of polynomials in x², fitted by ``python -m benchmarks.fit_tanh``."""


def _polynomial(s: Lanes, coefficients: tuple[float, ...]) -> Lanes:
    *rest, value = coefficients
    result = s * value + rest.pop()
    for coefficient in reversed(rest):
        result = result * s + coefficient
    return result


def tanh(x: Lanes) -> Lanes:
    """Return the tanh to 6 units in the last place; what is no number stays none."""
    x = x.clipped(-FLAT, FLAT)
    s = x * x
    return (x * _polynomial(s, ABOVE) / _polynomial(s, BELOW)).clipped(-1.0, 1.0)


def sigmoid(x: Lanes) -> Lanes:
    """Return ``1 / (1 + exp(-x))``, by way of the tanh."""
    return tanh(x * 0.5) * 0.5 + 0.5
