"""Who else on a server a storm concerns: connections, the log and replication are shared, whatever namespace it has."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

_MAX = "its max_connections"


@dataclass(frozen=True)
class Bystanders:
    """What a storm shares a server with."""

    free: int | None = None  #: connections that the server still has for this user; None: there is no such limit
    limit: str = _MAX  #: what there would have to be more of, for more connections
    followers: tuple[str, ...] = ()  #: who would be sent all that a storm writes, in words
    triggers: tuple[str, ...] = ()  #: what fires where a storm makes its tables, in words
    unseen: tuple[str, ...] = ()  #: what could not be looked for, with the privilege that is missing


class _Questions:
    """Questions to a server, each of which may be refused without taking what the others have found."""

    def __init__(self, connection: sa.Connection) -> None:
        self.connection = connection
        self.unseen = list[str]()

    def rows(self, query: str, about: str) -> list[tuple[object, ...]]:
        """Return what a query answers; nothing where it is refused, which is noted as not seen."""
        try:
            return [tuple(row) for row in self.connection.exec_driver_sql(query)]
        except sa.exc.DBAPIError as error:
            if error.connection_invalidated:
                raise
            self.unseen.append(f"{about}: {str(error.orig).strip().partition(chr(10))[0]}")
            return []

    def words(self, query: str, about: str) -> list[str]:
        """Return the first column of what a query answers."""
        return [str(row[0]) for row in self.rows(query, about)]

    def number(self, query: str, about: str) -> int:
        """Return the last column of the only row of an answer; 0 where there is none."""
        found = self.rows(query, about)
        return int(str(found[0][-1])) if found and found[0][-1] is not None else 0


_POSTGRESQL_LIMITS = """
WITH sessions AS (
    SELECT datid, usesysid FROM pg_stat_activity
    WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
), me AS (SELECT oid, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = session_user)
SELECT 'its max_connections', current_setting('max_connections')::int - (SELECT count(*) FROM sessions)
    - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true)::int, 0) END FROM me
UNION ALL
SELECT 'the CONNECTION LIMIT of the role ' || session_user,
    rolconnlimit - (SELECT count(*) FROM sessions WHERE usesysid = me.oid)
FROM me WHERE rolconnlimit >= 0 AND NOT rolsuper
UNION ALL
SELECT 'the CONNECTION LIMIT of the database ' || datname,
    datconnlimit - (SELECT count(*) FROM sessions WHERE datid = d.oid)
FROM me, pg_database d WHERE datname = current_database() AND datconnlimit >= 0 AND NOT rolsuper
ORDER BY 2 LIMIT 1
"""
"""What leaves the fewest connections to this user, and how many; the type of others' sessions may be hidden.

https://www.postgresql.org/docs/current/runtime-config-connection.html
https://www.postgresql.org/docs/current/sql-createrole.html
"""


def of_postgresql(connection: sa.Connection) -> Bystanders:
    """Look for publications of all tables, logical slots, replicas, and event triggers, which anybody may see.

    A publication of named tables, or of schemas, has none of a storm's; a logical slot is sent every table's changes.
    https://www.postgresql.org/docs/current/view-pg-replication-slots.html
    https://www.postgresql.org/docs/current/event-trigger-definition.html
    """
    ask = _Questions(connection)
    limits = ask.rows(_POSTGRESQL_LIMITS, "how many connections the server has left")
    publications = ask.words(
        "SELECT pubname FROM pg_publication WHERE puballtables ORDER BY 1", "whether all tables are published"
    )
    slots = ask.words(
        "SELECT slot_name FROM pg_replication_slots "
        "WHERE slot_type = 'logical' AND database = current_database() ORDER BY 1",
        "whether there are logical replication slots",
    )
    replicas = ask.words(
        "SELECT coalesce(nullif(application_name, ''), pid::text) FROM pg_stat_replication r "
        "WHERE coalesce(state, '') <> 'backup' AND NOT EXISTS (SELECT FROM pg_replication_slots s "
        "WHERE s.active_pid = r.pid AND s.slot_type = 'logical') ORDER BY 1",
        "whether the server has replicas",
    )
    triggers = ask.words(
        "SELECT evtname FROM pg_event_trigger WHERE evtenabled <> 'D' AND evtevent <> 'login' ORDER BY 1",
        "whether there are event triggers",
    )
    limit, free = (str(limits[0][0]), max(0, int(str(limits[0][1])))) if limits else (_MAX, None)
    return Bystanders(
        free=free,
        limit=limit,
        followers=(
            *(f"the publication {name} of all tables" for name in publications),
            *(f"the logical replication slot {name}" for name in slots),
            *(f"the replica {name}" for name in replicas),
        ),
        triggers=tuple(f"the event trigger {name}" for name in triggers),
        unseen=tuple(ask.unseen),
    )


def of_mysql(connection: sa.Connection) -> Bystanders:
    """Look for who reads the binary log, be it a replica or a tool that captures changes, and for a cluster.

    The account's own limit counts the sessions of its name, from whatever host: rather too many.
    https://dev.mysql.com/doc/refman/9.7/en/replica-logs-status.html
    https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_max_user_connections
    https://galeracluster.com/library/documentation/galera-status-variables.html
    """
    ask, connections = _Questions(connection), "how many connections the server has left"
    groups, log = "whether the server is one of a cluster", "whether anybody reads the binary log"
    limits = {
        _MAX: ask.number("SELECT @@global.max_connections", connections)
        - ask.number("SHOW GLOBAL STATUS WHERE Variable_name = 'Threads_connected'", connections)
    }
    mine = ask.number("SELECT @@session.max_user_connections", connections)
    if mine > 0:
        used = ask.number(
            "SELECT count(*) FROM information_schema.processlist WHERE user = SUBSTRING_INDEX(USER(), '@', 1)",
            connections,
        )
        limits["the max_user_connections of its user"] = mine - used
    readers = ask.number(
        "SELECT count(*) FROM information_schema.processlist WHERE LEFT(command, 11) = 'Binlog Dump'", log
    )
    nodes = max(
        ask.number("SHOW GLOBAL STATUS WHERE Variable_name = 'wsrep_cluster_size'", groups),
        ask.number(
            "SELECT count(*) FROM performance_schema.replication_group_members WHERE member_state = 'ONLINE'",
            groups,
        )
        if ask.rows(
            "SHOW GLOBAL VARIABLES WHERE Variable_name = 'group_replication_group_name' AND Value <> ''", groups
        )
        else 0,
    )
    followers = []
    if readers:
        followers.append(f"{readers} reader{'s' if readers > 1 else ''} of the binary log")
    if nodes > 1:
        followers.append(f"the {nodes - 1} other nodes of the cluster")
    may_see = "SELECT count(*) FROM information_schema.user_privileges WHERE privilege_type = 'PROCESS'"
    if ask.number("SELECT @@log_bin", log) and not ask.number(may_see, log):
        ask.unseen.append(f"{log}: that takes GRANT PROCESS ON *.*")
    limit = min(limits, key=lambda one: limits[one])
    return Bystanders(
        free=max(0, limits[limit]), limit=limit, followers=tuple(followers), unseen=tuple(dict.fromkeys(ask.unseen))
    )
