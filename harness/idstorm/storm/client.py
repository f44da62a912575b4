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
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from idstorm.databases.base import Database
from idstorm.errors import ScenarioError, redact, show_users_error
from idstorm.record.keys import Existing
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.tape import Flag, Kind, Tape
from idstorm.storm.rehearsal import told_by
from idstorm.storm.work import Work

_INSERT, _OK = int(Kind.INSERT), int(Outcome.OK)  # looking up a member of an enumeration takes long
_REMEMBERED = 4_096  # rows that a client may still delete
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds after there was no connection


class Control:
    """What the clients of a worker are told together."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.start = 0  # nanoseconds of the monotonic clock
        self.stopping = False  # read before each operation: a plain attribute, which costs next to nothing


class _Thread(threading.local):
    """Which client this thread is, for the events of SQLAlchemy that are raised in it."""

    client: Client | None = None


_this_thread = _Thread()


def listen(engine: Engine) -> None:
    """Let the clients of this process know of the connections that they take, and of COMMITs.

    These two events cost a microsecond or two; one of the engine's own, such as its `commit`, would cost twenty.
    """

    @event.listens_for(engine, "checkout")
    def checkout(*_: object) -> None:
        if _this_thread.client is not None:
            _this_thread.client.connected()

    @event.listens_for(Session, "before_commit")
    def before_commit(session: Session) -> None:
        if _this_thread.client is not None and not session.in_nested_transaction():  # a savepoint's release is none
            _this_thread.client.commits += 1


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
        self._work, self._database, self._open = work, database, open_session
        self._tape, self._control, self._secrets = tape, control, secrets
        self._ids, self._fleet = plan.ids, plan.fleet
        self._random = Random(f"{plan.fleet.seed}/{number}")
        self._token, self._left = plan.tokens.first(number), plan.fleet.inserts_of(number)
        self._rows: deque[tuple[int, Any]] = deque(maxlen=_REMEMBERED)
        self._pause = _SHORTEST_PAUSE
        self.full = False  #: the tape had no space left
        # Of the operation under way:
        self._kind, self._count = _INSERT, 0
        self._connections = 0  # taken from the pool by now; the first of them begins the operation
        self._committing = False  # the harness itself has come to its COMMIT
        self.commits = 0  #: COMMITs of its sessions

    def warm_up(self) -> None:
        """Connect, so that the storm does not begin with everybody connecting. What fails here fails again later."""
        with suppress(Exception), self._open() as session:
            session.connection()

    def run(self) -> None:
        """Storm until time or work is up, or there is no space for another operation."""
        _this_thread.client = self
        control, deletes, deadline = self._control, self._fleet.deletes, None
        control.started.wait()
        sleep(max(0, control.start - monotonic_ns()) / 1e9)
        if self._fleet.seconds is not None:
            deadline = control.start + int(self._fleet.seconds * 1e9)
        now = monotonic_ns()
        while not control.stopping and (deadline is None or now < deadline) and self._left != 0 and not self.full:
            try:
                self._tape.reserve()
            except OSError:
                self.full = True
                return
            now = self._delete() if deletes and self._chance(deletes) and self._rows else self._insert()

    def connected(self) -> None:
        """A connection was taken from the pool: the operation has begun."""
        self._connections += 1
        if self._connections == 1:
            self._tape.begin(self._kind, self._count, monotonic_ns())

    def _chance(self, fraction: float) -> bool:
        return self._random.random() < fraction

    def _expect(self, kind: int, count: int) -> None:
        self._kind, self._count = kind, count
        self._connections = self.commits = 0
        self._committing = False

    def _insert(self) -> int:
        fleet = self._fleet
        count = fleet.batch if self._left is None else min(fleet.batch, self._left)
        tokens = range(self._token, self._token + count)
        self._token += count
        if self._left is not None:
            self._left -= count
        give_up = fleet.rollback > 0 and self._chance(fleet.rollback)
        self._expect(_INSERT, count)
        session = self._open()
        try:
            ids = self._work.insert(session, tokens)
            if type(ids) is not list or len(ids) != count:
                ids = told_by(ids, tokens)
            if not self._connections:
                self.connected()  # a pool that is not the engine's own says nothing
            self._hand(ids)
            if fleet.think[1]:
                sleep(self._random.uniform(*fleet.think))
            if give_up:
                return self._give_up(session)
            now = self._commit(session)
        except Exception as error:
            return self._failed(session, error)
        finally:
            self._close(session)
        if fleet.deletes:
            self._rows.extend(pair for pair in zip(tokens, ids, strict=True) if _is_own(pair[1]))
        self._pause = _SHORTEST_PAUSE
        return now

    def _delete(self) -> int:
        """Delete the newest rows of this client's own: what was just handed out is soonest handed out again."""
        rows = [self._rows.pop() for _ in range(min(self._fleet.batch, len(self._rows)))]
        self._expect(Kind.DELETE, len(rows))
        self._tape.aim([token for token, _ in rows], monotonic_ns())
        session = self._open()
        try:
            self._work.delete(session, [id_ for _, id_ in rows])
            if not self._connections:
                self.connected()
            return self._commit(session)
        except Exception as error:
            return self._failed(session, error)
        finally:
            self._close(session)

    def _hand(self, ids: Sequence[Any]) -> None:
        try:
            self._tape.hand(ids, monotonic_ns())
        except (TypeError, ValueError) as error:
            raise ScenarioError(f"insert returned what is no id of {', '.join(self._ids.columns)}: {error}") from error

    def _commit(self, session: Session) -> int:
        self._committing = True
        self._tape.commit(monotonic_ns())
        session.commit()
        return self._end(_OK)

    def _give_up(self, session: Session) -> int:
        session.rollback()
        outcome = Outcome.UNKNOWN if self._autonomous else Outcome.FAILED
        return self._end(outcome | Flag.DELIBERATE << 8)

    def _close(self, session: Session) -> None:
        try:  # noqa: SIM105 (`suppress` costs half a microsecond)
            session.close()
        except Exception:  # the connection may be gone; what became of the operation is on the tape
            pass

    def _end(self, result: int) -> int:
        now = monotonic_ns()
        self._tape.end(result, now)
        return now

    @property
    def _autonomous(self) -> bool:
        """Whether the work may have committed something that the harness did not.

        What it did on a second connection is not seen, so that counts as well.
        """
        return self._ids.autonomous or self.commits > self._committing or self._connections > 1

    def _failed(self, session: Session, error: Exception) -> int:
        """Record what an error leaves of an operation: outcome is phase times code."""
        # A connection was taken, and not by the session: what was done on it is not seen either.
        elsewhere = self._connections > 0 and not session.in_transaction()
        autonomous = self._autonomous or elsewhere
        code, refused, rolled_back = self._code(error)
        if autonomous:
            failed = refused and self._count == 1 and self._kind == _INSERT
        else:
            failed = not self._committing or rolled_back
        with suppress(Exception):
            session.rollback()
        flags = 0 if self._connections else Flag.UNCONNECTED
        if not self._connections:
            self.connected()
        now = self._end((Outcome.FAILED if failed else Outcome.UNKNOWN) | flags << 8 | code << 16)
        if isinstance(error, ScenarioError):
            raise error
        return self._wait() if flags and isinstance(error, SQLAlchemyError) else now

    def _wait(self) -> int:
        """There was no connection to be had: wait a little, and longer each time."""
        sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return monotonic_ns()

    def _code(self, error: Exception) -> tuple[int, bool, bool]:
        """Return the number of an error's code on the tape, and what the code says."""
        code = self._database.classify(error, self._ids.columns, self._ids.constraints)
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
