"""A journal: what the joined sessions of one process were told, a line of JSON each, as it happened.

====================================================  =================================================================
line                                                  content
====================================================  =================================================================
``["table", number, {…}]``                            a physical table, before its number is used
``["origin", number, name]``                          where inserts come from, such as a test
``["told", flush, table, origin, begin, now, [id…]]``  the ids that a flush was handed; `begin`: of its transaction
``["refused", table, origin, begin, now, rows, code]`` a flush that failed; `code`: of the id's own constraint, or null
``["end", [flush…], commit, now, outcome]``           what became of flushes; `commit`: when COMMIT was sent, or 0
``["fault", reason]``                                 the recording came to its end before its time
====================================================  =================================================================

Moments are nanoseconds of ``CLOCK_MONOTONIC``, which all processes of one machine share. Each line is one write(2):
a SIGKILL leaves all lines whole but, perhaps, the last. A journal holds the URLs of databases, with their passwords:
only its owner can read it, and it does not outlive the session.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from idstorm.errors import UnreadableRun


class Journal:
    """The writing end, for all threads of a process. A child that is forked goes on in a journal of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._numbers = count(1)
        self._pid, self._file = 0, -1

    @property
    def current(self) -> int:
        """What tells this process's journal from others: the process's number. Raises OSError if it cannot be begun."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            path = self._folder / f"{self._name}-{self._pid}.journal"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self._pid

    def number(self) -> int:
        """Return a number that nothing else in this journal has."""
        return next(self._numbers)

    def begin(self, origin: str) -> int:
        """Return the number of an origin of which the next lines tell."""
        _, number = self.current, self.number()
        self.write(json.dumps(["origin", number, origin]) + "\n")
        return number

    def write(self, line: str) -> None:
        """Write a line. Raises OSError where there is no space."""
        os.write(self._file, line.encode())


def entries(folder: Path) -> Iterator[tuple[str, list[Any]]]:
    """Yield every entry of every journal in a folder, journal by journal, each with its journal's name.

    What was cut short is left out. Raises UnreadableRun for a damaged line before the last.
    """
    for path in sorted(folder.glob("*.journal")):
        whole, _, _ = path.read_text(errors="replace").rpartition("\n")
        for line in whole.split("\n") if whole else ():
            try:
                yield path.stem, list(json.loads(line))
            except ValueError as error:
                raise UnreadableRun(f"{path.name} is damaged: {error}") from error
