"""What a reader saw that polled the table for newer rows throughout a storm.

Two files of plain 64-bit integers, in the order in which they happened: `reader.polls`, five words a poll, and
`reader.rows`, the token of each row that a poll returned, or its id where rows carry no token. Before them comes a word
that marks such a file, and the base of the storm's tokens. The rows of a poll are written before the poll itself, so
that files which were cut short still read back. When the storm is over, `pack_reading` makes `reader.zip` of the two.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from idstorm.errors import UnreadableRun
from idstorm.record.archive import Packed, new_archive
from idstorm.record.columns import Ints
from idstorm.record.stamp import Stamp

_MAGIC = int.from_bytes(b"idstormR", "little")
_PACKED = "reader.zip"
_COLUMNS = ("begin", "ended", "counts", "high", "tokens")
_HEADER_WORDS = 2
_LATEST = 1 << 62  #: nanoseconds, longer than any uptime
_POLL_WORDS = 5  #: begin, ended, rows, the highest id seen so far, whether it is the last of a quiet table


@dataclass(frozen=True)
class Reading:
    """The polls of a reader. Moments are those of the clients' clock; columns of polls are parallel."""

    begin: Ints
    ended: Ints
    counts: Ints  #: rows that each poll returned
    high: Ints  #: the furthest id seen by the end of each poll, in the generator's direction
    tokens: Ints  #: of each row, poll by poll; -1 for a row without one; ids, where no row of the storm carries one
    complete: bool  #: the last poll came after everything was over

    def __len__(self) -> int:
        return len(self.begin)


class Log:
    """The writing end, for one thread."""

    def __init__(self, folder: Path, base: int) -> None:
        self._polls: BinaryIO = (folder / "reader.polls").open("wb")
        self._rows: BinaryIO = (folder / "reader.rows").open("wb")
        for file in (self._rows, self._polls):
            file.write(array("q", (_MAGIC, base)).tobytes())
            file.flush()

    def write(self, begin: int, ended: int, tokens: Sequence[int], high: int, *, last: bool) -> None:
        """Write down one poll. Raises OSError where there is no space."""
        if tokens:
            self._rows.write(array("q", tokens).tobytes())
            self._rows.flush()
        self._polls.write(array("q", (begin, ended, len(tokens), high, last)).tobytes())
        self._polls.flush()

    def close(self) -> None:
        """Close both files."""
        self._polls.close()
        self._rows.close()


def pack_reading(folder: Path, stamp: Stamp) -> None:
    """Make one small file of what a reader wrote, if there was one. Raises OSError, with nothing lost."""
    if (reading := read_reading(folder, stamp)) is None:
        return
    with new_archive(folder / _PACKED, stamp, {"complete": reading.complete}) as packing:
        for name in _COLUMNS:
            packing.add(name, getattr(reading, name))
    for name in ("reader.polls", "reader.rows"):
        (folder / name).unlink()


def read_reading(folder: Path, stamp: Stamp) -> Reading | None:
    """Return what a storm's reader wrote into its folder, or None if there was no reader. Raises UnreadableRun."""
    if (folder / _PACKED).exists():
        with Packed(folder / _PACKED, stamp) as packed:
            of_polls = {name: packed.read(name) for name in _COLUMNS if name != "tokens"}
            tokens, complete = packed.read("tokens"), packed.about.get("complete") is True
        if len({len(column) for column in of_polls.values()}) != 1:
            raise UnreadableRun(f"{folder / _PACKED} is damaged: its columns are not equally long")
        if len(tokens) != _returned(
            (of_polls["begin"], of_polls["ended"]), of_polls["counts"], tokens, folder / _PACKED
        ):
            raise UnreadableRun(f"{folder / _PACKED} is damaged: the polls returned fewer rows")
        return Reading(**of_polls, tokens=tokens, complete=complete)
    if not (folder / "reader.polls").exists():
        return None
    words = _words(folder / "reader.polls", stamp)
    polls = words[: len(words) // _POLL_WORDS * _POLL_WORDS].reshape(-1, _POLL_WORDS)
    begin, ended, counts, high, last = (np.ascontiguousarray(column) for column in polls.T)
    tokens = _words(folder / "reader.rows", stamp)
    rows = _returned((begin, ended), counts, tokens, folder / "reader.rows")
    return Reading(begin, ended, counts, high, tokens[:rows], bool(len(last)) and bool(last[-1]))


def _returned(moments: Sequence[Ints], counts: Ints, tokens: Ints, path: Path) -> int:
    """Return how many rows these polls returned. Raises UnreadableRun where there are fewer tokens."""
    if any((column < 0).any() or (column > _LATEST).any() for column in moments):
        raise UnreadableRun(f"{path} is damaged: a poll was at no moment")
    if (counts < 0).any() or (counts > len(tokens)).any() or len(tokens) < counts.sum():
        raise UnreadableRun(f"{path} is truncated: the polls returned more rows")
    return int(counts.sum())


def _words(path: Path, stamp: Stamp) -> Ints:
    """Return what a file holds after its first two words. Raises UnreadableRun where they are not this storm's."""
    try:
        words = np.fromfile(path, np.int64)
    except FileNotFoundError as error:
        raise UnreadableRun(f"{path} is missing") from error
    if len(words) < _HEADER_WORDS:
        return words[:0]
    if words[0] == _MAGIC:
        stamp.check_base(int(words[1]), path)
        return words[_HEADER_WORDS:]
    if not stamp.older:
        raise UnreadableRun(f"{path} does not say which run it belongs to, unlike the rest of its run")
    return words
