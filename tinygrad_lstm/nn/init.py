"""Initial values of parameters, named as in `torch.nn.init`.

Each function gives a leaf (or a constant) other values, as `assign_` does, and returns it. Random numbers are drawn on
the host, so that one seed gives the same ones on every backend. Below, n_in and n_out are how many numbers go into one
output of a layer and how many outputs one input goes into: for a weight of shape (n_out, n_in) what they say, with
axes behind those, as convolutions have them, both times as many.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

from .. import backend
from ..backend import xp
from ..tape import Node
from ..tensor import Tensor
from .module import Parameter

__all__ = [
    "calculate_gain", "constant_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_",
    "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip

GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0, "sigmoid": 1.0,
    "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
}  # fmt: skip


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """Draw from U(a, b): spread evenly from ``a`` to ``b``.

    Parameters
    ----------
    tensor
        A leaf or a constant of floating point, any shape.
    a, b
        The bounds.

    Raises
    ------
    RuntimeError, TypeError
        If the tensor is the result of an op, or not floating point. This is so for all that gives initial values.
    ValueError
        If ``a`` is above ``b``.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.nn.init.uniform_(tg.zeros((100,), requires_grad=True), -0.5, 0.5)
    >>> bool(-0.5 <= w.min() < -0.4), w.requires_grad
    (True, True)
    """
    if not a <= b:
        raise ValueError(f"uniform_: got a = {a} and b = {b}, wanted the first not above the second.")
    return _fill("uniform_", tensor, backend.rng.uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """Draw from the normal distribution.

    Parameters
    ----------
    tensor
        As for `uniform_`.
    mean, std
        Its mean and its standard deviation.

    Raises
    ------
    ValueError
        If ``std`` is negative.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.nn.init.normal_(tg.zeros((10_000,)), mean=1.0, std=0.5)
    >>> abs(w.mean().item() - 1.0) < 0.1
    True
    """
    if not std >= 0:
        raise ValueError(f"normal_: got std = {std}, wanted a number that is not negative.")
    return _fill("normal_", tensor, backend.rng.normal(mean, std, tensor.shape))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Tensor:
    """Draw from the part of the normal distribution that is between two bounds.

    A share of the distribution is drawn, evenly from that below ``a`` to that below ``b``: the number is where it ends.

    Parameters
    ----------
    tensor
        As for `uniform_`.
    mean, std
        The mean and the standard deviation of the whole distribution.
    a, b
        The bounds.

    Raises
    ------
    ValueError
        If ``a`` is not below ``b``, or ``std`` not above 0.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> w = tg.nn.init.trunc_normal_(tg.zeros((1000,)), a=-0.5, b=1.0)
    >>> bool(-0.5 <= w.min() < -0.4), bool(0.9 < w.max() <= 1.0)
    (True, True)
    """
    if not a < b:
        raise ValueError(f"trunc_normal_: got a = {a} and b = {b}, wanted the first below the second.")
    if not std > 0:
        raise ValueError(f"trunc_normal_: got std = {std}, wanted a number above 0.")
    low, high = (math.erfc((mean - bound) / (std * math.sqrt(2))) / 2 for bound in (a, b))
    shares = backend.rng.uniform(low, high, tensor.shape).clip(5e-324, 1 - 2**-53)
    places = map(NormalDist(mean, std).inv_cdf, shares.reshape(-1).tolist())
    return _fill("trunc_normal_", tensor, backend.host_array(list(places)).reshape(tensor.shape).clip(a, b))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Set every element to one number.

    Parameters
    ----------
    tensor
        As for `uniform_`.
    val
        The number.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> lstm = tg.nn.LSTM(3, 2)
    >>> tg.nn.init.constant_(lstm.bias_hh_l0, 0.5)
    Tensor([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], requires_grad=True)
    """
    return _fill("constant_", tensor, xp.full(tensor.shape, val, dtype="float64"))


