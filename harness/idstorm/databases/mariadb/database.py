"""MariaDB, which shares most of MySQL's code.

https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

import sqlalchemy as sa

from idstorm.databases.mariadb.server import MariaDBServer
from idstorm.databases.mysql.database import MySQL
from idstorm.record.capacity import Capacity


class MariaDB(MySQL):
    """MariaDB, which has sequences and RETURNING. All sessions share one cache of a sequence."""

    name = "mariadb"
    inner_tables = "innodb_sys_tables"
    sees_prepared = None
    schemes = ("mariadb",)
    backends = ("mariadb", "mysql")
    how_to_get = (
        "run `docker compose up -d --wait` and set it as docs/databases.md says, or "
        "install a MariaDB server, such as the package mariadb-server-core"
    )
    recipe = MariaDBServer()
    is_mariadb = True
    sibling = "mysql"
    names_tables = False
    counts_late = False
    has_sequences = True
    shows_waits = False

    def capabilities(self, connection: sa.Connection) -> frozenset[str]:
        """MySQL's, and sequences since 10.3, RETURNING since 10.5, and refusal of lost updates since 11.6.

        https://mariadb.com/kb/en/innodb-system-variables/#innodb_snapshot_isolation
        """
        more = {"sequences", "returning"}
        if self.setting(connection, "innodb_snapshot_isolation") == "ON":
            more.add("lost_updates_refused")
        return super().capabilities(connection) | more

    def sequence_capacity(
        self, connection: sa.Connection, type_: str, last: int, sequence: str | None, *, down: bool
    ) -> Capacity:
        """A sequence is a table with one row. The values in its cache appear as drawn."""
        if sequence is None:
            return super().sequence_capacity(connection, type_, last, sequence, down=down)
        quoted = connection.dialect.identifier_preparer.quote(sequence)
        least, most, following, step, cache, cycles = connection.exec_driver_sql(
            "SELECT minimum_value, maximum_value, next_not_cached_value, increment, cache_size, cycle_option "
            f"FROM {quoted}"
        ).one()
        first, end = (most, least) if down else (least, most)
        return Capacity(
            type_, last, f"sequence {sequence}", end, following - step, max(1, cache), first, cycles=bool(cycles)
        )
