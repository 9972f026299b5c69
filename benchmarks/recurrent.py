"""`lstm`, `gru`, `rnn`, `layers`, `bidirectional`, `projected` and `inference`: recurrent layers by their kernels."""

from __future__ import annotations

from functools import partial

from .declarations import Benchmark, Program
from .layers import AXES, COMPILED, NUMPY, PRODUCTS, jaxs, torchs, torchs_cell, torchs_native, work
from .targets import Ratio

SIZES = [
    (32, 1, 16, 32),
    (50, 16, 32, 64),
    (64, 32, 64, 128),
    (100, 64, 128, 256),
    (100, 64, 256, 512),
    (35, 20, 650, 650),
    (64, 128, 512, 1024),
]
SOME = SIZES[:4]
"""The sizes at which options are measured."""

PYTORCH = ("PyTorch oneDNN", "PyTorch native", "PyTorch LSTMCell")

OURS = {"compiled": COMPILED, "in NumPy": NUMPY}
JAX = Program(jaxs, needs=("jax",))
LSTM = {
    **OURS,
    "PyTorch oneDNN": Program(torchs, needs=("torch",)),
    "PyTorch native": Program(torchs_native, needs=("torch",)),
    "PyTorch LSTMCell": Program(torchs_cell, needs=("torch",)),
    "JAX scan": JAX,
}
LAYERS = {**OURS, "PyTorch": Program(torchs, needs=("torch",)), "JAX scan": JAX}

LARGE = [size for size in SIZES if size[3] >= 256]

BENCHMARKS = [
    Benchmark(
        name="lstm",
        about="a training step of an LSTM layer: forward, mean of squares, backward, float32",
        axes=AXES,
        sizes=SIZES,
        work=work,
        programs={**LSTM, "products": PRODUCTS},
        baseline="PyTorch oneDNN",
        quick=(3, 2, 4, 5),
        targets=(
            Ratio("compiled", PYTORCH, "PyTorch's best", 0.4, "geometric mean"),
            Ratio("compiled", PYTORCH, "PyTorch's best", 0.75, "largest"),
            Ratio("in NumPy", ("products",), "products", 1.15, "largest", LARGE),
            Ratio("in NumPy", ("JAX scan",), "JAX scan", 1.0, "largest"),
        ),
    ),
    *(
        Benchmark(
            name=kind.lower(),
            about=f"a training step of {article} {kind} layer: forward, mean of squares, backward, float32",
            axes=AXES,
            sizes=SIZES[:6],
            work=partial(work, kind=kind),
            programs={**LAYERS, "products": PRODUCTS},
            baseline="PyTorch",
            quick=(3, 2, 4, 5),
            targets=(
                Ratio("compiled", ("PyTorch",), "PyTorch", 0.4, "geometric mean"),
                Ratio("in NumPy", ("products",), "products", 1.15, "largest", LARGE),
                Ratio("in NumPy", ("JAX scan",), "JAX scan", 1.0, "largest"),
            ),
        )
        for article, kind in (("a", "GRU"), ("an", "RNN"))
    ),
    Benchmark(
        name="layers",
        about="a training step of an LSTM of two layers",
        axes=AXES,
        sizes=SOME,
        work=partial(work, num_layers=2),
        programs=LAYERS,
        baseline="PyTorch",
        quick=(3, 2, 4, 5),
    ),
    Benchmark(
        name="bidirectional",
        about="a training step of an LSTM layer that reads both ways",
        axes=AXES,
        sizes=SOME,
        work=partial(work, bidirectional=True),
        programs=LAYERS,
        baseline="PyTorch",
        quick=(3, 2, 4, 5),
    ),
    Benchmark(
        name="projected",
        about="a training step of an LSTM layer that shows half of its state's length: proj_size = hidden / 2",
        axes=AXES,
        sizes=SOME,
        work=partial(work, projected=True),
        programs={"in NumPy": NUMPY, "PyTorch": LAYERS["PyTorch"]},
        baseline="PyTorch",
        quick=(3, 2, 4, 5),
        targets=(Ratio("in NumPy", ("PyTorch",), "PyTorch", 1.0, "largest"),),
    ),
    Benchmark(
        name="inference",
        about="the outputs of an LSTM layer, no derivative: no_grad, PyTorch's inference_mode",
        axes=AXES,
        sizes=SIZES[:6],
        work=partial(work, training=False),
        programs={**LSTM, "products": PRODUCTS},
        baseline="PyTorch oneDNN",
        quick=(3, 2, 4, 5),
    ),
]
