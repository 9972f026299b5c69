"""Convolution and pooling beyond the table of ops: what is kept, ties and edges, types, and mistakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optable
import pytest
from optable import Host

import tinygrad_lstm as tg
from tinygrad_lstm import backend
from tinygrad_lstm.backend import xp
from tinygrad_lstm.ops import convolution
from tinygrad_lstm.ops.windows import Windows

INF, NAN = float("inf"), float("nan")


def drawn(*shape: int, seed: int = 0) -> Any:
    """Return a tensor of random numbers that requires a gradient."""
    return tg.asarray(np.random.default_rng(seed).uniform(-2, 2, shape), requires_grad=True)


def host(x: Any) -> Host:
    return np.asarray(backend.to_host(x.data))


def slopes(op: Callable[[Any], Any], data: Any) -> Any:
    """Return the gradient of an op's summed result as lists of numbers."""
    x = tg.asarray(data, dtype="float64", requires_grad=True)
    return tg.grad(op(x).sum(), x).tolist()


# Convolution


def test_the_derivatives_of_the_three_maps_are_the_other_two() -> None:
    x, w = drawn(2, 4, 6, 5), drawn(6, 2, 3, 2)
    y = tg.conv2d(x, w, stride=2, padding=1, groups=2)
    x_bar, w_bar = tg.grad((y * y).sum(), (x, w), create_graph=True)
    assert (y.node.name, x_bar.node.name, w_bar.node.name) == ("conv", "conv_transpose", "conv_weight")
    x_second, w_second = tg.grad((x_bar * x_bar).sum() + (w_bar * w_bar).sum(), (x, w), create_graph=True)
    ops = {node.name for node in ancestors(x_second.node) | ancestors(w_second.node)}
    assert ops - {"leaf", "add", "multiply"} == {"conv", "conv_transpose", "conv_weight"}


def ancestors(node: Any) -> set[Any]:
    """Return a node and all that it was computed from."""
    found, waiting = set(), [node]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found.add(node)
            waiting.extend(getattr(node, "parents", ()))
    return found


def test_derivatives_of_the_third_order() -> None:
    x, w = drawn(1, 2, 5), drawn(2, 1, 2, seed=1)
    assert tg.gradcheck(lambda x, w: tg.square(tg.conv1d(x, w, stride=2, groups=2)), [x, w], order=3)
    assert tg.gradcheck(lambda x, w: tg.square(tg.conv_transpose1d(x, w, stride=2)), [x, w], order=3)


def test_no_columns_are_kept() -> None:
    x, w = drawn(2, 3, 8, 8), drawn(4, 3, 3, 3)
    kept = [value for value in tg.conv2d(x, w, padding=1).node.saved if value is not None]
    assert [value is x.data or value is w.data for value in kept] == [True, True]


