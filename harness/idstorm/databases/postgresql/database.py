"""PostgreSQL: a schema for each storm, alone on the search path; or a database.

The search path is in the URL, as an option of the connection: if SQL set it, the first rollback would undo it. It names
no other schema: with `ns, public`, `create_all` could find a user's table of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.databases.asking import literal, look
from idstorm.databases.bystanders import Bystanders
from idstorm.databases.chain import Found
from idstorm.databases.drivers import best_driver
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.namespaces.names import PREFIX, is_stamped
from idstorm.databases.physical import Physical
from idstorm.databases.postgresql import codes, schemas
from idstorm.databases.postgresql.audit import survey
from idstorm.databases.postgresql.bystanders import bystanders_of
from idstorm.databases.postgresql.capacity import capacity_of, last_of
from idstorm.databases.postgresql.census import packed_census
from idstorm.databases.postgresql.namespaces import TAKE_OPTIONS, PostgreSQLNamespaces
from idstorm.databases.postgresql.outward import leading_out
from idstorm.databases.postgresql.server import PostgreSQLServer
from idstorm.databases.postgresql.statements import STATEMENTS
from idstorm.databases.postgresql.stepped import PostgreSQLStepped
from idstorm.databases.uniques import Unique, guards
from idstorm.databases.urls import mask
from idstorm.errors import EnvironmentFault
from idstorm.record.capacity import Capacity
from idstorm.record.census import Census
from idstorm.record.habits import Habits
from idstorm.record.keys import Codec
from idstorm.record.survey import Survey

_OF_ASYNCPG = ("prepared_statement_", "statement_cache_", "max_cache", "command_timeout", "timeout")
_UNSUPPORTED = "unsupported startup parameter"  # as PgBouncer says it
_KIND = f"SELECT CASE WHEN starts_with(current_schema(), '{PREFIX}') THEN 'schema' ELSE 'database' END"
_AUDITING = ("lock_timeout=1s", "default_transaction_read_only=on")
_LOGGED_AHEAD = 32  # SEQ_LOG_VALS: values of a sequence, in src/backend/commands/sequence.c


class PostgreSQL(PostgreSQLStepped, PostgreSQLNamespaces):
    """PostgreSQL, by psycopg 3 or psycopg2."""

    name = "postgresql"
    schemes = ("postgresql", "postgres")
    drivers = ("psycopg", "psycopg2")
    backends = ("postgresql",)
    asyncio_drivers = ("asyncpg", "psycopg_async")
    modules: ClassVar[Mapping[str, str]] = {"psycopg_async": "psycopg"}
    packages: ClassVar[Mapping[str, str]] = {
        "psycopg": "'idstorm[postgresql]'",
        "psycopg_async": "'idstorm[asyncpg]'",
        "psycopg2": "psycopg2-binary",
        "asyncpg": "'idstorm[asyncpg]'",
    }
    raising = codes.DRIVERS
    how_to_get = (
        "run `docker compose up -d --wait` and set it as docs/databases.md says, "
        "or pip install 'idstorm[postgresql-server]'"
    )
    recipe = PostgreSQLServer()
    converts_zones = True
    statements = STATEMENTS
    astray = (
        "a pooler before the server (PgBouncer), or a server that is not quite PostgreSQL (PGlite), does not heed the "
        "search path in the URL; connect to the server directly"
    )
    settings: ClassVar[Mapping[str, tuple[str, ...] | None]] = {
        "synchronous_commit": ("on", "off", "local", "remote_write", "remote_apply"),
        "lock_timeout": None,
        "statement_timeout": None,
        "idle_in_transaction_session_timeout": None,
    }

    def threaded(self, url: sa.URL) -> sa.URL:
        """Take a driver of libpq, without the parameters that only asyncpg knows."""
        if url.get_driver_name() in TAKE_OPTIONS:
            return url
        ssl = {"sslmode": url.query["ssl"]} if "ssl" in url.query else {}
        plain = url.difference_update_query(["ssl", *(name for name in url.query if name.startswith(_OF_ASYNCPG))])
        driver = best_driver(self.drivers, self.modules)
        return plain.set(drivername=f"{url.get_backend_name()}+{driver}").update_query_dict(ssl)

    def administering(self, url: sa.URL) -> sa.URL:
        """Look for names only in the catalogue, and limit the wait for locks."""
        return schemas.looking_at_the_catalogue(self.threaded(url))

    @contextmanager
    def administer(self, url: sa.URL) -> Iterator[sa.Connection]:
        """Look for names only in the catalogue, and say what to do about a pooler that does not take the options.

        No statement sets anything: behind a pooler, other clients would later get the connection with that setting.
        """
        with self._at_the_catalogue(url, self.administering(url)) as connection:
            yield connection

    @contextmanager
    def auditing(self, url: sa.URL) -> Iterator[sa.Connection]:
        """The options of the connection also make it read-only."""
        with self._at_the_catalogue(
            url, schemas.looking_at_the_catalogue(self.threaded(url), *_AUDITING)
        ) as connection:
            yield connection

    def survey(self, connection: sa.Connection, *, scan: bool) -> Survey:
        """Read the catalogue, then each table and a hundred sequences at a time."""
        return survey(connection, scan=scan)

    @contextmanager
    def _at_the_catalogue(self, url: sa.URL, to: sa.URL) -> Iterator[sa.Connection]:
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(self._connected(url, to))
            except EnvironmentFault as fault:
                if _UNSUPPORTED in str(fault):
                    raise EnvironmentFault(f"{fault}; {self.astray}") from fault
                raise
            if connection.exec_driver_sql("SHOW search_path").scalar_one() != "pg_catalog":
                raise EnvironmentFault(f"{mask(url)} does not take the options of its URL: {self.astray}")
            yield connection

    def prepare(self, connection: Any, settings: Mapping[str, str]) -> None:
        """Set each setting, and commit: a rollback would undo it."""
        cursor = connection.cursor()
        for name, value in settings.items():
            cursor.execute(f"SELECT set_config('{name}', %s, false)", (value,))
        cursor.close()
        connection.commit()

    def capabilities(self, connection: sa.Connection) -> frozenset[str]:
        """Two-phase commit is off unless the server allows prepared transactions."""
        capabilities = {
            "identity",
            "integer_widths",
            "isolation_levels",
            "returning",
            "schemas",
            "sequences",
            "session_sequence_cache",
        }
        prepared = int(connection.exec_driver_sql("SHOW max_prepared_transactions").scalar_one())
        return frozenset(capabilities | ({"two_phase"} if prepared else set()))

    def leads_outside(self, connection: sa.Connection) -> list[str]:
        """Ask the catalogue. What a storm finds in a database of its own, it has made."""
        name = str(connection.exec_driver_sql("SELECT current_database()").scalar_one())
        return [] if is_stamped(name) else leading_out(connection)

    def bystanders(self, connection: sa.Connection) -> Bystanders:
        """Look for publications of all tables, logical slots, replicas, and event triggers."""
        return bystanders_of(connection)

    def setting(self, connection: sa.Connection, name: str) -> str | None:
        """Ask for what SHOW shows."""
        value = connection.execute(sa.select(sa.func.current_setting(name, True))).scalar_one()
        return None if value is None else str(value)

    def physical(self, connection: Any, table: str, schema: str | None) -> Physical | None:
        """A table's life is its oid and its filenode, which TRUNCATE changes; a database is known by its oid.

        The oids are those of one server, identified by the microsecond in which it was started: copies of a data
        directory share a system identifier.
        https://www.postgresql.org/docs/current/storage-file-layout.html
        https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SESSION
        """
        name = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table) if part)
        row = look(
            connection,
            "SELECT n.nspname, d.oid, c.oid, pg_relation_filenode(c.oid), c.relpersistence = 't', "
            "extract(epoch FROM pg_postmaster_start_time()) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_database d ON d.datname = current_database() "
            f"WHERE c.oid = to_regclass({literal(name)})",
        )
        if row is None:
            return None
        schema, number, *life, private, started = row
        return Physical(
            schema, ":".join(map(str, (number, *life))), private=bool(private), database=f"{started}:{number}"
        )

    def zone(self, connection: sa.Connection) -> str:
        """https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-TIMEZONES"""
        return str(connection.exec_driver_sql("SHOW TimeZone").scalar_one())

    def server(self, connection: sa.Connection) -> str:
        """Return the server's version, without what its packager adds."""
        return str(connection.exec_driver_sql("SHOW server_version").scalar_one()).split()[0]

    def facts(self, connection: sa.Connection, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return the settings that decide what an acknowledgement is worth, and the sequences of the namespace."""
        shown = (
            "server_version",
            "synchronous_commit",
            "fsync",
            "full_page_writes",
            "default_transaction_isolation",
            "max_connections",
        )
        lock_timeout = "SELECT setting FROM pg_settings WHERE name = 'lock_timeout'"
        sequences = connection.exec_driver_sql(
            "SELECT sequencename, start_value, increment_by, cache_size, last_value FROM pg_sequences "
            "WHERE schemaname = current_schema()"
        ).mappings()
        return {
            "sqlalchemy": sa.__version__,
            "started": str(connection.exec_driver_sql("SELECT pg_postmaster_start_time()").scalar_one()),
            **{name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in shown},
            **Habits(ahead=_LOGGED_AHEAD).told(),
            "namespace": connection.exec_driver_sql(_KIND).scalar_one(),
            "lock_timeout_ms": int(connection.exec_driver_sql(lock_timeout).scalar_one()),
            "sequences": {
                row["sequencename"]: {
                    "start": row["start_value"],
                    "increment": row["increment_by"],
                    "cache": row["cache_size"],
                    "last_value": row["last_value"],
                }
                for row in sequences
            },
        }

    def lock_timeout(self, facts: Mapping[str, Any]) -> float:
        """https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT"""
        return float(facts.get("lock_timeout_ms", 0)) / 1e3

    def capacity(
        self, connection: sa.Connection, table: str, column: str, sequence: str | None, *, down: bool
    ) -> Capacity | None:
        """Ask for the column's type, the sequence that it owns or the model names, and the columns that refer to it."""
        return capacity_of(connection, table, column, sequence, down=down)

    def last_of(self, type_: str, *, down: bool) -> int | None:
        """Return the last value of smallint, integer or bigint."""
        return last_of(type_, down=down)

    def read_error(self, found: Found, ids: Sequence[str], names: Sequence[str]) -> ErrorCode | None:
        """Read the SQLSTATE and, in a refusal, the constraint."""
        return codes.read(found, ids, names)

    def keys(self, connection: sa.Connection, ids: Sequence[str]) -> tuple[str, ...]:
        """Ask for every unique index and exclusion constraint of the namespace. A partition's count as its root's.

        An index on an expression counts as one on all columns that the expression reads.
        https://www.postgresql.org/docs/current/catalog-pg-index.html
        """
        query = """
            SELECT t.relname, i.relname, r.relname,
                array(SELECT attname::text FROM pg_attribute WHERE attrelid = t.oid AND attnum > 0),
                array(SELECT pg_get_indexdef(i.oid, place, true) FROM generate_series(1, x.indnkeyatts) place)
            FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
            JOIN pg_class r ON r.oid = coalesce(pg_partition_root(t.oid), t.oid)
            WHERE t.relnamespace = current_schema()::regnamespace AND (x.indisunique OR x.indisexclusion)
        """
        table, own = ids[0].rpartition(".")[0], [column.rpartition(".")[2] for column in ids]
        keys = []
        for place, name, root, columns, parts in connection.exec_driver_sql(query):
            read = tuple(word for part in parts for word in codes.words(part) if word in columns)
            keys.append(Unique(place, name, read, root == table and guards(read, own)))
        return tuple(sorted(map(str, keys)))

    def in_transaction(self, connection: Any) -> bool | None:
        """Ask libpq, through psycopg or psycopg2, or what asyncpg and pg8000 know of the server's last answer."""
        inner = getattr(connection, "driver_connection", connection)  # SQLAlchemy wraps those for asyncio
        status = getattr(getattr(inner, "info", None), "transaction_status", None)
        if status is not None:
            return int(status) != 0
        if hasattr(inner, "is_in_transaction"):
            return bool(inner.is_in_transaction())
        status = getattr(inner, "_transaction_status", None)
        return None if status is None else status != b"I"

    def _fast_census(
        self, connection: sa.Connection, id_: sa.ColumnClause[Any], token: sa.ColumnClause[Any], codec: Codec
    ) -> Census | None:
        return packed_census(connection, id_, token, codec)
