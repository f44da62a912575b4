"""How to find, make, start and end a private server of a dialect, and how to tell that it is ready.

A server keeps its default settings, except for its place: its folder, and one port of the loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from idstorm.databases.private.programs import Programs

SUPERUSER = "idstorm"
_LONGEST = 1 << 12  # bytes of a file about a server's process
_FOLDERS = (
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/sbin",
    "/usr/local/libexec",
)  # for servers, which few users have on their PATH


class Recipe(ABC):
    """What is specific to the servers of one dialect. A server's folder holds `data`, `log` and `secret`."""

    variable: ClassVar[str]  #: the environment variable that may point at a server program
    names: ClassVar[tuple[str, ...]]  #: the names of such a program
    driver: ClassVar[str]  #: how the server's URL begins
    database: ClassVar[str] = ""
    farewell: ClassVar[signal.Signals] = signal.SIGTERM  #: shuts it down cleanly, without waiting for its clients
    leaves_memory: ClassVar[bool] = False  #: a crash leaves shared memory that only the next start frees

    @abstractmethod
    def version_in(self, said: str) -> str | None:
        """Return the version in a program's output; None where it is not a server of this kind."""

    def candidates(self, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
        """Yield where a program may be, best place first, each with words on how it was found."""
        for name in self.names:
            if found := shutil.which(name, path=environ.get("PATH", os.defpath)):
                yield Path(found), f"{found}, on the PATH"
            for folder in _FOLDERS:
                yield Path(folder, name), str(Path(folder, name))

    def server_beside(self, program: Path) -> Path:
        """Return the server that a program of one of these names leads to."""
        return program

    @abstractmethod
    def secret(self, password: str) -> str:
        """Return the content of the file `secret`, which exists until the server has come up."""

    @abstractmethod
    def initialise(self, programs: Programs, folder: Path) -> tuple[list[str], Path]:
        """Return the command that fills the empty folder `data`, and what it reads from stdin."""

    @abstractmethod
    def serve(self, programs: Programs, folder: Path, port: int, first: bool, settings: Mapping[str, str]) -> list[str]:
        """Return the command that serves `data` with these settings."""

    @abstractmethod
    def ready(self, folder: Path, pid: int, port: int) -> bool:
        """Return whether the server with this pid is ready. A file left by a crashed server has another pid."""


def lines_of(path: Path) -> list[str]:
    """Return the first lines of a file that the server's user made; none where it is not a plain file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return [line.strip() for line in file.read(_LONGEST).decode(errors="replace").splitlines()]
    except OSError:
        return []
