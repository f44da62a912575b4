"""PostgreSQL: `pg_blocking_pids` says who waits; rows and sequences are put back in one transaction.

https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from idstorm.databases.postgresql.own_databases import database_of
from idstorm.databases.postgresql.schemas import schema_of
from idstorm.databases.stepped import KEPT, Standalone, Stepped, asked

_CONNECTING = """\
import os

import psycopg

PLACE = f"witness_{{os.getpid()}}"


def make_place():
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {{PLACE}}")


def connect():
    made = psycopg.connect(sys.argv[1], options=f"-csearch_path={{PLACE}}"){level}
    return made


def drop_place():
    with psycopg.connect(sys.argv[1], autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {{PLACE}} CASCADE")
"""

_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_RELATIONS = """
SELECT c.oid::regclass::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = ANY (%s) AND NOT c.relispartition AND n.nspname <> 'information_schema'
    AND n.nspname NOT LIKE 'pg~_%%' ESCAPE '~' AND (%s OR n.nspname = ANY (current_schemas(false)))
ORDER BY c.relkind = 'p', c.oid
"""
_TABLES, _SEQUENCES = ["r", "p"], ["S"]
_TRIGGERED = "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal)"


class PostgreSQLStepped(Stepped):
    """Sessions are numbered by their backends."""

    explorable = True

    def session_of(self, connection: Any) -> int | None:
        """Ask libpq, or the server where the driver does not know the backend."""
        known = getattr(getattr(connection, "info", None), "backend_pid", None)
        return known or asked(connection, "SELECT pg_backend_pid()")

    def waiting(self, connection: sa.Connection, sessions: Collection[int]) -> set[int]:
        """Ask which of them another one blocks."""
        numbers = ", ".join(map(str, sessions))
        found = connection.exec_driver_sql(
            f"SELECT pid FROM unnest(ARRAY[{numbers}]) pid WHERE cardinality(pg_blocking_pids(pid)) > 0"
        )
        return set(found.scalars())

    def standalone(self, isolation: str | None) -> Standalone:
        """A schema of its own on the server that it is told of."""
        level = "" if isolation in (None, "AUTOCOMMIT") else isolation.replace(" ", "_")
        setting = f"\n    made.isolation_level = psycopg.IsolationLevel.{level}" if level else ""
        usage = "a server that it may make a schema on: python witness.py postgresql://user:password@host/database"
        return Standalone("psycopg", usage, _CONNECTING.format(level=setting))

    def end_session(self, connection: sa.Connection, session: int) -> None:
        """Terminate its backend."""
        connection.exec_driver_sql(f"SELECT pg_terminate_backend({session})")

    def keep_state(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> Any:
        """Copy each table that has rows, and note where each sequence is."""
        known = [str(table.name) for table in tables]
        found = _relations(connection, _TABLES)
        plain = {name: name.rpartition(".")[2].strip('"') for name in found}
        ordered = sorted(found, key=lambda name: known.index(plain[name]) if plain[name] in known else len(known))
        free = connection.exec_driver_sql("SELECT current_setting('is_superuser')").scalar_one() == "on"
        state: dict[str, Any] = {"tables": [], "sequences": [], "free": free}
        for number, name in enumerate(ordered):
            columns = connection.exec_driver_sql(_COLUMNS, (name,)).scalar_one()
            full = connection.exec_driver_sql(f"SELECT EXISTS (SELECT FROM {name})").scalar_one()
            if full:
                connection.exec_driver_sql(f"CREATE TABLE {KEPT}{number} AS SELECT {columns} FROM {name}")
            triggered = connection.exec_driver_sql(_TRIGGERED, (name,)).scalar_one()
            state["tables"].append([name, columns, f"{KEPT}{number}" if full else None, triggered])
        for name in _relations(connection, _SEQUENCES):
            last, called = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {name}").one()
            state["sequences"].append([name, last, called])
        return state

    def analyse(self, connection: sa.Connection) -> None:
        """Name the tables, or those of others would be meant, too."""
        connection.exec_driver_sql(f"ANALYZE {', '.join(_relations(connection, _TABLES))}")

    def has_triggers(self, connection: sa.Connection) -> bool:
        """Ask for those of its tables."""
        return any(
            connection.exec_driver_sql(_TRIGGERED, (name,)).scalar_one() for name in _relations(connection, _TABLES)
        )

    def generators(self, state: Any) -> list[str]:
        """Set each sequence."""
        return [f"SELECT setval('{name}', {last}, {called})" for name, last, called in state["sequences"]]

    def restore_state(self, connection: sa.Connection, state: Any) -> None:
        """Delete, insert and `setval`, without firing triggers.

        No session that has cached values of a sequence draws from it afterwards.
        """
        triggered = [name for name, _, _, triggered in state["tables"] if triggered and not state["free"]]
        statements = ["SET session_replication_role = replica"] if state["free"] else []  # no trigger, no foreign key
        statements += [f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in triggered]
        statements += [f"DELETE FROM {name}" for name, _, _, _ in reversed(state["tables"])]
        statements += [
            f"INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM {kept}"
            for name, columns, kept, _ in state["tables"]
            if kept is not None
        ]
        statements += [f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in triggered]
        statements += ["RESET session_replication_role"] if state["free"] else []
        statements += self.generators(state)
        connection.exec_driver_sql(";".join(statements), execution_options={"no_parameters": True})


def _relations(connection: sa.Connection, kinds: list[str]) -> list[str]:
    """Return the relations of a storm's namespace: its schema, or every schema of the database that is its own."""
    url = connection.engine.url
    whole = schema_of(url) is None and database_of(url) is not None
    return list(connection.exec_driver_sql(_RELATIONS, (kinds, whole)).scalars())
