"""Modules: layers and recurrent networks, named as in `torch.nn`."""

from . import init
from .containers import *
from .convolution import *
from .evaluation import *
from .layers import *
from .module import *
from .recurrent import *
from .summary import *
