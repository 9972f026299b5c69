"""The stand-in for CuPy refuses what CuPy refuses, and counts work: what holds over it holds on a GPU."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FILE = Path(__file__).parent / "standin" / "cupy" / "__init__.py"


def _load() -> Any:
    """Return the stand-in as a module of another name, so that these tests run over any backend."""
    spec = importlib.util.spec_from_file_location("standin", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cp = _load()


@pytest.fixture
def a() -> Any:
    return cp.asarray(np.arange(6.0).reshape(2, 3))


def elements_written(act: Any) -> int:
    """Return how many elements an action wrote."""
    before = cp.work.elements
    act()
    return cp.work.elements - before


REFUSED = {
    "host array on the right": lambda a: a + np.ones(3),
    "host array on the left": lambda a: np.ones(3) * a,
    "host array in place": lambda a: a.__iadd__(np.ones(3)),
    "device array in place of a host array": lambda a: np.ones((2, 3)).__iadd__(a),
    "NumPy's ufunc": lambda a: np.exp(a),
    "NumPy's function": lambda a: np.concatenate([a, a]),
    "conversion": lambda a: np.asarray(a),
    "list as operand": lambda a: a * [1.0, 2.0, 3.0],
    "comparison with None": lambda a: a == None,  # noqa: E711
    "host array assigned": lambda a: a.__setitem__(0, np.ones(3)),
    "list assigned": lambda a: a.__setitem__(0, [1.0, 2.0, 3.0]),
    "host array as index": lambda a: a[np.array([0])],
    "device arrays in a sequence": lambda a: cp.asarray([a, a]),
    "host arrays joined": lambda a: cp.concatenate([a, np.ones((2, 3))]),
    "host condition": lambda a: cp.where(np.ones((2, 3), bool), a, 0),
    "number as condition": lambda a: cp.where(True, a, 0),
    "list reduced": lambda a: cp.sum([1.0, 2.0]),
    "where= in a reduction": lambda a: a.sum(where=a > 1),
    "initial= in a reduction": lambda a: cp.max(a, initial=0.0),
    "out= as a host array": lambda a: cp.add(a, a, out=np.ones((2, 3))),
    "slice by a device array": lambda a: a[: cp.asarray(1)],
    "adding integers of 64 bits at places": lambda a: cp.add.at(cp.zeros(3, dtype="int64"), cp.asarray([0]), 1),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(what: str, a: Any) -> None:
    with pytest.raises(TypeError):
        REFUSED[what](a)


def test_refuses_what_is_no_number() -> None:
    for data in (["a"], [None], [object()]):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            cp.asarray(data)


def test_names_that_it_does_not_list_are_missing() -> None:
    for name in ("errstate", "vectorize", "loadtxt", "unstack"):
        with pytest.raises(AttributeError, match=name):
            getattr(cp, name)
    assert not hasattr(cp.add, "reduceat")


def test_transfers_are_copies() -> None:
    host = np.ones(3)
    device = cp.asarray(host)
    host[0] = 5
    cp.asnumpy(device)[1] = 5
    device.get()[2] = 5
    assert device.tolist() == [1, 1, 1]


def test_takes_numbers_of_python_and_numpy(a: Any) -> None:
    single = a.astype("float32")
    for number in (2, 2.0, np.float32(2), np.int8(2)):
        assert (number * single).dtype == (single * number).dtype == "float32"
    assert (np.float64(2) * single).dtype == "float64"
    assert (2.0 - a).tolist() == (2.0 - np.arange(6.0).reshape(2, 3)).tolist()


def test_results_without_axes_are_arrays(a: Any) -> None:
    for scalar in (a.sum(), a[0, 1], cp.max(a), cp.exp(a[1, 1]), cp.add(1, 2), a[0] @ a[0], cp.asarray(3)):
        assert type(scalar) is cp.ndarray
        assert scalar.shape == ()


def test_steps_back_for_a_class_that_opts_out_of_ufuncs(a: Any) -> None:
    class Other:
        __array_ufunc__ = None
        __radd__ = __rmatmul__ = __gt__ = __eq__ = lambda self, array: "mine"
        __hash__ = None

    assert (a + Other(), a @ Other(), a < Other(), a == Other()) == ("mine",) * 4


def test_integer_arrays_wrap_around_but_integers_do_not(a: Any) -> None:
    assert a[cp.asarray([3, -5])].tolist() == a[cp.asarray([1, 1])].tolist()
    assert a[:, None, [4]].tolist() == [[[1.0]], [[4.0]]]
    assert a[..., cp.asarray([3])].tolist() == [[0.0], [3.0]]
    with pytest.raises(IndexError):
        a[3]
    with pytest.raises(IndexError):
        a[cp.asarray([0.5])]


def test_masks_and_assignments(a: Any) -> None:
    assert a[a > 3].tolist() == [4, 5]
    a[a > 3] = 0
    a[0, 1:] += 10
    a[1] = a[0]
    assert a.tolist() == [[0, 11, 12], [0, 11, 12]]
    cp.add.at(a, (slice(None), cp.asarray([0, 0])), 1)
    assert a.tolist() == [[2, 11, 12], [2, 11, 12]]


@pytest.mark.filterwarnings("error")
def test_division_by_zero_warns_nobody(a: Any) -> None:
    assert (1 / a[0]).tolist() == [float("inf"), 1, 0.5]


def test_random_numbers_have_the_type_asked_for() -> None:
    rng, again = cp.random.default_rng(3), cp.random.default_rng(3)
    assert rng.random((2, 2), dtype="float32").dtype == rng.standard_normal(2, dtype="float32").dtype == "float32"
    assert rng.uniform(2.0, 3.0, 4, dtype="float32").dtype == "float32"
    assert rng.integers(0, 5, 3).dtype == "int64"
    assert (
        again.random((2, 2), dtype="float32").tolist()
        == cp.random.default_rng(3).random((2, 2), dtype="float32").tolist()
    )


def test_copies_are_deep(a: Any) -> None:
    other = copy.deepcopy(a)
    other[0, 0] = 100
    assert a[0, 0].item() == 0


def test_counts_the_elements_that_are_written(a: Any) -> None:
    assert elements_written(lambda: a + 1) == 6
    assert elements_written(lambda: a.sum(axis=0)) == 3
    assert elements_written(lambda: a @ a.T) == 4
    assert elements_written(lambda: a[cp.asarray([0, 0, 1])]) == 9 + 3  # the index is an array too
    assert elements_written(lambda: a.astype("float32")) == 6


def test_counts_nothing_for_views(a: Any) -> None:
    for view in (
        lambda: a.reshape(3, 2), lambda: a.T, lambda: a[0], lambda: a[1, 2], lambda: a[:, None], lambda: a.shape,
        lambda: cp.broadcast_to(a, (4, 2, 3)), lambda: cp.split(a, 3, axis=1), lambda: a.astype("float64", copy=False),
    ):  # fmt: skip
        assert elements_written(view) == 0


def test_counts_only_the_part_that_is_changed_in_place(a: Any) -> None:
    def add_to_row() -> None:
        a[0] += 1

    def add_to_mask() -> None:
        a[mask] = 0.0

    mask = a > 3
    calls = cp.work.calls
    assert elements_written(add_to_row) == 3
    assert cp.work.calls == calls + 1
    assert elements_written(add_to_mask) == 2


@pytest.mark.peers
def test_every_name_is_cupys() -> None:
    """CuPy can be imported, if not used, without a GPU: what the stand-in offers must be there."""
    names = [*cp._listed, *(name for name in vars(cp) if callable(getattr(cp, name)) and not name.startswith("_"))]
    attributes = [name for name in vars(cp.ndarray) if name != "_host"]
    ask = "import cupy, json, sys; n, a = json.load(sys.stdin); print(json.dumps("
    ask += "[x for x in n if not hasattr(cupy, x)] + [x for x in a if not hasattr(cupy.ndarray, x)]))"
    path = os.pathsep.join(p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if "standin" not in p)
    asked = subprocess.run(
        [sys.executable, "-c", ask], input=json.dumps([names, attributes]), capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    if "No module named 'cupy'" in asked.stderr:
        pytest.skip("CuPy is not installed")
    unknown = set(json.loads(asked.stdout.splitlines()[-1])) - {"work", "Callable", "Iterator", "Any", "__weakref__"}
    assert not unknown
