"""Creation: tensors from nothing, of constants, ranges and random numbers, and from other libraries' arrays.

The default type is float32. ``device`` is the backend's own, by the name that ``x.device`` has, or None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import backend
from ..backend import Array, Scalar, xp
from ..primitive import sum_to, unary
from ..tensor import DType, Tensor, float32, real_dtype, wrap
from .shape import at_least, lengths_of, whole

__all__ = [
    "arange", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "get_rng_state", "linspace",
    "manual_seed", "meshgrid", "one_hot", "ones", "ones_like", "rand", "randint", "randn", "set_rng_state", "zeros",
    "zeros_like",
]  # fmt: skip

# fmt: off
_empty_like = unary("empty_like", lambda x, to: xp.empty(x.shape, dtype=to),              params=("to",))
_zeros_like = unary("zeros_like", lambda x, to: xp.zeros(x.shape, dtype=to),              params=("to",))
_ones_like  = unary("ones_like",  lambda x, to: xp.ones(x.shape, dtype=to),               params=("to",))
_full_like  = unary("full_like",  lambda x, value, to: xp.full(x.shape, value, dtype=to), params=("value", "to"))
_one_hot    = unary("one_hot",    lambda x, n, to: (xp.expand_dims(x, -1) == xp.arange(n)).astype(to),
                    params=("n", "to"))
_meshgrid   = unary("meshgrid",   lambda x, axis, to: xp.broadcast_to(x.reshape(_along(axis, to)), to),
                    lambda g, axis, shape: sum_to(g, _along(axis, g.shape)).reshape(shape), params=("axis", "to"))
# fmt: on


def _along(axis: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a vector that lies along one axis of a grid."""
    return tuple(n if i == axis else 1 for i, n in enumerate(shape))


def _leaf(array: Any, requires_grad: bool) -> Tensor:
    """Return a tensor of a new array, as a leaf if asked for."""
    tensor = wrap(array, None)
    tensor.requires_grad = requires_grad
    return tensor


def _shape(op: str, given: Any) -> tuple[int, ...]:
    """Return a shape to fill, which may be given as the length of its only axis."""
    if type(given) is tuple and all([type(n) is int and n >= 0 for n in given]):
        return given
    shape = lengths_of(op, given)
    if shape and min(shape) < 0:
        raise ValueError(f"{op}: got shape {shape}, wanted lengths of at least 0.")
    return shape


def _shape_of_several(op: str, given: tuple[Any, ...]) -> tuple[int, ...]:
    """Return a shape that was given as ints or as one tuple."""
    return _shape(op, given[0] if len(given) == 1 else given)


def _type(op: str, dtype: DType, device: str | None, default: DType = float32) -> DType:
    """Return the element type that was asked for, or the default, after a look at the device."""
    backend.check_device(op, device)
    return default if dtype is None else real_dtype(op, dtype)


def _type_like(op: str, x: Any, dtype: DType, device: str | None) -> DType:
    """Return the element type that was asked for, or that of ``x``."""
    if not hasattr(x, "dtype"):
        raise TypeError(f"{op}: got {x!r}, wanted a tensor or an array.")
    return _type(op, dtype, device, x.dtype)


def _number(op: str, value: Any, dtype: DType) -> Any:
    """Return a number to fill with, or refuse one that is none or that the element type would cut off."""
    value = value.item() if isinstance(value, Scalar) else value
    if not isinstance(value, (bool, int, float)):
        raise TypeError(f"{op}: got {value!r} to fill with, wanted a number.")
    if isinstance(value, float) and dtype is not None and dtype.kind != "f":
        raise TypeError(f"{op}: got {value} to fill {dtype} with, wanted a whole number or dtype=float32.")
    return value


