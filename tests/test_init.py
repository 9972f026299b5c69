"""Initial values: drawn from what their names say, scaled as the papers have it, orthogonal where that is promised."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import nn
from tinygrad_lstm.backend import host_array, to_host
from tinygrad_lstm.nn import init


def leaf(*shape: int, dtype: str = "float64") -> tg.Tensor:
    return tg.zeros(shape, dtype=dtype, requires_grad=True)


def spread(tensor: tg.Tensor) -> tuple[float, float, float]:
    """Return the mean, the standard deviation and the largest size of a tensor's elements."""
    x = to_host(tensor.data)
    return x.mean().item(), x.std().item(), abs(x).max().item()


# With n = 60,000 draws a mean strays by less than 5 std / sqrt(n), and a standard deviation by 5 std / sqrt(2 n).

SHAPE = (200, 300)
N_IN, N_OUT = 300, 200
EVEN = {
    "uniform_": (lambda w: init.uniform_(w, -0.5, 0.5), 0.5),
    "xavier_uniform_": (init.xavier_uniform_, math.sqrt(6 / (N_IN + N_OUT))),
    "xavier_uniform_-gain": (lambda w: init.xavier_uniform_(w, gain=3.0), 3 * math.sqrt(6 / (N_IN + N_OUT))),
    "kaiming_uniform_": (init.kaiming_uniform_, math.sqrt(6 / N_IN)),
    "kaiming_uniform_-tanh": (lambda w: init.kaiming_uniform_(w, nonlinearity="tanh"), 5 / 3 * math.sqrt(3 / N_IN)),
    "kaiming_uniform_-out": (lambda w: init.kaiming_uniform_(w, math.sqrt(5), "fan_out"), math.sqrt(1 / N_OUT)),
}
NORMAL = {
    "normal_": (lambda w: init.normal_(w, 0.0, 0.5), 0.5),
    "xavier_normal_": (lambda w: init.xavier_normal_(w, gain=2.0), 2 * math.sqrt(2 / (N_IN + N_OUT))),
    "kaiming_normal_": (lambda w: init.kaiming_normal_(w, nonlinearity="relu"), math.sqrt(2 / N_IN)),
    "kaiming_normal_-out": (lambda w: init.kaiming_normal_(w, a=1.0, mode="fan_out"), math.sqrt(1 / N_OUT)),
}


@pytest.mark.parametrize(("fill", "bound"), EVEN.values(), ids=EVEN)
def test_even_draws_fill_their_bounds(fill: Callable[[tg.Tensor], tg.Tensor], bound: float) -> None:
    mean, std, largest = spread(fill(leaf(*SHAPE)))
    assert bound * 0.999 < largest <= bound
    assert abs(mean) < 5 * bound / math.sqrt(3) / math.sqrt(60_000)
    assert std == pytest.approx(bound / math.sqrt(3), rel=0.015)


@pytest.mark.parametrize(("fill", "wanted"), NORMAL.values(), ids=NORMAL)
def test_normal_draws_have_their_mean_and_deviation(fill: Callable[[tg.Tensor], tg.Tensor], wanted: float) -> None:
    mean, std, largest = spread(fill(leaf(*SHAPE)))
    assert abs(mean) < 5 * wanted / math.sqrt(60_000)
    assert std == pytest.approx(wanted, rel=0.015)
    assert 3.5 * wanted < largest < 6 * wanted


def test_the_mean_of_a_normal_distribution_can_be_elsewhere() -> None:
    mean, std, _ = spread(init.normal_(leaf(*SHAPE), 7.0, 2.0))
    assert (mean, std) == (pytest.approx(7, abs=0.05), pytest.approx(2, rel=0.015))


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"),
    [(0.0, 1.0, -2.0, 2.0), (1.0, 0.5, 0.9, 3.0), (0.0, 1.0, 4.0, 5.0), (0.0, 1.0, -math.inf, 0.0), (0.0, 1e-3, 0, 1)],
)
def test_truncated_draws_follow_the_density_between_their_bounds(mean: float, std: float, a: float, b: float) -> None:
    x = to_host(init.trunc_normal_(leaf(100, 100), mean, std, a, b).data).ravel()
    assert a <= x.min() < x.max() <= b
    below = [math.erfc((mean - bound) / std / math.sqrt(2)) / 2 for bound in (a, *sorted(x)[999::1000], b)]
    shares = [(share - below[0]) / (below[-1] - below[0]) for share in below[1:-1]]
    assert shares == pytest.approx([k / 10 for k in range(1, 11)], abs=0.02)  # Kolmogorov's distance, 2 / sqrt(10,000)


def test_bounds_in_a_tail_without_numbers_are_kept_all_the_same() -> None:
    assert set(init.trunc_normal_(leaf(5), 0.0, 1.0, 50.0, 60.0).tolist()) == {50.0}
    assert set(init.trunc_normal_(leaf(5), 0.0, 1.0, -60.0, -50.0).tolist()) == {-50.0}


def test_constants_and_identities() -> None:
    assert init.constant_(leaf(2, 2), 0.5).tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert init.ones_(leaf(2)).tolist() == [1, 1]
    assert init.zeros_(init.ones_(leaf(2))).tolist() == [0, 0]
    assert init.eye_(leaf(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


# How large


@pytest.mark.peers
@pytest.mark.parametrize("shape", [(3, 5), (4, 6, 3), (4, 6, 3, 2)])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
def test_fans_are_pytorchs(shape: tuple[int, ...], mode: str) -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    fan = dict(zip(("fan_in", "fan_out"), torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape)), strict=True))
    w = leaf(*shape)
    draws = []
    for fill in (lambda: init.kaiming_normal_(w, 1.0, mode), lambda: init.normal_(w, 0, fan[mode] ** -0.5)):
        tg.manual_seed(0)
        draws.append(to_host(fill().data).copy())
    assert draws[0] == pytest.approx(draws[1], rel=1e-12)


