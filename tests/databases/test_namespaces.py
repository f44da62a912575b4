"""A storm stays in its namespace: nothing outside is made, altered, dropped or written, and nothing is left behind."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from databases.own import HEAD, execute, judged, own_database, rows, storm, target, unique
from idstorm.databases.namespaces.names import Namespace
from idstorm.databases.registry import DATABASES
from running import Idstorm, eventually, workers_at_work
from servers import On

OUTSIDE = {
    "postgresql": [
        "CREATE TYPE colour AS ENUM ('red')",
        "CREATE SEQUENCE number START 70",
        "CREATE TABLE thing (id int PRIMARY KEY DEFAULT nextval('number'), colour colour, token bigint)",
        "INSERT INTO thing VALUES (1, 'red', 7)",
    ],
    "mysql": [
        "CREATE TABLE thing (id int PRIMARY KEY AUTO_INCREMENT, token bigint, colour varchar(9))",
        "INSERT INTO thing VALUES (1, 7, 'red')",
    ],
    "mariadb": [
        "CREATE SEQUENCE number START WITH 70",
        "CREATE TABLE thing (id int PRIMARY KEY AUTO_INCREMENT, token bigint, colour varchar(9))",
        "INSERT INTO thing VALUES (1, 7, 'red')",
    ],
}
SEEN = {
    "postgresql": [
        "SELECT * FROM thing",
        "SELECT last_value, is_called FROM number",
        "SELECT nspname, nspacl FROM pg_namespace ORDER BY 1",
        "SELECT relname, oid, relfilenode, xmin FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 2",
        "SELECT typname, oid, xmin FROM pg_type WHERE typnamespace = 'public'::regnamespace ORDER BY 1",
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    ],
    "mysql": ["SELECT * FROM thing", "SHOW CREATE TABLE thing", "SHOW TABLES"],
    "mariadb": [
        "SELECT * FROM thing",
        "SHOW CREATE TABLE thing",
        "SHOW TABLES",
        "SELECT next_not_cached_value FROM number",
    ],
}
MODEL = """
class Base(DeclarativeBase):
    pass

SEQUENCE = {sequence}

class Thing(Base):
    __tablename__ = "thing"
    __table_args__ = {{"schema": {table_schema!r}}}
    id: Mapped[int] = mapped_column(*SEQUENCE, primary_key=True)
    token: Mapped[int] = mapped_column(BigInteger)
    colour: Mapped[str] = mapped_column(Enum("red", "blue", name="colour", schema={type_schema!r}), default="blue")

mine = Scenario(Thing, deletes=0.2)
"""


def seen(on: On) -> list[Any]:
    """All that there is in the URL's database, outside storms."""
    return [rows(on, query) for query in SEEN[on.dialect]]


def left(on: On, idstorm: Idstorm) -> list[str]:
    """The namespaces of the folder's runs."""
    assert on.url is not None
    labels = ["idstorm_" + folder.name.replace("-", "_") for folder in (idstorm.folder / "results").iterdir()]
    return [one.name for one in DATABASES[on.dialect].namespaces(on.url) if one.name.startswith(tuple(labels))]


@pytest.mark.parametrize("named", ["nothing", "the table's", "the others'"])
def test_what_is_there_stays_as_it_is_whatever_a_model_names(idstorm: Idstorm, server: On, named: str) -> None:
    with own_database(server) as on:
        assert on.url is not None
        execute(on, *OUTSIDE[on.dialect])
        before = seen(on)
        there = "public" if on.dialect == "postgresql" else on.url.database
        table_schema = there if named == "the table's" else None
        type_schema = there if named == "the others'" else None
        sequence = f"[Sequence('number', schema={type_schema!r})]" if on.dialect != "mysql" else "[]"
        body = MODEL.format(sequence=sequence, table_schema=table_schema, type_schema=type_schema)
        report = storm(idstorm, on, body)
        assert report["code"] == 0, report
        assert report["operations"]["acknowledged"] > 200
        assert seen(on) == before


