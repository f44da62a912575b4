"""Ctrl-C, SIGTERM, and the end of the terminal: the first asks for an end, the second ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))


class Signals:
    """What Ctrl-C, SIGTERM and SIGHUP ask for."""

    def __init__(self) -> None:
        self._asked = 0
        self._gentle = False

    def asked(self) -> bool:
        return self._asked > 0

    def insisted(self) -> bool:
        """Whether the user has asked more than once."""
        return self._asked > 1

    @contextmanager
    def gently(self) -> Iterator[None]:
        self._gentle = True
        try:
            yield
        finally:
            self._gentle = False

    def on_signal(self, _number: int, _frame: object) -> None:
        self._asked += 1
        if self._asked > 1 or not self._gentle:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Signals]:
    """Yield an object that tells whether Ctrl-C, SIGTERM or SIGHUP came; under `nohup` the last stays ignored.

    A shell that starts it in the background has SIGINT ignored; if one is sent all the same, it counts.
    """
    signals = Signals()
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # other threads can neither handle nor receive signals
        yield signals
        return
    always = (signal.SIGINT, signal.SIGTERM)
    heeded = [number for number in _NUMBERS if number in always or signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signals.on_signal) for number in heeded}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
