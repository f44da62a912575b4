"""A tape: what one client did, as it happened, in a memory map that survives the death of its process.

A tape is a row of segment files, each a header and records of equal size. A record is one operation, in signed 64-bit
words of the machine's own order:

====================  ==========================================================================================
word                  content
====================  ==========================================================================================
0  ``BEGIN``          when the connection was held and the work began; publishes ``SHAPE``
1  ``HANDED``         when its ids were known; publishes what follows ``RESULT``
2  ``COMMIT``         when COMMIT was about to be sent
3  ``ENDED``          when it had ended; publishes ``RESULT``
4  ``SHAPE``          kind in the low byte, above it the number of rows
5  ``RESULT``         outcome in the low byte, flags in the next, above them the number of the error's code
then                  a byte for each row, its `Told`, padded to a word
then                  a key for each row (an insert), or the token of each row (a delete)
====================  ==========================================================================================

The moments are nanoseconds of ``CLOCK_MONOTONIC``, which all processes of one machine share, and are never zero; zero
means that the moment was not reached. The payload of a moment is stored before the moment itself, in one aligned 8-byte
store: a reader that sees the moment sees its payload, and after a SIGKILL between any two stores the tape reads back
exactly. (`struct.pack_into` would not do: it zeroes its target first.)

The disk space of a segment is allocated before its first operation begins. A full disk is therefore an error here, in
`Tape.reserve`, where nothing has been done yet, and not a SIGBUS between an insert and its record.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from pathlib import Path

from idstorm.record.code import OTHERS, Code, KindOfError
from idstorm.record.keys import Burned, Codec, Existing

MAGIC = int.from_bytes(b"idstormT", "little")
VERSION = 1
HEADER_WORDS = 8  #: magic, version, client, segment, rows of a record, words of a key, capacity, the base of tokens
BEGIN, HANDED, COMMIT, ENDED, SHAPE, RESULT, TOLD = range(7)

MOST_CODES = 1_000  #: kinds of error that one client tells apart
_MOST_CODE_BYTES = 1 << 23  # on disk: half of what a reader takes, so that those after it fit as well
_SMALLEST_SEGMENT, _LARGEST_SEGMENT = 1 << 16, 1 << 22  # bytes, header apart: each is twice the one before


class Kind(IntEnum):
    """What an operation does."""

    INSERT = 0
    DELETE = 1


class Told(IntEnum):
    """What a client was told of one row."""

    NOTHING = 0  #: it never came to that
    ID = 1
    NO_ROW = 2  #: certainly no row
    EXISTING = 3  #: the id of another token's row
    BURNED = 4  #: the id of a row that was given up inside the transaction
    OWNED = 5  #: the id of another token's row, and that token, which stands among the tape's owners


class Flag(IntEnum):
    """What else is known of an operation's end."""

    DELIBERATE = 1  #: rolled back because the plan said so
    UNCONNECTED = 2  #: no connection was to be had; nothing was begun
    UNSEEN = 4  #: when its connection was taken was not seen: it began, at the latest, where the tape says so
    RETRIED = 8  #: the id's own constraint refused a row, and the work got over it


_ID = int(Told.ID)  # looking up a member of an enumeration takes longer than storing it


