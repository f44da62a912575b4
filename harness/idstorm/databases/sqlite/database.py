"""SQLite: a file, one writer at a time.

By default, SQLAlchemy's own default is stormed: the driver's legacy transactions, in which a SELECT opens none, on a
file in WAL mode with a busy timeout.

https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions
https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.asking import fetch, literal, look
from idstorm.databases.base import Database
from idstorm.databases.censuses import CensusUnreadable
from idstorm.databases.chain import Found
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.namespaces.names import Namespace, Quiet
from idstorm.databases.physical import Physical
from idstorm.databases.sqlite import codes
from idstorm.databases.sqlite import namespaces as files
from idstorm.databases.sqlite.audit import survey
from idstorm.databases.sqlite.census import packed_census
from idstorm.databases.sqlite.statements import STATEMENTS
from idstorm.databases.sqlite.stepped import SQLiteStepped
from idstorm.errors import EnvironmentFault, UsageError
from idstorm.record.capacity import Capacity
from idstorm.record.census import Census
from idstorm.record.habits import Habits
from idstorm.record.keys import Codec
from idstorm.record.survey import Survey

_LARGEST = (1 << 63) - 1


class SQLite(SQLiteStepped, Database):
    """SQLite, by a driver with the interface of Python's sqlite3."""

    name = "sqlite"
    schemes = ("sqlite",)
    drivers = ("pysqlite",)
    backends = ("sqlite",)
    asyncio_drivers = ("aiosqlite",)
    modules: ClassVar[Mapping[str, str]] = {"pysqlite": "sqlite3"}
    packages: ClassVar[Mapping[str, str]] = {"aiosqlite": "'idstorm[aiosqlite]'"}
    raising = codes.DRIVERS
    pads_blanks = False
    serverless = True
    kinds = ("file",)
    statements = STATEMENTS
    settings: ClassVar[Mapping[str, tuple[str, ...] | None]] = {
        "begin": ("sqlalchemy", "deferred", "immediate"),
        "journal_mode": ("wal", "delete", "truncate", "persist", "memory", "off"),
        "synchronous": ("off", "normal", "full", "extra"),
        "busy_timeout": None,
    }

    def check_url(self, url: sa.URL) -> None:
        """It has to name a file, which need not exist yet."""
        if not Path(url.database or "default").absolute().name:
            raise UsageError(
                f"{url.render_as_string()} names a folder: name a file, and the storm's own is made beside it"
            )
        if files.is_in_memory(url):
            raise UsageError(
                "an in-memory database lives in one process only: storm `sqlite`, which is a temporary file"
            )

    @contextmanager
    def namespace(self, url: sa.URL, label: str, *, keep: bool = False, kind: str | None = None) -> Iterator[sa.URL]:
        """Yield a fresh file: beside the one that the URL names, or else in a temporary folder."""
        with files.made(url, label, keep=keep) as path:
            yield files.leading_to(url, path)

    def inside(self, url: sa.URL, name: str) -> sa.URL:
        """Another file, named in the same way."""
        return files.leading_to(url, files.place_of(url, name))

    def name_in(self, url: sa.URL) -> str | None:
        """The name of the file."""
        path = files.file_of(url)
        return None if path is None else path.name

    def namespaces(self, url: sa.URL) -> list[Namespace]:
        """Return the files beside the one that the URL names, or else the temporary folders."""
        return files.listed(url)

    def locked(self, url: sa.URL, name: str) -> AbstractContextManager[bool]:
        """Take the kernel's lock of the file or folder."""
        return files.locked(files.place_of(url, name))

    def drop_namespace(self, url: sa.URL, name: str) -> None:
        """Remove a folder, or a file and what SQLite keeps beside it."""
        files.remove(files.place_of(url, name))

    def reclaim(self, url: sa.URL, name: str) -> bool:
        """No session has to be waited for: a file can be removed while it is open."""
        with self.locked(url, name) as had:
            if had:
                self.drop_namespace(url, name)
            return had

    def prove(self, connection: Any, url: sa.URL) -> bool:
        """Ask for the file that is open."""
        ((_, _, path),) = fetch(connection, "PRAGMA database_list")
        return os.path.realpath(str(path)) == os.path.realpath(_path(url))

    def prepare(self, connection: Any, settings: Mapping[str, str]) -> None:
        """Set the pragmas, and turn off the driver's own BEGIN where another is asked for."""
        pragmas = {"busy_timeout": "5000", "journal_mode": "wal", **settings}
        begin = pragmas.pop("begin", "sqlalchemy")
        for pragma, value in pragmas.items():
            fetch(connection, f"PRAGMA {pragma} = {value}")
        if begin != "sqlalchemy":
            connection.isolation_level = None

    def configure(
        self, engine: sa.Engine, url: sa.URL | None, settings: Mapping[str, str], *, users: bool = False
    ) -> None:
        """Also begin transactions as asked for."""
        super().configure(engine, url, settings, users=users)
        begin = settings.get("begin", "sqlalchemy").upper()
        if begin != "SQLALCHEMY":

            @sa.event.listens_for(engine, "begin")
            def on_begin(connection: sa.Connection) -> None:
                connection.exec_driver_sql(f"BEGIN {begin}")

    def check_settings(self, settings: Mapping[str, str]) -> None:
        """Also check that the busy timeout is a number."""
        super().check_settings(settings)
        if not re.fullmatch("[0-9]{1,9}", settings.get("busy_timeout", "0")):
            raise UsageError(f"--set busy_timeout={settings['busy_timeout']}: it is a number of milliseconds")

    def capabilities(self, connection: sa.Connection) -> frozenset[str]:
        """RETURNING since 3.35, and reuse of deleted rows' ids without AUTOINCREMENT; no sequences."""
        version = connection.dialect.server_version_info or (0,)
        return frozenset({"rowid_reuse", *(["returning"] if version >= (3, 35) else [])})

    def facts(self, connection: sa.Connection, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return the versions, the transaction mode, and the pragmas that a connection of the storm has."""
        pragmas = ("journal_mode", "synchronous", "busy_timeout", "page_size", "locking_mode")
        return {
            "sqlite": self.server(connection),
            "sqlalchemy": sa.__version__,
            **Habits().told(),
            "begin": settings.get("begin", "sqlalchemy"),
            **{pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas},
        }

    def lock_timeout(self, facts: Mapping[str, Any]) -> float:
        """https://www.sqlite.org/pragma.html#pragma_busy_timeout"""
        return float(facts.get("busy_timeout") or 0) / 1e3

    def capacity(
        self, connection: sa.Connection, table: str, column: str, sequence: str | None, *, down: bool
    ) -> Capacity | None:
        """A rowid has 64 bits, whatever its column is called; AUTOINCREMENT remembers the highest one.

        https://www.sqlite.org/autoinc.html
        https://www.sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key
        """
        last = -_LARGEST - 1 if down else _LARGEST
        columns = connection.execute(sa.text("SELECT name, type, pk FROM pragma_table_info(:table)"), {"table": table})
        keys = [(name, str(type_).upper()) for name, type_, place in columns if place]
        if keys != [(column, "INTEGER")]:  # only that is an alias of the rowid
            return Capacity("INTEGER", last, "the application", last)
        kept = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_sequence'").scalar()
        query = "SELECT seq FROM sqlite_sequence WHERE name = ?"
        highest = connection.exec_driver_sql(query, (table,)).scalar() if kept else None
        generator = "rowid" if highest is None else "AUTOINCREMENT"
        if highest is None:  # it continues from the largest existing rowid
            quoted = (
                connection.dialect.identifier_preparer.quote(column),
                connection.dialect.identifier_preparer.quote(table),
            )
            highest = connection.exec_driver_sql("SELECT max({}) FROM {}".format(*quoted)).scalar()
        return Capacity("INTEGER", _LARGEST, generator, _LARGEST, highest, generator_first=1)

    @contextmanager
    def auditing(self, url: sa.URL) -> Iterator[sa.Connection]:
        """Open the file read-only: otherwise SQLite would create it where it is missing."""
        path = files.file_of(url)
        if path is None:
            raise UsageError("name the file to audit, as in sqlite:///app.db")
        if not path.is_file():
            raise UsageError(f"there is no database to audit: {path} is not a file")
        try:
            still, before = files.is_still(path), path.stat().st_mtime_ns
        except OSError as error:
            raise EnvironmentFault(f"cannot read {path}: {error.strerror or error}") from error
        with self._connected(url, files.read_only(self.threaded(url), path, still=still)) as connection:
            try:
                connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
            except sa.exc.DBAPIError as error:
                if "locked" in str(error.orig):
                    raise EnvironmentFault(
                        f"{path} is locked by another process: audit it once that is done"
                    ) from error
                raise UsageError(f"{path} cannot be audited: {error.orig}") from error
            yield connection
        if still and not (files.is_still(path) and path.stat().st_mtime_ns == before):
            raise EnvironmentFault(f"{path} was opened by another process while it was audited: audit it again")

    def survey(self, connection: sa.Connection, *, scan: bool) -> Survey:
        """Read the schema, then the end of each table."""
        return survey(connection)

    def physical(self, connection: Any, table: str, schema: str | None) -> Physical | None:
        """A database is the file of a schema, by device and inode; each schema change raises the number of its life.

        SQLite names an open file by its absolute path, whatever the process's current folder.
        https://www.sqlite.org/pragma.html#pragma_database_list
        https://www.sqlite.org/pragma.html#pragma_schema_version
        """
        schema = schema or "main"
        file = look(connection, f"SELECT file FROM pragma_database_list WHERE name = {literal(schema)}")
        quoted = schema.replace('"', '""')
        version = look(connection, f'PRAGMA "{quoted}".schema_version')
        if file is None or version is None:
            return None
        temporary = look(connection, f"SELECT name FROM sqlite_temp_master WHERE name = {literal(table)}")
        if not file[0] or temporary is not None:
            return Physical(None, "", private=True)
        try:
            there = os.stat(file[0])
        except OSError:
            return None
        return Physical(None, str(version[0]), database=f"{there.st_dev}:{there.st_ino}", file=file[0])

    def server(self, connection: sa.Connection) -> str:
        """Return the version of the library that the driver is linked with."""
        return str(connection.exec_driver_sql("SELECT sqlite_version()").scalar())

    def read_error(self, found: Found, ids: Sequence[str], names: Sequence[str]) -> ErrorCode | None:
        """Read the extended result code and, in a refusal, the columns."""
        return codes.read(found, ids, names)

    def committed(self, connection: Any) -> bool:
        """An open transaction is still the same one: SQLite chains none, and runs one statement at a time."""
        return self.in_transaction(connection) is not True

    def in_transaction(self, connection: Any) -> bool | None:
        """Ask the driver's connection, or the one within SQLAlchemy's wrapper."""
        inner = getattr(connection, "driver_connection", connection)
        return getattr(inner, "in_transaction", None)

    def quiesce(self, url: sa.URL) -> Quiet:
        """A session that holds the write lock is still at work, so take the lock once, within a timeout."""
        try:
            connection = sqlite3.connect(_path(url), timeout=15, isolation_level=None)
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            finally:
                connection.close()
        except sqlite3.Error:
            return Quiet(False)
        return Quiet(True)

    @contextmanager
    def snapshot(self, url: sa.URL) -> Iterator[sa.Connection]:
        """The driver opens no transaction for a SELECT, so BEGIN is explicit.

        A cache shared with other connections of this process would show their uncommitted work, or be locked by it.
        https://www.sqlite.org/sharedcache.html
        """
        engine = sa.create_engine(self.threaded(url.difference_update_query(["cache"])), poolclass=sa.NullPool)
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                yield connection
        finally:
            engine.dispose()

    def read_ids(self, url: sa.URL, columns: Sequence[sa.ColumnClause[Any]], database: str) -> list[Any]:
        """Check the file first: if it were missing, SQLite would create it empty."""
        try:
            there = os.stat(_path(url))
        except OSError:
            raise CensusUnreadable("the file of the database is gone") from None
        if f"{there.st_dev}:{there.st_ino}" != database:
            raise CensusUnreadable("another file has taken the place of the database")
        return super().read_ids(url, columns, database)

    def _fast_census(
        self, connection: sa.Connection, id_: sa.ColumnClause[Any], token: sa.ColumnClause[Any], codec: Codec
    ) -> Census | None:
        return packed_census(connection, id_, token, codec)


def _path(url: sa.URL) -> str:
    return str(files.file_of(url) or "")
