"""One typed key for each id, whether a client was told it or the table stores it.

A client may be told `"5"` over HTTP where the table holds 5, a UUID as text where it holds bytes. Both become the same
key: one or more signed 64-bit words.

==========  =====================  ====================================================================
kind        words                  for
==========  =====================  ====================================================================
``int64``   1                      integers
``uint64``  1                      unsigned integers of 64 bits, less 2**63: in one signed word, and in their own order
``int128``  2                      integers of up to 128 bits (NUMERIC columns)
``uuid``    2                      UUIDs, as objects, text or 16 bytes
``text``    2 + those of the text  anything else: a 128-bit BLAKE2b hash, and the text for the witnesses
==========  =====================  ====================================================================

An id that is counted within a scope (a tenant, a year) is the text of several columns, followed by two more words: a
64-bit hash of the scope, and the number.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from math import isfinite
from operator import index
from typing import Any, SupportsIndex
from uuid import UUID

from idstorm.record.moments import MOMENTS, as_kept

_LONGEST_TEXT = 128
_HALF = 1 << 63

_MOST_DIGITS = 1_000  # before or after the point of a number in text: no column that is a key has more

FORMS = ("text", "blank", "decimal", "uuid", *MOMENTS)
"""How a column means text, and moments: text as it is; text filled up with blanks, which mean nothing at its end
(CHAR); a number, however many digits it is told with; a UUID, however it is written; a moment (`record.moments`)."""

Shown = int | str | list[int | str]
"""An id as shown to users, as JSON can hold it: that of several columns is a list."""


@dataclass(frozen=True)
class Existing:
    """An id that an upsert was told, of a row that another token had made and that keeps that token.

    If the work knows that token, as a number or as text, the id is compared with the row that has it.
    """

    id: Any
    token: int | str | None = None


@dataclass(frozen=True)
class Burned:
    """The id of a row that was inserted and then given up inside a transaction that went on."""

    id: Any


@dataclass(frozen=True)
class Odd:
    """A stored value that is not an id: the column's own type fails to read it back."""

    stored: Any


