"""The history: all tapes of a storm, as columns in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from idstorm.errors import UnreadableRun
from idstorm.record import tape
from idstorm.record.columns import Ints, Keys, join_keys
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.tape import Kind, Told

Bytes = NDArray[np.uint8]
_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True)
class Code:
    """An error that operations ended with."""

    name: str  #: such as `sqlite:5 database is locked`: the same for all errors of the same cause
    refused: bool = False  #: the id's own constraint refused the row
    shown: str = ""  #: the first such error, as the user's own traceback


@dataclass(frozen=True)
class History:
    """Every operation of a storm, client by client, each in the order of its tape.

    Columns of operations are parallel, and so are columns of rows. The rows of an insert follow one another, those of
    a client are in the order of its tokens. Moments are nanoseconds of one monotonic clock; 0: never reached.
    """

    op_offsets: Ints  #: where each client's operations begin, and where the last one's end
    row_offsets: Ints  #: the same for rows
    kind: Bytes
    outcome: Bytes
    flags: Bytes
    code: NDArray[np.uint16]  #: 0: none, else its place in `codes`, from 1
    begin: Ints
    handed: Ints
    commit: Ints
    ended: Ints
    rows: NDArray[np.int32]  #: rows of each operation
    told: Bytes  #: of each inserted row
    keys: Keys  #: of each inserted row; means something where `told` is ID, EXISTING or BURNED
    deleted: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  #: the rows that were deleted …
    deleted_by: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  #: … and the operation of each
    codes: tuple[Code, ...] = ()

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def clients(self) -> int:
        """The number of clients."""
        return len(self.op_offsets) - 1

    @cached_property
    def op_of_row(self) -> Ints | None:
        """The operation of each row; None where each operation is one row, and row and operation are one number."""
        if len(self.told) == len(self) and (self.kind == Kind.INSERT).all():
            return None
        inserts = np.flatnonzero(self.kind == Kind.INSERT)
        return np.repeat(inserts, self.rows[inserts])

    def of_rows(self, column: NDArray[_Scalar], rows: Ints | None = None) -> NDArray[_Scalar]:
        """Return a column of operations as one of rows: of all of them, or of these."""
        if self.op_of_row is None:
            return column if rows is None else column[rows]
        return column[self.op_of_row if rows is None else self.op_of_row[rows]]

    def client_of_row(self, row: int) -> int:
        """The client that inserted this row."""
        return int(np.searchsorted(self.row_offsets, row, side="right")) - 1


def read_segment(path: Path, layout: tape.Layout) -> Ints:
    """Return the records of one segment that were begun, shape (operations, words), mapped and not copied.

    Raises UnreadableRun for what is no segment of such a layout. A segment that was never begun has no records.
    """
    size = path.stat().st_size // 8
    if size < tape.HEADER_WORDS:
        return np.zeros((0, layout.words), np.int64)
    words = np.memmap(path, np.int64, "r", shape=(size,))
    if words[0] == 0:
        return np.zeros((0, layout.words), np.int64)
    if words[0] != tape.MAGIC:
        raise UnreadableRun(f"{path} is no tape")
    if words[1] > tape.VERSION:
        raise UnreadableRun(f"{path} was written by a newer idstorm (tape format {words[1]}): upgrade to read it")
    if (int(words[4]), int(words[5])) != (layout.rows, layout.key_words):
        raise UnreadableRun(f"{path} does not belong to this plan")
    capacity = min(int(words[6]), (size - tape.HEADER_WORDS) // layout.words)
    records = words[tape.HEADER_WORDS : tape.HEADER_WORDS + capacity * layout.words].reshape(capacity, layout.words)
    # Records are begun one after the other, so the first that was not is found by halving.
    begun = int(np.searchsorted(-(records[:, tape.BEGIN] != 0).astype(np.int8), 0))
    return np.asarray(records[:begun])


def segments(folder: Path, client: int) -> list[Path]:
    """Return the segments of a client's tape, in order."""
    return sorted(folder.glob(f"client-{client:04}.*.tape"))


def trim(folder: Path, client: int, layout: tape.Layout) -> None:
    """Give back the disk space that a finished tape did not come to use."""
    for path in segments(folder, client):
        used = tape.HEADER_WORDS + read_segment(path, layout).size
        if used * 8 < path.stat().st_size:
            with path.open("r+b") as file:
                file.truncate(used * 8)


