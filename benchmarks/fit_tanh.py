"""Fit the fractions by which the compiled kernels compute the tanh: tanh(x) / x as two polynomials in x².

    python -m benchmarks.fit_tanh

It needs mpmath. The largest relative error is made small up to where the tanh is 1 in the precision that it is for:
least squares of ``numerator - f * denominator``, divided by the denominator found before, with more weight where the
error is larger, in 60 digits.
"""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np

WANTED = {"SINGLE": ("9.02", 4, "float32"), "DOUBLE": ("19.07", 9, "float64")}
"""By name: where the tanh is 1, the degree of the polynomials, and the precision."""

ROUNDS = 20


def fitted(end: str, degree: int) -> tuple[Any, list[Any], list[Any]]:
    """Return the largest relative error, and the coefficients above and below from the constant up."""
    points = 8 * degree
    xs = [mp.mpf(end) * (1 - mp.cos(mp.pi * (k + mp.mpf(1) / 2) / points)) / 2 for k in range(points)]
    f = [mp.tanh(x) / x for x in xs]
    unit = [x / mp.mpf(end) for x in xs]  # so that the powers are of one size
    above, below = [[[u ** (2 * power) for power in range(first, degree + 1)] for u in unit] for first in (0, 1)]
    weight, denominator = [mp.mpf(1)] * points, [mp.mpf(1)] * points
    best: tuple[Any, Any] = (mp.inf, None)
    for _ in range(ROUNDS):
        scale = [mp.sqrt(w) / (y * d) for w, y, d in zip(weight, f, denominator, strict=True)]
        rows = zip(above, below, f, scale, strict=True)
        system = mp.matrix([[*(s * p for p in up), *(-s * y * p for p in down)] for up, down, y, s in rows])
        found = list(
            mp.lu_solve(system.T * system, system.T * mp.matrix([y * s for y, s in zip(f, scale, strict=True)]))
        )
        denominator = [1 + mp.fdot(p, found[degree + 1 :]) for p in below]
        error = [
            abs(mp.fdot(p, found[: degree + 1]) / (d * y) - 1) for p, d, y in zip(above, denominator, f, strict=True)
        ]
        best = min(best, (max(error), found), key=lambda pair: pair[0])
        weight = [w * (e + mp.mpf(10) ** -30) for w, e in zip(weight, error, strict=True)]
        weight = [w / sum(weight) for w in weight]
    powers = [mp.mpf(end) ** (2 * power) for power in range(degree + 1)]
    parts = best[1][: degree + 1], [mp.mpf(1), *best[1][degree + 1 :]]
    return best[0], *([c / power for c, power in zip(part, powers, strict=True)] for part in parts)


def main() -> None:
    """Print the coefficients, rounded to their precision."""
    mp.mp.dps = 60
    for name, (end, degree, dtype) in WANTED.items():
        error, *parts = fitted(end, degree)
        print(f"{name}: relative error {mp.nstr(error, 2)} before rounding")
        for part in parts:
            print(tuple(float(np.dtype(dtype).type(c)) for c in part))


if __name__ == "__main__":
    main()
