"""Sequences of different lengths as one tensor: padded, with their lengths and a mask that tells what is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ops import arange
from ..ops.rearranging import beside
from ..tensor import Tensor, asarray

__all__ = ["length_mask", "pad_sequence", "sequence_lengths"]


def pad_sequence(sequences: Sequence[Any], *, batch_first: bool = False, padding_value: float = 0.0) -> Tensor:
    """Return sequences side by side, each filled up at its end to the length of the longest.

    Parameters
    ----------
    sequences
        B tensors, arrays or lists, of shapes (T_i, ...) that differ in the first axis alone.
    batch_first
        Whether the result is (B, T, ...) instead of (T, B, ...).
    padding_value
        What to fill up with; a whole number where the sequences hold integers.

    Returns
    -------
    Tensor
        Shape (T, B, ...), T the length of the longest. Gradients go back to the sequences.

    Raises
    ------
    ValueError
        If there is no sequence, or they do not fit each other.
    TypeError
        If integers are to be filled up with a fraction.

    Examples
    --------
    >>> pad_sequence([[1, 2, 3], [4]], batch_first=True, padding_value=-1)
    Tensor([[ 1,  2,  3],
            [ 4, -1, -1]])
    """
    tensors = [asarray(sequence) for sequence in sequences]
    if not tensors:
        raise ValueError("pad_sequence: got no sequences, wanted at least one.")
    shapes = [tensor.shape for tensor in tensors]
    for shape in shapes:
        if not shape or shape[1:] != shapes[0][1:]:
            raise ValueError(
                f"pad_sequence: got sequences of shapes {shapes[0]} and {shape}, wanted shapes (T, ...) that differ "
                "in T alone."
            )
    if not float(padding_value).is_integer() and all(tensor.dtype.kind != "f" for tensor in tensors):
        got = f"padding_value={padding_value} for elements of {tensors[0].dtype}"
        raise TypeError(f"pad_sequence: got {got}, wanted a whole number.")
    return beside(tensors, 0 if batch_first else 1, padding_value, [shape[0] for shape in shapes])


def sequence_lengths(sequences: Sequence[Any]) -> Tensor:
    """Return how long each of B sequences is, shape (B,), int64.

    >>> sequence_lengths([[1, 2, 3], [4]])
    Tensor([3, 1])
    """
    return asarray([len(sequence) for sequence in sequences], dtype="int64")


def length_mask(lengths: Tensor | Sequence[int], steps: int | None = None, *, batch_first: bool = False) -> Tensor:
    """Return True for what belongs to a sequence, and False for its padding.

    Parameters
    ----------
    lengths
        Integers, shape (B,).
    steps
        T, how many steps there are, padding included; the longest length if None.
    batch_first
        Whether the result is (B, T) instead of (T, B).

    Returns
    -------
    Tensor
        Bools, shape (T, B).

    Raises
    ------
    TypeError, ValueError
        If the lengths are no integers, or not along one axis.

    Examples
    --------
    A mean over what is there, padding left out:

    >>> import tinygrad_lstm as tg
    >>> values = pad_sequence([[1.0, 2.0, 3.0], [6.0]])
    >>> values[length_mask([3, 1])].mean().item()
    3.0
    """
    lengths = asarray(lengths)
    if lengths.ndim != 1:
        raise ValueError(f"length_mask: got lengths of shape {lengths.shape}, wanted (B,).")
    if lengths.dtype.kind not in "iu" and lengths.size > 0:
        raise TypeError(f"length_mask: got lengths of {lengths.dtype}, wanted integers.")
    if steps is None:
        steps = lengths.max().item() if lengths.size > 0 else 0
    mask = arange(steps) < lengths[:, None]
    return mask if batch_first else mask.T
