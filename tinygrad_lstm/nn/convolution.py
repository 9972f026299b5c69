"""Convolutions with weights of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar

from ..ops import conv1d, conv2d
from ..ops.shape import at_least
from ..ops.windows import Setting, per_axis
from ..tensor import Tensor
from .init import uniform
from .module import Module

__all__ = ["Conv1d", "Conv2d"]


class _Convolution(Module):
    """A convolution over so many axes."""

    _axes: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Setting,
        stride: Setting = 1,
        padding: Setting | str = 0,
        dilation: Setting = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        name = type(self).__name__
        in_channels, out_channels = (
            at_least(0, name, what, count)
            for what, count in (("in_channels", in_channels), ("out_channels", out_channels))
        )
        per_axis(name, "groups", groups, 1, 1)
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: got in_channels={in_channels}, out_channels={out_channels} and groups={groups}, wanted "
                "groups that divide both."
            )
        shape = (in_channels // groups, *per_axis(name, "kernel_size", kernel_size, self._axes, 1))
        bound = 1 / math.sqrt(math.prod(shape)) if in_channels else 0.0
        self.weight = uniform(out_channels, *shape, bound=bound)
        self.bias = uniform(out_channels, bound=bound) if bias else None
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups

    def _by(self, op: Callable[..., Tensor], x: Tensor) -> Tensor:
        """Return what an op makes of an input, by the weights and settings."""
        settings = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}
        return op(x, self.weight, self.bias, **settings)


class Conv1d(_Convolution):
    """Convolve along the last axis: `tinygrad_lstm.conv1d` with a weight and a bias of its own.

    Parameters
    ----------
    in_channels, out_channels
        The length of the axis before the last, before and after.
    kernel_size
        The length of the kernel.
    stride, padding, dilation, groups
        As for `tinygrad_lstm.conv1d`.
    bias
        Whether there is a bias.

    Attributes
    ----------
    weight
        Shape (out_channels, in_channels / groups, kernel_size); drawn from U(-k, k) with
        k = 1 / sqrt(in_channels / groups * kernel_size), as in PyTorch.
    bias
        Shape (out_channels,), drawn likewise; None without.

    Raises
    ------
    ValueError
        If the groups do not divide the channels, or the kernel is empty.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.nn.Conv1d(3, 8, kernel_size=5, padding="same")(tg.ones((4, 3, 20))).shape
    (4, 8, 20)
    """

    _axes = 1

    def forward(self, x: Tensor) -> Tensor:
        """Return the output (N, out_channels, M) for one of shape (N, in_channels, L), or both without N."""
        return self._by(conv1d, x)


class Conv2d(_Convolution):
    """Convolve over the last two axes: `tinygrad_lstm.conv2d` with a weight and a bias of its own.

    Parameters
    ----------
    in_channels, out_channels
        The length of the axis before those, before and after.
    kernel_size
        How high and wide the kernel is: one int for both, or a pair.
    stride, padding, dilation, groups
        As for `tinygrad_lstm.conv2d`.
    bias
        Whether there is a bias.

    Attributes
    ----------
    weight
        Shape (out_channels, in_channels / groups, KH, KW); drawn from U(-k, k) with
        k = 1 / sqrt(in_channels / groups * KH * KW), as in PyTorch.
    bias
        Shape (out_channels,), drawn likewise; None without.

    Raises
    ------
    ValueError
        If the groups do not divide the channels, or the kernel is empty.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.nn.Conv2d(3, 16, kernel_size=5, stride=2, padding=2)(tg.ones((8, 3, 32, 32))).shape
    (8, 16, 16, 16)
    """

    _axes = 2

    def forward(self, x: Tensor) -> Tensor:
        """Return the output (N, out_channels, H', W') for one of shape (N, in_channels, H, W), or both without N."""
        return self._by(conv2d, x)
