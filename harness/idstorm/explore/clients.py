"""One client of a schedule, as the conductor sees it, and the gate that it stops at."""

from __future__ import annotations

from asyncio import CancelledError
from dataclasses import dataclass, field
from enum import Enum, auto
from queue import SimpleQueue
from typing import Any, ClassVar

from idstorm.databases.base import Database
from idstorm.explore.runtime import Turn
from idstorm.findings.schedules import NAMES


class State(Enum):
    """What a client is doing."""

    NEW = auto()
    RUNS = auto()
    STANDS = auto()
    WAITS = auto()
    ENDED = auto()


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
    """One client of a schedule, as the conductor sees it, and the gate that it stops at."""

    number: int
    database: Database
    events: SimpleQueue[tuple[Client, State]]
    turn: Turn
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
    stopped: bool = False  #: one of its tasks stands or waits, …
    busy: bool = False  #: … or has been let go on, and waits for the answer

    def stand(self, step: str, session: int | None, sent: tuple[str, Any] | None) -> None:
        """Stop before a step."""
        if self.stopped or self.busy:
            self.coarse(f"{NAMES[self.number]} sends statements from several tasks at once: these were not stepped")
            return
        self.step, self.session, self.sent = step, session, sent
        self.busy = self._stop(State.STANDS)

    def held_up(self) -> bool:
        """Stop in the middle of a step, until another client has moved."""
        self.gives_up = False
        return self._stop(State.WAITS) and not self.gives_up

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
        self.answer, self.busy = answer, False

    def go(self) -> None:
        """Let it go on."""
        self.state = State.RUNS
        self.turn.release()

    def _stop(self, state: State) -> bool:
        """Wait for the turn. Returns False where that cannot be: what comes next is not stepped."""
        if self.given:
            raise Given
        if why := self.turn.why_not():
            self.coarse(f"{NAMES[self.number]} {why}: it was not stepped")
            return False
        self.stopped = True
        self.events.put((self, state))
        try:
            self.turn.acquire()
        except CancelledError:
            self.coarse(
                f"{NAMES[self.number]} was cancelled while it stood before a step, which took as long as others"
            )
            raise
        finally:
            self.stopped = False
        if self.given:
            raise Given
        return True
