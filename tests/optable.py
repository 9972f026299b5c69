"""The table of all public ops: what each takes, NumPy's and PyTorch's word for it, and what comes out.

A `Row` is an op with its references, `Samples` say which shapes and settings it is tried with: corners that are always
tried, and a strategy for more. `METHODS` says which op each method and operator of a tensor is.
"""

from __future__ import annotations

import math
import operator
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


# Samples


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
def _reductions(draw: Any, filled: bool, several: bool) -> Sample:
    """Draw a shape, axes of it, and whether to keep them; ``filled`` leaves nothing empty to be reduced."""
    shape = draw(shapes(min_side=1 if filled else 0))
    choices = [st.none()]
    if shape:
        choices.append(axes(len(shape)))
        if several:
            choices.append(st.sets(st.integers(0, len(shape) - 1), min_size=1).map(tuple))
    return Sample((shape,), (draw(st.one_of(choices)), draw(st.booleans())))


@st.composite
def _along_axis(draw: Any) -> Sample:
    """Draw a shape and an axis that is not empty."""
    shape = draw(shapes(min_dims=1))
    axis = draw(axes(len(shape)))
    return Sample((with_length(shape, axis, draw(st.integers(1, 4))),), (axis,))


@st.composite
def _products(draw: Any) -> Sample:
    """Draw two factors of a matrix product: vectors, matrices, and stacks that broadcast."""
    n, m, k = (draw(st.integers(0, 3)) for _ in range(3))
    lead1, lead2 = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=2, max_side=3)).input_shapes
    left = (k,) if draw(st.booleans()) and not lead1 else (*lead1, n, k)
    right = (k,) if draw(st.booleans()) and not lead2 else (*lead2, k, m)
    return Sample((left, right))


@st.composite
def _linears(draw: Any) -> Sample:
    """Draw an input, a weight, and perhaps a bias."""
    n, m = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    x = (*draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)), n)
    return Sample((x, (m, n), *draw(st.sampled_from([(), ((m,),), ((),)]))))


@st.composite
def _reshapes(draw: Any) -> Sample:
    """Draw a shape and another one of as many elements."""
    shape = draw(shapes())
    size = math.prod(shape)
    to = draw(st.sampled_from([(size,), (1, *shape), shape[::-1], (*shape, 1)] + ([(-1,), -1] if size else [])))
    return Sample((shape,), (to,))


@st.composite
def _squeezes(draw: Any) -> Sample:
    """Draw a shape and some of its axes of length 1."""
    shape = draw(shapes(min_dims=1))
    axis = draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    shape = tuple(1 if i in axis else n for i, n in enumerate(shape))
    return Sample((shape,), (tuple(axis) if len(axis) > 1 else axis.pop() - draw(st.sampled_from([0, len(shape)])),))


@st.composite
def _broadcasts(draw: Any) -> Sample:
    """Draw a shape and one to which it broadcasts."""
    to = draw(shapes())
    shape = tuple(n if draw(st.booleans()) else 1 for n in to[draw(st.integers(0, len(to))) :])
    return Sample((shape,), (to,))


@st.composite
def _concats(draw: Any) -> Sample:
    """Draw arrays of shapes equal but for one axis."""
    shape = draw(shapes(min_dims=1))
    axis = draw(axes(len(shape)))
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    return Sample(tuple(with_length(shape, axis, n) for n in lengths), (axis,))


@st.composite
def _stacks(draw: Any) -> Sample:
    """Draw arrays of one shape, and a place for the new axis."""
    shape = draw(shapes())
    return Sample((shape,) * draw(st.integers(1, 3)), (draw(axes(len(shape) + 1)),))


@st.composite
def _splits(draw: Any) -> Sample:
    """Draw an array and the lengths of its parts along an axis."""
    sections = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    shape = draw(shapes(min_dims=1))
    axis = draw(axes(len(shape)))
    equal = draw(st.booleans()) and len(set(sections)) == 1
    return Sample((with_length(shape, axis, sum(sections)),), (len(sections) if equal else sections, axis))


