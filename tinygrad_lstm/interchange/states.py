"""States: dictionaries of dictionaries, lists, tensors, numbers and words, kept in one safetensors file.

The tensors are the file's tensors, by names that lead to them (``optimizer.state.0.exp_avg``), so that other programs
can read them; everything else is JSON in its metadata.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ..backend import Scalar, ndarray
from ..tensor import Tensor, asarray
from . import safetensors
from .files import FormatError

__all__ = ["load_state", "packed", "save_state", "unpacked"]

FORMAT = "tinygrad_lstm.state 1"
"""What the metadata says under ``format``."""

TENSOR = "$tensor"
"""The key of what stands in JSON for a tensor; its value is the tensor's name."""


def save_state(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a state, whole or not at all.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    state
        Dictionaries, lists, tensors, numbers, words and None, within each other as you like. What JSON does not know
        comes back as what it knows: tuples as lists, and numbers as keys as strings.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If there is anything else in the state.
    ValueError
        If the names of two tensors are the same once they are joined by dots.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import tinygrad_lstm as tg
    >>> from tinygrad_lstm.interchange import load_state, save_state
    >>> model = tg.nn.Linear(3, 2)
    >>> optimizer = tg.optim.Adam(model.parameters())
    >>> state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epochs": 3}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "training.safetensors")
    ...     save_state(path, state)
    ...     state = load_state(path)
    >>> state["epochs"], state["model"]["weight"].shape
    (3, (2, 3))
    """
    skeleton, tensors = packed(state)
    safetensors.save(path, tensors, {"format": FORMAT, "state": json.dumps(skeleton)})


def load_state(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state that a file holds; nothing in the file is executed.

    Raises
    ------
    OSError
        If the file cannot be read.
    FormatError
        If it is no file that `save_state` has written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import tinygrad_lstm as tg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "state.safetensors")
    ...     save_state(path, {"means": [tg.ones((2,))], "betas": (0.9, 0.999)})
    ...     load_state(path)
    {'means': [Tensor([1., 1.])], 'betas': [0.9, 0.999]}
    """
    tensors, metadata = safetensors.load(path)
    if metadata.get("format") != FORMAT:
        raise FormatError(
            f"{os.fspath(path)} is a safetensors file but not a state: its metadata says "
            f"format={metadata.get('format')!r}, wanted {FORMAT!r}."
        )
    try:
        state: dict[str, Any] = unpacked(json.loads(metadata["state"]), tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{os.fspath(path)} is a state whose parts do not fit each other: {error}") from None
    return state


def packed(state: Any, name: str = "") -> tuple[Any, dict[str, Tensor]]:
    """Return a state as JSON can hold it, and its tensors by name.

    Parameters
    ----------
    state
        As for `save_state`.
    name
        What the names of the tensors begin with, before a dot; nothing by default.

    Raises
    ------
    TypeError, ValueError
        As `save_state` does.

    Examples
    --------
    >>> packed({"w": asarray([1.0]), "betas": (0.9, 0.999)})
    ({'w': {'$tensor': 'w'}, 'betas': [0.9, 0.999]}, {'w': Tensor([1.])})
    """
    tensors: dict[str, Tensor] = {}
    return _without_tensors(state, name, tensors), tensors


def _without_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Return a part of a state as JSON can hold it, and note its tensors."""
    if isinstance(value, (Tensor, ndarray)):
        if name in tensors:
            raise ValueError(f"save_state: got two tensors with the name {name!r}, wanted each name once.")
        tensors[name] = asarray(value)
        return {TENSOR: name}
    if isinstance(value, Mapping) and TENSOR not in value:
        held = {str(key): _without_tensors(part, _below(name, key), tensors) for key, part in value.items()}
        if len(held) < len(value):
            raise ValueError(f"save_state: got keys that are one as strings in {name!r}, wanted each once.")
        return held
    if isinstance(value, (list, tuple)):
        return [_without_tensors(part, _below(name, i), tensors) for i, part in enumerate(value)]
    if isinstance(value, Scalar):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(
        f"save_state: got {value!r} as {name!r}, wanted dictionaries, lists, tensors, numbers, strings and None."
    )


def _below(name: str, key: Any) -> str:
    """Return the name of a part."""
    return f"{name}.{key}" if name else str(key)


def unpacked(skeleton: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return a state of what JSON holds of it and its tensors.

    Parameters
    ----------
    skeleton
        What `packed` gave first: tensors are named there as ``{"$tensor": name}``.
    tensors
        Tensors by name; there may be others among them.

    Raises
    ------
    KeyError
        If a tensor is missing.

    Examples
    --------
    >>> unpacked({"w": {"$tensor": "w"}, "betas": [0.9, 0.999]}, {"w": asarray([1.0])})
    {'w': Tensor([1.]), 'betas': [0.9, 0.999]}
    """
    if isinstance(skeleton, dict):
        if skeleton.keys() == {TENSOR}:
            return tensors[skeleton[TENSOR]]
        return {key: unpacked(part, tensors) for key, part in skeleton.items()}
    if isinstance(skeleton, list):
        return [unpacked(part, tensors) for part in skeleton]
    return skeleton
