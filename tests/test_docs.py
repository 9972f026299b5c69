"""What the documents say is true: their programs run and print what they say, their commands exist, their links lead
somewhere."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tinygrad_lstm.cli.arguments import parser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BY_NAME = {"argvalues": PAGES, "ids": [str(page.relative_to(ROOT)) for page in PAGES]}

FENCE = re.compile(r"^```([\w{}-]*)[^\n]*\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Return the code blocks of a language on a page."""
    return [block[2] for block in FENCE.finditer(page.read_text()) if block[1] == language]


def programs(page: Path) -> list[tuple[str, str | None]]:
    """Return the programs on a page, each with what it prints where a block of text right below shows that."""
    text = page.read_text()
    found = list(FENCE.finditer(text))
    below = {block.start(): block[2] for block in found if block[1] == "text"}
    return [(block[2], below.get(block.end() + len("\n\n"))) for block in found if block[1] == "python"]


def commands(page: Path) -> list[str]:
    """Return the shell commands on a page, line by line."""
    return [line for block in blocks(page, "sh") for line in block.splitlines() if line]


PROGRAMS = [
    pytest.param(page, marks=pytest.mark.once if page.parent.name == "lessons" else (), id=name)
    for page, name in zip(BY_NAME["argvalues"], BY_NAME["ids"], strict=True)
]
"""The pages; like the programs that they are about, lessons are run once."""


@pytest.mark.parametrize("page", PROGRAMS)
def test_the_programs_of_a_page_run_one_after_the_other_and_print_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "a_page"}
    if "\nimport torch\n" in page.read_text():
        pytest.importorskip("torch")
    for program, shown in programs(page):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(program, str(page), "exec"), names)
        if shown is not None:
            assert agrees(printed.getvalue(), shown), f"printed\n{printed.getvalue()}where the page has\n{shown}"


def agrees(printed: str, shown: str) -> bool:
    """Tell whether a page shows what was printed; ... stands for anything."""
    return doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)


def test_what_a_program_prints_is_held_against_the_block_below(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nprint(1)\n```\n\n```text\n1\n```\n\n```python\nx = 2\n```\n\nProse.\n\n```text\n3\n```\n"
    )
    assert programs(page) == [("print(1)\n", "1\n"), ("x = 2\n", None)]
    assert agrees("loss 0.123\n", "loss 0.1...\n")
    assert not agrees("loss 0.2\n", "loss 0.1...\n")


def test_the_readmes_program_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "README.md"
    (program,) = blocks(page, "python")
    assert blocks(ROOT / "docs" / "quick-start.md", "python")[0] == program
    exec(program, {"__name__": "a_page"})
    assert f"`{capsys.readouterr().out.strip()}`" in page.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"parity.svg", "parity.html"}


def every_command() -> list[str]:
    """Return the commands of all pages."""
    return sorted({command for page in PAGES for command in commands(page)})


@pytest.mark.once
@pytest.mark.parametrize("command", every_command())
def test_every_command_can_be_given(command: str) -> None:
    words = [word for word in shlex.split(command) if "=" not in word or word.startswith("-")]
    if words[0] == "make":
        subprocess.run([*words, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == "tinygrad-lstm":
        parser().parse_args(words[1:])
    elif words == [".", ".venv/bin/activate"]:
        assert "python3 -m venv .venv" in every_command()
    elif words[0] == "python" and words[1].endswith(".py"):
        pages = [page.read_text() for page in PAGES if command in commands(page)]
        assert (ROOT / words[1]).exists() or all(f"`{words[1]}`" in page for page in pages)
    elif words[0] in ("python", "python3"):
        place = words.index("-m") + 1
        run = subprocess.run(
            [sys.executable, "-m", words[place], "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        )
        options = [word for word in words[place + 1 :] if word.startswith("--")]
        assert "No module named 'torch'" in run.stderr or all(word in run.stdout for word in ("usage", *options))
    else:
        assert words[:2] == ["pip", "install"]
        extras = re.findall(r"\[([a-z0-9,]+)\]", words[2])
        project = (ROOT / "pyproject.toml").read_text()
        assert all(f"\n{extra} = " in project for some in extras for extra in some.split(","))


@pytest.mark.once
@pytest.mark.parametrize("page", **BY_NAME)
def test_programs_and_what_they_print_are_no_wider_than_the_site(page: Path) -> None:
    shown = "".join(blocks(page, "python") + blocks(page, "text"))
    assert [line for line in shown.splitlines() if len(line) > 88] == []


@pytest.mark.once
@pytest.mark.parametrize("page", **BY_NAME)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    targets = [target for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()) if "://" not in target]
    assert all((page.parent / target).exists() for target in targets)
