"""What a case computes on the backend at hand: values, gradients, second derivatives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import backend
from ..autodiff import grad
from ..interchange import save_state
from ..nn import Module
from ..structures import flat
from ..tensor import Tensor, asarray
from .cases import Case

__all__ = ["PARTS", "outcome", "write"]

PARTS = ("value", "gradient", "second")
"""What is compared: results, the gradient of their sum with weights, and the gradient of that gradient's."""


def write(path: str | os.PathLike[str], cases: Iterable[Case], dtype: str) -> None:
    """Run cases on the backend at hand, and write what they computed, and where, into a file."""
    outcomes = {case.name: outcome(case, dtype) for case in cases}
    place = {"library": backend.library(), "device": backend.device_name()}
    save_state(path, {**place, "names": list(outcomes), "outcomes": list(outcomes.values())})


def outcome(case: Case, dtype: str) -> dict[str, Any]:
    """Return what a case computed, a list of tensors for each of `PARTS`, or the error that there was instead.

    Numbers are drawn on the host, the masks of dropout too, so that every backend gets the same.
    """
    try:
        with backend.quiet():
            return _derived(case, dtype)
    except Exception as error:  # of whatever kind: one op that fails on a device must not hide the others
        return {"error": f"{type(error).__name__}: {error}"}


def _derived(case: Case, dtype: str) -> dict[str, list[Tensor]]:
    """Return results, their derivatives, and the derivatives of these."""
    generator = backend.generator(case.seed)
    function, leaves = _prepared(case, dtype, generator)
    results = function()
    smooth = [y for y in results if y.requires_grad]
    found = {"value": results, "gradient": [], "second": []}
    if smooth:
        weights = [_weight(y, generator) for y in smooth]
        found["gradient"] = _known(grad(smooth, leaves, [w.detach() for w in weights], allow_unused=True))
        again = [y for y in function() if y.requires_grad]
        slopes = _known(grad(again, leaves, weights, create_graph=True, allow_unused=True))
        slopes = [slope for slope in slopes if slope.requires_grad]
        directions = [_weight(slope, generator).detach() for slope in slopes]
        found["second"] = _known(grad(slopes, [*leaves, *weights], directions, allow_unused=True))
    return {part: [y.detach() for y in tensors] for part, tensors in found.items()}


def _prepared(case: Case, dtype: str, generator: Any) -> tuple[Callable[[], list[Tensor]], list[Tensor]]:
    """Return a case as a function without arguments that always does the same, and what it is differentiated in."""
    with backend.seeded(case.seed):
        made = case.make()
    inputs = [_input(draw(generator), dtype) for draw in case.inputs]
    leaves = [x for x in inputs if x.requires_grad]
    if isinstance(made, Module):
        leaves += made.to(dtype).parameters()

    def function() -> list[Tensor]:
        with backend.seeded(case.seed, on_host=True):
            return list(flat(made(*inputs) if case.call is None else case.call(made, *inputs)))

    return function, leaves


def _input(host: Any, dtype: str) -> Tensor:
    """Return an array as an input: floating point in the type asked for, and differentiated."""
    return asarray(host, dtype=dtype, requires_grad=True) if host.dtype.kind == "f" else asarray(host)


def _weight(like: Tensor, generator: Any) -> Tensor:
    """Return what each element of a tensor is weighted with."""
    return asarray(generator.uniform(-1, 1, like.shape), dtype=like.dtype, requires_grad=True)


def _known(gradients: Sequence[Tensor | None]) -> list[Tensor]:
    """Return the gradients that there are."""
    return [g for g in gradients if g is not None]
