"""Time what `import tinygrad_lstm` adds to NumPy's own import, in fresh processes that take turns.

    python -m benchmarks.import_time [--pairs N]

Compiled bytecode is kept, as Python does by default. The target is at most 100 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

PROGRAM = "import time, numpy; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def milliseconds(statement: str) -> float:
    """Return how long a statement takes in a fresh process that has imported NumPy."""
    command = [sys.executable, "-c", PROGRAM.format(statement)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(run.stdout) * 1000


def main() -> None:
    """Print the median and the quartiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=15, help="runs of each (default: 15)")
    pairs = parser.parse_args().pairs
    times = [(milliseconds("import tinygrad_lstm"), milliseconds("pass")) for _ in range(pairs + 1)][1:]
    low, middle, high = statistics.quantiles([ours - nothing for ours, nothing in times], n=4)
    print(f"import tinygrad_lstm adds {middle:.0f} ms ({low:.0f} to {high:.0f}) to NumPy's; target: at most 100 ms")


if __name__ == "__main__":
    main()
