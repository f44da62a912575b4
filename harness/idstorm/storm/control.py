"""The signals that all clients of one worker share, and when all of them stand still."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from idstorm.storm.concurrency import Concurrency, Threads


class Control:
    """The signals that all clients of a worker share, whichever way these work at the same time."""

    def __init__(self, concurrency: Concurrency | None = None) -> None:
        self.concurrency: Concurrency = concurrency or Threads()
        self.started, self.resumed = threading.Event(), threading.Event()
        self.start = 0  # nanoseconds of the monotonic clock
        self.stopping = False  # read before each operation, so a plain attribute, which costs almost nothing
        self.clients = 0
        self.on_still: Callable[[], None] = lambda: None  #: called once all clients stand still, or have ended
        self.on_entered: Callable[[], None] = lambda: None  #: called once all clients can work
        self.on_left: Callable[[], None] = lambda: None  #: called once none of them works any more
        self._standing = self._entered = self._left = 0
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Let every client end after its current operation."""
        self.stopping = True
        self.started.set()
        self.resumed.set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Mark a client as at work, not counting what it opens before and closes after."""
        with self._lock:
            self._entered += 1
            entered = self._entered == self.clients
        if entered:
            self.on_entered()
        try:
            yield
        finally:
            with self._lock:
                self._left += 1
                left = self._left == self.clients
            if left:
                self.on_left()

    def stand(self) -> None:
        """Mark a client as standing still, for a while or for good."""
        with self._lock:
            self._standing += 1
            still = self._standing == self.clients
        if still and not self.resumed.is_set():
            self.on_still()
