"""Data: texts read whole, characters as numbers, and sequences cut into batches."""

from .streams import *
from .text import *
