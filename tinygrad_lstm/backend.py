"""The array module under everything, chosen once from the environment.

``TINYGRAD_LSTM_BACKEND`` is ``numpy`` (the default), ``cupy`` or ``auto`` (CuPy where it works, NumPy elsewhere).
The rest of the package says ``xp`` and never names either; the few things in which they differ are functions here.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

import numpy

VARIABLE = "TINYGRAD_LSTM_BACKEND"
CHOICES = ("numpy", "cupy", "auto")

Array: TypeAlias = Any
"""A ``numpy.ndarray`` or a ``cupy.ndarray``, by the backend in use."""


class BackendError(ImportError):
    """The backend that was asked for cannot be had; the message says what was found and what to install."""


def _cupy() -> Any:
    """Return the module ``cupy`` if it is installed and finds a GPU, else raise `BackendError`."""
    try:
        import cupy
    except ImportError:
        raise BackendError(
            f"{VARIABLE}=cupy asks for CuPy, which is not installed: pip install cupy-cuda12x or cupy-cuda13x, by your "
            "CUDA driver (nvidia-smi names it), or set it to numpy."
        ) from None
    try:
        count, reason = cupy.cuda.runtime.getDeviceCount(), "the driver lists none"
    except Exception as error:  # the class of the driver's error is CuPy's own and differs by version
        count, reason = 0, str(error)
    if count == 0:
        raise BackendError(
            f"{VARIABLE}=cupy asks for a GPU, but CuPy {cupy.__version__} found none ({reason}): install the NVIDIA "
            "driver on a machine that has one, or set it to numpy."
        )
    return cupy


def _choose(asked: str) -> tuple[str, Any]:
    """Return the name and the module of the backend that was asked for."""
    if asked not in CHOICES:
        raise BackendError(f"{VARIABLE}={asked} is not a backend: set it to one of {', '.join(CHOICES)}.")
    if asked == "numpy":
        return "numpy", numpy
    try:
        return "cupy", _cupy()
    except BackendError:
        if asked == "cupy":
            raise
        return "numpy", numpy


name: str
xp: Any
name, xp = _choose(os.environ.get(VARIABLE) or "numpy")


def _keep_freed_memory() -> None:
    """Have glibc, where that is the C library, keep what is freed for the next array.

    A training step makes and drops the same arrays over and over. By its own rule glibc gives the larger ones back to
    the system each time, and to touch fresh memory anew costs up to a quarter of the step. Up to 512 MiB are kept;
    whoever has set glibc's own variables is left alone.
    """
    if os.name != "posix" or any(v.startswith("MALLOC_") or v == "GLIBC_TUNABLES" for v in os.environ):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, mmap_threshold = -1, -3  # their numbers in malloc.h
        mallopt(mmap_threshold, 32 << 20)
        mallopt(trim_threshold, 512 << 20)


if name == "numpy":
    _keep_freed_memory()

ndarray: Any = xp.ndarray
"""The array class of the backend."""

Scalar = numpy.generic
"""NumPy's scalars: what its functions return for arrays without axes, where CuPy returns an array."""

rng = numpy.random.default_rng()
"""The generator of parameters and data, on the host: one seed gives the same numbers on every backend."""

device_rng: Any = xp.random.default_rng()
"""The generator of what is too large and too frequent to be sent to the device, as the masks of dropout."""


def generator(value: int) -> numpy.random.Generator:
    """Return a random generator of its own on the host."""
    return numpy.random.default_rng(value)


def seed(value: int) -> None:
    """Start both random generators anew, so that what follows can be repeated."""
    global rng, device_rng
    rng = numpy.random.default_rng(value)
    device_rng = xp.random.default_rng(value)


