"""A database and users of a test's own, on a server that all tests share."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from idstorm.databases.private.server import PrivateServer
from running import Idstorm, Ran
from servers import On, programs_for

HEAD = """
import os, sys, time
from sqlalchemy import BigInteger, Enum, ForeignKey, Sequence, UniqueConstraint
from sqlalchemy import create_engine, event, func, insert, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from idstorm.scenario import *
AT_WORK = "idstorm.storm.worker" in sys.orig_argv

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def unique(word: str) -> str:
    """A name that no other test has."""
    return f"{word}_{secrets.token_hex(6)}"


@contextmanager
def private(dialect: str, **settings: str) -> Iterator[On]:
    """A server of a test's own: what happens there is not another test's concern."""
    with PrivateServer(programs_for(dialect), settings) as server:
        yield On(dialect, sa.make_url(server.url))


@contextmanager
def own_database(server: On) -> Iterator[On]:
    """A fresh database; the URL leads into it as the server's superuser."""
    name = unique("own")
    execute(server, f"CREATE DATABASE {name}")
    assert server.url is not None
    try:
        yield On(server.dialect, server.url.set(database=name))
    finally:
        execute(server, f"DROP DATABASE {name}" + (" WITH (FORCE)" if server.dialect == "postgresql" else ""))


@contextmanager
def own_user(server: On, *grants: str, options: str = "") -> Iterator[On]:
    """A user with these privileges, `{}` being its name; the URL logs in as it."""
    name, password = unique("u"), secrets.token_urlsafe(18)
    assert server.url is not None
    if server.dialect == "postgresql":
        execute(server, f"CREATE ROLE {name} LOGIN PASSWORD '{password}' {options}")
    else:
        execute(server, f"CREATE USER {name} IDENTIFIED BY '{password}' {options}")
    try:
        execute(server, *(grant.format(name) for grant in grants))
        yield On(server.dialect, server.url.set(username=name, password=password))
    finally:
        if server.dialect == "postgresql":
            execute(server, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")
        else:
            execute(server, f"DROP USER {name}")


def execute(on: On, *statements: str) -> None:
    """Execute statements as who the URL says, each a transaction."""
    engine = on.engine()
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def rows(on: On, query: str) -> list[Any]:
    """What a query answers, a tuple a row."""
    engine = on.engine()
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


@contextmanager
def meanwhile(on: On, what: Callable[[sa.Connection], object]) -> Iterator[None]:
    """Do something again and again, on one connection; a statement that fails does not end it."""
    over = threading.Event()

    def repeat() -> None:
        with on.engine().connect() as connection:
            while not over.wait(0.05):
                with suppress(sa.exc.DBAPIError):
                    what(connection)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def target(on: On) -> tuple[str, str]:
    """The words that name this database on a command line."""
    assert on.url is not None
    return "--on", on.url.render_as_string(hide_password=False)


def storm(idstorm: Idstorm, on: On, body: str, *words: str) -> dict[str, Any]:
    """Storm what a scenario file makes of `Thing`, and return the report of its only storm, with the exit code."""
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + body), "--on", on.dialect, *words, **on.environ)
    return judged(ran)


def judged(ran: Ran) -> dict[str, Any]:
    """The report of the only storm, with the exit code."""
    assert ran.out, ran.err
    (report,) = ran.report["storms"]
    return {**report, "code": ran.code}


def faults(report: dict[str, Any]) -> dict[str, int]:
    """What `durable` counts as wrong; nothing, where it held."""
    verdict = report["verdicts"]["durable"]
    assert verdict["status"] in ("held", "broken"), verdict
    lawful = ("recovered", "foreign")
    return {name: count for name, count in verdict["figures"].items() if count and name not in lawful}
