"""The sessions that a function of an application opens by itself, led to a storm's database while it is called."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect as mapper_of
from sqlalchemy.orm import Session

from idstorm.errors import ScenarioError


@dataclass(frozen=True)
class OwnSessions:
    """The sessionmakers that a function's module has by name, and the scoped sessions."""

    makers: tuple[Any, ...]
    scoped: tuple[Any, ...]

    @classmethod
    def of(cls, function: Callable[..., Any]) -> OwnSessions | None:
        """Return those of a function; None where there are none. Other objects of the module are left alone."""
        named = list(inspect.unwrap(function).__globals__.values())
        scoped = [one for one in named if _is(one, "scoped_session", "async_scoped_session")]
        makers = [one for one in named if _is(one, "sessionmaker", "async_sessionmaker")]
        makers += [one.session_factory for one in scoped]
        return cls(tuple(makers), tuple(scoped)) if makers else None

    def call(self, function: Callable[[], Any], model: type[Any], session: Any) -> Any:
        """Call a function, each time with new sessions, as at the beginning of a request."""
        scoped = [one for one in self.scoped if _is(one, "scoped_session")]
        for one in scoped:
            one.remove()
        with self._led(model, session, awaits=False):
            try:
                return function()
            except BaseException:
                for one in scoped:
                    one.remove()
                raise

    async def call_async(self, function: Callable[[], Any], model: type[Any], session: Any) -> Any:
        """Do the same with one that awaits."""
        scoped = [one for one in self.scoped if _is(one, "async_scoped_session")]
        for one in scoped:
            await one.remove()
        with self._led(model, session, awaits=True):
            try:
                return await function()
            except BaseException:
                for one in scoped:
                    await one.remove()
                raise

    @contextmanager
    def _led(self, model: type[Any], session: Any, *, awaits: bool) -> Iterator[None]:
        """Lead those of one kind to the bind of a session. Raises ScenarioError for one that goes its own way.

        Only a worker leaves them so, which has several clients at once and nothing else to do.
        """
        makers = [maker for maker in self.makers if _is(maker, "async_sessionmaker") == awaits]
        if not makers or awaits == isinstance(session, Session):
            kind = "one for asyncio, such as --on postgresql+asyncpg://…" if self._all_await else "one for threads"
            raise ScenarioError(f"the sessions that the function opens by itself need another driver: {kind}")
        before = [dict(maker.kw) for maker in makers]
        if all(kw.get("bind") is session.bind for kw in before):
            yield
            return
        try:
            for maker in makers:
                maker.configure(bind=session.bind, binds=None)
                _see_that_it_is_led(maker, model, session)
            yield
        finally:
            if "IDSTORM_WORKER" not in os.environ:
                for maker, kw in zip(makers, before, strict=True):
                    maker.kw.clear()
                    maker.kw.update(kw)

    @property
    def _all_await(self) -> bool:
        return all(_is(maker, "async_sessionmaker") for maker in self.makers)


def _see_that_it_is_led(maker: Any, model: type[Any], session: Any) -> None:
    made = maker()
    plain, ours = (getattr(one, "sync_session", one) for one in (made, session))
    where = plain.get_bind(mapper=mapper_of(model))
    plain.close()
    if where is not ours.get_bind():
        raise ScenarioError(
            f"a session of the function's own chooses by itself where {model.__name__} is kept, and would leave the "
            "storm's database: give the function a parameter `session`"
        )


def _is(one: object, *names: str) -> bool:
    """Return whether an object is of a class of this name. Nothing is asked of the object itself: it may be a proxy."""
    return any(kind.__name__ in names for kind in type(one).__mro__)