@st.composite
def _takes(draw: Any) -> Sample:
    """Draw an array, integers that are indices of an axis, and the axis."""
    sample = draw(_along_axis())
    (shape,), (axis,) = sample.shapes, sample.settings
    n = shape[axis]
    sides = hnp.array_shapes(min_dims=0, max_dims=2, min_side=0)
    index = draw(hnp.arrays("int64", sides, elements=st.integers(-n, n - 1)))
    return Sample((shape,), (index, axis))


@st.composite
def _getitems(draw: Any) -> Sample:
    """Draw an array and an index of it: slices and integers, arrays of integers, or a mask."""
    shape = draw(shapes())
    kinds: list[Any] = [hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True), hnp.arrays("bool", shape)]
    if shape and all(shape):
        kinds.append(hnp.integer_array_indices(shape))
    return Sample((shape,), (draw(st.one_of(kinds)),))


@st.composite
def _masked_pairs(draw: Any) -> Sample:
    """Draw two arrays and a mask, which broadcast."""
    *pair, mask = draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3)).input_shapes
    return Sample(tuple(pair), (draw(hnp.arrays("bool", mask)),))


SHAPES: list[Shape] = [(), (0,), (1,), (3,), (2, 0, 3), (3, 1), (2, 3, 4)]
MASK = np.asarray([True, False, True])
HOWS = ("mean", "sum", "none")
ROWS_OF_3 = np.asarray([2, 0, 2, -1])
ALL_ROWS = slice(None)

