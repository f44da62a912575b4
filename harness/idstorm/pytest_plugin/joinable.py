"""What a suite may join: everything from which SQLAlchemy's sessions come, down to the Session that can be heard."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from idstorm.errors import UsageError

_classes: WeakKeyDictionary[Any, type[Any]] = WeakKeyDictionary()
"""The class of Session that each maker, or class, of AsyncSessions drives since it was joined."""


def heard_of(target: Any) -> Any:
    """Return the Session, or the class of Sessions, whose events tell what a target's sessions do.

    The target is a Session, an AsyncSession, a sessionmaker or a scoped session of either, a class of them, or
    Flask-SQLAlchemy's `db`. Raises UsageError for anything else.
    """
    from sqlalchemy.orm import Session, scoped_session, sessionmaker

    made_by: Any = target
    if type(made_by).__module__.partition(".")[0] == "flask_sqlalchemy":
        made_by = made_by.session
    if isinstance(made_by, scoped_session):
        made_by = made_by.session_factory
    if isinstance(made_by, sessionmaker):
        made_by = made_by.class_
    if isinstance(made_by, Session) or (isinstance(made_by, type) and issubclass(made_by, Session)):
        return made_by
    heard = _of_asyncio(made_by)
    if heard is None:
        raise UsageError(
            f"{target!r} is not a Session or AsyncSession of SQLAlchemy, nor does it make any as a sessionmaker does"
        )
    return heard


def _of_asyncio(made_by: Any) -> Any:
    """Return the Session that an AsyncSession drives, or the class of those that such a maker or class drives."""
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker

    if isinstance(made_by, async_scoped_session):
        made_by = made_by.session_factory
    if isinstance(made_by, AsyncSession):
        return made_by.sync_session
    if isinstance(made_by, async_sessionmaker):
        if made_by not in _classes:
            driven = made_by.kw.get("sync_session_class") or made_by.class_.sync_session_class
            _classes[made_by] = _subclass(driven)
            made_by.configure(sync_session_class=_classes[made_by])
        return _classes[made_by]
    if isinstance(made_by, type) and issubclass(made_by, AsyncSession):
        if made_by not in _classes:
            made_by.sync_session_class = _classes[made_by] = _subclass(made_by.sync_session_class)
        return _classes[made_by]
    return None


def _subclass(driven: type[Any]) -> type[Any]:
    """Return a class of its own, so that no other session is heard."""
    return type(driven.__name__, (driven,), {})
