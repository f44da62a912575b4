"""A session: a file that stays locked while the process that holds it lives. This module imports next to nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

with suppress(ImportError):  # on Windows, where nothing is stormed
    import fcntl

_LEAVE_WITHIN = 30.0  # seconds to wait for a session's servers to be gone
_INSTANT = 0.02


@contextmanager
def session(folder: Path) -> Iterator[None]:
    """Hold a session in a folder. At its end, wait until the servers started in it have been removed."""
    with (folder / "session").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
        fcntl.flock(file, fcntl.LOCK_UN)
    deadline = time.monotonic() + _LEAVE_WITHIN
    for kept in folder.glob("*.keeper"):
        with kept.open() as file:
            while not _locked(file) and time.monotonic() < deadline:
                time.sleep(_INSTANT)


def wait_for_the_end(folder: Path) -> None:
    """Wait until no process holds the session any more."""
    with (folder / "session").open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)


@contextmanager
def kept(path: Path) -> Iterator[None]:
    """Make the end of the session wait until this block is left."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