UNARY = Samples([one(shape) for shape in SHAPES], shapes().map(one))
BINARY = Samples(
    [
        several((), ()), several((3,), ()), several((), (2, 3)), several((2, 3), (3,)), several((2, 1), (1, 3)),
        several((4, 1, 2), (3, 1)), several((0,), (1,)), several((2, 0), ()),
    ],
    hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3).map(lambda s: several(*s.input_shapes)),
)  # fmt: skip
MASKED = Samples(
    [Sample(((2, 3), ()), (MASK,)), Sample(((3,), (2, 1)), (MASK,)), Sample(((), (3,)), (np.asarray(True),))],
    _masked_pairs(),
)
REDUCTION = [
    one((), None, False), one((), None, True), one((2, 3), None, False), one((2, 3), 1, True),
    one((2, 3, 4), (0, -1), False), one((2, 3, 4), -2, False), one((0, 3), 1, False),
]  # fmt: skip
SUMS = Samples([*REDUCTION, one((0,), None, False), one((2, 0), 1, True)], _reductions(filled=False, several=True))
EXTREMES = Samples(REDUCTION, _reductions(filled=True, several=True))
PLACES = Samples(
    [sample for sample in REDUCTION if not isinstance(sample.settings[0], tuple)],
    _reductions(filled=True, several=False),
)
ALONG_AXIS = Samples([one((3,), -1), one((0, 3), 1), one((2, 3, 4), 1)], _along_axis())
PRODUCTS = Samples(
    [
        several((3,), (3,)), several((2, 3), (3,)), several((3,), (3, 2)), several((2, 3), (3, 4)),
        several((5, 2, 3), (3, 4)), several((5, 2, 3), (5, 3, 4)), several((2, 3), (5, 3, 4)), several((3,), (5, 3, 4)),
        several((5, 2, 3), (3,)), several((5, 1, 2, 3), (4, 3, 2)), several((2, 0), (0, 3)), several((0, 2), (2, 3)),
    ],
    _products(),
)  # fmt: skip
LINEARS = Samples(
    [
        several((2, 3), (4, 3)), several((2, 3), (4, 3), (4,)), several((3,), (4, 3), (4,)),
        several((5, 2, 3), (4, 3), (4,)), several((0, 3), (4, 3), (4,)), several((2, 3), (4, 3), (1,)),
        several((2, 3), (4, 3), ()),
    ],
    _linears(),
)  # fmt: skip
RESHAPES = Samples(
    [one((), (1, 1)), one((2, 3), -1), one((2, 3), (3, -1)), one((0, 2), (2, 0, 5))],
    _reshapes(),
)
EXPANSIONS = Samples(
    [one((), 0), one((2, 3), -1), one((2, 3), 1)],
    shapes().flatmap(lambda shape: axes(len(shape) + 1).map(lambda axis: one(shape, axis))),
)
SQUEEZES = Samples([one((1,), 0), one((2, 1, 3), -2), one((1, 2, 1), (0, 2))], _squeezes())
BROADCASTS = Samples(
    [one((), (2, 3)), one((3,), (2, 3)), one((2, 1), (2, 3)), one((1,), (0,)), one((2,), (2,))],
    _broadcasts(),
)
PERMUTATIONS = Samples(
    [one((), ()), one((2, 3), (1, 0)), one((2, 3, 4), (-1, 0, 1))],
    shapes().flatmap(lambda shape: st.permutations(range(len(shape))).map(lambda to: one(shape, tuple(to)))),
)
MATRICES = Samples([one((2, 3)), one((5, 2, 3)), one((0, 3))], shapes(min_dims=2).map(one))
CONCATS = Samples(
    [Sample(((2,), (3,)), (0,)), Sample(((2, 3), (2, 0), (2, 1)), (-1,)), Sample(((2, 3), (4,), ()), (None,))],
    _concats(),
)
STACKS = Samples([Sample(((), ()), (0,)), Sample(((2, 3), (2, 3)), (-1,)), Sample(((0,),), (1,))], _stacks())
SPLITS = Samples([one((6,), 3, 0), one((2, 5), [2, 0, 3], 1), one((4, 2), [4], -2)], _splits())
UNSTACKS = Samples([one((3,), 0), one((2, 3), -1), one((2, 0), 0)], _along_axis())
TAKES = Samples(
    [
        one((3,), ROWS_OF_3, 0),
        one((2, 3), ROWS_OF_3[:, None], 1),
        one((2, 3), ROWS_OF_3[1], 0),
        one((3,), ROWS_OF_3[:0], -1),
    ],
    _takes(),
)
INDICES = Samples(
    [
        one((), ()), one((), ...), one((), None), one((3,), 1), one((3,), -1), one((2, 3), (ALL_ROWS, 1)),
        one((4, 3), slice(None, None, -2)), one((2, 3), (..., None, 0)), one((0, 3), slice(0, 2)), one((3,), [0, 0, 2]),
        one((3, 2), ROWS_OF_3), one((3, 3), np.asarray([[0, 1], [1, 1]])), one((2, 3), (1, ROWS_OF_3)),
        one((4, 3), (slice(1, 3), ROWS_OF_3)), one((3, 3), (ROWS_OF_3, ROWS_OF_3[::-1])), one((2, 3), (ALL_ROWS, MASK)),
        one((3, 2, 4), (ROWS_OF_3, ALL_ROWS, ROWS_OF_3)), one((3, 3), (ROWS_OF_3[:2], MASK)), one((3,), MASK),
    ],
    _getitems(),
)  # fmt: skip
LOSSES = Samples([Sample((shape, shape), (how,)) for shape in [(), (3,), (2, 3)] for how in HOWS])
CLASSES = Samples(
    [
        one(shape, np.asarray(target), how)
        for shape, target in [((3,), 2), ((2, 3), [0, 2]), ((2, 3, 2), [[0, 1], [2, 2]])]
        for how in HOWS
    ]
)
BOUNDS = Samples(
    [one(shape, *bounds) for shape in SHAPES for bounds in [(-1, 1), (None, 0), (0, None), (-0.5, 0.7)]],
    st.builds(lambda shape, low: one(shape, low, low + 1), shapes(), st.floats(-2, 2)),
)
FILLINGS = Samples(
    [Sample((), (shape, dtype)) for shape in (3, (), (2, 0), (2, 3)) for dtype in ("float32", "float64", "int64")]
)
LIKES = Samples([one(shape, dtype) for shape in SHAPES for dtype in (None, "float64", "bool")])


def to_type(*dtypes: str) -> Samples:
    """Return samples of one array each, with one of these types behind it."""
    return Samples(
        [one(shape, dtype) for shape in SHAPES for dtype in dtypes],
        st.builds(one, shapes(), st.sampled_from(dtypes)),
    )


