"""What compiled code takes for granted of the machine."""

from __future__ import annotations

import llvmlite.binding

__all__ = ["BYTES"]


def _bytes() -> int:
    """Return how much the widest registers of this machine hold."""
    features = llvmlite.binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


BYTES = _bytes()
