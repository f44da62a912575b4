"""The clients of a schedule as threads, or as tasks of one event loop, and how each of them stops for its turn.

The loop runs in a thread of its own, so that the conductor can wait in another. A task stops inside SQLAlchemy's
greenlet, beneath the call that its work awaits: other tasks of the loop go on meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import wait
from typing import Protocol, TypeVar

from sqlalchemy.util import await_only, greenlet_spawn

from idstorm.model.awaiting import at_home

T = TypeVar("T")


class Turn(Protocol):
    """What a client waits at."""

    def acquire(self) -> object:
        """Wait until it is let go on, as often as that."""

    def release(self) -> object:
        """Let it go on. Any thread may do so."""


class Runtime(Protocol):
    """How the clients of a schedule run beside each other."""

    awaits: bool  #: they may use a driver for asyncio

    def turn(self) -> Turn:
        """Return what a client waits at."""

    def start(self, body: Callable[[], None]) -> Callable[[], object]:
        """Start a client. Returns a function that waits for its end."""

    def call(self, body: Callable[[], T]) -> T:
        """Call a function where clients run, and return what it returns."""

    def close(self) -> None:
        """End what clients needed to run."""


class ThreadRuntime:
    """A thread for each client."""

    awaits = False

    def turn(self) -> Turn:
        """Return what a thread waits at."""
        return threading.Semaphore(0)

    def start(self, body: Callable[[], None]) -> Callable[[], object]:
        """Start a thread."""
        thread = threading.Thread(target=body, daemon=True)
        thread.start()
        return thread.join

    def call(self, body: Callable[[], T]) -> T:
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

    def call(self, body: Callable[[], T]) -> T:
        """Call a function where a driver for asyncio can wait."""
        return asyncio.run_coroutine_threadsafe(at_home(greenlet_spawn(body)), self._loop).result()

    def close(self) -> None:
        """End the loop, and the tasks that the work has left behind."""
        asyncio.run_coroutine_threadsafe(_end_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _TurnOfTask:
    """A semaphore of asyncio that any thread may release."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._turns = loop, asyncio.Semaphore(0)

    def acquire(self) -> None:
        """Wait for a turn, within a greenlet."""
        await_only(self._turns.acquire())

    def release(self) -> None:
        """Give a turn."""
        self._loop.call_soon_threadsafe(self._turns.release)
