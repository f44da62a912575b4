"""What is not provably idstorm's own is never ended, resolved or dropped, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from databases.own import execute, judged, own_database, own_user, rows, target, unique
from idstorm.databases.namespaces.names import Namespace
from idstorm.databases.postgresql.schemas import leading_into, schema_of
from idstorm.databases.registry import DATABASES
from running import Idstorm, eventually
from servers import On

OURS = "idstorm_20000101_000000_abcd_01"
MARK = "idstorm: the schema of one storm, to be dropped after it"


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("", []),
        ("-csearch_path=shop", []),
        ("-c search_path=shop,public", []),
        ("-c Search-Path=shop", []),
        ("--search_path=shop", []),
        ("--search-path=shop -cgeqo=off", ["-cgeqo=off"]),
        (r"-c statement_timeout=9s -csearch_path=a\ b", ["-cstatement_timeout=9s"]),
        (r"-capplication_name=a\ -csearch_path=x", [r"-capplication_name=a\ -csearch_path=x"]),
        ("-csearch_path=idstorm_other -c", ["-c"]),
    ],
)
def test_a_search_path_of_a_url_is_replaced_by_the_namespace(given: str, left: list[str]) -> None:
    url = sa.make_url("postgresql+psycopg://me@host/db?application_name=shop").update_query_dict({"options": given})
    inside = leading_into(url, OURS)
    assert inside.query["options"] == " ".join([*left, f"-csearch_path={OURS}"])
    assert inside.query["application_name"] == OURS
    assert schema_of(inside) == OURS


@pytest.mark.release
def test_a_writer_is_seen_whose_kind_a_plain_role_may_not_see(postgresql: On) -> None:
    there = DATABASES["postgresql"]
    with own_database(postgresql) as on:
        assert on.url is not None
        with own_user(on, f"GRANT CREATE ON DATABASE {on.url.database} TO {{}}") as user:
            assert user.url is not None
            with there.namespace(user.url, "20000101-000000-abcd-1") as inside:
                execute(On("postgresql", inside), "CREATE TABLE thing (id int)")
                with sa.create_engine(on.url, poolclass=sa.NullPool).connect() as superuser:
                    superuser.exec_driver_sql(f"INSERT INTO {there.name_in(inside)}.thing VALUES (1)")
                    assert not there.quiesce(inside)
                    superuser.rollback()
                assert there.quiesce(inside)


def test_the_options_of_the_environment_count_where_a_url_has_none(idstorm: Idstorm, postgresql: On) -> None:
    environ = {"PGOPTIONS": "-csearch_path=shop -csynchronous_commit=off"}
    assert postgresql.url is not None
    ran = idstorm.storm("autoincrement", *target(postgresql), **environ)
    assert ran.code == 0, ran.err
    assert "synchronous_commit=off" in idstorm("check", "-v", str(idstorm.run_folder)).out


def test_the_options_of_a_url_replace_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-csynchronous_commit=off")
    url = sa.make_url("postgresql://me@here/db")
    assert leading_into(url, OURS).query["options"] == f"-csynchronous_commit=off -csearch_path={OURS}"
    with_its_own = url.update_query_dict({"options": "-cwork_mem=8MB"})
    assert leading_into(with_its_own, OURS).query["options"] == f"-cwork_mem=8MB -csearch_path={OURS}"


@pytest.mark.parametrize("options", ["", "-csearch_path=shop", f"-csearch_path={OURS} -csearch_path=shop", "-c"])
def test_a_url_that_idstorm_did_not_make_leads_into_no_namespace(options: str) -> None:
    url = sa.make_url("postgresql+psycopg://me@host/db").update_query_dict({"options": options})
    assert schema_of(url) is None
    assert not DATABASES["postgresql"].quiesce(url)


def test_a_storm_leaves_the_sessions_alone_that_are_called_like_the_search_path_of_its_url(
    idstorm: Idstorm, postgresql: On
) -> None:
    with own_database(postgresql) as on:
        assert on.url is not None
        execute(on, "CREATE SCHEMA shop", "CREATE TABLE shop.user (id int)")
        named = on.url.update_query_dict({"application_name": "shop"})
        with sa.create_engine(named, poolclass=sa.NullPool).connect() as stranger:
            stranger.exec_driver_sql('INSERT INTO shop."user" VALUES (7)')
            url = on.url.update_query_dict({"options": "-csearch_path=shop", "application_name": "shop"})
            report = judged(idstorm.storm("autoincrement", *target(On("postgresql", url))))
            assert report["code"] == 0, report
            assert report["operations"]["acknowledged"] == 400
            stranger.commit()
        assert rows(on, 'SELECT id FROM shop."user"') == [(7,)]


@pytest.mark.parametrize("word", ["db", "database"])
def test_another_database_that_a_url_names_besides_is_replaced_too(word: str) -> None:
    url = sa.make_url(f"mysql+pymysql://me@host/app?{word}=shop&charset=utf8mb4")
    inside = DATABASES["mysql"].inside(url, OURS)
    assert inside.render_as_string() == f"mysql+pymysql://me@host/{OURS}?charset=utf8mb4"


HOSTILE = {
    "postgresql": [
        'x"; ALTER ROLE {role} SUPERUSER; DROP SCHEMA "x',
        "x'; ALTER ROLE {role} SUPERUSER; --",
        "IDSTORM_20000101_000000_ABCD_01",
        OURS + "x",
    ],
    "mysql": ["{name}`; DROP DATABASE `payroll", "idstorm_%", OURS + "x"],
}


def made_by_a_stranger(server: On, stranger: On, names: list[str]) -> None:
    quote = '"' if server.dialect == "postgresql" else "`"
    for name in names:
        quoted = quote + name.replace(quote, quote * 2).replace("%", "%%") + quote
        if server.dialect == "postgresql":
            execute(stranger, f"CREATE SCHEMA {quoted}", f"COMMENT ON SCHEMA {quoted} IS '{MARK}'")
        else:
            execute(stranger, f"CREATE DATABASE {quoted}", f"CREATE VIEW {quoted}.idstorm_mark AS SELECT 1 AS idstorm")


@contextmanager
def with_a_stranger(server: On) -> Iterator[tuple[On, On]]:
    """A database, on PostgreSQL of its own, and somebody who may make namespaces in it, but nothing else."""
    if server.dialect != "postgresql":
        with own_user(server, "GRANT ALL ON `idstorm\\_%%`.* TO {}") as stranger:
            yield server, stranger
        return
    with own_database(server) as on:
        assert on.url is not None
        name = on.url.database
        with own_user(on, f"GRANT CREATE ON DATABASE {name} TO {{}}") as stranger:
            yield on, stranger


def test_what_a_stranger_calls_like_ours_is_shown_and_not_touched(idstorm: Idstorm, server: On) -> None:
    with with_a_stranger(server) as (on, stranger):
        assert stranger.url is not None
        role = str(stranger.url.username)
        own = OURS.replace("abcd", unique("x")[-4:])
        hostile = HOSTILE["postgresql" if on.dialect == "postgresql" else "mysql"]
        names = [name.format(name=own, role=role) for name in hostile] + [own]
        made_by_a_stranger(on, stranger, names)
        try:
            ran = idstorm("doctor", "--clean", on.dialect, "--drop", **on.environ)
            assert ran.code == 0, ran.err
            assert set(names) <= schemas(on)
            lines = ran.out.splitlines()
            assert any(line.startswith(f"{own} not touched: it belongs to {role}") for line in lines), ran.out
            for name in names[:-1]:
                assert f"{name} not touched: its name is not one that idstorm gives" in lines
            named = idstorm("doctor", "--clean", on.dialect, "--drop", own, **on.environ)
            assert "not touched" in named.out
            assert set(names) <= schemas(on)
            if on.dialect == "postgresql":
                assert rows(on, f"SELECT rolsuper FROM pg_roles WHERE rolname = '{role}'") == [(False,)]
            theirs = idstorm("doctor", "--clean", on.dialect, "--drop", own, **stranger.environ)
            assert theirs.out == f"dropped {own}\n"
        finally:
            if on.dialect != "postgresql":
                for name in schemas(on) & set(names):
                    quoted = name.replace("`", "``").replace("%", "%%")
                    execute(on, f"DROP DATABASE `{quoted}`")


def schemas(on: On) -> set[str]:
    with on.engine().connect() as connection:
        return set(sa.inspect(connection).get_schema_names())


def test_a_function_of_a_strangers_is_not_called_instead_of_the_catalogues(idstorm: Idstorm, postgresql: On) -> None:
    """An exact match of its parameters comes before the catalogue's own, wherever the search path has it."""
    with own_database(postgresql) as on, own_user(on, "GRANT CREATE, USAGE ON SCHEMA public TO {}") as stranger:
        assert stranger.url is not None
        superuser = f"BEGIN ALTER ROLE {stranger.url.username} SUPERUSER; RETURN {{}}; END"
        for name, returns, value in (
            ("obj_description(oid, text)", "text", f"'{MARK}'"),
            ("hashtextextended(text, integer)", "bigint", "1"),
            ("pg_try_advisory_lock(integer)", "boolean", "true"),
        ):
            body = superuser.format(value)
            execute(stranger, f"CREATE FUNCTION public.{name} RETURNS {returns} LANGUAGE plpgsql AS $${body}$$")
        ran = idstorm.storm("autoincrement", *target(on))
        assert ran.code == 0, ran.err
        assert idstorm("doctor", "--clean", "postgresql", "--drop", **on.environ).code == 0
        assert rows(on, f"SELECT rolsuper FROM pg_roles WHERE rolname = '{stranger.url.username}'") == [(False,)]


