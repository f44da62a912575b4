"""Before a storm it is seen whom else on a server it would reach, and whether the server has the connections for it."""

from __future__ import annotations

import struct
from contextlib import closing
from typing import Any

import psycopg
import pytest

from databases.own import execute, judged, own_database, own_user, private, target
from idstorm.databases.registry import DATABASES
from running import Idstorm, eventually
from servers import On, database

_BINLOG_DUMP = 0x12  # https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_binlog_dump.html
STORM = ("autoincrement", "-c", "4")


def refused(idstorm: Idstorm, on: On, what: str) -> list[str]:
    """A storm is refused for this, and runs as soon as that is allowed, with a note. Returns the notes."""
    ran = idstorm("run", *STORM, "-n", "400", *target(on))
    assert ran.code == 2, ran.err
    assert f"would be sent to {what}: storm another server, or allow it with --allow-replicated" in ran.err
    report = judged(idstorm.storm(*STORM, "--allow-replicated", *target(on)))
    assert report["operations"]["acknowledged"] == 400, report
    notes: list[str] = report["notes"]
    assert f"what the storm wrote was sent to {what}, too" in notes
    return notes


def test_a_publication_of_all_tables_is_found(idstorm: Idstorm, postgresql: On) -> None:
    with own_database(postgresql) as on:
        execute(on, "CREATE TABLE shop (id int)", "CREATE PUBLICATION shopping FOR TABLE shop")
        assert judged(idstorm.storm(*STORM, *target(on)))["code"] == 0
        execute(on, "CREATE PUBLICATION everything FOR ALL TABLES")
        refused(idstorm, on, "the publication everything of all tables")


def test_an_event_trigger_is_told_of(idstorm: Idstorm, postgresql: On) -> None:
    with own_database(postgresql) as on:
        body = "BEGIN END"
        execute(
            on,
            f"CREATE FUNCTION audit() RETURNS event_trigger LANGUAGE plpgsql AS $${body}$$",
            "CREATE EVENT TRIGGER audit_ddl ON ddl_command_end EXECUTE FUNCTION audit()",
        )
        report = judged(idstorm.storm(*STORM, *target(on)))
        assert report["code"] == 0
        assert "the event trigger audit_ddl fired where the storm made and dropped its tables" in report["notes"]


@pytest.mark.release
def test_logical_slots_and_replicas_are_found_and_connections_counted(idstorm: Idstorm) -> None:
    with private("postgresql", wal_level="logical", max_connections="14") as on:
        assert on.url is not None
        few = judged(idstorm.storm(*STORM, *target(on)))
        assert "the storm needed up to 7 of the 13 connections that the server had left" in few["notes"]
        ran = idstorm("run", "autoincrement", "-c", "32", *target(on))
        assert ran.code == 3, ran.err
        assert "the storm needs 35 connections, and " in ran.err
        assert "has 13 left: storm with fewer clients (-c), or raise its max_connections" in ran.err

        execute(on, "SELECT pg_create_logical_replication_slot('changes', 'pgoutput')")
        refused(idstorm, on, "the logical replication slot changes")
        execute(on, "SELECT pg_drop_replication_slot('changes')")

        url = on.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg.connect(f"{url}?replication=true&application_name=standby")) as replica:
            position = replica.pgconn.exec_(b"IDENTIFY_SYSTEM").get_value(0, 2)
            assert position is not None
            replica.pgconn.exec_(b"START_REPLICATION PHYSICAL " + position)
            refused(idstorm, on, "the replica standby")


@pytest.mark.release
def test_a_reader_of_the_binary_log_is_found(idstorm: Idstorm) -> None:
    with private("mysql") as on:
        assert on.url is not None
        there = DATABASES["mysql"]
        with there.administer(on.url) as connection:
            assert there.bystanders(connection).followers == ()
            (name, position, *_) = connection.exec_driver_sql("SHOW BINARY LOG STATUS").one()
            with closing(on.engine().raw_connection()) as raw:
                reader: Any = raw.driver_connection
                raw.detach()
                reader.query("SET @source_binlog_checksum = 'NONE'")  # as a tool that captures changes does
                reader._execute_command(_BINLOG_DUMP, struct.pack("<IHI", position, 0, 77) + name.encode())
                eventually(lambda: there.bystanders(connection).followers)
                refused(idstorm, on, "1 reader of the binary log")
                reader._force_close()


@pytest.mark.release
def test_what_a_user_may_not_see_is_said(idstorm: Idstorm) -> None:
    with private("mysql") as on, own_user(on, "GRANT ALL ON `idstorm\\_%%`.* TO {}") as user:
        report = judged(idstorm.storm(*STORM, *target(user)))
        assert report["code"] == 0
        missing = "it was not seen whether the binary log has readers: that takes GRANT PROCESS ON *.*"
        assert missing in report["notes"]
        execute(on, f"GRANT PROCESS ON *.* TO {user.url.username if user.url else ''}")
        assert missing not in judged(idstorm.storm(*STORM, *target(user)))["notes"]


