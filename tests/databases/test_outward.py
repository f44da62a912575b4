"""What leads out of a storm's namespace is refused before anything outside is touched, or said once it was seen."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from databases.own import HEAD, execute, own_database, rows, target, unique
from running import Idstorm
from servers import On

MODEL = """
class Base(DeclarativeBase): ...

class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, {default})
    name: Mapped[str]

def setup(connection):
    {setup}

mine = Scenario(User, {more})
"""


def refusal(idstorm: Idstorm, on: On, default: str = "", setup: str = "pass") -> str:
    """Return the sentence with which a storm is refused."""
    text = MODEL.format(default=default, setup=setup, more="setup=setup")
    ran = idstorm(
        "run", idstorm.write("mine.py", HEAD + text.replace("name: Mapped[str]", "")), *target(on), "-n", "400"
    )
    assert ran.code == 2, ran.err
    return ran.err


def test_a_default_that_draws_from_a_sequence_outside_is_refused_before_it_draws(
    idstorm: Idstorm, postgresql: On
) -> None:
    with own_database(postgresql) as on:
        execute(on, "CREATE SEQUENCE public.users_id_seq")
        said = refusal(idstorm, on, default="server_default=text(\"nextval('public.users_id_seq')\")")
        assert "the default of users.id leads to public.users_id_seq" in said
        assert rows(on, "SELECT is_called FROM public.users_id_seq") == [(False,)]


@pytest.mark.parametrize(
    "default",
    [
        "server_default=text(\"nextval('public.users_id_seq'::text)\")",
        "default=func.nextval('public.users_id_seq')",
        "default=text(\"nextval('public.users_id_seq')\")",
    ],
)
def test_a_default_of_which_the_catalogue_knows_nothing_is_refused_all_the_same(
    idstorm: Idstorm, postgresql: On, default: str
) -> None:
    with own_database(postgresql) as on:
        execute(on, "CREATE SEQUENCE public.users_id_seq")
        assert "the default of users.id leads to public.users_id_seq" in refusal(idstorm, on, default=default)
        assert rows(on, "SELECT is_called FROM public.users_id_seq") == [(False,)]


@pytest.mark.parametrize("volatile", [True, False])
def test_a_function_outside_is_refused_unless_it_can_change_nothing(
    idstorm: Idstorm, postgresql: On, volatile: bool
) -> None:
    body = "SELECT (random() * 1e15)::bigint" if volatile else "SELECT 1::bigint"
    default = "server_default=text('public.made()')"
    with own_database(postgresql) as on:
        kind = "VOLATILE" if volatile else "STABLE"
        execute(on, f"CREATE FUNCTION public.made() RETURNS bigint {kind} LANGUAGE sql AS '{body}'")
        if volatile:
            assert "the default of users.id leads to" in refusal(idstorm, on, default=default)
        else:
            text = MODEL.format(default=default, setup="pass", more="").replace("name: Mapped[str]", "")
            ran = idstorm("run", idstorm.write("mine.py", HEAD + text), *target(on), "-n", "40", "-j", "1")
            assert "leads to" not in ran.err


def test_a_trigger_or_a_foreign_key_that_leads_outside_is_refused(idstorm: Idstorm, postgresql: On) -> None:
    with own_database(postgresql) as on:
        execute(
            on,
            "CREATE TABLE public.owner (id bigint PRIMARY KEY)",
            "CREATE FUNCTION public.log() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "CREATE TABLE public.audit (id bigint)",
        )
        setup = (
            "connection.execute(text('CREATE TRIGGER log BEFORE INSERT ON users FOR EACH ROW "
            "EXECUTE FUNCTION public.log()')); "
            "connection.execute(text('ALTER TABLE users ADD owner bigint REFERENCES public.owner')); "
            "connection.execute(text('CREATE RULE audited AS ON INSERT TO users "
            "DO ALSO INSERT INTO public.audit VALUES (1)'))"
        )
        said = refusal(idstorm, on, setup=setup)
        assert "the rule audited of users leads to public.audit" in said
        assert "the trigger log of users leads to" in said
        assert re.search(r"the foreign key \w+ of users leads to", said)


def test_mysql_is_asked_for_what_leads_to_another_database(idstorm: Idstorm, server: On) -> None:
    if server.dialect == "postgresql":
        pytest.skip("this is about MySQL and MariaDB")
    other = unique("shop")
    with own_database(server) as on:
        execute(server, f"CREATE DATABASE {other}", f"CREATE TABLE {other}.owner (id bigint PRIMARY KEY)")
        try:
            setup = (
                f"connection.execute(text('CREATE TRIGGER log AFTER INSERT ON users FOR EACH ROW "
                f"INSERT INTO {other}.owner VALUES (NEW.id)')); "
                f"connection.execute(text('ALTER TABLE users ADD owner bigint, "
                f"ADD CONSTRAINT owned FOREIGN KEY (owner) REFERENCES {other}.owner (id)'))"
            )
            said = refusal(idstorm, on, setup=setup)
            assert f"the trigger log of users leads to {other}" in said
            assert f"the foreign key owned of users leads to {other}.owner" in said
            assert rows(server, f"SELECT count(*) FROM {other}.owner") == [(0,)]
            if server.dialect == "mariadb":
                execute(server, f"CREATE SEQUENCE {other}.numbers")
                default = f"server_default=text('NEXTVAL({other}.numbers)')"
                assert f"the default of users.id leads to {other}" in refusal(idstorm, on, default=default)
        finally:
            execute(server, f"DROP DATABASE {other}")


def test_words_that_only_look_like_another_databases_name_are_no_reason_to_refuse(idstorm: Idstorm, server: On) -> None:
    if server.dialect == "postgresql":
        pytest.skip("this is about MySQL and MariaDB")
    other = unique("shop")
    with own_database(server) as on:
        execute(server, f"CREATE DATABASE {other}")
        try:
            trigger = (
                "CREATE TRIGGER log BEFORE INSERT ON users FOR EACH ROW BEGIN "
                f"SET @said = ' from {other}.org'; UPDATE tally {other} SET {other}.n = 1; END"
            )
            setup = f'connection.execute(text("CREATE TABLE tally (n int)")); connection.execute(text("{trigger}"))'
            text = MODEL.format(default="", setup=setup, more="setup=setup").replace("name: Mapped[str]", "")
            ran = idstorm("run", idstorm.write("mine.py", HEAD + text), *target(on), "-n", "400")
            assert ran.code == 0, ran.err
        finally:
            execute(server, f"DROP DATABASE {other}")


ELSEWHERE = """
from sqlalchemy.orm import sessionmaker
Thing.metadata.create_all(elsewhere := create_engine("sqlite:///prod.db"))
Local = sessionmaker(elsewhere)

def place(token):
    with Local() as session:
        thing = Thing(token=token)
        session.add(thing)
        session.commit()
        return thing.id

mine = Scenario(Thing, insert=lambda session, tokens: [place(token) for token in tokens], batch=500)
"""


def test_work_that_writes_elsewhere_has_written_one_row_and_is_told_where(idstorm: Idstorm, anywhere: On) -> None:
    name = idstorm.write("mine.py", HEAD + ELSEWHERE)
    ran = idstorm("run", name, "--on", anywhere.dialect, "-n", "1000", **anywhere.environ)
    assert ran.code == 2, ran.err
    assert f"connections of its own, to {idstorm.folder / 'prod.db'}, where that row may be now" in ran.err
    assert "SessionLocal.configure(bind=session.get_bind())" in ran.err
    with sa.create_engine(f"sqlite:///{idstorm.folder / 'prod.db'}").connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM thing").scalar() == 1


def test_the_applications_own_sessions_can_be_led_into_the_storm(idstorm: Idstorm) -> None:
    led = ELSEWHERE.replace("[place(token)", "Local.configure(bind=session.get_bind()) or [place(token)")
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + led.replace(", batch=500", "")))
    assert ran.code == 0, ran.err
