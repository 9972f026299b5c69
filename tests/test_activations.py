"""Activations at kinks and in the tails, normalisation of what hardly varies, and what both say of mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import optable
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend

pytestmark = pytest.mark.filterwarnings("error")

KINKS: dict[str, tuple[Callable[[Any], Any], list[float]]] = {
    "relu": (tg.relu, [-1, 0, 1]),
    "relu6": (tg.relu6, [-1, 0, 1, 6, 7]),
    "hardtanh": (tg.hardtanh, [-2, -1, 0, 1, 2]),
    "hardsigmoid": (tg.hardsigmoid, [-4, -3, 0, 3, 4]),
    "hardswish": (tg.hardswish, [-4, -3, 0, 3, 4]),
    "leaky_relu": (lambda x: tg.leaky_relu(x, 0.25), [-1, 0, 1]),
    "elu": (lambda x: tg.elu(x, 2.0), [-math.log(2), 0, 1]),
    "celu": (lambda x: tg.celu(x, 2.0), [-2 * math.log(2), 0, 1]),
    "softsign": (tg.softsign, [-1, 0, 1]),
}
"""Activations and where their slope, or its slope, is a matter of convention."""

SLOPES = {
    "relu": ([0, 0, 1], [0, 0, 0]),
    "relu6": ([0, 0, 1, 0, 0], [0, 0, 0, 0, 0]),
    "hardtanh": ([0, 0, 1, 0, 0], [0, 0, 0, 0, 0]),
    "hardsigmoid": ([0, 0, 1 / 6, 0, 0], [0, 0, 0, 0, 0]),
    "hardswish": ([0, 0, 0.5, 1, 1], [0, 0, 1 / 3, 0, 0]),
    "leaky_relu": ([0.25, 0.25, 1], [0, 0, 0]),
    "elu": ([1, 2, 1], [1, 0, 0]),
    "celu": ([0.5, 1, 1], [0.25, 0, 0]),
    "softsign": ([0.25, 1, 0.25], [0.25, 0, -0.25]),
}
"""PyTorch's first and second derivatives there, but for softsign, whose second one at 0 it gives as -0."""


@pytest.mark.parametrize("name", KINKS)
def test_slopes_at_kinks(name: str) -> None:
    op, places = KINKS[name]
    x = tg.asarray(places, dtype="float64", requires_grad=True)
    slope = tg.grad(op(x).sum(), x, create_graph=True)
    bend = tg.grad((slope + 0 * x).sum(), x)
    assert slope.tolist() == pytest.approx(SLOPES[name][0])
    assert bend.tolist() == pytest.approx(SLOPES[name][1])


@pytest.mark.peers
@pytest.mark.skipif(optable.torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", sorted(KINKS.keys() - {"hardsigmoid"}))
def test_slopes_at_kinks_are_those_of_torch(name: str) -> None:
    torch = optable.torch
    x = torch.tensor(KINKS[name][1], dtype=torch.float64, requires_grad=True)
    settings = {"leaky_relu": (0.25,), "elu": (2.0,), "celu": (2.0,)}.get(name, ())
    (slope,) = torch.autograd.grad(getattr(torch.nn.functional, name)(x, *settings).sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad((slope + 0 * x).sum(), x)
    assert slope.tolist() == pytest.approx(SLOPES[name][0])
    assert bend.tolist() == pytest.approx(SLOPES[name][1])


TAILS: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    "sigmoid": (tg.sigmoid, 0, 0),
    "logsigmoid": (tg.logsigmoid, 1, 0),
    "softplus": (tg.softplus, 0, 1),
    "silu": (tg.silu, 0, 1),
    "mish": (tg.mish, 0, 1),
    "gelu": (tg.gelu, 0, 1),
    "gelu by tanh": (lambda x: tg.gelu(x, approximate="tanh"), 0, 1),
    "elu": (tg.elu, 0, 1),
    "celu": (lambda x: tg.celu(x, 0.5), 0, 1),
    "selu": (tg.selu, 0, 1.0507009873554805),
    "softsign": (tg.softsign, 0, 0),
}
"""Activations, and their slopes far below 0 and far above."""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TAILS)
def test_nothing_overflows_in_the_tails(name: str, dtype: str) -> None:
    op, below, above = TAILS[name]
    x = tg.asarray([-1e5, -1e3, -90, 90, 1e3, 1e5], dtype=dtype, requires_grad=True)
    y = op(x)
    slope = tg.grad(y.sum(), x, create_graph=True)
    bend = tg.grad(slope.sum(), x)
    assert np.isfinite(backend.to_host(y.data)).all()
    assert slope.tolist() == pytest.approx([below] * 3 + [above] * 3, abs=2e-4)
    assert bend.tolist() == pytest.approx([0] * 6, abs=1e-5)


