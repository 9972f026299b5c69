"""``tinygrad-lstm info``: what a report of a problem should say of the machine."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil

from .. import __version__, backend, kernels

__all__ = ["info"]

PACKAGES = ("numpy", "safetensors", "tqdm", "graphviz", "pygraphviz", "cupy-cuda12x", "cupy-cuda13x", "torch", "numba")


def info(arguments: argparse.Namespace) -> None:
    """Show the backend, the device, the array library, the kernels, the renderer and all versions."""
    rows = {
        "package": f"tinygrad_lstm {__version__}",
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "backend": f"{backend.name} ({_asked()})",
        "device": backend.device_name(),
        "arrays": backend.library(),
        "kernels": kernels.in_use(),
        "renderer": _renderer(),
        "packages": ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name))),
        "missing": ", ".join(name for name in PACKAGES if not _version(name)) or "nothing",
    }
    for name, value in rows.items():
        print(f"{name:10}{value}")


def _asked() -> str:
    """Return what the environment says of the backend."""
    asked = os.environ.get(backend.VARIABLE)
    return f"{backend.VARIABLE}={asked}" if asked else f"{backend.VARIABLE} is not set"


def _version(package: str) -> str | None:
    """Return the version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _renderer() -> str:
    """Return what would draw a graph."""
    dot, bundled = shutil.which("dot"), _version("pygraphviz")
    if dot:
        return f"dot, at {dot}"
    return f"pygraphviz {bundled}" if bundled else "none: install graphviz, or pip install pygraphviz"
