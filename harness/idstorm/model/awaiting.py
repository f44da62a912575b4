"""A user's own code that awaits, called like any other, and the task in which a client's work is at home."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial, wraps
from threading import local
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

ASYNC_SIDE = "idstorm_async_side"
"""Where the `info` of a session or a connection has the one of asyncio over it, which async code is to be given."""

home: ContextVar[object] = ContextVar("idstorm_home", default=None)
"""The task in which a client's work runs; tasks that the work starts inherit it. None: the client is a thread."""

T = TypeVar("T")

_here = local()


def is_async(function: object) -> bool:
    """Return whether a user's function is a coroutine function, or makes an async context manager."""
    inner = inspect.unwrap(function) if callable(function) else function
    while isinstance(inner, partial):
        inner = inner.func
    called = inner if inspect.isroutine(inner) or isinstance(inner, type) else getattr(inner, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called) or hasattr(inner, "__aenter__")


def awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives a coroutine function its AsyncSession, or AsyncConnection, and waits for it.

    Over a driver for threads there is none: it is given the plain one, and runs in a loop of its thread's own.
    """
    if not is_async(function):
        return function

    @wraps(function)
    def call(plain: Session | Connection, *given: Any) -> Any:
        own = plain.info.get(ASYNC_SIDE)
        coroutine = function(plain if own is None else own, *given)
        return apart(_run, coroutine) if own is None else await_only(coroutine)

    return call


def apart(run: Callable[[Coroutine[Any, Any, T]], T], coroutine: Coroutine[Any, Any, T]) -> T:
    """Call what runs a coroutine in this thread, or in another, if an event loop is at work in this one.

    That is so in a notebook, and in a test that is itself a coroutine.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, run, coroutine).result()


async def at_home(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine in a task that from now on counts as its client's own."""
    home.set(asyncio.current_task())
    return await coroutine


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in the loop that this thread keeps, in the context of this call, not of the loop's first use."""
    if not hasattr(_here, "runner"):
        _here.runner = asyncio.Runner()
    runner: asyncio.Runner = _here.runner
    return runner.run(at_home(coroutine), context=copy_context())
