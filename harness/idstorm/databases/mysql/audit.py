"""What an audit reads of MySQL or MariaDB: the catalogue of one database, or of all, then each table by itself.

https://dev.mysql.com/doc/refman/9.7/en/information-schema.html
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from idstorm.databases.mysql import audit_queries as queries
from idstorm.databases.mysql import audit_remedies as remedies
from idstorm.databases.mysql.audit_reader import AuditReader
from idstorm.databases.mysql.audit_rights import grantee, hidden
from idstorm.databases.mysql.capacity import last_of
from idstorm.databases.surveying import measure
from idstorm.record.survey import (
    Column,
    Generator,
    Id,
    Keyless,
    Program,
    Reference,
    Runs,
    Stride,
    Survey,
    Unguarded,
    Unread,
)

_COUNTED = "AUTO_INCREMENT"
_NEXTVAL = re.compile(r"nextval\((`(?:[^`]|``)+`\.`(?:[^`]|``)+`)\)", re.IGNORECASE)
_WIDTH = re.compile(r"\(\d+\)")  # of the display: MariaDB tells of it, and it means nothing
_USUAL_CACHE = 1000  # https://mariadb.com/kb/en/create-sequence/
_LAST = (1 << 63) - 2  # of a sequence: the ends of bigint are reserved


def survey(connection: sa.Connection, *, scan: bool, sequences: bool) -> Survey:
    """Read the database of the URL, or all but the server's own. `sequences`: there may be some."""
    database = connection.exec_driver_sql("SELECT DATABASE()").scalar()
    tables = _rows(connection, queries.of(queries.TABLES, database))
    user = grantee(connection)
    stride, offset = connection.exec_driver_sql(
        "SELECT @@global.auto_increment_increment, @@global.auto_increment_offset"
    ).one()
    reader = AuditReader(connection, user)
    columns = list(_columns(connection, database))
    ids = list(_counted(columns, reader, int(stride)))
    if sequences:
        ids += _drawn(_rows(connection, queries.of(queries.SEQUENCES, database)), columns, reader)
    return Survey(
        tables=len(tables),
        ids=tuple(_mendable(map(_doubted, measure(ids, reader, scan=scan)))),
        references=tuple(_references(_rows(connection, queries.of(queries.REFERENCES, database)))),
        keyless=tuple(
            Keyless(name, remedies.keyed(name))
            for schema, table, keyed in tables
            if not keyed
            for name in [_quoted(schema, table)]
        ),
        unguarded=tuple(
            Unguarded(
                _quoted(schema, table), _quoted(column), type_, remedies.alone(_quoted(schema, table), _quoted(column))
            )
            for schema, table, column, type_ in _rows(connection, queries.of(queries.UNGUARDED, database))
        ),
        programs=tuple(
            Program(Runs.TRIGGER, _quoted(name), _quoted(schema, table), source)
            for schema, table, name, source in _rows(connection, queries.of(queries.PROGRAMS, database))
        ),
        strides=tuple(
            Stride(name, int(value))
            for name, value in (("auto_increment_increment", stride), ("auto_increment_offset", offset))
            if int(value) != 1
        ),
        unread=tuple(hidden(connection, database, user)),
    )


def _rows(connection: sa.Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(query, execution_options={"no_parameters": True})]


def _quoted(*names: str) -> str:
    return ".".join("`" + name.replace("`", "``") + "`" for name in names)


def _columns(connection: sa.Connection, database: str | None) -> Iterator[tuple[Column, str | None, tuple[str, str]]]:
    """Yield the columns with generated ids, each with its default, None where it is AUTO_INCREMENT, and its place."""
    leading = set(_rows(connection, queries.of(queries.LEADING, database)))
    for schema, table, name, type_, extra, default in _rows(connection, queries.of(queries.COLUMNS, database)):
        counted = "auto_increment" in extra.lower()
        unsigned, more = (
            " UNSIGNED" if "unsigned" in type_ else "",
            f" {_COUNTED}" if counted else f" DEFAULT ({default})",
        )
        known = _WIDTH.sub("", type_)
        drawn = counted or _NEXTVAL.fullmatch(str(default)) is not None
        limit = last_of(known, down=False)
        widen = remedies.column_widened(_quoted(schema, table), _quoted(name), f"BIGINT{unsigned} NOT NULL{more}")
        yield (
            Column(
                table=_quoted(schema, table),
                name=_quoted(name),
                type=known,
                limit=limit if drawn else None,
                uncompared="its default does more than draw from it"
                if not drawn
                else f"it is {known}"
                if limit is None
                else None,
                indexed=(schema, table, name) in leading,
                widen=None if known.startswith("bigint") else widen,
            ),
            None if counted else str(default),
            (schema, table),
        )


