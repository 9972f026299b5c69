"""Data: texts and their characters, sequences padded and masked, splits and batches, and a bar to watch them go by."""

from .batches import *
from .prefetching import *
from .progress import *
from .sequences import *
from .streams import *
from .text import *
