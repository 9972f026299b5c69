"""Evaluation: a model as it is used, not trained, and the mean of a loss over batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..tape import no_grad
from ..tensor import Tensor, asarray
from .module import Module

__all__ = ["evaluate", "evaluating"]


@contextlib.contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Have a model evaluate inside, and record nothing; then every module in it is in the mode that it was in before.

    >>> import tinygrad_lstm as tg
    >>> layer = tg.nn.Dropout(0.5)
    >>> with evaluating(layer):
    ...     print(layer(tg.ones((3,))))
    Tensor([1., 1., 1.])
    >>> layer.training
    True
    """
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, training in before:
            module.training = training


def evaluate(model: Module, batches: Iterable[Any], loss: Callable[..., Tensor]) -> float:
    """Return the mean of a loss over batches, without recording, with the model in evaluation.

    Parameters
    ----------
    model
        The model; each module in it is put back into its mode afterwards.
    batches
        Tuples or lists, the arguments of ``loss``; anything else is its only argument.
    loss
        Returns the loss of a batch. The mean is over all elements that it returns: with ``reduction="none"`` every
        example counts once, however large its batch; of numbers, as with ``reduction="mean"``, every batch does.

    Raises
    ------
    ValueError
        If the batches have nothing to average over.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> model = tg.nn.Linear(3, 1)
    >>> batches = [(tg.ones((4, 3)), tg.ones((4, 1))), (tg.ones((2, 3)), tg.ones((2, 1)))]
    >>> evaluate(model, batches, lambda x, y: tg.mse_loss(model(x), y, reduction="none")) >= 0
    True
    """
    total, count = asarray(0.0, dtype="float64"), 0
    with evaluating(model):
        for batch in batches:
            losses = asarray(loss(*batch) if isinstance(batch, (tuple, list)) else loss(batch))
            total = total + losses.astype("float64").sum()
            count += losses.size
    if count == 0:
        raise ValueError("evaluate: got batches without a loss to average, wanted at least one.")
    return total.item() / count
