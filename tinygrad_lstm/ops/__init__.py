"""Ops: functions of tensors with derivatives, one file a family.

Arrays in give an array out, and any tensor in gives a tensor out; with a tensor that requires a gradient, the result is
on the tape. Names follow the Python array API standard, and those it lacks follow PyTorch.
"""

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
from .activations import *
from .comparisons import *
from .contractions import *
from .convolution import *
from .creation import *
from .ctc import *
from .cumulative import *
from .dtypes import *
from .elementwise import *
from .indexing import *
from .linalg import *
from .losses import *
from .normalization import *
from .pooling import *
from .rearranging import *
from .reductions import *
from .rounding import *
from .sets import *
from .shape import *
from .sorting import *
from .special import *
from .trigonometry import *

FAMILIES = (
    dtypes, creation, elementwise, rounding, trigonometry, special, comparisons, reductions, cumulative, sorting,
    sets, shape, rearranging, indexing, linalg, contractions, convolution, pooling, activations, normalization,
    losses, ctc,
)  # fmt: skip

__all__ = [name for family in FAMILIES for name in family.__all__]
