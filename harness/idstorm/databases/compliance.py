"""What a database's methods have to do, as tests, for authors who add a database to idstorm's own four.

They need pytest, which idstorm itself does not. Derive a class from `Compliance` whose name begins with `Test`:

    from idstorm.databases.compliance import Compliance

    class TestCockroachDB(Compliance):
        short_wait = {"lock_timeout": "300"}

        @pytest.fixture
        def database(self) -> Database:
            return CockroachDB()

        @pytest.fixture
        def url(self) -> sa.URL:
            return sa.make_url("cockroachdb+psycopg://…")

Each test makes a namespace on the server that the URL leads to, and removes it. It ends no session outside that
namespace.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import ClassVar

import pytest
import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.uniques import modelled, written
from idstorm.errors import UsageError
from idstorm.record.habits import Habits
from idstorm.record.keys import Codec
from idstorm.record.plan import CAPABILITIES

_METADATA = sa.MetaData()
_THING = sa.Table(
    "thing",
    _METADATA,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("token", sa.BigInteger),
    sa.Column("other", sa.Integer, unique=True, nullable=True),
    sa.Column("needed", sa.Integer, nullable=False, server_default="0"),
)
_IDS = ("thing.id",)


def label() -> str:
    """Return a label for a namespace, like the one that a run gives it."""
    return f"20000101-000000-{secrets.token_hex(2)}-{secrets.randbelow(10**9)}"


class Compliance:
    """The tests. `short_wait` are settings with which a statement waits for a lock for at most a second."""

    short_wait: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def database(self) -> Database:
        """The database. Override this."""
        raise NotImplementedError

    @pytest.fixture
    def url(self) -> sa.URL:
        """Its URL, for a user that may make namespaces. Override this."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, database: Database, url: sa.URL) -> Iterator[sa.URL]:
        """The URL of a namespace with an empty table."""
        with database.namespace(url, label()) as inside:
            engine = sa.create_engine(inside, poolclass=sa.NullPool)
            _METADATA.create_all(engine)
            yield inside

    @pytest.fixture
    def engine(self, database: Database, place: sa.URL) -> Iterator[sa.Engine]:
        """An engine for that namespace, configured as a storm's is."""
        engine = sa.create_engine(place, poolclass=sa.NullPool)
        database.configure(engine, place, self.short_wait)
        yield engine
        engine.dispose()

    def test_its_class_says_what_is_needed(self, database: Database) -> None:
        assert database.name
        assert database.drivers
        assert database.backends
        assert database.statements.may_commit("COMMIT")
        assert not database.statements.may_commit("INSERT INTO thing VALUES (1)")

    def test_a_namespace_is_listed_and_in_use_until_it_is_taken_away(self, database: Database, url: sa.URL) -> None:
        with database.namespace(url, label()) as inside:
            name = database.name_in(inside)
            assert name is not None
            if database.serverless and url.database is None:
                pytest.skip("its namespaces are temporary folders, called by their paths")
            (found,) = (one for one in database.namespaces(url) if one.name == name)
            assert (found.in_use, found.kept, found.strange) == (True, False, None)
            with database.locked(url, name) as had:
                assert not had, "another took the lock of a namespace that is in use"
            assert not database.reclaim(url, name), "a namespace in use was dropped"
        assert name not in {one.name for one in database.namespaces(url)}

    def test_a_namespace_that_is_kept_stays_until_it_is_dropped(self, database: Database, url: sa.URL) -> None:
        if database.serverless and url.database is None:
            pytest.skip("its namespaces are temporary folders, called by their paths")
        with database.namespace(url, label(), keep=True) as inside:
            name = database.name_in(inside)
        assert name is not None
        (found,) = (one for one in database.namespaces(url) if one.name == name)
        assert (found.in_use, found.kept) == (False, True)
        assert database.reclaim(url, name)
        assert name not in {one.name for one in database.namespaces(url)}

    def test_a_connection_is_proved_to_be_in_its_namespace_and_in_no_other(
        self, database: Database, url: sa.URL, place: sa.URL, engine: sa.Engine
    ) -> None:
        with database.namespace(url, label()) as other, engine.connect() as connection:
            assert database.name_in(place) != database.name_in(other)
            assert database.prove(connection.connection.dbapi_connection, place)
            assert not database.prove(connection.connection.dbapi_connection, other)

    def test_what_it_says_of_itself(self, database: Database, place: sa.URL, engine: sa.Engine) -> None:
        with engine.connect() as connection:
            assert database.server(connection)[0].isdigit()
            assert database.actual(connection) == database.name
            assert database.capabilities(connection) <= set(CAPABILITIES)
            facts = database.facts(connection, {})
            assert json.loads(json.dumps(facts)) == facts
            assert Habits.of(facts, ()).stride >= 1
            assert database.lock_timeout(facts) >= 0
            assert not database.leads_outside(connection)
            assert database.setting(connection, "no_such_setting_of_any_server") is None
            free = database.bystanders(connection).free
            assert free is None or free >= 0
        assert all(isinstance(one, str) for one in database.privileges(place, two_phase=True))

    def test_a_setting_that_it_does_not_have_is_refused(self, database: Database) -> None:
        database.check_settings(self.short_wait)
        with pytest.raises(UsageError):
            database.check_settings({"no_such_setting": "1"})

    def test_a_census_is_what_the_table_holds(self, database: Database, place: sa.URL, engine: sa.Engine) -> None:
        rows = [{"id": number * 3 - 5, "token": 10**15 + number} for number in range(1_000)]
        with engine.begin() as connection:
            connection.execute(_THING.insert(), rows)
        census = database.read_census(place, [_THING.c.id], _THING.c.token, Codec("int64"))
        pairs = dict(zip(census.ids.words.tolist(), census.tokens.tolist(), strict=True))
        assert pairs == {row["id"]: row["token"] for row in rows}
        with engine.begin() as connection:  # there may be no fast way for a NULL
            connection.execute(_THING.insert(), {"id": -100, "token": None})
        census = database.read_census(place, [_THING.c.id], _THING.c.token, Codec("int64"))
        assert len(census) == len(rows) + 1
        assert census.null_tokens is not None
        assert census.null_tokens.sum() == 1

    def test_a_snapshot_does_not_see_what_comes_later(
        self, database: Database, place: sa.URL, engine: sa.Engine
    ) -> None:
        count = sa.select(sa.func.count()).select_from(_THING)
        with engine.begin() as connection:
            connection.execute(_THING.insert(), {"id": 1})
        with database.snapshot(place) as seen:
            assert seen.execute(count).scalar_one() == 1
            with engine.begin() as connection:
                connection.execute(_THING.insert(), {"id": 2})
            assert seen.execute(count).scalar_one() == 1

    def _refused(self, database: Database, engine: sa.Engine, row: dict[str, int | None]) -> ErrorCode:
        with engine.begin() as connection:
            connection.execute(_THING.insert(), {"id": 1, "other": 1})
        with pytest.raises(sa.exc.DBAPIError) as raised, engine.begin() as connection:
            connection.execute(_THING.insert(), row)
        code = database.classify(raised.value, _IDS, written(_IDS, modelled(_METADATA)))
        assert code.recognised
        assert not any((code.lost, code.raced, code.environment, code.works_own))
        return code

    def test_a_row_that_the_ids_constraint_refuses_is_refused(self, database: Database, engine: sa.Engine) -> None:
        assert self._refused(database, engine, {"id": 1, "other": 2}).refused

    def test_a_row_that_another_constraint_refuses_is_not(self, database: Database, engine: sa.Engine) -> None:
        assert not self._refused(database, engine, {"id": 2, "other": 1}).refused

    def test_a_row_that_lacks_a_value_is_not_refused(self, database: Database, engine: sa.Engine) -> None:
        assert not self._refused(database, engine, {"id": 2, "needed": None}).refused

    def test_a_lock_that_is_not_had_in_time_is_a_race(self, database: Database, engine: sa.Engine) -> None:
        if not self.short_wait:
            pytest.skip("no `short_wait` is given")
        with engine.begin() as connection:
            connection.execute(_THING.insert(), {"id": 1})
        change = _THING.update().values(other=1)
        with engine.connect() as first, engine.connect() as second:
            first.execute(change)
            with pytest.raises(sa.exc.DBAPIError) as raised:
                second.execute(change)
        code = database.classify(raised.value, _IDS)
        assert code.raced
        assert code.recognised
        assert not code.refused

    def test_sessions_are_ended_and_what_they_had_not_committed_is_gone(
        self, database: Database, place: sa.URL, engine: sa.Engine
    ) -> None:
        assert database.quiesce(place), "nothing is at work"
        if database.serverless:
            pytest.skip("there are no sessions")
        connection = engine.connect()
        with closing(connection):
            connection.execute(_THING.insert(), {"id": 1})
            assert database.in_transaction(connection.connection.dbapi_connection) is not False
            assert database.quiesce(place)
            with pytest.raises(sa.exc.DBAPIError) as raised:
                connection.execute(_THING.insert(), {"id": 2})
            code = database.classify(raised.value, _IDS)
            assert code.lost
            assert not code.refused
            connection.invalidate()
        assert len(database.read_census(place, [_THING.c.id], _THING.c.token, Codec("int64"))) == 0

    def test_how_far_an_id_can_go_is_told(self, database: Database, engine: sa.Engine) -> None:
        with engine.connect() as connection:
            capacity = database.capacity(connection, "thing", "id", None, down=False)
            assert capacity is not None
            assert capacity.column_limit == (1 << 63) - 1
            below = database.capacity(connection, "thing", "id", None, down=True)
            assert below is not None
            assert below.column_limit == -(1 << 63)

    def test_an_audit_reads_it_or_says_that_it_cannot(
        self, database: Database, place: sa.URL, engine: sa.Engine
    ) -> None:
        if type(database).survey is Database.survey:
            pytest.skip("it does not define `survey`")
        with database.auditing(place) as connection:
            found = database.survey(connection, scan=False)
            assert found.tables >= 1  # a server's other storms may have tables in the same database
            assert not any("thing" in one.table for one in found.keyless)
            with pytest.raises(sa.exc.DBAPIError):  # it is read-only
                connection.execute(_THING.insert(), {"id": 1})

    def test_a_table_is_known_again_until_it_is_made_anew(self, database: Database, engine: sa.Engine) -> None:
        with engine.connect() as connection:
            first = database.physical(connection.connection, "thing", None)
            assert first is not None
            assert not first.private
            connection.rollback()
            connection.execute(_THING.insert(), {"id": 1})
            connection.commit()
            assert database.physical(connection.connection, "thing", None) == first
            connection.rollback()
        _METADATA.drop_all(engine)
        _METADATA.create_all(engine)
        with engine.connect() as connection:
            again = database.physical(connection.connection, "thing", None)
        assert again is not None
        assert again.database == first.database
        assert again.life != first.life
