"""Large memory that is had again once nobody uses it any more.

What is larger than 32 MiB glibc gives back to the system when it is freed, whatever it is told, and to touch fresh
memory takes up to as long as what is computed in it. What a forward pass keeps is of one size at every step.
"""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import dataclass
from typing import Any

from ...backend import Array, xp

__all__ = ["empty"]

LARGE, MOST = 32 << 20, 512 << 20
"""From so many bytes on memory is kept here, while below `backend` has the C library keep it; and how many in all."""


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some memory, and the array over it that was given out: gone when all that was cut from it is gone."""

    memory: memoryview
    user: weakref.ref[Any]

    @property
    def is_free(self) -> bool:
        """Whether nobody uses it."""
        return self.user() is None


_pieces: list[_Piece] = []
_lock = threading.Lock()


def _unlock() -> None:
    """Take a lock of its own for a child process: the thread that held its parent's is not there."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def empty(count: int, dtype: Any) -> Array:
    """Return an array of so many numbers, whatever they are."""
    size = count * dtype.itemsize
    if size < LARGE:
        return xp.empty(count, dtype)
    with _lock:
        free = [piece for piece in _pieces if piece.is_free and size <= piece.memory.nbytes <= 2 * size]
        if free:
            piece = min(free, key=lambda piece: piece.memory.nbytes)
            _pieces.remove(piece)
            memory = piece.memory
        else:
            memory = memoryview(xp.empty(size, "uint8"))
        array = xp.frombuffer(memory, dtype, count)
        _keep(_Piece(memory, weakref.ref(array)))
    return array


def _keep(piece: _Piece) -> None:
    """Remember a piece, and forget free ones, the oldest first, or this one, if there are too many bytes."""
    _pieces.append(piece)
    for old in [*(one for one in _pieces if one.is_free), piece]:
        if sum(one.memory.nbytes for one in _pieces) <= MOST:
            break
        _pieces.remove(old)
