"""Derivatives as functions: gradients, products with Jacobians, their check, and what helps when they are wrong."""

from .anomaly import *
from .checking import *
from .checkpointing import *
from .functional import *
from .gradients import *
