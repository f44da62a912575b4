"""Transactions that a storm has prepared, and that nobody was left to end, are rolled back; a stranger's never."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from databases.own import execute, judged, own_database, own_user, private, rows, target, unique
from idstorm.databases.base import Database
from idstorm.databases.namespaces.making import LeftBehind
from idstorm.databases.namespaces.names import Namespace, Quiet
from idstorm.databases.registry import DATABASES
from running import Idstorm
from servers import On, database

KILLED = """
import os
from sqlalchemy.orm import Mapped, Session, mapped_column
from idstorm.scenario import Row, Scenario, holds, unique, durable

class Payment(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

done = []

def insert(session, tokens):
    rows = [Payment(token=token) for token in tokens]
    session.add_all(rows)
    session.flush()
    ids = [row.id for row in rows]
    done.append(ids)
    if len(done) == 20 and os.environ.get("IDSTORM_WORKER") == "1":
        session.prepare()
        os._exit(9)
    return ids

mine = Scenario(Payment, insert=insert, session=lambda engine: Session(engine, twophase=True), needs={"two_phase"})
"""


@contextmanager
def preparing(dialect: str) -> Iterator[On]:
    """A server on which transactions can be prepared: PostgreSQL as it is shipped takes none."""
    if dialect != "postgresql":
        yield database(dialect)
        return
    with private(dialect, max_prepared_transactions="8") as on:
        yield on


def prepare(engine: sa.Engine, table: str, xid: str | None = None) -> None:
    """Prepare a transaction, and lose the connection."""
    connection = engine.connect()
    transaction = connection.begin_twophase(xid)
    connection.exec_driver_sql(f"INSERT INTO {table} VALUES (1)")
    transaction.prepare()
    connection.detach()
    assert connection.connection.dbapi_connection is not None
    connection.connection.dbapi_connection.close()


def prepared(on: On) -> list[str]:
    if on.dialect == "postgresql":
        return [gid for (gid,) in rows(on, "SELECT gid FROM pg_prepared_xacts")]
    names = [row[3] for row in rows(on, "XA RECOVER")]
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def give_up(on: On, xid: str) -> None:
    execute(on, f"{'ROLLBACK PREPARED' if on.dialect == 'postgresql' else 'XA ROLLBACK'} '{xid}'")


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "mariadb"])
def test_a_storms_own_are_rolled_back_and_counted_and_a_strangers_stay(dialect: str) -> None:
    there = DATABASES[dialect]
    with preparing(dialect) as server, own_database(server) as on:
        assert on.url is not None
        execute(on, "CREATE TABLE shop (id int)")
        theirs = unique("theirs")
        strangers = sa.create_engine(on.url, poolclass=sa.NullPool)
        prepare(strangers, "shop", theirs)
        try:
            with there.namespace(on.url, f"20000101-000000-{unique('x')[-4:]}-1") as inside:
                engine = sa.create_engine(inside, poolclass=sa.NullPool)
                there.configure(engine, inside, {})
                with engine.begin() as connection:
                    connection.exec_driver_sql("CREATE TABLE shop (id int)")
                before = set(prepared(on))
                prepare(engine, "shop")
                prepare(engine, "shop")
                ours = set(prepared(on)) - before
                name = there.name_in(inside)
                assert all(one.startswith(f"{name}_") for one in ours)
                assert there.quiesce(inside) == Quiet(True, len(ours))
                assert len(ours) == 2
                assert ours.isdisjoint(prepared(on))
                assert theirs in prepared(on)
                with engine.connect() as connection:
                    assert connection.exec_driver_sql("SELECT count(*) FROM shop").scalar() == 0
            assert name not in {one.name for one in there.namespaces(on.url)}
        finally:
            give_up(on, theirs)


@pytest.mark.parametrize("xid", ["a%b:c'd", "theirs"])
def test_postgresqls_are_known_by_their_locks_whatever_they_are_called(xid: str) -> None:
    there = DATABASES["postgresql"]
    with preparing("postgresql") as server:
        assert server.url is not None
        with there.namespace(server.url, "20000101-000000-abcd-1") as inside:
            engine = sa.create_engine(inside, poolclass=sa.NullPool)
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE TABLE shop (id int)")
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                connection.exec_driver_sql("INSERT INTO shop VALUES (1)")
                quoted = xid.replace("'", "''")
                connection.exec_driver_sql(f"PREPARE TRANSACTION '{quoted}'", execution_options={"no_parameters": True})
            assert prepared(server) == [xid]
            assert there.quiesce(inside) == Quiet(True, 1)
            assert prepared(server) == []


@pytest.mark.release
@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_a_database_that_cannot_be_dropped_keeps_its_mark(dialect: str) -> None:
    """A stranger's transaction keeps a table: who it belongs to cannot be told, so that it is not rolled back."""
    with private(dialect) as server:
        keeps_its_mark(DATABASES[dialect], server)


def keeps_its_mark(there: Database, server: On) -> None:
    assert server.url is not None
    theirs = unique("theirs")
    namespace = there.namespace(server.url, "20000101-000000-abcd-1")
    inside = namespace.__enter__()
    engine = sa.create_engine(inside, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE a_thing (id int)")
        connection.exec_driver_sql("CREATE TABLE thing (id int)")
    prepare(engine, "thing", theirs)
    name = str(there.name_in(inside))
    with pytest.raises(LeftBehind, match=rf"{name} could not be dropped \(.*\): `idstorm doctor --clean` will find it"):
        namespace.__exit__(None, None, None)
    try:
        assert Namespace(name) in there.namespaces(server.url)
    finally:
        give_up(server, theirs)
    assert there.reclaim(server.url, name)
    assert name not in {one.name for one in there.namespaces(server.url)}


@pytest.mark.parametrize("dialect", ["postgresql", "mysql", "mariadb"])
def test_a_storm_says_how_many_it_has_left(idstorm: Idstorm, dialect: str) -> None:
    with preparing(dialect) as server:
        name = idstorm.write("mine.py", KILLED)
        report = judged(idstorm.storm(name, "--on", dialect, "-j", "2", "-c", "4", "-n", "300", **server.environ))
        assert report["code"] == 3  # a worker was lost
        assert report["verdicts"]["unique"]["status"] == "held"
        said = [note for note in report["notes"] if "left prepared, and rolled back before the census" in note]
        assert len(said) == 1, report["notes"]
        assert not [one for one in prepared(server) if one.startswith("idstorm_" + label(idstorm))]


@pytest.mark.release
def test_those_that_may_not_be_seen_leave_the_verdict_open(idstorm: Idstorm) -> None:
    grants = ("GRANT ALL ON `idstorm\\_%%`.* TO {}", "GRANT PROCESS ON *.* TO {}")
    with private("mysql") as mysql, own_user(mysql, *grants) as user:
        name, words = idstorm.write("mine.py", KILLED), ("-j", "2", "-c", "4", "-n", "300")
        assert user.url is not None
        try:
            report = judged(idstorm.storm(name, *target(user), *words))
            assert report["code"] == 3
            assert report["verdicts"]["durable"]["status"] == "unknown"
            missing = "whether it left transactions prepared: that takes GRANT XA_RECOVER_ADMIN ON *.*"
            assert f"of the storm it was not seen {missing}" in report["notes"]
            ours = f"idstorm_{label(idstorm)}_01"
            assert [note for note in report["notes"] if f"{ours} could not be dropped" in note], report["notes"]
            shown = idstorm("doctor", IDSTORM_MYSQL_URL=user.url.render_as_string(hide_password=False)).out
            assert f"   it cannot be seen of a storm {missing}" in shown.splitlines()
        finally:
            for xid in prepared(mysql):
                if xid.startswith(f"idstorm_{label(idstorm)}"):
                    give_up(mysql, xid)
        listed = idstorm("doctor", "--clean", *target(user)[1:], "--drop").out.splitlines()
        assert listed == [f"dropped {ours}"]


def test_a_plain_storm_needs_no_sight_of_them(idstorm: Idstorm) -> None:
    with preparing("postgresql") as server, own_database(server) as on:
        assert on.url is not None
        execute(on, "REVOKE SELECT ON pg_prepared_xacts FROM PUBLIC")
        with own_user(on, f"GRANT CREATE ON DATABASE {on.url.database} TO {{}}") as user:
            report = judged(idstorm.storm("autoincrement", *target(user), "-n", "200"))
            assert (report["code"], report["verdicts"]["durable"]["status"]) == (0, "held")
            assert not [note for note in report["notes"] if "not seen" in note]


def label(idstorm: Idstorm) -> str:
    return idstorm.run_folder.name.replace("-", "_")
