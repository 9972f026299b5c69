"""Rounding, remainders, signs and neighbours."""

from __future__ import annotations

import numpy as np

from .core import BINARY, Row, binary, nonzero, torch, unary

ROWS = [
    unary("floor"),
    unary("ceil"),
    unary("trunc"),
    unary("round", kinds="fi"),
    unary("signbit", floating=True, differentiable=False),
    Row("floor_divide", BINARY, np.floor_divide, lambda x, y: torch.div(x, y, rounding_mode="floor"), kinds="fi",
        domain=nonzero),
    binary("remainder", kinds="fi", domain=nonzero),
    binary("copysign", floating=True, domain=nonzero),
    binary("nextafter", floating=True, differentiable=False),
]  # fmt: skip
