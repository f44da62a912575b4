"""Columns of integers in one file, small: a zip archive that any tool opens and that notices when it is damaged.

Numbers that follow one another in a tape or a table differ by little. Each column is cut into pieces; of a piece the
differences are stored, signs folded in, their lowest bytes together, then the next bytes, and so on, so that the upper
ones are all but empty; the archive's own deflate does the rest.

======= =============================================================================================================
format  what it is
======= =============================================================================================================
1       `about.json`, which says how long each column is and to which storm they belong, and a member for each column
======= =============================================================================================================
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idstorm.atomic import written_whole
from idstorm.errors import UnreadableRun
from idstorm.record.columns import Ints
from idstorm.record.files import loads, refuse_newer
from idstorm.record.stamp import Stamp

FORMAT = 1

_PIECE = 1 << 18  # elements
_DAMAGE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError),
    *(RuntimeError, struct.error, zipfile.BadZipFile, zlib.error),  # RuntimeError: it is encrypted
)
_TIGHTEST, _SMALL = 300, 1 << 16
"""How many times its size a member may hold, and how many bytes in any case: deflate's fastest level comes to 229."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LEVEL = 1  # of deflate: more takes five times as long for a tenth less


@contextmanager
def new_archive(path: Path, stamp: Stamp, about: Mapping[str, Any]) -> Iterator[Packing]:
    """Write an archive, whole or not at all. Raises OSError where there is no space."""
    with written_whole(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        packing = Packing(archive)
        yield packing
        members = {"columns": packing.lengths, "texts": packing.texts}
        archive.writestr("about.json", json.dumps({"format": FORMAT, "stamp": stamp.to_json(), **about, **members}))


class Packing:
    """An archive that is being written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self.lengths: dict[str, int] = {}
        self.texts: list[str] = []

    def add_text(self, name: str, text: str) -> None:
        """Add a text."""
        self.texts.append(name)
        self._zip.writestr(name, text)

    def add(self, name: str, column: NDArray[Any]) -> None:
        """Add a column of integers, whatever its shape."""
        flat = column.reshape(-1)
        self.lengths[name] = len(flat)
        with self._zip.open(name, "w", force_zip64=True) as member:
            for start in range(0, len(flat), _PIECE):
                member.write(_pack(flat[start : start + _PIECE].astype(np.int64)))


class Packed:
    """Reads an archive. A context manager; raises UnreadableRun if it is not one, damaged, newer or foreign."""

    def __init__(self, path: Path, stamp: Stamp) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
            _refuse_bombs(self._zip, path.stat().st_size)
            about = loads(self._zip.read("about.json").decode())
            written = about["format"]
            self.about: dict[str, Any] = about
            self._lengths: dict[str, int] = dict(about["columns"])
            self._texts: list[str] = list(about["texts"])
            for name, length in self._lengths.items():
                if type(length) is not int or self._zip.getinfo(name).file_size != 8 * length:
                    raise ValueError(f"{name} has the wrong length")
        except _DAMAGE as error:
            raise UnreadableRun(f"{path} is damaged, or was not written by idstorm: {error!r}") from error
        refuse_newer(path, written, FORMAT)
        stamp.check(about.get("stamp"), path)

    def __enter__(self) -> Packed:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._lengths or name in self._texts

    def read_text(self, name: str) -> str:
        """Return a text."""
        try:
            return self._zip.read(name).decode()
        except _DAMAGE as error:
            raise UnreadableRun(f"{self._path} is damaged: {error!r}") from error

    def read(self, name: str, length: int | None = None) -> Ints:
        """Return a column, flat, which has to have this length, if one is given."""
        try:
            if length not in (None, self._lengths[name]):
                raise ValueError(f"{name} has {self._lengths[name]} numbers, not {length}")
            column = np.empty(self._lengths[name], np.int64)
            for start, piece in self._pieces(name, len(column)):
                column[start : start + len(piece)] = piece
        except _DAMAGE as error:
            raise UnreadableRun(f"{self._path} is damaged: {error!r}") from error
        return column

    def _pieces(self, name: str, length: int) -> Iterator[tuple[int, Ints]]:
        with self._zip.open(name) as member:
            for start in range(0, length, _PIECE):
                raw = member.read(8 * min(_PIECE, length - start))
                if len(raw) != 8 * min(_PIECE, length - start):
                    raise ValueError(f"{name} is shorter than it should be")
                yield start, _unpack(raw)
            if member.read(1):
                raise ValueError(f"{name} is longer than it should be")


def _refuse_bombs(archive: zipfile.ZipFile, size: int) -> None:
    """Raise ValueError if an archive is not packed as by idstorm: unpacked, it might fill the memory."""
    members = archive.infolist()
    if sum(member.compress_size for member in members) > size:
        raise ValueError("its members overlap")
    for member in members:
        if member.flag_bits & 1 or member.compress_type not in _METHODS:
            raise ValueError(f"{member.filename!r} is encrypted, or packed by another method")
        if member.file_size > _TIGHTEST * member.compress_size + _SMALL:
            raise ValueError(f"{member.filename!r} claims to hold {member.file_size:,} bytes in so few")


def _pack(piece: Ints) -> bytes:
    differences = np.diff(piece, prepend=np.int64(0))
    folded = (differences << 1) ^ (differences >> 63)
    return np.ascontiguousarray(folded.view(np.uint8).reshape(-1, 8).T).tobytes()


def _unpack(raw: bytes) -> Ints:
    folded = np.ascontiguousarray(np.frombuffer(raw, np.uint8).reshape(8, -1).T).view(np.uint64).reshape(-1)
    differences = (folded >> np.uint64(1)).view(np.int64) ^ -(folded & np.uint64(1)).view(np.int64)
    column: Ints = np.cumsum(differences)
    return column
