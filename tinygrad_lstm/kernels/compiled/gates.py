"""Activations as formulas of `Lanes`."""

from __future__ import annotations

from typing import NamedTuple

from .lanes import Lanes

__all__ = ["sigmoid", "tanh"]


class Fraction(NamedTuple):
    """tanh(x) / x as a fraction of polynomials in x², fitted by ``python -m benchmarks.fit_tanh``.

    Attributes
    ----------
    flat
        From here on the tanh is 1 in the precision that it is for.
    above, below
        The coefficients, from the constant up.
    """

    flat: float
    above: tuple[float, ...]
    below: tuple[float, ...]


SINGLE = Fraction(
    9.02,
    (1.0, 0.13380050659179688, 0.00349445384927094, 2.0591307475115173e-05, 1.3331255210857762e-08),
    (1.0, 0.46713367104530334, 0.02587260492146015, 0.00032838204060681164, 7.76674880853534e-07),
)
DOUBLE = Fraction(
    19.07,
    (
        0.9999999999999999, 0.15180841497896128, 0.0059751694577841645, 9.362008898709485e-05, 6.832843223978356e-07,
        2.4418886374880562e-09, 4.174469741522406e-12, 3.067271242537734e-15, 7.425600470693292e-19,
        2.5067377442964317e-23,
    ),
    (
        1.0, 0.48514174831229384, 0.03435575222855042, 0.0008282250251171823, 8.755876254355832e-06,
        4.4652274410199054e-08, 1.1119188558170935e-10, 1.2716773428714006e-13, 5.639375373611078e-17,
        6.234789782039013e-21,
    ),
)  # fmt: skip


def _polynomial(s: Lanes, coefficients: tuple[float, ...]) -> Lanes:
    *rest, value = coefficients
    result = s * value + rest.pop()
    for coefficient in reversed(rest):
        result = result * s + coefficient
    return result


def tanh(x: Lanes) -> Lanes:
    """Return the tanh to 6 units in the last place; what is no number stays none."""
    flat, above, below = SINGLE if x.is_single else DOUBLE
    x = x.clipped(-flat, flat)
    s = x * x
    return (x * _polynomial(s, above) / _polynomial(s, below)).clipped(-1.0, 1.0)


def sigmoid(x: Lanes) -> Lanes:
    """Return ``1 / (1 + exp(-x))``, by way of the tanh."""
    return tanh(x * 0.5) * 0.5 + 0.5
