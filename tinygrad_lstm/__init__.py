"""A tiny tape-based autograd engine over NumPy or CuPy, LSTMs built from its ops, and pictures of what they compute.

>>> import tinygrad_lstm as tg
>>> x = tg.asarray([[1.0, 2.0]])
>>> w = tg.asarray([[0.5], [-0.5]], requires_grad=True)
>>> loss = tg.sum(tg.square(x @ w))
>>> loss.backward()
>>> w.grad
Tensor([[-1.],
        [-2.]])
"""

from . import _startup, nn, ops, optim
from .autodiff import grad, gradcheck
from .ops import *
from .primitive import Primitive, binary, ternary, unary, variadic
from .tape import Tape, no_grad, scope
from .tensor import Tensor, asarray

__version__ = "0.1.0"

__all__ = [
    "Primitive",
    "Tape",
    "Tensor",
    "asarray",
    "binary",
    "grad",
    "gradcheck",
    "nn",
    "no_grad",
    "optim",
    "scope",
    "ternary",
    "unary",
    "variadic",
    *ops.__all__,
]
