"""What the documents say is true: their programs run, their commands exist, their links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_lstm.cli.arguments import parser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
BY_NAME = {"argvalues": PAGES, "ids": [page.name for page in PAGES]}


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[str]:
    """Return the shell commands on a page, line by line."""
    return [line for block in blocks(page, "sh") for line in block.splitlines() if line]


@pytest.mark.parametrize("page", **BY_NAME)
def test_the_programs_of_a_page_run_one_after_the_other(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "a_page"}
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), names)


def test_the_readmes_model_learns_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    exec(blocks(ROOT / "README.md", "python")[0], {"__name__": "a_page"})
    printed = re.fullmatch(r"loss (0\.\d+), right (\d+)%\n", capsys.readouterr().out)
    assert printed is not None
    assert float(printed[1]) < 0.1
    assert int(printed[2]) >= 99


@pytest.mark.parametrize("command", sorted({command for page in PAGES for command in commands(page)}))
def test_every_command_can_be_given(command: str) -> None:
    words = [word for word in shlex.split(command) if "=" not in word or word.startswith("-")]
    if words[0] == "make":
        subprocess.run([*words, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == "tinygrad-lstm":
        parser().parse_args(words[1:])
    elif words[0] == "python":
        module = words[words.index("-m") + 1]
        run = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert "usage" in run.stdout or "No module named 'torch'" in run.stderr
    else:
        assert words[:2] == ["pip", "install"]
        extras = re.findall(r"\[([a-z0-9]+)\]", words[2])
        assert all(f"\n{extra} = " in (ROOT / "pyproject.toml").read_text() for extra in extras)


@pytest.mark.parametrize("page", **BY_NAME)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()) if "://" not in target]
    assert all((page.parent / target).exists() for target in targets)
