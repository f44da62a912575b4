"""A journal: what the joined sessions of one process were told, as lines of JSON, in order.

====================================================  =================================================================
line                                                  content
====================================================  =================================================================
``["table", number, {…}]``                            a physical table, before its number is used
``["origin", number, name]``                          where inserts come from, such as a test
``["told", flush, table, origin, begin, now, [id…]]``  the ids that a flush was handed; `begin`: its transaction's
``["failed", table, origin, begin, now, rows, code]``  a flush or statement that failed
``["end", [flush…], commit, now, outcome, code]``      the outcome of flushes; `commit`: when COMMIT was sent, or 0;
                                                      `code`: the error that answered it, or null
``["fault", reason]``                                 the recording ended early
====================================================  =================================================================

A code is ``[name, refused, raced, recognised]``, as in `record.code`. Moments are nanoseconds of ``CLOCK_MONOTONIC``,
which all processes of one machine share. Lines are written to memory maps whose disk space is allocated in advance:
after a SIGKILL all lines are whole except, perhaps, the last, and zeros follow. A journal holds no password, and only
its owner can read it.
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
_RESERVE = 1 << 10  # bytes of each segment that are reserved for the line that says why no more follow
_LONGEST_REASON = 150  # characters, each at most six bytes of JSON


class Journal:
    """The writing end, for all threads of a process. A forked child continues in its own journal."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._numbers = count(1)
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._map: mmap.mmap | None = None
        self._segment = self._at = self._size = 0
        self.process = os.getpid()  #: the process whose journal this is
        self._file = f"{self._name}-{self.process}t{monotonic_ns()}"  # the system reuses pids

    def number(self) -> int:
        """Return a number that is unique in this journal."""
        return next(self._numbers)

    def begin(self, origin: str) -> int:
        """Write an origin, and return its number for the lines that follow. Raises OSError."""
        number = self.number()
        self.write(json.dumps(["origin", number, origin]) + "\n")
        return number

    def fault(self, reason: str) -> None:
        """Write why the recording ends. This works even if the disk is full, unless it was from the start."""
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

    A truncated last line is left out. Raises UnreadableRun for a damaged line before the last.
    """
    for path in sorted(folder.glob("*.journal")):
        whole, _, _ = path.read_bytes().rstrip(b"\0").rpartition(b"\n")
        for line in whole.split(b"\n") if whole else ():
            try:
                yield path.name.partition(".")[0], list(json.loads(line))
            except (TypeError, ValueError) as error:
                raise UnreadableRun(f"{path.name} is damaged: {error}") from error
