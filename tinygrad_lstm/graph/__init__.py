"""Pictures of tapes: as files for a page or a slide, and as DOT text for whatever else."""

from .layout import to_dot
from .render import RenderError, draw

__all__ = ["RenderError", "draw", "to_dot"]
