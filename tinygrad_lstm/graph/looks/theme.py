"""The colours of pictures: one palette, light and dark.

A picture is written in light colours. No two things that differ in the dark share one, so that a finished text can be
turned into the other theme (`themed`), and an SVG can carry both (`with_both_themes`). Lines that mean different things
are told apart by the colour-blind, and every text has a contrast of at least 4.5 to 1 on what it stands on.
"""

from __future__ import annotations

import re

from ..view import Theme

__all__ = ["FILLS", "INKS", "LINES", "PALETTE", "SURFACES", "TEXTS", "heat", "ink", "themed", "with_both_themes"]

# fmt: off
FILLS = {  # of marks by kind: light, dark
    "c":         ("#B2E3CE", "#163B2D"),
    "h":         ("#CFE5FB", "#183A54"),
    "layer":     ("#FCF0A4", "#423D10"),
    "squash":    ("#FCF0A4", "#423D10"),
    "scope":     ("#FCF0A4", "#423D10"),
    "cell":      ("#FCF0A4", "#423D10"),
    "pointwise": ("#FFE1E4", "#471C2A"),
    "other":     ("#FEFEFE", "#1D2128"),
    "parameter": ("#DCD2EE", "#362E57"),
    "input":     ("#F1F4F8", "#2A3038"),
    "result":    ("#2B2F36", "#E7E9EC"),
}
LINES = {  # around marks of a kind, and of what it sends out
    "c":         ("#009E73", "#63DE9E"),
    "h":         ("#0B5FA5", "#2496E9"),
    "layer":     ("#A08A14", "#F0C93F"),
    "squash":    ("#A08A14", "#F0C93F"),
    "scope":     ("#A08A14", "#F0C93F"),
    "cell":      ("#A08A14", "#F0C93F"),
    "pointwise": ("#C56BA8", "#DF5A72"),
    "other":     ("#30363E", "#D6E3E7"),
    "parameter": ("#8069E0", "#DFB5FB"),
    "input":     ("#5F6B78", "#99A4B0"),
    "result":    ("#2B2F36", "#E7E9EC"),
    "edge":      ("#555B63", "#9AA5B1"),
    "gradient":  ("#A8320B", "#F48F53"),
}
SURFACES = {  # what marks stand on, and cells: the lines between them, and one that holds NaN or an infinity
    "page":      ("#FFFFFF", "#14171C"),
    "step":      ("#F7F7F4", "#1B1F26"),
    "gate":      ("#FFFDF3", "#22251F"),
    "hairline":  ("#D5D7D2", "#3A414B"),
    "grid":      ("#C9CED6", "#4A525D"),
    "no number": ("#16191E", "#F7F8FA"),
}
TEXTS = {
    "text":            ("#1F2329", "#E8EAED"),
    "secondary":       ("#4D5763", "#A9B3BE"),
    "result text":     ("#FDFDFD", "#1E2228"),
    "result gradient": ("#FFB38A", "#A83208"),
}
INKS = {  # of numbers on tinted cells: whether they are dark in the light theme, and in the dark one
    (True, False):  ("#010101", "#FFFFFF"),
    (True, True):   ("#020202", "#000000"),
    (False, True):  ("#FCFCFC", "#000001"),
    (False, False): ("#FBFBFB", "#FEFEFE"),
}
# fmt: on

STOPS = (
    ("#1F5FA8", "#9CC3E6", "#F7F7F5", "#F6C08A", "#B5530A"),
    ("#7DB7F0", "#2F5F93", "#23272E", "#8F5418", "#F5A85B"),
)
"""The tints of −1, −½, 0, ½ and 1, light and dark."""

STEPS = 20
"""How many tints there are on each side of 0."""


def heat(value: float) -> str:
    """Return the tint of a value from −1 to 1, blue below 0 and orange above; what lies outside has that of the end.

    >>> heat(-1.0), heat(0.0), heat(7.0)
    ('#1F5FA8', '#F7F7F5', '#B5530A')
    """
    return HEAT[round(STEPS * min(1.0, max(-1.0, value)))][0]


def ink(value: float) -> str:
    """Return the colour of a number on the tint of a value, as easy to read as can be."""
    light, dark = HEAT[round(STEPS * min(1.0, max(-1.0, value)))]
    return INKS[_is_bright(light), _is_bright(dark)][0]


def themed(text: str, theme: Theme) -> str:
    """Return a picture's DOT text in the colours of a theme; ``"auto"`` is light, and the SVG made from it is both.

    >>> themed('node [color="#FFFFFF" label="#FFFFFF"];', "dark")
    'node [color="#14171C" label="#FFFFFF"];'
    """
    if theme != "dark":
        return text
    return re.sub(
        r'(?i)(?<=color=")#[0-9A-F]{6}(?=(?:[0-9A-F]{2})?")', lambda colour: PALETTE.get(colour[0], colour[0]), text
    )


def with_both_themes(svg: str) -> str:
    """Return an SVG made from light DOT text as one that is dark where its reader prefers it.

    >>> print(with_both_themes('<svg width="9pt"><path stroke="#ffffff"/></svg>'))
    <svg class="both-themes" width="9pt"><style>@media (prefers-color-scheme: dark) {
    .both-themes [stroke="#ffffff"] { stroke: #14171C }
    }</style><path stroke="#ffffff"/></svg>
    """
    used = sorted(set(re.findall(r'\b(fill|stroke|stop-color)="(#[0-9a-fA-F]{6})"', svg)))
    rules = [
        f'.both-themes [{name}="{colour}"] {{ {name}: {PALETTE[colour.upper()]} }}'
        for name, colour in used
        if colour.upper() in PALETTE
    ]
    style = "\n".join(["<style>@media (prefers-color-scheme: dark) {", *rules, "}</style>"])
    return re.sub(r"<svg\b([^>]*)>", lambda tag: f'<svg class="both-themes"{tag[1]}>{style}', svg, count=1)


def _mixed(start: str, end: str, part: float) -> str:
    """Return a colour between two."""
    channels = ((int(start[i : i + 2], 16), int(end[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + part * (b - a)):02X}" for a, b in channels)


def _tint(stops: tuple[str, ...], value: float) -> str:
    """Return the tint of a value between stops that stand at equal distances from −1 to 1."""
    place = (value + 1) / 2 * (len(stops) - 1)
    below = min(int(place), len(stops) - 2)
    return _mixed(stops[below], stops[below + 1], place - below)


def _is_bright(colour: str) -> bool:
    """Tell whether black is easier to read on a colour than white."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.1791  # where both contrasts are the same


HEAT = {step: (_tint(STOPS[0], step / STEPS), _tint(STOPS[1], step / STEPS)) for step in range(-STEPS, STEPS + 1)}
"""The tints, light and dark, by their number from −`STEPS` to `STEPS`."""

PALETTE = dict([*FILLS.values(), *LINES.values(), *SURFACES.values(), *TEXTS.values(), *INKS.values(), *HEAT.values()])
"""For each light colour its dark one."""