def fixed(*settings: tuple[Any, ...]) -> Samples:
    """Return samples without arrays."""
    return Samples([Sample((), setting) for setting in settings])


# References that NumPy and PyTorch have under another form


def dims(x: Any, axis: Any) -> Any:
    """Return an axis, several or all as PyTorch takes them."""
    return tuple(range(x.ndim)) if axis is None else axis


def softmax(x: Host, axis: int) -> Host:
    """Return exp(x) over its sum."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def extreme_torch(name: str) -> Callable[..., Any]:
    """Return PyTorch's ``amax`` or ``amin``, which share the gradient among equals."""
    return lambda x, axis, keepdims: getattr(x, name)(dims(x, axis), keepdims)


def logsumexp(x: Host, axis: Any, keepdims: bool) -> Host:
    """Return log(sum(exp(x))), for small x."""
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


def cross_entropy(x: Host, target: Host, how: str) -> Any:
    """Return minus the logarithm of the target's probability."""
    axis = min(1, x.ndim - 1)
    log_p = np.log(softmax(x, axis))
    loss = -np.take_along_axis(log_p, np.expand_dims(target, axis), axis).squeeze(axis)
    return reduced(loss, how)


def reduced(loss: Host, how: str) -> Any:
    """Return a loss reduced."""
    return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[how](loss)


def linear(x: Any, weight: Any, *bias: Any) -> Any:
    """Return x @ weight.T, and the bias added to it if there is one."""
    return sum(bias, start=x @ weight.T)


def split(x: Host, sections: Any, axis: int) -> list[Host]:
    """Return parts, by their number or their lengths."""
    return np.split(x, sections if isinstance(sections, int) else np.cumsum(sections)[:-1], axis)


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


