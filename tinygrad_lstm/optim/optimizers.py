"""Optimisers: how parameters follow their gradients, as `torch.optim` defines it.

In the equations g is the gradient, p a parameter and t the number of its steps, this one included. Everything is
computed in place, in the memory of the last step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from .. import kernels
from ..backend import Array, xp
from ..tensor import Tensor
from .optimizer import Group, Memory, Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]


class SGD(Optimizer):
    """Stochastic gradient descent.

    ::

        g = g + weight_decay * p
        v = momentum * v + (1 - dampening) * g      at the first step v = g
        p = p - lr * v                              with nesterov: p - lr * (g + momentum * v)

    Parameters
    ----------
    params
        As for `Optimizer`.
    lr
        The learning rate.
    momentum
        How much of the last step goes into this one.
    dampening
        How much of the gradient does not.
    weight_decay
        The factor of the penalty ``p * p / 2``, for each element.
    nesterov
        Whether to go by the gradient and the step that will follow from it; it wants momentum and no dampening.

    Raises
    ------
    TypeError, ValueError
        As for `Optimizer`, and if ``nesterov`` has no momentum or some dampening.

    References
    ----------
    I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013, for momentum of
    both kinds; PyTorch's differs from theirs in that ``lr`` stands outside of ``v``.

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

    not_negative = ("lr", "momentum", "weight_decay")
    may_remember = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 0.001,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov
        )

    def check(self, group: Group) -> None:
        """Refuse settings that make no sense."""
        super().check(group)
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise ValueError(
                f"SGD: got nesterov with momentum = {group['momentum']} and dampening = {group['dampening']}, wanted "
                "momentum above 0 and no dampening."
            )

    def update(self, p: Array, g: Array, memory: Memory, group: Group) -> None:
        """Change ``p`` in place by its gradient ``g``."""
        momentum = group["momentum"]
        a, g = self.room(p), self.decayed(p, g, group)
        if momentum:
            g = self._with_momentum(g, memory, group, a)
        p -= xp.multiply(g, group["lr"], out=a)

    def _with_momentum(self, g: Array, memory: Memory, group: Group, a: Array) -> Array:
        """Return what to go by instead of the gradient, with an array to compute in."""
        momentum, dampening = group["momentum"], group["dampening"]
        if "momentum_buffer" not in memory:
            v = memory["momentum_buffer"] = xp.array(g)
        else:
            v = self.recall("momentum_buffer", memory, g)
            v *= momentum
            v += xp.multiply(g, 1 - dampening, out=a) if dampening else g
        if not group["nesterov"]:
            return v
        xp.multiply(v, momentum, out=a)
        a += g
        return a


class Adam(Optimizer):
    """Adam: steps by the mean of the gradient over the root of the mean of its square.

    ::

        g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        p = p - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    Parameters
    ----------
    params
        As for `Optimizer`.
    lr
        The learning rate: about how far a step goes in each direction.
    betas
        How much of the old means is kept.
    eps
        What keeps the divisor from 0.
    weight_decay
        The factor of the penalty ``p * p / 2``, for each element; `AdamW` has the decay that does not pass the means.
    amsgrad
        Whether to divide by the root of the largest ``v`` so far in place of the present one.

    Raises
    ------
    TypeError, ValueError
        As for `Optimizer`, and if ``betas`` are not two numbers from 0 to below 1.

    References
    ----------
    D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1. S. J. Reddi, S. Kale
    and S. Kumar, "On the convergence of Adam and beyond", ICLR 2018, for ``amsgrad``.

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

    not_negative = ("lr", "eps", "weight_decay")
    remembers = ("step", "exp_avg", "exp_avg_sq")
    may_remember = ("max_exp_avg_sq",)

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad)

    def check(self, group: Group) -> None:
        """Refuse settings that make no sense."""
        super().check(group)
        betas = group["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{type(self).__name__}: got betas = {betas}, wanted two numbers from 0 to below 1.")

    def update(self, p: Array, g: Array, memory: Memory, group: Group) -> None:
        """Change ``p`` in place by its gradient ``g``."""
        beta1, beta2 = betas = group["betas"]
        t = memory["step"] = memory.get("step", 0) + 1
        g = self.decayed(p, g, group)
        m, v = self.recall("exp_avg", memory, p), self.recall("exp_avg_sq", memory, p)
        root = math.sqrt(1 - beta2**t)  # put on eps and on lr, so that the division by it takes no pass of its own
        eps, lr = group["eps"] * root, group["lr"] * root / (1 - beta1**t)
        if group["amsgrad"]:
            self._move(p, g, m, v, betas, eps, lr, self.recall("max_exp_avg_sq", memory, p))
        else:
            move = kernels.adam(p, g, m, v) or self._move
            move(p, g, m, v, betas, eps, lr)

    def _move(
        self, p: Array, g: Array, m: Array, v: Array, betas: tuple[float, float], eps: float, lr: float,
        largest: Array | None = None,
    ) -> None:  # fmt: skip
        """Change a parameter and its means; ``eps`` and ``lr`` are corrected for the number of the step."""
        beta1, beta2 = betas
        a = self.room(p)
        m *= beta1
        m += xp.multiply(g, 1 - beta1, out=a)
        v *= beta2
        xp.multiply(g, g, out=a)
        a *= 1 - beta2
        v += a
        if largest is not None:
            v = xp.maximum(largest, v, out=largest)
        xp.sqrt(v, out=a)
        a += eps
        xp.divide(m, a, out=a)
        a *= lr
        p -= a


class AdamW(Adam):
    """Adam with decoupled weight decay: parameters shrink by themselves, beside a step that knows nothing of it.

    ::

        p = p - lr * weight_decay * p, and then Adam's step without weight decay

    The parameters are those of `Adam`; ``weight_decay`` is 0.01 by default.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.asarray([1.0], requires_grad=True)
    >>> optimizer = tg.optim.AdamW([w], lr=0.25, weight_decay=0.5)
    >>> w.sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.625], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def decayed(self, p: Array, g: Array, group: Group) -> Array:
        """Shrink the parameter, and return the gradient as it is."""
        if group["weight_decay"]:
            p *= 1 - group["lr"] * group["weight_decay"]
        return g


