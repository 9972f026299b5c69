"""What a row of the table is, and the samples and references that several families share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lstm as tg
from tinygrad_lstm import backend

try:
    import torch
except ImportError:
    torch = None

Host: TypeAlias = np.ndarray[Any, Any]
Shape: TypeAlias = tuple[int, ...]
Domain: TypeAlias = Callable[[np.random.Generator, Shape], Host]
DTYPES = {"f": ("float32", "float64"), "i": ("int64", "int32"), "b": ("bool",)}
"""The element types that are tried, by kind."""


def real(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers of both signs."""
    return rng.uniform(-2, 2, shape)


def positive(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers well above 0."""
    return rng.uniform(0.4, 2, shape)


def nonzero(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers of both signs, away from 0."""
    return positive(rng, shape) * rng.choice([-1, 1], shape)


def above_minus_one(rng: np.random.Generator, shape: Shape) -> Host:
    """Return numbers well above -1."""
    return rng.uniform(-0.3, 2, shape)


@dataclass(frozen=True)
class Sample:
    """The shapes of an op's arrays, and the settings behind them."""

    shapes: tuple[Shape, ...]
    settings: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Samples:
    """What an op is tried with: some samples always, others as they are drawn."""

    corners: Sequence[Sample]
    drawn: st.SearchStrategy[Sample] | None = None

    @property
    def strategy(self) -> st.SearchStrategy[Sample]:
        """The strategy that draws samples."""
        return st.sampled_from(self.corners) if self.drawn is None else self.drawn


@dataclass(frozen=True, repr=False)
class Row:
    """An op and what is true of it.

    Attributes
    ----------
    name
        The op's name in ``tg.ops.__all__``.
    samples
        What it is tried with.
    numpy, torch
        The references: functions of arrays and settings. Where there is no ``torch``, only differences are the judge.
    call
        The op as a function of arrays and settings; by default the op itself.
    domain
        Where the elements lie: one domain for all arrays.
    kinds
        The kinds of element that it takes: floating, integer, bool.
    floating
        It takes integers and bools as float32; otherwise what comes out has the type that NumPy gives it.
    differentiable
        It has a derivative.
    smooth
        Finite differences are a judge of the derivative.
    closed
        Arrays give arrays.
    """

    name: str
    samples: Samples
    numpy: Callable[..., Any]
    torch: Callable[..., Any] | None = None
    call: Callable[..., Any] | None = None
    domain: Domain = real
    kinds: str = "fib"
    floating: bool = False
    differentiable: bool = True
    smooth: bool = True
    closed: bool = True

    def __repr__(self) -> str:
        return f"<row {self.name}>"

    @property
    def op(self) -> Callable[..., Any]:
        """The op as a function of arrays and settings."""
        return self.call or getattr(tg, self.name)

    @property
    def dtypes(self) -> list[str]:
        """The element types that it is tried with."""
        return [dtype for kind in self.kinds for dtype in DTYPES[kind]]

    def arrays(self, sample: Sample, dtype: str, seed: int = 0) -> list[Host]:
        """Return arrays of the sample's shapes from the op's domain; integers are the domain's, three times as wide."""
        rng = np.random.default_rng(seed)
        drawn = [np.asarray(self.domain(rng, shape)) for shape in sample.shapes]
        if np.dtype(dtype).kind == "f":
            return [x.astype(dtype) for x in drawn]
        return [(np.rint(3 * x) if dtype != "bool" else x > 0.6).astype(dtype) for x in drawn]

    def reference(self, arrays: Sequence[Host], settings: Sequence[Any] = ()) -> list[Host]:
        """Return what NumPy says of arrays in their common type, as a list of results."""
        with np.errstate(all="ignore"):
            return [np.asarray(y) for y in as_list(self.numpy(*aligned(arrays, self.floating), *settings))]


def aligned(arrays: Sequence[Host], floating: bool = False) -> list[Host]:
    """Return arrays in their common type: floating point wins, then the wider; ``floating`` makes the rest float32."""
    if not arrays:
        return []
    floats = [x.dtype for x in arrays if x.dtype.kind == "f"] or (["float32"] if floating else [])
    dtype = np.result_type(*(floats or [x.dtype for x in arrays]))
    return [x.astype(dtype) for x in arrays]


def as_list(result: Any) -> list[Any]:
    """Return the results of an op that has one or several."""
    return list(result) if isinstance(result, (list, tuple)) else [result]


def on_device(index: Any) -> Any:
    """Return an index with its host arrays sent to the backend."""
    if isinstance(index, tuple):
        return tuple(map(on_device, index))
    return backend.to_device(index) if isinstance(index, np.ndarray) else index


def one(shape: Shape, *settings: Any) -> Sample:
    """Return a sample of one array and settings."""
    return Sample((shape,), settings)


def several(*shapes: Shape) -> Sample:
    """Return a sample of arrays alone."""
    return Sample(shapes)


def shapes(min_dims: int = 0, min_side: int = 0) -> st.SearchStrategy[Shape]:
    """Draw shapes of up to three axes; hardly ever long ones."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=3, min_side=min_side, max_side=4)


def axes(ndim: int) -> st.SearchStrategy[int]:
    """Draw an axis, counted from either end."""
    return st.integers(-ndim, ndim - 1)


def with_length(shape: Shape, axis: int, length: int) -> Shape:
    """Return a shape with another length along an axis."""
    axis %= len(shape)
    return (*shape[:axis], length, *shape[axis + 1 :])


@st.composite
def draw_reduction(draw: Any, filled: bool, several: bool) -> Sample:
    """Draw a shape, axes of it, and whether to keep them; ``filled`` leaves nothing empty to be reduced."""
    shape = draw(shapes(min_side=1 if filled else 0))
    choices = [st.none()]
    if shape:
        choices.append(axes(len(shape)))
        if several:
            choices.append(st.sets(st.integers(0, len(shape) - 1), min_size=1).map(tuple))
    return Sample((shape,), (draw(st.one_of(choices)), draw(st.booleans())))


@st.composite
def draw_along_axis(draw: Any) -> Sample:
    """Draw a shape and an axis that is not empty."""
    shape = draw(shapes(min_dims=1))
    axis = draw(axes(len(shape)))
    return Sample((with_length(shape, axis, draw(st.integers(1, 4))),), (axis,))


SHAPES: list[Shape] = [(), (0,), (1,), (3,), (2, 0, 3), (3, 1), (2, 3, 4)]
MASK = np.asarray([True, False, True])

UNARY = Samples([one(shape) for shape in SHAPES], shapes().map(one))
BINARY = Samples(
    [
        several((), ()), several((3,), ()), several((), (2, 3)), several((2, 3), (3,)), several((2, 1), (1, 3)),
        several((4, 1, 2), (3, 1)), several((0,), (1,)), several((2, 0), ()),
    ],
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3).map(lambda s: several(*s.input_shapes)),
)  # fmt: skip
ALONG_AXIS = Samples([one((3,), -1), one((0, 3), 1), one((2, 3, 4), 1)], draw_along_axis())


def to_type(*dtypes: str) -> Samples:
    """Return samples of one array each, with one of these types behind it."""
    return Samples(
        [one(shape, dtype) for shape in SHAPES for dtype in dtypes],
        st.builds(one, shapes(), st.sampled_from(dtypes)),
    )


def fixed(*settings: tuple[Any, ...]) -> Samples:
    """Return samples without arrays."""
    return Samples([Sample((), setting) for setting in settings])


def dims(x: Any, axis: Any) -> Any:
    """Return an axis, several or all as PyTorch takes them."""
    return tuple(range(x.ndim)) if axis is None else axis


def reduced(loss: Host, how: str) -> Any:
    """Return a loss reduced."""
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[how](loss)


def softmax(x: Host, axis: int) -> Host:
    """Return exp(x) over its sum."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def joined(join: Callable[..., Any], keyword: str = "axis") -> Callable[..., Any]:
    """Return a function of a sequence of arrays as one of arrays, with the axis behind them."""
    return lambda *arguments: join(list(arguments[:-1]), **{keyword: arguments[-1]})


def unary(name: str, reference: Any = None, **options: Any) -> Row:
    """Return the row of an elementwise op of one array that has the same name in NumPy and PyTorch."""
    reference = reference or getattr(np, name)
    return Row(name, UNARY, reference, lambda x: getattr(torch, name)(x), **options)


def binary(name: str, **options: Any) -> Row:
    """Return the row of an elementwise op of two arrays that has the same name in NumPy and PyTorch."""
    return Row(name, BINARY, getattr(np, name), lambda x, y: getattr(torch, name)(x, y), **options)


def constant(name: str, samples: Samples, reference: Any, call: Any) -> Row:
    """Return the row of an op that makes a tensor of settings, or of no more than another one's shape and type."""
    return Row(name, samples, reference, call=call, kinds="f", differentiable=False, closed=False)
