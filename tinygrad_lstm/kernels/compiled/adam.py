"""A step of Adam in one pass over the memory, compiled; its plain form is in ``optim/optimizers.py``."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ...backend import Array
from .caching import compiled, piece
from .lanes import address
from .team import bounds, shared
from .workers import NOBODY, helpers

__all__ = ["adam"]

SOME, MANY = 1 << 14, 1 << 18
"""Numbers of a part, which one thread moves sooner than another could help, and those for which sleepers are woken."""


class Factors(NamedTuple):
    """What a step multiplies by, in the precision of the parameter."""

    beta1: Any
    rest1: Any
    beta2: Any
    rest2: Any
    eps: Any
    lr: Any


@piece
def _move(n: int, pieces: int, p: Any, g: Any, m: Any, v: Any, by: Factors) -> None:
    """Move the n-th part of a parameter."""
    start, stop = bounds(n, pieces, p.size)
    p, g, m, v = p[start:stop], g[start:stop], m[start:stop], v[start:stop]
    for k in range(p.size):
        m[k] = by.beta1 * m[k] + by.rest1 * g[k]
        v[k] = by.beta2 * v[k] + by.rest2 * g[k] * g[k]
        p[k] -= by.lr * (m[k] / (math.sqrt(v[k]) + by.eps))


_move_parts = shared(_move)


@compiled
def _adam(team: Any, p: Any, g: Any, m: Any, v: Any, beta1: float, beta2: float, eps: float, lr: float) -> None:
    number, pieces = p.dtype.type, (p.size + SOME - 1) // SOME
    by = Factors(number(beta1), number(1 - beta1), number(beta2), number(1 - beta2), number(eps), number(lr))
    _move_parts(address(team), pieces, (pieces, p, g, m, v, by))


def adam(p: Array, g: Array, m: Array, v: Array, betas: tuple[float, float], eps: float, lr: float) -> None:
    """Change a parameter and its means in place, all in one piece and of one type.

    ``eps`` and ``lr`` are corrected for the number of the step, as in `optim.Adam`.
    """
    team = helpers(is_much=p.size > MANY) if p.size > SOME else NOBODY
    _adam(team, p.ravel(), g.ravel(), m.ravel(), v.ravel(), *map(float, (*betas, eps, lr)))