@pytest.mark.peers
def test_gains_are_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="compares with PyTorch")
    for name in (*init.GAINS, "leaky_relu"):
        assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
    assert init.calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


# Orthogonal


def assert_orthonormal(matrix: Any, gain: float = 1.0) -> None:
    """Check that the rows, or the columns if those are fewer, are orthogonal and of one length."""
    matrix = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    wanted = [[gain**2 * (i == j) for j in range(len(matrix))] for i in range(len(matrix))]
    assert matrix @ matrix.T == pytest.approx(host_array(wanted), abs=1e-12)


@pytest.mark.parametrize("shape", [(4, 4), (7, 3), (3, 7), (1, 1)])
def test_matrices_are_orthogonal(shape: tuple[int, int]) -> None:
    assert_orthonormal(to_host(init.orthogonal_(leaf(*shape), gain=2.0).data), gain=2.0)


def test_axes_behind_the_second_count_as_one_with_it() -> None:
    assert_orthonormal(to_host(init.orthogonal_(leaf(4, 2, 3)).data).reshape(4, 6))


@pytest.mark.parametrize("blocks", [1, 4])
def test_each_gate_of_a_recurrent_weight_is_orthogonal_by_itself(blocks: int) -> None:
    weight = init.orthogonal_(nn.LSTM(3, 5).to("float64").weight_hh_l0, blocks=blocks)
    for part in to_host(weight.data).reshape(blocks, 20 // blocks, 5):
        assert_orthonormal(part)


def test_orthogonal_matrices_are_spread_evenly() -> None:
    """Each element of one has mean 0 and variance 1 / n; without the signs of R the diagonal's mean would be off."""
    draws = host_array([to_host(init.orthogonal_(leaf(3, 3)).data).copy() for _ in range(4000)])
    assert abs(draws.mean(axis=0)).max() < 5 * math.sqrt(1 / 3 / 4000)
    assert (draws**2).mean(axis=0) == pytest.approx(1 / 3, abs=0.03)


# What all share

FILLS: dict[str, Callable[[tg.Tensor], tg.Tensor]] = {
    name: getattr(init, name) for name in init.__all__ if name not in ("calculate_gain", "constant_")
}
FILLS["constant_"] = lambda w: init.constant_(w, 0.5)

each_fill = pytest.mark.parametrize("fill", FILLS.values(), ids=FILLS)


@each_fill
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_leaf_gets_new_values_in_its_own_type(fill: Callable[[tg.Tensor], tg.Tensor], dtype: str) -> None:
    w = leaf(3, 4, dtype=dtype).named("w")
    loss = (w * w).sum()
    array = w.data
    assert fill(w) is w
    assert w.data is array
    assert (str(w.dtype), w.shape, w.requires_grad, w.name) == (dtype, (3, 4), True, "w")
    with pytest.raises(RuntimeError, match="was changed after"):
        loss.backward()


@each_fill
def test_a_seed_decides_the_numbers_whatever_the_type(fill: Callable[[tg.Tensor], tg.Tensor]) -> None:
    results = []
    for dtype in ("float64", "float64", "float32"):
        tg.manual_seed(5)
        results.append(to_host(fill(leaf(3, 4, dtype=dtype)).data))
    assert (results[0] == results[1]).all()
    assert (results[0].astype("float32") == results[2]).all()


@each_fill
def test_what_has_no_elements_stays(fill: Callable[[tg.Tensor], tg.Tensor]) -> None:
    assert fill(leaf(0, 4)).shape == (0, 4)


@each_fill
def test_what_cannot_be_filled_is_refused(fill: Callable[[tg.Tensor], tg.Tensor]) -> None:
    with pytest.raises(TypeError, match=r"_: got a tensor of int64, wanted floating point"):
        fill(tg.zeros((3, 4), dtype="int64"))
    with pytest.raises(RuntimeError, match=r"_: got the result of multiply, wanted a leaf"):
        fill(leaf(3, 4) * 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.xavier_uniform_(leaf(3)), r"xavier_uniform_: got shape \(3,\), wanted two axes or more"),
        (lambda: init.xavier_normal_(leaf(3)), r"xavier_normal_: got shape \(3,\), wanted two axes or more"),
        (lambda: init.kaiming_normal_(leaf(3)), r"kaiming_normal_: got shape \(3,\), wanted two axes or more"),
        (lambda: init.kaiming_uniform_(leaf(3, 3), mode="in"), "kaiming_uniform_: got mode='in', wanted 'fan_in' or"),
        (lambda: init.kaiming_uniform_(leaf(3, 3), nonlinearity="x"), "calculate_gain: got nonlinearity='x', wanted"),
        (lambda: init.orthogonal_(leaf(3)), r"orthogonal_: got shape \(3,\), wanted two axes or more"),
        (lambda: init.orthogonal_(leaf(6, 2), blocks=4), "orthogonal_: got 6 rows and blocks = 4, wanted rows"),
        (lambda: init.orthogonal_(leaf(6, 2), blocks=0), "orthogonal_: got 6 rows and blocks = 0, wanted rows"),
        (lambda: init.eye_(leaf(2, 2, 2)), r"eye_: got shape \(2, 2, 2\), wanted two axes"),
        (lambda: init.trunc_normal_(leaf(2), a=1.0, b=1.0), "trunc_normal_: got a = 1.0 and b = 1.0, wanted the first"),
    ],
)
def test_wrong_calls_are_told_in_one_sentence(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
