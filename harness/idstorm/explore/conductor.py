"""Running one schedule: one client at a time goes on, from one step to the next.

The conductor lets a client go, and waits until all have come to rest: each stands before its next step, waits for
another's lock, or has ended. That a statement waits is what the database itself says, once it has not answered for some
milliseconds. Deadlocks are the database's to end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, ClassVar

from idstorm.databases.base import Database
from idstorm.errors import IdstormError
from idstorm.explore.schedules import Choice
from idstorm.explore.stepping import gate

_ASK_AFTER = 0.002  # seconds without an answer, after which the database is asked whether a statement waits
_ELSEWHERE_AFTER = 1.5  # seconds after which a client waits for something that no database knows
_MOST_STEPS = 200  # of a client, which may try again and again while another stands still
_STUCK_AFTER = 20.0  # seconds in which nothing has happened at all; a database ends a deadlock sooner


class State(Enum):
    """What a client is doing."""

    NEW = auto()
    RUNS = auto()
    STANDS = auto()
    WAITS = auto()
    ENDED = auto()


class Stuck(IdstormError):
    """A schedule does not come to its end."""


class Given(BaseException):
    """Raised in a client whose schedule is over before its end."""


@dataclass(frozen=True)
class Move:
    """A line of a schedule: what one client did, or that it goes on after it had to wait."""

    client: int
    step: str  #: empty: it goes on
    answer: str = ""
    sent: tuple[str, Any] | None = None  #: the statement and its parameters; None: it was a call of the driver

    WAITS: ClassVar[str] = "waits"


@dataclass
class Client:
    """One client of a schedule, as the conductor sees it, and the gate that its thread stops at."""

    number: int
    database: Database
    events: SimpleQueue[tuple[Client, State]]
    reads_only: bool = False
    state: State = State.NEW  #: only the conductor changes it, or a client could be overtaken by what is known of it
    step: str = ""
    session: int | None = None
    answer: str = ""
    sent: tuple[str, Any] | None = None
    does_several: str = ""
    shares: bool = False  #: it was in a transaction of another client's
    asides: list[Move] = field(default_factory=list)  #: what it has sent that is no step, since it came to rest last
    steps: int = 0
    gives_up: bool = False  #: it is told not to try again
    given: bool = False  #: the schedule is over
    turn: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def stand(self, step: str, session: int | None, sent: tuple[str, Any] | None) -> None:
        """Stop before a step."""
        self.step, self.session, self.sent = step, session, sent
        self._stop(State.STANDS)

    def held_up(self) -> bool:
        """Stop in the middle of a step, until another client has moved."""
        self.gives_up = False
        self._stop(State.WAITS)
        return not self.gives_up

    def passed(self, statement: str, parameters: Any) -> None:
        """Note a statement that is no step."""
        self.asides.append(Move(self.number, " ".join(statement.split()), "", (statement, parameters)))

    def coarse(self, why: str) -> None:
        """Note a step that does several things."""
        self.does_several = self.does_several or why

    def confused(self) -> None:
        """Note that two clients were in one transaction."""
        self.shares = True

    def answered(self, answer: str) -> None:
        """Keep it for the schedule's line."""
        self.answer = answer

    def go(self) -> None:
        """Let it go on."""
        self.state = State.RUNS
        self.turn.release()

    def _stop(self, state: State) -> None:
        self.events.put((self, state))
        self.turn.acquire()
        if self.given:
            raise Given