ROWS = [
    unary("positive", kinds="fi"),
    unary("negative", kinds="fi"),
    unary("abs"),
    unary("sign", kinds="fi"),
    unary("floor"),
    unary("square"),
    unary("reciprocal", floating=True, domain=nonzero),
    unary("sqrt", floating=True, domain=positive),
    unary("exp", floating=True),
    unary("expm1", floating=True),
    unary("log", floating=True, domain=positive),
    unary("log1p", floating=True, domain=above_minus_one),
    unary("sin", floating=True),
    unary("cos", floating=True),
    unary("tanh", floating=True),
    unary("sigmoid", lambda x: 1 / (1 + np.exp(-x)), floating=True),
    unary("relu", lambda x: np.maximum(x, 0)),
    unary("isnan", differentiable=False),
    unary("isinf", differentiable=False),
    unary("isfinite", differentiable=False),
    unary("logical_not", differentiable=False),
    binary("add"),
    binary("subtract", kinds="fi"),
    binary("multiply"),
    binary("divide", floating=True, domain=nonzero),
    binary("maximum"),
    binary("minimum"),
    binary("pow", kinds="fi", domain=positive),
    binary("equal", differentiable=False),
    binary("not_equal", differentiable=False),
    binary("less", differentiable=False),
    binary("less_equal", differentiable=False),
    binary("greater", differentiable=False),
    binary("greater_equal", differentiable=False),
    binary("logical_and", differentiable=False),
    binary("logical_or", differentiable=False),
    binary("logical_xor", differentiable=False),
    Row("where", MASKED, lambda x, y, mask: np.where(mask, x, y),
        lambda x, y, mask: torch.where(torch.as_tensor(mask), x, y),
        lambda x, y, mask: tg.where(backend.to_device(mask), x, y)),
    Row("clip", BOUNDS, np.clip, lambda x, low, high: x.clamp(low, high), kinds="f"),
    Row("astype", to_type("float32", "float64"), lambda x, dtype: x.astype(dtype),
        lambda x, dtype: x.to(getattr(torch, dtype)), smooth=False),
    Row("astype", to_type("int64", "int32", "bool"), lambda x, dtype: x.astype(dtype), differentiable=False),
    Row("sum", SUMS, lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims),
        lambda x, axis, keepdims: x.sum(dims(x, axis), keepdims) if x.ndim else x * 1),
    Row("mean", EXTREMES, lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims),
        lambda x, axis, keepdims: x.mean(dims(x, axis), keepdims) if x.ndim else x * 1,
        floating=True),
    Row("max", EXTREMES, lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims), extreme_torch("amax")),
    Row("min", EXTREMES, lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims), extreme_torch("amin")),
    Row("logsumexp", EXTREMES, logsumexp, lambda x, axis, keepdims: x.logsumexp(dims(x, axis), keepdims),
        floating=True),
    Row("all", SUMS, lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims), differentiable=False),
    Row("any", SUMS, lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims), differentiable=False),
    Row("argmax", PLACES, lambda x, axis, keepdims: np.argmax(x, axis, keepdims=keepdims), differentiable=False),
    Row("argmin", PLACES, lambda x, axis, keepdims: np.argmin(x, axis, keepdims=keepdims), differentiable=False),
    Row("softmax", ALONG_AXIS, softmax, lambda x, axis: x.softmax(axis), floating=True),
    Row("log_softmax", ALONG_AXIS, lambda x, axis: np.log(softmax(x, axis)), lambda x, axis: x.log_softmax(axis),
        floating=True),
    Row("matmul", PRODUCTS, np.matmul, lambda x, y: torch.matmul(x, y)),
    Row("linear", LINEARS, linear, linear),
    Row("reshape", RESHAPES, np.reshape, lambda x, to: x.reshape(to)),
    Row("expand_dims", EXPANSIONS, np.expand_dims, lambda x, axis: x.unsqueeze(axis)),
    Row("squeeze", SQUEEZES, np.squeeze, lambda x, axis: x.squeeze(axis)),
    Row("broadcast_to", BROADCASTS, np.broadcast_to, lambda x, to: x.broadcast_to(to)),
    Row("permute_dims", PERMUTATIONS, np.transpose, lambda x, to: x.permute(to)),
    Row("matrix_transpose", MATRICES, lambda x: np.swapaxes(x, -1, -2), lambda x: x.mT),
    Row("concat", CONCATS, joined(np.concatenate), None, joined(tg.concat)),
    Row("stack", STACKS, joined(np.stack), joined(lambda xs, dim: torch.stack(xs, dim), "dim"), joined(tg.stack)),
    Row("split", SPLITS, split, lambda x, sections, axis: x.tensor_split(sections, axis) if isinstance(sections, int)
        else x.split(sections, axis), lambda x, sections, axis: tg.split(x, sections, axis=axis)),
    Row("unstack", UNSTACKS, lambda x, axis: list(np.moveaxis(x, axis, 0)), lambda x, axis: x.unbind(axis),
        lambda x, axis: tg.unstack(x, axis=axis)),
    Row("take", TAKES, np.take, None, lambda x, index, axis: tg.take(x, backend.to_device(index), axis=axis)),
    Row("getitem", INDICES, operator.getitem, None, lambda x, index: x[on_device(index)]),
    Row("mse_loss", LOSSES, lambda x, y, how: reduced((x - y) ** 2, how),
        lambda x, y, how: torch.nn.functional.mse_loss(x, y, reduction=how),
        lambda x, y, how: tg.mse_loss(x, y, reduction=how), kinds="f", closed=False),
    Row("cross_entropy", CLASSES, cross_entropy,
        lambda x, target, how: torch.nn.functional.cross_entropy(x, torch.as_tensor(target), reduction=how),
        lambda x, target, how: tg.cross_entropy(x, tg.asarray(target), reduction=how), kinds="f", closed=False),
    constant("zeros", FILLINGS, np.zeros, lambda shape, dtype: tg.zeros(shape, dtype=dtype)),
    constant("ones", FILLINGS, np.ones, lambda shape, dtype: tg.ones(shape, dtype=dtype)),
    constant("full", FILLINGS, lambda shape, dtype: np.full(shape, 3, dtype),
             lambda shape, dtype: tg.full(shape, 3, dtype=dtype)),
    constant("zeros_like", LIKES, np.zeros_like, lambda x, dtype: tg.zeros_like(x, dtype=dtype)),
    constant("ones_like", LIKES, np.ones_like, lambda x, dtype: tg.ones_like(x, dtype=dtype)),
    constant("full_like", LIKES, lambda x, dtype: np.full_like(x, 2, dtype),
             lambda x, dtype: tg.full_like(x, 2, dtype=dtype)),
    constant("arange", fixed((5,), (0,), (2, 7), (7, 2, -2)), np.arange, tg.arange),
    constant("arange", fixed((2.0,), (0, 1, 0.25)), lambda *bounds: np.arange(*bounds, dtype="float32"), tg.arange),
    constant("linspace", fixed((0, 1, 5), (1.5, -1.5, 4), (0, 1, 0)),
             lambda *bounds: np.linspace(*bounds, dtype="float32"), tg.linspace),
    constant("eye", fixed((3,), (2, 3), (0,)), lambda *sides: np.eye(*sides, dtype="float32"), tg.eye),
]  # fmt: skip

