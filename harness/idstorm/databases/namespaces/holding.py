"""Holding a lock for as long as a storm lasts, even where the session that holds it is ended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import sqlalchemy as sa

_EVERY = 0.5  # seconds between two looks; they also keep the session from being ended for being idle
_PATIENCE = 10.0  # seconds for a look that is under way


@contextmanager
def holding(
    first: sa.Connection,
    connect: Callable[[], AbstractContextManager[sa.Connection]],
    take: Callable[[sa.Connection], bool],
) -> Iterator[None]:
    """Look after a lock that the session of `first` has; where that session is ended, take it in another.

    Until this ends, `first` belongs to the thread that looks. Between the end of a session and the next look nobody
    has the lock, which is why whoever finds it free has to look for sessions that are at work as well.
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
        with suppress(Exception), connect() as connection:  # the server may be away for a while: whatever that raises
            if take(connection):
                _watch(connection, over)
        over.wait(_EVERY)


def _watch(connection: sa.Connection, over: threading.Event) -> None:
    """Return as soon as a session has ended."""
    with suppress(Exception):  # of SQLAlchemy or of the driver: in any case nobody knows who has the lock
        while not over.wait(_EVERY):
            connection.exec_driver_sql("SELECT 1")
