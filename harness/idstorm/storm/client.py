"""One client: a thread that inserts, one transaction after another, and writes down what happens.

Everything here is on the path that is measured: four readings of the clock, a few stores, nothing else.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from time import monotonic_ns, sleep
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from idstorm.databases.base import Database, ErrorCode
from idstorm.errors import ScenarioError, redact, show_users_error
from idstorm.record.code import Code
from idstorm.record.keys import Burned, Existing
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.tape import Flag, Kind, Tape
from idstorm.scenario.clients import Inserter, Refused
from idstorm.storm.control import Control
from idstorm.storm.rehearsal import told_by
from idstorm.storm.work import Work

_INSERT, _OK = int(Kind.INSERT), int(Outcome.OK)  # looking up a member of an enumeration takes long
_REMEMBERED = 4_096  # rows that a client may still delete
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds after there was no connection


class _Thread(threading.local):
    """Which client this thread is, for the events of SQLAlchemy that are raised in it."""

    client: Client | None = None


_this_thread = _Thread()


def listen_to_pool(engine: Engine) -> None:
    """Let the clients of this process know of the connections that they take: it costs some microseconds."""

    @event.listens_for(engine, "checkout")
    def checkout(*_: object) -> None:
        if _this_thread.client is not None:
            _this_thread.client.connected()


def listen_to_commits() -> None:
    """Let the clients of this process know of COMMITs: it costs a microsecond, the engine's own event twenty."""

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
        self._half = (self._left or 0) // 2
        self._pauses = plan.interlude
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

    def run(self, inserter: Inserter | None = None) -> None:
        """Storm until time or work is up, or there is no space for another operation.

        With a client of the scenario's own, the `inserter`, no session is opened.
        """
        control, seconds, deletes, deadline = self._control, self._fleet.seconds, self._fleet.deletes, None
        insert = self._insert if inserter is None else partial(self._insert_by, inserter)
        _this_thread.client = self if inserter is None else None
        control.started.wait()
        sleep(max(0, control.start - monotonic_ns()) / 1e9)
        if seconds is not None:
            deadline = control.start + int(seconds * 1e9)
        now = monotonic_ns()
        while not control.stopping and (deadline is None or now < deadline) and self._left != 0 and not self.full:
            try:
                self._tape.reserve()
            except OSError:
                self.full = True
                return
            now = self._delete() if deletes and self._chance(deletes) and self._rows else insert()
            if self._pauses and self._halfway(now, deadline):
                deadline = self._stand_still(now, deadline)

    def _halfway(self, now: int, deadline: int | None) -> bool:
        if self._fleet.deletes and self._kind == _INSERT and self._rows:
            return False  # an interlude is to meet a table whose newest rows are deleted
        if deadline is not None:
            return now > (self._control.start + deadline) // 2
        return self._left is not None and self._left <= self._half

    def _stand_still(self, since: int, deadline: int | None) -> int | None:
        """Wait for the end of the interlude, which takes none of the storm's time. Returns the deadline."""
        self._pauses = False
        self._control.stand()
        self._control.resumed.wait()
        return None if deadline is None else deadline + monotonic_ns() - since

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

    def _draw(self) -> range:
        """Return the tokens of the next insert."""
        count = self._fleet.batch if self._left is None else min(self._fleet.batch, self._left)
        tokens = range(self._token, self._token + count)
        self._token += count
        if self._left is not None:
            self._left -= count
        return tokens

    def _insert_by(self, inserter: Inserter) -> int:
        """Let a client of the scenario's own insert. Once it returns, the rows are committed."""
        tokens = self._draw()
        self._expect(_INSERT, len(tokens))
        self.connected()
        try:
            ids = told_by(inserter.insert(tokens), tokens)
        except Refused as refusal:
            return self._end(Outcome.FAILED | self._number(ErrorCode(f"refused: {refusal}"), refusal) << 16)
        except Exception as error:
            code = self._database.classify(error, self._ids.columns, self._ids.constraints)
            return self._end(Outcome.UNKNOWN | self._number(code, error) << 16)
        self._hand(ids)
        return self._end(_OK)

    def _insert(self) -> int:
        fleet, tokens = self._fleet, self._draw()
        count = len(tokens)
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
        code = self._database.classify(error, self._ids.columns, self._ids.constraints)
        if autonomous:
            failed = code.refused and not code.wrapped and self._count == 1 and self._kind == _INSERT
        else:
            failed = not self._committing or code.rolled_back
        with suppress(Exception):
            session.rollback()
        flags = 0 if self._connections else Flag.UNCONNECTED
        if not self._connections:
            self.connected()
        outcome = Outcome.FAILED if failed else Outcome.UNKNOWN
        now = self._end(outcome | flags << 8 | self._number(code, error) << 16)
        if isinstance(error, ScenarioError):
            raise error
        return self._wait() if flags and isinstance(error, SQLAlchemyError) else now

    def _wait(self) -> int:
        """There was no connection to be had: wait a little, and longer each time."""
        sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return monotonic_ns()

    def _number(self, code: ErrorCode, error: Exception) -> int:
        """Return the number of an error's code on the tape."""
        name = redact(code.name, self._secrets)
        try:
            return self._tape.known_code(name) or self._tape.code(self._code(name, code, error))
        except OSError:
            self.full = True
            return 0

    def _code(self, name: str, code: ErrorCode, error: Exception) -> Code:
        return Code(
            name,
            refused=code.refused,
            raced=code.raced,
            recognised=code.recognised,
            message=redact(_first_line(error), self._secrets),
            shown=redact(show_users_error(error), self._secrets),
        )


def _first_line(error: BaseException) -> str:
    """Return what an error says, in a line, without what SQLAlchemy adds to it."""
    original = getattr(error, "orig", None) or error
    return next(iter(str(original).strip().splitlines()), type(original).__name__)


def _is_own(id_: Any) -> bool:
    return id_ is not None and not isinstance(id_, Existing | Burned)
