"""Interchange: files of weights that other programs read and write too."""

from . import safetensors
from .files import *
from .states import *
