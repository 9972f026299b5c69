"""Optimisers and schedules, named as in `torch.optim`, and the clipping of gradients."""

from .clipping import *
from .optimizer import *
from .optimizers import *
from .schedules import *
