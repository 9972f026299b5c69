"""What can be typed: commands, their options and their defaults."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from .. import __version__
from ..charlm import Configuration
from ..graph.view import Direction, Level, Theme, Weights
from . import benching, drawing, generating, information, training, verifying

__all__ = ["parser"]


def parser() -> argparse.ArgumentParser:
    """Return the parser; the namespace that it makes has the command as ``run``, a function of the namespace.

    >>> parser().parse_args(["demo", "--hidden", "128"]).hidden
    128
    """
    top = argparse.ArgumentParser(
        prog="tinygrad-lstm",
        description="An LSTM on a tape-based autograd engine: train it on characters, let it write, see it drawn.",
        epilog="TINYGRAD_LSTM_BACKEND=numpy, cupy or auto chooses where arrays live.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _demo(_command(commands, "demo", training.demo, "train on the text of Python's help(), about a minute"))
    _train(_command(commands, "train", training.train, "train on a text of your own"))
    _generate(_command(commands, "generate", generating.generate, "let a trained model continue a text"))
    _draw(_command(commands, "draw", drawing.draw, "draw a recurrent layer, a trained model, or a program of your own"))
    _verify(_command(commands, "verify", verifying.verify, "compare everything on NumPy and on a GPU, op by op"))
    _bench(_command(commands, "bench", benching.bench, "time ours against PyTorch, JAX and what else is installed"))
    _command(commands, "info", information.info, "show the backend, the device, the renderer and all versions")
    return top


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int | None], help: str
) -> argparse.ArgumentParser:
    """Add a command that takes no arguments yet."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=help, description=run.__doc__)
    command.set_defaults(run=run)
    return command


def _demo(command: argparse.ArgumentParser) -> None:
    """Add the options of ``demo``."""
    _training_options(command)
    _out(command, "demo")


def _train(command: argparse.ArgumentParser) -> None:
    """Add the options of ``train``."""
    command.add_argument("file", type=Path, metavar="FILE", help="a text in UTF-8")
    _training_options(command)
    _out(command, "FILE-lstm")


def _out(command: argparse.ArgumentParser, folder: str) -> None:
    """Add the option for where to write."""
    command.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"the folder to write into (default: {folder}, or with --resume that of the checkpoint)",
    )


def _training_options(command: argparse.ArgumentParser) -> None:
    """Add an option for each part of a configuration, and one to go on with a training that has its own."""
    options: dict[str, tuple[Callable[[str], float], str]] = {
        "updates": (_count, "how many times to change the weights"),
        "lr": (_positive, "the learning rate at first; it falls to 0"),
        "hidden": (_count, "the length of the LSTM's state"),
        "embedding": (_count, "the length of a character's vector"),
        "batch": (_count, "how many parts of the text to read side by side"),
        "steps": (_count, "over how many characters gradients go back"),
        "seed": (_natural, "where random numbers start"),
    }
    for name, (kind, help) in options.items():
        command.add_argument(
            f"--{name}", type=kind, metavar="X" if kind is _positive else "N",
            help=f"{help} (default: {getattr(Configuration, name)})",
        )  # fmt: skip
    command.add_argument(
        "--resume",
        type=Path,
        metavar="CHECKPOINT",
        help="go on with a training that was interrupted, as if it had not been",
    )
    command.set_defaults(refuse=command.error)


def _generate(command: argparse.ArgumentParser) -> None:
    """Add the arguments of ``generate``."""
    command.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a file that demo or train wrote")
    command.add_argument("--prompt", default="\n", metavar="TEXT", help="the text to continue (default: a new line)")
    _option(command, "--length", _count, "N", "how many characters to add", default=400)
    command.add_argument(
        "--temperature", type=_positive, metavar="X",
        help=f"below 1 the likely gets likelier (default: {training.TEMPERATURE})",
    )  # fmt: skip
    command.add_argument("--top-k", type=_count, metavar="N", help="draw from the N likeliest only")
    command.add_argument("--top-p", type=_share, metavar="P", help="draw from the likeliest that have P of 1 together")
    command.add_argument("--seed", type=_natural, metavar="N", help="where random numbers start (default: 0)")
    undrawn = command.add_mutually_exclusive_group()
    undrawn.add_argument("--greedy", action="store_true", help="take the likeliest character every time")
    undrawn.add_argument("--beams", type=_count, metavar="N", help="look for the likeliest text, with N candidates")
    command.set_defaults(refuse=command.error)


