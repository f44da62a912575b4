"""Who else on a PostgreSQL server a storm affects."""

from __future__ import annotations

import sqlalchemy as sa

from idstorm.databases.bystanders import MAX, Bystanders, Questions

_LIMITS = """
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
"""The limit that leaves this user the fewest connections, and how many. The type of others' sessions may be hidden.

https://www.postgresql.org/docs/current/runtime-config-connection.html
https://www.postgresql.org/docs/current/sql-createrole.html
"""


def bystanders_of(connection: sa.Connection) -> Bystanders:
    """Look for publications of all tables, logical slots, replicas, and event triggers, which any user may see.

    A publication of named tables or schemas has none of a storm's tables. A logical slot is sent all tables' changes.
    https://www.postgresql.org/docs/current/view-pg-replication-slots.html
    https://www.postgresql.org/docs/current/event-trigger-definition.html
    """
    ask = Questions(connection)
    limits = ask.rows(_LIMITS, "how many connections the server has left")
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
    limit, free = (str(limits[0][0]), max(0, int(str(limits[0][1])))) if limits else (MAX, None)
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
