"""Who else on a server a storm concerns: connections, the log and replication are shared, whatever namespace it has."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True)
class Bystanders:
    """What a storm shares a server with."""

    free: int | None = None  #: connections that the server still has for this user; None: there is no such limit
    followers: tuple[str, ...] = ()  #: who would be sent all that a storm writes, in words
    triggers: tuple[str, ...] = ()  #: what fires where a storm makes its tables, in words
    unseen: tuple[str, ...] = ()  #: what could not be looked for, with the privilege that is missing


def of_postgresql(connection: sa.Connection) -> Bystanders:
    """Look for publications of all tables, logical slots, replicas, and event triggers, which anybody may see.

    A publication of named tables, or of schemas, has none of a storm's; a logical slot is sent every table's changes.
    https://www.postgresql.org/docs/current/view-pg-replication-slots.html
    https://www.postgresql.org/docs/current/event-trigger-definition.html
    """

    def ask(query: str) -> list[str]:
        return [str(value) for value in connection.exec_driver_sql(query).scalars()]

    (free,) = ask(
        "SELECT current_setting('max_connections')::int - (SELECT count(*) FROM pg_stat_activity "
        "WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend') "  # NULL: hidden
        "- CASE WHEN rolsuper THEN 0 ELSE "
        "current_setting('superuser_reserved_connections')::int + "
        "coalesce(current_setting('reserved_connections', true)::int, 0) END "
        "FROM pg_roles WHERE rolname = current_user"
    )
    publications = ask("SELECT pubname FROM pg_publication WHERE puballtables ORDER BY 1")
    slots = ask(
        "SELECT slot_name FROM pg_replication_slots "
        "WHERE slot_type = 'logical' AND database = current_database() ORDER BY 1"
    )
    replicas = ask(
        "SELECT coalesce(nullif(application_name, ''), pid::text) FROM pg_stat_replication r "
        "WHERE coalesce(state, '') <> 'backup' AND NOT EXISTS (SELECT FROM pg_replication_slots s "
        "WHERE s.active_pid = r.pid AND s.slot_type = 'logical') ORDER BY 1"
    )
    triggers = ask("SELECT evtname FROM pg_event_trigger WHERE evtenabled <> 'D' AND evtevent <> 'login' ORDER BY 1")
    return Bystanders(
        free=max(0, int(free)),
        followers=(
            *(f"the publication {name} of all tables" for name in publications),
            *(f"the logical replication slot {name}" for name in slots),
            *(f"the replica {name}" for name in replicas),
        ),
        triggers=tuple(f"the event trigger {name}" for name in triggers),
    )


def of_mysql(connection: sa.Connection) -> Bystanders:
    """Look for who reads the binary log, be it a replica or a tool that captures changes, and for a cluster.

    https://dev.mysql.com/doc/refman/9.7/en/replica-logs-status.html
    https://galeracluster.com/library/documentation/galera-status-variables.html
    """

    def number(query: str) -> int:
        row = connection.exec_driver_sql(query).first()
        return 0 if row is None or row[-1] is None else int(row[-1])

    free = number("SELECT @@max_connections") - number("SHOW GLOBAL STATUS WHERE Variable_name = 'Threads_connected'")
    readers = number("SELECT count(*) FROM information_schema.processlist WHERE LEFT(command, 11) = 'Binlog Dump'")
    nodes = number("SHOW GLOBAL STATUS WHERE Variable_name = 'wsrep_cluster_size'")
    try:
        members = number(
            "SELECT count(*) FROM performance_schema.replication_group_members WHERE member_state = 'ONLINE'"
        )
    except sa.exc.DBAPIError:  # MariaDB has no such table
        members = 0
    followers = []
    if readers:
        followers.append(f"{readers} reader{'s' if readers > 1 else ''} of the binary log")
    if max(nodes, members) > 1:
        followers.append(f"the {max(nodes, members) - 1} other nodes of the cluster")
    seen = not number("SELECT @@log_bin") or number(
        "SELECT count(*) FROM information_schema.user_privileges WHERE privilege_type = 'PROCESS'"
    )
    missing = "whether anybody reads the binary log: that takes GRANT PROCESS ON *.*"
    return Bystanders(free=max(0, free), followers=tuple(followers), unseen=() if seen else (missing,))
