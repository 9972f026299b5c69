"""What `draw` returns. It stands alone so that the package graphviz is imported only when something is drawn."""

from __future__ import annotations

from typing import Any

import graphviz

from ..view import Theme
from .render import DRAWN, RenderError, render

__all__ = ["Picture"]


class Picture(graphviz.Source):  # type: ignore[misc]
    """A `graphviz.Source` that knows what it shows and in which theme.

    ``str(picture)`` and ``picture.source`` are the DOT text, the same on every run; a notebook shows the SVG. This
    and what ``pipe`` makes as ``svg``, ``png`` or ``pdf`` need pygraphviz or the program ``dot``; ``render``, ``view``
    and other formats need the program.

    Attributes
    ----------
    theme
        The colours; with ``"auto"`` the SVG has both themes, and everything else the light one.
    title, description
        What the SVG says to those who do not see it.
    """

    def __init__(
        self,
        source: str,
        *arguments: Any,
        theme: Theme = "light",
        title: str = "",
        description: str = "",
        **options: Any,
    ) -> None:
        super().__init__(source, *arguments, **options)
        self.theme = theme
        self.title = title
        self.description = description

    def __repr__(self) -> str:
        return f"<Picture: {', '.join(filter(None, [self.title, self.description]))}>"

    def _repr_mimebundle_(self, *asked: Any, **options: Any) -> dict[str, Any]:
        """Return what a notebook shows: the picture drawn, or why it cannot be, and a text."""
        try:
            return {"text/plain": repr(self), **super()._repr_mimebundle_(*asked, **options)}
        except RenderError as error:
            return {"text/plain": f"{self!r}\n{error}"}

    def copy(self) -> Picture:
        """Return a picture of the same."""
        return Picture(self.source, theme=self.theme, title=self.title, description=self.description)

    def pipe(self, format: str | None = None, *arguments: Any, encoding: str | None = None, **options: Any) -> Any:
        """Return the picture drawn, as ``svg``, ``png`` or ``pdf``; in other formats by the program ``dot``."""
        form = format or self.format
        if arguments or options or form not in DRAWN:
            return super().pipe(format, *arguments, encoding=encoding, **options)
        drawn = render(self.source, form, theme=self.theme, title=self.title, description=self.description)
        return drawn if encoding is None else drawn.decode(encoding)
