"""Where the first NaN or infinity came from: the op, its scope, its shapes, and the user's own line that made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

from .. import backend
from ..backend import xp
from ..sweep import Deferred
from ..tape import Argument, Node, Watcher, describe, scope_path, thread, users_line
from ..tensor import Tensor

__all__ = ["detect_anomaly"]


class detect_anomaly(Watcher):
    """Raise at the first NaN or infinity that is computed inside, forward or backward, and say where it came from.

    An op is blamed for a NaN if no argument of it held one, and for an infinity if all its arguments were finite. An
    error in a derivative is given the line of the forward pass that it belongs to. Every value is looked at, so this is
    slow, and on a GPU slower still.

    Raises
    ------
    FloatingPointError
        At the first anomaly.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([4.0, 0.0], requires_grad=True)
    >>> with tg.detect_anomaly(), tg.scope("layer"):
    ...     y = tg.sqrt(x).sum()
    ...     y.backward()
    Traceback (most recent call last):
    FloatingPointError: anomaly: the derivative of sqrt of shape (2,) in layer gave inf at index (1,) ...
    """

    def __init__(self) -> None:
        self.lines: WeakKeyDictionary[Node, str] = WeakKeyDictionary()

    def __enter__(self) -> Self:
        self.instead_of_warnings = backend.quiet()
        self.instead_of_warnings.__enter__()
        return super().__enter__()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        self.instead_of_warnings.__exit__(*exception)

    def applied(self, name: str, node: Node | None, operands: Sequence[Argument], value: Any) -> None:
        """Look at an op's result."""
        line = users_line()
        if node is not None:
            self.lines[node] = line
        found = _anomaly(value)
        if found is None or any(_excuses(x.value, found[0]) for x in operands):
            return
        shapes = ", ".join(str(getattr(x.value, "shape", x.value)) for x in operands)
        where = f" in {'/'.join(scope_path(thread.state.scope))}" if thread.state.scope else ""
        raise FloatingPointError(
            f"anomaly: {name} of {shapes}{where} gave {found[0]} at index {found[1]}, computed at {line}"
        )

    def pulled(self, node: Node, cotangent: Any, contributions: Sequence[Any]) -> None:
        """Look at the cotangents that a derivative has given."""
        for i, contribution in enumerate(contributions, start=1):
            found = _anomaly(contribution)
            if found is not None:
                raise FloatingPointError(
                    f"anomaly: the derivative of {describe(node)} gave {found[0]} at index {found[1]} for argument {i} "
                    f"of {len(contributions)}; the op was computed at {self.line_of(node)}"
                )

    def failed(self, node: Node, error: Exception) -> None:
        """Add to an error the line of the forward pass."""
        error.add_note(f"In the derivative of {describe(node)}, which was computed at {self.line_of(node)}")

    def line_of(self, node: Node) -> str:
        """Return the line that made a node."""
        return self.lines.get(node, "a line before detect_anomaly began")


def _anomaly(value: Any) -> tuple[str, tuple[int, ...]] | None:
    """Return the first NaN or infinity of a value, and where it stands."""
    if isinstance(value, Deferred):
        value = type(value).settle([value])
    if type(value) is Tensor:
        value = value.data
    if value is None or not hasattr(value, "dtype") or value.dtype.kind != "f":
        return None
    wrong = ~xp.isfinite(value)
    if not wrong.any():
        return None
    flat, index = int(wrong.argmax()), cast("tuple[int, ...]", ())
    for n in reversed(value.shape):
        flat, place = divmod(flat, n)
        index = (place, *index)
    return str(float(value[index])), index


def _excuses(value: Any, found: str) -> bool:
    """Tell whether an argument explains what was found: a NaN a NaN, and anything that is not finite an infinity."""
    if isinstance(value, float):
        value = xp.asarray(value)
    if not hasattr(value, "dtype") or value.dtype.kind != "f":
        return False
    return bool((xp.isnan(value) if found == "nan" else ~xp.isfinite(value)).any())
