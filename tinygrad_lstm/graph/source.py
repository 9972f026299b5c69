"""What `draw` returns. It stands alone so that the package graphviz is imported only when something is drawn."""

from __future__ import annotations

import graphviz

from .render import render

__all__ = ["Picture"]


class Picture(graphviz.Source):  # type: ignore[misc]
    """A `graphviz.Source` that a notebook can show without the program ``dot``."""

    def _repr_image_svg_xml(self) -> str:
        return render(self.source, "svg").decode()