def _draw(command: argparse.ArgumentParser) -> None:
    """Add the arguments of ``draw``."""
    add = command.add_argument
    add("what", metavar="WHAT", help="lstm, gru or rnn, a checkpoint, MODULE:FUNCTION, or FILE.py:FUNCTION")
    add(
        "-o", "--out", type=Path, action="append", metavar="FILE",
        help="where to write; .svg, .png, .pdf, .dot, or .html for a page with every step; may be given several times",
    )  # fmt: skip
    add("--steps", type=_count, metavar="N", help=f"over how many time steps (default: {drawing.STEPS})")
    add("--hidden", type=_count, metavar="N", help=f"the length of a layer's state (default: {drawing.HIDDEN})")
    add("--layers", type=_count, metavar="N", help="how many layers stand on each other (default: 1)")
    add("--text", metavar="TEXT", help="what a checkpoint's model reads (default: what it writes)")
    add("--title", metavar="TEXT", help="what stands below (default: what is drawn)")
    add("--level", choices=get_args(Level), help="what one mark is (default: what can be read)")
    add("--values", action="store_true", help="show values as tinted cells")
    add("--grads", action="store_true", help="show gradients under them")
    add("--direction", choices=get_args(Direction), help="which way the lines lead (default: forward)")
    add("--rolled", action="store_true", help="show a recurrence as one step with its loop")
    add("--weights", choices=get_args(Weights), help="draw the weights that steps share once, or at each step")
    add("--fold", action="append", metavar="SCOPE", help="show a scope as one mark; may be given several times")
    add("--unfold", action="append", metavar="SCOPE", help="show what is in a scope; may be given several times")
    add("--highlight", action="append", metavar="NAME", help="make all pale but what is called so; several times, too")
    add("--theme", choices=get_args(Theme), help="the colours; auto is both in one SVG (default: light)")
    add("--limit", type=_count, metavar="N", help="how many marks to show before scopes are folded (default: 150)")
    command.set_defaults(refuse=command.error)


def _verify(command: argparse.ArgumentParser) -> None:
    """Add the arguments of ``verify``."""
    command.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="the element type (default: float32)"
    )
    command.add_argument("--only", default="", metavar="PATTERN", help="run the cases with this in their names")
    command.add_argument("--json", type=_result, metavar="FILE", help="also write what was found into a file")
    command.set_defaults(refuse=command.error)


def _bench(command: argparse.ArgumentParser) -> None:
    """Add the arguments of ``bench``."""
    add = command.add_argument
    add("names", nargs="*", metavar="NAME", help="what to run (default: everything)")
    add("--list", action="store_true", help="show what there is, and run nothing")
    add("--sizes", nargs="+", metavar="SIZE", help="other sizes of the one benchmark that is named, such as 32,1,16,32")
    add("--pairs", type=_count, metavar="N", help="how many turns each program has (default: 9)")
    add("--threads", type=_count, metavar="N", help="cores and threads of every program (default: all)")
    add("--peers", type=_names, metavar="LIST", help="whom to compare with, such as torch,jax or none (default: all)")
    add("--cold", action="store_true", help="time single steps after a pause, not steps that follow each other")
    add("--quick", action="store_true", help="take a tiny size and two steps, to see that everything runs")
    add("--json", type=_result, metavar="FILE", help="write all figures to a file")
    add("--plot", type=_result, metavar="FILE", help="draw them; needs Matplotlib")


def _option(
    command: argparse.ArgumentParser, name: str, kind: Callable[[str], Any], metavar: str, help: str, default: object
) -> None:
    """Add an option whose help shows its default."""
    command.add_argument(name, type=kind, metavar=metavar, default=default, help=f"{help} (default: {default})")


def _result(text: str) -> Path:
    """Return the path of a file that can be written; it will be, when hours may have gone by."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"got {text!r}, a folder, wanted a file")
    if not os.access(path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a file in a folder that can be written to")
    return path


def _count(text: str) -> int:
    """Return a whole number of at least 1."""
    return _whole(text, 1)


def _natural(text: str) -> int:
    """Return a whole number of at least 0."""
    return _whole(text, 0)


def _names(text: str) -> list[str]:
    """Return names between commas; ``none`` is no name."""
    return [] if text == "none" else text.split(",")


def _whole(text: str, least: int) -> int:
    """Return a whole number that is not below the least."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a whole number of at least {least}")
    return number


def _positive(text: str) -> float:
    """Return a finite number above 0."""
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a number above 0")
    return number


def _share(text: str) -> float:
    """Return a number above 0 that is at most 1."""
    number = _number(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, wanted a number above 0 and at most 1")
    return number


def _number(text: str) -> float:
    """Return a number, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