def test_a_batch_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything() -> list[Host]:
        x, w = drawn(5, 4, 6, 5), drawn(6, 2, 3, 2)
        y = tg.conv2d(x, w, stride=(1, 2), groups=2)
        return [host(part) for part in (y, *tg.grad((y * y).sum(), (x, w)))]

    at_once = everything()
    of_one = 4 * (3 * 2) * (4 * 2)  # channels, kernel, windows
    for of_columns, lengths in ((1, [1, 1, 1, 1, 1]), (2 * of_one, [2, 2, 1])):
        monkeypatch.setattr(convolution, "COLUMNS", of_columns)
        assert [len(range(*part.indices(5))) for part in convolution._batches(5, of_one)] == lengths
        for found, wanted in zip(everything(), at_once, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_a_kernel_of_one_element_is_a_linear_map_of_the_channels() -> None:
    x, w = drawn(2, 3, 4, 5), drawn(6, 3)
    y = tg.conv2d(x, w.reshape(6, 3, 1, 1))
    wanted = tg.permute_dims(tg.linear(tg.permute_dims(x, (0, 2, 3, 1)), w), (0, 3, 1, 2))
    np.testing.assert_allclose(host(y), host(wanted))


def test_groups_see_their_own_channels_only() -> None:
    x, w = drawn(2, 4, 7), drawn(6, 2, 3)
    halves = [tg.conv1d(x[:, 2 * i : 2 * i + 2], w[3 * i : 3 * i + 3]) for i in range(2)]
    np.testing.assert_allclose(host(tg.conv1d(x, w, groups=2)), host(tg.concat(halves, axis=1)))


def test_what_is_left_over_at_the_end_has_no_slope() -> None:
    assert slopes(lambda x: tg.conv1d(x, tg.ones((1, 1, 2)), stride=3), [[1, 2, 3, 4, 5, 6]]) == [[1, 1, 0, 1, 1, 0]]
    assert slopes(lambda x: tg.max_pool1d(x, 2), [[1, 2, 3]]) == [[0, 1, 0]]
    assert slopes(lambda x: tg.avg_pool1d(x, 2, 3), [[1, 2, 3, 4]]) == [[0.5, 0.5, 0, 0]]


def test_types_are_promoted_and_gradients_have_the_type_of_their_tensor() -> None:
    x = tg.ones((1, 2, 4), dtype="float32", requires_grad=True)
    w, b = tg.ones((3, 2, 2), dtype="float64", requires_grad=True), tg.ones((3,), dtype="int64")
    y = tg.conv1d(x, w, b)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype, w.grad.dtype) == ("float64", "float32", "float64")
    assert tg.conv1d(x, tg.ones((3, 2, 2), dtype="int64")).dtype == "float32"
    assert tg.conv1d(x.data, xp.ones((3, 2, 2), dtype="float64")).dtype == "float64"
    assert tg.avg_pool1d(x, 2, padding=1, count_include_pad=False).dtype == "float32"


def test_windows_within_the_array_are_no_copy(elements_written: Callable[[Callable[[], object]], int]) -> None:
    x = xp.ones((2, 3, 9), dtype="float32")
    windows = Windows((9,), (3,), (3,), (2,), (0,), (2,))
    assert elements_written(lambda: windows.view(x)) == 0
    assert windows.view(x).shape == (2, 3, 3, 3)


# Pooling


def test_the_first_of_equals_gets_the_gradient_of_a_maximum() -> None:
    assert slopes(lambda x: tg.max_pool1d(x, 3), [[1, 2, 2, 5, 5, 5]]) == [[0, 1, 0, 1, 0, 0]]
    assert slopes(lambda x: tg.max_pool1d(x, 3, 1, 1), [[2, 2, 2, 2]]) == [[2, 1, 1, 0]]
    assert slopes(lambda x: tg.max_pool2d(x, 2), [[[1, 3], [3, 3]]]) == [[[0, 1], [0, 0]]]


def test_padding_is_never_the_greatest() -> None:
    lowest = [[-INF] * 5]
    x = tg.asarray(lowest)
    assert tg.max_pool1d(x, 3, 2, 1).tolist() == [[-INF] * 3]
    assert slopes(lambda x: tg.max_pool1d(x, 3, 2, 1), lowest) == [[1, 1, 0, 1, 0]]
    assert tg.max_pool1d(tg.asarray([[-7, -5]]), 2, 1, 1).tolist() == [[-7, -5, -5]]


def test_not_a_number_is_the_greatest() -> None:
    y = tg.max_pool1d(tg.asarray([[1, NAN, 3, 4]]), 2)
    assert np.isnan(host(y)).tolist() == [[True, False]]
    assert slopes(lambda x: tg.max_pool1d(x, 2), [[1, NAN, 3, 4]]) == [[0, 1, 0, 1]]


def test_a_window_of_very_many_elements() -> None:
    """The number of an element in its window does not fit into a byte."""
    x = np.zeros((1, 17, 20))
    x[0, 16, 3] = x[0, 16, 19] = 1
    wanted = np.zeros_like(x)
    wanted[0, 16, 3] = 1
    assert slopes(lambda x: tg.max_pool2d(x, (17, 20)), x) == wanted.tolist()