class _FromHost:
    """A generator on the host whose numbers are sent to the device: a seed gives the same ones on every backend."""

    def __init__(self, value: int) -> None:
        self._host = numpy.random.default_rng(value)

    def random(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return to_device(self._host.random(shape, dtype=dtype))


@contextlib.contextmanager
def seeded(value: int, on_host: bool = False) -> Iterator[None]:
    """Draw from generators of their own within a context, and go on with the usual ones after it.

    ``on_host`` has masks drawn on the host as well, slowly, but the same on every backend.
    """
    global rng, device_rng
    outer = rng, device_rng
    seed(value)
    if on_host:
        device_rng = _FromHost(value)
    try:
        yield
    finally:
        rng, device_rng = outer


def random_state() -> dict[str, Any]:
    """Return where the random generators are, as numbers and words that JSON can hold.

    CuPy lets nobody read its own generator, so over CuPy the state is that of the generator on the host alone.
    """
    state = {"host": rng.bit_generator.state}
    if name == "numpy":
        state["device"] = device_rng.bit_generator.state
    return state


def set_random_state(state: Mapping[str, Any]) -> None:
    """Have the random generators go on from where they were.

    Where the state says nothing of the device's generator, or this backend's cannot take it over, that one starts anew
    from a number which the state of the other decides.
    """
    global rng, device_rng
    host = numpy.random.default_rng(0)
    host.bit_generator.state = state["host"]
    if name == "numpy" and "device" in state:
        device = numpy.random.default_rng(0)
        device.bit_generator.state = state["device"]
    else:
        device = xp.random.default_rng(int(copy.deepcopy(host).integers(1 << 62)))
    rng, device_rng = host, device


def orthonormal(matrix: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """Return the Q of a tall matrix's decomposition QR in host memory, the one for which R has a diagonal above 0."""
    q, r = numpy.linalg.qr(matrix)
    return q * numpy.where(numpy.diagonal(r) < 0, -1.0, 1.0)


def to_host(array: Array) -> numpy.ndarray[Any, Any]:
    """Return the array in host memory, as NumPy's; NumPy's own arrays come back as they are."""
    return array if name == "numpy" else xp.asnumpy(array)


def to_device(data: Any) -> Array:
    """Return numbers, nested sequences of them, or an array from either side, as an array of the backend itself."""
    if type(data) is ndarray:
        return data
    if is_host_array(data) and hasattr(data, "mask"):
        raise TypeError("asarray: got a masked array, whose mask would be lost; its filled() gives one without.")
    return xp.asarray(data)


class Upload:
    """A copy of a host array to the device, under way since it was made.

    It goes by pinned memory and in a stream of its own, so that neither the host nor what the device computes has to
    wait for it. Over NumPy it is a copy within the host's memory.
    """

    def __init__(self, host: numpy.ndarray[Any, Any]) -> None:
        if name == "numpy":
            self._array: Array = host.copy()
            return
        pinned = numpy.ndarray(host.shape, host.dtype, xp.cuda.alloc_pinned_memory(max(host.nbytes, 1)))
        pinned[...] = host
        copying = _copying()
        with copying:
            self._array = xp.empty(host.shape, dtype=host.dtype)
        copying.wait_event(xp.cuda.get_current_stream().record())  # for what may still read what was there before
        self._array.set(pinned, stream=copying)
        self._copied = copying.record()
        while _under_way and _under_way[0][0].done:
            _under_way.popleft()
        _under_way.append((self._copied, pinned))

    def array(self) -> Array:
        """Return the array; what is computed with it waits for the copy, and the host does not."""
        if name != "numpy":
            xp.cuda.get_current_stream().wait_event(self._copied)
        return self._array


_under_way: deque[tuple[Any, numpy.ndarray[Any, Any]]] = deque()
"""Copies, each with its end and the pinned memory that it reads, which nobody else may write before."""


@cache
def _copying() -> Any:
    """Return the stream in which copies are made."""
    return xp.cuda.Stream(non_blocking=True)


def memory_of(array: Array) -> tuple[int, int]:
    """Return the address and the length in bytes of the memory that an array, or what it is a view of, lies in."""
    if name != "numpy":
        return array.data.mem.ptr, array.data.mem.size
    while isinstance(array.base, numpy.ndarray):
        array = array.base
    return array.__array_interface__["data"][0], array.nbytes


def explain_exhaustion(explain: Callable[[], str]) -> None:
    """Have the error of a device without memory end with what a function returns then; there is none over NumPy."""
    if name == "numpy":
        return
    allocate = xp.cuda.get_allocator()

    def explained(size: int) -> Any:
        try:
            return allocate(size)
        except xp.cuda.memory.OutOfMemoryError as error:
            error.args = (f"{error} {explain()}",)
            raise

    xp.cuda.set_allocator(explained)


def used_memory() -> int | None:
    """Return how many bytes of the device's memory are in use; None over NumPy, where nobody counts."""
    return None if name == "numpy" else int(xp.get_default_memory_pool().used_bytes())


def is_host_array(data: Any) -> bool:
    """Tell whether something is an array in host memory."""
    return isinstance(data, numpy.ndarray)


def host_array(data: Any) -> numpy.ndarray[Any, Any]:
    """Return numbers, or nested sequences of numbers and host arrays, as an array in host memory."""
    return numpy.asarray(data)


def check_device(op: str, device: Any) -> None:
    """Refuse a device that is not the one there is, in the name of an op."""
    if device is not None and device != device_name():
        raise ValueError(f"{op}: got device {device!r}, wanted {device_name()!r}, the only one of this backend.")


def array_text(array: Array, prefix: str) -> str:
    """Return the elements as NumPy prints them, indented to stand behind ``prefix``."""
    return numpy.array2string(to_host(array), separator=", ", prefix=prefix, threshold=200)


def device_name() -> str:
    """Return the name of the device that holds the arrays: ``cpu``, or the GPU's own."""
    if name == "numpy":
        return "cpu"
    return str(xp.cuda.runtime.getDeviceProperties(xp.cuda.Device().id)["name"].decode())


def library() -> str:
    """Return the array module and what multiplies matrices under it, with their versions."""
    if name == "numpy":
        blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"numpy {numpy.__version__}, BLAS {blas.get('name')} {blas.get('version')}"
    version = xp.cuda.runtime.runtimeGetVersion()
    return f"cupy {xp.__version__}, cuBLAS of CUDA {version // 1000}.{version % 1000 // 10}"


def quiet() -> contextlib.AbstractContextManager[Any]:
    """Return a context in which divisions by zero and overflows warn nobody, as they never do on a GPU."""
    return numpy.errstate(all="ignore") if name == "numpy" else contextlib.nullcontext()


def scatter_add(buffer: Array, index: Any, values: Array) -> None:
    """Add ``values`` into ``buffer[index]`` in place, as often as an index array names a place."""
    if name == "numpy" and isinstance(index, numpy.ndarray) and index.dtype.kind in "iu" and index.size > 0:
        _add_rows(buffer, index.reshape(-1), values.reshape(index.size, *buffer.shape[1:]))
    else:
        xp.add.at(buffer, index, values)


def _add_rows(buffer: Array, rows: Array, values: Array) -> None:
    """Add row by row, equal rows summed first: several times as fast as ``numpy.add.at``."""
    rows = numpy.where(rows < 0, rows + len(buffer), rows)
    order = numpy.argsort(rows, kind="stable")
    rows = rows[order]
    starts = numpy.flatnonzero(numpy.concatenate([[True], rows[1:] != rows[:-1]]))
    buffer[rows[starts]] += numpy.add.reduceat(values[order], starts, axis=0)
