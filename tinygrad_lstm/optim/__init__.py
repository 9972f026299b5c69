"""Optimisers, named as in `torch.optim`, and the clipping of gradients."""

from .clipping import *
from .optimizers import *
