"""What the clients of one worker are told together, and when all of them stand still."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Control:
    """What the clients of a worker are told together."""

    def __init__(self) -> None:
        self.started, self.resumed = threading.Event(), threading.Event()
        self.start = 0  # nanoseconds of the monotonic clock
        self.stopping = False  # read before each operation: a plain attribute, which costs next to nothing
        self.clients = 0
        self.on_still: Callable[[], None] = lambda: None  #: called once all clients stand still, or have ended
        self.on_entered: Callable[[], None] = lambda: None  #: called once all clients can work
        self.on_left: Callable[[], None] = lambda: None  #: called once none of them works any more
        self._standing = self._entered = self._left = 0
        self._lock = threading.Lock()

    def stop(self) -> None:
        """Let every client end after the operation that it is at."""
        self.stopping = True
        self.started.set()
        self.resumed.set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """A client can work, and does not any more afterwards: what it opened before it and closes after it apart."""
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
        """A client does nothing any more, for a while or for ever."""
        with self._lock:
            self._standing += 1
            still = self._standing == self.clients
        if still and not self.resumed.is_set():
            self.on_still()
