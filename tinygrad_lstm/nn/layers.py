"""Layers without memory: linear, embedding, dropout."""

from __future__ import annotations

import math

from .. import backend
from ..ops import dropout, linear, take
from ..ops.activations import probability
from ..ops.shape import at_least
from ..tensor import Tensor, asarray
from .init import normal, uniform
from .module import Module

__all__ = ["Dropout", "Embedding", "Linear"]


class Linear(Module):
    """Apply ``y = x @ weight.T + bias``.

    Parameters
    ----------
    in_features, out_features
        The length of the last axis, before and after.
    bias
        Whether there is a bias.

    Attributes
    ----------
    weight
        Shape (out_features, in_features); drawn from U(-k, k) with k = 1 / sqrt(in_features), as in PyTorch.
    bias
        Shape (out_features,), drawn likewise; None without.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.nn.Linear(3, 2)(tg.ones((4, 3))).shape
    (4, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        in_features = at_least(0, "Linear", "in_features", in_features)
        out_features = at_least(0, "Linear", "out_features", out_features)
        bound = 1 / math.sqrt(in_features) if in_features else 0.0
        self.weight = uniform(out_features, in_features, bound=bound)
        self.bias = uniform(out_features, bound=bound) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of shape (..., out_features) for one of shape (..., in_features)."""
        return linear(x, self.weight, self.bias)


class Embedding(Module):
    """Look up a vector for each integer.

    Parameters
    ----------
    num_embeddings
        How many integers there are, from 0.
    embedding_dim
        The length of a vector.

    Attributes
    ----------
    weight
        The vectors, shape (num_embeddings, embedding_dim), drawn from N(0, 1).

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.nn.Embedding(10, 4)(tg.asarray([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        num_embeddings = at_least(0, "Embedding", "num_embeddings", num_embeddings)
        self.weight = normal(num_embeddings, at_least(0, "Embedding", "embedding_dim", embedding_dim))

    def forward(self, indices: Tensor) -> Tensor:
        """Return vectors of shape (..., embedding_dim) for integers of shape (...).

        Raises
        ------
        IndexError
            If an integer is not one of those that there are. On a GPU, where to look would make the host wait, a
            negative one counts from the end.
        """
        numbers = asarray(indices).data
        if backend.name == "numpy" and numbers.size > 0 and numbers.min() < 0:
            raise IndexError(f"Embedding: got {numbers.min()}, wanted integers from 0 to {len(self.weight) - 1}.")
        return take(self.weight, indices, axis=0)


class Dropout(Module):
    """Set elements to 0 with probability ``p`` in training, and divide the rest by ``1 - p``; do nothing in evaluation.

    Parameters
    ----------
    p
        The probability.

    Raises
    ------
    ValueError
        If it is not between 0 and 1.

    References
    ----------
    G. Hinton et al., "Improving neural networks by preventing co-adaptation of feature detectors", 2012.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> layer = tg.nn.Dropout(p=0.75)
    >>> set(layer(tg.ones((100,))).tolist()) == {0.0, 4.0}
    True
    >>> layer.eval()(tg.ones((2,)))
    Tensor([1., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = probability("Dropout", "p", p)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, thinned out in training."""
        return dropout(x, self.p) if self.training and self.p > 0 else x
