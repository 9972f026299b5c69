"""Optimisers: how parameters follow their gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..backend import Array, xp
from ..tape import Leaf
from ..tensor import Tensor

__all__ = ["SGD", "Adam", "Optimizer"]


class Optimizer:
    """What optimisers share: the parameters, and a step that moves each by its own ``_update``.

    Parameters
    ----------
    params
        The tensors to train: leaves that require a gradient, as ``model.parameters()`` gives them.
    lr
        The learning rate; an attribute, so that a schedule may change it.

    Raises
    ------
    ValueError
        If there are no parameters, or ``lr`` is negative.
    TypeError
        If one of them is no leaf that requires a gradient.
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        op = type(self).__name__
        self.params = list(params)
        if not self.params:
            raise ValueError(f"{op}: got no parameters, wanted at least one.")
        if lr < 0:
            raise ValueError(f"{op}: got lr = {lr}, wanted a number that is not negative.")
        for parameter in self.params:
            if not isinstance(parameter.node, Leaf):
                raise TypeError(f"{op}: got a tensor of shape {parameter.shape} that is no leaf with requires_grad.")
        self.lr = lr
        self.steps = 0

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.params:
            parameter.grad = None

    def step(self) -> None:
        """Move every parameter that has a gradient; graphs made before can no longer be differentiated."""
        self.steps += 1
        for index, parameter in enumerate(self.params):
            leaf = parameter.node
            if isinstance(leaf, Leaf) and parameter.grad is not None:
                self._update(index, parameter.data, parameter.grad.data)
                leaf.restamp()

    def _update(self, index: int, p: Array, g: Array) -> None:
        """Change the parameter ``p``, the ``index``-th, in place by its gradient ``g``."""
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent.

    ::

        v = momentum * v + g
        p = p - lr * v

    Parameters
    ----------
    params, lr
        As for `Optimizer`.
    momentum
        How much of the last step goes into this one; the first step has none, as in PyTorch.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.asarray([1.0], requires_grad=True)
    >>> optimizer = tg.optim.SGD([w], lr=0.5)
    >>> tg.sum(w * w).backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.], requires_grad=True)
    """

    def __init__(self, params: Iterable[Tensor], lr: float = 0.001, momentum: float = 0.0) -> None:
        super().__init__(params, lr)
        self.momentum = momentum
        self.velocities: dict[int, Array] = {}

    def _update(self, index: int, p: Array, g: Array) -> None:
        v = g
        if self.momentum:
            v = self.velocities.get(index)
            v = self.velocities[index] = g if v is None else self.momentum * v + g
        p -= self.lr * v


class Adam(Optimizer):
    """Adam: steps by the mean of the gradient over the root of the mean of its square.

    ::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        p = p - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps)

    Parameters
    ----------
    params, lr
        As for `Optimizer`.
    betas
        How much of the old means is kept.
    eps
        What keeps the divisor from 0.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2014, algorithm 1.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.asarray([1.0], requires_grad=True)
    >>> optimizer = tg.optim.Adam([w], lr=0.25)
    >>> tg.sum(w * w).backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.75], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr)
        self.betas = betas
        self.eps = eps
        self.means: dict[int, tuple[Array, Array]] = {}

    def _update(self, index: int, p: Array, g: Array) -> None:
        beta1, beta2 = self.betas
        if index not in self.means:
            self.means[index] = xp.zeros_like(p), xp.zeros_like(p)
        m, v = self.means[index]
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        scale = xp.sqrt(v)
        scale /= math.sqrt(1 - beta2**self.steps)
        scale += self.eps
        p -= self.lr / (1 - beta1**self.steps) * (m / scale)
