"""Graphviz's libraries, which pygraphviz brings along: in this process, or as a program of its own that can be stopped.

As a program, ``python libraries.py svg`` reads DOT and writes the picture. It imports nothing of this package, so that
it starts at once.
"""

from __future__ import annotations

import sys

__all__ = ["drawn"]


def drawn(text: str, form: str, *arguments: str) -> bytes:
    """Return DOT text drawn; the arguments are those of the program ``dot``.

    Two threads must not do this at once: the libraries would end the process.
    """
    import pygraphviz

    graph = pygraphviz.AGraph(string=text)
    try:
        return graph.draw(format=form, prog="dot", args=" ".join(arguments))
    finally:
        graph.close()


if __name__ == "__main__":
    try:
        sys.stdout.buffer.write(drawn(sys.stdin.buffer.read().decode(), *sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
