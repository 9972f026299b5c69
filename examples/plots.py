"""What the pictures of these programs have in common: where they are, and how plots look, the same on every run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinygrad_lstm.graph import RenderError


@contextmanager
def pictures(folder: Path) -> Iterator[None]:
    """Make a folder for pictures, and say in the end where they are, or what they need: what was found stays."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except RenderError as error:
        print(f"Not all is drawn: {error}")
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "matplotlib":
            raise
        print("Not all is drawn: plots need Matplotlib: pip install matplotlib.")
    else:
        print(f"Pictures in {folder}")


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