def zeros_(tensor: Tensor) -> Tensor:
    """Set every element to 0.

    >>> import tinygrad_lstm as tg
    >>> tg.nn.init.zeros_(tg.nn.Linear(3, 2).bias)
    Tensor([0., 0.], requires_grad=True)
    """
    return constant_(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Set every element to 1.

    >>> import tinygrad_lstm as tg
    >>> tg.nn.init.ones_(tg.nn.Linear(3, 2).bias)
    Tensor([1., 1.], requires_grad=True)
    """
    return constant_(tensor, 1)


def eye_(tensor: Tensor) -> Tensor:
    """Make a matrix the identity: ones on its diagonal, zeros elsewhere.

    Raises
    ------
    ValueError
        If it has not two axes.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.nn.init.eye_(tg.nn.Linear(3, 2).weight)
    Tensor([[1., 0., 0.],
            [0., 1., 0.]], requires_grad=True)
    """
    if tensor.ndim != 2:
        raise ValueError(f"eye_: got shape {tensor.shape}, wanted two axes.")
    return _fill("eye_", tensor, xp.eye(*tensor.shape, dtype=tensor.dtype))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Draw from U(-k, k) so that neither outputs nor gradients grow or shrink from layer to layer, on average.

    ::

        k = gain * sqrt(6 / (n_in + n_out))

    Parameters
    ----------
    tensor
        The weight, with two axes or more.
    gain
        What everything is multiplied by; `calculate_gain` knows it.

    Raises
    ------
    ValueError
        If the tensor has fewer than two axes.

    References
    ----------
    X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> layer = tg.nn.Linear(400, 200)
    >>> _ = tg.nn.init.xavier_uniform_(layer.weight)
    >>> 0.09 < layer.weight.max().item() <= 0.1
    True
    """
    bound = gain * math.sqrt(6 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """Draw from the normal distribution with the variance of `xavier_uniform_`.

    The parameters and errors are those of `xavier_uniform_`.

    ::

        std = gain * sqrt(2 / (n_in + n_out))

    >>> import tinygrad_lstm as tg
    >>> layer = tg.nn.Linear(300, 200)
    >>> tg.nn.init.xavier_normal_(layer.weight, gain=10.0).std().item()
    0.6...
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans("xavier_normal_", tensor))))


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Draw from U(-k, k) so that layers with a nonlinearity neither grow nor shrink what goes through, on average.

    ::

        k = gain * sqrt(3 / n)

    Parameters
    ----------
    tensor
        The weight, with two axes or more.
    a
        The slope of ``leaky_relu`` below 0.
    mode
        ``"fan_in"``, n = n_in, for the outputs, or ``"fan_out"``, n = n_out, for the gradients.
    nonlinearity
        What follows the layer; `calculate_gain` knows its gain.

    Raises
    ------
    ValueError
        If the tensor has fewer than two axes, or a word is unknown.

    References
    ----------
    K. He et al., "Delving deep into rectifiers", ICCV 2015.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> layer = tg.nn.Linear(600, 100)
    >>> _ = tg.nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    >>> 0.09 < layer.weight.max().item() <= 0.1
    True
    """
    bound = math.sqrt(3) * _kaiming("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """Draw from the normal distribution with the variance of `kaiming_uniform_`.

    The parameters and errors are those of `kaiming_uniform_`.

    ::

        std = gain / sqrt(n)

    >>> import tinygrad_lstm as tg
    >>> layer = tg.nn.Linear(200, 300)
    >>> abs(tg.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu").std().item() - 0.1) < 0.01
    True
    """
    return normal_(tensor, 0.0, _kaiming("kaiming_normal_", tensor, a, mode, nonlinearity))


def orthogonal_(tensor: Tensor, gain: float = 1.0, *, blocks: int = 1) -> Tensor:
    """Make a matrix orthogonal, any one as likely as any other: products with it keep lengths, however many there are.

    Parameters
    ----------
    tensor
        The matrix; axes behind the second count as one with it. Where it has more rows than columns its columns are
        orthonormal, else its rows.
    gain
        What everything is multiplied by.
    blocks
        How many equal blocks of rows to make orthogonal each by itself: 4 for the recurrent weight of an LSTM, whose
        gates stand one below the other, and 3 for a GRU's.

    Raises
    ------
    ValueError
        If the tensor has fewer than two axes, or its rows are not so many equal blocks.

    References
    ----------
    A. Saxe, J. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks", ICLR 2014; for recurrent weights Q. Le, N. Jaitly and G. Hinton, "A simple way to initialize recurrent
    networks of rectified linear units", 2015. F. Mezzadri, "How to generate random matrices from the classical compact
    groups", Notices of the AMS 54, 2007, for why the signs in QR matter.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> lstm = tg.nn.LSTM(3, 2)
    >>> W_i, W_f, W_g, W_o = tg.split(tg.nn.init.orthogonal_(lstm.weight_hh_l0, blocks=4).detach(), 4)
    >>> (tg.abs(W_f @ W_f.T - tg.eye(2)) < 1e-6).all().item()
    True
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: got shape {tensor.shape}, wanted two axes or more.")
    rows = tensor.shape[0]
    if blocks < 1 or rows % blocks != 0:
        raise ValueError(f"orthogonal_: got {rows} rows and blocks = {blocks}, wanted rows that make equal blocks.")
    shape = (rows // blocks, math.prod(tensor.shape[1:]))
    parts = [_orthogonal(*shape) for _ in range(blocks)]
    return _fill("orthogonal_", tensor, gain * backend.host_array(parts).reshape(tensor.shape))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return by what weights are to be larger in front of a nonlinearity for what goes through to keep its size.

    ================================  =======================
    ``linear``, ``conv1d`` and so on  1
    ``sigmoid``                       1
    ``tanh``                          5 / 3
    ``relu``                          sqrt(2)
    ``leaky_relu``                    sqrt(2 / (1 + slope^2))
    ``selu``                          3 / 4
    ================================  =======================

    Parameters
    ----------
    nonlinearity
        Its name, as that of its function.
    param
        The slope of ``leaky_relu``, 0.01 if None.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        names = ", ".join(map(repr, [*GAINS, "leaky_relu"]))
        raise ValueError(f"calculate_gain: got nonlinearity={nonlinearity!r}, wanted one of {names}.")
    return GAINS[nonlinearity]


def uniform(*shape: int, bound: float) -> Tensor:
    """Return a parameter drawn from U(-bound, bound)."""
    return Parameter(uniform_(Tensor(xp.empty(shape, dtype="float32")), -bound, bound))


def normal(*shape: int) -> Tensor:
    """Return a parameter drawn from the normal distribution with mean 0 and variance 1."""
    return Parameter(normal_(Tensor(xp.empty(shape, dtype="float32"))))


def _fill(op: str, tensor: Tensor, values: Any) -> Tensor:
    """Give a tensor its values, in its own type."""
    if isinstance(tensor.node, Node):
        raise RuntimeError(f"{op}: got the result of {tensor.node.name}, wanted a leaf.")
    if tensor.dtype.kind != "f":
        raise TypeError(f"{op}: got a tensor of {tensor.dtype}, wanted floating point.")
    return tensor.assign_(values)


def _fans(op: str, tensor: Tensor) -> tuple[int, int]:
    """Return n_in and n_out of a weight."""
    if tensor.ndim < 2:
        raise ValueError(f"{op}: got shape {tensor.shape}, wanted two axes or more.")
    n_out, n_in, *field = tensor.shape
    return max(math.prod((n_in, *field)), 1), max(math.prod((n_out, *field)), 1)


def _kaiming(op: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """Return the standard deviation of Kaiming's initial values."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{op}: got mode={mode!r}, wanted 'fan_in' or 'fan_out'.")
    n_in, n_out = _fans(op, tensor)
    return calculate_gain(nonlinearity, a) / math.sqrt(n_in if mode == "fan_in" else n_out)


def _orthogonal(rows: int, columns: int) -> Any:
    """Return a matrix in host memory with orthonormal columns, or rows where those are fewer."""
    if rows < columns:
        return _orthogonal(columns, rows).T
    return backend.orthonormal(backend.rng.standard_normal((rows, columns)))
