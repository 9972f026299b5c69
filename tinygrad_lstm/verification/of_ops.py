"""A case or more of every op, at sizes at which rounding shows."""

from __future__ import annotations

from functools import partial

from .. import ops
from ..tape import no_grad
from ..tensor import asarray
from .cases import (
    Case,
    Input,
    above_one,
    apart,
    case,
    each,
    positive,
    real,
    special,
    truth,
    unit,
    whole,
    within_one,
)  # fmt: skip

__all__ = ["OPS"]

FLAT = (24, 40)
SHORT = (24, 1)
IMAGES = (2, 4, 9, 10)
SOUNDS = (2, 4, 30)

OF_ONE = """
    abs ceil cos cosh erf erfc exp expm1 floor gelu hardsigmoid hardswish hardtanh leaky_relu logsigmoid mish negative
    positive relu relu6 round selu sigmoid sign signbit silu sin sinh softplus softsign square tan tanh trunc
    asinh atan celu elu
"""
OF_TWO = "add atan2 copysign floor_divide hypot logaddexp maximum minimum multiply nextafter remainder subtract"
COMPARED = "equal greater greater_equal less less_equal not_equal logical_and logical_or logical_xor"
ALONG = "all any argmax argmin count_nonzero logsumexp max mean min norm prod std sum var"


def strange(names: str, *inputs: Input) -> list[Case]:
    """Return cases of values alone, at infinities, NaN, zeros and extremes."""
    return [case(name, *inputs, how="extremes", call=no_grad()(getattr(ops, name))) for name in names.split()]


ELEMENTWISE = [
    *each(OF_ONE, real(*FLAT)),
    *each("log log10 log2 sqrt", positive(*FLAT)),
    *each("reciprocal", apart(*FLAT)),
    *each("log1p acos asin atanh", within_one(*FLAT)),
    *each("acosh", above_one(*FLAT)),
    *each(OF_TWO, apart(*FLAT), apart(40)),
    *each("divide", real(*FLAT), apart(*SHORT)),
    *each("pow", positive(*FLAT), real(*FLAT)),
    case("pow", apart(*FLAT), how="number", call=lambda x: x**3),
    *each("lerp", real(*FLAT), real(40), unit(*SHORT)),
    *each("clip", real(*FLAT), min=-0.7, max=1.1),
    case("clip", real(*FLAT), real(40), how="arrays", call=lambda x, low: ops.clip(x, low, low + 1)),
    *each("where", truth(40), real(*FLAT), real(*SHORT)),
    *each("isfinite isinf isnan logical_not", special(*FLAT)),
    *each(COMPARED, whole(4, *FLAT), whole(4, 40)),
    *each("bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift", whole(9, *FLAT), whole(9, 40)),
    *each("bitwise_invert", whole(9, *FLAT)),
    *each("prelu", real(2, 24, 7), real(24)),
    *each("glu", real(*FLAT)),
    *each("gelu", real(*FLAT), approximate="tanh"),
    *each("softplus", real(*FLAT), beta=3.0, threshold=2.0),
    *each("softmax log_softmax", real(*FLAT)),
    *each("softmax log_softmax", real(*FLAT), axis=0),
    *each("dropout", real(*FLAT), p=0.3),
    *strange(OF_ONE + "log log10 log1p log2 sqrt reciprocal acos asin atanh acosh", special(99)),
    *strange(OF_TWO + " divide pow " + COMPARED, special(99, 1), special(99)),
]

