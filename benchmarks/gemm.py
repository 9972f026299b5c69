"""`gemm`: the product of a recurrent step, ``h @ weight``, by our compiled kernels, OpenBLAS and MKL.

A step of the work is a sequence of such products, each of another ``h`` into a place of its own, as in a recurrence.
The weight stays the same, and may be packed once a sequence. Without biases, gates and loss.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, files
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .declarations import Benchmark, Program, Size, Step

T = 32
"""Products a step of the work."""

HIDDEN = [(16, 64), (32, 128), (64, 256), (64, 512), (20, 650), (128, 1024)]
FORWARD: list[Size] = [(B, H, 4 * H) for B, H in HIDDEN]
BACKWARD: list[Size] = [(B, 4 * H, H) for B, H in HIDDEN]

LITTLE = 30_000_000
"""Operations that are too few for a second thread."""

PANEL = 64
"""Columns by which packed weights may exceed the matrix, at least."""

ROW_MAJOR, AS_IT_IS, PACKED, RIGHT_FACTOR = 101, 111, 151, 162
"""Constants of CBLAS, the last two MKL's own."""


class Work(NamedTuple):
    """States, (T, B, depth), and a weight, (depth, columns)."""

    h: np.ndarray[Any, Any]
    weight: np.ndarray[Any, Any]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """B, depth and columns."""
        return self.h.shape[1], *self.weight.shape

    def room(self) -> np.ndarray[Any, Any]:
        """Return memory for the products."""
        return np.zeros((*self.h.shape[:2], self.weight.shape[1]), "float32")


def work(size: Size) -> Work:
    """Return states and a weight, the same every time."""
    B, depth, columns = size
    rng = np.random.default_rng(0)
    return Work(rng.standard_normal((T, B, depth), "float32"), rng.standard_normal((depth, columns), "float32"))


