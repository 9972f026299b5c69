"""The reference has an entry for every public name, and every command with all its options."""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import tinygrad_lstm as tg
from docs import listing
from tinygrad_lstm.cli.arguments import parser

PAGES = sorted((Path(__file__).parent.parent / "docs" / "reference").glob("*.md"))

BEHIND_THE_FACE = {
    "__main__", "_startup", "autodiff", "backend", "hooks", "kernels", "ops", "primitive", "protocols", "structures",
    "sweep", "tape", "tensor", "verification",
}  # fmt: skip
"""Rooms whose names are public as far as the package itself, or a command, has them."""


def public_modules() -> dict[str, ModuleType]:
    """Return the package, its other rooms, and the modules that these have as members."""
    rooms = [room.name for room in pkgutil.iter_modules(tg.__path__) if room.name not in BEHIND_THE_FACE]
    modules = {"tinygrad_lstm": tg}
    for room in rooms:
        face = modules[f"tinygrad_lstm.{room}"] = importlib.import_module(f"tinygrad_lstm.{room}")
        modules |= {f"{face.__name__}.{name}": getattr(face, name) for name in imported_whole(face)}
    return {**modules, "tinygrad_lstm.nn.variants": tg.nn.variants}


def imported_whole(face: ModuleType) -> list[str]:
    """Return the modules that a package's face imports as such."""
    tree = ast.parse(inspect.getsource(face))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 1 and not node.module]
    return [alias.name for node in imports for alias in node.names]


def public_names(module: ModuleType) -> list[str]:
    """Return what a module says is public, or what a face has gathered that is no module."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [name for name, thing in vars(module).items() if name[0] != "_" and not inspect.ismodule(thing)]


@pytest.mark.parametrize(("name", "module"), public_modules().items(), ids=public_modules())
def test_every_public_name_has_an_entry(name: str, module: ModuleType) -> None:
    entries = {entry: thing for page in PAGES for entry, thing in listing.listed(page.read_text()).items()}
    things = {id(thing) for thing in entries.values()}
    missing = [
        public
        for public in public_names(module)
        if f"{name}.{public}" not in entries
        and not inspect.ismodule(getattr(module, public))
        and not (callable(getattr(module, public)) and id(getattr(module, public)) in things)
    ]
    assert missing == []


def test_an_entry_stands_under_a_name_that_can_be_imported_and_only_once() -> None:
    entries = [entry for page in PAGES for entry in listing.listed(page.read_text()).items()]
    assert len({name for name, _ in entries}) == len(entries) > 300
    for name, thing in entries:
        module, _, member = name.rpartition(".")
        home = importlib.import_module(module) if module != "tinygrad_lstm.nn.variants" else tg.nn.variants
        assert getattr(home, member) is thing


def test_the_page_of_commands_has_all_of_them_with_all_their_options() -> None:
    page = listing.filled_in((PAGES[0].parent / "command-line.md").read_text())
    commands = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    assert "train" in commands.choices
    for name, command in commands.choices.items():
        section = page.split(f"## `{name}`\n")[1].split("\n## ")[0]
        for action in command._actions:
            assert action.help in section
            assert all(f"`{form}" in section for form in action.option_strings)


def test_a_page_gets_entries_for_what_it_asks() -> None:
    page = listing.filled_in(
        "Text.\n\n```{names} tinygrad_lstm Tensor abs\n```\n\n```{names} tinygrad_lstm.nn.init\n```\n"
    )
    assert page.startswith("Text.\n\n```{eval-rst}\n.. autoclass:: tinygrad_lstm.Tensor\n   :members: shape, ")
    assert ":func:`sum <tinygrad_lstm.sum>`" in page
    assert "\n.. autofunction:: tinygrad_lstm.abs\n" in page
    assert "\n.. autofunction:: tinygrad_lstm.nn.init.eye_\n" in page