def test_a_question_that_is_refused_hides_no_other_answer(idstorm: Idstorm, postgresql: On) -> None:
    with own_database(postgresql) as on:
        execute(on, "CREATE PUBLICATION everything FOR ALL TABLES", "REVOKE SELECT ON pg_event_trigger FROM PUBLIC")
        with own_user(on, f"GRANT CREATE ON DATABASE {on.url.database if on.url else ''} TO {{}}") as user:
            notes = refused(idstorm, user, "the publication everything of all tables")
            said = "it was not seen whether there are event triggers: permission denied for table pg_event_trigger"
            assert said in notes


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "mariadb"])
def test_the_connections_that_a_user_may_have_are_counted(idstorm: Idstorm, dialect: str) -> None:
    server = database(dialect)
    assert server.url is not None
    if dialect == "postgresql":
        grants = [f"GRANT CREATE ON DATABASE {server.url.database} TO {{}}"]
        options, limit = "CONNECTION LIMIT 5", "the CONNECTION LIMIT of the role {}"
    else:
        grants = ["GRANT ALL ON `idstorm\\_%%`.* TO {}", "GRANT PROCESS ON *.* TO {}"]
        options, limit = "WITH MAX_USER_CONNECTIONS 5", "the max_user_connections of its user"
    with own_user(server, *grants, options=options) as user:
        assert user.url is not None
        ran = idstorm("run", "autoincrement", "-c", "8", *target(user))
        assert ran.code == 3, ran.err
        assert "has 4 left: storm with fewer clients (-c), or raise " + limit.format(user.url.username) in ran.err
        one = judged(idstorm.storm("autoincrement", "-c", "1", "-n", "50", *target(user)))
        assert (one["operations"]["acknowledged"], one["verdicts"]["durable"]["status"]) == (50, "held")


def test_a_database_has_a_limit_of_its_own(idstorm: Idstorm, postgresql: On) -> None:
    with own_database(postgresql) as on:
        assert on.url is not None
        execute(on, f"ALTER DATABASE {on.url.database} CONNECTION LIMIT 5")
        with own_user(on, f"GRANT CREATE ON DATABASE {on.url.database} TO {{}}") as user:
            ran = idstorm("run", "autoincrement", "-c", "8", *target(user))
            assert ran.code == 3, ran.err
            assert f"or raise the CONNECTION LIMIT of the database {on.url.database}" in ran.err
        assert judged(idstorm.storm("autoincrement", "-c", "8", "-n", "400", *target(on)))["code"] == 0  # a superuser


@pytest.mark.parametrize(
    ("words", "connections"),
    [
        (("-c", "8", "-j", "2"), 8 + 3),
        (("-c", "9", "-j", "2", "--pool-size", "2"), 2 * 2 + 3),
        (("-c", "9", "-j", "2", "--pool-size", "2", "--max-overflow", "2"), 2 * 4 + 3),
        (("-c", "5", "-j", "2", "--pool-size", "50"), 5 + 3),
        (("-c", "8", "--reader"), 8 + 1 + 3),
    ],
)
def test_a_dry_run_says_what_a_storm_needs(idstorm: Idstorm, words: tuple[str, ...], connections: int) -> None:
    url = "postgresql://me@nowhere/Shop"
    ran = idstorm("run", "autoincrement", "--on", url, "-n", "20000", "--dry-run", *words)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[:3] == [
        f"autoincrement on {url}",
        f"    needs {connections} connections, about 1 MB of results and 10 MB in the database for 20,000 rows",
        '    GRANT CREATE ON DATABASE "Shop" TO me',
    ]


def test_a_dry_run_names_the_role_that_a_url_sets(idstorm: Idstorm) -> None:
    for options in ("-crole%3Dmaker", "-c%20role%3Dmaker", "--role%3Dmaker%20-cstatement_timeout%3D0"):
        url = f"postgresql://me@nowhere/shop?options={options}"
        ran = idstorm("run", "autoincrement", "--on", url, "--dry-run")
        assert "    GRANT CREATE ON DATABASE shop TO maker" in ran.out.splitlines(), ran.err


def test_a_dry_run_lists_the_privileges_of_each_database(idstorm: Idstorm) -> None:
    targets = ("--on", "sqlite", "--on", "mysql://me@nowhere/", "--on", "mariadb://me@nowhere/")
    ran = idstorm("run", "two_phase", *targets, "--dry-run")
    assert ran.code == 0, ran.err
    grants = [line.strip() for line in ran.out.splitlines() if line.startswith("    GRANT")]
    everywhere = ["GRANT ALL ON `idstorm\\_%`.* TO me", "GRANT PROCESS ON *.* TO me"]
    assert grants == [*everywhere, "GRANT XA_RECOVER_ADMIN ON *.* TO me", *everywhere]
