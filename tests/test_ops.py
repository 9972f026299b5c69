"""All ops against NumPy, PyTorch and finite differences, driven by `optable`, and what is special to some of them."""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optable
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optable import METHODS, RANDOM, ROWS, VOCABULARY, Host, Row, Sample, as_list

import tinygrad_lstm as tg
from tinygrad_lstm import backend

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, of a logarithm of 0 and the like

LAYOUTS = ("plain", "transposed", "strided", "reversed")
TOLERANCES = {"float32": 2e-5, "float64": 1e-9}

ALL = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def rows(keep: Callable[[Row], bool]) -> pytest.MarkDecorator:
    """Parametrise a test over the rows of which something is true."""
    return pytest.mark.parametrize("row", list(filter(keep, ROWS)), ids=lambda row: row.name)


def row_of(name: str) -> Row:
    """Return the first row of an op."""
    return next(row for row in ROWS if row.name == name)


def laid_out(host: Host, layout: str) -> Any:
    """Return the elements on the backend, in an array whose memory is ordered in some way."""
    if layout == "transposed":
        return backend.to_device(host.T.copy()).T
    if host.ndim == 0 or layout == "plain":
        return backend.to_device(host)
    if layout == "strided":
        return backend.to_device(np.repeat(host, 2, axis=-1))[..., ::2]
    return backend.to_device(host[..., ::-1].copy())[..., ::-1]


def host(x: Any) -> Host:
    """Return a tensor's elements, or a backend's array, as an array of NumPy's."""
    return np.asarray(backend.to_host(x.data if type(x) is tg.Tensor else x))


def assert_same(results: Sequence[Any], wanted: Sequence[Host]) -> None:
    """Assert that results have the shapes, types and values wanted."""
    assert len(results) == len(wanted)
    for y, y_wanted in zip(results, wanted, strict=True):
        assert (y.shape, y.dtype) == (y_wanted.shape, y_wanted.dtype)
        tolerance = TOLERANCES.get(y_wanted.dtype.name, 0)
        np.testing.assert_allclose(host(y), y_wanted, rtol=tolerance, atol=tolerance)


def check_values(row: Row, sample: Sample, dtype: str, layout: str, seed: int) -> None:
    """Hold an op's results, for tensors and for arrays, against NumPy's."""
    hosts = row.arrays(sample, dtype, seed)
    arrays = [laid_out(x, layout) for x in hosts]
    results = as_list(row.op(*map(tg.asarray, arrays), *sample.settings))
    assert all(type(y) is tg.Tensor for y in results)
    assert_same(results, row.reference(hosts, sample.settings))
    for x, x_host in zip(arrays, hosts, strict=True):
        np.testing.assert_array_equal(host(x), x_host, err_msg=f"{row.name} changed its argument")
    if row.closed and (dtype in optable.DTYPES["f"] or not row.floating):  # it is tensors that are made float32
        raw = as_list(row.op(*arrays, *sample.settings))
        assert all(isinstance(y, (backend.ndarray, backend.Scalar)) for y in raw)
        assert_same(raw, list(map(host, results)))


@ALL
def test_values_at_corners(row: Row) -> None:
    for sample in row.samples.corners:
        for dtype in row.dtypes:
            check_values(row, sample, dtype, "plain", seed=0)


@ALL
@given(data=st.data(), layout=st.sampled_from(LAYOUTS), seed=st.integers(0, 99))
def test_values(row: Row, data: st.DataObject, layout: str, seed: int) -> None:
    check_values(row, data.draw(row.samples.strategy), data.draw(st.sampled_from(row.dtypes)), layout, seed)


SPECIAL = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e30, -1e30, 100.0, -100.0]


@rows(lambda row: row.samples in (optable.UNARY, optable.BINARY))
def test_special_values(row: Row) -> None:
    grid = np.meshgrid(*[np.asarray(SPECIAL, "float32")] * len(row.samples.corners[0].shapes))
    assert_same([row.op(*map(tg.asarray, grid))], row.reference(grid))


def weighted(results: Sequence[Any], weights: Sequence[Any]) -> Any:
    """Return all results as one scalar on which each element has an influence of its own."""
    parts = [(y * w).sum() for y, w in zip(results, weights, strict=True)]
    return sum(parts[1:], start=parts[0])


