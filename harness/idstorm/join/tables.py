"""Which physical table a flush went into: looked up on the flush's own connection, and written to the journal once.

What a name resolves to can change from one flush to the next: by a search path, by the file behind a relative name, or
when a table is recreated. So it is looked up at each flush, within its transaction, after its statements: a lookup
before them would be the first read of the transaction, and change what the suite tests.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa

from idstorm.join.journal import Journal
from idstorm.join.watched import Name, TableView, Watched, may_autocommit, unseen

_PLACE = "idstorm-place"


@dataclass(frozen=True, slots=True)
class Table:
    """A physical table, as the journal of this process knows it."""

    number: int
    place: TableView
    autocommit: bool  #: each statement may be a transaction
    read: Callable[[Any], Any]  #: reads the id that an instance was given


@dataclass(slots=True)
class _Known:
    """The tables seen through one engine and all others that share its dialect."""

    tables: dict[tuple[Name, TableView], Table] = field(default_factory=dict)
    last: dict[Name, Table] = field(default_factory=dict)


class Tables:
    """The physical tables that the sessions of a process were seen to insert into."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._process = journal.process
        self._known: WeakKeyDictionary[sa.Dialect, _Known] = WeakKeyDictionary()

    def seen(self, connection: sa.Connection, watched: Watched, origin: int) -> Table:
        """Return the table that a connection sees, within its transaction."""
        return self._told(connection, watched, self._place(connection, watched, origin))

    def seen_after_an_error(self, connection: sa.Connection, watched: Watched, origin: int) -> Table | None:
        """Return the table that a connection sees, without changing its state; None where it cannot be looked up.

        It cannot be looked up if the connection was lost, or if the database answers nothing until the transaction is
        rolled back. If it already was, the lookup opens a transaction in the driver, which is rolled back here.
        """
        if connection.closed or connection.invalidated:
            return None
        over = not connection.in_transaction()
        try:
            place = self._place(connection, watched, origin)
        except Exception:  # the error of any driver
            return None
        finally:
            if over:
                with suppress(Exception):
                    connection.connection.rollback()
        return self._told(connection, watched, place)

    def unseen(self, connection: sa.Connection, watched: Watched) -> Table:
        """Return the table that was seen last, or one whose place is unknown. The connection may be closed."""
        last = self._of(connection).last.get(watched.name)
        return self._told(connection, watched, unseen()) if last is None else last

    def _of(self, connection: sa.Connection) -> _Known:
        if self._process != self._journal.process:  # a forked child has its own journal
            self._process = self._journal.process
            self._known = WeakKeyDictionary()
        return self._known.setdefault(connection.dialect, _Known())

    def _told(self, connection: sa.Connection, watched: Watched, place: TableView) -> Table:
        known = self._of(connection)
        table = known.tables.get((watched.name, place))
        if table is None:
            number = self._journal.number()
            self._journal.write(json.dumps(["table", number, watched.describe(connection, place)]) + "\n")
            autocommit = place.known and may_autocommit(connection)
            table = Table(number, place, autocommit, watched.reader(connection))
            known.tables[watched.name, place] = table
        if place.known:
            known.last[watched.name] = table
        return table

    def _place(self, connection: sa.Connection, watched: Watched, origin: int) -> TableView:
        """Look up the table. If that is slow, do so only when the session may see a different table than before."""
        standing = watched.standing(connection)
        if standing is None:
            return watched.place(connection)
        key = os.getpid(), origin, standing
        known = connection.info.get((_PLACE, watched.name))
        if known is None or known[0] != key:
            known = connection.info[_PLACE, watched.name] = key, watched.place(connection)
        place: TableView = known[1]
        return place