def test_what_is_kept_is_dropped_by_its_name_alone(idstorm: Idstorm, server: On) -> None:
    with (
        own_database(server)
        if server.dialect == "postgresql"
        else own_user(server, "GRANT ALL ON `idstorm\\_%%`.* TO {}") as on
    ):
        assert idstorm.storm("autoincrement", "--keep", *target(on)).code == 0
        kept = "idstorm_" + idstorm.run_folder.name.replace("-", "_") + "_01"
        words = ("doctor", "--clean", on.dialect)
        assert f"{kept} kept" in idstorm(*words, **on.environ).out.splitlines()
        assert f"{kept} kept" in idstorm(*words, "--drop", **on.environ).out.splitlines()
        assert idstorm(*words, "--drop", kept, **on.environ).out == f"dropped {kept}\n"
        ran = idstorm(*words, "--drop", kept, **on.environ)
        assert ran.code == 2
        assert f"has no namespace of idstorm's that is called {kept}" in ran.err


@pytest.mark.release
def test_one_that_cannot_be_dropped_does_not_keep_the_others(idstorm: Idstorm, postgresql: On) -> None:
    with own_database(postgresql) as on:
        first, second = (f"idstorm_20000101_000000_abcd_0{number}" for number in (1, 2))
        for name in (first, second):
            execute(on, f"CREATE SCHEMA {name}", f"COMMENT ON SCHEMA {name} IS '{MARK}'")
        execute(on, f"CREATE TABLE {first}.thing (id int)")
        with on.engine().connect() as stranger:
            stranger.exec_driver_sql("BEGIN")
            stranger.exec_driver_sql(f"SELECT * FROM {first}.thing")
            ran = idstorm("doctor", "--clean", "postgresql", "--drop", **on.environ)
        assert ran.code == 3
        assert ran.out.splitlines() == [
            f"{first} not dropped: canceling statement due to lock timeout",
            f"dropped {second}",
        ]
        assert "not all could be dropped" in ran.err


