"""A table of a model's modules and parameters: what can be told of a model before it is called."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .module import Module

__all__ = ["Line", "as_html", "as_text", "outline"]

HEAD = ("module", "class", "parameters", "numbers")


class Line(NamedTuple):
    """A module, the names that lead to it joined by dots.

    Its parameters are its own, with their shapes; its numbers are those trained in it and all within it, each once.
    """

    path: str
    kind: str
    parameters: tuple[str, ...]
    numbers: int


def outline(model: Module) -> list[Line]:
    """Return a line for each module, the model itself first; one that stands in several places has one, at the first.

    >>> import tinygrad_lstm as tg
    >>> for line in outline(tg.nn.Sequential(tg.nn.Linear(2, 3), tg.tanh)):
    ...     print(line)
    Line(path='', kind='Sequential', parameters=(), numbers=9)
    Line(path='0', kind='Linear', parameters=('weight 3×2', 'bias 3'), numbers=9)
    """
    return [_line(path, module) for path, module in model.named_modules()]


def _line(path: str, module: Module) -> Line:
    """Return the line of a module."""
    own = [f"{name} {'×'.join(map(str, x.shape)) or 'scalar'}" for name, x in module.own_parameters()]
    return Line(path, type(module).__name__, tuple(own), sum(x.size for x in module.parameters()))


def as_text(model: Module) -> str:
    """Return the table as a text.

    >>> import tinygrad_lstm as tg
    >>> print(as_text(tg.nn.Sequential(tg.nn.Linear(2, 3), tg.tanh)))
    module  class       parameters          numbers
            Sequential                            9
    0       Linear      weight 3×2, bias 3        9
    """
    rows = [HEAD, *((path, kind, ", ".join(own), f"{numbers:,}") for path, kind, own, numbers in outline(model))]
    *widths, last = (max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join("  ".join([*map(str.ljust, words, widths), count.rjust(last)]) for *words, count in rows)


def as_html(model: Module) -> str:
    """Return the table as HTML: modules that lie deeper are further to the right, and say only their last name."""
    body = "".join(_row(line) for line in outline(model))
    head = "".join(f"<th {_style('right' if name == HEAD[-1] else 'left')}>{name}</th>" for name in HEAD)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(line: Line) -> str:
    """Return a line as HTML."""
    depth, name = line.path.count(".") + 1 if line.path else 0, line.path.rpartition(".")[2]
    own = "<br>".join(f"<code>{html.escape(parameter)}</code>" for parameter in line.parameters)
    return (
        f"<tr><td {_style('left', depth)}>{html.escape(name)}</td><td {_style('left')}>{html.escape(line.kind)}</td>"
        f"<td {_style('left')}>{own}</td><td {_style('right')}>{line.numbers:,}</td></tr>"
    )


def _style(side: str, depth: int = 0) -> str:
    """Return the style of a cell: notebooks set every cell of a table to the right."""
    indent = f"; padding-left: {0.5 + 1.2 * depth:g}em" if depth else ""
    return f'style="text-align: {side}; vertical-align: top{indent}"'
