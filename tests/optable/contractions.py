"""Sums of products by subscripts."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_lstm as tg

from .core import Row, Sample, Samples, torch


def subscripted(subscripts: str, *shapes: tuple[int, ...]) -> Sample:
    """Return a sample of operands and their subscripts."""
    return Sample(shapes, (subscripts,))


@st.composite
def _sums(draw: Any) -> Sample:
    """Draw operands with letters for their axes, some of length 1 that broadcast, some behind an ellipsis."""
    lengths = {letter: draw(st.integers(0, 3)) for letter in "aBc"}
    terms = draw(st.lists(st.lists(st.sampled_from("aBc"), max_size=3), min_size=1, max_size=3))
    dots = draw(st.sampled_from([(), (2,), (1, 2)]))
    texts, shapes = [], []
    for term in terms:
        narrow = {letter for letter in term if draw(st.integers(0, 5)) == 0}
        lead = dots[draw(st.integers(0, len(dots))) :]
        shapes.append((*lead, *(1 if letter in narrow else lengths[letter] for letter in term)))
        texts.append(("..." if dots else "") + "".join(term))
    letters = sorted({letter for term in terms for letter in term})
    out = draw(st.permutations(letters))[: draw(st.integers(0, len(letters)))]
    explicit = "->" + ("..." if dots else "") + "".join(out)
    return subscripted(", ".join(texts) + draw(st.sampled_from([explicit, ""])), *shapes)


SUMS = Samples(
    [
        subscripted("ij->ji", (2, 3)), subscripted("ij", (2, 3)), subscripted("ba", (2, 3)), subscripted("i->", (3,)),
        subscripted("->", ()), subscripted("ii", (3, 3)), subscripted("ii->i", (3, 3)), subscripted("ij->j", (0, 3)),
        subscripted("iji->j", (2, 3, 2)), subscripted("ijij", (2, 3, 2, 3)), subscripted("iii->i", (2, 2, 2)),
        subscripted("ij,jk->ik", (2, 3), (3, 4)), subscripted("ij, jk -> ki", (2, 3), (3, 4)),
        subscripted("i,i", (3,), (3,)), subscripted("i,j->ij", (2,), (3,)), subscripted("ij,ij->i", (2, 3), (2, 3)),
        subscripted("ij,kl->", (2, 3), (2, 2)), subscripted("bqhd,bkhd->bhqk", (2, 3, 2, 2), (2, 4, 2, 2)),
        subscripted("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)), subscripted("i...,i->...", (3, 2), (3,)),
        subscripted("ij,ij->ij", (2, 1), (1, 3)), subscripted("ij,i->j", (1, 3), (2,)), subscripted(",i->i", (), (3,)),
        subscripted("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)), subscripted("bn,anm,bm->ba", (2, 3), (4, 3, 2), (2, 2)),
        subscripted("ij,jk->ik", (0, 3), (3, 2)), subscripted("ij,jk->ik", (2, 0), (0, 2)),
        subscripted("ii,i", (2, 2), (2,)),
    ],
    _sums(),
)  # fmt: skip

ROWS = [
    Row("einsum", SUMS, lambda *x: np.einsum(x[-1], *x[:-1]), lambda *x: torch.einsum(x[-1], *x[:-1]),
        lambda *x: tg.einsum(x[-1], *x[:-1])),
]  # fmt: skip
