"""What older runs did not write down of an error is told by its name, where that is sure."""

from __future__ import annotations

import json

import pytest

from idstorm.record.code import Code


def older(name: str, *, refused: bool = False) -> Code:
    """Return a code of a run that knew of refusals alone."""
    return Code.from_line(json.dumps({"code": name, "refused": refused, "shown": ""}))


@pytest.mark.parametrize(
    ("name", "recognised"),
    [
        ("mariadb:IntegrityError", False),
        ("asyncpg:UniqueViolationError", False),
        ("httpx:HTTPStatusError", False),
        ("python:ValueError", True),
        ("idstorm:ScenarioError", True),
        ("sqlalchemy:InvalidRequestError", True),
        ("sqlalchemy:3o7r the pool had no connection in time", True),
        ("mariadb:1062 IntegrityError of PRIMARY", True),
        ("postgresql:OperationalError without a state: the connection was lost", True),
        ("sqlite:5", True),
    ],
)
def test_an_older_run_named_what_it_did_not_recognise_after_a_class(name: str, recognised: bool) -> None:
    assert older(name).recognised is recognised


@pytest.mark.parametrize(
    ("name", "raced"),
    [
        ("postgresql:40001 SerializationFailure", True),
        ("postgresql:40P01 DeadlockDetected", True),
        ("mariadb:1020 OperationalError", True),
        ("mysql:1213 OperationalError", True),
        ("sqlite:5 database is locked", True),
        ("sqlite:517 database is locked", True),
        ("mysql:2013 the connection was lost", False),
        ("sqlite:1555 UNIQUE constraint failed: t.id", False),
        ("postgresql:42703 UndefinedColumn", False),
    ],
)
def test_an_older_run_did_not_say_that_a_race_had_ended_an_operation(name: str, raced: bool) -> None:
    assert older(name).raced is raced


def test_what_was_written_down_counts_whatever_the_name() -> None:
    for code in (Code("mariadb:IntegrityError"), Code("sqlite:5 database is locked"), Code("it:7", recognised=False)):
        assert Code.from_line(code.to_line(7)) == code
