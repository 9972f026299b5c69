"""Sums of products, told by the letters of their indices: Einstein's convention.

An `einsum` is made of products of two. First every operand is brought into form: a letter that it has twice becomes one
axis, its diagonal; an axis of length 1 that stands against a longer one goes; a letter that nothing else has is summed
over. Then the two operands whose product is cheapest are multiplied, over and over; the derivative of such a product is
such a product again.
"""

from __future__ import annotations

import collections
import functools
import itertools
import math
import string
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..backend import Array, xp
from ..primitive import Op, binary, in_float32
from ..tensor import Tensor, asarray
from .reductions import sum
from .shape import permute_dims, shape_of, squeeze

__all__ = ["einsum"]

# fmt: off
_product: Op = binary("einsum", lambda x1, x2, term1, term2, out: _sum_of_products(x1, x2, term1, term2, out),
                      lambda g, x2, term1, term2, out: _product(g, x2, out, term2, term1),
                      lambda g, x1, term1, term2, out: _product(x1, g, term1, out, term2),
                      params=("term1", "term2", "out"))
# fmt: on


@in_float32
def _sum_of_products(x1: Array, x2: Array, term1: str, term2: str, out: str) -> Array:
    """Return the sum of products of two arrays; each letter is in both terms, or in one and in the result."""
    shared = [letter for letter in term1 if letter in term2]
    stacked, summed = [c for c in shared if c in out], [c for c in shared if c not in out]
    rows, columns = [c for c in term1 if c not in shared], [c for c in term2 if c not in shared]
    if not summed or not (rows or columns):  # no matrices are multiplied
        return xp.einsum(f"{term1},{term2}->{out}", x1, x2)
    lengths = dict(zip(term1 + term2, x1.shape + x2.shape, strict=True))
    left = _grouped(x1, term1, (stacked, rows, summed), lengths)
    right = _grouped(x2, term2, (stacked, summed, columns), lengths)
    letters = [*stacked, *rows, *columns]
    product = xp.matmul(left, right).reshape(tuple(lengths[c] for c in letters))
    return xp.transpose(product, tuple(letters.index(c) for c in out))


def _grouped(x: Array, term: str, groups: tuple[list[str], ...], lengths: dict[str, int]) -> Array:
    """Return an array with one axis for each group of letters."""
    x = xp.transpose(x, tuple(term.index(letter) for group in groups for letter in group))
    return x.reshape(tuple(math.prod(lengths[letter] for letter in group) for group in groups))


def einsum(subscripts: str, *operands: Tensor | Array) -> Tensor:
    """Return sums of products, as the letters of the indices say.

    Parameters
    ----------
    subscripts
        The letters of the axes of each operand, separated by commas, then ``->`` and those of the result: what the
        result lacks is summed over. A letter that an operand has twice stands for its diagonal. An ellipsis stands for
        any number of axes, which broadcast and which the result has too. Without ``->``, the result has the axes of
        the ellipsis and then, in alphabetical order, the letters that occur once.
    operands
        As many as there are terms. An axis of length 1 broadcasts against longer ones of the same letter.

    Raises
    ------
    ValueError
        If the subscripts are no subscripts, or the shapes do not fit them.

    Examples
    --------
    >>> import tinygrad_lstm as tg
    >>> x = tg.asarray([[1, 2], [3, 4]])
    >>> tg.einsum("ii", x), tg.einsum("ij->ji", x), tg.einsum("ij,kj->ik", x, x)
    (Tensor(5), Tensor([[1, 3],
            [2, 4]]), Tensor([[ 5, 11],
            [11, 25]]))
    """
    if type(subscripts) is not str:
        kind = type(subscripts).__name__
        raise TypeError(f"einsum: got a {kind} first, wanted subscripts, as in 'ij,jk->ik', and then the operands.")
    plan = _planned(subscripts, tuple([shape_of("einsum", x) for x in operands]))
    xs = [_formed(x, form) for x, form in zip(_of_one_type(operands), plan.forms, strict=True)]
    for first, second, term1, term2, out in plan.products:
        x2, x1 = xs.pop(second), xs.pop(first)
        xs.append(_product(x1, x2, term1, term2, out))
    return xs[0] if plan.products else permute_dims(xs[0], plan.order)


def _of_one_type(operands: tuple[Any, ...]) -> list[Any]:
    """Return the operands in one element type, and as tensors if there is one among them."""
    xs = list(map(asarray, operands)) if Tensor in map(type, operands) else list(operands)
    dtypes = {x.dtype for x in xs}
    if len(dtypes) == 1:
        return xs
    dtype = xp.result_type(*([dtype for dtype in dtypes if dtype.kind == "f"] or dtypes))
    return [x.astype(dtype) for x in xs]


class _Form(NamedTuple):
    """How an operand is brought into form; axes are counted as the steps before have left them."""

    diagonals: tuple[tuple[tuple[int, ...], int, int], ...]
    """For each letter that it has more than once: the axes with those in front, how many they are, and their length."""
    squeezed: tuple[int, ...]
    summed: tuple[int, ...]


def _formed(x: Any, form: _Form) -> Any:
    """Return an operand without repeated letters, without axes that broadcast, and without letters of its own."""
    for order, times, length in form.diagonals:
        x = permute_dims(x, order)[(xp.arange(length),) * times]
    if form.squeezed:
        x = squeeze(x, form.squeezed)
    if not form.summed:
        return x
    total = sum(x, axis=form.summed)
    return total if total.dtype == x.dtype else total.astype(x.dtype)  # integers are summed in wider ones


