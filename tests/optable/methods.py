"""Which op each method and operator of a tensor is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tinygrad_lstm as tg

from .core import on_device

METHODS: dict[str, tuple[str, Callable[..., Any]]] = {
    "__add__": ("add", lambda x, y: x + y),
    "__radd__": ("add", lambda x, y: x.data + y),
    "__sub__": ("subtract", lambda x, y: x - y),
    "__rsub__": ("subtract", lambda x, y: x.data - y),
    "__mul__": ("multiply", lambda x, y: x * y),
    "__rmul__": ("multiply", lambda x, y: x.data * y),
    "__truediv__": ("divide", lambda x, y: x / y),
    "__rtruediv__": ("divide", lambda x, y: x.data / y),
    "__pow__": ("pow", lambda x, y: x**y),
    "__rpow__": ("pow", lambda x, y: x.data**y),
    "__matmul__": ("matmul", lambda x, y: x @ y),
    "__rmatmul__": ("matmul", lambda x, y: x.data @ y),
    "__neg__": ("negative", lambda x: -x),
    "__pos__": ("positive", lambda x: +x),
    "__abs__": ("abs", abs),
    "__invert__": ("logical_not", lambda x: ~x),
    "__and__": ("logical_and", lambda x, y: x & y),
    "__or__": ("logical_or", lambda x, y: x | y),
    "__xor__": ("logical_xor", lambda x, y: x ^ y),
    "__eq__": ("equal", lambda x, y: x == y),
    "__ne__": ("not_equal", lambda x, y: x != y),
    "__lt__": ("less", lambda x, y: x < y),
    "__le__": ("less_equal", lambda x, y: x <= y),
    "__gt__": ("greater", lambda x, y: x > y),
    "__ge__": ("greater_equal", lambda x, y: x >= y),
    "__getitem__": ("getitem", lambda x, index: x[on_device(index)]),
    "T": ("permute_dims", lambda x, to: x.T if to == (1, 0) else tg.permute_dims(x, to)),
    "mT": ("matrix_transpose", lambda x: x.mT),
    "astype": ("astype", lambda x, dtype: x.astype(dtype)),
    "sum": ("sum", lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims)),
    "mean": ("mean", lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims)),
    "max": ("max", lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims)),
    "min": ("min", lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims)),
    "argmax": ("argmax", lambda x, axis, keepdims: x.argmax(axis=axis, keepdims=keepdims)),
    "all": ("all", lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims)),
    "any": ("any", lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims)),
    "reshape": ("reshape", lambda x, to: x.reshape(*to) if isinstance(to, tuple) else x.reshape(to)),
}
"""Each method and operator that `Tensor` declares: the op that it is, and how it is called on that op's arguments."""