def gradients(row: Row, hosts: Sequence[Host], sample: Sample, weights: Sequence[Host]) -> list[Host]:
    """Return the gradients of an op's weighted results."""
    xs = [tg.asarray(x, requires_grad=True) for x in hosts]
    y = weighted(as_list(row.op(*xs, *sample.settings)), list(map(tg.asarray, weights)))
    found = tg.grad(y, xs, allow_unused=True)
    return [np.zeros_like(x) if g is None else host(g) for g, x in zip(found, hosts, strict=True)]


def gradients_of_torch(row: Row, hosts: Sequence[Host], sample: Sample, weights: Sequence[Host]) -> list[Host]:
    """Return PyTorch's gradients of the same."""
    torch = optable.torch
    assert row.torch is not None
    xs = [torch.tensor(x, requires_grad=True) for x in hosts]
    y = weighted(as_list(row.torch(*xs, *sample.settings)), list(map(torch.tensor, weights)))
    found = torch.autograd.grad(y, xs, allow_unused=True)
    return [np.zeros_like(x) if g is None else g.numpy() for g, x in zip(found, hosts, strict=True)]


def check_against_torch(row: Row, sample: Sample, dtype: str, seed: int) -> None:
    """Hold an op's gradients against PyTorch's."""
    hosts = row.arrays(sample, dtype, seed)
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(-1, 1, y.shape).astype(dtype) for y in row.reference(hosts, sample.settings)]
    ours = gradients(row, hosts, sample, weights)
    for g, wanted in zip(ours, gradients_of_torch(row, hosts, sample, weights), strict=True):
        assert (g.shape, g.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(g, wanted, rtol=TOLERANCES[dtype], atol=TOLERANCES[dtype])


@pytest.mark.peers
@pytest.mark.skipif(optable.torch is None, reason="PyTorch is not installed")
@rows(lambda row: row.differentiable and row.torch is not None)
def test_gradients_are_those_of_torch_at_corners(row: Row) -> None:
    for sample in row.samples.corners:
        for dtype in ("float32", "float64"):
            check_against_torch(row, sample, dtype, seed=0)


@pytest.mark.peers
@pytest.mark.skipif(optable.torch is None, reason="PyTorch is not installed")
@rows(lambda row: row.differentiable and row.torch is not None)
@given(data=st.data(), seed=st.integers(0, 99))
def test_gradients_are_those_of_torch(row: Row, data: st.DataObject, seed: int) -> None:
    check_against_torch(row, data.draw(row.samples.strategy), "float64", seed)


def check_differences(row: Row, sample: Sample, layout: str, seed: int) -> None:
    """Hold an op's first and second derivatives against differences."""
    xs = [tg.asarray(laid_out(x, layout)) for x in row.arrays(sample, "float64", seed)]

    def flat(*xs: Any) -> Any:
        return tg.concat([y.reshape(-1) for y in as_list(row.op(*xs, *sample.settings))])

    assert tg.gradcheck(flat, xs, order=2)


@rows(lambda row: row.differentiable and row.smooth)
def test_derivatives_are_limits_of_differences_at_corners(row: Row) -> None:
    for sample in row.samples.corners:
        check_differences(row, sample, "plain", seed=1)


@rows(lambda row: row.differentiable and row.smooth)
@given(data=st.data(), layout=st.sampled_from(LAYOUTS), seed=st.integers(0, 99))
def test_derivatives_are_limits_of_differences(row: Row, data: st.DataObject, layout: str, seed: int) -> None:
    check_differences(row, data.draw(row.samples.strategy), layout, seed)


@rows(lambda row: not row.differentiable and "f" in row.kinds)
def test_results_without_derivative_are_constants(row: Row) -> None:
    sample = row.samples.corners[-1]
    xs = [tg.asarray(x, requires_grad=True) for x in row.arrays(sample, "float32")]
    assert not any(y.requires_grad for y in as_list(row.op(*xs, *sample.settings)))


NUMBERS = (2, 0.5, True, np.float32(0.5), np.float64(2.0), np.int16(3))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"{type(number).__name__}")
@rows(lambda row: row.samples is optable.BINARY)
def test_numbers_on_either_side_take_the_type_of_the_tensor(row: Row, number: Any) -> None:
    plain = number.item() if isinstance(number, np.generic) else number
    for dtype in row.dtypes:
        (x,) = row.arrays(optable.one((2, 3)), dtype)
        (as_array,) = optable.aligned([x], row.floating or (isinstance(plain, float) and x.dtype.kind != "f"))
        with np.errstate(all="ignore"):
            assert_same([row.op(tg.asarray(x), number)], [np.asarray(row.numpy(as_array, plain))])
            assert_same([row.op(number, tg.asarray(x))], [np.asarray(row.numpy(plain, as_array))])


