"""A progress bar around anything that is iterated, with figures that have names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any, Generic, TypeVar

__all__ = ["Progress"]

T = TypeVar("T")

COUNTED = "{desc}{percentage:3.0f}% {bar} {n_fmt}/{total_fmt} {unit}, {remaining} left{postfix}"
UNCOUNTED = "{desc}{n_fmt} {unit} in {elapsed}{postfix}"


class Progress(Generic[T]):
    """Go through an iterable, and draw on the terminal how far it is; where stderr is no terminal, draw nothing.

    Parameters
    ----------
    iterable
        What to go through.
    title
        What stands before the bar.
    total
        How many items there will be; the iterable's length if None, and where it has none, items are counted instead.
    unit
        What the items are.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> batches = Progress([1.0, 2.0, 3.0], "Training", unit="batches")
    >>> for number in batches:
    ...     loss = tg.asarray(number) ** 2
    ...     batches.show(loss=loss)
    """

    def __init__(
        self, iterable: Iterable[T], title: str = "", *, total: int | None = None, unit: str = "items"
    ) -> None:
        self.iterable = iterable
        self.title = title
        self.total = total
        self.unit = unit
        self._figures = _Figures()

    def show(self, **figures: Any) -> None:
        """Show figures behind the bar from here on: numbers, tensors of one element, or words, by their names.

        A tensor is read when the line is next drawn, some times a second; only then does a GPU have to wait.
        """
        self._figures.update(figures)

    def __iter__(self) -> Iterator[T]:
        from tqdm import tqdm  # which programs without a bar need not load

        total = self.total
        if total is None and isinstance(self.iterable, Sized):
            total = len(self.iterable)
        bar = tqdm(
            self.iterable,
            desc=self.title and f"{self.title} ",
            total=total,
            unit=self.unit,
            bar_format=UNCOUNTED if total is None else COUNTED,
            smoothing=0.1,
            disable=None,
            dynamic_ncols=True,
        )
        bar.postfix = self._figures
        with bar:
            yield from bar


class _Figures(dict[str, Any]):
    """Figures by their names, as the line shows them; they become text when it is drawn, and not before."""

    def __str__(self) -> str:
        return "".join(f", {name} {_text(value)}" for name, value in self.items())


def _text(figure: Any) -> str:
    """Return a figure in few digits."""
    value = figure.item() if hasattr(figure, "item") else figure
    if not isinstance(value, float):
        return f"{value:,}" if isinstance(value, int) else str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
