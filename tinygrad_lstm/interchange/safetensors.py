"""Safetensors: tensors by name, and a few strings about them, in one file that holds data and nothing to execute."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialized

from ..tensor import Tensor, asarray
from .files import FormatError, write_whole

__all__ = ["load", "save"]

READABLE = frozenset({"BOOL", "F16", "F32", "F64", "I8", "I16", "I32", "I64", "U8", "U16", "U32", "U64"})
"""The element types that tensors have too."""


def save(
    path: str | os.PathLike[str], tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors into a file, whole or not at all.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    tensors
        What to write, by name; a module's `state_dict` for example.
    metadata
        Strings by name, kept beside the tensors.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If a tensor has the name of the metadata's place in the file, ``__metadata__``.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.interchange import safetensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "weights.safetensors")
    ...     safetensors.save(path, {"w": tg.ones((2,))}, {"author": "me"})
    ...     safetensors.load(path)
    ({'w': Tensor([1., 1.])}, {'author': 'me'})
    """
    if "__metadata__" in tensors:
        raise ValueError("save: got a tensor with the name '__metadata__', which stands for the metadata in the file.")
    arrays = {name: _in_order(tensor.detach().numpy()) for name, tensor in tensors.items()}
    write_whole(path, serialized(arrays, dict(metadata or {})))


def _in_order(array: Any) -> Any:
    """Return an array with its elements in the order of the file: the library takes the memory as it is."""
    return array if array.flags.c_contiguous else array.copy()


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file by name, and its metadata; nothing in the file is executed.

    Raises
    ------
    OSError
        If the file cannot be read.
    FormatError
        If it is no safetensors file, or not all of one, or has elements of a type that tensors lack.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.interchange import safetensors
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "weights.safetensors")
    ...     safetensors.save(path, tg.nn.Linear(3, 2).state_dict())
    ...     tensors, metadata = safetensors.load(path)
    >>> tensors["weight"].shape, metadata
    ((2, 3), {})
    """
    with open(path, "rb"):
        pass  # a missing file, a folder or one without permission: say so in the system's words
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: _tensor(path, file, name) for name in file.keys()}  # noqa: SIM118
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        raise FormatError(f"{os.fspath(path)} is not a safetensors file, or not all of one: {error}.") from None


def _tensor(path: str | os.PathLike[str], file: Any, name: str) -> Tensor:
    """Return a tensor of a file that was opened."""
    dtype = file.get_slice(name).get_dtype()
    if dtype not in READABLE:
        raise FormatError(
            f"{os.fspath(path)} has {dtype} in {name!r}, which no tensor here can hold; convert it to F32."
        )
    return asarray(file.get_tensor(name))