@dataclass(frozen=True)
class Codec:
    """The conversion of one storm's ids to keys."""

    kind: str
    text: int = 0  #: bytes of text kept beside a hash; longer text is cut in witnesses, never in keys
    parts: tuple[str, ...] = ()  #: of an id of several columns the kind of each: int, decimal or a form of text
    form: str = "text"  #: of the text, one of `FORMS`; that of a moment may name a zone as well
    scope: int = 0  #: how many of the parts, from the first, are the scope within which the last one is counted

    def formed(self, forms: Sequence[str]) -> Codec:
        """Return the codec for text of these forms, a form for each column."""
        if self.kind != "text":
            return self
        if not self.parts:
            return replace(self, form=forms[0])
        parts = (part if part in ("int", "decimal") else form for part, form in zip(self.parts, forms, strict=True))
        return replace(self, parts=tuple(parts))

    def __post_init__(self) -> None:
        if self.form.partition(" ")[0] not in FORMS:
            raise ValueError(f"{self.form!r} is not a form of text")
        if self.kind not in ("int64", "uint64", "int128", "uuid", "text"):
            raise ValueError(f"{self.kind!r} is not a kind of key")
        if not 0 <= self.text <= 1_024 or self.text % 8:
            raise ValueError(f"no codec keeps {self.text!r} bytes of text")
        if self.scope and self.scope != len(self.parts) - 1:
            raise ValueError(f"no scope has {self.scope!r} of {len(self.parts)} parts")

    @property
    def words(self) -> int:
        """64-bit words of a key, text included."""
        kinds = {"int64": 1, "uint64": 1, "int128": 2, "uuid": 2, "text": 2 + self.text // 8}
        return kinds[self.kind] + (2 if self.scope else 0)

    @property
    def offset(self) -> int:
        """What is to be added to the word of a number: ids are the words themselves but for unsigned ones."""
        return _HALF if self.kind == "uint64" else 0

    def encode(self, value: object) -> tuple[int, ...]:
        """Return the words of the key. Raises TypeError or ValueError for what cannot be such an id."""
        match self.kind:
            case "int64":
                number = _integer(value)
                if not -_HALF <= number < _HALF:
                    raise ValueError(f"{number} does not fit 64 bits")
                return (number,)
            case "uint64":
                number = _integer(value)
                if not 0 <= number < 2 * _HALF:
                    raise ValueError(f"{number} does not fit 64 bits without a sign")
                return (number - _HALF,)
            case "int128":
                number = _integer(value)
                if not -(1 << 127) <= number < 1 << 127:
                    raise ValueError(f"{number} does not fit 128 bits")
                return _two_words(number.to_bytes(16, "big", signed=True))
            case "uuid":
                return _two_words(_uuid(value).bytes)
            case _:
                counted = self._counted(value) if self.scope else ()
                text = _text(value, self.parts or self.form).encode()
                kept = text[: self.text].ljust(self.text, b"\0")
                return (
                    *_two_words(blake2b(text, digest_size=16).digest()),
                    *struct.unpack(f"<{self.text // 8}q", kept),
                    *counted,
                )

    def decode(self, words: Sequence[int]) -> Shown:
        """Return the id as shown to users, as JSON can hold it."""
        match self.kind:
            case "int64" | "uint64":
                return words[0] + self.offset
            case "int128":
                return int.from_bytes(struct.pack(">qq", *words), "big", signed=True)
            case "uuid":
                return str(UUID(bytes=struct.pack(">qq", *words)))
            case _:
                kept = words[2 : 2 + self.text // 8]
                text = struct.pack(f"<{self.text // 8}q", *kept).rstrip(b"\0").decode(errors="replace")
                return (self.parts and components(text, self.parts)) or text

    def _counted(self, value: object) -> tuple[int, int]:
        """Return a hash of the scope of an id, and its number. Both are judged without the code of the scenario."""
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != len(self.parts):
            raise TypeError(f"{value!r} is not a tuple of {len(self.parts)} values, those of the scope first")
        number = _integer(value[-1])
        if not -_HALF <= number < _HALF:
            raise ValueError(f"{number} does not fit 64 bits")
        return _hashed(_text(value[:-1], self.parts[:-1])), number


@lru_cache(maxsize=1 << 16)
def _hashed(scope: str) -> int:
    return int.from_bytes(blake2b(scope.encode(), digest_size=8).digest(), "big", signed=True)


def components(text: str, kinds: Sequence[str]) -> list[int | str] | None:
    """Return the parts of an id of several columns from its text, each of its kind; None where the text was cut."""
    try:
        parts = json.loads(text)
        return [int(part) if kind == "int" else part for part, kind in zip(parts, kinds, strict=True)]
    except (ValueError, TypeError):
        return None


def codec_for(told: object, stored: object, longest: int | None = None, *, spelled: bool = False) -> Codec:
    """Return the codec for ids like these two, which name the same row: one told, one as the table gives it back.

    `longest` is the length in characters that the column allows, if it states one. What the table stores decides:
    text stays text even where it happens to look like a number, or like a UUID, unless two texts that spell the same
    UUID are known to be the same id (`spelled`).
    """
    if isinstance(stored, (int, Decimal)) and not isinstance(stored, bool) and _is_whole(stored):
        wide = isinstance(stored, Decimal) or not -_HALF <= stored < _HALF
        if -(1 << 127) <= stored < 1 << 127:
            return Codec("int128" if wide else "int64")
    if (spelled or not (isinstance(told, str) and isinstance(stored, str))) and _is_uuid(told) and _is_uuid(stored):
        return Codec("uuid")
    length = max(longest or 0, len(_text(told).encode()), len(_text(stored).encode()))
    parts = tuple(map(_kind, stored)) if isinstance(stored, (tuple, list)) else ()
    return Codec("text", -(-min(length, _LONGEST_TEXT) // 8) * 8, parts)


def _kind(part: object) -> str:
    if isinstance(part, Decimal):
        return "decimal"
    return "int" if isinstance(part, int) and not isinstance(part, bool) else "text"


def _integer(value: object) -> int:
    if isinstance(value, SupportsIndex) and not isinstance(value, bool):  # numpy's integers, too
        return index(value)
    if isinstance(value, str):
        return int(value)
    if isinstance(value, (Decimal, float)) and _is_whole(value):
        return int(value)
    raise TypeError(f"{value!r} is not an integer")


def _is_finite(value: int | Decimal | float) -> bool:
    return value.is_finite() if isinstance(value, Decimal) else isinstance(value, int) or isfinite(value)


def _is_whole(value: int | Decimal | float) -> bool:
    return _is_finite(value) and value == int(value)


def _uuid(value: object) -> UUID:
    match value:
        case UUID():
            return value
        case str():
            return UUID(value)
        case bytes() if len(value) == 16:
            return UUID(bytes=value)
    raise TypeError(f"{value!r} is not a UUID")


def _is_uuid(value: object) -> bool:
    try:
        return bool(_uuid(value))
    except (TypeError, ValueError):
        return False


def _text(value: object, form: str | Sequence[str] = "text") -> str:
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
            parts = [_text(part, of_part) for part, of_part in zip(several, forms, strict=True)]
            return json.dumps(parts, ensure_ascii=False)  # quotes what separates
        case plain:
            return str(plain)


def _meant(value: object, form: str) -> object:
    """Return what a column of this form takes a value for. Text that it cannot be stays text."""
    kind, _, zone = form.partition(" ")
    match kind, value:
        case "blank", str():
            return value.rstrip(" ")
        case "decimal", str():
            with suppress(ArithmeticError):
                number = Decimal(value)
                if number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS:
                    return number
        case "uuid", _ if _is_uuid(value):
            return _uuid(value)
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
    return text[:_LONGEST_TEXT]


def _two_words(raw: bytes) -> tuple[int, int]:
    high, low = struct.unpack(">qq", raw)
    return high, low