MIXED = (
    optable.BINARY, optable.elementwise.MASKED, optable.linalg.PRODUCTS, optable.shape.CONCATS, optable.shape.STACKS,
)  # fmt: skip


@rows(lambda row: row.samples in MIXED)
def test_mixed_types_are_promoted(row: Row) -> None:
    sample = next(sample for sample in row.samples.corners if len(sample.shapes) == 2)
    for dtype1, dtype2 in itertools.product(row.dtypes, repeat=2):
        x1, x2 = row.arrays(sample, dtype1)[0], row.arrays(sample, dtype2)[1]
        wanted = row.reference([x1, x2], sample.settings)
        tensors, arrays = [tg.asarray(x1), tg.asarray(x2)], [backend.to_device(x1), backend.to_device(x2)]
        for operands in (tensors, [tensors[0], arrays[1]], [arrays[0], tensors[1]]):
            assert_same([row.op(*operands, *sample.settings)], wanted)


@pytest.mark.parametrize("name", METHODS)
def test_methods_and_operators_are_ops(name: str) -> None:
    op, call = METHODS[name]
    row = row_of(op)
    for sample in row.samples.corners:
        for dtype in row.dtypes:
            xs = [tg.asarray(x) for x in row.arrays(sample, dtype)]
            ys, wanted = as_list(call(*xs, *sample.settings)), as_list(row.op(*xs, *sample.settings))
            for y, y_wanted in zip(ys, wanted, strict=True):
                assert type(y) is tg.Tensor
                assert y.dtype == y_wanted.dtype
                np.testing.assert_array_equal(host(y), host(y_wanted))


def declared_methods() -> set[str]:
    """Return what `Tensor` declares to type checkers and leaves to the ops to bind."""
    (tensor,) = ast.parse(inspect.getsource(tg.Tensor)).body
    assert isinstance(tensor, ast.ClassDef)
    (block,) = (node for node in tensor.body if isinstance(node, ast.If))
    return {node.name for node in block.body if isinstance(node, ast.FunctionDef)}


def test_no_op_is_outside_the_table() -> None:
    assert set(tg.ops.__all__) == ({row.name for row in ROWS} - {"getitem"}) | RANDOM | VOCABULARY
    assert declared_methods() == METHODS.keys() | {"register_hook", "retain_grad"}


# What is special to some: equals, edges, extremes


def slopes(op: Callable[..., Any], *data: Any) -> list[Any]:
    """Return the gradients of an op's summed result as lists of numbers."""
    xs = [tg.asarray(x, dtype="float64", requires_grad=True) for x in data]
    return [g.tolist() for g in tg.grad(op(*xs).sum(), xs)]


def test_equal_elements_share_the_gradient_of_an_extreme() -> None:
    ties = [[1, 3, 3], [2, 2, 2]]
    assert slopes(tg.max, ties) == [[[0, 0.5, 0.5], [0, 0, 0]]]
    np.testing.assert_allclose(slopes(lambda x: tg.max(x, axis=1), ties)[0], [[0, 1 / 2, 1 / 2], [1 / 3, 1 / 3, 1 / 3]])
    assert slopes(lambda x: tg.min(x, axis=0, keepdims=True), ties) == [[[1, 0, 0], [0, 1, 1]]]
    assert slopes(tg.maximum, [1, 2, 3], [2, 2, 2]) == [[0, 0.5, 1], [1, 0.5, 0]]
    assert slopes(tg.minimum, [1, 2, 3], [2, 2, 2]) == [[1, 0.5, 0], [0, 0.5, 1]]


def test_slopes_at_edges() -> None:
    assert slopes(tg.relu, [-1, 0, 1]) == [[0, 0, 1]]
    assert slopes(tg.abs, [-1, 0, 1]) == [[-1, 0, 1]]
    assert slopes(tg.sqrt, [0, 0.25]) == [[float("inf"), 1]]
    assert slopes(lambda x: tg.clip(x, -1, 1), [-2, -1, 0, 1, 2]) == [[0, 1, 1, 1, 0]]