def _counted(
    columns: Iterable[tuple[Column, str | None, tuple[str, str]]], reader: AuditReader, stride: int
) -> Iterator[Id]:
    for column, default, place in columns:
        if default is None:
            last = (1 << 63) - 1 if column.limit is None else column.limit
            name = f"{_COUNTED} of {column.table}"
            reader.places[name] = place
            yield Id(Generator(name, _COUNTED, 1, last, 1, step=stride), column)


def _drawn(
    sequences: Iterable[tuple[Any, ...]],
    columns: Iterable[tuple[Column, str | None, tuple[str, str]]],
    reader: AuditReader,
) -> Iterator[Id]:
    """Yield the sequences, each with the columns whose defaults draw from it. All sessions share one cache."""
    users = defaultdict[str, list[Column]](list)
    for column, default, _ in columns:
        for name in _NEXTVAL.findall(default or ""):
            users[name].append(column)
    for schema, table in sequences:
        name = _quoted(schema, table)
        found = reader.ask(queries.sequence(name), name, f"SELECT ON {name}")
        if isinstance(found, Unread):
            generator = Generator(name, "sequence", 1, _LAST, 1, unread=found)
        elif not found:
            continue
        else:
            start, least, most, step, cache, cycles = map(int, found[0])
            step = step or 1  # 0 is the server's auto_increment_increment
            first, last = (least, most) if step > 0 else (most, least)
            generator = Generator(
                name,
                "sequence",
                first,
                last,
                start,
                step=step,
                type="bigint",
                cache=max(1, cache),
                usual_cache=_USUAL_CACHE,
                cycles=bool(cycles),
                widen=None if abs(last) >= _LAST else remedies.sequence_altered(name, f"MAXVALUE {_LAST}"),
                settle=remedies.sequence_altered(name, "NOCYCLE") if cycles else None,
            )
        yield from (Id(generator, column) for column in users[name])
        if not users[name]:
            yield Id(generator)


def _doubted(one: Id) -> Id:
    """A counter that the catalogue leaves out, as it may for a table that is locked, was not necessarily never used."""
    generator, column = one.generator, one.column
    if generator.kind != _COUNTED or generator.position is not None or generator.unread is not None:
        return one
    if column is None or column.furthest is None or column.furthest < generator.start:
        return one
    return replace(one, lead=0, generator=replace(generator, unread=Unread(generator.name, "it is not shown")))


def _mendable(ids: Iterable[Id]) -> Iterator[Id]:
    """Add what mends a generator that is behind: of a sequence, for the furthest of all columns that it serves."""
    measured = list(ids)
    for one in measured:
        if not one.lead or one.column is None:
            yield one
        elif one.generator.kind == _COUNTED:
            yield replace(
                one, column=replace(one.column, mend=remedies.advanced(one.column.table, one.column.furthest or 0))
            )
        else:
            rows = [
                other.column.furthest
                for other in measured
                if other.generator.name == one.generator.name and other.column
            ]
            furthest = max((row for row in rows if row is not None), key=lambda row: row * one.generator.sign)
            mend = remedies.sequence_advanced(one.generator.name, furthest)
            yield replace(one, column=replace(one.column, mend=mend))


def _references(rows: Iterable[tuple[Any, ...]]) -> Iterator[Reference]:
    for schema, table, foreign_key, column, type_, nullable, key_schema, key_table, key, key_type in rows:
        known, key_known = (_WIDTH.sub("", one) for one in (type_, key_type))
        limit, key_limit = (last_of(one, down=False) for one in (known, key_known))
        if limit is not None and key_limit is not None and known != key_known:
            definition = key_known.upper() + ("" if nullable == "YES" else " NOT NULL")
            name = _quoted(schema, table)
            yield Reference(
                f"{name}.{_quoted(column)}",
                known,
                limit,
                f"{_quoted(key_schema, key_table)}.{_quoted(key)}",
                key_known,
                key_limit,
                remedies.reference_widened(name, _quoted(column), definition, _quoted(foreign_key)),
            )