class RMSprop(Optimizer):
    """RMSprop: steps by the gradient over the root of the mean of its square.

    ::

        g = g + weight_decay * p
        v = alpha * v + (1 - alpha) * g * g
        d = g / (sqrt(v) + eps)                     centered: g / (sqrt(v - m * m) + eps)
        b = momentum * b + d                            with m = alpha * m + (1 - alpha) * g
        p = p - lr * b                              without momentum: p - lr * d

    Parameters
    ----------
    params
        As for `Optimizer`.
    lr
        The learning rate.
    alpha
        How much of the old mean is kept.
    eps
        What keeps the divisor from 0.
    weight_decay
        The factor of the penalty ``p * p / 2``, for each element.
    momentum
        How much of the last step goes into this one.
    centered
        Whether to divide by the gradient's standard deviation. Where rounding makes the variance negative it is taken
        as 0; PyTorch's step is not a number there.

    References
    ----------
    T. Tieleman and G. Hinton, "Lecture 6.5: RMSProp", COURSERA: Neural networks for machine learning, 2012. A. Graves,
    "Generating sequences with recurrent neural networks", 2013, for ``centered`` and ``momentum``.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.asarray([1.0], requires_grad=True)
    >>> optimizer = tg.optim.RMSprop([w], lr=0.25, alpha=0.75)
    >>> tg.sum(w * w).backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.5], requires_grad=True)
    """

    not_negative = ("lr", "alpha", "eps", "weight_decay", "momentum")
    remembers = ("step", "square_avg")
    may_remember = ("momentum_buffer", "grad_avg")

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered
        )

    def update(self, p: Array, g: Array, memory: Memory, group: Group) -> None:
        """Change ``p`` in place by its gradient ``g``."""
        alpha, momentum = group["alpha"], group["momentum"]
        memory["step"] = memory.get("step", 0) + 1
        a, g = self.room(p), self.decayed(p, g, group)
        v = self.recall("square_avg", memory, p)
        xp.multiply(g, g, out=a)
        a *= 1 - alpha
        v *= alpha
        v += a
        if group["centered"]:
            m = self.recall("grad_avg", memory, p)
            m *= alpha
            m += xp.multiply(g, 1 - alpha, out=a)
            xp.multiply(m, m, out=a)
            v = xp.subtract(v, a, out=a)
            v = xp.maximum(v, 0, out=a)
        xp.sqrt(v, out=a)
        a += group["eps"]
        xp.divide(g, a, out=a)
        if momentum:
            b = self.recall("momentum_buffer", memory, p)
            b *= momentum
            b += a
            xp.multiply(b, group["lr"], out=a)
        else:
            a *= group["lr"]
        p -= a


class Adagrad(Optimizer):
    """Adagrad: steps by the gradient over the root of the sum of all its squares.

    ::

        g = g + weight_decay * p
        s = s + g * g
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Parameters
    ----------
    params
        As for `Optimizer`.
    lr
        The learning rate.
    lr_decay
        How fast it falls with the number of steps.
    weight_decay
        The factor of the penalty ``p * p / 2``, for each element.
    initial_accumulator_value
        What ``s`` is at first.
    eps
        What keeps the divisor from 0.

    References
    ----------
    J. Duchi, E. Hazan and Y. Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
    Journal of Machine Learning Research 12, 2011.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.asarray([1.0], requires_grad=True)
    >>> optimizer = tg.optim.Adagrad([w], lr=0.25)
    >>> tg.sum(w * w).backward()
    >>> optimizer.step()
    >>> w
    Tensor([0.75], requires_grad=True)
    """

    not_negative = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
    remembers = ("step", "sum")

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 0.01,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(
            params,
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )

    def update(self, p: Array, g: Array, memory: Memory, group: Group) -> None:
        """Change ``p`` in place by its gradient ``g``."""
        t = memory["step"] = memory.get("step", 0) + 1
        a, g = self.room(p), self.decayed(p, g, group)
        s = self.recall("sum", memory, p, group["initial_accumulator_value"])
        s += xp.multiply(g, g, out=a)
        xp.sqrt(s, out=a)
        a += group["eps"]
        xp.divide(g, a, out=a)
        a *= group["lr"] / (1 + (t - 1) * group["lr_decay"])
        p -= a
