"""Functions compiled at first use, and what was compiled kept on disk.

Numba's own rule looks at the date of one file; here functions of several files are compiled into one. So what is kept
lies in a folder named after the text of all of them: under ``NUMBA_CACHE_DIR`` if that is set, else where the user's
caches are. The package itself may be read-only, and where nothing can be written, each process compiles anew.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

__all__ = ["apart", "compiled", "folder", "inlined", "piece"]


def folder() -> Path:
    """Return where compiled functions are kept."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return _caches() / f"tinygrad_lstm-{digest.hexdigest()[:16]}"


def _caches() -> Path:
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def apart(*which: object) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator for one of the functions that a factory makes: its name says which one it is.

    Kept code is linked by names, and Numba tells functions of one name apart by counting them, anew in each process.
    """

    def named(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__qualname__ += "".join(f"_{part}" for part in which)
        return function

    return named


def piece(function: Callable[..., Any]) -> Any:
    """Return a function for compiled ones alone to call, with which it is compiled and kept."""
    return numba.njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)


def inlined(function: Callable[..., Any]) -> Any:
    """Return the same, compiled as a part of whatever calls it, and not by itself before: that takes half the time."""
    return numba.njit(function, inline="always", **OPTIONS)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called; it runs without Python's lock and keeps to IEEE's rules.

    One thing is let go: a product and a sum may be rounded once, together.
    """
    outer = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = _FOLDER
    try:
        return numba.njit(function, cache=True, no_cfunc_wrapper=True, **OPTIONS)
    except (RuntimeError, OSError):  # nowhere to write
        return numba.njit(function, no_cfunc_wrapper=True, **OPTIONS)
    finally:
        numba.config.CACHE_DIR = outer


OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_FOLDER = str(folder())
