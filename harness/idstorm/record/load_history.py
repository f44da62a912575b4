"""From the tapes of a storm, as they are or packed, to its history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idstorm.errors import UnreadableRun
from idstorm.record import tape
from idstorm.record.archive import Packed
from idstorm.record.code import Code
from idstorm.record.columns import Ints, Keys, join_keys
from idstorm.record.history import Bytes, History
from idstorm.record.outcome import Outcome
from idstorm.record.pack_history import unpack
from idstorm.record.plan import Plan
from idstorm.record.stamp import Stamp
from idstorm.record.tape import Kind, Told
from idstorm.record.tape_reader import codes_of, owners_of, records_of, refuse_holes

_LATEST = 1 << 62  # nanoseconds, longer than any uptime: twice as much does not fit a column

Records = tuple[Ints, list[str], Ints]
"""The records of a client's tape, the lines of its error codes, and the owners that it names."""


def read_tapes(folder: Path, plan: Plan, stamp: Stamp | None = None) -> History:
    """Return the history that the tapes in this folder hold.

    Raises UnreadableRun where they are not whole, or carry another stamp than this one, by default the plan's.
    """
    layout, stamp = _layout(plan), stamp or plan.stamp
    refuse_holes(folder)

    def records(client: int) -> Records:
        told = owners_of(folder, client, stamp)
        return records_of(folder, client, layout, stamp), codes_of(folder, client, stamp), told

    return _history(plan, records, folder)


def read_packed(path: Path, plan: Plan, stamp: Stamp | None = None) -> History:
    """Return the history in this archive.

    Raises UnreadableRun where it is not whole, or carries another stamp than this one, by default the plan's.
    """
    layout = _layout(plan)
    with Packed(path, stamp or plan.stamp) as packed:
        if (packed.about.get("clients"), packed.about.get("rows")) != (plan.fleet.clients, layout.rows):
            raise UnreadableRun(f"{path} does not belong to this plan")
        return _history(plan, lambda client: unpack(packed, client, layout), path)


def _layout(plan: Plan) -> tape.Layout:
    return tape.Layout(plan.fleet.batch, plan.ids.codec.words)


@dataclass
class _Part:
    """One client's tape. Rows and operations are counted from its own first."""

    columns: dict[str, NDArray[Any]]  #: of operations
    told: Bytes
    owners: Ints | None  #: of each row the token that its client named as the owner's, or -1; None: of none
    keys: Keys
    deleted: Ints
    deleted_by: Ints
    codes: tuple[Code, ...]


def _history(plan: Plan, records: Callable[[int], Records], where: Path) -> History:
    """Join the tapes, column by column: the records of one client at a time are in memory beside them."""
    parts = [_part(*records(client), client, plan, where) for client in range(plan.fleet.clients)]
    codes: dict[tuple[str, bool, bool, bool], Code] = {}
    for part in parts:
        for code in part.codes:
            codes.setdefault(code.kind, code)
    places = {kind: place for place, kind in enumerate(codes, start=1)}
    number = np.uint16 if len(codes) < 1 << 16 else np.uint32
    for part in parts:
        table = np.array([0, *(places[code.kind] for code in part.codes)], number)
        part.columns["code"] = table[part.columns["code"]]
    op_offsets = np.cumsum([0, *(len(part.columns["kind"]) for part in parts)])
    row_offsets = np.cumsum([0, *(len(part.told) for part in parts)])
    told = np.concatenate([part.told for part in parts])
    keys = join_keys(plan.ids.codec, [part.keys for part in parts])
    columns = {name: _lean(np.concatenate([part.columns.pop(name) for part in parts])) for name in _COLUMNS}
    return History(
        op_offsets=op_offsets,
        row_offsets=row_offsets,
        told=_lean(told),
        owners=_owners(parts),
        keys=keys,
        deleted=np.concatenate([part.deleted + offset for part, offset in zip(parts, row_offsets, strict=False)]),
        deleted_by=np.concatenate([part.deleted_by + offset for part, offset in zip(parts, op_offsets, strict=False)]),
        codes=tuple(codes.values()),
        **columns,
    )