def test_sigmoid_is_right_to_its_last_digit_down_to_the_smallest_number() -> None:
    x = tg.asarray([-1000, -104, -100, -89, -88.5, -20, 20, 1000])
    wanted = [1 / (1 + math.exp(-v)) if v > -700 else 0 for v in x.tolist()]
    np.testing.assert_allclose(tg.sigmoid(x).numpy(), np.asarray(wanted, "float32"), rtol=4e-7, atol=1.5e-45)
    assert tg.sigmoid(tg.asarray(-740.0, dtype="float64")).item() == pytest.approx(math.exp(-740), rel=1e-2, abs=0)
    assert tg.sigmoid(tg.asarray([-float("inf"), float("inf")])).tolist() == [0, 1]


def test_tails_keep_their_digits() -> None:
    far = tg.asarray([-80.0])
    tail = math.exp(-80)
    assert tg.softplus(far).item() == pytest.approx(tail, rel=1e-5, abs=0)
    assert tg.logsigmoid(-far).item() == pytest.approx(-tail, rel=1e-5, abs=0)
    assert tg.silu(far).item() == pytest.approx(-80 * tail, rel=1e-5, abs=0)
    assert tg.mish(far).item() == pytest.approx(-80 * tail, rel=1e-5, abs=0)
    assert tg.gelu(far / 8).item() == pytest.approx(-5 * math.erfc(math.sqrt(50)), rel=1e-5, abs=0)
    assert tg.logsigmoid(tg.asarray(-1000.0)).item() == -1000
    assert tg.softplus(tg.asarray(1000.0)).item() == 1000


def test_softmax_of_nothing_is_nothing() -> None:
    for op in (tg.softmax, tg.log_softmax):
        x = tg.ones((2, 0), requires_grad=True)
        y = op(x)
        assert y.shape == tg.grad(y.sum(), x).shape == (2, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layer_norm_of_equal_and_of_far_away_values(dtype: str) -> None:
    x = tg.asarray([[5, 5, 5], [10001, 10002, 10003]], dtype=dtype, requires_grad=True)
    y = tg.layer_norm(x, 3)
    side = math.sqrt(1.5)
    assert y.detach().numpy() == pytest.approx(np.asarray([[0, 0, 0], [-side, 0, side]]), abs=1e-4)
    slope = tg.grad(tg.square(y).sum(), x).numpy()
    assert slope == pytest.approx(np.zeros((2, 3)), abs=1e-3)  # what is normalised has a fixed length


def test_dropout_of_integers_is_float32() -> None:
    assert tg.dropout(tg.arange(5), 0.5).dtype == "float32"


x3, x23 = tg.ones((3,)), tg.ones((2, 3))

MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"gelu: got approximate='erf', wanted 'none' or 'tanh'": (ValueError, lambda: tg.gelu(x3, approximate="erf")),
    r"hardtanh: got min_val = 2 and max_val = 1, wanted": (ValueError, lambda: tg.hardtanh(x3, 2, 1)),
    r"celu: got alpha = 0, wanted": (ValueError, lambda: tg.celu(x3, 0)),
    r"glu: got shape \(2, 3\), wanted an even length along axis 1": (ValueError, lambda: tg.glu(x23)),
    r"glu: got axis -1, wanted one of 0 axes": (ValueError, lambda: tg.glu(tg.asarray(1.0))),
    r"prelu: got .* \(2, 3\) .* \(2,\), wanted \(1,\) or \(3,\)": (ValueError, lambda: tg.prelu(x23, tg.ones((2,)))),
    r"prelu: got .* \(3,\) .* \(3,\), wanted \(1,\) or \(1,\)": (ValueError, lambda: tg.prelu(x3, x3)),
    r"prelu: got .* \(2, 3\) .* \(1, 3\), wanted": (ValueError, lambda: tg.prelu(x23, tg.ones((1, 3)))),
    r"prelu: got builtins\.float, wanted a tensor or an array": (TypeError, lambda: tg.prelu(x3, 0.25)),
    r"glu: got builtins\.list, wanted a tensor or an array": (TypeError, lambda: tg.glu([1.0, 2.0])),
    r"layer_norm: got x of shape \(2, 3\), normalized_shape \(2,\)": (ValueError, lambda: tg.layer_norm(x23, 2)),
    r"layer_norm: got .* normalized_shape \(\) ": (ValueError, lambda: tg.layer_norm(x3, ())),
    r"layer_norm: got .* shapes \[\(3,\), \(1,\)\], wanted": (
        ValueError, lambda: tg.layer_norm(x23, 3, x3, tg.ones((1,))),
    ),
    r"silu: got builtins\.str, wanted a tensor": (TypeError, lambda: tg.silu("x")),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()