def test_slopes_of_powers_at_zero() -> None:
    assert slopes(lambda x: x**0, [0, 2]) == [[0, 0]]
    assert slopes(lambda x: x**1, [0, 2]) == [[1, 1]]
    assert slopes(lambda x: x**2, [0, -3]) == [[0, -6]]
    assert slopes(tg.pow, [0, 2], [0, 0])[0] == [0, 0]
    assert slopes(tg.pow, [0, 0], [0, 2])[1] == [0, 0]
    assert slopes(lambda x: 0**x, [1, 2]) == [[0, 0]]


@pytest.mark.filterwarnings("error")
def test_activations_do_not_overflow() -> None:
    x = tg.asarray([-1e4, -100, 0, 100, 1e4], requires_grad=True)
    assert tg.sigmoid(x).tolist() == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-30)
    assert tg.softmax(x).tolist() == tg.exp(tg.log_softmax(x)).tolist() == [0, 0, 0, 0, 1]
    assert tg.log_softmax(x)[0].item() == -2e4
    assert tg.logsumexp(x).item() == 1e4
    for op in (tg.sigmoid, tg.tanh, tg.softmax, tg.log_softmax, tg.logsumexp):
        (g,) = tg.grad([op(x).sum()], [x])
        assert np.isfinite(host(g)).all()


def test_logarithms_of_sums_of_nothing() -> None:
    nothing = tg.asarray([[-float("inf")] * 2, [0, -float("inf")]])
    assert tg.logsumexp(nothing, axis=1).tolist() == [-float("inf"), 0]
    assert tg.logsumexp(tg.asarray([float("inf"), 0])).item() == float("inf")


def test_half_precision_stays_half() -> None:
    x = tg.asarray(np.linspace(-2, 2, 5, dtype="float16"), requires_grad=True)
    y = tg.sigmoid(x * 2 + 1) @ tg.ones((5,), dtype="float16")
    y.backward()
    assert y.dtype == x.grad.dtype == "float16"


def test_cross_entropy_wants_the_index_of_a_class() -> None:
    scores = tg.ones((2, 3))
    with pytest.raises(ValueError, match=r"cross_entropy: got scores of shape \(2, 3\) and targets of shape \(3,\)"):
        tg.cross_entropy(scores, tg.asarray([0, 1, 2]))
    with pytest.raises(TypeError, match="cross_entropy: got targets of float32, wanted integers"):
        tg.cross_entropy(scores, tg.asarray([0.0, 1.0]))
    assert tg.cross_entropy(tg.ones((0, 3)), tg.zeros((0,), dtype="int64"), reduction="sum").item() == 0


@pytest.mark.parametrize("targets", [[0, 3], [-1, 0]])
def test_cross_entropy_of_what_is_no_class(targets: list[int]) -> None:
    """The host looks and refuses; on a device, where looking means waiting, the loss says it."""
    scores, target = tg.ones((2, 3)), tg.asarray(targets)
    if backend.name == "numpy":
        with pytest.raises(IndexError, match=r"cross_entropy: got .*, wanted classes from 0 to 2"):
            tg.cross_entropy(scores, target)
    else:
        assert np.isnan(tg.cross_entropy(scores, target).item())


def test_where_takes_a_condition_from_the_tape_and_numbers() -> None:
    x = tg.asarray([-1.0, 2.0], requires_grad=True)
    assert tg.where(x > 0, 1.0, 0.0).tolist() == [0, 1]
    assert tg.where(x > 0, x.data, x.data * 0).tolist() == [0, 2]
    assert slopes(lambda x: tg.where(x > 0, x, 0.0), [-1, 2]) == [[0, 1]]
    assert slopes(lambda x: tg.where(x > 0, 5.0, x), [-1, 2]) == [[1, 0]]


x23, x3, m22 = tg.ones((2, 3)), tg.ones((3,)), tg.ones((2, 2, 2))

MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"multiply: got builtins\.list, wanted a tensor, a \w+ array or a number": (TypeError, lambda: x3 * [1, 2, 3]),
    r"subtract: got builtins\.list, wanted": (TypeError, lambda: [1, 2, 3] - x3),
    r"exp: got builtins\.str, wanted": (TypeError, lambda: tg.exp("x")),
    r"sum: got builtins\.list, wanted": (TypeError, lambda: tg.sum([1.0, 2.0])),
    r"matmul: got shapes \(2, 3\) and \(2, 3\), wanted": (ValueError, lambda: x23 @ x23),
    r"matmul: got shapes \(2, 3\) and \(\), wanted": (ValueError, lambda: x23 @ 2),
    r"linear: got x.* \(2, 3\), \(3, 2\), wanted": (ValueError, lambda: tg.linear(x23, x23.T)),
    r"linear: got x.* \(2, 3\), \(2, 3\), \(3,\), wanted": (ValueError, lambda: tg.linear(x23, x23, x3)),
    r"reshape: got shape \(2, 3\), of 6 elements, wanted \(4,\)": (ValueError, lambda: x23.reshape(4)),
    r"permute_dims: got axes \(0, 0\) for shape \(2, 3\)": (ValueError, lambda: tg.permute_dims(x23, (0, 0))),
    r"T: got shape \(2, 2, 2\), wanted a matrix": (ValueError, lambda: m22.T),
    r"matrix_transpose: got shape \(3,\), wanted": (ValueError, lambda: x3.mT),
    r"concat: got shapes \[\(2, 3\), \(3,\)\], wanted": (ValueError, lambda: tg.concat([x23, x3])),
    r"concat: got axis 2, wanted one of 2 axes": (ValueError, lambda: tg.concat([x23], axis=2)),
    r"stack: got shapes \[\(2, 3\), \(3,\)\], wanted one shape": (ValueError, lambda: tg.stack([x23, x3])),
    r"split: got parts 2 of axis 1, wanted .* 3": (ValueError, lambda: tg.split(x23, 2, axis=1)),
    r"split: got parts \(?\[?1, 1.* of axis 1, wanted": (ValueError, lambda: tg.split(x23, [1, 1], axis=1)),
    r"take: got indices 1, wanted an array of integers": (TypeError, lambda: tg.take(x23, 1)),
    r"take: got axis 2, wanted one of 2 axes": (ValueError, lambda: tg.take(x23, tg.asarray([0]), axis=2)),
    r"unstack: got axis -3, wanted one of 2 axes": (ValueError, lambda: tg.unstack(x23, axis=-3)),
    r"mse_loss: got shapes \(2, 3\) and \(3,\), wanted one shape": (ValueError, lambda: tg.mse_loss(x23, x3)),
    r"mse_loss: got reduction='avg', wanted one of 'mean'": (
        ValueError, lambda: tg.mse_loss(x3, x3, reduction="avg"),
    ),
    r"dropout: got p = 1\.5, wanted a probability": (ValueError, lambda: tg.dropout(x3, 1.5)),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told_by_op_and_shapes(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()


# Random numbers


def test_random_numbers_follow_their_distributions() -> None:
    u, z, i = tg.rand(100, 100), tg.randn(100, 100), tg.randint(-2, 3, (100, 100))
    assert u.dtype == z.dtype == "float32"
    assert i.dtype == "int64"
    assert 0 <= u.min().item() <= u.max().item() < 1
    assert u.mean().item() == pytest.approx(0.5, abs=0.02)
    assert z.mean().item() == pytest.approx(0, abs=0.05)
    assert tg.square(z).mean().item() == pytest.approx(1, abs=0.05)
    assert set(i.reshape(-1).tolist()) == {-2, -1, 0, 1, 2}


def test_random_leaves_and_types() -> None:
    assert tg.rand(2, dtype="float64", requires_grad=True).requires_grad
    assert tg.randn(dtype="float64").shape == ()
    assert not tg.randn(3).requires_grad


def test_the_same_seed_gives_the_same_numbers() -> None:
    def drawn() -> list[Any]:
        return [tg.rand(3), tg.randn(3), tg.randint(0, 100, (3,)), tg.dropout(tg.ones((30,)))]

    tg.manual_seed(7)
    first, other = drawn(), drawn()
    tg.manual_seed(7)
    again = drawn()
    assert [x.tolist() for x in first] == [x.tolist() for x in again]
    assert all(x.tolist() != y.tolist() for x, y in zip(first, other, strict=True))


def test_dropout_zeroes_some_and_scales_the_rest() -> None:
    x = tg.full((100, 100), 2.0, requires_grad=True)
    y = tg.dropout(x, 0.2)
    assert set(y.reshape(-1).tolist()) == {0.0, 2.5}
    assert y.mean().item() == pytest.approx(2, abs=0.05)
    y.sum().backward()
    assert x.grad.tolist() == (y / 2).tolist()


def test_dropout_of_nothing_and_of_all() -> None:
    x = tg.ones((50,), requires_grad=True)
    assert tg.dropout(x, 0).tolist() == [1] * 50
    assert tg.dropout(x, 1).tolist() == [0] * 50
    assert type(tg.dropout(x.data, 0.5)) is backend.ndarray
