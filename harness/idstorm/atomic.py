"""Files that are written whole or not at all, under another name until they are complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def written_whole(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` once the block ends without an error and all of it is on disk.

    Two writers of one path at the same time would mix their contents: a path has one writer. `mode` is what the
    file's permissions are, less the umask. Raises OSError, and then leaves nothing behind.
    """
    partial = _partial(path)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a text file, whole or not at all. Raises OSError."""
    with written_whole(path, mode) as file:
        file.write(text.encode())


def try_to_write(path: Path) -> None:
    """Raise OSError where `written_whole` could not even begin."""
    partial = _partial(path)
    partial.touch()
    partial.unlink()


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")
