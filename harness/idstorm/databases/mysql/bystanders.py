"""Who else on a MySQL or MariaDB server a storm affects."""

from __future__ import annotations

import sqlalchemy as sa

from idstorm.databases.bystanders import MAX, Bystanders, Questions


def bystanders_of(connection: sa.Connection) -> Bystanders:
    """Look for readers of the binary log, such as replicas and change capture tools, and for a cluster.

    For the account's own limit, sessions of its name from any host are counted, which may be too many.
    https://dev.mysql.com/doc/refman/9.7/en/replica-logs-status.html
    https://dev.mysql.com/doc/refman/9.7/en/server-system-variables.html#sysvar_max_user_connections
    https://galeracluster.com/library/documentation/galera-status-variables.html
    """
    ask, connections = Questions(connection), "how many connections the server has left"
    groups, log = "whether the server is one of a cluster", "whether the binary log has readers"
    limits = dict[str, int]()
    if most := ask.number("SELECT @@global.max_connections", connections):
        limits[MAX] = most - ask.number("SHOW GLOBAL STATUS WHERE Variable_name = 'Threads_connected'", connections)
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
    limit = min(limits, key=lambda one: limits[one], default=MAX)
    free = max(0, limits[limit]) if limits else None
    return Bystanders(free, limit, tuple(followers), unseen=tuple(dict.fromkeys(ask.unseen)))
