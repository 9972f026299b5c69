"""Changes of element type."""

from __future__ import annotations

from .core import Row, to_type, torch

ROWS = [
    Row("astype", to_type("float32", "float64"), lambda x, dtype: x.astype(dtype),
        lambda x, dtype: x.to(getattr(torch, dtype)), smooth=False),
    Row("astype", to_type("int64", "int32", "bool"), lambda x, dtype: x.astype(dtype), differentiable=False),
]  # fmt: skip
