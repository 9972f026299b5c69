"""Public docstrings keep to one standard: an example that can be run, every parameter, and what is raised.

That the examples print what they say is for ``make doctest`` to find out.
"""

from __future__ import annotations

import ast
import dataclasses
import doctest
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from typing import Any

import pytest
from test_reference import public_modules, public_names

OPERANDS = {"x", "x1", "x2"}
"""What the standard calls the tensors that an op computes with: alone they need no entry."""

SECTION = re.compile(r"^(\w+)\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", re.MULTILINE | re.DOTALL)
OTHER = re.compile(r"\b(?:parameters|settings|options)\b[^.`]*\bthose of\s`(\w+)`")


def is_ours(thing: Any) -> bool:
    return (inspect.isroutine(thing) or inspect.isclass(thing)) and thing.__module__.startswith("tinygrad_lstm")


THINGS = {
    f"{name}.{public}": thing
    for name, module in public_modules().items()
    for public in public_names(module)
    if is_ours(thing := getattr(module, public))
}
"""The functions and classes that are public, by name."""

BY_LAST_NAME = {name.rpartition(".")[2]: thing for name, thing in THINGS.items()}


def docstring(thing: Any) -> str:
    """Return a docstring of one's own, and not that of a base."""
    return inspect.cleandoc(vars(thing).get("__doc__") or "" if inspect.isclass(thing) else thing.__doc__ or "")


def entries(thing: Any, title: str) -> list[str]:
    """Return what has an entry in a section of a docstring, without the stars of ``*args``."""
    text = "".join(section[2] for section in SECTION.finditer(docstring(thing)) if section[1] == title)
    heads = [line for line in text.splitlines() if line and not line[0].isspace()]
    return [name.lstrip("*") for head in heads for name in head.split(", ")]


def documented(thing: Any) -> set[str]:
    """Return the parameters that a docstring describes, or that it says are those of another."""
    others = [BY_LAST_NAME[name] for name in OTHER.findall(docstring(thing)) if name in BY_LAST_NAME]
    return {*entries(thing, "Parameters"), *entries(thing, "Attributes")}.union(*map(documented, others))


def parameters(thing: Any) -> set[str]:
    """Return the names of the parameters, or of the fields; errors have none that anybody should give."""
    if typing.is_typeddict(thing):
        return set(thing.__annotations__)
    return set() if is_error(thing) else set(inspect.signature(thing).parameters)


def is_error(thing: Any) -> bool:
    return inspect.isclass(thing) and issubclass(thing, Exception)


def is_record(thing: Any) -> bool:
    """Tell what has fields alone, and is shown by the example of what makes it."""
    is_named_tuple = inspect.isclass(thing) and issubclass(thing, tuple)
    return is_named_tuple or dataclasses.is_dataclass(thing) or typing.is_typeddict(thing)


def raises_unsaid(thing: Any) -> bool:
    """Tell what raises without a word: a function, or a class of which a method does so and says nothing either."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    said = "Raises" in (section[1] for section in SECTION.finditer(docstring(thing)))
    return not said and any(raising_unsaid(tree))


def raising_unsaid(tree: ast.AST) -> Iterator[ast.Raise]:
    """Give what a tree raises outside of methods that speak of it, but for what a subclass has to implement."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Raise) and "NotImplementedError" not in ast.unparse(node):
            yield node
        elif not isinstance(node, ast.FunctionDef) or "\nRaises\n" not in (ast.get_docstring(node) or ""):
            yield from raising_unsaid(node)


def undescribed(thing: Any) -> set[str]:
    """Return the parameters of which nothing is said; one alone, or operands alone, speak for themselves."""
    given = parameters(thing)
    return given - documented(thing) if len(given) > 1 and not given <= OPERANDS else set()


def strange(thing: Any) -> set[str]:
    """Return what is described as a parameter, or as a field, and is none."""
    return set(entries(thing, "Attributes" if is_record(thing) else "Parameters")) - parameters(thing)


def without_example(thing: Any) -> bool:
    """Tell what has no example that is run, though it could be called."""
    examples = doctest.DocTestParser().get_examples(docstring(thing))
    return not (is_error(thing) or is_record(thing)) and all(example.options.get(doctest.SKIP) for example in examples)


def faulty(x: float, scale: float, *others: float) -> float:
    """Return something; `others` are not described.

    Parameters
    ----------
    x, size
        Numbers, as ``scale`` is.

    Examples
    --------
    >>> faulty(1.0, 2.0)  # doctest: +SKIP
    """
    if scale == 0:
        raise ValueError("faulty: got scale = 0, wanted another number.")
    return x / scale


def test_what_is_wrong_is_found() -> None:
    assert without_example(faulty)
    assert undescribed(faulty) == {"scale", "others"}
    assert strange(faulty) == {"size"}
    assert raises_unsaid(faulty)
    assert len(THINGS) > 300


@pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS)
def test_a_docstring_keeps_to_the_standard(thing: Any) -> None:
    assert docstring(thing)
    assert not docstring(thing).startswith(f"{thing.__name__}(")  # what a record has of itself
    assert not without_example(thing)
    assert undescribed(thing) == set()
    assert strange(thing) == set()
    assert not raises_unsaid(thing)
