"""What becomes of a moment's time zone in a column, which depends on its type and on the server's sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa

from idstorm.databases.registry import spoken_by
from idstorm.model.types import Decorators, gives_back_its_own, sent_by

_EAST = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=5)))


def zone_of(engine: sa.Engine) -> str:
    """Return the time zone that an engine's sessions assume for moments without one; "" where none is needed."""
    database = spoken_by(engine.dialect)
    if database is None or not database.converts_zones:
        return ""
    with engine.connect() as connection:
        return database.zone(connection)


def form_of_moments(decorators: Decorators, plain: sa.DateTime, dialect: sa.Dialect, zone: str) -> str:
    """Return the form, one of `record.moments.MOMENTS`, in which such a column keeps moments, and any zone it needs.

    Some databases convert between moments with and without a zone, by the session's; other databases' drivers drop it.
    """
    if gives_back_its_own(decorators):
        return f"moment {zone}".rstrip()
    sent = _sent(decorators, dialect)
    database = spoken_by(dialect)
    if database is None or not database.converts_zones or sent.tzinfo is None:
        return "utc" if sent.replace(tzinfo=None) == _EAST.astimezone(UTC).replace(tzinfo=None) else "clock"
    return f"{'moment' if plain.timezone else 'local'} {zone}".rstrip()


def form_as_stored(form: str, stored: Any) -> str:
    """Return the form of a column, given a moment read from it."""
    kind, _, zone = form.partition(" ")
    if kind not in ("moment", "local") or not isinstance(stored, datetime):
        return form
    return f"{'moment' if stored.tzinfo is not None else 'local'} {zone}".rstrip()


def _sent(decorators: Decorators, dialect: sa.Dialect) -> datetime:
    """Return what a type sends for a moment in a zone east of UTC: the same moment, or one without its zone."""
    try:
        sent = sent_by(decorators, _EAST, dialect)
    except Exception:  # from the application's type
        return _EAST
    return sent if isinstance(sent, datetime) else _EAST
