"""``tinygrad-lstm verify``: everything on NumPy and on CuPy, and how far apart the two are."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..backend import VARIABLE
from ..interchange import load_state, write_whole
from ..verification import BOUNDS, CASES, PARTS, Comparison, compare

__all__ = ["VerifyError", "verify"]

BEYOND = 1
"""The status where the two backends are further apart than rounding explains."""


class VerifyError(RuntimeError):
    """There is nothing to compare with; the message says what to install."""


def verify(arguments: argparse.Namespace) -> int:
    """Run every op, module and optimiser on NumPy and on CuPy, and show how far apart they are, op by op.

    Values, gradients and second derivatives are compared, in units in the last place (ulp) of the results. The status
    is 1 if any are further apart than rounding explains, and 2 if there is no CuPy or no GPU.
    """
    if not any(arguments.only in case.name for case in CASES):
        arguments.refuse(f"--only {arguments.only} is in the name of no case")
    if not importlib.util.find_spec("cupy"):
        raise VerifyError(
            "verify compares NumPy with CuPy on a GPU, and CuPy is not installed: pip install cupy-cuda12x or "
            "cupy-cuda13x, by your CUDA driver (nvidia-smi names it)."
        )
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = (_outcomes(backend, Path(folder), arguments) for backend in ("cupy", "numpy"))
    comparisons = [
        compare(name, a, b) for name, a, b in zip(ours["names"], ours["outcomes"], theirs["outcomes"], strict=True)
    ]
    for state in (ours, theirs):
        print(f"{state['library']}, on {state['device']}")
    _show(comparisons, arguments.dtype)
    if arguments.json:
        _write(arguments.json, comparisons, {"numpy": ours, "cupy": theirs}, arguments.dtype)
    return 0 if all(comparison.agrees for comparison in comparisons) else BEYOND


def _outcomes(backend: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what a backend computes in a process of its own; where it cannot be had, that one has said why."""
    path = folder / backend
    words = [sys.executable, "-m", "tinygrad_lstm.verification", str(path)]
    words += ["--dtype", arguments.dtype, "--only", arguments.only]
    paths = os.pathsep.join(filter(None, sys.path))  # what can be imported here can be imported there
    run = subprocess.run(words, env={**os.environ, VARIABLE: backend, "PYTHONPATH": paths})
    if run.returncode:
        raise SystemExit(run.returncode)
    return load_state(path)


def _show(comparisons: Sequence[Comparison], dtype: str) -> None:
    """Print a table of differences, what is beyond the bounds, and the largest of all."""
    width = max(len(comparison.name) for comparison in comparisons)
    print(f"\n{f'ulp of {dtype}':{width}}" + "".join(f"{part:>10}" for part in PARTS))
    for comparison in comparisons:
        print(f"{comparison.name:{width}}{_figures(comparison)}".rstrip())
    print(f"{'bound':{width}}" + "".join(f"{BOUNDS[part]:10g}" for part in PARTS))
    print()
    for part in PARTS:
        largest, name = max(((c.differences.get(part, 0.0), c.name) for c in comparisons), key=lambda pair: pair[0])
        print(f"Largest difference, {part}: {largest:.3g} ulp" + (f", {name}" if largest else ""))
    beyond = [comparison.name for comparison in comparisons if not comparison.agrees]
    print(f"{len(comparisons)} cases, {len(beyond)} beyond the bounds" + "".join(f"\n  {name}" for name in beyond))


def _figures(comparison: Comparison) -> str:
    """Return the differences of a case in columns, and a mark behind what is beyond its bound."""
    if comparison.problem is not None:
        return f"  {comparison.problem}"
    found = (comparison.differences.get(part) for part in PARTS)
    columns = "".join(f"{'' if difference is None else f'{difference:.3g}':>10}" for difference in found)
    return columns + ("" if comparison.agrees else "  beyond the bound")


def _write(path: Path, comparisons: Sequence[Comparison], states: Mapping[str, Any], dtype: str) -> None:
    """Write all that was found as JSON."""
    found = {
        "dtype": dtype,
        "bounds": BOUNDS,
        "backends": {name: {key: state[key] for key in ("library", "device")} for name, state in states.items()},
        "cases": {c.name: {"agrees": c.agrees, **c.differences, "problem": c.problem} for c in comparisons},
    }
    write_whole(path, json.dumps(found, indent=2).encode() + b"\n")