def million_operations(size: Size) -> int:
    """Return how many million products and sums a step of the work takes."""
    B, depth, columns = size
    return max(1, 2 * T * B * depth * columns // 10**6)


def openblas(work: Work) -> Step:
    """Return the products by NumPy, which computes with OpenBLAS."""
    made = work.room()

    def run() -> None:
        for h, z in zip(work.h, made, strict=True):
            np.dot(h, work.weight, out=z)

    return Step(run, lambda: {"products": made})


def compiled(work: Work) -> Step:
    """Return the products by our compiled kernels: a thread goes through all steps with its rows."""
    import numba

    from tinygrad_lstm.kernels.compiled.lanes import address, kind_of
    from tinygrad_lstm.kernels.compiled.products import multiply, pack_panel, panels_in

    B, depth, columns = work.sizes
    made, none = work.room(), np.zeros(columns, "float32")
    space = np.zeros(depth * (columns + PANEL), "float32")

    @numba.njit(nogil=True)  # type: ignore[untyped-decorator]
    def pack(weight: Any, w: Any) -> None:
        for n in range(panels_in(kind_of(weight), columns)):
            pack_panel(n, kind_of(weight), address(weight), columns * 4, depth, columns, address(w))

    @numba.njit(nogil=True)  # type: ignore[untyped-decorator]
    def rows(hs: Any, w: Any, first: Any, zs: Any, start: int, stop: int) -> None:
        for t in range(T):
            h, z = address(hs) + (t * B + start) * depth * 4, address(zs) + (t * B + start) * columns * 4
            multiply(
                kind_of(hs), stop - start, h, depth * 4, depth, address(w), columns, address(first), 0, z, columns * 4
            )

    share = shared(work)

    def run() -> None:
        pack(work.weight, space)
        share(partial(rows, work.h, space, none, made))

    return Step(run, lambda: {"products": made})


def shared(work: Work) -> Callable[[Callable[[int, int], Any]], None]:
    """Return how to call a function for some of the rows on every thread, for all of them where the work is little."""
    B, threads = work.h.shape[1], len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    parts = min(B, threads) if work.h.size * work.weight.shape[1] * 2 > LITTLE else 1
    bounds = list(pairwise(B * n // parts for n in range(parts + 1)))
    pool = ThreadPoolExecutor(max(1, parts - 1))

    def share(function: Callable[[int, int], Any]) -> None:
        others = [pool.submit(function, *some) for some in bounds[1:]]
        function(*bounds[0])
        for other in others:
            other.result()

    return share


def addresses(*arrays: np.ndarray[Any, Any]) -> list[int]:
    """Return where arrays lie."""
    return [array.ctypes.data for array in arrays]


def mkl(work: Work, packed: bool, by_rows: bool) -> Step:
    """Return the products by MKL: packed once a sequence or not, on MKL's threads, or each of ours with some rows."""
    library, (B, depth, columns), made = mkl_library(), work.sizes, work.room()
    pack = mkl_packed(library, work) if packed else lambda: work.weight.ctypes.data
    product = sgemm(library, packed)
    share = shared(work) if by_rows else lambda function: function(0, B)

    def run() -> None:
        w, (h, z) = pack(), addresses(work.h, made)

        def rows(start: int, stop: int) -> None:
            for row in range(start, T * B + start, B):
                product(stop - start, columns, depth, h + row * depth * 4, w, z + row * columns * 4)

        share(rows)

    return Step(run, lambda: {"products": made})


def sgemm(library: Any, packed: bool) -> Callable[[int, int, int, int, int, int], None]:
    """Return MKL's product of arrays in one piece as a function of rows, columns, depth and the addresses."""
    integer, number, address = ctypes.c_int, ctypes.c_float, ctypes.c_void_p
    call = library.cblas_sgemm_compute if packed else library.cblas_sgemm
    scale = [] if packed else [1.0]
    left = [*[integer] * 6, *([] if packed else [number]), address, integer, address, integer]
    call.argtypes = [*left, number, address, integer]
    shape = [ROW_MAJOR, AS_IT_IS, PACKED if packed else AS_IT_IS]

    def product(rows: int, columns: int, depth: int, h: int, w: int, z: int) -> None:
        call(*shape, rows, columns, depth, *scale, h, depth, w, columns, 0.0, z, columns)

    return product


def mkl_packed(library: Any, work: Work) -> Callable[[], int]:
    """Return a function that packs the weight, into the same memory every time, and returns its address."""
    B, depth, columns = work.sizes
    library.cblas_sgemm_pack_get_size.restype = ctypes.c_size_t
    size = library.cblas_sgemm_pack_get_size(RIGHT_FACTOR, B, columns, depth)
    room = np.zeros(size + 64, "uint8")
    place = room[-room.ctypes.data % 64 :]

    def pack() -> int:
        library.cblas_sgemm_pack(
            ROW_MAJOR, RIGHT_FACTOR, AS_IT_IS, B, columns, depth, ctypes.c_float(1.0),
            ctypes.c_void_p(work.weight.ctypes.data), columns, ctypes.c_void_p(place.ctypes.data),
        )  # fmt: skip
        return place.ctypes.data

    return pack


def mkl_library() -> Any:
    """Return MKL's library, from where pip has put it or the system knows it."""
    try:
        found = [file for file in files("mkl") or [] if file.name.startswith(("libmkl_rt", "mkl_rt"))]
    except PackageNotFoundError:
        found = []
    return ctypes.CDLL(str(found[0].locate()) if found else ctypes.util.find_library("mkl_rt"))


ON_ONE_THREAD = {"MKL_THREADING_LAYER": "SEQUENTIAL"}

BENCHMARKS = [
    Benchmark(
        name="gemm",
        about=f"{T} products of a recurrence one after the other, (B, depth) @ (depth, columns), float32",
        axes=("B", "depth", "columns"),
        sizes=FORWARD + BACKWARD,
        work=work,
        programs={
            "compiled": Program(compiled, needs=("numba",)),
            "OpenBLAS": Program(openblas),
            "MKL": Program(partial(mkl, packed=False, by_rows=False), needs=("mkl",)),
            "MKL packed": Program(partial(mkl, packed=True, by_rows=False), needs=("mkl",)),
            "MKL packed, by rows": Program(partial(mkl, packed=True, by_rows=True), ("mkl",), ON_ONE_THREAD),
        },
        baseline="OpenBLAS",
        quick=(2, 3, 4),
        unit="Mflop",
        count=million_operations,
    )
]
