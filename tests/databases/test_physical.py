"""A table is known again for as long as its ids go on, and is another one as soon as they may begin anew."""

from __future__ import annotations

import secrets
from pathlib import Path

import sqlalchemy as sa

from idstorm.databases.physical import Physical
from idstorm.databases.registry import DATABASES
from servers import On

TRUNCATE = {"postgresql": "TRUNCATE thing RESTART IDENTITY", "mysql": "TRUNCATE thing", "mariadb": "TRUNCATE thing"}


def make(connection: sa.Connection) -> None:
    things = sa.Table("thing", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    things.drop(connection, checkfirst=True)
    things.create(connection)


def insert(connection: sa.Connection, id_: int) -> None:
    connection.execute(sa.text(f"INSERT INTO thing VALUES ({id_})"))


def test_a_table_has_another_life_once_it_is_emptied_or_made_anew_and_not_before(anywhere: On, tmp_path: Path) -> None:
    database = DATABASES[anywhere.dialect]
    base = anywhere.url or sa.make_url(f"sqlite:///{tmp_path / 'a.db'}")
    with database.namespace(base, secrets.token_hex(4)) as url:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)

        def look() -> Physical:
            with engine.connect() as connection:
                found = database.physical(connection.connection, "thing", None)
            assert found is not None
            assert not found.private
            return found

        with engine.connect() as connection:
            make(connection)
            first = look()
            insert(connection, 1)
            insert(connection, 2)
            connection.execute(sa.text("DELETE FROM thing WHERE id = 1"))
            assert look() == first
            if anywhere.dialect in TRUNCATE:
                connection.execute(sa.text(TRUNCATE[anywhere.dialect]))
                assert look().life != first.life
            emptied = look()
            make(connection)
            assert look().life not in (first.life, emptied.life)


def test_what_others_cannot_see_is_private(anywhere: On, tmp_path: Path) -> None:
    database = DATABASES[anywhere.dialect]
    base = anywhere.url or sa.make_url(f"sqlite:///{tmp_path / 'a.db'}")
    with database.namespace(base, secrets.token_hex(4)) as url:
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            make(connection)
            connection.execute(sa.text("CREATE TEMPORARY TABLE unseen (id INTEGER PRIMARY KEY)"))
            found = [database.physical(connection.connection, name, None) for name in ("thing", "unseen")]
    assert [one is not None and one.private for one in found] == [False, True]


def test_a_database_in_memory_is_private() -> None:
    with sa.create_engine("sqlite://", poolclass=sa.NullPool).connect() as connection:
        make(connection)
        assert DATABASES["sqlite"].physical(connection.connection, "thing", None) == Physical(None, "", private=True)


def test_a_table_that_is_not_there_is_none_and_ends_no_transaction(postgresql: On) -> None:
    with postgresql.engine().execution_options(isolation_level="READ COMMITTED").connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        assert DATABASES["postgresql"].physical(connection.connection, "o'clock\"", "no'where") is None
        assert connection.execute(sa.text("SELECT 2")).scalar() == 2
