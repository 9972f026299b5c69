"""Activations."""

from __future__ import annotations

import numpy as np

from .core import ALONG_AXIS, Row, softmax, unary

ROWS = [
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)), floating=True),
    unary("relu", lambda x: np.maximum(x, 0)),
    Row("softmax", ALONG_AXIS, softmax, lambda x, axis: x.softmax(axis), floating=True),
    Row("log_softmax", ALONG_AXIS, lambda x, axis: np.log(softmax(x, axis)), lambda x, axis: x.log_softmax(axis),
        floating=True),
]  # fmt: skip
