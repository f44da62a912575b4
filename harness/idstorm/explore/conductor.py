"""Running one schedule: one client at a time goes on, from one step to the next.

The conductor lets a client go, and waits until all have come to rest: each stands before its next step, waits for
another's lock, or has ended. That a statement waits is what the database itself says, once it has not answered for some
milliseconds. Deadlocks are the database's to end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic

from idstorm.databases.base import Database
from idstorm.explore.clients import Client, Given, Move, State
from idstorm.explore.runtime import Runtime, Stuck, ThreadRuntime
from idstorm.explore.schedules import Choice, Priorities
from idstorm.explore.stepping import gate
from idstorm.findings.schedules import NAMES

_ASK_AFTER = 0.002  # seconds without an answer, after which the database is asked whether a statement waits
_ELSEWHERE_AFTER = 1.5  # seconds after which a client waits for something that no database knows
_MOST_STEPS = 200  # of a client, which may try again and again while another stands still
_STUCK_AFTER = 20.0  # seconds in which nothing has happened at all; a database ends a deadlock sooner


class Conductor:
    """Runs the clients of one schedule, by default each in a thread.

    `waits` says which of these sessions wait for a lock. `reader`: the last body only reads.
    """

    def __init__(
        self,
        database: Database,
        bodies: Sequence[Callable[[], None]],
        waits: Callable[[Iterable[int]], set[int]],
        *,
        runtime: Runtime | None = None,
        reader: bool = False,
    ) -> None:
        self._events: SimpleQueue[tuple[Client, State]] = SimpleQueue()
        self._runtime = runtime or ThreadRuntime()
        self._clients = [Client(number, database, self._events, self._runtime.turn()) for number in range(len(bodies))]
        self._clients[-1].reads_only = reader
        self._bodies, self._waits = bodies, waits
        self._plays_timeouts = database.serverless
        self.choices: list[Choice] = []
        self.moves: list[Move] = []
        self._elsewhere: str | None = None  # what a client waited for that is no lock of the database's, in words

    def run(self, first: Sequence[int], priorities: Priorities | None = None) -> None:
        """Run a schedule that begins with these clients' steps, and goes on with whichever client went last.

        With priorities, these say who goes instead.

        Raises Stuck where it does not come to an end.
        """
        ends = list[Callable[[], object]]()
        try:
            for client, body in zip(self._clients, self._bodies, strict=True):
                client.state = State.RUNS
                ends.append(self._runtime.start(partial(self._body, client, body)))
                self._settle()
                self._note_asides()
            last: int | None = None
            order = [] if priorities is None else list(priorities.order)
            while (able := self._able()) or not self._ended():
                if able and priorities is not None:
                    last = self._step(priorities.chosen(able, len(self.choices), order), able)
                elif able:
                    last = self._step(self._chosen(first, able, last), able)
                else:
                    self._resolve()
        finally:
            self._give_up()
        for end in ends:
            end()

    @property
    def doubt(self) -> str | None:
        """Why this does not count as a schedule that was stepped through, in words; None: it does."""
        return next((one.does_several for one in self._clients if one.does_several), self._elsewhere)

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
            raise Stuck(f"{NAMES[number]} takes more than {_MOST_STEPS} steps, the last of them {client.step!r}")
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
            self._elsewhere = self._elsewhere or "all clients waited, and which of them a timeout ends first was chosen"
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
        began, suspected = monotonic(), set[int | None]()
        while running := [one for one in self._clients if one.state is State.RUNS]:
            if self._take(_ASK_AFTER):
                suspected.clear()
                continue
            stopped = self._waiting_sessions(running)
            for client in running:  # twice in a row: what a commit is just about to release is no wait
                if client.state is State.RUNS and client.session in stopped & suspected:
                    client.state = State.WAITS
            suspected = stopped
            if monotonic() > began + _ELSEWHERE_AFTER and any(one.state is State.STANDS for one in self._clients):
                for client in running:
                    if client.state is State.RUNS:
                        client.state = State.WAITS
                        where = f"at {client.step!r}" if client.step else "before its first step"
                        self._elsewhere = f"{NAMES[client.number]} waited for something else than a lock, {where}"
            if monotonic() > began + _STUCK_AFTER:
                raise Stuck(self.doubt or f"{NAMES[running[0].number]} does not come back from {running[0].step!r}")

    def _take(self, timeout: float) -> bool:
        """Wait for a client to come to rest."""
        with suppress(Empty):
            client, state = self._events.get(timeout=timeout)
            if client.state is State.ENDED:
                client.coarse(f"{NAMES[client.number]} goes on after it has ended, in a task or a thread of its own")
            else:
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
