"""Pictures of tapes: as files for a page or a slide, and as DOT text for whatever else.

`structure` says what is drawn, `looks` how it looks, `layouts` where it stands, and `output` what becomes of it; each
knows only those before it. `view` holds the options, `layout` chooses, and `palette` has the colours for others.
"""

from . import palette
from .layout import to_dot
from .output.files import draw
from .output.render import RenderError

__all__ = ["RenderError", "draw", "palette", "to_dot"]