class Conductor:
    """Runs the clients of one schedule, each in a thread.

    `waits` says which of these sessions wait for a lock. `reader`: the last body only reads.
    """

    def __init__(
        self,
        database: Database,
        bodies: Sequence[Callable[[], None]],
        waits: Callable[[Iterable[int]], set[int]],
        *,
        reader: bool = False,
    ) -> None:
        self._events: SimpleQueue[tuple[Client, State]] = SimpleQueue()
        self._clients = [Client(number, database, self._events) for number in range(len(bodies))]
        self._clients[-1].reads_only = reader
        self._bodies, self._waits = bodies, waits
        self._plays_timeouts = database.serverless
        self.choices: list[Choice] = []
        self.moves: list[Move] = []
        self.elsewhere: str | None = None  #: what a client waited for that is no lock of the database's, in words

    def run(self, first: Sequence[int]) -> None:
        """Run a schedule that begins with these clients' steps, and goes on with whichever client went last.

        Raises Stuck where it does not come to an end.
        """
        threads = [
            threading.Thread(target=self._body, args=pair, daemon=True)
            for pair in zip(self._clients, self._bodies, strict=True)
        ]
        try:
            for client, thread in zip(self._clients, threads, strict=True):
                client.state = State.RUNS
                thread.start()
                self._settle()
                self._note_asides()
            last: int | None = None
            while (able := self._able()) or not self._ended():
                if able:
                    last = self._step(self._chosen(first, able, last), able)
                else:
                    self._resolve()
        finally:
            self._give_up()
        for thread in threads:
            thread.join()

    @property
    def coarse(self) -> str:
        """A step that does several things, in words; empty: there is none."""
        return next((client.does_several for client in self._clients if client.does_several), "")

    @property
    def sessions(self) -> list[int]:
        """The sessions that clients have used last."""
        return [client.session for client in self._clients if client.session is not None]

    @property
    def shared(self) -> bool:
        """Whether two clients were in one transaction, on one connection."""
        return any(client.shares for client in self._clients)

    def _body(self, client: Client, body: Callable[[], None]) -> None:
        gate.set(client)
        try:
            with suppress(Given):
                body()
        finally:
            self._events.put((client, State.ENDED))

    def _able(self) -> tuple[int, ...]:
        return tuple(client.number for client in self._clients if client.state is State.STANDS)

    def _ended(self) -> bool:
        return all(client.state is State.ENDED for client in self._clients)

    def _chosen(self, first: Sequence[int], able: Sequence[int], last: int | None) -> int:
        place = len(self.choices)
        if place < len(first) and first[place] in able:
            return first[place]
        return last if last in able else able[0]  # type: ignore[return-value]

    def _step(self, number: int, able: tuple[int, ...]) -> int:
        """Let a client take its step, and all come to rest. Returns its number."""
        client = self._clients[number]
        client.steps += 1
        if client.steps > _MOST_STEPS:
            raise Stuck(f"client {number} takes more than {_MOST_STEPS} steps, the last of them {client.step!r}")
        waiting = [one for one in self._clients if one.state is State.WAITS]
        self.choices.append(Choice(number, able, client.step))
        self.moves.append(Move(number, client.step, sent=client.sent))
        client.answer = ""
        client.go()
        self._settle()
        self._note(client)
        self._let_on(waiting)
        return number

    def _note(self, client: Client) -> None:
        """Write down what came of a client's step."""
        answer = Move.WAITS if client.state is State.WAITS else client.answer
        self.moves[-1] = replace(self.moves[-1], answer=answer)
        self._note_asides()

    def _note_asides(self) -> None:
        for client in self._clients:
            self.moves += client.asides
            client.asides.clear()

    def _let_on(self, waiting: Sequence[Client]) -> None:
        """Let those go on which waited for what this step has released."""
        if self._plays_timeouts:
            for client in waiting:
                if client.state is State.WAITS:
                    client.go()
                    self._settle()
        else:
            still = self._waiting_sessions(waiting)
            for client in waiting:
                if client.state is State.WAITS and client.session not in still:
                    client.state = State.RUNS
            self._settle()
        for client in waiting:
            if client.state is not State.WAITS:
                self.moves.append(Move(client.number, "", client.answer))
                self._note_asides()

    def _resolve(self) -> None:
        """Wait until the database ends a deadlock, where all wait. An embedded one's timeout is played."""
        waiting = [one for one in self._clients if one.state is State.WAITS]
        if self._plays_timeouts:
            self.elsewhere = self.elsewhere or "all clients waited, and which of them a timeout ends first was chosen"
            waiting[0].gives_up = True
            waiting[0].go()
        else:
            self._take(_STUCK_AFTER)
        self._settle()
        for client in waiting:
            if client.state is not State.WAITS:
                self.moves.append(Move(client.number, "", client.answer))
                self._note_asides()
        self._let_on([one for one in waiting if one.state is State.WAITS])

    def _settle(self) -> None:
        """Wait until no client runs."""
        began = monotonic()
        while running := [one for one in self._clients if one.state is State.RUNS]:
            if self._take(_ASK_AFTER):
                continue
            stopped = self._waiting_sessions(running)
            for client in running:
                if client.state is State.RUNS and client.session in stopped:
                    client.state = State.WAITS
            if monotonic() > began + _ELSEWHERE_AFTER and any(one.state is State.STANDS for one in self._clients):
                for client in running:
                    if client.state is State.RUNS:
                        client.state = State.WAITS
                        self.elsewhere = (
                            f"client {client.number} waited for something else than a lock, at {client.step!r}"
                        )
            if monotonic() > began + _STUCK_AFTER:
                raise Stuck(f"client {running[0].number} does not come back from {running[0].step!r}")

    def _take(self, timeout: float) -> bool:
        """Wait for a client to come to rest."""
        with suppress(Empty):
            client, state = self._events.get(timeout=timeout)
            client.state = state
            return True
        if timeout >= _STUCK_AFTER:
            raise Stuck("all clients wait, and the database does not end it")
        return False

    def _waiting_sessions(self, clients: Sequence[Client]) -> set[int | None]:
        sessions = [client.session for client in clients if client.session is not None]
        return set(self._waits(sessions)) if sessions else set()

    def _give_up(self) -> None:
        for client in self._clients:
            client.given = True
            if client.state is not State.ENDED:
                client.turn.release()
