"""The rooms of the design: imports go downwards only, one file names the array libraries, and importing stays light."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_lstm

PACKAGE = Path(tinygrad_lstm.__file__).parent
FILES = sorted(path for path in PACKAGE.rglob("*.py"))

BELOW = {
    "backend": set(),
    "_startup": {"backend"},
    "tape": set(),
    "structures": set(),
    "sweep": {"tape"},
    "tensor": {"backend", "tape", "sweep"},
    "primitive": {"backend", "tape", "sweep", "tensor"},
    "ops": {"backend", "tape", "sweep", "tensor", "primitive", "kernels"},
    "hooks": {"tape", "sweep", "tensor"},
    "protocols": {"backend", "tape", "tensor", "ops"},
    "autodiff": {"backend", "tape", "structures", "sweep", "tensor", "primitive", "ops"},
    "kernels": {"backend"},
    "nn": {"backend", "tape", "structures", "tensor", "primitive", "hooks", "ops", "autodiff", "kernels"},
    "optim": {"backend", "tape", "tensor", "ops", "autodiff", "kernels"},
    "memory": {"backend", "tape", "structures", "tensor", "optim"},
    "data": {"backend", "structures", "tensor", "ops"},
    "interchange": {"backend", "tensor", "nn"},
    "graph": {"backend", "tape", "tensor", "nn"},
    "charlm": {"backend", "tape", "structures", "tensor", "ops", "autodiff", "nn", "optim", "data", "interchange"},
    "verification": {
        "backend",
        "structures",
        "tape",
        "tensor",
        "ops",
        "autodiff",
        "nn",
        "optim",
        "data",
        "interchange",
        "charlm",
    },
}
"""For each room, the rooms that it may import from; those not named (the command line, the package's face) see all."""

PICTURES = ("view", "structure", "looks", "palette", "layouts", "layout", "output")
"""The rooms within ``graph``; each may import from those before it."""

UPWARDS = {("tape", "graph"), ("tensor", "graph")}
"""`Tape.draw` is a method because people look for it there, and a notebook asks tapes and tensors how they are shown;
the exporter is imported when that is called."""


def room_of(path: Path) -> str:
    """Return the room in which a file stands: its top-level folder or its own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports."""
    parts = ("tinygrad_lstm", *path.relative_to(PACKAGE).parts[:-1])
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__", "cli"):
        return
    ours = {name.split(".")[1] for name in imports_of(path) if name.startswith("tinygrad_lstm.")}
    upwards = {target for target in ours - {room} - BELOW[room] if (room, target) not in UPWARDS}
    assert not upwards


@pytest.mark.parametrize("path", [*(PACKAGE / "graph").rglob("*.py")], ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_of_pictures_go_downwards(path: Path) -> None:
    room = path.relative_to(PACKAGE / "graph").parts[0].removesuffix(".py")
    if room != "__init__":
        ours = {name.split(".")[2] for name in imports_of(path) if name.startswith("tinygrad_lstm.graph.")}
        assert ours <= {*PICTURES[: PICTURES.index(room) + 1]}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_backend_names_the_array_libraries(path: Path) -> None:
    if room_of(path) != "backend":
        assert not {name for name in imports_of(path) if name.split(".")[0] in ("numpy", "cupy")}


@pytest.mark.parametrize("name", ["tape", "sweep"])
def test_the_tape_and_its_sweep_need_the_standard_library_alone(name: str) -> None:
    imports = imports_of(PACKAGE / f"{name}.py")
    assert {name.split(".")[0] for name in imports if not name.startswith("tinygrad_lstm")} <= sys.stdlib_module_names


def test_importing_the_package_loads_no_tool_that_only_some_programs_need() -> None:
    program = "import sys, tinygrad_lstm; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    heavy = {"graphviz", "pygraphviz", "safetensors", "tqdm", "argparse", "torch", "matplotlib", "pydoc_data", "numba"}
    assert not heavy & set(run.stdout.split())


@pytest.mark.parametrize(("given", "kept"), [({}, "20"), ({"OPENBLAS_THREAD_TIMEOUT": "7"}, "7")])
def test_threads_of_products_rest_soon_unless_somebody_has_said_when(given: dict[str, str], kept: str) -> None:
    program = "import os, tinygrad_lstm; print(os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    bare = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"}
    run = subprocess.run([sys.executable, "-c", program], env=bare | given, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == kept


def test_nothing_loads_numpy_before_its_threads_are_told() -> None:
    program = (
        "import sys; sys.modules['tinygrad_lstm.backend'] = None\ntry: import tinygrad_lstm\nexcept ImportError: pass\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program + "print('numpy' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "False"
