"""Which codec fits the ids of a storm: what the table stores decides, and its column's type where nothing is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from idstorm.record.keys import Burned, Codec, Existing, Odd, codec_for, moment_of, text_codec
from idstorm.storm.filling import plain_type

_UNKNOWN_TEXT = 64  # bytes kept of a text of which neither an example nor the greatest length is known


def codec_of(
    columns: Sequence[sa.Column[Any]], dialect: sa.Dialect, rows: Iterable[tuple[object, Sequence[object]]]
) -> Codec:
    """Return the codec for the ids of these columns.

    `rows` are what was told of each rehearsed row, and the ids that are stored for it: none or, where it is doubled,
    several.
    """
    known = list(rows)
    forms = forms_of(columns, dialect)
    for told, several in known:
        for stored in several:
            forms = _fitting(forms, _plain(told), stored)
    return _codec_of(columns, dialect, known).formed(forms)


def forms_of(columns: Sequence[sa.Column[Any]], dialect: sa.Dialect) -> tuple[str, ...]:
    """Return for each column how text that stands for a value of it is read, one of `record.keys.FORMS`."""
    return tuple(_form(column.type, dialect) for column in columns)


def _form(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> str:
    """https://www.postgresql.org/docs/current/datatype-character.html, https://www.sqlite.org/datatype3.html"""
    plain = plain_type(type_)
    if isinstance(plain, sa.DateTime):
        return "moment" if isinstance(type_, sa.TypeDecorator) or dialect.name == "postgresql" else "clock"
    if isinstance(plain, sa.Numeric | sa.Float) and not isinstance(plain, sa.Integer):
        return "decimal"
    try:
        made = type_.compile(dialect=dialect)  # with its variant for this database
    except sa.exc.CompileError:
        return "text"
    return "blank" if dialect.name != "sqlite" and re.match(r"N?CHAR\b", made) else "text"


def _fitting(forms: tuple[str, ...], told: object, stored: object) -> tuple[str, ...]:
    """Return the forms under which what was told is what is stored, where only one of two moments has a zone.

    PostgreSQL reads a moment without a zone in that of the session, and shows others in it; types of the application's
    may leave a zone out. By what the rehearsal saw, either the clock tells the moment, or the clock in UTC.
    """
    if len(forms) == 1:
        told, stored = (told,), (stored,)
    if not (isinstance(told, tuple | list) and isinstance(stored, tuple | list) and len(told) == len(stored)):
        return forms
    return tuple(_fitting_one(*one) for one in zip(forms, told, stored, strict=True))


def _fitting_one(form: str, told: object, stored: object) -> str:
    one, other = moment_of(told), moment_of(stored)
    if one is None or other is None or (one.tzinfo is None) == (other.tzinfo is None):
        return form
    codecs = [Codec("text", form=other_form) for other_form in (form, "clock", "utc")]
    return next((codec.form for codec in codecs if codec.encode(one) == codec.encode(other)), form)


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
        codec = codec_for(stored if told is None else told, stored, longest)
        if codec.kind == "uuid" and by_type != codec and isinstance(stored, str) and told in (None, stored):
            return text_codec(longest, stored)  # a column of text tells cases apart, and dashes
        return codec
    if len(columns) > 1:
        return Codec("text", _UNKNOWN_TEXT, tuple(map(_kind, columns)))
    return by_type or Codec("text", _UNKNOWN_TEXT)


def _kind(column: sa.Column[Any]) -> str:
    return "int" if isinstance(column.type, sa.Integer) else "text"


def _of_type(type_: sa.types.TypeEngine[Any]) -> Codec | None:
    """Return the codec for what a column of this type gives back; None where that is anybody's guess."""
    plain = plain_type(type_)
    if isinstance(type_, sa.TypeDecorator):
        return Codec("text", _UNKNOWN_TEXT) if isinstance(plain, sa.Numeric) and plain.scale else None
    match plain:
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
