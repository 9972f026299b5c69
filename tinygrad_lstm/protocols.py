"""At home among arrays: what Python, NumPy, DLPack and the array API standard ask of a tensor.

``np.asarray(t)`` gives the elements, ``np.sin(t)`` and ``np.sum(t)`` are our own ops, ``torch.from_dlpack(t)`` shares
the memory; ``copy`` works and ``pickle`` says what to use instead. Nothing here ever loses a gradient in silence.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from . import backend, ops
from .backend import xp
from .ops.shape import along, counted, whole
from .tape import Node
from .tensor import Tensor, asarray, method, wrap

__all__: list[str] = []

OF_NUMPY = {
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan",
    "arctan2": "atan2", "arctanh": "atanh", "amax": "max", "amin": "min", "bitwise_not": "bitwise_invert",
    "concatenate": "concat", "cumprod": "cumulative_prod", "cumsum": "cumulative_sum", "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift", "mod": "remainder", "power": "pow", "right_shift": "bitwise_right_shift",
    "rint": "round", "transpose": "permute_dims", "true_divide": "divide",
}  # fmt: skip
"""NumPy's names of functions that the standard, and so this package, calls by another."""


def _split_at(x: Tensor, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Return ``x`` cut at places, or into equal parts: NumPy's ``split``, where our own takes the parts' lengths."""
    if not hasattr(indices_or_sections, "__len__"):
        return ops.split(x, whole("split", "sections", indices_or_sections), axis=axis)
    axis = counted("split", axis, x.ndim)
    edges = itertools.pairwise([0, *indices_or_sections, x.shape[axis]])
    return [x[along(axis, slice(start, stop))] for start, stop in edges]


IN_NUMPYS_WORDS = {"split": _split_at}
"""What is called as in NumPy, but takes something else."""


def _op_for(function: Any) -> Callable[..., Any] | None:
    """Return our op for a function of NumPy's, if there is one."""
    name = OF_NUMPY.get(function.__name__, function.__name__)
    of_numpy_itself = getattr(function, "__module__", "numpy") == "numpy"  # numpy.linalg's norm is another
    return IN_NUMPYS_WORDS.get(name, getattr(ops, name)) if of_numpy_itself and name in ops.__all__ else None


@method("__array_ufunc__")
def _apply_ufunc(self: Tensor, ufunc: Any, kind: str, *inputs: Any, **options: Any) -> Any:
    """Apply the op that stands for one of NumPy's ufuncs."""
    op = _op_for(ufunc)
    if op is None or kind != "__call__" or options:
        form = ufunc.__name__ if kind == "__call__" else f"{ufunc.__name__}.{kind}"
        raise TypeError(_not_here(form, options))
    return op(*inputs)


@method("__array_function__")
def _apply_function(self: Tensor, function: Any, types: Any, arguments: Any, options: Any) -> Any:
    """Apply the op that stands for one of NumPy's functions, whose options must be the op's own."""
    if function.__name__ in ("ndim", "shape", "size") and len(arguments) == 1 and arguments[0] is self:
        return getattr(self, function.__name__)
    op = _op_for(function)
    if op is None:
        raise TypeError(_not_here(function.__name__, {}))
    try:
        return op(*arguments, **options)
    except TypeError as error:
        raise TypeError(f"{_not_here(function.__name__, options)} ({error})") from None


def _not_here(name: str, options: dict[str, Any]) -> str:
    taken = f" with {', '.join(options)}" if options else ""
    return (
        f"{name}: numpy.{name}{taken} got a tensor, for which there is no such op; detach().numpy() gives an array to "
        "go on with, without gradients."
    )


if backend.name != "numpy":
    Tensor.__array_ufunc__ = None  # type: ignore[attr-defined]  # so that CuPy's operators leave `array * tensor` to us
    Tensor.__array_priority__ = 1000  # type: ignore[attr-defined]  # the same word to older releases


@method("__array__")
def _as_numpy(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    """Return the elements as an array of NumPy's; on a device, whoever wants them on the host has to say so."""
    if backend.name != "numpy":
        raise TypeError("asarray: got a tensor on a GPU, which is not copied to the host unasked; numpy() asks for it.")
    host = self.numpy()
    if dtype is not None and host.dtype != dtype:
        if copy is False:
            raise ValueError(f"asarray: got a tensor of {self.dtype} and copy=False, wanted {dtype}, which is a copy.")
        return host.astype(dtype)
    return host.copy() if copy else host


@method("__dlpack__")
def _export(
    self: Tensor, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
) -> Any:
    """Return the elements as a DLPack capsule, which shares their memory."""
    if self.node is not None:
        raise RuntimeError(
            "dlpack: got a tensor that requires a gradient, which another library cannot carry; detach() it."
        )
    asked = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
    return self.data.__dlpack__(**{name: value for name, value in asked.items() if value is not None})


@method("__dlpack_device__")
def _dlpack_device(self: Tensor) -> Any:
    """Return the type and the number of the device in DLPack's terms."""
    return self.data.__dlpack_device__()


@method("__array_namespace__")
def _namespace(self: Tensor, *, api_version: str | None = None) -> Any:
    """Return the module that implements the array API standard for tensors: this package."""
    import tinygrad_lstm

    if api_version not in (None, *SUPPORTED):
        raise ValueError(f"array_namespace: got api_version={api_version!r}, wanted one of {', '.join(SUPPORTED)}.")
    return tinygrad_lstm


SUPPORTED = ("2021.12", "2022.12", "2023.12", "2024.12")
"""The versions of the standard that can be asked for: each one holds what the earlier ones did."""


@method("to_device")
def _to_device(self: Tensor, device: str, /, *, stream: Any = None) -> Tensor:
    """Return the tensor on a device; each backend has only one."""
    backend.check_device("to_device", device)
    return self


@method("__copy__")
def _copy(self: Tensor) -> Tensor:
    """Return another tensor of the same data in the same place on the tape."""
    return wrap(self.data, self.node)


@method("__deepcopy__")
def _deep_copy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """Return a copy with data, and a gradient, of its own."""
    if isinstance(self.node, Node):
        raise RuntimeError(
            f"deepcopy: got the result of {self.node.name}, whose history cannot be copied; detach() it first."
        )
    copied = asarray(xp.array(self.data), requires_grad=self.requires_grad)
    if self.name is not None:
        copied.named(self.name)
    grad = self.grad
    if grad is not None:
        copied.grad = wrap(xp.array(grad.data), None)
    memo[id(self)] = copied
    return copied


@method("__reduce_ex__")
def _refuse_to_pickle(self: Tensor, protocol: Any) -> Any:
    """Say what is used instead of pickle, which runs whatever a file tells it to."""
    raise TypeError(
        "pickle: tensors are not pickled, for to load a pickle is to run what it says; "
        "tinygrad_lstm.interchange.safetensors keeps them: save() and load()."
    )