@pytest.mark.peers
@pytest.mark.skipif(optable.torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("setting", [(2, None, 0), (3, 1, 1), (3, 2, 1), ((2, 3), (1, 2), (1, 0))], ids=str)
def test_ties_are_broken_as_in_torch(setting: tuple[Any, ...]) -> None:
    torch = optable.torch
    data = np.random.default_rng(1).integers(0, 3, (2, 3, 7, 6)).astype("float64")
    data[0, 0] = -INF
    x = torch.tensor(data, requires_grad=True)
    (wanted,) = torch.autograd.grad(torch.nn.functional.max_pool2d(x, *setting).sum(), x)
    assert slopes(lambda x: tg.max_pool2d(x, *setting), data) == wanted.tolist()


def test_zeros_around_count_in_a_mean_or_not() -> None:
    x = tg.asarray([[3.0, 5.0, 7.0]])
    assert tg.avg_pool1d(x, 2, padding=1).tolist() == [[1.5, 6]]
    assert tg.avg_pool1d(x, 2, padding=1, count_include_pad=False).tolist() == [[3, 6]]


# Modules

CONVOLUTIONS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = {
    "plain": ("Conv2d", (3, 4, 3), {}, (2, 3, 7, 6)),
    "settings": (
        "Conv2d", (4, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 0), "dilation": 2, "groups": 2}, (2, 4, 9, 6),
    ),
    "same": ("Conv2d", (3, 4, 3), {"padding": "same", "bias": False}, (3, 5, 6)),
    "one axis": ("Conv1d", (4, 6, 3), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}, (2, 4, 9)),
}  # fmt: skip


