"""Structures: what stands within tuples, lists, dictionaries and dataclasses, however deep, read or replaced."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["flat", "mapped"]


def flat(structure: Any) -> Iterator[Any]:
    """Give everything within a structure that is no structure itself, in order.

    >>> list(flat((1, {"a": [2, 3]}, ())))
    [1, 2, 3]
    """
    if isinstance(structure, dict):
        parts: Any = structure.values()
    elif isinstance(structure, (tuple, list)):
        parts = structure
    elif _is_record(structure):
        parts = [getattr(structure, field.name) for field in dataclasses.fields(structure)]
    else:
        yield structure
        return
    for part in parts:
        yield from flat(part)


def mapped(change: Callable[[Any], Any], structure: Any) -> Any:
    """Return a structure of the same kind with each of the things that `flat` gives changed, in order.

    >>> mapped(lambda n: -n, (1, {"a": [2, 3]}, ()))
    (-1, {'a': [-2, -3]}, ())
    """
    if isinstance(structure, dict):
        made = copy.copy(structure)
        for key, part in structure.items():
            made[key] = mapped(change, part)
        return made
    if isinstance(structure, (tuple, list)):
        parts = [mapped(change, part) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else type(structure)(parts)
    if _is_record(structure):
        made = copy.copy(structure)
        for field in dataclasses.fields(structure):  # in this way, frozen ones too
            object.__setattr__(made, field.name, mapped(change, getattr(structure, field.name)))
        return made
    return change(structure)


def _is_record(structure: Any) -> bool:
    return dataclasses.is_dataclass(structure) and not isinstance(structure, type)
