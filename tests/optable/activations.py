"""Activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import (
    ALONG_AXIS,
    SHAPES,
    UNARY,
    Host,
    Row,
    Sample,
    Samples,
    Shape,
    one,
    several,
    shapes,
    softmax,
    torch,
    unary,
    with_length,
)


def wide(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers on both sides of every kink."""
    return rng.uniform(-8, 8, shape)


def with_settings(*settings: tuple[Any, ...]) -> Samples:
    """Return samples of one array each, with one of these settings."""
    return Samples(
        [one(shape, *setting) for shape, setting in zip(SHAPES, settings * len(SHAPES), strict=False)],
        st.builds(lambda shape, setting: one(shape, *setting), shapes(), st.sampled_from(settings)),
    )


def functional(name: str, reference: Callable[..., Any], samples: Samples = UNARY, **options: Any) -> Row:
    """Return the row of an activation that has the same name and settings in PyTorch."""
    options = {"torch": lambda *args: getattr(torch.nn.functional, name)(*args), "domain": wide, **options}
    return Row(name, samples, reference, floating=True, **options)


@st.composite
def _preluded(draw: Any) -> Sample:
    """Draw an input, and one weight or as many as there are channels."""
    shape = draw(shapes())
    channels = shape[1] if len(shape) > 1 else 1
    return several(shape, draw(st.sampled_from([(), (1,), (channels,)])))


@st.composite
def _even(draw: Any) -> Sample:
    """Draw a shape and an axis of even length."""
    shape = draw(shapes(min_dims=1))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    return one(with_length(shape, axis, 2 * draw(st.integers(0, 2))), axis)


PRELUS = Samples(
    [
        several((), ()), several((), (1,)), several((3,), (1,)), several((2, 3), (3,)), several((2, 3, 4), (3,)),
        several((2, 3), ()), several((2, 0), (0,)), several((0, 3), (3,)),
    ],
    _preluded(),
)  # fmt: skip
GLUS = Samples([one((4,), -1), one((2, 3), 0), one((3, 0), 1), one((0, 2), -1), one((2, 4, 3), 1)], _even())


def normal(x: Host) -> Host:
    """Return the distribution function of the normal distribution."""
    return 0.5 * (1 + np.vectorize(math.erf, otypes=[x.dtype])(x / math.sqrt(2)))


def exponential_unit(x: Host, alpha: float = 1, inner: float = 1) -> Host:
    """Return x above 0 and alpha * (exp(inner * x) - 1) below."""
    return np.where(x > 0, x, alpha * np.expm1(inner * x))


def softplus(x: Host, beta: float = 1, threshold: float = 20) -> Host:
    """Return log(1 + exp(beta * x)) / beta, and x above the threshold."""
    return np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta)


def prelu(x: Host, weight: Host) -> Host:
    """Return x above 0 and a channel's weight times x below."""
    weight = weight.reshape((-1,) + (1,) * (x.ndim - 2)) if weight.size != 1 else weight.reshape(())
    return np.where(x > 0, x, weight * x)


def glu(x: Host, axis: int) -> Host:
    """Return the first half opened by the second."""
    value, opening = np.split(x, 2, axis)
    return value / (1 + np.exp(-opening))


ROWS = [
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)), floating=True),
    functional("logsigmoid", lambda x: -np.logaddexp(0, -x)),
    functional("softplus", softplus, with_settings((), (2.0,), (0.5, 1.0), (3.0, math.inf))),
    functional("silu", lambda x: x / (1 + np.exp(-x))),
    functional("mish", lambda x: x * np.tanh(np.logaddexp(0, x))),
    functional("gelu", lambda x: x * normal(x)),
    functional("gelu", lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
               torch=lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
               call=lambda x: tg.gelu(x, approximate="tanh")),
    functional("softsign", lambda x: x / (1 + np.abs(x))),
    unary("relu", lambda x: np.maximum(x, 0)),
    functional("relu6", lambda x: np.clip(x, 0, 6)),
    functional("hardtanh", lambda x, low=-1, high=1: np.clip(x, low, high), with_settings((), (-0.5, 3.0))),
    functional("hardsigmoid", lambda x: np.clip(x + 3, 0, 6) / 6,
               torch=lambda x: torch.nn.functional.relu6(x + 3) / 6),  # its own slope is 1 / 6 in float32
    functional("hardswish", lambda x: x * (np.clip(x + 3, 0, 6) / 6)),
    functional("leaky_relu", lambda x, slope=0.01: np.where(x > 0, x, slope * x), with_settings((), (0.3,), (-2.0,))),
    functional("prelu", prelu, PRELUS),
    functional("elu", exponential_unit, with_settings((), (0.5,))),
    functional("celu", lambda x, alpha=1: exponential_unit(x, alpha, 1 / alpha), with_settings((), (0.5,), (-2.0,))),
    functional("selu", lambda x: 1.0507009873554805 * exponential_unit(x, 1.6732632423543772)),
    functional("glu", glu, GLUS),
    Row("softmax", ALONG_AXIS, softmax, lambda x, axis: x.softmax(axis), floating=True),
    Row("log_softmax", ALONG_AXIS, lambda x, axis: np.log(softmax(x, axis)), lambda x, axis: x.log_softmax(axis),
        floating=True),
]  # fmt: skip
