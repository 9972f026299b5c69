"""Is it the same on a GPU? Every op, module and optimiser on two backends, compared op by op.

A backend is chosen at import, so each has a process of its own (``python -m tinygrad_lstm.verification``): it draws the
same numbers on the host, runs the same `CASES`, and writes what they computed. `compare` says how far apart two such
outcomes are, in units in the last place. ``tinygrad-lstm verify`` is all of it in one command.

Not compared is what has no arrays, as schedules, or is computed on the host alone, as initial values; and CuPy's own
random numbers, of which masks are made elsewhere.
"""

from .comparing import *
from .of_modules import MODULES, OPTIMIZERS
from .of_ops import OPS
from .running import *

CASES = [*OPS, *MODULES, *OPTIMIZERS]
"""Everything that is compared."""
