"""One client: a thread, or a task, that inserts, one transaction after another, and records what happens.

Everything here is on the measured path: four readings of the clock, a few stores, nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from random import Random
from time import monotonic_ns
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from idstorm.databases.base import Database
from idstorm.databases.error_code import ErrorCode
from idstorm.errors import ScenarioError
from idstorm.model.work import Work
from idstorm.record.keys import Burned, Existing
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.tape import Flag, Kind, Tape
from idstorm.scenario.clients import AsyncInserter, Inserter, Refused
from idstorm.storm.coding import Codes
from idstorm.storm.control import Control
from idstorm.storm.ear import Ear
from idstorm.storm.engine import ENDED
from idstorm.storm.hearing import hear
from idstorm.storm.loops import awaited
from idstorm.storm.returned import validate_ids

_INSERT, _OK = int(Kind.INSERT), int(Outcome.OK)  # looking up a member of an enumeration is slow
_REMEMBERED = 4_096  # rows that a client may still delete
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.01, 1.0  # seconds to wait when there was no connection


class Client:
    """One client of a storm. `run` is the body of its thread, or of its task."""

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
        self._work, self._open, self._tape, self._control = work, open_session, tape, control
        self._sleep = control.concurrency.sleep
        self._codes = Codes(database, plan.ids, tape, secrets)
        self._ear = Ear(database, self._codes.of, self._connected)
        self._ids, self._fleet = plan.ids, plan.fleet
        self._random = Random(f"{plan.fleet.seed}/{number}")
        self._token, self._left = plan.tokens.first(number), plan.fleet.inserts_of(number)
        self._half = (self._left or 0) // 2
        self._pauses = plan.interlude
        self._rows: deque[tuple[int, Any]] = deque(maxlen=_REMEMBERED)
        self._pause = _SHORTEST_PAUSE
        self.full: OSError | None = None  #: why the tape could not go on
        # The current operation's:
        self._kind, self._count = _INSERT, 0
        self._before = 0  # the clock before the work was called
        self._committing = False  # the harness itself has reached its COMMIT
        self._late = False  # its work was done and no connection was seen: its begin is when the work was called
        # Of the previous operation: its connection was not seen, so most likely the next one's will not be either.
        self._unseen = plan.ids.unseen

    def warm_up(self) -> None:
        """Connect, so that the storm does not begin with all clients connecting. An error here will recur later."""
        with suppress(*ENDED), self._open() as session:
            session.connection()

    def run(self, inserter: Inserter | AsyncInserter | None = None) -> None:
        """Storm until the time is up, the work is done, or there is no space for another operation.

        With the scenario's own client, the `inserter`, no session is opened.
        """
        control, seconds, deletes, deadline = self._control, self._fleet.seconds, self._fleet.deletes, None
        insert = self._insert if inserter is None else partial(self._insert_by, inserter)
        hear(self._ear if inserter is None else None)
        control.concurrency.wait(control.started)
        self._sleep(max(0, control.start - monotonic_ns()) / 1e9)
        if seconds is not None:
            deadline = control.start + int(seconds * 1e9)
        now = monotonic_ns()
        while not control.stopping and (deadline is None or now < deadline) and self._left != 0 and not self.full:
            try:
                self._tape.reserve()
            except OSError as error:
                self.full = error
                return
            now = self._delete() if deletes and self._chance(deletes) and self._rows else insert()
            if self._pauses and self._halfway(now, deadline):
                deadline = self._stand_still(now, deadline)

    def _halfway(self, now: int, deadline: int | None) -> bool:
        if self._fleet.deletes and self._kind == _INSERT and self._rows:
            return False  # the interlude should find a table whose newest rows are deleted
        if deadline is not None:
            return now > (self._control.start + deadline) // 2
        return self._left is not None and self._left <= self._half

    def _stand_still(self, since: int, deadline: int | None) -> int | None:
        """Wait for the end of the interlude, which does not count as the storm's time. Returns the new deadline."""
        self._pauses = False
        self._control.stand()
        self._control.concurrency.wait(self._control.resumed)
        return None if deadline is None else deadline + monotonic_ns() - since

    def _connected(self) -> None:
        """Record that the operation has begun: it holds its first connection."""
        if not self._late:
            self._tape.begin(self._kind, self._count, monotonic_ns())

    def _chance(self, fraction: float) -> bool:
        return self._random.random() < fraction

    def _expect(self, kind: int, count: int) -> None:
        """Prepare for the next operation.

        If its connection will probably not be seen, the operation begins on the tape before the work is called: were a
        SIGKILL to come between the work's own COMMIT and its return, its row must count as attempted. If a connection
        is seen after all, the operation begins again at that moment. Otherwise it is not on the tape until it holds a
        connection, so that the tape of a client that never had one shows it.
        """
        self._kind, self._count, self._committing, self._late = kind, count, False, False
        self._ear.expect(single=count == 1 and kind == _INSERT)
        self._before = monotonic_ns()
        if self._unseen:
            self._tape.begin(kind, count, self._before)

    def _draw(self) -> range:
        """Return the tokens of the next insert."""
        count = self._fleet.batch if self._left is None else min(self._fleet.batch, self._left)
        tokens = range(self._token, self._token + count)
        self._token += count
        if self._left is not None:
            self._left -= count
        return tokens

    def _insert_by(self, inserter: Inserter | AsyncInserter) -> int:
        """Let the scenario's own client insert. Once it returns, the rows are committed."""
        tokens = self._draw()
        self._tape.begin(_INSERT, len(tokens), monotonic_ns())
        try:
            ids = validate_ids(awaited(inserter.insert(tokens)), tokens)
        except ENDED as error:
            self._control.concurrency.go_on()
            outcome = Outcome.FAILED if isinstance(error, Refused) else Outcome.UNKNOWN
            return self._end(outcome | self._number(self._codes.of_client(error), error) << 16)
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
                ids = validate_ids(ids, tokens)
            if not self._ear.connections:
                self._late = True
                self._tape.begin(_INSERT, count, self._before)
            self._hand(ids)
            if fleet.think[1]:
                self._sleep(self._random.uniform(*fleet.think))
            if give_up:
                return self._give_up(session)
            now = self._commit(session)
        except ENDED as error:
            return self._failed(session, error)
        finally:
            self._close(session)
        if fleet.deletes:
            self._rows.extend(pair for pair in zip(tokens, ids, strict=True) if _is_own(pair[1]))
        self._pause = _SHORTEST_PAUSE
        return now

    def _delete(self) -> int:
        """Delete this client's newest rows: the ids that were handed out last are the first to be handed out again."""
        rows = [self._rows.pop() for _ in range(min(self._fleet.batch, len(self._rows)))]
        self._expect(Kind.DELETE, len(rows))
        self._tape.aim([token for token, _ in rows], monotonic_ns())
        session = self._open()
        try:
            self._work.delete(session, [id_ for _, id_ in rows], [token for token, _ in rows])
            if not self._ear.connections:
                self._late = True
                self._tape.begin(Kind.DELETE, len(rows), self._before)
            return self._commit(session)
        except ENDED as error:
            return self._failed(session, error)
        finally:
            self._close(session)

    def _hand(self, ids: Sequence[Any]) -> None:
        try:
            self._tape.hand(ids, monotonic_ns())
        except (TypeError, ValueError) as error:
            raise ScenarioError(
                f"insert returned something that is not an id of {', '.join(self._ids.columns)}: {error}"
            ) from error

    def _commit(self, session: Session) -> int:
        self._committing = True
        self._tape.commit(monotonic_ns())
        session.commit()
        ear = self._ear
        if ear.connections and not ear.refusals and not self._late:
            self._unseen = False
            return self._end(_OK)
        return self._end(_OK | self._flags() << 8)

    def _give_up(self, session: Session) -> int:
        certain = self._ear.certain and not self._autonomous
        session.rollback()
        outcome = Outcome.FAILED if certain and not self._ear.left_open else Outcome.UNKNOWN
        return self._end(outcome | (Flag.DELIBERATE | self._flags()) << 8)

    def _close(self, session: Session) -> None:
        try:  # noqa: SIM105 (`suppress` costs half a microsecond)
            session.close()
        except ENDED:  # the connection may be gone; the outcome is on the tape
            pass

    def _end(self, result: int) -> int:
        self._ear.under_way = False
        now = monotonic_ns()
        self._tape.end(result, now)
        return now

    @property
    def _autonomous(self) -> bool:
        """Whether the work is known to commit in a way that is not heard."""
        return self._ids.autonomous and not self._ids.heard

    def _flags(self) -> int:
        """Return the flags of a completed operation: whether it was unseen, and whether it retried after a refusal."""
        self._unseen = not self._ear.connections
        return (Flag.UNSEEN if self._unseen or self._late else 0) | (Flag.RETRIED if self._ear.refusals else 0)

    def _failed(self, session: Session, error: BaseException) -> int:
        """Record the outcome of an operation that failed, which depends on its phase and on the error's code.

        COMMITs are heard wherever they are sent from, so what counts is whether there was one whose answer does not
        prove a rollback. An event of the engine may do something unheard in place of COMMIT, so once the harness itself
        has reached its COMMIT, the error has to prove the rollback as well.
        """
        self._control.concurrency.go_on()
        ear = self._ear
        code = self._codes.of(error, held=bool(ear.connections) and session.in_transaction())
        if self._autonomous:
            failed = code.refused and not code.wrapped and ear.only_refused
        else:
            failed = ear.certain and (not self._committing or code.rolled_back)
        with suppress(*ENDED):
            session.rollback()
        failed = failed and not ear.left_open
        flags = Flag.UNSEEN if self._late else 0
        if not ear.connections and not self._late:
            flags = Flag.UNSEEN if self._unseen and not code.environment else Flag.UNCONNECTED
            # What it did outside the pools began here. If a delete began later, a legitimate reuse would look broken.
            self._tape.begin(self._kind, self._count, self._before)
        outcome = Outcome.FAILED if failed else Outcome.UNKNOWN
        now = self._end(outcome | flags << 8 | self._number(code, error) << 16)
        if isinstance(error, ScenarioError):
            raise error
        no_connection = isinstance(error, SQLAlchemyError) or code.environment
        return self._wait() if flags & Flag.UNCONNECTED and no_connection else now

    def _wait(self) -> int:
        """Wait because there was no connection, longer each time."""
        self._sleep(self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return monotonic_ns()

    def _number(self, code: ErrorCode, error: BaseException) -> int:
        """Return the number of an error's code on the tape."""
        try:
            return self._codes.number(code, error)
        except OSError as full:
            self.full = full
            return 0


def _is_own(id_: Any) -> bool:
    return id_ is not None and not isinstance(id_, Existing | Burned)
