"""Tensors among neighbours: NumPy's functions, DLPack, copy and pickle, the namespace of the array API standard."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend, nn

try:
    import torch
except ImportError:
    torch = None

ON_HOST = pytest.mark.skipif(backend.name != "numpy", reason="the host's array functions take tensors of the host")
WITH_TORCH = pytest.mark.skipif(torch is None or backend.name != "numpy", reason="needs PyTorch on the same device")


def leaf(data: Any, dtype: str = "float64") -> tg.Tensor:
    """Return a tensor that gradients are asked for."""
    return tg.asarray(data, dtype=dtype, requires_grad=True)


# NumPy


@ON_HOST
def test_numpy_takes_the_elements_of_a_constant_and_shares_them() -> None:
    x = tg.asarray([[1.0, 2.0]])
    array = np.asarray(x)
    array[0, 0] = 7
    assert x.tolist() == [[7, 2]]
    assert np.array(x, dtype="float64").dtype == "float64"
    assert np.array(x) is not np.asarray(x)
    assert np.array(x).ctypes.data != x.data.ctypes.data
    with pytest.raises(ValueError, match=r"asarray: got a tensor of float32 and copy=False, wanted float64"):
        np.array(x, dtype="float64", copy=False)


@ON_HOST
def test_numpy_does_not_get_a_recorded_tensor() -> None:
    x = leaf([1.0])
    for take in (np.asarray, np.array, tg.Tensor.numpy, lambda x: np.asarray([x * 2])):
        with pytest.raises(RuntimeError, match=r"got a tensor that requires a gradient.* detach\(\) it"):
            take(x)


@pytest.mark.skipif(backend.name == "numpy", reason="there, nothing has to be copied to the host")
def test_nothing_comes_from_the_device_unasked() -> None:
    with pytest.raises(TypeError, match=r"asarray: got a tensor on a GPU, .* numpy\(\) asks for it"):
        np.asarray(tg.ones((2,)))


UFUNCS: dict[str, tuple[Callable[..., Any], list[float]]] = {
    "sin": (np.sin, [np.cos(0.5), np.cos(2.0)]),
    "negative": (np.negative, [-1, -1]),
    "multiply": (lambda x: np.multiply(np.asarray([3.0, 4.0]), x), [3, 4]),
    "power": (lambda x: np.power(x, 2), [1, 4]),
    "arctan2": (lambda x: np.arctan2(x, 1.0), [0.8, 0.2]),
    "array * tensor": (lambda x: np.asarray([3.0, 4.0]) * x, [3, 4]),
    "tensor * array": (lambda x: x * np.asarray([3.0, 4.0]), [3, 4]),
    "array @ tensor": (lambda x: np.asarray([3.0, 4.0]) @ x, [3, 4]),
    "scalar - tensor": (lambda x: np.float64(1) - x, [-1, -1]),
}


@ON_HOST
@pytest.mark.parametrize("name", UFUNCS)
def test_ufuncs_of_numpy_are_ops_with_gradients(name: str) -> None:
    function, slopes = UFUNCS[name]
    x = leaf([0.5, 2.0])
    y = function(x)
    assert type(y) is tg.Tensor
    np.testing.assert_allclose(tg.grad(y.sum(), x).numpy(), slopes)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: np.sum(x, axis=0),
    "mean": np.mean,
    "where": lambda x: np.where(x > 1, x, 0.0),
    "concatenate": lambda x: np.concatenate([x, x], axis=1),
    "stack": lambda x: np.stack((x, x)),
    "expand_dims": lambda x: np.expand_dims(x, 0),
    "transpose": lambda x: np.transpose(x, (1, 0)),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "amax": lambda x: np.amax(x, axis=1),
    "tensordot": lambda x: np.tensordot(x, x, axes=2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_numpy_are_ops_with_gradients(name: str) -> None:
    host = np.asarray([[1.0, 2.0], [3.0, 0.5]])
    x = leaf(host)
    y = FUNCTIONS[name](x)
    np.testing.assert_allclose(y.detach().numpy(), FUNCTIONS[name](host))
    assert y.requires_grad


SPLITS = [([2, 5], 0), ([1, 1, 3], -1), ([3], 1), (2, 0), ([4, 2], 0), ([-1, 20], 1), ((), 0), (np.asarray([1]), 1)]


@pytest.mark.parametrize(("parts", "axis"), SPLITS)
def test_numpy_splits_at_places(parts: Any, axis: int) -> None:
    host = np.arange(24.0).reshape(6, 4)
    x = leaf(host)
    found, wanted = np.split(x, parts, axis=axis), np.split(host, parts, axis=axis)
    assert [part.tolist() for part in found] == [part.tolist() for part in wanted]
    assert all(part.requires_grad for part in found)
    assert tg.grad(found[0].sum(), x).sum().item() == wanted[0].size


def test_numpy_splits_into_equal_parts_alone() -> None:
    with pytest.raises(ValueError, match="split: got parts 4 of axis 0"):
        np.split(leaf(np.ones(6)), 4)


def test_what_numpy_asks_of_any_array() -> None:
    x = leaf([[1.0, 2.0, 3.0]])
    assert (np.shape(x), np.ndim(x), np.size(x)) == ((1, 3), 2, 3)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (np.linalg.norm, "norm"),
        (np.fft.fft, "fft"),
        (np.median, "median"),
        (lambda x: np.sum(x, where=[True, False]), "sum with where"),
    ],
)
def test_what_has_no_op_is_refused_with_the_remedy(function: Callable[..., Any], name: str) -> None:
    with pytest.raises(TypeError, match=rf"{name.split()[0]}: numpy\.{name} got a tensor.* detach\(\)\.numpy\(\)"):
        function(leaf([1.0, 2.0]))


@ON_HOST
def test_forms_of_ufuncs_that_have_no_op_are_refused() -> None:
    x, array = leaf([1.0, 2.0]), np.ones(2)
    for call in (np.add.outer, np.logaddexp2, lambda x, y: np.add(x, y, out=array), lambda x, y: np.spacing(x)):
        with pytest.raises(TypeError, match=r"numpy\.\w+.* got a tensor, for which there is no such op"):
            call(x, x)
    with pytest.raises(TypeError, match=r"numpy\.add with out got a tensor"):
        array += x
    assert array.tolist() == [1, 1]


# DLPack


def test_dlpack_shares_memory_with_the_array_library() -> None:
    x = tg.asarray([1.0, 2.0])
    if not hasattr(x.data, "__dlpack__"):
        pytest.skip("the stand-in has no device memory to share")
    y = tg.from_dlpack(x)
    y.data[0] = 5
    assert x.tolist() == [5, 2]
    assert x.__dlpack_device__() == x.data.__dlpack_device__()


@pytest.mark.peers
@WITH_TORCH
def test_dlpack_shares_memory_with_torch_both_ways() -> None:
    ours = tg.asarray([1.0, 2.0])
    theirs = torch.from_dlpack(ours)
    theirs[0] = 5
    assert ours.tolist() == [5, 2]
    back = tg.from_dlpack(theirs)
    theirs[1] = 6
    assert back.tolist() == [5, 6]
    copied = tg.from_dlpack(theirs, copy=True)
    theirs[1] = 7
    assert copied.tolist() == [5, 6]


def test_a_recorded_tensor_is_not_exported() -> None:
    with pytest.raises(RuntimeError, match=r"dlpack: got a tensor that requires a gradient.*detach\(\) it"):
        leaf([1.0]).__dlpack__()


# Copies


def test_a_copy_is_the_same_place_on_the_tape() -> None:
    x = leaf([1.0, 2.0])
    (copy.copy(x) * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_a_deep_copy_has_data_and_gradient_of_its_own() -> None:
    x = leaf([1.0, 2.0]).named("x")
    (x * 3).sum().backward()
    y = copy.deepcopy(x)
    y.assign_(y * 0)
    y.grad = None
    assert (x.tolist(), x.grad.tolist(), y.name) == ([1, 2], [3, 3], "x")
    twice = copy.deepcopy([x, x])
    assert twice[0] is twice[1]
    with pytest.raises(RuntimeError, match=r"deepcopy: got the result of multiply.* detach\(\) it first"):
        copy.deepcopy(x * 2)


def test_a_module_is_copied_with_its_parameters() -> None:
    layer = nn.Linear(2, 3)
    twin = copy.deepcopy(layer)
    twin.weight.assign_(twin.weight * 0)
    assert layer.weight.data.any()
    assert [name for name, _ in twin.named_parameters()] == ["weight", "bias"]


def test_pickle_is_refused_in_favour_of_safetensors() -> None:
    for thing in (tg.ones((2,)), leaf([1.0]), nn.Linear(2, 3)):
        with pytest.raises(TypeError, match=r"pickle: tensors are not pickled.*interchange\.safetensors keeps them"):
            pickle.dumps(thing)


# The standard


def test_a_tensor_names_its_namespace() -> None:
    x = tg.ones((2,))
    assert x.__array_namespace__() is tg
    assert x.__array_namespace__(api_version="2024.12").sum(x).item() == 2
    assert tg.__array_api_version__ == "2024.12"
    with pytest.raises(ValueError, match=r"array_namespace: got api_version='2030.12', wanted one of 2021\.12"):
        x.__array_namespace__(api_version="2030.12")


def test_the_one_device() -> None:
    x = tg.ones((2,))
    assert x.to_device(x.device) is x
    for ask in (lambda: x.to_device("tpu"), lambda: tg.asarray([1.0], device="tpu")):
        with pytest.raises(ValueError, match=r"got device 'tpu', wanted '.*', the only one of this backend"):
            ask()
