"""A user's own `async def insert` or `delete`, called like any other."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from functools import partial, wraps
from threading import local
from typing import Any

from sqlalchemy.orm import Session
from sqlalchemy.util import await_only

ASYNC_SESSION = "idstorm_async_session"
"""Where the `info` of a session has the AsyncSession over it, if that is what the user's code is to be given."""

_here = local()


def is_awaited(function: Callable[..., Any] | None) -> bool:
    """Return whether a user's function is a coroutine function."""
    return function is not None and inspect.iscoroutinefunction(_inner(function))


def awaiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives a coroutine function its AsyncSession, and waits for it.

    Over a driver for threads there is no AsyncSession: it is given the Session, and runs in a loop of its thread's own.
    """
    if not is_awaited(function):
        return function

    @wraps(function)
    def call(session: Session, *given: Any) -> Any:
        own = session.info.get(ASYNC_SESSION)
        coroutine = function(session if own is None else own, *given)
        return _run(coroutine) if own is None else await_only(coroutine)

    return call


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    if not hasattr(_here, "runner"):
        _here.runner = asyncio.Runner()
    return _here.runner.run(coroutine, context=copy_context())  # not that of the runner's first use


def _inner(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
