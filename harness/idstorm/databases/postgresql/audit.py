"""What an audit reads of a PostgreSQL database: the catalogue in a few queries, then each table by itself.

A statement that read every table or sequence at once would hold a lock on each of them, of which a server has room for
a few thousand, and would wait behind the first that another session is altering.
https://www.postgresql.org/docs/current/runtime-config-locks.html#GUC-MAX-LOCKS-PER-TRANSACTION
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from idstorm.databases.bystanders import Questions
from idstorm.databases.postgresql import audit_queries as queries
from idstorm.databases.postgresql import audit_remedies as remedies
from idstorm.databases.postgresql.audit_reader import AuditReader
from idstorm.databases.postgresql.capacity import last_of
from idstorm.databases.surveying import measure
from idstorm.record.survey import Column, Generator, Id, Keyless, Program, Reference, Runs, Survey, Unguarded, Unread


@dataclass(frozen=True)
class _User:
    """A column that draws from a sequence, or owns it, as the catalogue has it."""

    relation: int
    how: str  #: default, expression, identity or owner
    name: str
    type: str
    indexed: bool
    schema: str
    may_enter: bool  #: the schema
    may_read: bool
    filtered: bool  #: by row-level security


def survey(connection: sa.Connection, *, scan: bool) -> Survey:
    """Read all schemas of the database but the server's own, without what belongs to extensions."""
    ask = Questions(connection)
    user = str(connection.exec_driver_sql("SELECT quote_ident(current_user)").scalar_one())
    tables = {oid: (name, keyed) for oid, name, keyed in _rows(connection, queries.TABLES)}
    subscriptions = ask.words(queries.SUBSCRIPTIONS, "whether the database subscribes to another")
    filled = {oid: str(name) for oid, name in ask.rows(queries.SUBSCRIBED, "which tables a subscription fills")}
    sequences = _rows(connection, queries.SEQUENCES)
    ids = list(_ids(connection, sequences, {oid: name for oid, (name, _) in tables.items()}, filled, user))
    reader = AuditReader(connection, {name: oid for oid, name, *_ in sequences}, {n: o for o, (n, _) in tables.items()})
    return Survey(
        tables=len(tables),
        ids=measure(ids, reader, scan=scan),
        references=tuple(_references(connection)),
        keyless=tuple(Keyless(name, remedies.keyed(name)) for name, keyed in tables.values() if not keyed),
        unguarded=tuple(
            Unguarded(table, column, type_, remedies.alone(table, column))
            for table, column, type_ in _rows(connection, queries.UNGUARDED)
        ),
        programs=tuple(
            Program(Runs(runs), name, table, source)
            for runs, name, table, source in _rows(connection, queries.PROGRAMS)
        ),
        subscriptions=tuple(subscriptions),
        unread=tuple(Unread(*one.split(": ", 1)) for one in ask.unseen),
    )


def _rows(connection: sa.Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(query, execution_options={"no_parameters": True})]


def _ids(
    connection: sa.Connection,
    sequences: Sequence[tuple[Any, ...]],
    tables: Mapping[int, str],
    filled: Mapping[object, str],
    user: str,
) -> Iterator[Id]:
    """Yield each sequence with each column that it serves: by default or identity, or else by owning it.

    What a table inherits is read with its ancestor.
    """
    users, parents = defaultdict[int, list[_User]](list), defaultdict[int, set[int]](set)
    for sequence, *one in _rows(connection, queries.USERS):
        users[sequence].append(_User(*one))
    for child, parent in _rows(connection, queries.PARENTS):
        parents[child].add(parent)
    for row in sequences:
        of_this = users[row[0]]
        serving = [one for one in of_this if one.how != "owner"] or of_this
        relations = {one.relation for one in serving}
        serving = [one for one in serving if one.relation in tables and not parents[one.relation] & relations]
        columns = [_column(one, tables[one.relation], filled.get(one.relation), row, user) for one in serving]
        generator = _generator(row, user, of_this, columns)
        mend = remedies.advanced(generator.name, [(one.table, one.name) for one in columns], generator.step)
        yield from (Id(generator, replace(column, mend=mend)) for column in columns)
        if not columns:
            yield Id(generator)


def _generator(row: tuple[Any, ...], user: str, users: Sequence[_User], columns: Sequence[Column]) -> Generator:
    _, name, type_, start, step, least, most, cache, cycles, may_read = row
    first, last = (least, most) if step > 0 else (most, least)
    owned = any(one.how in ("identity", "owner") for one in users)
    unread = None if may_read else Unread(name, "permission denied", f"GRANT SELECT ON SEQUENCE {name} TO {user};")
    return Generator(
        name=name,
        kind="identity" if any(one.how == "identity" for one in users) else "sequence",
        first=first,
        last=last,
        start=start,
        step=step,
        type=type_,
        cache=cache,
        cycles=cycles,
        owned=owned,
        unread=unread,
        widen=None if last == last_of("bigint", down=step < 0) else remedies.sequence_widened(name, type_, step),
        settle=remedies.not_cycling(name)
        if cycles
        else remedies.owned(name, columns[0].id)
        if not owned and len(columns) == 1
        else None,
    )


def _column(one: _User, table: str, filled_by: str | None, sequence: tuple[Any, ...], user: str) -> Column:
    needed = [] if one.may_enter else [f"GRANT USAGE ON SCHEMA {one.schema} TO {user};"]
    needed += [] if one.may_read else [f"GRANT SELECT ({one.name}) ON {table} TO {user};"]
    unread = Unread(f"{table}.{one.name}", "permission denied", " ".join(needed)) if needed else None
    if unread is None and one.filtered:
        unread = Unread(f"{table}.{one.name}", "row-level security hides rows", f"ALTER ROLE {user} BYPASSRLS;")
    limit = last_of(one.type, down=sequence[4] < 0)
    drawn = one.how != "expression"
    return Column(
        table=table,
        name=one.name,
        type=one.type,
        limit=limit if drawn else None,
        uncompared="its default does more than draw from it"
        if not drawn
        else f"it is {one.type}"
        if limit is None
        else None,
        indexed=one.indexed,
        receives=filled_by,
        unread=unread,
        widen=remedies.column_widened(table, one.name) if one.type in ("smallint", "integer") else None,
    )


def _references(connection: sa.Connection) -> Iterator[Reference]:
    for table, column, type_, key, key_type in _rows(connection, queries.REFERENCES):
        limit, key_limit = last_of(type_, down=False), last_of(key_type, down=False)
        if limit is not None and key_limit is not None:
            yield Reference(
                f"{table}.{column}",
                type_,
                limit,
                key,
                key_type,
                key_limit,
                remedies.column_widened(table, column, key_type),
            )
