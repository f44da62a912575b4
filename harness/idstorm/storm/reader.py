"""A reader that polls the table for newer rows while the storm runs, as outbox pollers and incremental jobs do.

It is a thread of the parent, with its own connection at the database's default isolation, and uses a fresh transaction
for each poll. Its connection is closed before the storm's own sessions are waited for, and one more poll follows when
all is quiet. If that poll says that it cannot see all rows yet, it is repeated: a session that has nothing to do with
the storm may hold rows back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, monotonic_ns, sleep
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from idstorm.databases.base import Database
from idstorm.databases.rows import expression_in_namespace, in_namespace, read_token
from idstorm.databases.urls import secrets_of
from idstorm.errors import ScenarioError, show_users_error
from idstorm.model.awaiting import ASYNC_SIDE, awaiting, is_async
from idstorm.model.work import Work
from idstorm.record.plan import Ids, Plan
from idstorm.record.poll_log import Log
from idstorm.redaction import redact
from idstorm.scenario import Scenario
from idstorm.scenario.clients import NotYet, Poll
from idstorm.storm.engine import translated
from idstorm.storm.loops import in_loop

_MOST_SCOPES = 200  # that a naive poll can ask about in one statement
_PAUSE = 0.002  # seconds between two polls, or as long as a poll took: half of the time is left to the storm
_PAUSE_AFTER_ERROR = 0.05
_REST_WITHIN = 30.0  # seconds within which the current poll must have ended
_LAST_WITHIN = 30.0  # seconds within which the last poll must have seen everything
_PAUSE_BEFORE_LAST = 0.2


def naive_poll(work: Work) -> Poll:
    """Return a poll that does what most pollers do: ask for the rows beyond the furthest id seen."""
    if work.scope:
        return _poll_of_scopes(work)
    _, (id_,), token = in_namespace(work.ids, work.token)
    down = work.generator is not None and work.generator.increment < 0
    columns = [id_, sa.null() if token is None else token]
    rows = sa.select(*columns).where(_present(work)).order_by(id_.desc() if down else id_)

    def poll(connection: sa.Connection, last: Any, final: bool) -> tuple[Any, Any]:
        newer = rows if last is None else rows.where(id_ < last if down else id_ > last)
        found = connection.execute(newer).all()
        return found, found[-1][0] if found else last

    return poll


def _poll_of_scopes(work: Work) -> Poll:
    """Return a poll that asks for rows beyond the furthest number seen in each scope, and for those of new scopes."""
    _, (*columns, number), token = in_namespace(work.ids, work.token)
    assert token is not None
    rows = sa.select(*columns, number, token).where(_present(work)).order_by(number)

    def poll(connection: sa.Connection, last: Any, final: bool) -> tuple[Any, Any]:
        furthest = dict[tuple[Any, ...], Any]() if last is None else dict(last)
        if len(furthest) > _MOST_SCOPES:
            raise ValueError(f"it can follow at most {_MOST_SCOPES} scopes; give the scenario a poll of its own")
        scopes = [(sa.and_(*map(sa.ColumnElement.__eq__, columns, scope)), at) for scope, at in furthest.items()]
        newer = [sa.and_(scope, number > at) for scope, at in scopes]
        new = sa.and_(sa.true(), *(sa.not_(scope) for scope, _ in scopes))
        found = connection.execute(rows.where(sa.or_(new, *newer))).all()
        furthest |= {tuple(row[:-2]): row[-2] for row in found if row[-2] is not None}
        return [(tuple(row[:-1]), row[-1]) for row in found], furthest

    return poll


def _present(work: Work) -> sa.ColumnElement[bool]:
    return sa.true() if work.present is None else expression_in_namespace(work.present)


def why_none(scenario: Scenario, ids: Ids) -> str | None:
    """Return why a table cannot have a reader, and what to do about it; None: it can have one.

    A reader makes sense if rows are in one place, in some order, and distinguished by a token, or by an id that is a
    number.
    """
    if scenario.local:
        return "the database lives in its worker, where no reader can reach it: leave out --reader"
    if ids.token is None and not ids.numeric:
        return (
            "no column can carry a token, so a row that a reader missed would not be known: "
            "add a column `token` (a string or a big integer), or leave out --reader"
        )
    if len(ids.columns) > 1 and not ids.codec.scope:
        return (
            "a reader asks for rows beyond the last id of one column, and the id has several: "
            "name the one that rows are in the order of, Scenario(id=…), or leave out --reader"
        )
    if not ids.readable:
        return (
            "the ids are in no order that a reader could follow: "
            "if they are meant to be in one, say so with Scenario(sortable=True); else leave out --reader"
        )
    return None


def _async_side(engine: sa.Engine, connection: sa.Connection) -> Any:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine  # which take a while, and are seldom needed

    return AsyncConnection(AsyncEngine(engine), connection)


class Reader:
    """The reader of one storm. A context manager, which rests the reader on exit."""

    def __init__(
        self, scenario: Scenario, work: Work, database: Database, url: sa.URL, plan: Plan, folder: Path
    ) -> None:
        self._own = callable(scenario.reader)  # a scenario's own reader is to blame for its errors
        self._poll = awaiting(scenario.reader) if callable(scenario.reader) else naive_poll(work)
        self._awaits = is_async(scenario.reader) and url.get_dialect().is_async
        ids = self._ids = plan.ids
        self._secrets = secrets_of(url)
        self._log = Log(folder, plan.tokens.base)
        if self._awaits:  # its last poll is in another event loop, where no connection of the first can be used
            engine = sa.create_engine(url, poolclass=sa.NullPool)
        else:
            engine = sa.create_engine(database.threaded(url), pool_size=1, max_overflow=0)
        database.configure(engine, url, {})
        self._engine = translated(engine, scenario, database, url)
        self._last: Any = None  # what the poll wants to be given the next time
        self._down = ids.generator is not None and ids.generator.increment < 0
        self._high = (1 << 63) - 1 if self._down else -(1 << 63)
        self._resting = threading.Event()
        self._failure: str | None = None
        self._fault: str | None = None
        self._held_back = False  # the last poll said that it could not see all rows yet
        self._thread = self._in_a_thread(self._run)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()
        if not self._thread.is_alive():
            self._log.close()

    def warm_up(self) -> None:
        """Connect, so that the first poll sends nothing else than its own statements."""
        self._engine.connect().close()

    def close(self) -> None:
        """Leave the database alone, where its thread was never started."""
        self._engine.dispose()
        self._log.close()

    def rest(self) -> None:
        """Wait for the current poll, in bounded time, and leave the database alone."""
        self._resting.set()
        self._thread.join(_REST_WITHIN)
        self._engine.dispose()

    def finish(self) -> str | None:
        """Poll once more, when all is quiet. Returns why that failed, or None. Raises ScenarioError."""
        if not self._thread.is_alive():
            # A lock held by another session could block this poll forever, so it also runs in its own thread.
            self._thread = self._in_a_thread(self._finish)
            self._thread.start()
            self._thread.join(_LAST_WITHIN + _REST_WITHIN)
        if self._thread.is_alive():
            return "the reader hangs in a poll that does not end"
        self._engine.dispose()
        if self._fault is not None:
            raise ScenarioError(f"the reader failed\n{self._fault}")
        return self._failure

    def _in_a_thread(self, body: Callable[[], None]) -> threading.Thread:
        return threading.Thread(target=in_loop if self._awaits else body, args=(body,) * self._awaits, daemon=True)

    def _run(self) -> None:
        while not self._resting.is_set() and self._fault is None:
            took = self.poll()
            self._resting.wait(_PAUSE_AFTER_ERROR if self._failure else max(_PAUSE, took))

    def _finish(self) -> None:
        deadline = monotonic() + _LAST_WITHIN
        while self._fault is None:
            self._failure = None
            self.poll(final=True)
            if not self._held_back or monotonic() > deadline:
                break
            sleep(_PAUSE_BEFORE_LAST)

    def poll(self, *, final: bool = False) -> float:
        """Poll once, and record the rows. Returns how long that took, in seconds."""
        begin, self._held_back = monotonic_ns(), False
        try:
            with self._engine.connect() as connection:
                if self._awaits:
                    connection.info[ASYNC_SIDE] = _async_side(self._engine, connection)
                found, last = self._poll(connection, self._last, final)
                rows = [(row[0], row[1]) for row in found]
            ended = monotonic_ns()
            self._last, self._failure = last, None
            self._advance([id_ for id_, _ in rows])
            self._log.write(begin, ended, self._names(rows), self._high, last=final)
        except NotYet as reason:
            self._failure, self._held_back = redact(f"not all rows could be read: {reason}", self._secrets), True
        except (SQLAlchemyError, OSError) as error:  # the table is being restored, the server is restarting …
            words = str(getattr(error, "orig", None) or error)
            self._failure = redact(f"the reader's last poll did not succeed: {words}", self._secrets)
        except Exception as error:
            if self._own:
                self._fault = redact(show_users_error(error), self._secrets)
            else:  # such as an id that its column's type fails to read back
                words = f"the reader could not read what was there: {type(error).__name__}: {error}"
                self._failure = redact(words, self._secrets)
        return (monotonic_ns() - begin) / 1e9

    def _names(self, rows: list[tuple[Any, Any]]) -> list[int]:
        """Return what tells these rows apart: their tokens or, where there is none, their ids."""
        if self._ids.token is None:
            return list(self._words([id_ for id_, _ in rows]))
        return [-1 if token is None else token for token in (read_token(token) for _, token in rows)]

    def _advance(self, ids: list[Any]) -> None:
        if self._ids.numeric and ids:
            numbers = [self._high, *self._words(ids)]
            self._high = min(numbers) if self._down else max(numbers)

    def _words(self, ids: list[Any]) -> Iterator[int]:
        """Yield those of the ids that are numbers."""
        for id_ in ids:
            with suppress(TypeError, ValueError):
                yield self._ids.codec.encode(id_)[0]