RANDOM = {"dropout", "manual_seed", "rand", "randint", "randn"}
"""The ops whose results no reference foretells; they have tests of their own."""

METHODS: dict[str, tuple[str, Callable[..., Any]]] = {
    "__add__": ("add", lambda x, y: x + y),
    "__radd__": ("add", lambda x, y: x.data + y),
    "__sub__": ("subtract", lambda x, y: x - y),
    "__rsub__": ("subtract", lambda x, y: x.data - y),
    "__mul__": ("multiply", lambda x, y: x * y),
    "__rmul__": ("multiply", lambda x, y: x.data * y),
    "__truediv__": ("divide", lambda x, y: x / y),
    "__rtruediv__": ("divide", lambda x, y: x.data / y),
    "__pow__": ("pow", lambda x, y: x**y),
    "__rpow__": ("pow", lambda x, y: x.data**y),
    "__matmul__": ("matmul", lambda x, y: x @ y),
    "__rmatmul__": ("matmul", lambda x, y: x.data @ y),
    "__neg__": ("negative", lambda x: -x),
    "__pos__": ("positive", lambda x: +x),
    "__abs__": ("abs", abs),
    "__invert__": ("logical_not", lambda x: ~x),
    "__and__": ("logical_and", lambda x, y: x & y),
    "__or__": ("logical_or", lambda x, y: x | y),
    "__xor__": ("logical_xor", lambda x, y: x ^ y),
    "__eq__": ("equal", lambda x, y: x == y),
    "__ne__": ("not_equal", lambda x, y: x != y),
    "__lt__": ("less", lambda x, y: x < y),
    "__le__": ("less_equal", lambda x, y: x <= y),
    "__gt__": ("greater", lambda x, y: x > y),
    "__ge__": ("greater_equal", lambda x, y: x >= y),
    "__getitem__": ("getitem", lambda x, index: x[on_device(index)]),
    "T": ("permute_dims", lambda x, to: x.T if to == (1, 0) else tg.permute_dims(x, to)),
    "mT": ("matrix_transpose", lambda x: x.mT),
    "astype": ("astype", lambda x, dtype: x.astype(dtype)),
    "sum": ("sum", lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims)),
    "mean": ("mean", lambda x, axis, keepdims: x.mean(axis=axis, keepdims=keepdims)),
    "max": ("max", lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims)),
    "min": ("min", lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims)),
    "argmax": ("argmax", lambda x, axis, keepdims: x.argmax(axis=axis, keepdims=keepdims)),
    "all": ("all", lambda x, axis, keepdims: x.all(axis=axis, keepdims=keepdims)),
    "any": ("any", lambda x, axis, keepdims: x.any(axis=axis, keepdims=keepdims)),
    "reshape": ("reshape", lambda x, to: x.reshape(*to) if isinstance(to, tuple) else x.reshape(to)),
}
"""Each method and operator that `Tensor` declares: the op that it is, and how it is called on that op's arguments."""
