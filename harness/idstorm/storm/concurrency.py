"""The clients of one worker at work at the same time: as threads, or as tasks of one event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from sqlalchemy.util import await_only, greenlet_spawn

from idstorm.model.awaiting import at_home

_LOOK_EVERY = 0.001  # seconds: nothing wakes a task when another thread sets an event


class Concurrency(Protocol):
    """How the clients of a worker work at the same time, and how each of them waits."""

    def run(self, bodies: Sequence[Callable[[], None]], begun: Callable[[], None] = lambda: None) -> None:
        """Run all of these at the same time, call `begun` once they have been started, and wait for them."""

    def sleep(self, seconds: float) -> None:
        """Let this client do nothing for a while."""

    def wait(self, event: threading.Event) -> None:
        """Let this client do nothing until the event is set."""

    def go_on(self) -> None:
        """Let this client go on, even if its work has asked for its own cancellation."""


class Threads:
    """A thread for each client, as in a WSGI server."""

    def run(self, bodies: Sequence[Callable[[], None]], begun: Callable[[], None] = lambda: None) -> None:
        """Start a thread for each body."""
        threads = [threading.Thread(target=body, daemon=True) for body in bodies]
        for thread in threads:
            thread.start()
        begun()
        for thread in threads:
            thread.join()

    def sleep(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def wait(self, event: threading.Event) -> None:
        """Wait."""
        event.wait()

    def go_on(self) -> None:
        """A thread cannot be cancelled."""


class Tasks:
    """A task of one event loop for each client, as in an ASGI server. It needs that loop around it."""

    def run(self, bodies: Sequence[Callable[[], None]], begun: Callable[[], None] = lambda: None) -> None:
        """Start a task for each body."""
        await_only(self._run(bodies, begun))

    async def _run(self, bodies: Sequence[Callable[[], None]], begun: Callable[[], None]) -> None:
        tasks = [asyncio.create_task(at_home(greenlet_spawn(body))) for body in bodies]
        begun()
        await asyncio.gather(*tasks)

    def sleep(self, seconds: float) -> None:
        """Let other tasks go on."""
        await_only(asyncio.sleep(seconds))

    def wait(self, event: threading.Event) -> None:
        """Let other tasks go on, and look again."""
        while not event.is_set():
            await_only(asyncio.sleep(_LOOK_EVERY))

    def go_on(self) -> None:
        """Take the requests back, since `asyncio.timeout` counts them."""
        task = asyncio.current_task()
        while task is not None and task.cancelling():
            task.uncancel()