@dataclass(frozen=True)
class Layout:
    """The shape of a record."""

    rows: int
    key_words: int

    @property
    def keys(self) -> int:
        """The word at which the keys begin."""
        return TOLD + -(-self.rows // 8)

    @property
    def words(self) -> int:
        """The words of one record."""
        return self.keys + self.rows * self.key_words

    @property
    def largest_segment(self) -> int:
        """The bytes of the largest segment."""
        return HEADER_WORDS * 8 + max(_LARGEST_SEGMENT, self.words * 8)


def segment_path(folder: Path, client: int, segment: int) -> Path:
    """Where a segment of a client's tape lies."""
    return folder / f"client-{client:04}.{segment:06}.tape"


def codes_path(folder: Path, client: int) -> Path:
    """Where the error codes of a client's tape lie: JSON, a line each, in the order of their numbers from 1.

    Each line carries the base of the storm's tokens, as the header of each segment does.
    """
    return folder / f"client-{client:04}.codes"


def owners_path(folder: Path, client: int) -> Path:
    """Where the tokens of other rows lie that a client was told of, a word each.

    The first word is the storm's token base; the others are in the order of the tape's `OWNED`.
    """
    return folder / f"client-{client:04}.owners"


def allocate(file: int, size: int) -> None:
    """Give a file this many bytes, all of them on disk. Raises OSError where there is no space."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:  # macOS: what is written is allocated
        os.pwrite(file, bytes(size), 0)


def _token(given: object) -> int | None:
    """Return the token that names an owner, as a column of text may hold it; None where it can be none of a storm's."""
    try:
        number = int(given) if isinstance(given, int | str | Decimal) else -1
    except (ValueError, ArithmeticError):
        return None
    return number if 0 <= number < 1 << 63 else None


class Tape:
    """The recording end of a tape, for one thread."""

    def __init__(self, folder: Path, client: int, rows: int, codec: Codec, base: int) -> None:
        self._folder, self._client, self._codec, self._base = folder, client, codec, base
        self._layout = Layout(rows, codec.words)
        self._integers = codec.kind == "int64"
        self._segment = -1
        self._words = memoryview(b"").cast("q")
        self._bytes = memoryview(b"")
        self._at = self._end = 0  # where this record begins, and where the segment's last one ends
        self._record, self._keys, self._key_words = self._layout.words, self._layout.keys, codec.words
        self._codes: dict[KindOfError, int] = {}
        self._code_bytes = 0

    def reserve(self) -> None:
        """Make room for one whole operation. Raises OSError where the disk is full."""
        if self._at == self._end:
            self._grow()

    def begin(self, kind: int, rows: int, now: int) -> None:
        """The connection is held and the work begins."""
        self._words[self._at + SHAPE] = kind | rows << 8
        self._words[self._at + BEGIN] = now

    def hand(self, ids: Sequence[object], now: int) -> None:
        """The ids of an insert are known. Raises TypeError or ValueError, with nothing told, for what is not an id."""
        words, states, at = self._words, self._bytes, self._at
        told = (at + TOLD) * 8
        key = at + self._keys
        owners: list[int] = []
        for id_ in ids:
            if self._integers and type(id_) is int:
                try:
                    words[key] = id_
                except ValueError as error:
                    raise ValueError(f"{id_} does not fit 64 bits") from error
                state = _ID
            elif id_ is None:
                state = Told.NO_ROW
            else:
                state = Told.EXISTING if isinstance(id_, Existing) else Told.BURNED if isinstance(id_, Burned) else _ID
                if isinstance(id_, Existing) and (owner := _token(id_.token)) is not None:
                    state = Told.OWNED
                    owners.append(owner)
                for offset, word in enumerate(
                    self._codec.encode(id_.id if isinstance(id_, Existing | Burned) else id_)
                ):
                    words[key + offset] = word
            states[told] = state
            told += 1
            key += self._key_words
        if owners:  # before they are published: what is left over of a killed client stands at the end
            path = owners_path(self._folder, self._client)
            named = owners if path.exists() else [self._base, *owners]
            self._append(path, struct.pack(f"={len(named)}q", *named))
        words[at + HANDED] = now

    def aim(self, tokens: Sequence[int], now: int) -> None:
        """The rows of a delete are chosen."""
        key = self._at + self._keys
        for offset, token in enumerate(tokens):
            self._words[key + offset * self._key_words] = token
        self._words[self._at + HANDED] = now

    def commit(self, now: int) -> None:
        """COMMIT is about to be sent."""
        self._words[self._at + COMMIT] = now

    def end(self, result: int, now: int) -> None:
        """The operation has ended; `result` is outcome, flags and code as the word RESULT holds them."""
        self._words[self._at + RESULT] = result
        self._words[self._at + ENDED] = now
        self._at += self._record

    def known_code(self, kind: KindOfError) -> int:
        """Return the number of a kind of error that was written down before, or 0.

        Once there are too many, all further ones that mean the same have one number, and the name `OTHERS`.
        """
        known = self._codes.get(kind, 0)
        return self._codes.get((OTHERS, *kind[1:]), 0) if not known and self._has_enough_codes else known

    def code(self, code: Code) -> int:
        """Return the number of an error's code, which is written down where its kind was not seen before."""
        code = code.clipped
        if known := self.known_code(code.kind):
            return known
        if self._has_enough_codes:
            code = code.among_others
        line = code.to_line(self._base).encode()
        self._append(codes_path(self._folder, self._client), line)
        self._codes[code.kind] = len(self._codes) + 1
        self._code_bytes += len(line)
        return self._codes[code.kind]

    @property
    def _has_enough_codes(self) -> bool:
        return len(self._codes) >= MOST_CODES or self._code_bytes >= _MOST_CODE_BYTES

    @staticmethod
    def _append(path: Path, data: bytes) -> None:
        """Add to a file beside the tape, all of it or nothing. Raises OSError where there is no space."""
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            before = os.fstat(file).st_size
            if os.write(file, data) < len(data):
                os.ftruncate(file, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(file)

    def _grow(self) -> None:
        record = self._layout.words * 8
        capacity = max(1, min(_SMALLEST_SEGMENT << self._segment + 1, _LARGEST_SEGMENT) // record)
        size = HEADER_WORDS * 8 + capacity * record
        path = segment_path(self._folder, self._client, self._segment + 1)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            allocate(file, size)
            memory = mmap.mmap(file, size)
        except OSError:
            path.unlink()
            raise
        finally:
            os.close(file)
        self._segment += 1
        self._at, self._end = HEADER_WORDS, HEADER_WORDS + capacity * self._record
        self._bytes = memoryview(memory)
        self._words = self._bytes.cast("q")
        header = (
            VERSION,
            self._client,
            self._segment,
            self._layout.rows,
            self._layout.key_words,
            capacity,
            self._base,
        )
        for word, value in enumerate(header, start=1):
            self._words[word] = value
        self._words[0] = MAGIC  # last: a segment without it was never begun
