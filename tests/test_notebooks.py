"""Pages become notebooks: their programs are cells that run, and their pictures are beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
notebooks = pytest.importorskip("docs.notebooks")

LESSONS = Path(__file__).parent.parent / "docs" / "lessons"

PAGE = """# A lesson

As [before](01-before.md) and in [the reference](../reference/nn.md#layers), $c_t = f_t c_{t-1}$:

```python
import tinygrad_lstm as tg

from examples.half import half

c = tg.asarray(half)
```

![A picture](../images/lessons/one/picture.svg)

```python
print(c * 2)
```

```text
Tensor(1.)
```

```sh
make demo
```
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the notebook of the page above."""
    (tmp_path / "docs" / "lessons").mkdir(parents=True)
    (tmp_path / "docs" / "lessons" / "02-page.md").write_text(PAGE)
    (tmp_path / "docs" / "images" / "lessons" / "one").mkdir(parents=True)
    (tmp_path / "docs" / "images" / "lessons" / "one" / "picture.svg").write_text("<svg/>")
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "__init__.py").touch()
    (tmp_path / "examples" / "half.py").write_text("half = 0.5\n")
    notebooks.write(tmp_path / "docs" / "lessons", tmp_path / "examples", tmp_path / "notebooks")
    return tmp_path / "notebooks"


def test_programs_become_cells_that_run_one_after_the_other_in_their_folder(folder: Path) -> None:
    made = nbformat.read(folder / "02-page.ipynb", as_version=4)
    nbformat.validate(made)
    assert made.metadata.kernelspec.name == "python3"
    assert [cell.cell_type for cell in made.cells] == ["markdown", "code", "markdown", "code", "markdown"]
    program = "\n".join(cell.source for cell in made.cells if cell.cell_type == "code")
    paths = os.pathsep.join(["", str(LESSONS.parent.parent), *filter(None, sys.path)])  # the backend of the tests
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert (run.stdout, run.stderr) == ("Tensor(1.)\n", "")
    assert "make demo" in made.cells[-1].source


def test_pictures_and_links_lead_somewhere_from_the_notebook(folder: Path) -> None:
    text = "\n".join(cell.source for cell in nbformat.read(folder / "02-page.ipynb", as_version=4).cells)
    assert re.findall(r"\]\((.*?)\)", text) == ["01-before.ipynb", "images/lessons/one/picture.svg"]
    assert "in the reference, $c_t = f_t c_{t-1}$" in text
    assert (folder / "images" / "lessons" / "one" / "picture.svg").read_text() == "<svg/>"


@pytest.mark.parametrize("page", sorted(LESSONS.glob("*.md")), ids=lambda page: page.stem)
def test_the_cells_of_a_lessons_notebook_are_its_programs(page: Path) -> None:
    text = page.read_text()
    made = notebooks.notebook(text)
    nbformat.validate(made)
    programs = re.findall(r"^```python\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert [cell.source for cell in made.cells if cell.cell_type == "code"] == programs
