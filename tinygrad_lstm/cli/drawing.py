"""``tinygrad-lstm draw``: a picture of a recurrent layer, of a trained model, or of what a user's program computes."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from .. import charlm, nn
from ..graph import draw as draw_files
from ..ops import manual_seed, mse_loss, randn, zeros
from ..tape import Node, Tape
from ..tensor import Tensor

__all__ = ["LAYERS", "DrawError", "draw"]

Thing: TypeAlias = "tuple[Tape | Tensor, str | None]"
"""What is to be drawn, and its title, None for the one that `draw` finds."""

LAYERS: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

INPUTS, HIDDEN = 2, 3
"""The sizes of a layer that is drawn by its name."""

STEPS = 3
"""How many time steps are drawn if nobody says how many."""

OPTIONS: dict[str, tuple[str, ...]] = {
    "layer": ("steps", "hidden", "layers"),
    "checkpoint": ("steps", "text"),
    "function": (),
}
"""The options that say what is computed, for each kind of thing that can be drawn."""

LOOKS = (
    "title", "level", "values", "grads", "direction", "fold", "unfold", "highlight", "rolled", "weights", "theme",
    "limit",
)  # fmt: skip
"""The options of `tinygrad_lstm.draw`."""


class DrawError(ValueError):
    """Something cannot be drawn; the message says why in one sentence."""


def draw(arguments: argparse.Namespace) -> None:
    """Draw a recurrent layer, a trained model, or what a function of your own computes.

    WHAT is lstm, gru or rnn; a checkpoint; or MODULE:FUNCTION or FILE.py:FUNCTION. Such a function takes no arguments.
    What it computes is drawn, or only what leads to the tensor that it returns, or the tape that it returns.
    """
    kind = _kind(arguments.what)
    for name in dict.fromkeys(itertools.chain(*OPTIONS.values())):
        if name not in OPTIONS[kind] and getattr(arguments, name) is not None:
            arguments.refuse(f"--{name} says nothing of {arguments.what}")
    files = arguments.out or [Path(f"{_stem(arguments.what, kind)}.svg")]
    given = {name: getattr(arguments, name) for name in LOOKS}
    looks: Any = {name: tuple(x) if isinstance(x, list) else x for name, x in given.items() if x not in (None, False)}
    backward = arguments.grads or looks.get("direction", "forward") != "forward"
    backward = backward or any(file.suffix.lower() == ".html" for file in files)
    thing, title = _THINGS[kind](arguments, backward)
    try:
        draw_files(thing, *files, **({"title": title} | looks))
    except (TypeError, ValueError) as error:
        raise DrawError(str(error)) from error
    for file in files:
        print(file)


def _kind(what: str) -> str:
    """Return what kind of thing is to be drawn."""
    if what.lower() in LAYERS:
        return "layer"
    return "function" if ":" in what[2:] and not Path(what).exists() else "checkpoint"  # 2: a drive has a colon too


def _stem(what: str, kind: str) -> str:
    """Return the name of the file to write if none is given."""
    return what.rpartition(":")[2] if kind == "function" else Path(what).stem.lower()


def _layer(arguments: argparse.Namespace, backward: bool) -> Thing:
    """Return the tape of a layer over random inputs; the way back starts from how far its last output is from 0."""
    manual_seed(0)
    layer = LAYERS[arguments.what.lower()](INPUTS, arguments.hidden or HIDDEN, num_layers=arguments.layers or 1)
    inputs = randn(arguments.steps or STEPS, 1, INPUTS)
    with Tape() as tape:
        outputs, _ = layer(inputs)
        if backward:
            mse_loss(outputs[-1], zeros(outputs.shape[1:]).named("target")).named("loss").backward()
    return _without_lines(tape), None


def _checkpoint(arguments: argparse.Namespace, backward: bool) -> Thing:
    """Return the tape of a trained model over a short text, its own if none is given."""
    if not Path(arguments.what).exists():
        raise DrawError(f"{arguments.what}: there is no such file, and no such layer: choose from {', '.join(LAYERS)}.")
    checkpoint = charlm.load(arguments.what)
    model, vocabulary, text = checkpoint.model, checkpoint.vocabulary, arguments.text
    if text is None:
        length = (arguments.steps or STEPS) + backward
        text = "".join(charlm.generate(model, vocabulary, vocabulary.characters[-1], length, top_k=1))
    steps = min(arguments.steps or len(text), len(text) - backward)
    numbers = vocabulary.encode(text)
    if steps < 1:
        raise DrawError(f"the text has {len(text)} characters, wanted at least {1 + backward}.")
    title = f"The model over {text[:steps]!r}"
    if not backward:
        return _without_lines(charlm.unrolled(model, numbers[:steps])), title
    with Tape() as tape:
        characters, following = numbers[:steps, None], numbers[1 : steps + 1, None]
        loss, _ = model.loss(characters.named("characters"), following.named("following"))
        loss.named("loss").backward()
    return _without_lines(tape), title


def _without_lines(tape: Tape) -> Tape:
    """Return a tape that does not say which lines made it, where these are this command's own."""
    tape.entries = [entry._replace(line=None) for entry in tape.entries]
    return tape


