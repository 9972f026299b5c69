"""What of a graph is drawn, and how: the options of `draw`, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict, get_args

__all__ = ["Direction", "Level", "Options", "Theme", "View", "Weights"]

Level: TypeAlias = Literal["op", "gate", "cell", "module"]
"""What one mark is: a primitive, a learned layer or an op between them, a step of a recurrence, a module."""

Direction: TypeAlias = Literal["forward", "backward", "both"]
"""Which way the lines lead: as it was computed, as gradients go, or both joined."""

Theme: TypeAlias = Literal["light", "dark", "auto"]
"""The colours; ``"auto"`` is one SVG that follows the reader's choice."""

Weights: TypeAlias = Literal["once", "step"]
"""Whether the weights that all steps share are drawn once, with lines to each of them, or at each step."""


class Options(TypedDict, total=False):
    """The options of `draw` as keyword arguments; `View` says what each one means."""

    title: str | None
    level: Level | None
    values: bool
    grads: bool
    direction: Direction
    fold: str | tuple[str, ...]
    unfold: str | tuple[str, ...]
    highlight: str | tuple[str, ...]
    rolled: bool
    weights: Weights | None
    theme: Theme
    limit: int


@dataclass(frozen=True)
class View:
    """The options of `draw`.

    Attributes
    ----------
    title
        What stands below; None for the name of the outermost module.
    level
        None for the one that suits the graph.
    values, grads
        Whether values, and gradients under them, are shown as tinted cells.
    direction
        Which way the lines lead.
    fold, unfold
        Scopes that are shown as one mark, or that are not though their like are: one end of a path, as ``"LSTM/l0"``,
        or several.
    highlight
        Names of what is lit, with the lines between, while all else is pale: names of marks, as ``"f"``, ``"f₁"`` or
        ``"forget"``; the ends of paths, as ``"t=1/f"`` or ``"LSTM/l0"``; ops, as ``"tanh"``. An op without a name is
        lit too if it joins several that are, or stands between two.
    rolled
        Whether a recurrence is shown as one step with its loop, at the level of gates or of cells. Its values are those
        of the first step. One whose steps differ stays as it is, and the picture says so.
    weights
        How weights that several steps share are drawn; None for once beside cells, and at each step beside ops. A mark
        at the level of gates has its weights in it.
    theme
        The colours.
    limit
        How many marks are shown at most before scopes are folded.
    """

    title: str | None = None
    level: Level | None = None
    values: bool = False
    grads: bool = False
    direction: Direction = "forward"
    fold: str | tuple[str, ...] = ()
    unfold: str | tuple[str, ...] = ()
    highlight: str | tuple[str, ...] = ()
    rolled: bool = False
    weights: Weights | None = None
    theme: Theme = "light"
    limit: int = 150

    def __post_init__(self) -> None:
        chosen = {"level": Level, "direction": Direction, "weights": Weights, "theme": Theme}
        for name, choices in chosen.items():
            value: Any = getattr(self, name)
            allowed = get_args(choices)
            if value not in allowed and not (name in ("level", "weights") and value is None):
                raise ValueError(f"draw: got {name}={value!r}, wanted one of {', '.join(map(repr, allowed))}.")
        if self.rolled and self.level in ("op", "module"):
            raise ValueError(f"draw: got rolled=True with level={self.level!r}, wanted 'gate' or 'cell'.")
        if self.rolled and (self.fold or self.unfold):
            raise ValueError("draw: got rolled=True with fold or unfold, wanted one of them: one step stands for all.")
        for name in ("fold", "unfold"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, (value,))
        if self.limit < 1:
            raise ValueError(f"draw: got limit={self.limit}, wanted at least 1.")
