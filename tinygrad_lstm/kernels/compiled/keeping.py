"""Where compiled functions are kept on disk, and what happens where they cannot be.

Numba's own rule looks at one file; here functions of several files are compiled into one. So what is kept lies in a
folder named after the text of all of them and the length of vectors: under ``NUMBA_CACHE_DIR`` if that is set, else
where the user's caches are. Where nothing can be written, each process compiles anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache
from numba.core.serialize import dumps

from .machine import BYTES

__all__ = ["KEPT", "cache_of"]


def _folder() -> Path:
    """Return where compiled functions are kept, once it is known to be there and to be writable."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    place = _caches() / f"tinygrad_lstm-{digest.hexdigest()[:16]}-{BYTES}"
    place.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=place).close()
    return place


def _caches() -> Path:
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


FOLDER: Path | None
KEPT: str
"""How compiled functions are kept, for people."""

try:
    FOLDER = _folder()
    KEPT = f"kept in {FOLDER}"
except (OSError, RuntimeError) as error:  # the latter where there is no home
    FOLDER = None
    KEPT = f"not kept, as no folder for it can be written to ({error})"

_told: list[str] = []


class _Kept(CompileResultCacheImpl):  # type: ignore[misc]
    """What is kept of a function, and a digest of it: code with a wrong bit would be run."""

    # that of a given folder, not those beside the source
    _locator_classes = CompileResultCacheImpl._locator_classes[:1]

    def reduce(self, data: Any) -> tuple[bytes, bytes]:
        """Return what is written."""
        made = dumps(super().reduce(data))
        return hashlib.sha256(made).digest(), made

    def rebuild(self, target_context: Any, reduced_data: tuple[bytes, bytes]) -> Any:
        """Return a function of what was read."""
        digest, made = reduced_data
        if hashlib.sha256(made).digest() != digest:
            raise ValueError(f"{self.filename_base} is not what was written")
        return super().rebuild(target_context, pickle.loads(made))


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's, where what cannot be read is not there, and what cannot be written is done without."""

    _impl_class = _Kept

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return a function for arguments of such types, None if there is none."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # damage may show as any
            _tell(f"cannot be read ({type(error).__name__}: {error})")
            with contextlib.suppress(Exception):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a function for arguments of such types."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _tell(f"cannot be written ({type(error).__name__}: {error})")


def cache_of(function: Callable[..., Any]) -> Any:
    """Return what keeps a function in the folder, as Numba asks for it."""
    if FOLDER is None:
        return NullCache()
    outer = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(FOLDER)
    try:
        return _Cache(function)
    except (OSError, RuntimeError) as error:
        _tell(f"cannot be used ({error})")
        return NullCache()
    finally:
        numba.config.CACHE_DIR = outer


def _tell(problem: str) -> None:
    """Say what is wrong with the folder, the first time."""
    if not _told:
        _told.append(problem)
        logging.getLogger("tinygrad_lstm").warning(
            "%s, where compiled kernels are kept, %s: they are compiled anew.", FOLDER, problem
        )
