"""HIPS autograd, MyGrad and tinygrad: an LSTM made of their primitives, and chains of their ops.

Each is used as its own documents say. The recurrence is one for all: the input's shares of all steps are one product,
and a step is a product, four gates and two updates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from .declarations import Step
from .layers import Work

Loss = Callable[[Mapping[str, Any], Any, Any], Any]
"""The mean of squares of a recurrence's outputs, from its weights, its input and a first state of zeros."""


def cell_loss(lib: Any, cell: Callable[..., Any]) -> Loss:
    """Return the loss of a loop over a cell ``(lib, w, x, h, c) -> (h, c)``."""

    def loss(w: Mapping[str, Any], x: Any, zeros: Any) -> Any:
        h = c = zeros
        outputs = []
        for t in range(len(x)):
            h, c = cell(lib, w, x[t], h, c)
            outputs.append(h)
        return lib.mean_of_squares(lib.stack(outputs))

    return loss


def stacked_loss(lib: Any) -> Loss:
    """Return the loss of an LSTM in primitives, what does not wait for the state being computed beforehand."""

    def loss(w: Mapping[str, Any], x: Any, zeros: Any) -> Any:
        a = x @ w["weight_ih_l0"].T + (w["bias_ih_l0"] + w["bias_hh_l0"])
        W, H = w["weight_hh_l0"].T, zeros.shape[1]
        h = c = zeros
        outputs = []
        for t in range(len(x)):
            z = a[t] + h @ W
            i, f, g, o = (z[:, n * H : (n + 1) * H] for n in range(4))
            c = lib.sigmoid(f) * c + lib.sigmoid(i) * lib.tanh(g)
            h = lib.sigmoid(o) * lib.tanh(c)
            outputs.append(h)
        return lib.mean_of_squares(lib.stack(outputs))

    return loss


def hips() -> Any:
    """Return what a recurrence needs of HIPS autograd, whose sigmoid is a tanh as in its own example of an LSTM."""
    import autograd.numpy as anp

    return SimpleNamespace(
        tanh=anp.tanh,
        sigmoid=lambda a: 0.5 * (anp.tanh(0.5 * a) + 1.0),
        stack=anp.stack,
        mean_of_squares=lambda y: anp.mean(y * y),
    )


def my() -> Any:
    """Return what it needs of MyGrad, which is not to watch over who writes to arrays: its own advice for speed."""
    import mygrad
    from mygrad.nnet.activations import sigmoid

    mygrad.turn_memory_guarding_off()
    return SimpleNamespace(
        tanh=mygrad.tanh,
        sigmoid=sigmoid,
        stack=mygrad.stack,
        mean_of_squares=lambda y: mygrad.mean(mygrad.square(y)),
    )


def tiny() -> Any:
    """Return what it needs of tinygrad."""
    from tinygrad import Tensor

    return SimpleNamespace(
        tanh=Tensor.tanh,
        sigmoid=Tensor.sigmoid,
        stack=lambda tensors: Tensor.stack(*tensors),
        mean_of_squares=lambda y: y.square().mean(),
    )


def zeros(work: Work) -> Any:
    """Return a first state."""
    return np.zeros((work.x.shape[1], work.sizes[1]), "float32")


def hips_step(work: Work, make: Callable[[Any], Loss]) -> Step:
    """Return a training step with HIPS autograd."""
    from autograd import grad

    gradients, first = grad(make(hips())), zeros(work)
    found: dict[str, Any] = {}
    return Step(lambda: found.update(gradients(work.weights, work.x, first)), lambda: found)


def my_step(work: Work, make: Callable[[Any], Loss]) -> Step:
    """Return a training step with MyGrad."""
    import mygrad

    loss, first = make(my()), mygrad.tensor(zeros(work), constant=True)
    w = {name: mygrad.tensor(weight) for name, weight in work.weights.items()}
    x = mygrad.tensor(work.x, constant=True)

    def run() -> None:
        for weight in w.values():
            weight.null_grad()
        loss(w, x, first).backward()

    return Step(run, lambda: {name: weight.grad for name, weight in w.items()})


def tiny_step(work: Work, make: Callable[[Any], Loss]) -> Step:
    """Return a training step with tinygrad, compiled by its ``TinyJit``, which looks on twice before it does."""
    from tinygrad import Device, Tensor, TinyJit

    loss, first = make(tiny()), Tensor(zeros(work))
    w = {name: Tensor(weight) for name, weight in work.weights.items()}
    x = Tensor(work.x)

    @TinyJit
    def step() -> Any:
        gradients = loss(w, x, first).gradient(*w.values())
        Tensor.realize(*gradients)
        return gradients

    found: dict[str, Any] = {}

    def run() -> None:
        found.update(zip(w, step(), strict=True))
        Device[Device.DEFAULT].synchronize()

    for _ in range(2):
        run()
    return Step(run, lambda: {name: gradient.numpy() for name, gradient in found.items()})


Chain = Callable[[Any], Any]
"""A function of one array."""


def hips_chain(x: Any, make: Callable[[Any], Chain]) -> Step:
    """Return a chain of HIPS autograd's ops; ``make`` gets its tanh."""
    import autograd.numpy as anp
    from autograd import grad

    apply = make(anp.tanh)
    gradient = grad(lambda x: anp.sum(apply(x)))
    found: dict[str, Any] = {}
    return Step(lambda: found.update(x=gradient(x)), lambda: found)


def my_chain(x: Any, make: Callable[[Any], Chain]) -> Step:
    """Return a chain of MyGrad's."""
    import mygrad

    mygrad.turn_memory_guarding_off()
    leaf, apply = mygrad.tensor(x), make(mygrad.tanh)

    def run() -> None:
        leaf.null_grad()
        apply(leaf).sum().backward()

    return Step(run, lambda: {"x": leaf.grad})
