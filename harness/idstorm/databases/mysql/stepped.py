"""MySQL and MariaDB: who waits for a row, a table or a lock by name; and rows and counters put back.

MySQL says it in performance_schema. MariaDB's INNODB_TRX is a cache that is not renewed while it is asked more often
than every tenth of a second, so its monitor's output is read instead.
https://dev.mysql.com/doc/refman/9.7/en/performance-schema-data-lock-waits-table.html
https://mariadb.com/docs/server/reference/system-tables/information-schema/information-schema-tables/information-schema-innodb-tables/information-schema-innodb_trx-table
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.stepped import KEPT, Standalone, Stepped, asked

_CONNECTING = """\
import os
from urllib.parse import unquote, urlsplit

import pymysql

PLACE = f"witness_{{os.getpid()}}"
SERVER = urlsplit(sys.argv[1])


def open_connection(**more):
    user, password = unquote(SERVER.username or ""), unquote(SERVER.password or "")
    return pymysql.connect(host=SERVER.hostname, port=SERVER.port or 3306, user=user, password=password, **more)


def make_place():
    open_connection().cursor().execute(f"CREATE DATABASE {{PLACE}}")


def connect():
    return open_connection(database=PLACE, init_command={level})


def drop_place():
    open_connection().cursor().execute(f"DROP DATABASE {{PLACE}}")
"""

_ROWS = (
    "SELECT t.processlist_id FROM performance_schema.data_lock_waits w "
    "JOIN performance_schema.data_locks l ON l.engine_transaction_id = w.requesting_engine_transaction_id "
    "JOIN performance_schema.threads t ON t.thread_id = l.thread_id WHERE l.lock_type = 'TABLE'"
)
"""A lock on a row that is waited for may be shown under the thread that holds it, not the one that waits (seen on 9.7).

Only its own thread takes a transaction's lock on the table."""
_OTHERS = (
    "SELECT t.processlist_id FROM performance_schema.metadata_locks m "
    "JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id WHERE m.lock_status = 'PENDING'"
)
_PROCESSES = (
    "SELECT id FROM information_schema.processlist WHERE state LIKE 'Waiting for %%lock' OR state = 'User lock'"
)
_TABLES = (
    "SELECT t.table_name, t.auto_increment, group_concat(c.column_name ORDER BY c.ordinal_position SEPARATOR '\\n') "
    "FROM information_schema.tables t JOIN information_schema.columns c USING (table_schema, table_name) "
    "WHERE t.table_schema = database() AND t.table_type = 'BASE TABLE' AND c.generation_expression {} "
    "GROUP BY t.table_name, t.auto_increment"
)
_TRIGGERED = "SELECT event_object_table FROM information_schema.triggers WHERE trigger_schema = database()"
_SEQUENCES = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = database() AND table_type = 'SEQUENCE'"
)


