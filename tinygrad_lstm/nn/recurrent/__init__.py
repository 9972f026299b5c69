"""Recurrent networks, composed of primitives: nothing in a step is hidden.

`rnn`, `lstm` and `gru` are the mathematics of a step, letter by letter, and the cells and layers made of it; `base`,
`cell` and `layers` are what these share. `variants` are the LSTMs of the literature.
"""

from . import variants
from .base import Noise, Options
from .carrying import *
from .gru import *
from .lstm import *
from .rnn import *
