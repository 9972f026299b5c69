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
    "__floordiv__": ("floor_divide", lambda x, y: x // y),
    "__rfloordiv__": ("floor_divide", lambda x, y: x.data // y),
    "__mod__": ("remainder", lambda x, y: x % y),
    "__rmod__": ("remainder", lambda x, y: x.data % y),
    "__pow__": ("pow", lambda x, y: x**y),
    "__rpow__": ("pow", lambda x, y: x.data**y),
    "__matmul__": ("matmul", lambda x, y: x @ y),
    "__rmatmul__": ("matmul", lambda x, y: x.data @ y),
    "__neg__": ("negative", lambda x: -x),
    "__pos__": ("positive", lambda x: +x),
    "__abs__": ("abs", abs),
    "__invert__": ("bitwise_invert", lambda x: ~x),
    "__and__": ("bitwise_and", lambda x, y: x & y),
    "__rand__": ("bitwise_and", lambda x, y: x.data & y),
    "__or__": ("bitwise_or", lambda x, y: x | y),
    "__ror__": ("bitwise_or", lambda x, y: x.data | y),
    "__xor__": ("bitwise_xor", lambda x, y: x ^ y),
    "__rxor__": ("bitwise_xor", lambda x, y: x.data ^ y),
    "__lshift__": ("bitwise_left_shift", lambda x, y: x << y),
    "__rlshift__": ("bitwise_left_shift", lambda x, y: x.data << y),
    "__rshift__": ("bitwise_right_shift", lambda x, y: x >> y),
    "__rrshift__": ("bitwise_right_shift", lambda x, y: x.data >> y),
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
    "clip": ("clip", lambda x, low, high: x.clip(low, high)),
    "round": ("round", lambda x: x.round()),
    "sum": ("sum", lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims)),
    "mean": ("mean", lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims)),
    "prod": ("prod", lambda x, axis, keepdims: x.prod(axis=axis, keepdims=keepdims)),
    "var": ("var", lambda x, axis, keepdims, c: x.var(axis=axis, keepdims=keepdims, correction=c)),
    "std": ("std", lambda x, axis, keepdims, c: x.std(axis=axis, keepdims=keepdims, correction=c)),
    "max": ("max", lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims)),
    "min": ("min", lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims)),
    "argmax": ("argmax", lambda x, axis, keepdims: x.argmax(axis=axis, keepdims=keepdims)),
    "argmin": ("argmin", lambda x, axis, keepdims: x.argmin(axis=axis, keepdims=keepdims)),
    "argsort": ("argsort", lambda x, axis, descending: x.argsort(axis=axis, descending=descending)),
    "searchsorted": ("searchsorted", lambda x, y, side, _: x.searchsorted(y, side=side, sorter=x.argsort())),
    "nonzero": ("nonzero", lambda x: x.nonzero()),
    "all": ("all", lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims)),
    "any": ("any", lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims)),
    "reshape": ("reshape", lambda x, to: x.reshape(*to) if isinstance(to, tuple) else x.reshape(to)),
    "squeeze": ("squeeze", lambda x, axis: x.squeeze(axis)),
    "repeat": ("repeat", lambda x, repeats, axis: x.repeat(on_device(repeats), axis=axis)),
    "take": ("take", lambda x, index, axis: x.take(on_device(index), axis=axis)),
}
"""Each method and operator that `Tensor` declares: the op that it is, and how it is called on that op's arguments."""