def test_a_table_that_is_in_two_schemas_is_refused(idstorm: Idstorm, postgresql: On) -> None:
    body = """
class Base(DeclarativeBase):
    pass

class Here(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)

class There(Base):
    __tablename__ = "thing"
    __table_args__ = {"schema": "elsewhere"}
    id: Mapped[int] = mapped_column(primary_key=True)

mine = Scenario(There, setup=lambda connection: None)  # whose code may need all of the tables
"""
    ran = idstorm("run", idstorm.write("mine.py", HEAD + body), *target(postgresql))
    assert ran.code == 2
    assert "thing is in several schemas" in ran.err


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("mine = Scenario(Thing)", 0),
        ("mine = Scenario(Thing, insert=lambda session, tokens: 1 / 0)", 2),
        ("mine = Scenario(Thing, insert=lambda session, tokens: 1 / (not AT_WORK) and [1])", 2),
        ("mine = Scenario(Thing, needs={'sqlite'})", 3),
    ],
    ids=["passed", "fails in rehearsal", "fails", "not applicable"],
)
def test_nothing_is_left_behind(idstorm: Idstorm, server: On, body: str, code: int) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + body), *target(server))
    assert ran.code == code, ran.err
    assert left(server, idstorm) == []


def test_nothing_is_left_behind_after_an_interrupt(idstorm: Idstorm, server: On) -> None:
    with idstorm.started("run", "autoincrement", *target(server), "-T", "60s") as process:
        workers_at_work(process, idstorm.folder)
        assert len(left(server, idstorm)) == 1
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert left(server, idstorm) == []


def test_what_is_kept_is_there_and_said_where(idstorm: Idstorm, server: On) -> None:
    ran = idstorm.storm("autoincrement", "--keep", *target(server))
    (name,) = left(server, idstorm)
    (note,) = judged(ran)["notes"]
    assert note.startswith("kept: ")
    assert name in note
    assert server.url is not None
    assert str(server.url.password) not in note
    tables = 'SELECT count(*) FROM {}."user"' if server.dialect == "postgresql" else "SELECT count(*) FROM {}.user"
    assert rows(server, tables.format(name)) == [(400,)]
    DATABASES[server.dialect].drop_namespace(server.url, name)
    assert left(server, idstorm) == []


def test_what_a_killed_run_leaves_is_known_by_its_mark(idstorm: Idstorm, server: On) -> None:
    url = server.url
    assert url is not None
    database, unmarked = DATABASES[server.dialect], unique("idstorm_unmarked")
    word = "SCHEMA" if server.dialect == "postgresql" else "DATABASE"
    execute(server, f"CREATE {word} {unmarked}")
    try:
        with idstorm.started("run", "autoincrement", *target(server), "-T", "60s") as process:
            workers_at_work(process, idstorm.folder)
            process.kill()
            process.wait()
        (name,) = left(server, idstorm)
        assert unmarked not in {one.name for one in database.namespaces(url)}
        eventually(lambda: Namespace(name) in database.namespaces(url))
        database.drop_namespace(url, name)
        assert left(server, idstorm) == []
    finally:
        execute(server, f"DROP {word} {unmarked}")


def test_a_namespace_that_has_just_gone_is_dropped_without_a_word(server: On) -> None:
    assert server.url is not None
    assert DATABASES[server.dialect].reclaim(server.url, "idstorm_20000101_000000_abcd_1")


def test_an_engine_that_leads_elsewhere_is_refused(idstorm: Idstorm, server: On) -> None:
    with own_database(server) as on:
        execute(on, *OUTSIDE[on.dialect])
        before = seen(on)
        (_, elsewhere) = target(on)
        ran = idstorm(
            "run",
            idstorm.write(
                "mine.py",
                HEAD + f"mine = Scenario(Thing, engine=lambda url, **pool: create_engine({elsewhere!r}, **pool))",
            ),
            *target(on),
        )
        assert ran.code == 2
        assert "the engine of the scenario does not lead where its URL does" in ran.err
        assert seen(on) == before


@pytest.mark.release
def test_two_runs_at_once_do_not_disturb_each_other(idstorm: Idstorm, server: On) -> None:
    words = ("run", "autoincrement", *target(server), "-n", "1200", "-q")
    with idstorm.started(*words) as one, idstorm.started(*words) as other:
        assert one.wait() == 0
        assert other.wait() == 0
    reports = [
        judged(idstorm("check", str(path.parent), "--json", "-")) for path in idstorm.folder.glob("results/*/run.json")
    ]
    assert [report["operations"]["acknowledged"] for report in reports] == [1200, 1200]
    assert [report["verdicts"]["durable"]["figures"]["foreign"] for report in reports] == [0, 0]
    assert left(server, idstorm) == []
