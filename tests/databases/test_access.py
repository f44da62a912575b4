"""What keeps idstorm from a server is one sentence that says what is missing, and never a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from databases.own import own_database, own_user, target
from idstorm.databases.private.host import free_port
from running import Idstorm, Ran
from servers import On, database


def is_shown(on: On, text: bytes) -> bool:
    """Whether a text holds the password, of a server that asks for one."""
    assert on.url is not None
    return on.url.password is not None and str(on.url.password).encode() in text


def is_kept(on: On, folder: Path) -> bool:
    return any(is_shown(on, path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def refused(idstorm: Idstorm, ran: Ran, on: On, *sentences: str) -> None:
    """It ended as the environment's fault, said so, and the password is nowhere."""
    assert ran.code == 3, (ran.out, ran.err)
    assert all(sentence in ran.out + ran.err for sentence in sentences), (ran.out, ran.err)
    assert "Traceback" not in ran.out + ran.err
    assert not is_shown(on, (ran.out + ran.err).encode())
    assert not is_kept(on, idstorm.folder)


def test_a_wrong_password_is_said_and_not_shown(idstorm: Idstorm, server: On) -> None:
    assert server.url is not None
    wrong = On(server.dialect, server.url.set(password="not-the-password-4711"))
    refused(idstorm, idstorm("run", "autoincrement", *target(wrong)), wrong, "is out of reach", "***")


@pytest.mark.parametrize("where", ["no such host", "nobody listens", "no such database"])
def test_what_is_not_there_is_out_of_reach(idstorm: Idstorm, server: On, where: str) -> None:
    assert server.url is not None
    url = {
        "no such host": server.url.set(host="no-such-host.invalid"),
        "nobody listens": server.url.set(port=free_port()),
        "no such database": server.url.set(database="no_such_database"),
    }[where]
    there = On(server.dialect, url.set(password=url.password or "a-password-4711"))
    refused(idstorm, idstorm("run", "autoincrement", *target(there)), there, "is out of reach")


READ_ONLY = {"postgresql": "GRANT pg_read_all_data TO {}", "mysql": "GRANT SELECT ON *.* TO {}"}
READ_ONLY["mariadb"] = READ_ONLY["mysql"]
ADVICE = {"postgresql": "GRANT CREATE ON DATABASE postgres TO {}", "mysql": "GRANT ALL ON `idstorm\\_%`.* TO {}"}
ADVICE["mariadb"] = ADVICE["mysql"]


@pytest.mark.parametrize("may_read", [True, False])
def test_a_user_who_may_not_make_a_namespace_is_told_the_privilege(
    idstorm: Idstorm, server: On, may_read: bool
) -> None:
    with own_user(server, *([READ_ONLY[server.dialect]] if may_read else [])) as user:
        assert user.url is not None
        advice = ADVICE[server.dialect].format(user.url.username)
        refused(idstorm, idstorm("run", "autoincrement", *target(user)), user, "may not make a", advice)


def test_the_privilege_that_was_named_is_enough(idstorm: Idstorm, server: On) -> None:
    with own_user(server, ADVICE[server.dialect].replace("%", "%%")) as user:
        ran = idstorm("run", "autoincrement", *target(user), "-n", "400")
        assert ran.code == 0, ran.err
        assert not is_shown(user, (ran.out + ran.err).encode())
        assert not is_kept(user, idstorm.folder)


def test_a_server_that_only_reads_is_the_environments_fault(idstorm: Idstorm, postgresql: On) -> None:
    with own_database(postgresql) as on, own_user(on, "ALTER ROLE {} SET default_transaction_read_only = on") as user:
        refused(idstorm, idstorm("run", "autoincrement", *target(user)), user, "read-only")


def test_a_target_out_of_reach_does_not_keep_the_others_from_their_storms(idstorm: Idstorm, server: On) -> None:
    assert server.url is not None
    away = On(server.dialect, server.url.set(port=free_port()))
    ran = idstorm.storm("autoincrement", *target(away), *target(server), "--on", "sqlite")
    assert ran.code == 3
    results = [storm["result"] for storm in ran.report["storms"]]
    assert results == ["inconclusive", "passed", "passed"]
    assert "out of reach" in ran.report["storms"][0]["ending"]


@pytest.mark.parametrize(("scheme", "dialect"), [("mysql", "mysql"), ("mysql", "mariadb"), ("mariadb", "mariadb")])
def test_a_server_is_what_it_says_whatever_its_url_says(idstorm: Idstorm, scheme: str, dialect: str) -> None:
    (_, url) = target(database(dialect))
    ran = idstorm.storm("autoincrement", "--on", f"{scheme}://{url.partition('://')[2]}")
    assert ran.code == 0, ran.err
    assert ran.report["storms"][0]["target"]["dialect"] == dialect


def test_mysql_is_never_taken_for_mariadb(idstorm: Idstorm) -> None:
    mysql = database("mysql")
    (_, url) = target(mysql)
    ran = idstorm("run", "autoincrement", "--on", f"mariadb://{url.partition('://')[2]}")
    refused(idstorm, ran, mysql, "is not a MariaDB variant")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_bare_url_works(idstorm: Idstorm, postgresql: On, scheme: str) -> None:
    (_, url) = target(postgresql)
    ran = idstorm.storm("autoincrement", "--on", f"{scheme}://{url.partition('://')[2]}")
    assert ran.code == 0, ran.err
    assert ran.report["storms"][0]["target"]["dialect"] == "postgresql"
