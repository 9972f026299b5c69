"""Creation: kinds, devices, memory shared with other libraries, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import backend

try:
    import torch
except ImportError:
    torch = None

x3, labels = tg.ones(3), tg.asarray([2, 0])

ON_A_DEVICE: dict[str, Callable[[Any], Any]] = {
    "zeros": lambda device: tg.zeros(3, device=device),
    "ones": lambda device: tg.ones(3, device=device),
    "empty": lambda device: tg.empty(3, device=device),
    "full": lambda device: tg.full(3, 0, device=device),
    "zeros_like": lambda device: tg.zeros_like(x3, device=device),
    "ones_like": lambda device: tg.ones_like(x3, device=device),
    "empty_like": lambda device: tg.empty_like(x3, device=device),
    "full_like": lambda device: tg.full_like(x3, 0, device=device),
    "arange": lambda device: tg.arange(3, device=device),
    "linspace": lambda device: tg.linspace(0, 1, 3, device=device),
    "eye": lambda device: tg.eye(3, device=device),
    "from_dlpack": lambda device: tg.from_dlpack(x3, device=device),
}


@pytest.mark.parametrize("op", ON_A_DEVICE)
def test_there_is_one_device(op: str) -> None:
    create = ON_A_DEVICE[op]
    assert create(None).device == create(x3.device).device == x3.device
    with pytest.raises(ValueError, match=f"{op}: got device 'elsewhere', wanted '{x3.device}'"):
        create("elsewhere")


def test_the_default_type_is_float32_also_where_it_is_asked_for_by_none() -> None:
    created = [tg.zeros(1, dtype=None), tg.eye(1, dtype=None), tg.linspace(0, 1, 2, dtype=None), tg.rand(1, dtype=None)]
    assert {x.dtype for x in created} == {tg.float32}
    assert [tg.full(1, value).dtype for value in (True, 2, 0.5, np.float64(2), np.int8(2))] == [
        "bool", "int64", "float32", "float32", "int64",
    ]  # fmt: skip
    assert tg.full(2, 1, dtype="float64", requires_grad=True).requires_grad


def test_like_an_array_is_an_array_and_like_a_recorded_tensor_a_constant() -> None:
    recorded = tg.asarray([1.0], requires_grad=True)
    for like in (tg.zeros_like, tg.ones_like, tg.empty_like, lambda x: tg.full_like(x, 2)):
        assert type(like(recorded.data)) is backend.ndarray
        assert not like(recorded).requires_grad


def test_grids_of_nothing_and_of_one() -> None:
    assert tg.meshgrid() == []
    (x,) = tg.meshgrid(tg.arange(3))
    assert x.tolist() == [0, 1, 2]
    x, y = tg.meshgrid(x3.data, tg.arange(2).data, indexing="ij")
    assert (type(x), x.dtype, y.dtype, x.shape) == (backend.ndarray, "float32", "int64", (3, 2))


def test_one_hot_of_what_is_no_class() -> None:
    """The host looks and refuses; on a device, where looking means waiting, the vector is 0."""
    for wrong in (-1, 3):
        if backend.name == "numpy":
            with pytest.raises(IndexError, match=f"one_hot: got {wrong}, wanted classes from 0 to 2"):
                tg.one_hot(tg.asarray([0, wrong]), 3)
        else:
            assert tg.one_hot(tg.asarray([0, wrong]), 3).tolist() == [[1, 0, 0], [0, 0, 0]]
    assert tg.one_hot(labels.data.astype("uint8"), 3, dtype="float32").dtype == "float32"


def test_dlpack_copies_when_asked_to() -> None:
    x = tg.ones(3)
    shared, copied = tg.from_dlpack(x), tg.from_dlpack(x, copy=True)
    x.data[0] = 5
    assert (shared.tolist(), copied.tolist()) == ([5, 1, 1], [1, 1, 1])


@pytest.mark.peers
@pytest.mark.skipif(torch is None or backend.name != "numpy", reason="needs PyTorch on the device of the backend")
def test_dlpack_takes_what_torch_has() -> None:
    theirs = torch.arange(6, dtype=torch.int16).reshape(2, 3).T
    ours = tg.from_dlpack(theirs)
    theirs[0, 0] = 9
    assert (ours.dtype, ours.tolist()) == ("int16", theirs.tolist())
    with pytest.raises(BufferError, match=r"from_dlpack: got an array that numpy cannot share: .*grad"):
        tg.from_dlpack(torch.ones(3, requires_grad=True))
    with pytest.raises(BufferError, match="from_dlpack: got an array that numpy cannot share"):
        tg.from_dlpack(torch.ones(3, dtype=torch.bfloat16))
    with pytest.raises(TypeError, match="from_dlpack: got dtype complex64, wanted real numbers"):
        tg.from_dlpack(torch.ones(3, dtype=torch.complex64))


@pytest.mark.skipif(backend.name == "numpy", reason="the host takes what is on the host")
def test_dlpack_does_not_move_what_is_on_the_host() -> None:
    with pytest.raises(BufferError, match="from_dlpack: got an array that cupy cannot share: CPU arrays"):
        tg.from_dlpack(np.ones(3))


MISTAKES: dict[str, tuple[type[Exception], Callable[[], Any]]] = {
    "full: got 0.5 to fill int64 with, wanted a whole number": (TypeError, lambda: tg.full(3, 0.5, dtype="int64")),
    "full_like: got 2.0 to fill int64 with, wanted": (TypeError, lambda: tg.full_like(labels, 2.0)),
    "full: got 1j to fill with, wanted a number.": (TypeError, lambda: tg.full(3, 1j)),
    "zeros_like: got 2.0, wanted a tensor or an array.": (TypeError, lambda: tg.zeros_like(2.0)),
    "arange: got a step of 0, wanted": (ValueError, lambda: tg.arange(3, 5, 0)),
    "linspace: got num = -1, wanted at least 0.": (ValueError, lambda: tg.linspace(0, 1, -1)),
    "meshgrid: got indexing='yx', wanted 'xy' or 'ij'.": (ValueError, lambda: tg.meshgrid(x3, indexing="yx")),
    "meshgrid: got shape (2, 2), wanted arrays of one axis.": (ValueError, lambda: tg.meshgrid(x3, tg.eye(2))),
    "meshgrid: got [1, 2], wanted tensors or arrays.": (TypeError, lambda: tg.meshgrid([1, 2])),
    "one_hot: got float32, wanted a tensor or an array of integers.": (TypeError, lambda: tg.one_hot(x3, 3)),
    "one_hot: got [0, 1], wanted a tensor or an array of integers.": (TypeError, lambda: tg.one_hot([0, 1], 3)),
    "one_hot: got num_classes = 0, wanted at least 1.": (ValueError, lambda: tg.one_hot(labels, 0)),
    "one_hot: got num_classes = 2.5, wanted an int.": (TypeError, lambda: tg.one_hot(labels, 2.5)),
    "zeros: got shape (-1,), wanted lengths of at least 0.": (ValueError, lambda: tg.zeros(-1)),
    "ones: got shape (2, -1), wanted lengths of at least 0.": (ValueError, lambda: tg.ones((2, -1))),
    "full: got length 2.5, wanted an int.": (TypeError, lambda: tg.full((2.5,), 1)),
    "empty: got shape (-3,), wanted lengths of at least 0.": (ValueError, lambda: tg.empty(-3)),
    "rand: got shape (-1,), wanted lengths of at least 0.": (ValueError, lambda: tg.rand(-1)),
    "randn: got length 0.5, wanted an int.": (TypeError, lambda: tg.randn(2, 0.5)),
    "randint: got low = 5 and high = 1, wanted the first below": (ValueError, lambda: tg.randint(5, 1, (2,))),
    "randint: got shape (-2,), wanted lengths of at least 0.": (ValueError, lambda: tg.randint(0, 1, (-2,))),
    "eye: got n_rows = -1, wanted at least 0.": (ValueError, lambda: tg.eye(-1)),
    "eye: got n_cols = 1.5, wanted an int.": (TypeError, lambda: tg.eye(1, 1.5)),
    "linspace: got num = 2.5, wanted an int.": (TypeError, lambda: tg.linspace(0, 1, 2.5)),
    "ones: got dtype foo, wanted real numbers or bool, of 64": (TypeError, lambda: tg.ones(2, dtype="foo")),
    "manual_seed: got seed = -1, wanted at least 0.": (ValueError, lambda: tg.manual_seed(-1)),
    "set_rng_state: got a state that get_rng_state did not give": (ValueError, lambda: tg.set_rng_state({})),
    "from_dlpack: got [1], wanted an array with __dlpack__.": (TypeError, lambda: tg.from_dlpack([1])),
    "from_dlpack: got an array that": (BufferError, lambda: tg.from_dlpack(tg.ones(3, requires_grad=True))),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_a_mistake_is_told(message: str) -> None:
    error, mistake = MISTAKES[message]
    with pytest.raises(error, match=re.escape(message)):
        mistake()
