"""MySQL: a database for each storm. MariaDB derives from it.

https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.asking import look
from idstorm.databases.bystanders import Bystanders
from idstorm.databases.chain import Found
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.mysql import codes
from idstorm.databases.mysql.audit import survey
from idstorm.databases.mysql.bystanders import bystanders_of
from idstorm.databases.mysql.capacity import capacity_of, last_of
from idstorm.databases.mysql.census import packed_census
from idstorm.databases.mysql.namespaces import MySQLNamespaces
from idstorm.databases.mysql.outward import leading_out
from idstorm.databases.mysql.server import MySQLServer
from idstorm.databases.mysql.statements import STATEMENTS
from idstorm.databases.mysql.stepped import MySQLStepped
from idstorm.databases.mysql.tls import share_context
from idstorm.databases.physical import Physical
from idstorm.databases.private.recipe import Recipe
from idstorm.databases.uniques import written
from idstorm.record.capacity import Capacity
from idstorm.record.census import Census
from idstorm.record.habits import Habits
from idstorm.record.keys import Codec
from idstorm.record.survey import Survey

_IN_TRANSACTION = 1  # SERVER_STATUS_IN_TRANS


class MySQL(MySQLStepped, MySQLNamespaces):
    """MySQL, by PyMySQL or another driver."""

    name = "mysql"
    schemes = ("mysql",)
    drivers = ("pymysql", "mysqldb", "mysqlconnector")
    backends = ("mysql", "mariadb")
    modules: ClassVar[Mapping[str, str]] = {"mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector"}
    packages: ClassVar[Mapping[str, str]] = {
        "pymysql": "'idstorm[mysql]'",
        "mysqldb": "mysqlclient",
        "mysqlconnector": "mysql-connector-python",
        "mariadbconnector": "mariadb",
        "aiomysql": "'idstorm[aiomysql]'",
        "asyncmy": "'idstorm[asyncmy]'",
    }
    asyncio_drivers = ("aiomysql", "asyncmy")
    raising = codes.DRIVERS
    how_to_get = (
        "run `docker compose up -d --wait` and set it as docs/databases.md says, or "
        "install a MySQL server, such as the package mysql-server-core"
    )
    recipe: ClassVar[Recipe | None] = MySQLServer()
    is_mariadb: ClassVar[bool] = False
    """Its server says that it is MariaDB."""
    sibling: ClassVar[str] = "mariadb"
    """Which database the server is if it says otherwise."""
    names_tables: ClassVar[bool] = True
    """An error about a key names its table."""
    counts_late: ClassVar[bool] = True
    """The catalogue shows counters from statistics that may be stale, unless a session asks for fresh ones."""
    has_sequences: ClassVar[bool] = False
    """Its tables may draw from sequences."""
    statements = STATEMENTS
    settings: ClassVar[Mapping[str, tuple[str, ...] | None]] = {
        "innodb_lock_wait_timeout": None,
        "auto_increment_increment": None,
        "auto_increment_offset": None,
        "sql_mode": None,
    }

    def actual(self, connection: sa.Connection) -> str:
        """Return which of the two databases the server says it is."""
        says = "mariadb" in _version(connection).lower()
        return self.name if says == self.is_mariadb else self.sibling

    def named_by(self, dialect: sa.Dialect) -> str:
        """SQLAlchemy's dialect finds out which of the two it is when it first connects."""
        return self.name if bool(getattr(dialect, "is_mariadb", False)) == self.is_mariadb else self.sibling

    def ease(self, engine: sa.Engine) -> None:
        """Let connections share what PyMySQL needs for TLS."""
        share_context(engine)

    def prepare(self, connection: Any, settings: Mapping[str, str]) -> None:
        """Set each setting for the session."""
        cursor = connection.cursor()
        for name, value in settings.items():
            cursor.execute(f"SET SESSION {name} = %s", (int(value) if value.isdigit() else value,))
        cursor.close()

    def capabilities(self, connection: sa.Connection) -> frozenset[str]:
        """Neither sequences nor RETURNING."""
        return frozenset({"auto_increment", "integer_widths", "isolation_levels", "schemas", "two_phase"})

    def leads_outside(self, connection: sa.Connection) -> list[str]:
        """Ask the catalogue."""
        return leading_out(connection)

    def bystanders(self, connection: sa.Connection) -> Bystanders:
        """Look for readers of the binary log, and for a cluster."""
        return bystanders_of(connection)

    @contextmanager
    def auditing(self, url: sa.URL) -> Iterator[sa.Connection]:
        """A second is the shortest wait for a lock on what a table is.

        https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_lock_wait_timeout
        """
        with self.administer(url) as connection:
            connection.exec_driver_sql("SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1")
            connection.exec_driver_sql("SET SESSION TRANSACTION READ ONLY")
            yield connection

    def survey(self, connection: sa.Connection, *, scan: bool) -> Survey:
        """Read the catalogue, with fresh counters, then each table."""
        if self.counts_late:
            connection.exec_driver_sql("SET SESSION information_schema_stats_expiry = 0")
        return survey(connection, scan=scan, sequences=self.has_sequences)

    def setting(self, connection: sa.Connection, name: str) -> str | None:
        """Ask for the global variable."""
        row = connection.exec_driver_sql("SHOW GLOBAL VARIABLES WHERE Variable_name = %s", (name,)).one_or_none()
        return None if row is None else str(row[1])

    inner_tables: ClassVar[str] = "innodb_tables"  #: where InnoDB numbers its tables, for users who may see it

    def physical(self, connection: Any, table: str, schema: str | None) -> Physical | None:
        """A table's life is its InnoDB number, which TRUNCATE changes, or else the second in which it was made.

        The server is known by its host, port and data directory.
        https://dev.mysql.com/doc/refman/8.4/en/information-schema-innodb-tables-table.html
        """
        place = "DATABASE()" if schema is None else _literal(schema)
        row = look(
            connection,
            "SELECT table_schema, create_time, table_type, CONCAT_WS(':', @@hostname, @@port, @@datadir) "
            f"FROM information_schema.tables WHERE table_schema = {place} AND table_name = {_literal(table)}",
        )
        if row is None or row[2] == "TEMPORARY":  # MySQL's catalogue does not have such a table at all
            return Physical(None, "", private=True)
        try:
            inner = _literal(f"{row[0]}/{table}")
            number = look(
                connection, f"SELECT table_id FROM information_schema.{self.inner_tables} WHERE name = {inner}"
            )
        except Exception:  # it takes the privilege PROCESS; the error is that of any driver
            number = None
        return Physical(row[0], f"{row[1]}:{number}", database=str(row[3]))

    def standing(self, connection: Any) -> str | None:
        """The current database: the catalogue takes ten times as long."""
        row = look(connection, "SELECT DATABASE()")
        return None if row is None else str(row[0])

    def server(self, connection: sa.Connection) -> str:
        """Return the version, without its suffix."""
        return _version(connection).split("-")[0]

    def facts(self, connection: sa.Connection, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return the variables that decide how ids are generated and what an acknowledgement is worth."""
        names = (
            "auto_increment_increment",
            "auto_increment_offset",
            "innodb_autoinc_lock_mode",
            "innodb_flush_log_at_trx_commit",
            "sync_binlog",
            "log_bin",
            "innodb_lock_wait_timeout",
            "max_connections",
            "sql_mode",
            "transaction_isolation",
            "tx_isolation",
        )
        listed = ", ".join(f"'{name}'" for name in names)
        variables = connection.exec_driver_sql(f"SHOW VARIABLES WHERE Variable_name IN ({listed})").all()
        known = {name: int(value) if str(value).isdigit() else value for name, value in variables}
        habits = Habits(
            stride=known.get("auto_increment_increment", 1),
            offset=known.get("auto_increment_offset", 1),
            blocks=known.get("innodb_autoinc_lock_mode", 0) >= 1,
        )
        return {"sqlalchemy": sa.__version__, "version": _version(connection), **known, **habits.told()}

    def lock_timeout(self, facts: Mapping[str, Any]) -> float:
        """https://dev.mysql.com/doc/refman/9.7/en/innodb-parameters.html#sysvar_innodb_lock_wait_timeout"""
        return float(facts.get("innodb_lock_wait_timeout", 0))

    def capacity(
        self, connection: sa.Connection, table: str, column: str, sequence: str | None, *, down: bool
    ) -> Capacity | None:
        """Ask for the column's type, the table's counter, and the columns that refer to it."""

        def otherwise(type_: str, last: int) -> Capacity:
            return self.sequence_capacity(connection, type_, last, sequence, down=down)

        return capacity_of(connection, table, column, otherwise, down=down, counts_late=self.counts_late)

    def last_of(self, type_: str, *, down: bool) -> int | None:
        """Return the last value of an integer type of any width, unsigned or not."""
        return last_of(type_, down=down)

    def sequence_capacity(
        self, connection: sa.Connection, type_: str, last: int, sequence: str | None, *, down: bool
    ) -> Capacity:
        """Return the capacity of a column that is not AUTO_INCREMENT."""
        return Capacity(type_, last, "the application", last)

    def read_error(self, found: Found, ids: Sequence[str], names: Sequence[str]) -> ErrorCode | None:
        """Read the server's own number and, in a refusal, the key."""
        return codes.read(found, self.name, ids, names, names_tables=self.names_tables)

    def keys(self, connection: sa.Connection, ids: Sequence[str]) -> tuple[str, ...]:
        """Ask for every unique key of the namespace, and for the tables that have triggers.

        A key on an expression is left out: the catalogue does not say which columns that reads.
        """
        query = (
            "SELECT table_name, index_name, column_name FROM information_schema.statistics "
            "WHERE table_schema = DATABASE() AND non_unique = 0 ORDER BY table_name, index_name, seq_in_index"
        )
        triggers = "SELECT event_object_table FROM information_schema.triggers WHERE event_object_schema = DATABASE()"
        triggered = set(connection.exec_driver_sql(triggers).scalars())
        columns = dict[tuple[str, str], list[str | None]]()
        for table, name, column in connection.exec_driver_sql(query):
            columns.setdefault((table, name), []).append(column)
        return written(
            ids,
            [
                (table, name, [column for column in key if column is not None], table in triggered)
                for (table, name), key in columns.items()
                if None not in key
            ],
        )

    def in_transaction(self, connection: Any) -> bool | None:
        """Read the status in the server's last answer, as PyMySQL and mysql-connector keep it."""
        driver = getattr(connection, "driver_connection", connection)
        known = getattr(driver, "in_transaction", None)  # mysql-connector
        status = getattr(driver, "server_status", None)
        if isinstance(known, bool) or status is None:
            return known if isinstance(known, bool) else None
        return bool(status & _IN_TRANSACTION)

    def _fast_census(
        self, connection: sa.Connection, id_: sa.ColumnClause[Any], token: sa.ColumnClause[Any], codec: Codec
    ) -> Census | None:
        return packed_census(connection, id_, token, codec)


def _literal(text: str) -> str:
    """Return a text as a SQL literal for any sql_mode, whether or not backslashes escape.

    https://dev.mysql.com/doc/refman/9.7/en/hexadecimal-literals.html
    """
    return f"_utf8mb4 X'{text.encode().hex()}'"


def _version(connection: sa.Connection) -> str:
    return str(connection.exec_driver_sql("SELECT VERSION()").scalar_one())
