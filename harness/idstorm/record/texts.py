"""Values that may be ids, as text: what is the same id is the same text, whoever tells it and in whatever form."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from math import isfinite
from operator import index
from typing import Any, SupportsIndex
from uuid import UUID

from idstorm.record.moments import MOMENTS, as_kept

LONGEST_TEXT = 128  # bytes

_MOST_DIGITS = 1_000  # before or after the point of a number in text: no column that is a key has more

FORMS = ("text", "blank", "caseless", "decimal", "uuid", *MOMENTS)
"""How a column means text, and moments: text as it is; text filled up with blanks, which mean nothing at its end
(CHAR); text in which "a" and "A" are the same; a number, however many digits it is told with; a UUID, however it is
written; a moment (`record.moments`)."""


@dataclass(frozen=True)
class Odd:
    """A stored value that is not an id: the column's own type fails to read it back."""

    stored: Any


def integer(value: object) -> int:
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):  # numpy's integers, too
        return index(value)
    if isinstance(value, str):
        return int(value)
    if isinstance(value, (Decimal, float)) and is_whole(value):
        return int(value)
    raise TypeError(f"{value!r} is not an integer")


def _is_finite(value: int | Decimal | float) -> bool:
    return value.is_finite() if isinstance(value, Decimal) else isinstance(value, int) or isfinite(value)


def is_whole(value: int | Decimal | float) -> bool:
    return _is_finite(value) and value == int(value)


def uuid_of(value: object) -> UUID:
    match value:
        case UUID():
            return value
        case str():
            return UUID(value)
        case bytes() if len(value) == 16:
            return UUID(bytes=value)
    raise TypeError(f"{value!r} is not a UUID")


def is_uuid(value: object) -> bool:
    try:
        return bool(uuid_of(value))
    except (TypeError, ValueError):
        return False


def text_of(value: object, form: str | Sequence[str] = "text") -> str:
    """Return an id as text; `form` is that of its parts, if it has several. Moments in any zone are those of UTC."""
    match _meant(value, form) if isinstance(form, str) else value:
        case str(text):
            return text
        case datetime(tzinfo=tzinfo()) as moment:
            return str(as_kept(moment, "utc")) + "+00:00"
        case bytes(raw):
            return raw.hex()
        case None | Odd():
            raise TypeError(f"{value!r} is not an id")
        case Decimal() | float() as number if _is_finite(
            number
        ):  # 4.00 of a column with two digits is the 4 it is told
            whole, _, fraction = format(Decimal(str(number)), "f").partition(".")
            return f"{whole}.{fraction.rstrip('0')}".rstrip(".") if number else "0"  # and not -0
        case Sequence() as several:
            forms = [form] * len(several) if isinstance(form, str) else form
            parts = [text_of(part, of_part) for part, of_part in zip(several, forms, strict=True)]
            return json.dumps(parts, ensure_ascii=False)  # quotes what separates
        case plain:
            return str(plain)


def _meant(value: object, form: str) -> object:
    """Return what a column of this form takes a value for. Text that it cannot be stays text."""
    kind, _, zone = form.partition(" ")
    match kind, value:
        case "blank", str():
            return value.rstrip(" ")
        case "caseless", str():
            return value.casefold()
        case "int", str():
            with suppress(ValueError):
                return int(value)
        case "decimal", str():
            with suppress(ArithmeticError):
                number = Decimal(value)
                if number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS:
                    return number
        case "uuid", _ if is_uuid(value):
            return uuid_of(value)
        case _, str() if kind in MOMENTS:
            with suppress(ValueError):
                return as_kept(datetime.fromisoformat(value), kind, zone)
        case _, datetime() if kind in MOMENTS:
            return as_kept(value, kind, zone)
    return value


def show_stored(value: object) -> str:
    """Return a stored value that is not an id, as shown to users."""
    match value:
        case Odd():
            return show_stored(value.stored)
        case tuple() | list():
            text = json.dumps([None if part is None else show_stored(part) for part in value], ensure_ascii=False)
        case bytes():
            text = value.hex()
        case _:
            text = str(value)
    return text[:LONGEST_TEXT]
