"""What the plots of these programs have in common: no frame above and at the right, and the same file on every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """Give an empty figure of so many inches, and write what has been drawn in it as SVG."""
    import matplotlib
    from matplotlib.figure import Figure

    style = {"svg.hashsalt": path.stem, "axes.spines.top": False, "axes.spines.right": False}
    with matplotlib.rc_context(style):
        drawn = Figure((width, height), layout="constrained")
        yield drawn
        drawn.savefig(path, metadata={"Date": None}, bbox_inches="tight")
