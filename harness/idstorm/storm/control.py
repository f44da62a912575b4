"""What the clients of one worker are told together, and when all of them stand still."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Control:
    """What the clients of a worker are told together."""

    def __init__(self) -> None:
        self.started, self.resumed = threading.Event(), threading.Event()
        self.start = 0  # nanoseconds of the monotonic clock
        self.stopping = False  # read before each operation: a plain attribute, which costs next to nothing
        self.clients = 0
        self.on_still: Callable[[], None] = lambda: None  #: called once all clients stand still, or have ended
        self._standing, self._lock = 0, threading.Lock()

    def stop(self) -> None:
        """Let every client end after the operation that it is at."""
        self.stopping = True
        self.started.set()
        self.resumed.set()

    def stand(self) -> None:
        """A client does nothing any more, for a while or for ever."""
        with self._lock:
            self._standing += 1
            still = self._standing == self.clients
        if still and not self.resumed.is_set():
            self.on_still()
