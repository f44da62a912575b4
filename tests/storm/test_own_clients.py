"""Clients of a scenario's own, and what surrounds them: who says what became of an operation, and who is to blame."""

from __future__ import annotations

from typing import Any

import pytest

from running import Idstorm, Ran
from servers import On, database

HEAD = """
import sqlite3, sys
from contextlib import contextmanager
from idstorm.scenario import *
from sqlalchemy.orm import Mapped, mapped_column

AT_WORK = "idstorm.storm.worker" in sys.orig_argv

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def connect(place):
    if place.dialect == "sqlite":
        return sqlite3.connect(place.url.database, timeout=30)
    import psycopg
    url = place.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url)

class Bare:
    def __init__(self, connection, mark):
        self.connection, self.mark = connection, mark

    def insert(self, tokens):
        cursor = self.connection.cursor()
        cursor.execute(f"INSERT INTO thing (token) VALUES ({self.mark}) RETURNING id", (tokens[0],))
        ((id_,),) = cursor.fetchall()
        self.connection.commit()
        return [id_]

@contextmanager
def client(place, environment):
    connection = connect(place)
    try:
        yield Bare(connection, "?" if place.dialect == "sqlite" else "%s")
    finally:
        connection.close()
"""


def run(idstorm: Idstorm, body: str, *words: str, on: On | None = None) -> Ran:
    on = on or database("sqlite")
    return idstorm.storm(idstorm.write("mine.py", HEAD + body), "--on", on.dialect, *words, **on.environ)


def judged(ran: Ran) -> dict[str, Any]:
    assert ran.out, ran.err
    (report,) = ran.report["storms"]
    return {**report, "code": ran.code}


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_what_a_client_refuses_has_failed_and_whatever_else_it_raises_leaves_it_unknown(
    idstorm: Idstorm, dialect: str
) -> None:
    body = """
class Moody(Bare):
    def insert(self, tokens):
        mood = tokens[0] % 5 if AT_WORK else None
        if mood == 0:
            raise Refused("not today", constraint="")
        if mood == 1:
            raise ConnectionError("before it was sent")
        ids = super().insert(tokens)
        if mood == 2:
            raise ConnectionError("the answer was lost")
        return ids

@contextmanager
def moody(place, environment):
    with client(place, environment) as bare:
        yield Moody(bare.connection, bare.mark)

mine = Scenario(model=Thing, client=moody)
"""
    report = judged(run(idstorm, body, "-n", "800", on=database(dialect)))
    operations, durable = report["operations"], report["verdicts"]["durable"]
    assert report["verdicts"]["accepted"]["status"] == "unknown"  # why nothing was answered is not known
    assert operations["errors"]["by_code"] == {"refused by no constraint": 160, "python:ConnectionError": 320}
    assert (operations["acknowledged"], operations["failed"], operations["unknown"]) == (320, 160, 320)
    assert (durable["status"], durable["figures"]["recovered"]) == ("held", 160)


def test_a_refused_row_that_is_there_is_an_alarm(idstorm: Idstorm) -> None:
    body = """
class Liar(Bare):
    def insert(self, tokens):
        ids = super().insert(tokens)
        if AT_WORK and tokens[0] % 5 == 0:
            raise Refused("it says")
        return ids

@contextmanager
def lying(place, environment):
    with client(place, environment) as bare:
        yield Liar(bare.connection, bare.mark)

mine = Scenario(model=Thing, client=lying)
"""
    report = judged(run(idstorm, body))
    assert report["code"] == 1
    assert report["verdicts"]["durable"]["figures"]["revived"] == report["operations"]["failed"] == 80


def test_the_environment_surrounds_rehearsal_and_storm_and_ends_before_the_census(idstorm: Idstorm) -> None:
    body = """
@contextmanager
def environment(place):
    print("begins", file=open("log", "a"))
    yield {"word": "sesame", "notes": ["served by nobody else"]}
    connection = connect(place)
    connection.execute("INSERT INTO thing (token) VALUES (NULL)")
    connection.commit()
    connection.close()
    print("ends", file=open("log", "a"))

@contextmanager
def knowing(place, environment):
    assert environment["word"] == "sesame"
    with client(place, environment) as bare:
        yield bare

mine = Scenario(model=Thing, client=knowing, environment=environment)
"""
    report = judged(run(idstorm, body))
    assert report["code"] == 0
    assert report["verdicts"]["durable"]["figures"]["foreign"] == 1  # what its end has left behind was seen
    assert "served by nobody else" in report["notes"]
    assert (idstorm.folder / "log").read_text().split() == ["begins", "ends"] * 2


