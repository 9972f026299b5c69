"""Texts and their characters: read a text whole, and turn its characters into numbers and back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..tensor import Tensor, asarray

__all__ = ["TextError", "Vocabulary", "python_topics", "read_text"]


class TextError(ValueError):
    """A text cannot be used as it is; the message says why in one sentence."""


def read_text(path: str | os.PathLike[str]) -> str:
    r"""Return a file's text, every character of it: line ends stay as they are.

    Parameters
    ----------
    path
        A file in UTF-8.

    Raises
    ------
    OSError
        If the file cannot be read.
    TextError
        If it is not UTF-8.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "poem.txt")
    ...     _ = path.write_bytes(b"two\r\nlines")
    ...     read_text(path)
    'two\r\nlines'
    """
    content = Path(path).read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TextError(
            f"{os.fspath(path)} is not UTF-8: byte {error.start} is 0x{content[error.start]:02x}; convert it first, "
            "for example with iconv."
        ) from None


def python_topics() -> str:
    """Return the topics of Python's ``help()``, some 500,000 characters of English and code that every Python carries.

    The topics stand in alphabetical order; their text is that of the Python which runs.

    >>> len(python_topics()) > 100_000
    True
    """
    from pydoc_data.topics import topics  # half a megabyte that only this text needs

    return "\n".join(topics[name] for name in sorted(topics))


class Vocabulary:
    """The characters that a model knows, each with its number: its place in ``characters``.

    Parameters
    ----------
    characters
        Every character once.

    Raises
    ------
    TextError
        If a character stands there twice.

    Examples
    --------
    >>> vocabulary = Vocabulary.of("abracadabra")
    >>> vocabulary.characters
    'abcdr'
    >>> vocabulary.encode("bad")
    Tensor([1, 0, 3])
    >>> vocabulary.decode([1, 0, 3])
    'bad'
    """

    def __init__(self, characters: str) -> None:
        self.characters = characters
        self._numbers = {character: number for number, character in enumerate(characters)}
        if len(self._numbers) != len(characters):
            raise TextError(f"a vocabulary has each character once, and {characters!r} repeats some.")

    @classmethod
    def of(cls, text: str) -> Vocabulary:
        """Return the characters of a text, in the order of their code points."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters)

    def __repr__(self) -> str:
        return f"Vocabulary({self.characters!r})"

    def encode(self, text: str) -> Tensor:
        """Return the numbers of a text's N characters, shape (N,), int64.

        Raises
        ------
        TextError
            If the text has characters outside the vocabulary; the message names them, twenty at most.
        """
        unknown = sorted(set(text) - self._numbers.keys())
        if unknown:
            raise TextError(
                f"the text has characters outside the vocabulary of {len(self)}: {' '.join(map(repr, unknown[:20]))}"
                + (f" and {len(unknown) - 20} more." if len(unknown) > 20 else ".")
            )
        return asarray([self._numbers[character] for character in text], dtype="int64")

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text that numbers stand for.

        Raises
        ------
        IndexError
            If a number stands for no character.
        """
        listed = [int(number) for number in numbers]
        for number in listed:
            if not 0 <= number < len(self):
                raise IndexError(f"decode: got {number}, wanted numbers from 0 to {len(self) - 1}.")
        return "".join([self.characters[number] for number in listed])
