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

An id that is counted within a scope (a tenant, a year), or from which a function makes what is counted, is a text that
is followed by two more words: a 64-bit hash of the scope, and the number.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

from idstorm.record.counting import counted
from idstorm.record.texts import FORMS, LONGEST_TEXT, integer, is_uuid, is_whole, text_of, uuid_of

_HALF = 1 << 63

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
class Codec:
    """The conversion of one storm's ids to keys."""

    kind: str
    text: int = 0  #: bytes of text kept beside a hash; longer text is cut in witnesses, never in keys
    parts: tuple[str, ...] = ()  #: of an id of several columns the kind of each: int, decimal or a form of text
    form: str = "text"  #: of the text, one of `FORMS`; that of a moment may name a zone as well
    scope: int = 0  #: how many of the parts, from the first, are the scope within which the last one is counted
    keyed: bool = False  #: what is counted was made from the id by a function of the scenario's

    @property
    def planned(self) -> Codec:
        """What a plan keeps of it."""
        return self

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
        if self.counted and self.kind != "text":
            raise ValueError(f"no {self.kind} is counted within a scope")

    @property
    def words(self) -> int:
        """64-bit words of a key, text included."""
        kinds = {"int64": 1, "uint64": 1, "int128": 2, "uuid": 2, "text": 2 + self.text // 8}
        return kinds[self.kind] + (2 if self.counted else 0)

    @property
    def counted(self) -> bool:
        """Whether its keys say, besides the id, in which scope it is counted, and its number there."""
        return self.scope > 0 or self.keyed

    @property
    def offset(self) -> int:
        """What is to be added to the word of a number: ids are the words themselves but for unsigned ones."""
        return _HALF if self.kind == "uint64" else 0

    def encode(self, value: object) -> tuple[int, ...]:
        """Return the words of the key. Raises TypeError or ValueError for what cannot be such an id."""
        match self.kind:
            case "int64":
                number = integer(value)
                if not -_HALF <= number < _HALF:
                    raise ValueError(f"{number} does not fit 64 bits")
                return (number,)
            case "uint64":
                number = integer(value)
                if not 0 <= number < 2 * _HALF:
                    raise ValueError(f"{number} does not fit 64 bits without a sign")
                return (number - _HALF,)
            case "int128":
                number = integer(value)
                if not -(1 << 127) <= number < 1 << 127:
                    raise ValueError(f"{number} does not fit 128 bits")
                return _two_words(number.to_bytes(16, "big", signed=True))
            case "uuid":
                return _two_words(uuid_of(value).bytes)
            case _:
                place = self.place(value) if self.counted else ()
                text = text_of(value, self.parts or self.form).encode()
                kept = text[: self.text].ljust(self.text, b"\0")
                return (
                    *_two_words(blake2b(text, digest_size=16).digest()),
                    *struct.unpack(f"<{self.text // 8}q", kept),
                    *place,
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

    def place(self, value: object) -> tuple[int, int]:
        """Return a hash of the scope of an id, and its number. Both are judged without the code of the scenario."""
        *scope, last = self.parts_of(value)
        return counted(scope, self.parts[:-1], last)

    def parts_of(self, value: object) -> Sequence[Any]:
        """Return the values of an id's columns. Raises TypeError where it has not as many."""
        if not self.parts:
            return [value]
        if not isinstance(value, Sequence) or isinstance(value, str | bytes) or len(value) != len(self.parts):
            raise TypeError(f"{value!r} is not a tuple of {len(self.parts)} values, those of the scope first")
        return value


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
    if isinstance(stored, (int, Decimal)) and not isinstance(stored, bool) and is_whole(stored):
        wide = isinstance(stored, Decimal) or not -_HALF <= stored < _HALF
        if -(1 << 127) <= stored < 1 << 127:
            return Codec("int128" if wide else "int64")
    if (spelled or not (isinstance(told, str) and isinstance(stored, str))) and is_uuid(told) and is_uuid(stored):
        return Codec("uuid")
    length = max(longest or 0, len(text_of(told).encode()), len(text_of(stored).encode()))
    parts = tuple(map(_kind, stored)) if isinstance(stored, (tuple, list)) else ()
    return Codec("text", -(-min(length, LONGEST_TEXT) // 8) * 8, parts)


def _kind(part: object) -> str:
    if isinstance(part, Decimal):
        return "decimal"
    return "int" if isinstance(part, int) and not isinstance(part, bool) else "text"


def _two_words(raw: bytes) -> tuple[int, int]:
    high, low = struct.unpack(">qq", raw)
    return high, low