def read_history(folder: Path, plan: Plan) -> History:
    """Return the history that the tapes in this folder hold. Raises UnreadableRun where they are not whole."""
    layout = tape.Layout(plan.fleet.batch, plan.ids.codec.words)
    tapes = [_Part.read(folder, client, layout, plan) for client in range(plan.fleet.clients)]
    codes: dict[str, Code] = {}
    for part in tapes:
        for code in part.codes:
            codes.setdefault(code.name, code)
    places = {name: place for place, name in enumerate(codes, start=1)}
    op_offsets = np.cumsum([0, *(len(part.records) for part in tapes)])
    row_offsets = np.cumsum([0, *(len(part.told) for part in tapes)])

    def column(word: int) -> Ints:
        return np.concatenate([part.records[:, word] for part in tapes])

    shape, result = column(tape.SHAPE), column(tape.RESULT)
    result[column(tape.ENDED) == 0] = Outcome.UNKNOWN  # stored, perhaps, but never published
    return History(
        op_offsets=op_offsets,
        row_offsets=row_offsets,
        kind=(shape & 0xFF).astype(np.uint8),
        outcome=(result & 0xFF).astype(np.uint8),
        flags=(result >> 8 & 0xFF).astype(np.uint8),
        code=np.concatenate(
            [part.codes_of(result[start:end], places) for part, start, end in _spans(tapes, op_offsets)]
        ),
        begin=column(tape.BEGIN),
        handed=column(tape.HANDED),
        commit=column(tape.COMMIT),
        ended=column(tape.ENDED),
        rows=(shape >> 8).astype(np.int32),
        told=np.concatenate([part.told for part in tapes]),
        keys=join_keys(plan.ids.codec, [part.keys for part in tapes]),
        deleted=np.concatenate([part.deleted + offset for part, offset in zip(tapes, row_offsets, strict=False)]),
        deleted_by=np.concatenate([part.deleted_by + offset for part, offset in zip(tapes, op_offsets, strict=False)]),
        codes=tuple(codes.values()),
    )


@dataclass(frozen=True)
class _Part:
    """One client's tape. Rows and operations are counted from its own first."""

    records: Ints
    told: Bytes
    keys: Keys
    deleted: Ints
    deleted_by: Ints
    codes: tuple[Code, ...]

    @classmethod
    def read(cls, folder: Path, client: int, layout: tape.Layout, plan: Plan) -> _Part:
        parts = [read_segment(path, layout) for path in segments(folder, client)]
        records = np.concatenate(parts) if parts else np.zeros((0, layout.words), np.int64)
        handed = records[:, tape.HANDED] != 0
        rows, kind = records[:, tape.SHAPE] >> 8, records[:, tape.SHAPE] & 0xFF
        outcome = records[:, tape.RESULT] & 0xFF
        if (rows < 0).any() or (rows > layout.rows).any() or (kind > max(Kind)).any() or (outcome > max(Outcome)).any():
            raise UnreadableRun(f"the tape of client {client} in {folder} is damaged")
        within = np.arange(layout.rows) < rows[:, None]  # the rows of each record that are in use
        inserted = within & (kind == Kind.INSERT)[:, None]
        states = np.ascontiguousarray(records[:, tape.TOLD : layout.keys]).view(np.uint8)[:, : layout.rows]
        told = np.where(handed[:, None], states, Told.NOTHING)[inserted].astype(np.uint8)
        keys = records[:, layout.keys :].reshape(len(records), layout.rows, layout.key_words)
        aimed = within & ((kind == Kind.DELETE) & handed)[:, None]
        return cls(
            records=records,
            told=told,
            keys=Keys.of_words(plan.ids.codec, keys[inserted]),
            deleted=keys[aimed][:, 0] - plan.tokens.first(client),
            deleted_by=np.nonzero(aimed)[0],
            codes=_read_codes(tape.codes_path(folder, client)),
        )

    def codes_of(self, result: Ints, places: dict[str, int]) -> NDArray[np.uint16]:
        """Translate this tape's numbers of codes to those of the history."""
        table = np.array([0, *(places[code.name] for code in self.codes)], np.uint16)
        numbers = result >> 16
        if len(numbers) and numbers.max() >= len(table):
            raise UnreadableRun("a tape names an error code that was never written down")
        translated: NDArray[np.uint16] = table[numbers]
        return translated


def _spans(tapes: Sequence[_Part], offsets: Ints) -> list[tuple[_Part, int, int]]:
    return list(zip(tapes, offsets[:-1].tolist(), offsets[1:].tolist(), strict=True))


def _read_codes(path: Path) -> tuple[Code, ...]:
    if not path.exists():
        return ()
    codes = []
    for line in path.read_text().splitlines():
        try:
            entry: dict[str, Any] = json.loads(line)
            codes.append(Code(entry["code"], bool(entry.get("refused")), str(entry.get("shown", ""))))
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableRun(f"{path} is damaged: {error}") from error
    return tuple(codes)
