"""Ctrl-C, SIGTERM, and the end of the terminal: the first asks for an end, the second ends at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

_NUMBERS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class StopSignal:
    """Whether the user wants an end. Any thread may ask; only the main thread is ever interrupted."""

    def __init__(self) -> None:
        self._asked = 0
        self._gentle = False

    def asked(self) -> bool:
        """Whether the user has asked to stop."""
        return self._asked > 0

    def insisted(self) -> bool:
        """Whether the user has asked more than once."""
        return self._asked > 1

    @contextmanager
    def gently(self) -> Iterator[None]:
        """Let a first request only show in `asked`, instead of raising KeyboardInterrupt.

        It changes nothing in other threads than the main thread: no signal is ever raised there.
        """
        if current_thread() is not main_thread():
            yield
            return
        self._gentle = True
        try:
            yield
        finally:
            self._gentle = False

    def on_signal(self, _number: int, _frame: object) -> None:
        """Take up a request."""
        self._asked += 1
        if self._asked > 1 or not self._gentle:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[StopSignal]:
    """Yield an object that tells whether Ctrl-C, SIGTERM or SIGHUP came; under `nohup` the last stays ignored.

    A shell that starts it in the background has SIGINT ignored; if one is sent all the same, it counts.
    """
    stop = StopSignal()
    if current_thread() is not main_thread():  # other threads can neither handle nor receive signals
        yield stop
        return
    always = (signal.SIGINT, signal.SIGTERM)
    heeded = [number for number in _NUMBERS if number in always or signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop.on_signal) for number in heeded}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