class MySQLStepped(Stepped):
    """Sessions are numbered by their connections."""

    explorable = True
    shows_waits: ClassVar[bool] = True  #: performance_schema does

    def session_of(self, connection: Any) -> int | None:
        """Ask PyMySQL, or the server where the driver does not know the connection's number."""
        known = connection.thread_id() if hasattr(connection, "thread_id") else None
        return known or asked(connection, "SELECT CONNECTION_ID()")

    def waiting(self, connection: sa.Connection, sessions: Collection[int]) -> set[int]:
        """Ask for all waits: those of others are few."""
        if self.shows_waits:
            found = set(connection.exec_driver_sql(f"{_ROWS} UNION {_OTHERS}").scalars())
        else:
            monitor = str(connection.exec_driver_sql("SHOW ENGINE INNODB STATUS").one()[2])
            blocks = [
                one for one in monitor.split("---TRANSACTION")[1:] if "LOCK WAIT" in one
            ]  # first: an old deadlock
            found = {int(number) for one in blocks for number in re.findall(r"thread id (\d+),", one)}
            found |= set(connection.exec_driver_sql(_PROCESSES).scalars())
        return found & set(sessions)

    def standalone(self, isolation: str | None) -> Standalone:
        """A database of its own on the server that it is told of."""
        level = f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}" if isolation not in (None, "AUTOCOMMIT") else ""
        usage = "a server that it may make a database on: python witness.py mysql://user:password@host:port"
        return Standalone("PyMySQL", usage, _CONNECTING.format(level=repr(level or "SELECT 1")))

    def end_session(self, connection: sa.Connection, session: int) -> None:
        """Kill it."""
        connection.exec_driver_sql(f"KILL {session}")

    def keep_state(self, connection: sa.Connection, tables: Sequence[sa.Table]) -> Any:
        """Copy each table that has rows, and note where each counter and sequence is."""
        quote = connection.dialect.identifier_preparer.quote_identifier
        state: dict[str, Any] = {"tables": [], "sequences": []}
        if self.shows_waits:  # and so keeps a cache of its own dictionary
            connection.exec_driver_sql("SET SESSION information_schema_stats_expiry = 0")
        connection.exec_driver_sql("SET SESSION group_concat_max_len = 1000000")
        empty = "= ''" if self.shows_waits else "IS NULL"
        triggered = set(connection.exec_driver_sql(_TRIGGERED).scalars())
        for number, (name, counter, columns) in enumerate(connection.exec_driver_sql(_TABLES.format(empty)).all()):
            listed = ", ".join(map(quote, columns.split("\n")))
            full = connection.exec_driver_sql(f"SELECT EXISTS (SELECT 1 FROM {quote(name)})").scalar_one()
            if full:
                connection.exec_driver_sql(f"CREATE TABLE {KEPT}{number} AS SELECT {listed} FROM {quote(name)}")
            kept = f"{KEPT}{number}" if full else None
            state["tables"].append([quote(name), listed, kept, counter, name in triggered])
        for name in connection.exec_driver_sql(_SEQUENCES).scalars().all():
            at = connection.exec_driver_sql(f"SELECT next_not_cached_value FROM {quote(name)}").scalar_one()
            state["sequences"].append([quote(name), at])
        return state

    def analyse(self, connection: sa.Connection) -> None:
        """What is known of a table is gone when it is emptied, so `restore_state` does it each time."""

    def has_triggers(self, connection: sa.Connection) -> bool:
        """Ask for those of the database."""
        return connection.exec_driver_sql(_TRIGGERED).first() is not None

    def restore_state(self, connection: sa.Connection, state: Any) -> None:
        """Empty and fill each table, without looking at foreign keys, and set the counters.

        Rows that are deleted stay in the indexes until they are purged, and locks are taken on them as long.
        https://dev.mysql.com/doc/refman/9.7/en/innodb-purge-configuration.html
        """
        statements = ["SET SESSION foreign_key_checks = 0, sql_mode = concat(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')"]
        statements += [f"TRUNCATE TABLE {name}" for name, *_ in state["tables"]]
        for triggers in (True, False):  # what triggers put into other tables is gone when those are filled
            tables = [one for one in state["tables"] if one[4] is triggers and one[2] is not None]
            statements += [f"TRUNCATE TABLE {name}" for name, *_ in tables if not triggers]
            statements += [f"INSERT INTO {name} ({all_}) SELECT {all_} FROM {kept}" for name, all_, kept, *_ in tables]
            statements += [f"ANALYZE NO_WRITE_TO_BINLOG TABLE {name}" for name, *_ in tables]
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        for name, _, _, counter, _ in state["tables"]:
            if counter is not None and counter > 1:
                connection.exec_driver_sql(f"ALTER TABLE {name} AUTO_INCREMENT = {counter}")
        for name, at in state["sequences"]:
            connection.exec_driver_sql(f"ALTER SEQUENCE {name} RESTART {at}")
