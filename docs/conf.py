"""The site of the documentation: `make docs` builds it from the pages in this folder."""

from __future__ import annotations

import inspect
import posixpath
from pathlib import Path
from typing import Any

import imagesize
from docutils import nodes
from sphinx.util import osutil

import tinygrad_lstm
from docs import listing, mathml

project = "tinygrad_lstm"
release = version = tinygrad_lstm.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_attr_annotations = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "any"
suppress_warnings = ["ref.any"]  # a name in backticks is a link where one thing has it, and plain where none has
toc_object_entries_show_parents = "hide"

INVISIBLE = "\N{ZERO WIDTH SPACE}"  # a space at which lines break, and which to Sphinx is none

html_theme = "furo"
html_title = "tinygrad_lstm"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = html_show_sphinx = False
highlight_language = "text"
pygments_dark_style = "github-dark"

WIDE = 2000  # pixels: a picture wider than this is moved sideways rather than made as small as the page


def fill_in(app: Any, page: str, source: list[str]) -> None:
    """Fill in what a page reads off the package."""
    source[0] = listing.filled_in(source[0])


def leave_plain(app: Any, environment: Any, node: Any, shown: Any) -> Any:
    """Leave a type in a signature without a link where it has no entry: an alias, or one of the standard library's."""
    return shown if node.get("reftype") == "class" and "py:class" in node else None


def mend(app: Any, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Undo what napoleon takes for a type: words before a property's first colon, and attributes before another one."""
    if kind == "property":
        lines[:] = [*(inspect.getdoc(thing) or "").splitlines(), ""]
    for place, line in enumerate(lines):
        if line.startswith(":ivar "):
            names, colon, text = line.removeprefix(":ivar ").partition(": ")
            lines[place] = f":ivar {names.replace(', ', f',{INVISIBLE}')}{colon}{text}"


def frame(app: Any, document: Any, page: str) -> None:
    """Put each picture into a frame that knows its width, as a link to itself: a click shows it in full size."""
    for image in list(document.findall(nodes.image)) if app.builder.format == "html" else []:
        width, _ = imagesize.get(Path(app.srcdir, image["uri"]))
        kind = "picture wide" if width > WIDE else "picture"
        file = posixpath.join(app.builder.imagedir, app.env.images[image["uri"]][1])
        link = nodes.reference(refuri=osutil.relative_uri(app.builder.get_target_uri(page), file))
        opening = nodes.raw("", f'<span class="{kind}" style="--natural: {width:.0f}px">', format="html")
        image.replace_self([opening, link, nodes.raw("", "</span>", format="html")])
        link.append(image)


def setup(app: Any) -> None:
    """Set the site up."""
    app.connect("source-read", fill_in)
    app.connect("autodoc-process-docstring", mend, priority=900)
    app.connect("doctree-resolved", frame)
    app.connect("missing-reference", leave_plain)
    mathml.setup(app)
