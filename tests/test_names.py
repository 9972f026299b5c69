"""The names that docs/names.md brings together are there: ours, NumPy's, PyTorch's and Keras's."""

from __future__ import annotations

import importlib
import operator
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import data, interchange, nn, optim

PAGE = (Path(__file__).parent.parent / "docs" / "names.md").read_text()

OURS: dict[str, ModuleType] = {"tg": tg, "nn": nn, "optim": optim, "data": data, "interchange": interchange}


def named(*roots: str) -> list[str]:
    """Return the names on the page that begin with one of the roots."""
    return sorted(set(re.findall(rf"`((?:{'|'.join(roots)})\.[\w.]+)", PAGE)))


def lacking(names: list[str], modules: dict[str, ModuleType]) -> list[str]:
    """Return the names that are not there."""
    return [name for name in names if not is_there(name, modules)]


def is_there(name: str, modules: dict[str, ModuleType]) -> bool:
    root, _, rest = name.partition(".")
    try:
        operator.attrgetter(rest)(modules[root])
    except AttributeError:
        return False
    return True


def pytorch() -> dict[str, ModuleType]:
    """Return PyTorch's modules by the names that the page has for them."""
    torch = pytest.importorskip("torch")
    for module in ("torch.utils.data", "torch.utils.checkpoint"):
        importlib.import_module(module)
    return {"torch": torch, "F": torch.nn.functional}


def keras(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """Return Keras, computing with JAX, with its settings in a folder."""
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("KERAS_HOME", str(home))
    return {"keras": pytest.importorskip("keras")}


def test_our_names_are_there() -> None:
    names = named(*OURS)
    assert len(names) > 150
    assert lacking(names, OURS) == []
    assert lacking(["tg.transpose", "nn.BatchNorm1d"], OURS) == ["tg.transpose", "nn.BatchNorm1d"]


def test_numpys_names_are_there() -> None:
    names = named("np")
    assert len(names) > 60
    assert lacking(names, {"np": np}) == []


@pytest.mark.peers
def test_pytorchs_names_are_there() -> None:
    names = named("torch", "F")
    assert len(names) > 150
    assert lacking(names, pytorch()) == []


@pytest.mark.peers
def test_kerass_names_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = named("keras")
    assert len(names) > 100
    assert lacking(names, keras(tmp_path, monkeypatch)) == []


@pytest.mark.peers
def test_an_op_that_is_not_on_the_page_is_called_the_same_in_numpy_or_pytorch() -> None:
    modules = {"np": np, **pytorch()}
    elsewhere = [op for op in tg.ops.__all__ if f"`tg.{op}" not in PAGE]
    assert len(elsewhere) > 80
    assert [op for op in elsewhere if not any(is_there(f"{root}.{op}", modules) for root in modules)] == []


def test_each_row_of_the_tables_begins_with_something_of_ours() -> None:
    tables = PAGE.split("## The same name")[0]
    rows = re.findall(r"^\| (.*?) \| .* \| .* \|$", tables, flags=re.MULTILINE)
    assert len(rows) > 80
    assert all(row == "ours" or "`" in row for row in rows)
