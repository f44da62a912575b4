"""The clients of a schedule as threads, or as tasks of one event loop, and how each of them stops for its turn.

The loop runs in a thread of its own, so that the conductor can wait in another. A task stops inside SQLAlchemy's
greenlet, beneath the call that its work awaits: other tasks of the loop go on meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from typing import Protocol, TypeVar

from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from idstorm.errors import IdstormError
from idstorm.model.awaiting import at_home

T = TypeVar("T")

_END_WITHIN = 3.0  # seconds for a loop, and for the tasks that the work has left in it


class Stuck(IdstormError):
    """A schedule does not come to its end."""


class Turn(Protocol):
    """What a client waits at."""

    def why_not(self) -> str:
        """Return why the code that calls this cannot wait, in words that follow its name; empty: it can."""

    def acquire(self) -> None:
        """Wait until it is let go on, as often as that."""

    def release(self) -> None:
        """Let it go on. Any thread may do so."""


class Runtime(Protocol):
    """How the clients of a schedule run beside each other."""

    awaits: bool  #: they may use a driver for asyncio

    def turn(self) -> Turn:
        """Return what a client waits at."""

    def start(self, body: Callable[[], None]) -> Callable[[], object]:
        """Start a client. Returns a function that waits for its end."""

    def call(self, body: Callable[[], T], within: float | None = None) -> T:
        """Call a function where clients run, and return what it returns.

        Raises Stuck where that takes longer than so many seconds, if it can be told.
        """

    def close(self) -> None:
        """End what clients needed to run."""


class ThreadRuntime:
    """A thread for each client."""

    awaits = False

    def turn(self) -> Turn:
        """Return what a thread waits at."""
        return _TurnOfThread()

    def start(self, body: Callable[[], None]) -> Callable[[], object]:
        """Start a thread."""
        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        return thread.join

    def call(self, body: Callable[[], T], within: float | None = None) -> T:
        """Call it here."""
        return body()

    def close(self) -> None:
        """There is nothing to end."""


class LoopRuntime:
    """A task of one event loop for each client."""

    awaits = True

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def turn(self) -> Turn:
        """Return what a task waits at."""
        return _TurnOfTask(self._loop)

    def start(self, body: Callable[[], None]) -> Callable[[], object]:
        """Start a task."""
        future = asyncio.run_coroutine_threadsafe(at_home(greenlet_spawn(body)), self._loop)
        return lambda: wait([future])

    def call(self, body: Callable[[], T], within: float | None = None) -> T:
        """Call a function where a driver for asyncio can wait."""
        future = asyncio.run_coroutine_threadsafe(at_home(greenlet_spawn(body)), self._loop)
        try:
            return future.result(within)
        except TimeoutError:
            if future.done():
                raise
            raise Stuck("the event loop does not go on: something in it blocks, such as a lock of threads") from None

    def close(self) -> None:
        """End the loop, and the tasks that the work has left behind. One that is blocked is left as it is."""
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_end_others(), self._loop).result(_END_WITHIN)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_WITHIN)
        if not self._thread.is_alive():
            self._loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=_END_WITHIN / 2)


class _TurnOfThread:
    """A semaphore."""

    def __init__(self) -> None:
        self._turns = threading.Semaphore(0)

    def why_not(self) -> str:
        """Any thread can wait."""
        return ""

    def acquire(self) -> None:
        """Wait for a turn."""
        self._turns.acquire()

    def release(self) -> None:
        """Give a turn."""
        self._turns.release()


class _TurnOfTask:
    """A semaphore of asyncio that any thread may release, for tasks, and for threads that these have started."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._turns = loop, asyncio.Semaphore(0)

    def why_not(self) -> str:
        """Code in the loop's own thread cannot wait where it does not await: the loop would stand still."""
        blocks = self._is_here() and not in_greenlet()
        return "sends a statement that does not await, and so holds up all tasks of the loop" if blocks else ""

    def acquire(self) -> None:
        """Wait for a turn."""
        if self._is_here():
            await_only(self._turns.acquire())
        else:
            asyncio.run_coroutine_threadsafe(self._turns.acquire(), self._loop).result()

    def _is_here(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:  # a thread that the work has started
            return False

    def release(self) -> None:
        """Give a turn."""
        self._loop.call_soon_threadsafe(self._turns.release)
