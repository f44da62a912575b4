"""The programs that make up a private server."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Programs:
    """The server programs of one dialect."""

    dialect: str
    version: str
    server: Path  #: postgres, mysqld or mariadbd; the other programs are beside it
    where: str  #: how it was found, in words
    trees: tuple[Path, ...]  #: the folders that hold all of it; their relative places matter

    @property
    def home(self) -> Path:
        """The folder that holds bin or sbin, lib and share."""
        return self.server.parents[1]

    @property
    def prefix(self) -> tuple[str, ...]:
        """What comes before a program's path in a command: the loader unpacked with it, if there is one."""
        return loader_of(self.home)

    def command(self, name: str | None = None) -> list[str]:
        """Return the command of the server, or of the program of this name beside it."""
        return [*self.prefix, str(self.server.with_name(name) if name else self.server)]

    def lend(self, folder: Path) -> Programs:
        """Return a copy of them in a folder, readable by all. Within one file system it takes no space."""
        top = Path(os.path.commonpath([tree.parent for tree in self.trees]))
        for tree in self.trees:
            target = folder / tree.relative_to(top)
            shutil.copytree(tree, target, symlinks=True, copy_function=_lend_file)
            for inner, _, _ in os.walk(target):
                os.chmod(inner, 0o755)
        for between in {parent for tree in self.trees for parent in tree.relative_to(top).parents}:
            (folder / between).chmod(0o755)
        return replace(
            self,
            server=folder / self.server.relative_to(top),
            trees=tuple(folder / tree.relative_to(top) for tree in self.trees),
        )


def loader_of(home: Path) -> tuple[str, ...]:
    """Return the command of the program loader in a folder of unpacked packages, or nothing.

    Such packages may need a newer C library than the machine's, so the folder holds its own.
    """
    if home in (Path("/usr"), Path("/")):
        return ()
    for loader in sorted(home.glob("lib/*/ld-linux*.so.*")):
        return str(loader), "--library-path", str(loader.parent)
    return ()


def _lend_file(source: str, target: str) -> None:
    """Link a file to another place, or copy it where it cannot be linked, or others may not read it."""
    mode = os.stat(source).st_mode & 0o777
    if mode & 0o004:
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # another file system
    shutil.copy(source, target)
    os.chmod(target, 0o755 if mode & 0o100 else 0o644)
