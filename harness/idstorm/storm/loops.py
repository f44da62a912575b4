"""Code that awaits, and code that does not, in one event loop.

The code of a storm is written as if it never waited. With a driver for asyncio it runs in greenlets of an event loop,
as SQLAlchemy's own AsyncSession does beneath its surface: wherever the driver awaits, other clients go on.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.util import await_only, greenlet_spawn

T = TypeVar("T")

_here: ContextVar[bool] = ContextVar("idstorm_in_loop", default=False)


def where_it_may_wait(engine: sa.Engine, body: Callable[[], T]) -> T:
    """Call a function where the engine's driver can wait: in an event loop of its own if that is one for asyncio."""
    return in_loop(body) if engine.dialect.is_async else body()


def in_loop(body: Callable[[], T]) -> T:
    """Call a function in an event loop of its own, where `awaited` and drivers for asyncio can wait."""

    async def run() -> T:
        _here.set(True)
        return await greenlet_spawn(body)

    return asyncio.run(run())


def is_in_loop() -> bool:
    """Return whether this code was called by `in_loop`."""
    return _here.get()


def awaited(value: T | Awaitable[T]) -> T:
    """Return what a function of the user's returned, or what that comes to if it has to be awaited. Needs `in_loop`."""
    return await_only(value) if inspect.isawaitable(value) else value


def is_async(function: object) -> bool:
    """Return whether a user's function is a coroutine function, or makes an async context manager by a decorator."""
    inner = inspect.unwrap(function) if callable(function) else function
    while isinstance(inner, partial):
        inner = inner.func
    called = inner if inspect.isroutine(inner) or isinstance(inner, type) else getattr(inner, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called) or hasattr(inner, "__aenter__")


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
