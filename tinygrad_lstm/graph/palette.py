"""The colours of the pictures, for plots that stand beside them: what means the same has the same colour there."""

from __future__ import annotations

from .looks.theme import LINES, STOPS, SURFACES, TEXTS, heat

__all__ = ["COLOURS", "TINTS", "heat"]

_LINES = ("c", "h", "layer", "pointwise", "parameter", "input", "edge", "gradient")

COLOURS = (
    {name: LINES[name][0] for name in _LINES}
    | {name: SURFACES[name][0] for name in ("page", "step", "hairline")}
    | {name: TEXTS[name][0] for name in ("text", "secondary")}
)
"""The colours of the light theme by what they mean, as ``"#RRGGBB"``.

``"c"`` and ``"h"``: the states. ``"layer"``, ``"pointwise"``, ``"parameter"``, ``"input"``: marks. ``"edge"`` and
``"gradient"``: values on their way, and gradients on theirs. ``"page"``, ``"step"`` and ``"hairline"``: what all that
stands on, and thin lines. ``"text"`` and ``"secondary"``: what is written. Lines in them can be told apart by the
colour-blind.
"""

TINTS = STOPS[0]
"""The tints of −1, −½, 0, ½ and 1; `heat` gives those between."""
