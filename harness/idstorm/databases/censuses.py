"""Reading a table back: in one snapshot, counted, and as fast as the driver can."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from idstorm.databases.physical import Physical
from idstorm.databases.rows import expression_in_namespace, in_namespace, read_pairs, read_rows
from idstorm.databases.urls import secrets_of
from idstorm.errors import EnvironmentFault
from idstorm.record.census import Census
from idstorm.record.keys import Codec
from idstorm.redaction import redact


class CensusUnreadable(EnvironmentFault):
    """The census could not be read, or disagrees with the table's own count."""


class Censuses(ABC):
    """How a database's tables are read back."""

    @abstractmethod
    def threaded(self, url: sa.URL) -> sa.URL:
        """Return a URL to the same place whose driver works with threads, as idstorm's own work does."""

    def ease(self, engine: sa.Engine) -> None:
        """Spare an engine what its driver does needlessly for each connection. Nothing else changes."""
        return

    @abstractmethod
    def physical(self, connection: Any, table: str, schema: str | None) -> Physical | None:
        """Return which table a name resolves to on a driver's connection; None where that is not known.

        It runs within the current transaction, and must not end it.
        """

    @contextmanager
    def snapshot(self, url: sa.URL) -> Iterator[sa.Connection]:
        """Open a connection in a fresh transaction that sees a single snapshot from its first read on."""
        engine = sa.create_engine(self.threaded(url), poolclass=sa.NullPool, isolation_level="REPEATABLE READ")
        self.ease(engine)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def read_ids(self, url: sa.URL, columns: Sequence[sa.ColumnClause[Any]], database: str) -> list[Any]:
        """Return the ids of a table in one snapshot, in no order, as the driver gives them.

        `database` is the one that `physical` returned. Raises CensusUnreadable, also where the URL leads to another.
        """
        table = columns[0].table
        assert isinstance(table, sa.TableClause)
        try:
            with self.snapshot(url) as connection:
                found = self.physical(connection.connection, table.name, table.schema)
                if found is not None and found.database != database:
                    raise CensusUnreadable("the URL leads to another database than the sessions were in")
                rows = read_rows(connection, columns)
        except CensusUnreadable:
            raise
        except Exception as error:  # from SQLAlchemy or the driver
            words = redact(_words_of(error), secrets_of(url))
            raise CensusUnreadable(f"the table could not be read: {words}") from error
        return [row[0] for row in rows] if len(columns) == 1 else rows

    def read_census(
        self,
        url: sa.URL,
        ids: Sequence[sa.Column[Any]],
        token: sa.ColumnElement[Any] | None,
        codec: Codec,
        present: sa.ColumnElement[bool] | None = None,
    ) -> Census:
        """Return the (id, token) pairs of a table in one snapshot, or of those rows that are `present`.

        An id that cannot be read back, or is not an id of this codec, is kept as `odd`. Raises CensusUnreadable where
        reading fails, or where the number of rows differs from the table's own count.
        """
        _, columns, carrier = in_namespace(ids, token)
        plain = codec.kind == "int64" and _are_plain(columns, carrier)
        with suppress(CensusUnreadable):  # the plain way may succeed where the fast one fails
            if plain and present is None:
                return self._counted_census(url, ids, token, codec, None, fast=True)
        return self._counted_census(url, ids, token, codec, present, fast=False)

    def _counted_census(
        self,
        url: sa.URL,
        ids: Sequence[sa.Column[Any]],
        token: sa.ColumnElement[Any] | None,
        codec: Codec,
        present: sa.ColumnElement[bool] | None,
        *,
        fast: bool,
    ) -> Census:
        try:
            with self.snapshot(url) as connection:
                table, columns, carrier = in_namespace(ids, token)
                counts = [sa.func.count(column) for column in (*columns, *([] if carrier is None else [carrier]))]
                count = sa.select(sa.func.count(), *counts).select_from(table)
                if present is not None:
                    count = count.where(expression_in_namespace(present))
                counted, *known = connection.execute(count).one()
                census = None
                if fast and isinstance(carrier, sa.ColumnClause) and all(number == counted for number in known):
                    census = self._fast_census(connection, columns[0], carrier, codec)
                if census is None:
                    census = Census.of(codec, read_pairs(connection, ids, token, present))
        except Exception as error:  # from a driver, a type or a value: in any case the run goes on
            raise CensusUnreadable(f"the census could not be read: {_words_of(error)}") from error
        if len(census) != counted:
            raise CensusUnreadable(f"the census has {len(census)} rows where the table counts {counted}")
        return census

    def _fast_census(
        self, connection: sa.Connection, id_: sa.ColumnClause[Any], token: sa.ColumnClause[Any], codec: Codec
    ) -> Census | None:
        """Return the census of integers without a NULL in a way that is fast for the driver; None if there is none."""
        return None


def _words_of(error: Exception) -> str:
    """Return an error's message, with its class where it is not a driver's: a KeyError's is only the key."""
    original = getattr(error, "orig", None)
    return str(original).strip() if original is not None else f"{type(error).__name__}: {error}"


def _are_plain(ids: Sequence[sa.ColumnClause[Any]], token: sa.ColumnElement[Any] | None) -> bool:
    plain = (sa.Integer, sa.BigInteger, sa.SmallInteger)
    if not isinstance(token, sa.ColumnClause) or not isinstance(token.type, sa.Integer):
        return False
    return len(ids) == 1 and type(ids[0].type) in plain
