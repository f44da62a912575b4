"""A database of a storm's own on PostgreSQL: like the URL's, never another's to drop, and gone whatever happens."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from databases.own import execute, own_database, own_user, rows
from idstorm.databases.namespaces.names import name_of
from idstorm.databases.postgresql import own_databases
from idstorm.databases.registry import DATABASES
from running import Idstorm, eventually
from servers import On

THERE = DATABASES["postgresql"]


def label() -> str:
    return f"20000101-000000-{secrets.token_hex(2)}-1"


@pytest.fixture
def app(postgresql: On) -> Iterator[On]:
    """An application's database, by a driver that takes no options."""
    with own_database(postgresql) as on:
        assert on.url is not None
        yield On("postgresql", on.url.set(drivername="postgresql+asyncpg"))


def threaded(on: On) -> On:
    assert on.url is not None
    return On("postgresql", THERE.threaded(on.url))


@contextmanager
def made(on: On, *, keep: bool = False) -> Iterator[sa.URL]:
    assert on.url is not None
    with THERE.namespace(on.url, label(), keep=keep) as inside:
        yield THERE.threaded(inside)


def databases(on: On) -> set[str]:
    return {name for (name,) in rows(threaded(on), "SELECT datname FROM pg_database")}


def test_from_another_database_one_without_a_client_is_seen_to_be_in_use(app: On, postgresql: On) -> None:
    assert postgresql.url is not None
    with made(app) as inside:
        name = str(inside.database)
        (found,) = [one for one in THERE.namespaces(postgresql.url) if one.name == name]
        assert (found.in_use, found.strange) == (True, None)
        assert not THERE.reclaim(postgresql.url, name)
        assert name in databases(app)
    assert name not in databases(app)


def test_one_that_a_killed_run_has_left_is_dropped_from_any_database(app: On, postgresql: On, idstorm: Idstorm) -> None:
    assert app.url is not None
    assert postgresql.url is not None
    url, name = app.url.render_as_string(hide_password=False), name_of(tag := label())
    script = (
        "import sys, time, sqlalchemy as sa\nfrom idstorm.databases.registry import DATABASES\n"
        f"with DATABASES['postgresql'].namespace(sa.make_url(sys.stdin.readline().strip()), {tag!r}):\n"
        "    print('made', flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        print(url, file=process.stdin, flush=True)
        assert process.stdout.readline() == "made\n"
        process.send_signal(signal.SIGKILL)
    assert name in databases(app)

    def is_free() -> bool:
        return any(one.name == name and not one.in_use for one in THERE.namespaces(postgresql.url or sa.make_url("")))

    eventually(is_free)
    target = postgresql.url.render_as_string(hide_password=False)
    assert f"dropped {name}" in idstorm("doctor", "--clean", target, "--drop", name).out
    assert name not in databases(app)


@pytest.mark.parametrize("step", ["create", "furnish"])
def test_an_interrupt_while_it_is_made_leaves_nothing(app: On, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    whole, names = getattr(own_databases, step), list[str]()

    def interrupted(*given: object, **named: object) -> None:
        whole(*given, **named)
        names.append(str(given[1]))
        raise KeyboardInterrupt

    monkeypatch.setattr(own_databases, step, interrupted)
    with pytest.raises(KeyboardInterrupt), made(app):
        pass
    assert names
    assert not databases(app) & set(names)


def test_its_sessions_have_the_settings_of_the_urls_own(app: On) -> None:
    assert app.url is not None
    database, mine = f'"{app.url.database}"', threaded(app)
    for statement in (
        f"ALTER DATABASE {database} SET default_transaction_isolation = 'repeatable read'",
        f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET default_transaction_isolation = 'serializable'",
        f"ALTER DATABASE {database} SET app.format = '50%%x'",
        f"ALTER DATABASE {database} SET session_preload_libraries = 'plpgsql', 'pgoutput'",
        f"ALTER DATABASE {database} SET search_path = elsewhere",
    ):
        execute(mine, statement)
    asked = [f"SHOW {name}" for name in ("default_transaction_isolation", "app.format", "session_preload_libraries")]
    with made(app) as inside:
        own = On("postgresql", inside)
        assert [rows(own, query) for query in asked] == [rows(mine, query) for query in asked]
        assert rows(own, asked[0]) == [("serializable",)]
        assert rows(own, "SELECT current_schema()") == [("public",)]
        assert THERE.differing(app.url, inside) == []


def test_what_its_user_may_not_copy_is_told(app: On) -> None:
    mine = threaded(app)
    assert mine.url is not None
    execute(mine, f"ALTER DATABASE \"{mine.url.database}\" SET log_min_duration_statement = '1s'")
    with own_user(mine, "ALTER ROLE {} CREATEDB") as user:
        assert user.url is not None
        with made(On("postgresql", user.url.set(drivername="postgresql+asyncpg"))) as inside:
            (sentence,) = THERE.differing(user.url, inside)
    assert "lacks log_min_duration_statement=" in sentence


def test_who_may_not_make_one_is_told_the_privilege(app: On, idstorm: Idstorm) -> None:
    with own_user(threaded(app), "ALTER ROLE {} NOCREATEDB") as user:
        assert user.url is not None
        url = user.url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
        ran = idstorm("run", "autoincrement", "--on", url, "-n", "400")
    assert ran.code == 3
    assert f"may not make a database in {user.url.database}: ALTER ROLE" in ran.err
    assert "CREATEDB" in ran.err


def test_a_lock_that_was_lost_is_taken_again(app: On) -> None:
    with made(app) as inside:
        ended = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()"
        )
        assert rows(threaded(app), ended.format(inside.database)) == [(True,)]
        held = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{inside.database}' AND application_name <> ''"
        eventually(lambda: rows(threaded(app), held) == [(1,)])
