"""Fit the fraction by which the compiled kernels compute the tanh: tanh(x) / x as two polynomials in x².

    python -m benchmarks.fit_tanh

The largest relative error is made small on [0, 9.02], behind which the tanh is 1 in single precision: least squares of
``numerator - f * denominator``, divided by the denominator found before, with more weight where the error is larger.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev

END, DEGREE, POINTS, ROUNDS = 9.02, 4, 400, 60


def fitted() -> tuple[float, Any, Any]:
    """Return the largest relative error, and the polynomials' coefficients from the constant up."""
    x = END * (1 - np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS)) / 2
    f = np.tanh(x) / x
    powers = np.polynomial.chebyshev.chebvander(2 * (x / END) ** 2 - 1, DEGREE)  # a basis that is well conditioned
    weight, denominator = np.ones(POINTS), np.ones(POINTS)
    best: tuple[float, Any] = (np.inf, None)
    for _ in range(ROUNDS):
        scale = np.sqrt(weight) / (f * denominator)
        system = np.hstack([powers, -f[:, None] * powers[:, 1:]]) * scale[:, None]
        size = np.linalg.norm(system, axis=0)
        found = np.linalg.lstsq(system / size, f * scale, rcond=1e-17)[0] / size
        denominator = 1 + powers[:, 1:] @ found[DEGREE + 1 :]
        error = np.abs(powers @ found[: DEGREE + 1] / denominator / f - 1)
        best = min(best, (error.max(), found), key=lambda pair: pair[0])
        weight *= error + 1e-12
        weight /= weight.sum()
    parts = best[1][: DEGREE + 1], np.concatenate([[1], best[1][DEGREE + 1 :]])
    above, below = (Chebyshev(part, domain=[0, END**2]).convert(kind=np.polynomial.Polynomial).coef for part in parts)
    return best[0], above / below[0], below / below[0]


def main() -> None:
    """Print the coefficients in single precision."""
    error, above, below = fitted()
    print(f"relative error {error:.1e} before rounding")
    for name, coefficients in (("ABOVE", above), ("BELOW", below)):
        print(name, "=", tuple(float(np.float32(c)) for c in coefficients))


if __name__ == "__main__":
    main()
