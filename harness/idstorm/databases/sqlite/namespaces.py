"""SQLite: a file with a name that only idstorm gives, or a temporary folder with such a file, under a kernel lock.

The lock is a `flock`, which does not interact with SQLite's own. It ends with the process that holds it.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote

import sqlalchemy as sa

from idstorm.databases.namespaces.names import Namespace
from idstorm.errors import EnvironmentFault

with suppress(ImportError):  # on Windows, where nothing is stormed
    import fcntl

_PREFIX = "idstorm-"
_FOLDER = "idstorm-sqlite-"
_OURS = re.compile(r"idstorm-[0-9]{8}-[0-9]{6}-[0-9a-f]{4}-[0-9]+r?(-kept)?\.db")
COPY = "-before"
"""What the name of a copy ends in, which is made to bring a file back to where it was."""
_BESIDE = ("", "-wal", "-shm", "-journal", COPY)


def file_of(url: sa.URL) -> Path | None:
    """Return the file that a URL names, as a path or as a URI; None where it names none.

    https://www.sqlite.org/uri.html
    """
    if url.database is None:
        return None
    if not _is_uri(url) or not url.database.startswith("file:"):
        return Path(url.database)
    path = url.database.removeprefix("file:").partition("?")[0].partition("#")[0]
    if path.startswith("//"):  # an authority, which can only be empty or localhost
        path = "/" + path[2:].partition("/")[2]
    return Path(unquote(path))


def is_in_memory(url: sa.URL) -> bool:
    """Return whether a URL names a database that has no file."""
    file = file_of(url)
    return file is not None and (str(file) in (".", ":memory:") or (_is_uri(url) and url.query.get("mode") == "memory"))


def leading_to(url: sa.URL, path: Path) -> sa.URL:
    """Return a URL that names another file in the same way."""
    return url.set(database=f"file:{quote(str(path))}" if _is_uri(url) else str(path))


def read_only(url: sa.URL, path: Path, *, still: bool) -> sa.URL:
    """Return a URL that opens a file without creating or writing it, and waits for its lock for a second.

    `still`: as one that nothing changes meanwhile, so that no file is made beside it.
    https://www.sqlite.org/c3ref/open.html#urifilenameexamples
    """
    told = {"uri": "true", "mode": "ro", "timeout": "1", **({"immutable": "1"} if still else {})}
    return url.set(database=f"file:{quote(str(path.absolute()))}").update_query_dict(told)


def is_still(path: Path) -> bool:
    """Return whether a file is in WAL mode, and no connection to it is open.

    To read such a file, SQLite would make two files beside it, which would remain, and belong to the reader.
    https://www.sqlite.org/wal.html#read_only_databases
    https://www.sqlite.org/fileformat2.html#file_format_version_numbers
    """
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2" and not path.with_name(f"{path.name}-wal").exists()


def _is_uri(url: sa.URL) -> bool:
    return str(url.query.get("uri", "")).lower() in ("true", "yes", "on", "y", "t", "1")


@contextmanager
def made(url: sa.URL, label: str, *, keep: bool) -> Iterator[Path]:
    """Make an empty file beside the one that the URL names, or in a temporary folder, and hold its lock."""
    name, beside = f"{_PREFIX}{label}{'-kept' if keep else ''}.db", file_of(url)
    while True:
        try:
            place = Path(tempfile.mkdtemp(prefix=_FOLDER)) if beside is None else beside.absolute().with_name(name)
            if beside is not None:
                os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
        except OSError as error:
            where = tempfile.gettempdir() if beside is None else beside.absolute().parent
            raise EnvironmentFault(f"cannot make a file in {where}: {error.strerror}") from error
        with _open(place) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_still(place, descriptor):  # another process cleared it away before it was locked
                continue
            path = place if beside is not None else place / name
            path.touch()
            try:
                yield path
            finally:
                if not keep:
                    remove(place)
            return


def listed(url: sa.URL) -> list[Namespace]:
    """Return the files beside the one that a URL names, or the temporary folders, that have idstorm's names."""
    beside = file_of(url)
    if beside is not None:
        there = sorted(path for path in beside.absolute().parent.glob(f"{_PREFIX}*.db") if _OURS.fullmatch(path.name))
        known = [_known(path, path.name, kept="-kept" in path.name) for path in there]
    else:
        folders = sorted(Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"))
        known = [_known(folder, str(folder), kept=_keeps(folder)) for folder in folders]
    return [one for one in known if one is not None]


def _keeps(folder: Path) -> bool:
    """Return whether a temporary folder has a kept file. One that has gone has none: its storm has just ended."""
    try:
        return any(folder.glob("*-kept.db"))
    except FileNotFoundError:
        return False


def _known(path: Path, name: str, *, kept: bool) -> Namespace | None:
    """Return what is known of a file or folder, by its owner, permissions and lock. None: it is gone."""
    try:
        there = path.lstat()
    except FileNotFoundError:  # its storm has just ended
        return None
    why = None
    if not (stat.S_ISREG(there.st_mode) or stat.S_ISDIR(there.st_mode)):
        why = "it is neither a file nor a folder"
    elif there.st_uid != os.geteuid():
        why = "it belongs to another user"
    elif there.st_mode & stat.S_IWOTH:
        why = "any user may write to it"
    return Namespace(name, kept=kept, in_use=why is None and not _can_be_had(path), strange=why)


def place_of(url: sa.URL, name: str) -> Path:
    """Return the file or folder that `listed` gave this name."""
    beside = file_of(url)
    return Path(name) if beside is None else beside.absolute().with_name(name)


@contextmanager
def locked(place: Path) -> Iterator[bool]:
    """Hold the lock of a file or folder. Yields False where another process has it, or the file is gone."""
    with ExitStack() as stack:
        try:
            fcntl.flock(stack.enter_context(_open(place)), fcntl.LOCK_EX | fcntl.LOCK_NB)
            had = True
        except OSError:
            had = False
        yield had


def remove(place: Path) -> None:
    """Remove a folder, or a file and what SQLite keeps beside it."""
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
        return
    for ending in _BESIDE:
        place.with_name(place.name + ending).unlink(missing_ok=True)


def _can_be_had(place: Path) -> bool:
    with locked(place) as had:
        return had


def _is_still(place: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(place), os.fstat(descriptor))
    except OSError:
        return False


@contextmanager
def _open(place: Path) -> Iterator[int]:
    descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