class _Plan(NamedTuple):
    """What is done to compute an `einsum`."""

    forms: list[_Form]
    products: list[tuple[int, int, str, str, str]]
    """The places of two operands, which are taken away, their letters, and those of the product, which is put last."""
    order: tuple[int, ...]
    """Without products: the order of the axes in the result."""


@functools.lru_cache(maxsize=256)
def _planned(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> _Plan:
    """Return the way to compute an `einsum` of operands of some shapes, or say what is wrong with it."""
    try:
        terms, out = _explicit(subscripts, [len(shape) for shape in shapes])
        lengths = _lengths(terms, shapes)
    except ValueError as wanted:
        told = ", ".join(map(str, shapes)) or "none"
        raise ValueError(f"einsum: got {subscripts!r} for shapes {told}, wanted {wanted}.") from None
    forms, bare = [], []
    for term, shape in zip(terms, shapes, strict=True):
        own = dict(zip(term, shape, strict=True))
        term, diagonals = _without_repeats(term, own)
        bare.append("".join(c for c in term if own[c] == lengths[c]))
        forms.append(_Form(diagonals, tuple(i for i, c in enumerate(term) if own[c] != lengths[c]), ()))
    for i, term in enumerate(bare):
        elsewhere = "".join([out, *bare[:i], *bare[i + 1 :]])
        forms[i] = forms[i]._replace(summed=tuple(axis for axis, c in enumerate(term) if c not in elsewhere))
    kept = [
        "".join(c for i, c in enumerate(term) if i not in form.summed) for term, form in zip(bare, forms, strict=True)
    ]
    return _Plan(forms, _products(kept, out, lengths), tuple(map(kept[0].index, out)) if len(kept) == 1 else ())


def _explicit(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """Return the letters of each operand and of the result, with letters for ellipses; or raise what is wanted."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError("as many operands as terms")
    letters = [term.replace("...", "", 1) for term in (*terms, right)]
    if not all(c in string.ascii_letters for c in "".join(letters)):
        raise ValueError("letters, commas, one arrow, and one ellipsis a term")
    widths = [ndim - len(own) for ndim, own in zip(ndims, letters[:-1], strict=True)]
    if any(width < 0 or (width > 0 and "..." not in term) for width, term in zip(widths, terms, strict=True)):
        raise ValueError("as many letters in a term as its operand has axes, or fewer and an ellipsis")
    dots = "".join(c for c in string.ascii_letters if c not in subscripts)[: max(widths)]
    terms = [term.replace("...", dots[len(dots) - width :]) for term, width in zip(terms, widths, strict=True)]
    if not arrow:
        once = [c for c, times in collections.Counter("".join(letters)).items() if times == 1]
        return terms, dots + "".join(sorted(once))
    if len(set(right) - {"."}) != len(letters[-1]) or not set(letters[-1]) <= set("".join(terms)):
        raise ValueError("each letter of the result once, and among those of the operands")
    if dots and "..." not in right:
        raise ValueError("an ellipsis in the result too")
    return terms, right.replace("...", dots)


def _lengths(terms: list[str], shapes: tuple[tuple[int, ...], ...]) -> dict[str, int]:
    """Return the length of the axes of each letter, or raise what is wanted of them."""
    lengths: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        own: dict[str, int] = {}
        for letter, n in zip(term, shape, strict=True):
            if own.setdefault(letter, n) != n:
                raise ValueError(f"axes of one length for {letter!r}, which an operand has more than once")
            if lengths.setdefault(letter, n) == 1:
                lengths[letter] = n
            elif n not in (1, lengths[letter]):
                raise ValueError(f"axes of one length, or 1, for {letter!r}")
    return lengths


def _without_repeats(term: str, lengths: dict[str, int]) -> tuple[str, tuple[tuple[tuple[int, ...], int, int], ...]]:
    """Return the letters of an operand, each one once, and the diagonals that leave it so."""
    diagonals = []
    for letter in dict.fromkeys(term):
        places = [i for i, c in enumerate(term) if c == letter]
        if len(places) > 1:
            others = [i for i, c in enumerate(term) if c != letter]
            diagonals.append(((*places, *others), len(places), lengths[letter]))
            term = letter + "".join(term[i] for i in others)
    return term, tuple(diagonals)


def _products(terms: list[str], out: str, lengths: dict[str, int]) -> list[tuple[int, int, str, str, str]]:
    """Return products of two that make one of all: each time the one that leaves least to be stored, then computed."""

    def size(letters: Iterable[str]) -> int:
        return math.prod(lengths[letter] for letter in letters)

    def product(first: int, second: int) -> str:
        elsewhere = "".join([out, *terms[:first], *terms[first + 1 : second], *terms[second + 1 :]])
        return "".join(c for c in dict.fromkeys(terms[first] + terms[second]) if c in elsewhere)

    def cost(pair: tuple[int, int]) -> tuple[int, int]:
        term1, term2 = (terms[place] for place in pair)
        return size(product(*pair)) - size(term1) - size(term2), size(set(term1 + term2))

    products = []
    while len(terms) > 1:
        first, second = min(itertools.combinations(range(len(terms)), 2), key=cost)
        made = product(first, second) if len(terms) > 2 else out
        products.append((first, second, terms[first], terms[second], made))
        terms = [*terms[:first], *terms[first + 1 : second], *terms[second + 1 :], made]
    return products
