"""A journal: what the joined sessions of one process were told, a line of JSON each, as it happened.

====================================================  =================================================================
line                                                  content
====================================================  =================================================================
``["table", number, {…}]``                            a physical table, before its number is used
``["origin", number, name]``                          where inserts come from, such as a test
``["told", flush, table, origin, begin, now, [id…]]``  the ids that a flush was handed; `begin`: of its transaction
``["failed", table, origin, begin, now, rows, code]``  a flush, or a statement, that failed
``["end", [flush…], commit, now, outcome, code]``      what became of flushes; `commit`: when COMMIT was sent, or 0;
                                                      `code`: of the error that answered it, or null
``["fault", reason]``                                 the recording came to its end before its time
====================================================  =================================================================

A code is ``[name, refused, raced, recognised]``, as in `record.code`. Moments are nanoseconds of ``CLOCK_MONOTONIC``,
which all processes of one machine share. Lines are stored in memory maps whose space on disk is allocated before: a
SIGKILL leaves all lines whole but, perhaps, the last, and zeros after it. A journal holds no password, and only its
owner can read it.
"""

from __future__ import annotations

import json
import mmap
import os
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from time import monotonic_ns
from typing import Any

from idstorm.errors import UnreadableRun
from idstorm.record.tape import allocate

_SEGMENT = 1 << 16  # bytes
_RESERVE = 1 << 10  # bytes of each segment that are kept for the line that says why there are no more
_LONGEST_REASON = 150  # characters, of which JSON makes six bytes each at most


class Journal:
    """The writing end, for all threads of a process. A child that is forked goes on in a journal of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._numbers = count(1)
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._map: mmap.mmap | None = None
        self._segment = self._at = self._size = 0
        self.process = os.getpid()  #: whose journal this is
        self._file = f"{self._name}-{self.process}t{monotonic_ns()}"  # the system gives a number of a process again

    def number(self) -> int:
        """Return a number that nothing else in this journal has."""
        return next(self._numbers)

    def begin(self, origin: str) -> int:
        """Return the number of an origin of which the next lines tell. Raises OSError."""
        number = self.number()
        self.write(json.dumps(["origin", number, origin]) + "\n")
        return number

    def fault(self, reason: str) -> None:
        """Write why the recording comes to its end: also where there is no space, unless there never was any."""
        self._put(json.dumps(["fault", reason[:_LONGEST_REASON]]) + "\n", 0)

    def write(self, line: str) -> None:
        """Write a line. Raises OSError where there is no space."""
        self._put(line, _RESERVE)

    def _put(self, line: str, reserve: int) -> None:
        data = line.encode()
        with self._lock:
            end = self._at + len(data)
            if self._map is None or end > self._size - reserve:
                self._grow(len(data) + reserve)
                end = len(data)
            self._map[self._at : end] = data  # type: ignore[index]
            self._at = end

    def _grow(self, least: int) -> None:
        size = max(_SEGMENT, least)
        path = self._folder / f"{self._file}.{self._segment:06}.journal"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            allocate(file, size)
            self._map = mmap.mmap(file, size)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(file)
        self._segment, self._at, self._size = self._segment + 1, 0, size


def entries(folder: Path) -> Iterator[tuple[str, list[Any]]]:
    """Yield every entry of every journal in a folder, journal by journal, each with its journal's name.

    What was cut short is left out. Raises UnreadableRun for a damaged line before the last.
    """
    for path in sorted(folder.glob("*.journal")):
        whole, _, _ = path.read_bytes().rstrip(b"\0").rpartition(b"\n")
        for line in whole.split(b"\n") if whole else ():
            try:
                yield path.name.partition(".")[0], list(json.loads(line))
            except (TypeError, ValueError) as error:
                raise UnreadableRun(f"{path.name} is damaged: {error}") from error