_COLUMNS = ("kind", "outcome", "flags", "code", "begin", "handed", "ended", "rows")


def _owners(parts: list[_Part]) -> Ints | None:
    """Return the owners of all rows; None where no client named any."""
    if all(part.owners is None for part in parts):
        return None
    return np.concatenate([np.full(len(one.told), -1) if one.owners is None else one.owners for one in parts])


def _lean(column: NDArray[Any]) -> NDArray[Any]:
    """Return a column as one element, repeated, if that is what it is."""
    if len(column) and (column == column[0]).all():
        return np.broadcast_to(column[0], column.shape)
    return column


def _part(records: Ints, lines: list[str], named: Ints, client: int, plan: Plan, where: Path) -> _Part:
    layout, codes = _layout(plan), _codes(lines, where)
    handed = records[:, tape.HANDED] != 0
    rows, kind = records[:, tape.SHAPE] >> 8, records[:, tape.SHAPE] & 0xFF
    result = records[:, tape.RESULT].copy()
    result[records[:, tape.ENDED] == 0] = Outcome.UNKNOWN  # stored, perhaps, but never published
    outcome, code = result & 0xFF, result >> 16
    moments = records[:, (tape.BEGIN, tape.HANDED, tape.ENDED)]
    damaged = (rows < 0).any() or (rows > layout.rows).any() or (moments < 0).any() or (moments > _LATEST).any()
    if damaged or (kind > max(Kind)).any() or (outcome > max(Outcome)).any():
        raise UnreadableRun(f"the tape of client {client} in {where} is damaged")
    if len(code) and (code.max() > len(codes) or code.min() < 0):
        raise UnreadableRun(f"the tape of client {client} in {where} names an error code that was never recorded")
    within = np.arange(layout.rows) < rows[:, None]  # the rows of each record that are in use
    inserted = within & (kind == Kind.INSERT)[:, None]
    states = np.ascontiguousarray(records[:, tape.TOLD : layout.keys]).view(np.uint8)[:, : layout.rows]
    keys = records[:, layout.keys :].reshape(len(records), layout.rows, layout.key_words)
    told = np.where(handed[:, None], states, Told.NOTHING)[inserted].astype(np.uint8)
    owned = told == Told.OWNED
    if np.count_nonzero(owned) > len(named):
        raise UnreadableRun(f"the tape of client {client} in {where} names an owner that was never recorded")
    owners = None
    if owned.any():
        owners = np.full(len(told), -1)
        owners[owned] = named[: np.count_nonzero(owned)]
        told[owned] = Told.EXISTING
    aimed = within & ((kind == Kind.DELETE) & handed)[:, None]
    deleted = keys[aimed][:, 0] - plan.tokens.first(client)
    if (told > max(Told)).any() or (deleted < 0).any() or (deleted >= len(told)).any():
        raise UnreadableRun(f"the tape of client {client} in {where} is damaged")
    return _Part(
        columns={
            "kind": kind.astype(np.uint8),
            "outcome": outcome.astype(np.uint8),
            "flags": (result >> 8 & 0xFF).astype(np.uint8),
            "code": code,
            "begin": records[:, tape.BEGIN].copy(),
            "handed": records[:, tape.HANDED].copy(),
            "ended": records[:, tape.ENDED].copy(),
            "rows": rows.astype(np.int32),
        },
        told=told,
        owners=owners,
        keys=Keys.of_words(plan.ids.codec, keys[inserted]),
        deleted=deleted,
        deleted_by=np.nonzero(aimed)[0],
        codes=codes,
    )


def _codes(lines: list[str], where: Path) -> tuple[Code, ...]:
    codes = []
    for line in lines:
        try:
            codes.append(Code.from_line(line))
        except (ValueError, KeyError, TypeError) as error:
            raise UnreadableRun(f"the error codes in {where} are damaged: {error}") from error
    return tuple(codes)
