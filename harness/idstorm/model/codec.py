"""Which codec fits the ids of a storm, by what the table stores or, where nothing is stored, by the column's type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from idstorm.databases.registry import spoken_by
from idstorm.model.moments import form_as_stored, form_of_moments
from idstorm.model.types import gives_back_its_own, layers
from idstorm.record.keyed import Key, Keyed
from idstorm.record.keys import Burned, Codec, Existing, codec_for
from idstorm.record.texts import Odd

_LONGEST_NUMBER = 40  # bytes of one of 128 bits as text, and of a UUID
_UNKNOWN_TEXT = 64  # bytes kept of a text whose maximum length is unknown and that has no example
_BLANKS = re.compile(r"(NATIONAL )?N?CHAR(ACTER)?\b(?! VARYING)", re.IGNORECASE)


def codec_of(
    columns: Sequence[sa.Column[Any]],
    dialect: sa.Dialect,
    rows: Iterable[tuple[object, Sequence[object]]],
    zone: str = "",
    *,
    scope: int = 0,
    key: Key | None = None,
) -> Codec:
    """Return the codec for the ids of these columns.

    `rows` are what was told of each rehearsed row, and the ids that are stored for it: none or, if it is duplicated,
    several. `zone` is the time zone of the storm's sessions, where it matters. `scope` is how many of the columns, from
    the first, are the scope of the last one; `key` makes of an id what is counted.
    """
    known = list(rows)
    forms = forms_of(columns, dialect, zone)
    stored = next((id_ for _, several in known for id_ in several if _is_known(id_)), None)
    codec, forms = _codec_of(columns, dialect, known), forms_as_stored(forms, stored)
    if key is not None and codec.kind != "text":
        codec = Codec("text", _LONGEST_NUMBER)
    return Keyed.of(replace(codec.formed(forms), scope=scope, keyed=key is not None), key)


def forms_of(columns: Sequence[sa.Column[Any]], dialect: sa.Dialect, zone: str = "") -> tuple[str, ...]:
    """Return each column's form, of `record.keys.FORMS`: how to read text that it gives back, or that was told."""
    return tuple(_form(column.type, dialect, zone) for column in columns)


def forms_as_stored(forms: Sequence[str], stored: object) -> tuple[str, ...]:
    """Return the forms of columns, given an id read from them: a column may differ from its model."""
    parts = (stored,) if len(forms) == 1 else stored
    if not isinstance(parts, tuple | list) or len(parts) != len(forms):
        return tuple(forms)
    return tuple(map(_form_as_stored, forms, parts))


def _form_as_stored(form: str, stored: object) -> str:
    match form, stored:
        case "text", Decimal() | float():
            return "decimal"
        case "text", UUID():
            return "uuid"
    return form_as_stored(form, stored)


def _form(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect, zone: str) -> str:
    """https://www.postgresql.org/docs/current/datatype-character.html, https://www.sqlite.org/datatype3.html"""
    decorators, plain = layers(type_, dialect)
    if isinstance(plain, sa.DateTime):
        return form_of_moments(decorators, plain, dialect, zone)
    if gives_back_its_own(decorators):
        return "text"
    if isinstance(plain, (sa.Numeric, sa.Float)):
        return "decimal"
    if isinstance(plain, sa.Uuid):
        return "uuid"
    return "blank" if _pads_blanks(dialect) and _BLANKS.match(_declared(type_, dialect)) else "text"


def _pads_blanks(dialect: sa.Dialect) -> bool:
    database = spoken_by(dialect)
    return database is None or database.pads_blanks


def _declared(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> str:
    """Return a type as CREATE TABLE spells it: the driver's own variant of a type says less."""
    try:
        return type_.compile(dialect=dialect)
    except sa.exc.CompileError:
        return ""


def _codec_of(
    columns: Sequence[sa.Column[Any]], dialect: sa.Dialect, rows: Iterable[tuple[object, Sequence[object]]]
) -> Codec:
    known, longest, by_type, under = list(rows), None, None, None
    if len(columns) == 1:
        longest = getattr(columns[0].type, "length", None)
        decorators, plain = layers(columns[0].type, dialect)
        under = _of_type(plain)
        by_type = None if gives_back_its_own(decorators) else under
    told_of = [(_plain(told), stored) for told, several in known for stored in several if _is_known(stored)]
    told_alone = [(_plain(told), _plain(told)) for told, _ in known if _is_known(_plain(told))]
    for told, stored in (*told_of, *told_alone):
        if by_type is not None and by_type.kind in ("uint64", "text") and not isinstance(stored, str | bytes):
            return by_type
        if under is not None and under.kind == "text" and isinstance(stored, Decimal | float):
            return Codec("text", _UNKNOWN_TEXT)  # that this one is whole says nothing about the next
        spelled = by_type is not None and by_type.kind == "uuid"
        return codec_for(stored if told is None else told, stored, longest, spelled=spelled)
    if len(columns) > 1:
        return Codec("text", _UNKNOWN_TEXT, tuple(map(_kind, columns)))
    return by_type or Codec("text", _UNKNOWN_TEXT)


def _kind(column: sa.Column[Any]) -> str:
    return "int" if isinstance(column.type, sa.Integer) else "text"


def _of_type(type_: sa.types.TypeEngine[Any]) -> Codec | None:
    """Return the codec for values read from a column of this type; None where they cannot be foreseen."""
    match type_:
        case sa.BigInteger() if getattr(type_, "unsigned", False):
            return Codec("uint64")
        case sa.Integer():
            return Codec("int64")
        case sa.Uuid():
            return Codec("uuid")
        case sa.Numeric() as numeric if numeric.scale == 0 or (numeric.scale is None and numeric.precision):
            return Codec("int128")
        case sa.Numeric():
            return Codec("text", _UNKNOWN_TEXT)  # digits, and perhaps a decimal point
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
