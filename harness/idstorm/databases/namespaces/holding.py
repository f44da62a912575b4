"""Holding a lock for as long as a storm lasts, even if the session that holds it is ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import sqlalchemy as sa

_EVERY = 0.5  # seconds between two checks, which also keep the session from being ended as idle
_PATIENCE = 10.0  # seconds for a check that is under way


@contextmanager
def holding(
    first: sa.Connection,
    connect: Callable[[], AbstractContextManager[sa.Connection]],
    take: Callable[[sa.Connection], bool],
) -> Iterator[None]:
    """Keep a lock that the session of `first` holds. If that session is ended, take the lock in another.

    Until this ends, `first` belongs to the checking thread. Between the end of a session and the next check, no session
    holds the lock. So a process that finds it free must also look for sessions at work.
    """
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(first, connect, take, over), name="idstorm-lock", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join(_PATIENCE)


def _keep(
    first: sa.Connection,
    connect: Callable[[], AbstractContextManager[sa.Connection]],
    take: Callable[[sa.Connection], bool],
    over: threading.Event,
) -> None:
    _watch(first, over)
    while not over.is_set():
        with suppress(Exception), connect() as connection:  # the server may be away for a while, with any error
            if take(connection):
                _watch(connection, over)
        over.wait(_EVERY)


def _watch(connection: sa.Connection, over: threading.Event) -> None:
    """Return as soon as a session has ended."""
    with suppress(Exception):  # from SQLAlchemy or the driver: in any case the lock may be lost
        while not over.wait(_EVERY):
            connection.exec_driver_sql("SELECT 1")
