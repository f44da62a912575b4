"""Bounded time for what may wait for ever in a database: a look that is locked out, an operation that deadlocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from idstorm.errors import ScenarioError

T = TypeVar("T")

_LOOK_WITHIN = 10.0  # seconds


def in_time(look: Callable[[], T]) -> T | None:
    """Return what a look at the database finds; None where it fails, or waits for a lock that the caller holds."""
    seen: list[T] = []

    def attempt() -> None:
        with suppress(Exception):
            seen.append(look())

    thread = threading.Thread(target=attempt, daemon=True)  # whose connections nobody hears
    thread.start()
    thread.join(_LOOK_WITHIN)
    return seen[0] if seen else None


@contextmanager
def ended_after(seconds: float, end: Callable[[], object]) -> Iterator[None]:
    """Call `end` where what is done takes longer, from another thread. Its error then says so: a ScenarioError."""
    over = threading.Event()

    def expire() -> None:
        over.set()
        end()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if over.is_set():
            raise ScenarioError(
                f"an operation of the rehearsal had not ended after {seconds:g} s, with nobody else at work, so its "
                "sessions were ended. If the work takes as long, raise --patience"
            ) from error
        raise
    finally:
        timer.cancel()