def zeros(
    shape: int | tuple[int, ...], *, dtype: DType = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of zeros.

    Parameters
    ----------
    shape
        The lengths of the axes; an int for one axis.
    dtype
        The element type, float32 by default.
    device
        The device: the backend's own, or None.
    requires_grad
        Ask for the gradient with respect to this tensor; only floating point can.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.zeros((2,))
    Tensor([0., 0.])
    """
    return _leaf(xp.zeros(_shape("zeros", shape), dtype=_type("zeros", dtype, device)), requires_grad)


def ones(
    shape: int | tuple[int, ...], *, dtype: DType = None, device: str | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a tensor of ones; the parameters are those of `zeros`.

    >>> import tinygrad_lstm as tg
    >>> tg.ones((2,), requires_grad=True)
    Tensor([1., 1.], requires_grad=True)
    """
    return _leaf(xp.ones(_shape("ones", shape), dtype=_type("ones", dtype, device)), requires_grad)


def empty(shape: int | tuple[int, ...], *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Return a tensor of whatever was in memory, for the quickest way to a shape.

    Parameters
    ----------
    shape, dtype, device
        As for `zeros`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.empty((2, 3)).shape
    (2, 3)
    """
    return wrap(xp.empty(_shape("empty", shape), dtype=_type("empty", dtype, device)), None)


def full(
    shape: int | tuple[int, ...],
    fill_value: float,
    *,
    dtype: DType = None,
    device: str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of one number.

    Parameters
    ----------
    shape, device, requires_grad
        As for `zeros`.
    fill_value
        The number.
    dtype
        The element type; by default that of the number, float32 for a float.

    Raises
    ------
    TypeError
        If the number is no number, or a float for integers or bools.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.full((2,), 7), tg.full((2,), 0.5)
    (Tensor([7, 7]), Tensor([0.5, 0.5]))
    """
    to = _type("full", dtype, device, None)
    value = _number("full", fill_value, to)
    if to is None and isinstance(value, float):
        to = float32
    return _leaf(xp.full(_shape("full", shape), value, dtype=to), requires_grad)


def zeros_like(x: Tensor | Array, /, *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Return zeros in the shape and type of another tensor; they are a constant.

    Like other ops, it and its kin return an array where they get one, which derivatives need.

    Parameters
    ----------
    x
        Any shape.
    dtype
        The element type; by default that of ``x``.
    device
        The device: the backend's own, or None.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.zeros_like(tg.asarray([1, 2]))
    Tensor([0, 0])
    """
    return _zeros_like(x, _type_like("zeros_like", x, dtype, device))


def ones_like(x: Tensor | Array, /, *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Return ones in the shape and type of another tensor; the parameters are those of `zeros_like`.

    >>> import tinygrad_lstm as tg
    >>> tg.ones_like(tg.asarray([1, 2]), dtype=tg.float32)
    Tensor([1., 1.])
    """
    return _ones_like(x, _type_like("ones_like", x, dtype, device))


def empty_like(x: Tensor | Array, /, *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Return whatever was in memory in the shape and type of another tensor; the parameters are those of `zeros_like`.

    >>> import tinygrad_lstm as tg
    >>> tg.empty_like(tg.zeros((2, 3))).shape
    (2, 3)
    """
    return _empty_like(x, _type_like("empty_like", x, dtype, device))


def full_like(x: Tensor | Array, /, fill_value: float, *, dtype: DType = None, device: str | None = None) -> Tensor:
    """Return one number in the shape and type of another tensor.

    Parameters
    ----------
    x, dtype, device
        As for `zeros_like`.
    fill_value
        The number; a float wants a floating type, as in `full`.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.full_like(tg.asarray([1.0, 2.0]), 7)
    Tensor([7., 7.])
    """
    to = _type_like("full_like", x, dtype, device)
    return _full_like(x, _number("full_like", fill_value, to), to)


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: DType = None,
    device: str | None = None,
) -> Tensor:
    """Return the numbers from one bound up to but not including another.

    Parameters
    ----------
    start
        The first number; 0 if only one bound is given, which is then ``stop``.
    stop
        The bound that is not reached.
    step
        The distance from each number to the next; below 0 they go down.
    dtype
        The element type; by default int64 if all the bounds and the step are whole numbers, else float32.
    device
        The device: the backend's own, or None.

    Raises
    ------
    ValueError
        If the step is 0.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.arange(3), tg.arange(1, 0, -0.25)
    (Tensor([0, 1, 2]), Tensor([1.  , 0.75, 0.5 , 0.25]))
    """
    to = _type("arange", dtype, device, None)
    if step == 0:
        raise ValueError("arange: got a step of 0, wanted one that leads from start to stop.")
    if stop is None:
        start, stop = 0, start
    if to is None and any(isinstance(bound, float) for bound in (start, stop, step)):
        to = float32
    return wrap(xp.arange(start, stop, step, dtype=to), None)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: DType = None,
    device: str | None = None,
    endpoint: bool = True,
) -> Tensor:
    """Return numbers at equal distances.

    Parameters
    ----------
    start, stop
        The first number and the last.
    num
        How many numbers there are.
    dtype
        The element type, float32 by default.
    device
        The device: the backend's own, or None.
    endpoint
        False leaves ``stop`` out, and puts it where one number more would be.

    Raises
    ------
    ValueError
        If ``num`` is below 0.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.linspace(0, 1, 5), tg.linspace(0, 1, 4, endpoint=False)
    (Tensor([0.  , 0.25, 0.5 , 0.75, 1.  ]), Tensor([0.  , 0.25, 0.5 , 0.75]))
    """
    to = _type("linspace", dtype, device)
    num = at_least(0, "linspace", "num", num)
    return wrap(xp.linspace(start, stop, num, endpoint=endpoint).astype(to), None)


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType = None, device: str | None = None
) -> Tensor:
    """Return a matrix with ones on a diagonal and zeros elsewhere.

    Parameters
    ----------
    n_rows, n_cols
        The lengths of its axes; as many columns as rows by default.
    k
        The diagonal: 0 for the one from the first element, above 0 those to its right, below 0 those under it.
    dtype
        The element type, float32 by default.
    device
        The device: the backend's own, or None.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.eye(2, 3, k=1)
    Tensor([[0., 1., 0.],
            [0., 0., 1.]])
    """
    n_rows = at_least(0, "eye", "n_rows", n_rows)
    n_cols = n_rows if n_cols is None else at_least(0, "eye", "n_cols", n_cols)
    return wrap(xp.eye(n_rows, n_cols, k=whole("eye", "k =", k), dtype=_type("eye", dtype, device)), None)


def meshgrid(*arrays: Tensor | Array, indexing: str = "xy") -> list[Tensor]:
    """Return the coordinates of all points of a grid, which is given by the coordinates along each of its axes.

    Parameters
    ----------
    *arrays
        Tensors or arrays of one axis each, of lengths n1, n2, n3, …
    indexing
        ``"xy"`` for grids of shape (n2, n1, n3, …), the first array along the second axis, as a picture's columns are;
        ``"ij"`` for grids of shape (n1, n2, n3, …).

    Returns
    -------
    list of Tensor
        A grid for each array, of its type. They are views: nothing is copied.

    Raises
    ------
    ValueError
        If an array has not one axis, or the indexing is another.

    Examples
    --------
    >>> meshgrid(arange(3), arange(2))
    [Tensor([[0, 1, 2],
            [0, 1, 2]]), Tensor([[0, 0, 0],
            [1, 1, 1]])]
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: got indexing={indexing!r}, wanted 'xy' or 'ij'.")
    for x in arrays:
        if not hasattr(x, "shape"):
            raise TypeError(f"meshgrid: got {x!r}, wanted tensors or arrays.")
        if len(x.shape) != 1:
            raise ValueError(f"meshgrid: got shape {x.shape}, wanted arrays of one axis.")
    order = list(range(len(arrays)))
    if indexing == "xy":
        order[:2] = order[1::-1]
    shape = tuple(arrays[i].shape[0] for i in order)
    return [_meshgrid(x, order.index(i), shape) for i, x in enumerate(arrays)]


def one_hot(x: Tensor | Array, num_classes: int, *, dtype: DType = None) -> Tensor:
    """Return a vector for each class: 1 at its index, 0 elsewhere.

    Parameters
    ----------
    x
        Integers from 0 to below ``num_classes``, of any shape.
    num_classes
        How many classes there are.
    dtype
        The element type of the vectors; int64 by default, as in PyTorch.

    Returns
    -------
    Tensor
        Of the shape of ``x`` and one axis more, of length ``num_classes``; a constant.

    Raises
    ------
    IndexError
        If an integer is no class. On a GPU, where to look would make the host wait, its vector is all 0 instead.
    TypeError
        If ``x`` has no integers.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> tg.one_hot(tg.asarray([2, 0]), 3)
    Tensor([[0, 0, 1],
            [1, 0, 0]])
    """
    to = _type("one_hot", dtype, None, xp.dtype("int64"))
    if not hasattr(x, "dtype") or x.dtype.kind not in "iu":
        raise TypeError(f"one_hot: got {getattr(x, 'dtype', x)}, wanted a tensor or an array of integers.")
    num_classes = at_least(1, "one_hot", "num_classes", num_classes)
    if backend.name == "numpy":
        data = x.data if type(x) is Tensor else x
        wrong = data[(data < 0) | (data >= num_classes)]
        if wrong.size > 0:
            raise IndexError(f"one_hot: got {wrong[0]}, wanted classes from 0 to {num_classes - 1}.")
    return _one_hot(x, num_classes, to)


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """Return a tensor that shares the memory of another library's array, such as a tensor of PyTorch's.

    Parameters
    ----------
    x
        Anything with ``__dlpack__``, on the device of the backend.
    device
        The device: the backend's own, or None.
    copy
        True copies the data, instead of sharing it.

    Raises
    ------
    BufferError
        If the array cannot be shared: it is on another device, requires a gradient, or has elements of a strange type.
    TypeError
        If it is no array, or one of complex numbers.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.zeros((2,)).data
    >>> y = tg.from_dlpack(x)
    >>> x[0] = 7
    >>> y
    Tensor([7., 0.])
    """
    backend.check_device("from_dlpack", device)
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack: got {x!r}, wanted an array with __dlpack__.")
    try:
        array = xp.from_dlpack(x)
    except (BufferError, NotImplementedError, RuntimeError, TypeError) as error:
        raise BufferError(f"from_dlpack: got an array that {backend.name} cannot share: {error}") from None
    real_dtype("from_dlpack", array.dtype)
    return wrap(xp.array(array) if copy else array, None)


def manual_seed(seed: int) -> None:
    """Start the random generator anew, so that what follows can be repeated on the same backend.

    >>> import tinygrad_lstm as tg
    >>> tg.manual_seed(0)
    >>> x = tg.rand(3)
    >>> tg.manual_seed(0)
    >>> (tg.rand(3) == x).all().item()
    True
    """
    backend.seed(at_least(0, "manual_seed", "seed", seed))


def get_rng_state() -> dict[str, Any]:
    """Return where the random generators are, as numbers and words that JSON can hold, for `set_rng_state`.

    >>> import json
    >>> import tinygrad_lstm as tg
    >>> state = json.dumps(tg.get_rng_state())
    >>> x = tg.randn(3)
    >>> tg.set_rng_state(json.loads(state))
    >>> (tg.randn(3) == x).all().item()
    True
    """
    return backend.random_state()


def set_rng_state(state: Mapping[str, Any]) -> None:
    """Have the random generators go on from where they were when `get_rng_state` was called.

    Over CuPy this holds for all that is drawn on the host: parameters, data, `rand` and its kin. The masks of dropout
    come from the GPU's own generator, which CuPy lets nobody read: it starts anew instead, from the same numbers
    whenever the same state is set.

    Raises
    ------
    ValueError
        If the state is none that `get_rng_state` gave; nothing is changed then.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> state = tg.get_rng_state()
    >>> x = tg.rand(3)
    >>> tg.set_rng_state(state)
    >>> (tg.rand(3) == x).all().item()
    True
    """
    try:
        backend.set_random_state(state)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"set_rng_state: got a state that get_rng_state did not give: {error!r}.") from None


def rand(*shape: Any, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Return numbers spread evenly from 0 up to but not including 1.

    Parameters
    ----------
    *shape
        The lengths of the axes, as ints or as one tuple.
    dtype
        The element type, float32 by default.
    requires_grad
        Ask for the gradient with respect to this tensor.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.rand(2, 3)
    >>> x.shape, tg.logical_and(x >= 0, x < 1).all().item()
    ((2, 3), True)
    """
    to = _type("rand", dtype, None)
    return _leaf(backend.to_device(backend.rng.random(_shape_of_several("rand", shape))).astype(to), requires_grad)


def randn(*shape: Any, dtype: DType = None, requires_grad: bool = False) -> Tensor:
    """Return numbers of the normal distribution, mean 0 and variance 1; the parameters are those of `rand`.

    >>> import tinygrad_lstm as tg
    >>> abs(tg.randn(10_000).mean().item()) < 0.1
    True
    """
    to = _type("randn", dtype, None)
    return _leaf(
        backend.to_device(backend.rng.standard_normal(_shape_of_several("randn", shape))).astype(to), requires_grad
    )


def randint(low: int, high: int, shape: tuple[int, ...]) -> Tensor:
    """Return random integers, each as likely as any other.

    Parameters
    ----------
    low, high
        The smallest integer, and the one that all are below.
    shape
        The lengths of the axes.

    Raises
    ------
    ValueError
        If there is no integer between them, or a length is negative.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> dice = tg.randint(1, 7, (2, 100))
    >>> dice.shape, set(dice.reshape(-1).tolist()) <= {1, 2, 3, 4, 5, 6}
    ((2, 100), True)
    """
    if not low < high:
        raise ValueError(f"randint: got low = {low} and high = {high}, wanted the first below the second.")
    return wrap(backend.to_device(backend.rng.integers(low, high, _shape("randint", shape))), None)
