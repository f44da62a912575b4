"""Time limits for what may wait forever in a database: a query that is locked out, an operation that deadlocks."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TypeVar

from idstorm.errors import ScenarioError
from idstorm.storm.loops import is_in_loop

T = TypeVar("T")

_LOOK_WITHIN = 10.0  # seconds
_GRACE = 10.0  # seconds within which an operation that waits in a database has to end once its sessions are ended


class _Hangs(BaseException):
    """Raised in the middle of an operation that waits for something other than the database."""


def in_time(look: Callable[[], T]) -> T | None:
    """Return what a query of the database finds; None where it fails, or waits for a lock that the caller holds."""
    seen: list[T] = []

    def attempt() -> None:
        with suppress(Exception):
            seen.append(look())

    thread = threading.Thread(target=attempt, daemon=True)  # its connections are not heard
    thread.start()
    thread.join(_LOOK_WITHIN)
    return seen[0] if seen else None


@contextmanager
def ended_after(seconds: float, end: Callable[[], object]) -> Iterator[None]:
    """Call `end`, from another thread, if the block takes longer. Any error then becomes a ScenarioError saying so."""
    over = threading.Event()

    def expire() -> None:
        over.set()
        end()

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        with _interrupted_after(seconds + _GRACE):
            yield
    except _Hangs:
        raise ScenarioError(
            f"an operation of the rehearsal had not ended after {seconds:g} s, nor when its sessions were ended: "
            "what it waits for is not the database"
        ) from None
    except Exception as error:
        if over.is_set():
            raise ScenarioError(
                f"an operation of the rehearsal had not ended after {seconds:g} s, with no other client at work, so "
                "its sessions were ended. If the work takes that long, raise --patience"
            ) from error
        raise
    finally:
        timer.cancel()


@contextmanager
def _interrupted_after(seconds: float) -> Iterator[None]:
    """Raise _Hangs in the block if it takes longer. Only in the main thread, or in an event loop, is this possible.

    If the application itself sets alarms, they are left alone.
    """
    if is_in_loop():
        with _cancelled_after(seconds), _alarmed_after(seconds + _GRACE):  # the work may wait without awaiting
            yield
    else:
        with _alarmed_after(seconds):
            yield


@contextmanager
def _alarmed_after(seconds: float) -> Iterator[None]:
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        yield
        return

    def interrupt(*_: object) -> NoReturn:
        raise _Hangs

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)


@contextmanager
def _cancelled_after(seconds: float) -> Iterator[None]:
    """Raise _Hangs in the block if it awaits for longer."""
    over, task = threading.Event(), asyncio.current_task()
    assert task is not None

    def cancel() -> None:
        over.set()
        task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, cancel)
    try:
        yield
    except asyncio.CancelledError:
        if not over.is_set():
            raise
        task.uncancel()
        raise _Hangs from None
    finally:
        timer.cancel()
