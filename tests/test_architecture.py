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
    "kernels": {"backend"},
    "ops": {"backend", "sweep", "tensor", "primitive", "kernels"},
    "hooks": {"tape", "sweep", "tensor"},
    "protocols": {"backend", "tape", "tensor", "ops"},
    "autodiff": {"backend", "structures", "hooks", "tape", "sweep", "tensor", "primitive", "ops"},
    "nn": {"backend", "structures", "tape", "tensor", "primitive", "hooks", "ops", "autodiff", "kernels"},
    "optim": {"backend", "tape", "tensor", "kernels"},
    "memory": {"backend", "structures", "tape", "tensor", "optim"},
    "data": {"backend", "structures", "tensor", "ops"},
    "interchange": {"backend", "tensor"},
    "graph": {"backend", "tape"},
    "charlm": {"backend", "structures", "tape", "tensor", "ops", "nn", "optim", "data", "interchange"},
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
"""For each room, the rooms that it imports from, all of which stand before it."""

FACES = ("__init__", "__main__", "cli")
"""The package's face and the command line, which see all rooms."""

PICTURES = ("view", "structure", "looks", "palette", "layouts", "layout", "output")
"""The rooms within ``graph``; each may import from those before it."""

UPWARDS = {("tape", "graph"), ("tensor", "graph")}
"""`Tape.draw` is a method because people look for it there, and a notebook asks tapes and tensors how they are shown;
the exporter is imported when that is called. Nothing else looks upwards."""


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


def test_rooms_import_from_those_named_and_from_no_others() -> None:
    named = {(room, target) for room, targets in BELOW.items() for target in targets}
    edges = {
        (room_of(path), name.split(".")[1])
        for path in FILES
        for name in imports_of(path)
        if name.startswith("tinygrad_lstm.")
    }
    assert {(room, target) for room, target in edges if room != target and room not in FACES} == named | UPWARDS


def test_imports_go_downwards() -> None:
    rooms = [*BELOW]
    assert not {room: above for room in rooms if (above := BELOW[room].intersection(rooms[rooms.index(room) :]))}


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
