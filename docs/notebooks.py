"""Notebooks for those who teach, `make notebooks`: each lesson with its programs as cells, in build/notebooks.

The folder stands by itself: beside the notebooks are their pictures, and the programs that they import.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import jupytext

ROOT = Path(__file__).parent.parent

PYTHON = {"display_name": "Python 3", "language": "python", "name": "python3"}


def write(lessons: Path, programs: Path, folder: Path) -> None:
    """Write the notebooks of a folder's pages, with their pictures and the programs of another folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in sorted(lessons.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for picture in pictures(text):
            copy(page.parent / picture, folder / "images" / inside(picture))
        jupytext.write(notebook(text), folder / f"{page.stem}.ipynb")
    for program in programs.glob("*.py"):
        copy(program, folder / programs.name / program.name)


def copy(source: Path, place: Path) -> None:
    """Copy a file, and make the folders above it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)


def notebook(text: str) -> Any:
    """Return a page as a notebook: programs in Python as cells to run, all else as text."""
    text = re.sub(r"^```(?!python$)[^\n]+$", "```text", text, flags=re.MULTILINE)
    text = re.sub(r"(!\[[^]]*\])\(([^)]*)\)", lambda found: f"{found[1]}(images/{inside(found[2])})", text)
    text = re.sub(r"(?<!!)\[([^]]*)\]\(([^):#]*\.md)(?:#[^)]*)?\)", followed, text)
    made = jupytext.reads(text, fmt="md")
    made.metadata["kernelspec"] = PYTHON
    return made


def pictures(text: str) -> list[str]:
    """Return where the pictures of a page are, seen from it."""
    return re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)


def inside(picture: str) -> str:
    """Return where a picture is within the folder of all pictures."""
    return picture.split("images/")[-1]


def followed(link: re.Match[str]) -> str:
    """Return a link to another lesson as one to its notebook, and of a link to any other page its words."""
    words, page = link.groups()
    return f"[{words}]({page.removesuffix('.md')}.ipynb)" if "/" not in page else words


if __name__ == "__main__":
    write(ROOT / "docs" / "lessons", ROOT / "examples", ROOT / "build" / "notebooks")
