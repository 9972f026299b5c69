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


def test_counts_what_is_sent_and_who_waits(a: Any) -> None:
    def counted(act: Any) -> tuple[int, int]:
        before = cp.work.sent, cp.work.waited
        act()
        return cp.work.sent - before[0], cp.work.waited - before[1]

    for send in (lambda: cp.asarray([1.0]), lambda: cp.array(np.ones(2)), lambda: a[:, [0, 1]]):
        assert counted(send) == (1, 0)
    for wait in (
        lambda: a.get(), lambda: cp.asnumpy(a), lambda: a.tolist(), lambda: a[0, 0].item(), lambda: bool(a[0, 0]),
        lambda: float(a[0, 0]), lambda: str(a), lambda: cp.nonzero(a), lambda: a.nonzero(), lambda: cp.unique(a),
        lambda: a[a > 1], lambda: cp.cuda.Device().synchronize(), lambda: cp.cuda.Stream().synchronize(),
    ):  # fmt: skip
        assert counted(wait) == (0, 1)
    for neither in (
        lambda: a + 1, lambda: cp.asarray(a), lambda: cp.zeros(3), lambda: a.sum(), lambda: a.astype("float32"),
        lambda: cp.random.default_rng(0).random(3), lambda: a.__setitem__(a > 1, 0.0), lambda: a[cp.arange(2)],
    ):  # fmt: skip
        assert counted(neither) == (0, 0)


def test_a_copy_in_a_stream_is_made_when_somebody_waits_for_it() -> None:
    host = np.frombuffer(cp.cuda.alloc_pinned_memory(16))
    copying, array = cp.cuda.Stream(non_blocking=True), cp.ones(2)
    array.set(host, stream=copying)
    copied = copying.record()
    assert not copied.done
    assert array.tolist() == [0, 0]
    host[...] = 5  # too early
    cp.cuda.get_current_stream().wait_event(copied)
    assert copied.done
    assert array.tolist() == [5, 5]
    with pytest.raises(TypeError, match=r"float32 of shape \(2,\) cannot be set to float64 of shape \(2,\)"):
        array.set(np.ones(2, "float32"))


def test_memory_is_counted_from_its_making_to_its_end() -> None:
    pool = cp.get_default_memory_pool()
    before = pool.used_bytes()
    a = cp.zeros((100, 10))
    view = a[1:]
    del a
    assert pool.used_bytes() == before + 8000 <= pool.total_bytes()
    del view
    assert pool.used_bytes() == before
    assert pool.total_bytes() >= before + 8000
    pool.free_all_blocks()
    assert pool.total_bytes() == before


def test_there_is_no_more_memory_than_the_limit() -> None:
    pool = cp.get_default_memory_pool()
    pool.set_limit(size=pool.used_bytes() + 8000)
    a = cp.ones((100, 5))
    with pytest.raises(
        cp.cuda.memory.OutOfMemoryError, match=r"^Out of memory allocating 8,000 bytes \(allocated so far:"
    ):
        cp.ones((100, 10))
    pool.set_limit(size=0)
    assert (a + cp.ones((100, 5))).shape == (100, 5)


@pytest.mark.peers
def test_every_name_is_cupys() -> None:
    """CuPy can be imported, if not used, without a GPU: what the stand-in offers must be there."""
    names = [*cp._listed, *(name for name in vars(cp) if callable(getattr(cp, name)) and not name.startswith("_"))]
    names += [f"ndarray.{name}" for name in vars(cp.ndarray) if name != "_host"]
    names += [f"cuda.{name}" for name in vars(cp.cuda)] + ["cuda.memory.OutOfMemoryError"]
    names += [f"cuda.Stream.{name}" for name in ("record", "synchronize", "wait_event")] + ["cuda.Event.done"]
    names += [f"cuda.MemoryPool.{name}" for name in vars(type(cp.get_default_memory_pool())) if name[0] != "_"]
    ask = "import cupy, json, operator, sys; print(json.dumps([x for x in json.load(sys.stdin) if not "
    ask += "all(hasattr(operator.attrgetter(a)(cupy) if a else cupy, b) for a, _, b in [x.rpartition('.')])]))"
    path = os.pathsep.join(p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if "standin" not in p)
    asked = subprocess.run(
        [sys.executable, "-c", ask], input=json.dumps(names), capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    if "No module named 'cupy'" in asked.stderr:
        pytest.skip("CuPy is not installed")
    unknown = set(json.loads(asked.stdout.splitlines()[-1])) - {"work", "deque", "Callable", "Iterator", "Any"}
    assert unknown == {"ndarray.__weakref__", "cuda.MemoryPool.freed"}
