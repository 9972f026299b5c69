"""The table of all public ops: what each takes, NumPy's and PyTorch's word for it, and what comes out.

A `Row` is an op with its references, `Samples` say which shapes and settings it is tried with: corners that are always
tried, and a strategy for more. There is a file a family, as in the package. `METHODS` says which op each method and
operator of a tensor is.
"""

import tinygrad_lstm as tg

from . import (
    activations,
    comparisons,
    contractions,
    convolution,
    creation,
    ctc,
    cumulative,
    dtypes,
    elementwise,
    indexing,
    linalg,
    losses,
    normalization,
    pooling,
    rearranging,
    reductions,
    rounding,
    sets,
    shape,
    sorting,
    special,
    trigonometry,
)
from .core import *
from .methods import METHODS

FAMILIES = (
    elementwise, rounding, trigonometry, special, comparisons, dtypes, reductions, cumulative, sorting, sets,
    activations, normalization, linalg, contractions, convolution, pooling, shape, rearranging, indexing, losses,
    ctc, creation,
)  # fmt: skip

ROWS = [row for family in FAMILIES for row in family.ROWS]

RANDOM = {"dropout", "get_rng_state", "manual_seed", "rand", "randint", "randn", "set_rng_state"}
"""The ops whose results no reference foretells; they have tests of their own."""

VOCABULARY = set(tg.ops.dtypes.__all__) - {"astype"}
"""What is no op of arrays: element types, constants, and what is asked of them; they have tests of their own."""
