"""A moment as a column stores it, so that one with or without a zone can be compared with the stored one."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

MOMENTS = ("clock", "utc", "moment", "local")
"""Columns that keep what a clock showed, and drop its zone; what a clock in UTC shows; a moment, so that one without a
zone is taken in the session's; what a clock in the session's zone shows (PostgreSQL's timestamp with, and without, time
zone)."""


def as_kept(at: datetime, kind: str, zone: str = "") -> datetime:
    """Return a moment as a column of one of the kinds `MOMENTS` keeps it, in a session of this time zone.

    Without the name of a zone it keeps the one it has, or has none. Raises ValueError where that zone is needed and not
    known here, and for a moment that leaves the years of a datetime.
    https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-INPUT-TIME-STAMPS
    """
    match kind, at.tzinfo is not None:
        case "clock", True:
            return at.replace(tzinfo=None)
        case "utc", True:
            return _shown(at, UTC)
        case "local", True if zone:
            return _shown(at, _zone(zone))
        case "moment", False if zone:
            return _taken(at, _zone(zone))
    return at


def _shown(at: datetime, zone: tzinfo) -> datetime:
    try:
        return at.astimezone(zone).replace(tzinfo=None, fold=0)
    except OverflowError:
        raise ValueError(f"{at} is beyond the years from 1 to 9999 in {zone}") from None


def _taken(at: datetime, zone: tzinfo) -> datetime:
    """Return a moment that a clock in this zone showed.

    What it showed twice, or never, is taken by the smaller of its two offsets, as PostgreSQL does:
    https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/adt/datetime.c (DetermineTimeZoneOffset)
    """
    offsets = {fold: at.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    return at.replace(tzinfo=zone, fold=min(offsets, key=lambda fold: (offsets[fold] or at - at, fold)))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"the session's time zone {name} is not known to Python: set one that has a name") from None
