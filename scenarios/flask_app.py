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
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, BinaryIO

import gunicorn  # noqa: F401 (the server is another process: a user without gunicorn is told beforehand)
import httpx
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import URL, Engine, NullPool
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from idstorm.scenario import Place, Refused, Scenario, accepted, durable, faithful, holds, unique

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


class Browser:
    """A client that posts users, one after another."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def insert(self, tokens: Sequence[int]) -> list[int | None]:
        if len(tokens) == 1:
            return [self._add(tokens[0])]
        return [self._add_if_allowed(token) for token in tokens]

    def _add(self, token: int) -> int:
        try:
            answer = self._http.post("/users", json=values(token))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            sleep(0.05)  # a dead server refuses faster than a live one answers
            raise Refused("no connection to the server", constraint="") from error
        if answer.is_client_error:
            about = answer.json()
            raise Refused(f"HTTP {answer.status_code} {about.get('error', '')}", constraint=about.get("constraint"))
        answer.raise_for_status()
        id_: int = answer.json()["id"]
        return id_

    def _add_if_allowed(self, token: int) -> int | None:
        with suppress(Refused):
            return self._add(token)
        return None


@contextmanager
def browser(_: Place, environment: dict[str, Any]) -> Iterator[Browser]:
    with httpx.Client(base_url=environment["url"], timeout=_ANSWER_WITHIN, trust_env=False) as http:
        yield Browser(http)


_PROGRAM = Path(__file__).with_name("_flask_server.py")
_UP_WITHIN, _ANSWER_WITHIN = 30.0, 30.0  # seconds
_PROCESSES, _THREADS = 2, 4
_CREATORS, _ROUNDS = 4, 3
_CALLED = "create_all: "
_SAID = 1 << 16  # bytes of a server's output that are read


@dataclass(frozen=True)
class Server:
    """A server process, with those that it starts."""

    process: subprocess.Popen[bytes]
    url: str
    log: BinaryIO

    @property
    def running(self) -> bool:
        """Whether it has not ended. It is not reaped: until then no other process gets its number."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    @property
    def lines(self) -> list[str]:
        """What it has said. The file's position belongs to the server and is left alone."""
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), _SAID, max(0, size - _SAID)).decode(errors="replace").splitlines()

    @property
    def calls(self) -> list[str]:
        """How each finished call of db.create_all() ended."""
        return [line.removeprefix(_CALLED) for line in self.lines if line.startswith(_CALLED)]

    def wait_until_it_answers(self) -> None:
        deadline = monotonic() + _UP_WITHIN
        while self.running and monotonic() < deadline:
            with suppress(httpx.TransportError):
                httpx.get(self.url, timeout=1, trust_env=False)
                return
            sleep(0.05)
        how = "does not answer" if self.running else "ended before it answered"
        raise RuntimeError("\n".join([f"the server {how}; its last words:", *self.lines[-12:]]))


@contextmanager
def server(url: URL, processes: int, *words: str) -> Iterator[Server]:
    """Start the server on a free port of this machine, and leave nothing of it behind."""
    with tempfile.TemporaryFile() as log, socket.create_server(("127.0.0.1", 0)) as listener:
        numbers = map(str, (listener.fileno(), processes, _THREADS))
        process = subprocess.Popen(
            [sys.executable, "-P", "-B", str(_PROGRAM), *numbers, *words],
            env={**os.environ, "DATABASE_URL": url.render_as_string(hide_password=False)},
            stdin=subprocess.PIPE,  # stays open as long as we live
            stdout=log,
            stderr=log,
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C is for idstorm
        )
        try:
            host, port = listener.getsockname()
            listener.close()  # so that no client connects to a server that is gone
            yield Server(process, f"http://{host}:{port}", log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@contextmanager
def served(place: Place) -> Iterator[dict[str, Any]]:
    with server(place.url, _PROCESSES) as started:
        started.wait_until_it_answers()
        yield {"url": started.url}


# db.create_all() by all processes at once


@dataclass(frozen=True)
class Round:
    """One start of the server on an empty schema."""

    calls: tuple[str, ...]  #: how each ended: ok, or the error
    gave_up: bool


@contextmanager
def served_by_creators(place: Place) -> Iterator[dict[str, Any]]:
    rounds = [_start_on_nothing(place) for _ in range(_ROUNDS)]
    with server(place.url, _CREATORS, "create_all") as started:
        started.wait_until_it_answers()
        yield {"url": started.url, "notes": _notes(rounds)}


def _start_on_nothing(place: Place) -> Round:
    with create_app(place.url, poolclass=NullPool).app_context():
        db.drop_all()
    with server(place.url, _CREATORS, "create_all") as started:
        _until(lambda: len(started.calls) == _CREATORS or not started.running)
        if set(started.calls) != {"ok"}:
            _until(lambda: not started.running)
        return Round(tuple(started.calls), not started.running)


def _notes(rounds: Sequence[Round]) -> list[str]:
    calls = [call for one in rounds for call in one.calls]
    errors = Counter(call for call in calls if call != "ok")
    first = (
        f"{_CREATORS} server processes called db.create_all() at once on an empty schema, {_ROUNDS} times: "
        f"{errors.total()} of {len(calls)} calls failed"
    )
    each = [f"{times} x {error}" for error, times in errors.most_common()]
    gave_up = sum(one.gave_up for one in rounds)
    then = f"gunicorn gave up {gave_up} of {_ROUNDS} times; started once more, with the tables there, it served"
    return ["; ".join([first, *each]), *([then] if errors else [])]


def _until(what: Callable[[], bool]) -> None:
    deadline = monotonic() + _UP_WITHIN
    while not what() and monotonic() < deadline:
        sleep(0.02)


claims = [
    holds(unique, durable, faithful, why="each request, and each thread's context, has its own session"),
]

flask_app = Scenario(model=User, client=browser, environment=served, claims=claims)

threads = Scenario(model=User, engine=engine, insert=add_in_context, claims=[*claims, holds(accepted)])

create_all = Scenario(model=User, client=browser, environment=served_by_creators, claims=claims)
