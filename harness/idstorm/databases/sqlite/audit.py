"""What an audit reads of an SQLite file, which it opens read-only.

A generator of SQLite's is never behind its table: the next rowid is one more than the greatest of the table, or with
AUTOINCREMENT than the greatest that the table ever had, whichever is more.
https://www.sqlite.org/autoinc.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from idstorm.databases.surveying import LOCKED, measure
from idstorm.record.survey import Column, Generator, Id, Keyless, Program, Runs, Survey, Unguarded, Unread

_LARGEST = (1 << 63) - 1
_NO_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]", re.DOTALL)
_INSERT = re.compile(r"\bINSERT\s+ON\b", re.IGNORECASE)

_TABLES = """
SELECT m.name, m.sql FROM sqlite_master m WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
AND m.sql NOT LIKE 'CREATE VIRTUAL %' AND NOT EXISTS (SELECT 1 FROM sqlite_master v
    WHERE v.sql LIKE 'CREATE VIRTUAL %' AND substr(m.name, 1, length(v.name) + 1) = v.name || '_')
ORDER BY 1
"""
"""Tables, but for virtual ones and those in which these keep their data."""

_COLUMNS = """
SELECT m.name, c.name, upper(c.type), c.pk FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
ORDER BY 1, c.cid
"""
_UNIQUE = """
SELECT m.name, c.name FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_info(i.name) c
WHERE m.type = 'table' AND i."unique" UNION
SELECT m.name, f."from" FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
"""
"""Columns that a unique index or a foreign key has."""

_TRIGGERS = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1, 2"


def survey(connection: sa.Connection) -> Survey:
    """Read the main database of a connection."""
    sources = dict(_rows(connection, _TABLES))
    columns = dict[str, list[tuple[str, str, int]]]()
    for table, *column in _rows(connection, _COLUMNS):
        if table in sources:
            columns.setdefault(table, []).append((column[0], column[1], column[2]))
    keys = {table: [(name, type_) for name, type_, place in of if place] for table, of in columns.items()}
    guarded = set(_rows(connection, _UNIQUE))
    return Survey(
        tables=len(sources),
        ids=measure(_ids(sources, keys), _Reader(connection), scan=True),
        keyless=tuple(Keyless(_quoted(table), None) for table in sources if not keys.get(table)),
        unguarded=tuple(
            Unguarded(_quoted(table), _quoted(name), type_, None)
            for table, of in columns.items()
            for name, type_, place in of
            if re.search("INT|NUMERIC|DECIMAL", type_) and not place and (table, name) not in guarded
        ),
        programs=tuple(
            Program(Runs.TRIGGER, _quoted(name), _quoted(table), source)
            for table, name, source in _rows(connection, _TRIGGERS)
            if _INSERT.search(_NO_CODE.sub("x", source))
        ),
    )


def _rows(connection: sa.Connection, query: str) -> list[Any]:
    return [tuple(row) for row in connection.exec_driver_sql(query)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _ids(sources: Mapping[str, str], keys: Mapping[str, Sequence[tuple[str, str]]]) -> Iterator[Id]:
    """Yield the keys that are aliases of the rowid: one column, called INTEGER."""
    for table, source in sources.items():
        code = _NO_CODE.sub("x", source).upper()
        key = keys.get(table, ())
        if [type_ for _, type_ in key] != ["INTEGER"] or re.search(r"\bWITHOUT\s+ROWID\b", code):
            continue
        kind = "AUTOINCREMENT" if re.search(r"\bAUTOINCREMENT\b", code) else "rowid"
        column = Column(_quoted(table), _quoted(key[0][0]), "INTEGER", _LARGEST)
        yield Id(Generator(f"{kind} of {_quoted(table)}", kind, 1, _LARGEST, 1), column)


class _Reader:
    """Reads tables, and what AUTOINCREMENT remembers of them."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._reached = dict[str, int | Unread | None]()  # by table

    def furthest(self, ids: Sequence[Id]) -> list[int | Unread | None]:
        """Look at the end of each table, which is ordered by its rowid."""
        return [self._furthest(one.column) for one in ids if one.column is not None]

    def _furthest(self, column: Column) -> int | Unread | None:
        query = f"SELECT max({column.name}) FROM {column.table}"
        try:
            found = self._connection.exec_driver_sql(query).scalar()
        except sa.exc.DBAPIError as error:
            code = getattr(error.orig, "sqlite_errorname", "")
            busy = code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            self._reached[column.table] = lost = Unread(column.id, LOCKED if busy else str(error.orig))
            return lost
        self._reached[column.table] = None if found is None else int(found)
        return self._reached[column.table]

    def positions(self, generators: Sequence[Generator]) -> Mapping[str, int | Unread | None]:
        """Read sqlite_sequence, which there is once a table with AUTOINCREMENT was made."""
        there = self._connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").scalar()
        kept = dict(_rows(self._connection, "SELECT name, max(seq) FROM sqlite_sequence GROUP BY 1")) if there else {}
        remembered = {_quoted(name): seq for name, seq in kept.items()}
        return {one.name: self._position(one, remembered) for one in generators}

    def _position(self, one: Generator, remembered: Mapping[str, int | None]) -> int | Unread | None:
        table = one.name.partition(" of ")[2]
        reached = self._reached.get(table)
        if isinstance(reached, Unread):
            return reached
        return max((value for value in (reached, remembered.get(table)) if isinstance(value, int)), default=None)
