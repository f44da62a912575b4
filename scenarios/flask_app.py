"""A Flask application answers each request with the id of the row that this request added.

This is the tutorial's application: `db = SQLAlchemy(app)`, `class User(db.Model)` with an Integer primary key, and
`db.create_all()`. The tutorial shows one user at a time; a real server has many, and `db.session` is one global name
for all of them. Flask-SQLAlchemy 3 makes that safe by giving each application context its own session: each request has
one, and so does each `with app.app_context()` of a thread. The session ends with its context, and its connection
returns to the pool. After the COMMIT, a new SELECT reads `user.id`. It looks the row up by the key that the session
remembers, so no other client can interfere. `flask_app` is served by gunicorn, in two processes of four threads, and
stormed by HTTP clients; if an answer never arrives, the row is unknown. `flask_app:threads` does the same without HTTP.

`db.create_all()` looks up which tables exist and then creates the others: two steps that no lock holds together. If
every server process runs it at import, it can fail on a new database in all processes but one. gunicorn gives up
altogether if one of its processes cannot start; started again, it finds the tables. `flask_app:create_all` does this
several times, with its processes connected and released at the same moment (existing tables are dropped first), says
what was seen, and storms what is left.

https://flask-sqlalchemy.readthedocs.io/en/stable/contexts/
https://flask-sqlalchemy.readthedocs.io/en/stable/api/#flask_sqlalchemy.SQLAlchemy.session
https://docs.sqlalchemy.org/en/20/orm/contextual.html
https://docs.sqlalchemy.org/en/20/orm/session_basics.html#expiring-refreshing
https://docs.sqlalchemy.org/en/20/core/metadata.html#sqlalchemy.schema.MetaData.create_all
https://docs.gunicorn.org/en/stable/design.html
https://github.com/pallets-eco/flask-sqlalchemy/issues/656
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import gunicorn  # noqa: F401 (the server is another process: a user without gunicorn is told beforehand)
import httpx  # noqa: F401 (as are those without what clients speak HTTP with)
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, Engine, NullPool
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from idstorm.apps import posting, wsgi_app
from idstorm.scenario import Place, Scenario, accepted, durable, faithful, holds, unique

db = SQLAlchemy()


class User(db.Model):  # type: ignore[name-defined, misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(50), unique=True)
    email = db.Column(db.String(120), unique=True)
    token = db.Column(db.BigInteger)


def create_app(url: str | URL, **pool: Any) -> Flask:
    """The application; the same as the tutorial's `SQLAlchemy(app)`, for a URL that is known only later."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = pool
    db.init_app(app)

    @app.post("/users")
    def add_user() -> tuple[dict[str, Any], int]:
        user = User(**request.get_json())
        db.session.add(user)
        db.session.commit()
        return {"id": user.id}, 201

    @app.errorhandler(DBAPIError)
    def failed(error: DBAPIError) -> tuple[dict[str, Any], int]:
        refused = isinstance(error, IntegrityError)
        answer = {"error": type(error.orig).__name__, "constraint": constraint_of(error) if refused else ""}
        return answer, 409 if refused else 500

    return app


def constraint_of(error: DBAPIError) -> str | None:
    """Return what the database calls the constraint that refused a row, if the driver tells."""
    named = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    said = re.search(r"(?:for key '|constraint failed: )([^']+)", str(error.orig))
    return named or (said[1] if said else None)


def values(token: int) -> dict[str, Any]:
    return {"name": f"user {token}", "email": f"{token}@example.org", "token": token}


# Without HTTP: each thread has its own application context


def engine(url: URL, **pool: Any) -> Engine:
    app = create_app(url, **pool)
    with app.app_context():
        db.engine.update_execution_options(app=app)
        return db.engine


def add_in_context(session: Session, tokens: Sequence[int]) -> list[int]:
    app: Flask = session.get_bind().get_execution_options()["app"]
    with app.app_context():
        users = [User(**values(token)) for token in tokens]
        db.session.add_all(users)
        db.session.commit()
        return [user.id for user in users]


# With HTTP: a server, and clients

PROCESSES, THREADS = 2, 4


def served_app() -> Flask:
    return create_app(os.environ["DATABASE_URL"], pool_size=THREADS, max_overflow=0)


served = wsgi_app(f"{__file__}:served_app()", processes=PROCESSES, threads=THREADS)
browser = posting("/users", body=values, constraint="constraint")


# db.create_all() by all processes at once

CREATORS, ROUNDS = 4, 3
FORKED_WITHIN = 0.1  # seconds that gunicorn takes at most from one process to the next
WITHIN = 30.0  # seconds
CALLED = "create_all: "
IMPORTED = monotonic()  # for all processes the same: they part afterwards


def served_app_with_tables() -> Flask:
    """The application, which makes its tables first, at the same moment in all processes, and says how that ended."""
    app = served_app()
    with app.app_context():
        db.engine.connect().close()  # to connect takes longer than to make a table
        sleep(max(0, IMPORTED + FORKED_WITHIN * (CREATORS + 1) - monotonic()))
        try:
            db.create_all()
        except DBAPIError as error:
            say(f"{CALLED}{type(error.orig).__name__}: {str(error.orig).splitlines()[0]}")
            raise
        say(f"{CALLED}ok")
    return app


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # at once: all processes write into one file


creators = wsgi_app(f"{__file__}:served_app_with_tables()", processes=CREATORS, threads=THREADS)


@dataclass(frozen=True)
class Round:
    """One start of the server on an empty schema."""

    calls: tuple[str, ...]  #: how each ended: ok, or the error
    gave_up: bool


@contextmanager
def served_by_creators(place: Place) -> Iterator[dict[str, Any]]:
    rounds = [start_on_nothing(place) for _ in range(ROUNDS)]
    with creators(place) as given:
        yield {**given, "notes": notes(rounds)}


def start_on_nothing(place: Place) -> Round:
    with create_app(place.url, poolclass=NullPool).app_context():
        db.drop_all()
    with creators.started(place) as server:

        def calls() -> list[str]:
            return [line.removeprefix(CALLED) for line in server.lines if line.startswith(CALLED)]

        until(lambda: len(calls()) == CREATORS or not server.running)
        if set(calls()) != {"ok"}:
            until(lambda: not server.running)
        return Round(tuple(calls()), not server.running)


def notes(rounds: Sequence[Round]) -> list[str]:
    calls = [call for one in rounds for call in one.calls]
    errors = Counter(call for call in calls if call != "ok")
    first = (
        f"{CREATORS} server processes called db.create_all() at once on an empty schema, {ROUNDS} times: "
        f"{errors.total()} of {len(calls)} calls failed"
    )
    each = [f"{times} x {error}" for error, times in errors.most_common()]
    gave_up = sum(one.gave_up for one in rounds)
    then = f"gunicorn gave up {gave_up} of {ROUNDS} times; started once more, with the tables there, it served"
    return ["; ".join([first, *each]), *([then] if errors else [])]


def until(what: Callable[[], bool]) -> None:
    deadline = monotonic() + WITHIN
    while not what() and monotonic() < deadline:
        sleep(0.02)


claims = [
    holds(unique, durable, faithful, why="each request, and each thread's context, has its own session"),
]

flask_app = Scenario(model=User, client=browser, environment=served, claims=claims)

threads = Scenario(model=User, engine=engine, insert=add_in_context, claims=[*claims, holds(accepted)])
"""Threads of a script, each in an application context of its own, instead of requests."""

create_all = Scenario(model=User, client=browser, environment=served_by_creators, claims=claims)
"""Each process of the server creates the tables at its start, all at the same time."""