def test_an_environment_that_says_too_much_is_cut_short(idstorm: Idstorm) -> None:
    body = """
@contextmanager
def environment(place):
    yield {"notes": ["x" * 30_000, *map(str, range(2_000_000))]}

mine = Scenario(model=Thing, client=client, environment=environment)
"""
    report = judged(run(idstorm, body))
    assert report["code"] == 0
    assert "x" * 20_000 + "… (30,000 characters)" in report["notes"]
    assert report["notes"].index("there were 1,999,901 more notes") == report["notes"].index("98") + 1
    assert idstorm("check", str(idstorm.run_folder)).code == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_environment_that_fails_is_shown_as_the_users_own(idstorm: Idstorm, when: str) -> None:
    body = f"""
import os

@contextmanager
def environment(place):
    rehearsed = os.path.exists("rehearsed")
    open("rehearsed", "w").close()
    if rehearsed and {when!r} == "before":
        raise OSError("no server came up")
    yield None
    if rehearsed:
        raise OSError("no server went down")

mine = Scenario(model=Thing, client=client, environment=environment)
"""
    ran = run(idstorm, body)
    assert ran.code == 2
    assert "the environment of the scenario failed" in ran.err
    assert 'raise OSError("no server' in ran.err
    assert "idstorm/storm" not in ran.err


def test_an_environment_has_to_yield_what_json_can_hold(idstorm: Idstorm) -> None:
    body = """
@contextmanager
def environment(place):
    yield {1, 2}

mine = Scenario(model=Thing, client=client, environment=environment)
"""
    ran = run(idstorm, body)
    assert ran.code == 2
    assert "an environment has to yield what JSON can hold: Object of type set is not JSON serializable" in ran.err
    assert "Traceback" not in ran.err


def test_a_type_error_of_the_client_is_not_blamed_on_its_environment(idstorm: Idstorm) -> None:
    body = """
class Wrong(Bare):
    def insert(self, tokens):
        return [tokens[0] + "1"]

@contextmanager
def environment(place):
    yield None

@contextmanager
def wrong(place, environment):
    with client(place, environment) as bare:
        yield Wrong(bare.connection, bare.mark)

mine = Scenario(model=Thing, client=wrong, environment=environment)
"""
    ran = run(idstorm, body)
    assert ran.code == 2
    assert 'return [tokens[0] + "1"]' in ran.err
    assert "JSON" not in ran.err


@pytest.mark.parametrize("words", [("--rollback", "0.1"), ("--deletes", "0.1"), ("--think", "0..1ms")])
def test_what_the_harness_cannot_ask_of_a_client_of_its_own_is_a_usage_error(
    idstorm: Idstorm, words: tuple[str, str]
) -> None:
    ran = run(idstorm, "\nmine = Scenario(model=Thing, client=client)\n", *words)
    assert ran.code == 2
    assert "the clients of mine are its own: leave out --rollback, --deletes and --think" in ran.err
    assert not (idstorm.folder / "results").exists()


def test_a_client_that_cannot_connect_ends_the_storm_with_the_reason(idstorm: Idstorm) -> None:
    body = """
@contextmanager
def shut(place, environment):
    if AT_WORK:
        raise ConnectionRefusedError("nobody listens")
    with client(place, environment) as bare:
        yield bare

mine = Scenario(model=Thing, client=shut)
"""
    ran = run(idstorm, body)
    assert ran.code == 3
    assert "nobody listens" in ran.err


def test_refusals_that_are_all_different_are_counted_to_the_last(idstorm: Idstorm) -> None:
    body = """
class Wordy(Bare):
    def insert(self, tokens):
        if AT_WORK and tokens[0] % 4:
            raise Refused(f"request {tokens[0]} was refused", constraint=f"stock of {tokens[0]}")
        return super().insert(tokens)

@contextmanager
def wordy(place, environment):
    with client(place, environment) as bare:
        yield Wordy(bare.connection, bare.mark)

mine = Scenario(model=Thing, client=wordy, failing=0.9)
"""
    report = judged(run(idstorm, body, "-n", "2000", "-c", "1"))
    errors = report["operations"]["errors"]
    assert (errors["total"], len(errors["by_code"]), errors["by_code"]["others"]) == (1500, 1001, 500)
    assert report["verdicts"]["accepted"]["figures"]["unrecognised"] == 1500
