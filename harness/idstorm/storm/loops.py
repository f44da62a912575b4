"""Code that awaits, and code that does not, in one event loop.

The code of a storm is written as if it never waited. With a driver for asyncio it runs in greenlets of an event loop,
as SQLAlchemy's own AsyncSession does beneath its surface: wherever the driver awaits, other clients go on.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy.util import await_only, greenlet_spawn

from idstorm.model.awaiting import apart, at_home, home

T = TypeVar("T")

_LEFT_WITHIN = 3.0  # seconds for tasks that a coroutine has left behind, once they are cancelled

_closing: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def where_it_may_wait(engine: sa.Engine, body: Callable[[], T]) -> T:
    """Call a function where the engine's driver can wait: in an event loop of its own if that is one for asyncio."""
    return in_loop(body) if engine.dialect.is_async else body()


def in_loop(body: Callable[[], T]) -> T:
    """Call a function in an event loop of its own, where `awaited` and drivers for asyncio can wait."""
    return apart(_to_the_end, greenlet_spawn(body))


def _to_the_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Do what `asyncio.run` does, but wait for no thread that the coroutine has left behind: it may wait forever."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(at_home(coroutine))
    finally:
        _closing.add(loop)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_LEFT_WITHIN))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def is_in_loop() -> bool:
    """Return whether this code was called by `in_loop`."""
    return home.get() is not None


def is_closing() -> bool:
    """Return whether the loop around this code is being closed, so that nothing may be tried again in it."""
    return is_in_loop() and asyncio.get_running_loop() in _closing


def awaited(value: T | Awaitable[T]) -> T:
    """Return what a function of the user's returned, or what that comes to if it has to be awaited. Needs `in_loop`."""
    return await_only(value) if inspect.isawaitable(value) else value


@contextmanager
def entered(manager: AbstractContextManager[T] | AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter a context manager of either kind. Needs `in_loop` for an async one."""
    if isinstance(manager, AbstractContextManager):
        with manager as value:
            yield value
        return
    value = await_only(manager.__aenter__())
    try:
        yield value
    except BaseException as error:
        if not await_only(manager.__aexit__(type(error), error, error.__traceback__)):
            raise
    else:
        await_only(manager.__aexit__(None, None, None))


@contextmanager
def kept_up(manager: AbstractContextManager[T] | AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Keep up what an application needs while other code runs: an async one in a thread with a loop of its own."""
    if isinstance(manager, AbstractContextManager):
        with manager as value:
            yield value
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def call(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    try:
        value = call(manager.__aenter__())
        try:
            yield value
        except BaseException as error:
            if not call(manager.__aexit__(type(error), error, error.__traceback__)):
                raise
        else:
            call(manager.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
