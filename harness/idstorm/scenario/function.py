"""A scenario from a function of the application: anything that is given a session and returns what it has inserted."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, get_type_hints
from uuid import UUID

from sqlalchemy import inspect as state_of
from sqlalchemy.orm import Session

from idstorm.errors import ScenarioError, UsageError
from idstorm.scenario.own_sessions import OwnSessions
from idstorm.scenario.scenario import Scenario

_NAMES = ("session", "db_session", "async_session", "db")


def scenario_of(function: Callable[..., Any], model: type[Any] | None, id_: str | None = None) -> Scenario:
    """Return the scenario in which each operation calls a function once for each of its rows.

    The function is given a session by the parameter that is annotated as one, or called like one. One that has no
    parameter opens sessions of its own: sessionmakers among the names of its module are led to the storm's database.
    It returns the id, or the mapped object, or a tuple with either. `model` is by default what its return annotation
    names, and `id_` the primary key. Raises UsageError where nothing says which parameter or which model it is.
    """
    hints = _hints(function)
    model = model or _mapped(hints.get("return"))
    if model is None:
        raise UsageError(
            f"nothing says which table {function.__name__} inserts into: name its class with --model module:Name"
        )
    call, mapped = _call(function, hints, model), model

    def insert(session: Session, tokens: Sequence[int]) -> list[Any]:
        return [_id_of(call(session), function, mapped, id_, session) for _ in tokens]

    async def insert_async(session: Any, tokens: Sequence[int]) -> list[Any]:
        ids = []
        for _ in tokens:
            made = await call(session)
            run = getattr(session, "run_sync", None)  # what is read of an object may have to be loaded again
            ids.append(
                _id_of(made, function, mapped, id_, session)
                if run is None
                else await run(lambda sync, made=made: _id_of(made, function, mapped, id_, sync))
            )
        return ids

    return Scenario(model, insert=insert_async if inspect.iscoroutinefunction(function) else insert, id=id_)


def _id_of(made: Any, function: Callable[..., Any], model: type[Any], id_: str | None, session: Session) -> Any:
    """Return the id that a function's result carries. Raises ScenarioError where it carries none."""
    for one in made if isinstance(made, tuple | list) else [made]:
        if isinstance(one, model):
            if state_of(one).session is session:
                session.flush()
            if id_ is not None:
                return getattr(one, id_)
            key: tuple[Any, ...] | None = state_of(one).identity
            return None if key is None else key[0] if len(key) == 1 else key
        if isinstance(one, int | str | UUID) and not isinstance(one, bool):
            return one
    raise ScenarioError(
        f"{function.__name__} returned {made!r}, which carries no id of {model.__name__}: let it return the id, the "
        "object, or a tuple with either"
    )


def _call(function: Callable[..., Any], hints: dict[str, Any], model: type[Any]) -> Callable[[Any], Any]:
    """Return how to call a function, given the session of an operation."""
    if inspect.signature(function).parameters:
        session_as = _parameter(function, hints)
        return lambda session: function(**{session_as: session})
    own = OwnSessions.of(function)
    if own is None:
        raise UsageError(
            f"{function.__name__} takes no session, and {function.__module__} has no sessionmaker that could be led to "
            "the storm's database: give it a parameter `session`, or write a scenario whose insert calls it"
        )
    return partial(own.call_async if inspect.iscoroutinefunction(function) else own.call, function, model)


def _parameter(function: Callable[..., Any], hints: dict[str, Any]) -> str:
    """Return the parameter that takes the session."""
    parameters = inspect.signature(function).parameters
    annotated = [name for name in parameters if _is_session(hints.get(name))]
    named = [name for name in _NAMES if name in parameters]
    needed = [
        name
        for name, one in parameters.items()
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    chosen = next(iter([*annotated, *named, *(needed if len(needed) == 1 else [])]), None)
    if chosen is None:
        raise UsageError(
            f"{function.__name__} has no parameter that takes a session: call one `session`, or annotate it as a "
            "Session"
        )
    if others := [name for name in needed if name != chosen]:
        raise UsageError(
            f"{function.__name__} also needs {' and '.join(others)}, which a storm does not have: give it a default, "
            "or write a scenario whose insert calls it"
        )
    return chosen


def _is_session(hint: Any) -> bool:
    if not isinstance(hint, type):
        return False
    return issubclass(hint, Session) or any(one.__name__ in ("AsyncSession", "scoped_session") for one in hint.__mro__)


def _mapped(hint: Any) -> type[Any] | None:
    """Return the mapped class that a return annotation names, alone or in a tuple, if there is just one."""
    candidates = [hint, *getattr(hint, "__args__", ())]
    mapped = [one for one in candidates if isinstance(one, type) and hasattr(one, "__mapper__")]
    return mapped[0] if len(mapped) == 1 else None


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except Exception:  # names that exist only for a type checker
        return dict(getattr(function, "__annotations__", {}))