REDUCTIONS = [
    *each(ALONG, apart(24, 11)),
    *each(ALONG, apart(24, 11), axis=1),
    *each("sum mean max logsumexp var", real(6, 7, 50), axis=(0, 2), keepdims=True),
    *[case(name, positive(300, 300), how="large", call=getattr(ops, name)) for name in ("sum", "mean", "std")],
    *each("var std", real(*FLAT), axis=0, correction=1),
    *[case("norm", apart(*FLAT), axis=1, ord=order) for order in (1, 3, 0.5, float("inf"))],
    *each("cumulative_sum", real(*FLAT), axis=1),
    *each("cumulative_prod", positive(*FLAT), axis=0, include_initial=True),
    *each("diff", real(*FLAT), n=2),
    *each("sort argsort", real(*FLAT), axis=0),
    case("topk", real(*FLAT), how="k=5", call=lambda x: ops.topk(x, 5)),
    *each("nonzero", whole(2, *FLAT)),
    case("searchsorted", real(40), real(24), call=lambda x, y: ops.searchsorted(ops.sort(x), y)),
    *each("unique_all unique_counts unique_inverse unique_values", real(*FLAT)),
    *each("unique_all", whole(50, *FLAT), how="integers"),
]

SHAPES = [
    *each("broadcast_arrays", real(40), real(*SHORT)),
    *each("broadcast_to", real(*SHORT), shape=FLAT),
    case("concat", real(*FLAT), real(24, 3), how="axis=1", call=lambda *xs: ops.concat(xs, axis=1)),
    case("stack", real(*FLAT), real(*FLAT), how="axis=1", call=lambda *xs: ops.stack(xs, axis=1)),
    *each("expand_dims", real(*FLAT), axis=1),
    *each("squeeze", real(*SHORT), axis=1),
    *each("matrix_transpose flip tril triu", real(*FLAT)),
    *each("meshgrid", real(24), real(7), indexing="ij"),
    *each("permute_dims", real(3, 4, 5), axes=(2, 0, 1)),
    case("moveaxis", real(3, 4, 5), how="0 to -1", call=lambda x: ops.moveaxis(x, 0, -1)),
    *each("reshape", real(*FLAT), shape=(-1, 10)),
    *[
        case("pad", real(*FLAT), how=mode, call=lambda x, mode=mode: ops.pad(x, ((2, 1), (0, 3)), mode))
        for mode in ("constant", "edge", "reflect", "wrap")
    ],
    case("repeat", real(*FLAT), how="repeats=3", call=lambda x: ops.repeat(x, 3, axis=1)),
    case("repeat", real(24), whole(4, 24), how="each its own", call=lambda x, n: ops.repeat(x, n, axis=0)),
    *each("roll", real(*FLAT), shift=5, axis=1),
    case("tile", real(*FLAT), how="2, 3", call=lambda x: ops.tile(x, (2, 3))),
    case("split", real(*FLAT), how="3, 20, 1", call=lambda x: ops.split(x, [3, 20, 1])),
    *each("unstack", real(7, 40)),
    *each("take", real(*FLAT), whole(24, 60), axis=0),
    *each("take_along_axis", real(*FLAT), whole(40, 24, 60), axis=1),
    case("getitem", real(*FLAT), how="slices", call=lambda x: x[2:-3, None, ::-2]),
    case("getitem", real(*FLAT), whole(24, 60), how="integers", call=lambda x, rows: x[rows]),
    case("getitem", real(*FLAT), truth(24), how="mask", call=lambda x, rows: x[rows]),
]

PRODUCTS = [
    *each("matmul", real(24, 40), real(40, 30)),
    case("matmul", real(5, 24, 40), real(5, 40, 3), how="stacked", call=ops.matmul),
    case("matmul", real(300, 500), real(500, 200), how="large", call=ops.matmul),
    *each("linear", real(6, 24, 40), real(30, 40), real(30)),
    *each("outer", real(24), real(40)),
    *each("tensordot", real(5, 6, 7), real(6, 7, 8), axes=2),
    *each("vecdot", real(*FLAT), real(40)),
    *[
        case("einsum", *inputs, how=subscripts, call=partial(ops.einsum, subscripts))
        for subscripts, inputs in {
            "ij,jk->ik": [real(24, 40), real(40, 30)],
            "bij,bjk,k->bi": [real(4, 5, 6), real(4, 6, 7), real(7)],
            "ii->i": [real(24, 24)],
        }.items()
    ],
    *each("conv1d", real(*SOUNDS), real(6, 2, 5), real(6), stride=2, padding=3, dilation=2, groups=2),
    *each("conv2d", real(*IMAGES), real(6, 4, 3, 2), real(6), stride=(1, 2), padding="valid"),
    *each("conv_transpose1d", real(*SOUNDS), real(4, 3, 5), real(6), stride=2, padding=1, groups=2),
    *each("conv_transpose2d", real(*IMAGES), real(4, 3, 3, 2), real(3), stride=2, output_padding=1),
    *each("avg_pool1d max_pool1d", real(*SOUNDS), kernel_size=3, stride=2, padding=1),
    *each("avg_pool2d max_pool2d", real(*IMAGES), kernel_size=(3, 2)),
    *each("layer_norm", real(*FLAT), normalized_shape=40),
    case("layer_norm", real(*FLAT), real(40), real(40), how="weight, bias",
         call=lambda x, w, b: ops.layer_norm(x, 40, w, b)),
]  # fmt: skip

