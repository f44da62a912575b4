"""One client: a thread that inserts, one transaction after another, and writes down what happens.

Everything here is on the path that is measured: four readings of the clock, a few stores, nothing else.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from time import monotonic_ns, sleep
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from idstorm.databases.base import Database
from idstorm.errors import ScenarioError, redact, show_users_error
from idstorm.record.keys import Existing
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.tape import Flag, Kind, Tape
from idstorm.storm.rehearsal import told_by
from idstorm.storm.work import Work

_REMEMBERED = 4_096  # rows that a client may still delete
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds after there was no connection


class Control:
    """What the clients of a worker are told together."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.start = 0  # nanoseconds of the monotonic clock
        self.stopping = False  # read before each operation: a plain attribute, which costs next to nothing


class _Seen(threading.local):
    """What this thread's own connections and sessions did, as far as SQLAlchemy's events tell."""

    held = 0  # when a connection was last taken from the pool; 0: not in this operation
    commits = 0  # how often a session came to a COMMIT: work that commits by itself shows here


_seen = _Seen()


def see(engine: Engine) -> None:
    """See what the threads of this process do: connections taken from this engine's pool, and COMMITs."""

    @event.listens_for(engine, "checkout")
    def checkout(*_: object) -> None:
        _seen.held = monotonic_ns()

    @event.listens_for(Session, "before_commit")
    def before_commit(session: Session) -> None:
        if not session.in_nested_transaction():  # a savepoint's release is no COMMIT
            _seen.commits += 1


