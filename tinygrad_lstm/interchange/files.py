"""Files: written whole or not at all, so that an interruption leaves the one that was there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

__all__ = ["FormatError", "write_whole"]


class FormatError(ValueError):
    """A file is not what it was taken for; the message says in one sentence what is wrong with it."""


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file under another name, and give it its own only when all of it is on the disk.

    Parameters
    ----------
    path
        The file; one that is there is replaced.
    content
        All that is to be in it.

    Raises
    ------
    OSError
        If it cannot be written; a file that was there before is as it was.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(pathlib.Path(folder, "notes"), b"all of it")
    ...     pathlib.Path(folder, "notes").read_bytes()
    b'all of it'
    """
    path = Path(path).resolve()  # a link stays one
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