def _function(arguments: argparse.Namespace, backward: bool) -> Thing:
    """Return what a function computes: on a tape, unless it returns one of its own or a tensor from before."""
    what = arguments.what
    function = _found(what)
    with Tape() as tape:
        result = _called(what, function)
        if backward and isinstance(result, Tensor) and isinstance(result.node, Node) and not tape.pulls:
            if result.size != 1:
                raise DrawError(f"{what} returned a tensor of shape {result.shape}, and gradients start from a scalar.")
            result.backward()
    if isinstance(result, Tape):
        return result, None
    if isinstance(result, Tensor) and result.node is not None:
        return _leading_to(result, tape), None
    return tape, None


def _found(what: str) -> Callable[[], Any]:
    """Return the function of a name, from a module or a file."""
    place, _, name = what.rpartition(":")
    is_file = place.endswith(".py")
    if is_file and not Path(place).exists():
        raise DrawError(f"{place}: No such file.")
    try:
        module = _from_file(Path(place)) if is_file else _from_path(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place + ".").startswith(error.name + "."):
            raise DrawError(f"{what}: there is no module {error.name}.") from None
        raise DrawError(_what_happened(what, error)) from error
    except Exception as error:
        raise DrawError(_what_happened(what, error)) from error
    function = getattr(module, name, None)
    if not callable(function):
        raise DrawError(f"{what}: {place} has no function {name!r}.")
    return function


def _from_path(place: str) -> Any:
    """Return a module by its name; the folder that one is in is looked into as by ``python -m``."""
    sys.path.insert(0, "")
    try:
        return importlib.import_module(place)
    finally:
        sys.path.remove("")


def _from_file(path: Path) -> Any:
    """Return a module from its file, which may import its neighbours."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        specification.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module


def _called(what: str, function: Callable[[], Any]) -> Any:
    """Return what a function returns, or say what it has raised and where."""
    try:
        return function()
    except Exception as error:
        raise DrawError(_what_happened(what, error)) from error


def _what_happened(what: str, error: Exception) -> str:
    """Return an error of somebody's program in one sentence, with the last line of it that was run."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split()) or "no reason given"
    return f"{what}: {type(error).__name__}: {text}{place}"


def _is_ours(file: str) -> bool:
    """Tell whether a file is this package's, or a part of how Python imports."""
    return file.startswith(("<frozen", str(Path(__file__).parents[1])))


def _leading_to(tensor: Tensor, tape: Tape) -> Tape | Tensor:
    """Return the part of a tape that leads to a tensor; the tensor if it was computed elsewhere."""
    part, wanted = Tape(), {tensor.node}
    for entry in reversed(tape.entries):
        if entry.node in wanted:
            part.entries.append(entry)
            wanted.update(input for input in entry.inputs if isinstance(input, Node))
    part.entries.reverse()
    part.given, part.pulls = tape.given, [pull for pull in tape.pulls if pull.node in wanted]
    return part if part.entries else tensor


_THINGS: dict[str, Callable[[argparse.Namespace, bool], Thing]] = {
    "layer": _layer,
    "checkpoint": _checkpoint,
    "function": _function,
}