class Client:
    """One client of a storm. `run` is the body of its thread."""

    def __init__(
        self,
        plan: Plan,
        number: int,
        work: Work,
        database: Database,
        open_session: Callable[[], Session],
        tape: Tape,
        control: Control,
        secrets: Sequence[str],
    ) -> None:
        fleet = plan.fleet
        self._work, self._database, self._open, self._tape, self._control = (
            work,
            database,
            open_session,
            tape,
            control,
        )
        self._secrets = secrets
        self._columns, self._autonomous = plan.ids.columns, plan.ids.autonomous
        self._random = Random(f"{fleet.seed}/{number}")
        self._rollback, self._deletes, self._think, self._batch = (
            fleet.rollback,
            fleet.deletes,
            fleet.think,
            fleet.batch,
        )
        self._token = plan.tokens.first(number)
        self._left = fleet.inserts_of(number)
        self._seconds = fleet.seconds
        self._rows: deque[tuple[int, Any]] = deque(maxlen=_REMEMBERED)
        self._pause = _SHORTEST_PAUSE
        self.full = False  #: the tape had no space left

    def warm_up(self) -> None:
        """Connect, so that the storm does not begin with everybody connecting. What fails here fails again later."""
        with suppress(Exception), self._open() as session:
            session.connection()

    def run(self) -> None:
        """Storm until time or work is up, or there is no space for another operation."""
        control, deadline = self._control, None
        control.started.wait()
        sleep(max(0, control.start - monotonic_ns()) / 1e9)
        if self._seconds is not None:
            deadline = control.start + int(self._seconds * 1e9)
        now = monotonic_ns()
        while not control.stopping and (deadline is None or now < deadline) and self._left != 0 and not self.full:
            try:
                self._tape.reserve()
            except OSError:
                self.full = True
                return
            now = self._delete() if self._deletes and self._chance(self._deletes) and self._rows else self._insert()

    def _chance(self, fraction: float) -> bool:
        return self._random.random() < fraction

    def _insert(self) -> int:
        count = self._batch if self._left is None else min(self._batch, self._left)
        tokens = range(self._token, self._token + count)
        self._token += count
        if self._left is not None:
            self._left -= count
        give_up = self._rollback > 0 and self._chance(self._rollback)
        tape, session = self._tape, self._open()
        committing, commits = False, _seen.commits
        try:
            try:
                self._connect(session)
            except Exception as error:
                return self._unconnected(Kind.INSERT, count, error)
            tape.begin(Kind.INSERT, count, _seen.held)
            try:
                ids = told_by(self._work.insert(session, tokens), tokens)
                self._hand(ids)
                autonomous = self._autonomous or _seen.commits != commits
                if self._think[1]:
                    sleep(self._random.uniform(*self._think))
                if give_up:
                    session.rollback()
                    outcome = Outcome.UNKNOWN if autonomous else Outcome.FAILED
                    return self._end(outcome | Flag.DELIBERATE << 8)
                committing = True
                tape.commit(monotonic_ns())
                session.commit()
                now = self._end(Outcome.OK)
            except Exception as error:
                autonomous = self._autonomous or _seen.commits != commits + committing
                return self._failed(session, error, committing=committing, autonomous=autonomous, rows=count)
            if self._deletes:
                own = (pair for pair in zip(tokens, ids, strict=True) if _is_own(pair[1]))
                self._rows.extend(own)
            self._pause = _SHORTEST_PAUSE
            return now
        finally:
            with suppress(Exception):  # the connection may be gone; what became of the operation is on the tape
                session.close()

    def _hand(self, ids: Sequence[Any]) -> None:
        try:
            self._tape.hand(ids, monotonic_ns())
        except (TypeError, ValueError) as error:
            raise ScenarioError(f"insert returned what is no id of {', '.join(self._columns)}: {error}") from error

    def _delete(self) -> int:
        """Delete the newest rows of this client's own: what was just handed out is soonest handed out again."""
        rows = [self._rows.pop() for _ in range(min(self._batch, len(self._rows)))]
        tape, session, committing, commits = self._tape, self._open(), False, _seen.commits
        try:
            try:
                self._connect(session)
            except Exception as error:
                self._rows.extend(rows)
                return self._unconnected(Kind.DELETE, len(rows), error)
            tape.begin(Kind.DELETE, len(rows), _seen.held)
            tape.aim([token for token, _ in rows], monotonic_ns())
            try:
                self._work.delete(session, [id_ for _, id_ in rows])
                committing = True
                tape.commit(monotonic_ns())
                session.commit()
                return self._end(Outcome.OK)
            except Exception as error:
                autonomous = self._autonomous or _seen.commits != commits + committing
                return self._failed(session, error, committing=committing, autonomous=autonomous, rows=0)
        finally:
            with suppress(Exception):
                session.close()

    def _connect(self, session: Session) -> None:
        """Take a connection and begin a transaction. BEGIN may wait for a lock: the connection is held before that."""
        _seen.held = 0
        session.connection()
        _seen.held = _seen.held or monotonic_ns()  # a pool that is not the engine's own says nothing

    def _end(self, result: int) -> int:
        now = monotonic_ns()
        self._tape.end(result, now)
        return now

    def _unconnected(self, kind: Kind, rows: int, error: Exception) -> int:
        """No transaction was begun. Where there was not even a connection, wait a little, and longer each time."""
        held = _seen.held
        self._tape.begin(kind, rows, held or monotonic_ns())
        flags = 0 if held else Flag.UNCONNECTED
        now = self._end(Outcome.FAILED | flags << 8 | self._code(error)[0] << 16)
        if held:
            return now
        sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return monotonic_ns()

    def _failed(self, session: Session, error: Exception, *, committing: bool, autonomous: bool, rows: int) -> int:
        """Record what an error leaves of an operation: outcome is phase times code."""
        code, refused, rolled_back = self._code(error)
        failed = (rows == 1 and refused) if autonomous else (not committing or rolled_back)
        with suppress(Exception):
            session.rollback()
        now = self._end((Outcome.FAILED if failed else Outcome.UNKNOWN) | code << 16)
        if isinstance(error, ScenarioError):
            raise error
        return now

    def _code(self, error: Exception) -> tuple[int, bool, bool]:
        """Return the number of an error's code on the tape, and what the code says."""
        code = self._database.classify(error, self._columns)
        name = redact(code.name, self._secrets)
        try:
            number = self._tape.known_code(name) or self._tape.code(
                name, refused=code.refused, shown=redact(show_users_error(error), self._secrets)
            )
        except OSError:
            self.full, number = True, 0
        return number, code.refused, code.rolled_back


def _is_own(id_: Any) -> bool:
    return id_ is not None and not isinstance(id_, Existing)