@pytest.mark.parametrize(("mode", "quiet"), [("ROW EXCLUSIVE", False), ("ACCESS SHARE", True)])
def test_who_writes_under_another_name_is_waited_for_and_not_ended(postgresql: On, mode: str, quiet: bool) -> None:
    assert postgresql.url is not None
    there = DATABASES["postgresql"]
    with there.namespace(postgresql.url, f"20000101-000000-{unique('x')[-4:]}-1") as inside:
        name = there.name_in(inside)
        execute(postgresql, f"CREATE TABLE {name}.thing (id int)")
        with postgresql.engine().connect() as other:
            other.exec_driver_sql("BEGIN")
            other.exec_driver_sql(f"LOCK TABLE {name}.thing IN {mode} MODE")
            assert bool(there.quiesce(inside)) is quiet
            other.exec_driver_sql("COMMIT")


HOLDERS = {
    "postgresql": "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND "
    "(classid::bigint << 32) + objid::bigint = hashtextextended('{0}', 0)",
    "mysql": "SELECT IS_USED_LOCK('{0}')",
    "mariadb": "SELECT IS_USED_LOCK('{0}')",
}


def test_a_lock_whose_session_is_ended_is_taken_again(server: On) -> None:
    """Meanwhile a session at work shows that the namespace is in use."""
    database, label = DATABASES[server.dialect], f"20000101-000000-{unique('x')[-4:]}-1"
    assert server.url is not None

    def holder() -> int | None:
        found = rows(server, HOLDERS[server.dialect].format(name))
        return int(found[0][0]) if found and found[0][0] is not None else None

    with database.namespace(server.url, label) as inside:
        name = str(database.name_in(inside))
        first = holder()
        assert first is not None
        engine = sa.create_engine(inside, poolclass=sa.NullPool)
        with engine.connect() as at_work:
            at_work.exec_driver_sql("SELECT 1")
            end = "SELECT pg_terminate_backend({})" if server.dialect == "postgresql" else "KILL {}"
            execute(server, end.format(first))
            assert Namespace(name, in_use=True) in database.namespaces(server.url)
            assert eventually(holder) != first
        assert Namespace(name, in_use=True) in database.namespaces(server.url)
        assert not database.reclaim(server.url, name)
    assert name not in {one.name for one in database.namespaces(server.url)}
