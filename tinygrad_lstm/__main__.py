"""``python -m tinygrad_lstm``: the command line, as `tinygrad-lstm` is."""

import sys

from .cli import main

sys.exit(main())