LOSSES = [
    *[
        case(name, *inputs, reduction=reduction)
        for reduction in ("mean", "sum", "none")
        for name, inputs in {
            "mse_loss": [real(*FLAT), real(*FLAT)],
            "l1_loss": [real(*FLAT), real(*FLAT)],
            "huber_loss": [real(*FLAT), real(*FLAT)],
            "smooth_l1_loss": [real(*FLAT), real(*FLAT)],
            "kl_div": [real(*FLAT), unit(*FLAT)],
            "binary_cross_entropy_with_logits": [real(*FLAT), unit(*FLAT)],
            "nll_loss": [positive(*FLAT), whole(40, 24)],
            "cross_entropy": [real(*FLAT), whole(40, 24)],
        }.items()
    ],
    *each("binary_cross_entropy_with_logits", real(*FLAT), unit(*FLAT), unit(40)),
    *each("nll_loss", real(*FLAT), whole(40, 24), unit(40), ignore_index=3),
    *each("cross_entropy", real(*FLAT), whole(40, 24), unit(40), ignore_index=3, label_smoothing=0.1),
    case("cross_entropy", real(*FLAT), unit(*FLAT), how="probabilities", call=ops.cross_entropy),
    *[
        case("ctc_loss", real(12, 3, 12), how=reduction, call=lambda x, reduction=reduction: ops.ctc_loss(
            ops.log_softmax(x), asarray([[1, 1, 5, 2], [7, 8, 9, 0], [3, 0, 0, 0]]), [12, 9, 5], [4, 3, 1],
            reduction=reduction))
        for reduction in ("mean", "sum", "none")
    ],
]  # fmt: skip

MADE = [
    *[
        case(name, how="of a shape", call=lambda name=name: getattr(ops, name)(FLAT))
        for name in ("zeros", "ones", "rand", "randn")
    ],
    *each("zeros_like ones_like", real(*FLAT)),
    *each("full", shape=FLAT, fill_value=0.1),
    *each("full_like", real(*FLAT), fill_value=0.1),
    case("empty", how="its shape", call=lambda: ops.zeros_like(ops.empty(FLAT))),
    case("empty_like", real(*FLAT), how="its shape", call=lambda x: ops.zeros_like(ops.empty_like(x))),
    case("arange", how="-3, 7, 0.3", call=lambda: ops.arange(-3, 7, 0.3)),
    case("linspace", how="-3, 7, 101", call=lambda: ops.linspace(-3, 7, 101)),
    case("eye", how="7, 5", call=lambda: ops.eye(7, 5, k=-1)),
    case("randint", how="-3, 7", call=lambda: ops.randint(-3, 7, FLAT)),
    *each("one_hot", whole(7, *FLAT), num_classes=7),
    case("from_dlpack", real(*FLAT), call=lambda x: ops.from_dlpack(x.detach()), how="of its own"),
    *[
        case("astype", real(*FLAT), how=dtype, call=lambda x, dtype=dtype: ops.astype(x, dtype))
        for dtype in ("float32", "float64", "int32", "bool")
    ],
]

OPS = [*ELEMENTWISE, *REDUCTIONS, *SHAPES, *PRODUCTS, *LOSSES, *MADE]
