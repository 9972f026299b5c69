"""What the reference reads off the package, so that nothing is missing: public names, and commands with their options.

A page asks for it by a block without content, whose first line is ``{names} MODULE``, ``{names} MODULE NAME ...`` or
``{commands}``.
"""

from __future__ import annotations

import argparse
import ast
import builtins
import functools
import importlib
import inspect
import itertools
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from tinygrad_lstm.cli.arguments import parser

FACES = (
    "tinygrad_lstm", "tinygrad_lstm.nn", "tinygrad_lstm.optim", "tinygrad_lstm.data", "tinygrad_lstm.graph",
    "tinygrad_lstm.interchange", "tinygrad_lstm.charlm", "tinygrad_lstm.cli",
)  # fmt: skip
"""The packages that gather what their modules define: a name is shown as the member of the first that has it."""

UNSHOWN = {"_LSTM", "_GRU", "_RNN", "Recurrent"}
"""Classes whose methods are how a kind of network is made, and not how it is used."""

BLOCK = re.compile(r"^```\{(names|commands)\} ?(.*)\n```$", re.MULTILINE)


def filled_in(page: str) -> str:
    """Return a page with its blocks filled in."""
    return BLOCK.sub(lambda block: _entries(block[2]) if block[1] == "names" else "\n".join(_commands()), page)


def listed(page: str) -> dict[str, Any]:
    """Return what stands on a page by its blocks of names: things by their full names."""
    return {name: thing for block in BLOCK.finditer(page) if block[1] == "names" for name, thing in names(block[2])}


def names(asked: str) -> Iterator[tuple[str, Any]]:
    """Give what a module makes public, or the names behind the module's, under the full names meant to be used."""
    module, *chosen = asked.split()
    home = importlib.import_module(module)
    return ((f"{_face(home, name)}.{name}", getattr(home, name)) for name in chosen or home.__all__)


def _face(home: ModuleType, name: str) -> str:
    """Return the name of the module as a member of which something is meant to be used."""
    own = getattr(home, name)
    faces = (face for face in FACES if getattr(importlib.import_module(face), name, FACES) is own)
    return next(faces, home.__name__.replace(".recurrent", ""))


def _entries(asked: str) -> str:
    """Return the entries of names, which Sphinx fills with their docstrings."""
    said = _said(importlib.import_module(asked.split()[0]))
    entries = [
        _entry(name, thing, said.get(name.split(".")[-1], ""))
        for name, thing in names(asked)
        if not inspect.ismodule(thing)
    ]
    return "\n".join(["```{eval-rst}", *entries, "```"])


def _entry(name: str, thing: Any, said: str) -> str:
    """Return the entry of one name; the docstring of what is neither a class nor a function is the string below it."""
    if inspect.isclass(thing):
        members = ", ".join(_members(thing))
        return f".. autoclass:: {name}\n" + (f"   :members: {members}\n" if members else "") + _methods(thing)
    if inspect.isroutine(thing):
        return f".. autofunction:: {name}\n"
    unlinked = "   :no-index:\n" if hasattr(builtins, name.split(".")[-1]) else ""  # `bool` in a signature is Python's
    text = "".join(f"   {line}\n" for line in said.splitlines())
    return f".. py:data:: {name}\n   :value: {thing!r}\n{unlinked}\n{text}"


def _members(thing: type) -> list[str]:
    """Return the members of a class that are its own, or those of a base that has no entry itself, but for ops."""
    shown: dict[str, None] = {}
    for owner in thing.__mro__:
        if owner is not thing and (not owner.__module__.startswith("tinygrad_lstm") or _is_public(owner)):
            break
        if owner.__name__ not in UNSHOWN:
            shown |= {
                name: None
                for name, member in vars(owner).items()
                if not name.startswith("_") and member.__doc__ and _is_code(member) and not _is_public(member)
            }
    return list(shown)


def _is_code(member: Any) -> bool:
    """Tell a method or a property from a plain attribute."""
    return inspect.isroutine(member) or isinstance(member, property | functools.cached_property)


def _is_public(thing: Any) -> bool:
    """Tell whether a package has this by its name."""
    name = getattr(thing, "__name__", "")
    return any(getattr(importlib.import_module(face), name, FACES) is thing for face in FACES)


def _methods(thing: type) -> str:
    """Return a sentence about the ops that are methods of a class."""
    ops = [name for name, member in vars(thing).items() if not name.startswith("_") and _is_public(member)]
    links = ", ".join(f":func:`{name} <tinygrad_lstm.{vars(thing)[name].__name__}>`" for name in sorted(ops))
    return f"\n   These ops are methods too, with the tensor as their first argument: {links}.\n" if ops else ""


def _said(module: ModuleType) -> dict[str, str]:
    """Return the strings below a module's assignments, by the names that are assigned to."""
    said = {}
    for assignment, below in itertools.pairwise(ast.parse(inspect.getsource(module)).body):
        match assignment, below:
            case (
                ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                said[name] = inspect.cleandoc(text)
    return said


def _commands() -> Iterator[str]:
    """Give the lines of a section for each command."""
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from _command(name, command)


def _command(name: str, command: argparse.ArgumentParser) -> Iterator[str]:
    """Give the lines of a command's section: what it does, how it is called, and a table of its arguments."""
    places = [str(action.metavar) for action in command._actions if not action.option_strings]
    usage = " ".join([command.prog, *places, "[OPTION ...]"])
    yield from (f"## `{name}`", "", command.description or "", "", "```text", usage, "```", "")
    yield from ("| argument | what it says |", "|---|---|")
    for action in command._actions:
        forms = action.option_strings or [""]
        told = " ".join(f"`{' '.join(filter(None, (form, _taken(action))))}`" for form in forms)
        yield f"| {told} | {action.help} |"
    yield ""


def _taken(action: argparse.Action) -> str:
    """Return what stands behind an option's name."""
    if action.nargs == 0:
        return ""
    return "{" + ",".join(action.choices) + "}" if action.choices else str(action.metavar or "")
