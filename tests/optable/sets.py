"""The different elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from .core import SHAPES, Host, Row, Samples, one, shapes

ANY = Samples([one(shape) for shape in SHAPES], shapes().map(one))


def unique(x: Host) -> tuple[Host, Host, Host, Host]:
    """Return the different elements, where they stand, which one each is, and how often."""
    values, indices, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    return values, indices, inverse.reshape(x.shape), counts


def unique_of_torch(x: Any) -> Any:
    """Return what PyTorch has no derivative of: the different elements, from where they stand."""
    indices = np.unique(x.detach().numpy(), return_index=True)[1]
    return x.reshape(-1)[indices]


ROWS = [
    Row("unique_values", ANY, np.unique, unique_of_torch),
    Row("unique_all", ANY, unique),
    Row("unique_counts", ANY, lambda x: unique(x)[::3]),
    Row("unique_inverse", ANY, lambda x: unique(x)[::2]),
]  # fmt: skip