@pytest.mark.peers
@pytest.mark.skipif(optable.torch is None, reason="PyTorch is not installed")
@pytest.mark.parametrize(("name", "sizes", "settings", "shape"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_a_module_is_torchs_with_its_weights(
    name: str, sizes: tuple[Any, ...], settings: dict[str, Any], shape: tuple[int, ...]
) -> None:
    torch = optable.torch
    theirs = getattr(torch.nn, name)(*sizes, **settings, dtype=torch.float64)
    ours = getattr(tg.nn, name)(*sizes, **settings).to("float64")
    assert {key: value.shape for key, value in ours.state_dict().items()} == {
        key: tuple(value.shape) for key, value in theirs.state_dict().items()
    }
    ours.load_state_dict({key: tg.asarray(value.numpy()) for key, value in theirs.state_dict().items()})
    data = np.random.default_rng(0).normal(size=shape)
    wanted = theirs(torch.tensor(data))
    y = ours(tg.asarray(data))
    np.testing.assert_allclose(host(y), wanted.detach().numpy(), rtol=1e-12, atol=1e-12)
    torch.square(wanted).sum().backward()
    tg.square(y).sum().backward()
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(host(mine.grad), its.grad.numpy(), rtol=1e-12, atol=1e-12)


def test_a_modules_weights_are_drawn_as_in_torch() -> None:
    layer = tg.nn.Conv2d(8, 300, (2, 3), groups=2)
    bound = 1 / (4 * 2 * 3) ** 0.5
    for parameter in layer.parameters():
        assert 0.97 * bound < abs(host(parameter)).max() <= bound
        assert abs(host(parameter).mean()) < 0.1 * bound


# Mistakes

x24, x144, w223 = tg.ones((2, 4)), tg.ones((1, 4, 4)), tg.ones((2, 2, 3))

MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    r"conv1d: got x and weight of shapes \(2, 4\), \(3,\) with groups=1, wanted \(N, C, L\) or \(C, L\), \(O, C / gr": (
        ValueError, lambda: tg.conv1d(x24, tg.ones((3,))),
    ),
    r"conv1d: got x, weight and bias of shapes \(2, 4\), \(2, 2, 3\), \(3,\) with groups=1, wanted": (
        ValueError, lambda: tg.conv1d(x24, w223, tg.ones((3,))),
    ),
    r"conv1d: got x and weight of shapes .* with groups=2, want": (ValueError, lambda: tg.conv1d(x24, w223, groups=2)),
    r"conv1d: got x and weight of shapes \(4, 9\), \(3, 2, 3\) with groups=2": (
        ValueError, lambda: tg.conv1d(tg.ones((4, 9)), tg.ones((3, 2, 3)), groups=2),
    ),
    r"conv1d: got x and weight of shapes .* a kernel that is not empty": (
        ValueError, lambda: tg.conv1d(x24, tg.ones((2, 2, 0))),
    ),
    r"conv1d: got x of shape \(2, 4\), whose last axes are \(4,\) long .*, wanted at least \(5,\)": (
        ValueError, lambda: tg.conv1d(x24, w223, dilation=2),
    ),
    r"Conv2d: got in_channels=3, out_channels=4 and groups=2, wanted groups that divide both": (
        ValueError, lambda: tg.nn.Conv2d(3, 4, 3, groups=2),
    ),
    r"Conv2d: got kernel_size=\(3,\), wanted an int or 2 of them, 1 at least": (
        ValueError, lambda: tg.nn.Conv2d(3, 4, (3,)),
    ),
    r"Conv1d: got groups=0, wanted an int, 1 at least": (ValueError, lambda: tg.nn.Conv1d(3, 4, 3, groups=0)),
    r"conv1d: got stride=0, wanted an int, 1 at least": (ValueError, lambda: tg.conv1d(x24, w223, stride=0)),
    r"conv1d: got groups=0, wanted an int, 1 at least": (ValueError, lambda: tg.conv1d(x24, w223, groups=0)),
    r"conv1d: got padding=1\.5, wanted an int, 0 at least": (ValueError, lambda: tg.conv1d(x24, w223, padding=1.5)),
    r"conv1d: got padding='full', wanted numbers, 'val": (ValueError, lambda: tg.conv1d(x24, w223, padding="full")),
    r"conv1d: got padding='same' with stride \(2,\), wanted stride 1": (
        ValueError, lambda: tg.conv1d(x24, w223, padding="same", stride=2),
    ),
    r"conv1d: got builtins\.list, wanted a tensor or an array": (TypeError, lambda: tg.conv1d([[1.0]], w223)),
    r"conv2d: got builtins\.float, wanted a tensor or an array": (TypeError, lambda: tg.conv2d(2.0, w223)),
    r"conv2d: got dilation=\(1, 1, 1\), wanted an int or 2 of them, 1 at least": (
        ValueError, lambda: tg.conv2d(x144, tg.ones((1, 1, 2, 2)), dilation=(1, 1, 1)),
    ),
    r"conv2d: got x and weight of shapes \(2, 4\), .*, wanted .* or \(C, H, W\), \(O, C / groups, KH, KW\)": (
        ValueError, lambda: tg.conv2d(x24, tg.ones((1, 1, 2, 2))),
    ),
    r"conv_transpose1d: got output_padding \(1,\), stride \(1,\) and dilation \(1,\), wanted the first less": (
        ValueError, lambda: tg.conv_transpose1d(x24, w223, output_padding=1),
    ),
    r"conv_transpose1d: got x of shape \(2, 4\), whose last axes become \(0,\) long with padding \(3,\)": (
        ValueError, lambda: tg.conv_transpose1d(x24, w223, padding=3),
    ),
    r"conv_transpose2d: got x and weight of .*, wanted .*, \(C, O / groups, KH, KW\)": (
        ValueError, lambda: tg.conv_transpose2d(x144, tg.ones((2, 1, 2, 2))),
    ),
    r"max_pool1d: got x of shape \(4,\), wanted \(N, C, L\) or \(C,": (ValueError, lambda: tg.max_pool1d(x24[0], 2)),
    r"max_pool2d: got x of shape \(1, 0, 4\), wanted .*, not empty there": (
        ValueError, lambda: tg.max_pool2d(tg.ones((1, 0, 4)), 2),
    ),
    r"max_pool2d: got padding \(2, 2\) and a kernel of \(3, 3\), wanted half of it at most": (
        ValueError, lambda: tg.max_pool2d(x144, 3, padding=2),
    ),
    r"avg_pool2d: got x of shape \(1, 4, 4\), .*, wanted at least \(5, 2\)": (
        ValueError, lambda: tg.avg_pool2d(x144, (5, 2)),
    ),
    r"avg_pool1d: got kernel_size='a', wanted an int": (ValueError, lambda: tg.avg_pool1d(x24, "a")),
}  # fmt: skip


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told_by_op_and_shapes(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=message):
        mistake()
