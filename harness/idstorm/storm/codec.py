"""Which codec fits the ids of a storm: what the table stores decides, and its column's type where nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from idstorm.record.keys import Burned, Codec, Existing, Odd, codec_for
from idstorm.storm.filling import plain_type

_UNKNOWN_TEXT = 64  # bytes kept of a text of which neither an example nor the greatest length is known


def codec_of(
    columns: Sequence[sa.Column[Any]], dialect: sa.Dialect, rows: Iterable[tuple[object, Sequence[object]]]
) -> Codec:
    """Return the codec for the ids of these columns.

    `rows` are what was told of each rehearsed row, and the ids that are stored for it: none or, where it is doubled,
    several.
    """
    return _codec_of(columns, dialect, rows).formed(forms_of(columns, dialect))


def forms_of(columns: Sequence[sa.Column[Any]], dialect: sa.Dialect) -> tuple[str, ...]:
    """Return of each column in what form of `record.keys.FORMS` it gives back text.

    A type that decorates another gives back what it likes.
    """
    return tuple(_form(column.type, dialect.name) for column in columns)


def _form(type_: sa.types.TypeEngine[Any], dialect: str) -> str:
    """https://www.postgresql.org/docs/current/datatype-character.html, https://www.sqlite.org/datatype3.html"""
    if isinstance(type_, sa.CHAR) and dialect != "sqlite":
        return "blank"
    return "clock" if isinstance(type_, sa.DateTime) and dialect != "postgresql" else "text"


def _codec_of(
    columns: Sequence[sa.Column[Any]], dialect: sa.Dialect, rows: Iterable[tuple[object, Sequence[object]]]
) -> Codec:
    known, longest, by_type = list(rows), None, None
    if len(columns) == 1:
        longest = getattr(columns[0].type, "length", None)
        by_type = _of_type(columns[0].type.dialect_impl(dialect))
    told_of = [(_plain(told), stored) for told, several in known for stored in several if _is_known(stored)]
    told_alone = [(_plain(told), _plain(told)) for told, _ in known if _is_known(_plain(told))]
    for told, stored in (*told_of, *told_alone):
        if by_type is not None and by_type.kind in ("uint64", "text") and not isinstance(stored, str | bytes):
            return by_type
        return codec_for(stored if told is None else told, stored, longest)
    if len(columns) > 1:
        return Codec("text", _UNKNOWN_TEXT, tuple(map(_kind, columns)))
    return by_type or Codec("text", _UNKNOWN_TEXT)


def _kind(column: sa.Column[Any]) -> str:
    return "int" if isinstance(column.type, sa.Integer) else "text"


def _of_type(type_: sa.types.TypeEngine[Any]) -> Codec | None:
    """Return the codec for what a column of this type gives back; None where that is anybody's guess."""
    if isinstance(type_, sa.TypeDecorator):
        return None
    match plain_type(type_):
        case sa.BigInteger() if getattr(type_, "unsigned", False):
            return Codec("uint64")
        case sa.Integer():
            return Codec("int64")
        case sa.Uuid():
            return Codec("uuid")
        case sa.Numeric() as numeric if numeric.scale == 0 or (numeric.scale is None and numeric.precision):
            return Codec("int128")
        case sa.Numeric():
            return Codec("text", _UNKNOWN_TEXT)  # of digits, and perhaps a point
        case sa.Enum():
            return None
        case sa.String() | sa.LargeBinary() as text:
            length = min(text.length or _UNKNOWN_TEXT, 2 * _UNKNOWN_TEXT)
            return Codec("text", -(-length // 8) * 8)
    return None


def _plain(told: object) -> object:
    return told.id if isinstance(told, Existing | Burned) else told


def _is_known(id_: object) -> bool:
    return id_ is not None and not isinstance(id_, Odd)
