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

from typing import TYPE_CHECKING, Any

from . import _startup, hooks, memory, nn, ops, optim, protocols
from .autodiff import checkpoint, detect_anomaly, grad, gradcheck, hessian, hvp, jacobian, jvp, vjp
from .ops import *
from .primitive import Primitive, binary, ternary, unary, variadic
from .tape import Tape, enable_grad, is_grad_enabled, no_grad, scope, set_grad_enabled
from .tensor import Tensor, asarray

if TYPE_CHECKING:
    from .graph import draw

__version__ = "0.1.0"
__array_api_version__ = "2024.12"

__all__ = [
    "Primitive",
    "Tape",
    "Tensor",
    "asarray",
    "binary",
    "checkpoint",
    "detect_anomaly",
    "draw",
    "enable_grad",
    "grad",
    "gradcheck",
    "hessian",
    "hvp",
    "is_grad_enabled",
    "jacobian",
    "jvp",
    "memory",
    "nn",
    "no_grad",
    "optim",
    "scope",
    "set_grad_enabled",
    "ternary",
    "unary",
    "variadic",
    "vjp",
    *ops.__all__,
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # a type checker would believe that there is every name

    def __getattr__(name: str) -> Any:
        """Return `draw`: the exporter is imported when somebody asks for it."""
        if name != "draw":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from .graph import draw

        return draw
