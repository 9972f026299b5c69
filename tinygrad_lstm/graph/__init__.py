"""Pictures of tapes: as files for a page or a slide, and as DOT text for whatever else."""

from .files import draw
from .layout import to_dot
from .render import RenderError

__all__ = ["RenderError", "draw", "to_dot"]
