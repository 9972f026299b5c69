"""What a run says, for programs: JSON with the machine, the versions, the command, all figures and the targets."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import shlex
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .figures import spread
from .suite import Run
from .turns import Pace

PACKAGES = (
    *("numpy", "numba", "mkl", "torch", "jax", "autograd", "mygrad", "tinygrad"),
    *("torchview", "torchlens", "graphviz", "pygraphviz"),
)


def machine() -> dict[str, Any]:
    """Return what figures depend on."""
    versions = {}
    for package in ("tinygrad-lstm", *PACKAGES):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def record(runs: Iterable[Run], pace: Pace) -> dict[str, Any]:
    """Return all of a run, as JSON can hold it."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.orig_argv),
        "machine": machine(),
        "pace": asdict(pace),
        "benchmarks": [_benchmark(run) for run in runs],
    }


def _benchmark(run: Run) -> dict[str, Any]:
    results = [
        {
            "size": list(result.size),
            "program": result.program,
            "milliseconds": list(result.milliseconds),
            "quartiles": list(spread(result.milliseconds)),
            "peak_mib": result.peak,
            "added_mib": result.added,
            "others": result.others,
        }
        for result in run.results
    ]
    targets = [{**verdict._asdict(), "reached": verdict.reached} for verdict in run.verdicts()]
    benchmark = run.benchmark
    return {
        "name": benchmark.name,
        "about": benchmark.about,
        "axes": list(benchmark.axes),
        "baseline": benchmark.baseline,
        "results": results,
        "targets": targets,
    }


def write(path: Path, runs: Iterable[Run], pace: Pace) -> None:
    """Write a run to a file."""
    path.write_text(json.dumps(record(runs, pace), indent=1) + "\n")
