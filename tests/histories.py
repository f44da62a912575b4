"""Histories written by hand: operations in plain names, and the census that was found afterwards.

    storm(told(1), told(2, client=1), failed(3), deleted(0), census=[(2, 1)])

Rows are numbered from 0 in the order in which they are written here, whoever inserts them; deletes and censuses name
them by that number. Operations follow one another, ten nanoseconds apart, unless their moments are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any, Literal

import numpy as np

from idstorm.findings.checks import CHECKS
from idstorm.findings.results import Stance
from idstorm.judge.evidence import Evidence
from idstorm.record.census import Census
from idstorm.record.code import Code
from idstorm.record.columns import Ints, Keys
from idstorm.record.ending import Ending
from idstorm.record.history import History
from idstorm.record.keys import Burned, Codec, Existing
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Claim, Fleet, Generator, Ids, Plan, Pool, Target, Tokens
from idstorm.record.poll_log import Reading
from idstorm.record.tape import Kind, Told

DEFAULT = -1
"""A moment that is not given."""

NOTHING = Told.NOTHING
"""In place of an id: the client was never told of this row. `None` is `Told.NO_ROW`; the others are what they say."""

INTEGER, WIDE, UUIDS, TEXT = Codec("int64"), Codec("int128"), Codec("uuid"), Codec("text", 16)
TOKENS = Tokens(base=1000, span=1000)
COUNTER = Generator()
REFUSED = Code("sqlite:1555 UNIQUE constraint failed", refused=True)
LOCKED = Code("sqlite:5 database is locked", shown="OperationalError: database is locked")


@dataclass(frozen=True)
class Operation:
    """One operation as it is written down: an insert of `ids`, or a delete of the rows `deletes`."""

    outcome: Outcome
    ids: tuple[object, ...] = ()
    deletes: tuple[int, ...] = ()
    client: int = DEFAULT  #: by default the one that inserted the rows that are deleted, else the first
    begin: int = DEFAULT
    handed: int = DEFAULT
    commit: int = DEFAULT
    ended: int = DEFAULT
    flags: int = 0
    error: Code | None = None


@dataclass(frozen=True)
class Token:
    """A token as such, where a census holds one that no row has."""

    number: int


STRANGER = Token(TOKENS.base - 1)
"""The token of another run."""

Entry = tuple[object, int | Token | None]
"""An id and a row of the history, or another token, or NULL."""


@dataclass(frozen=True)
class Poll:
    """What a reader got at a time, which took it two nanoseconds: rows of the history, or tokens that are none's."""

    at: int
    rows: tuple[int | Token, ...] = ()
    high: int = 0  #: the furthest id that it had seen by then


def unused(client: int = 0) -> Token:
    """A token of this storm that its client never came to use."""
    return Token(TOKENS.first(client + 1) - 1)


def inserted(
    outcome: Outcome,
    *ids: object,
    client: int = 0,
    begin: int = DEFAULT,
    handed: int = DEFAULT,
    ended: int = DEFAULT,
    flags: int = 0,
    error: Code | None = None,
) -> Operation:
    """An insert of a row for each id."""
    return Operation(outcome, ids, client=client, begin=begin, handed=handed, ended=ended, flags=flags, error=error)


def removed(outcome: Outcome, *rows: int, begin: int = DEFAULT, error: Code | None = None) -> Operation:
    """A delete of these rows, by the client that had inserted them."""
    return Operation(outcome, deletes=rows, begin=begin, error=error)


told, failed, unknown = (partial(inserted, outcome) for outcome in (Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN))
deleted, not_deleted, perhaps_deleted = (
    partial(removed, outcome) for outcome in (Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN)
)


def spelled_out(operations: Sequence[Operation]) -> list[Operation]:
    """Return these operations with a client and all their moments."""
    owners = [max(operation.client, 0) for operation in operations for _ in operation.ids]
    return [_spelled_out(operation, 10 * place, owners) for place, operation in enumerate(operations, start=1)]


def _spelled_out(operation: Operation, now: int, owners: list[int]) -> Operation:
    begin = _given(operation.begin, now)
    reached = operation.deletes or any(id_ is not NOTHING for id_ in operation.ids)
    return replace(
        operation,
        client=_given(operation.client, owners[operation.deletes[0]] if operation.deletes else 0),
        begin=begin,
        handed=_given(operation.handed, begin + 2 if reached else 0),
        commit=_given(operation.commit, 0 if operation.outcome is Outcome.FAILED else begin + 4),
        ended=_given(operation.ended, begin + 6),
    )


def _given(value: int, otherwise: int) -> int:
    return otherwise if value == DEFAULT else value


def lawful(operations: Sequence[Operation]) -> list[Entry]:
    """Return the rows that were acknowledged and that nobody tried to delete."""
    rows = [(id_, operation.outcome) for operation in operations for id_ in operation.ids]
    gone = {row for operation in operations if operation.outcome is not Outcome.FAILED for row in operation.deletes}
    return [
        (id_, row)
        for row, (id_, outcome) in enumerate(rows)
        if outcome is Outcome.OK and row not in gone and told_state(id_) is Told.ID
    ]


def told_state(id_: object) -> Told:
    """Return what a client was told by this word of an insert."""
    if id_ is NOTHING:
        return Told.NOTHING
    if id_ is None:
        return Told.NO_ROW
    return Told.EXISTING if isinstance(id_, Existing) else Told.BURNED if isinstance(id_, Burned) else Told.ID


def storm(
    *operations: Operation,
    census: Sequence[Entry] | Literal["lawful"] | None = "lawful",
    before: Sequence[object] | None = None,
    clients: int = 2,
    codec: Codec = INTEGER,
    token: bool = True,
    generator: Generator | None = COUNTER,
    polls: Sequence[Poll] | None = None,
    complete: bool = True,
    ending: Ending | None = None,
    claims: dict[str, Claim] | None = None,
    **more: Any,
) -> Evidence:
    """Return the evidence of a storm that went like this.

    `before` has the ids that were there before, without a token; no `census` is one that could not be read. `polls`
    are those of a reader, if there was one, `complete` if the last came after everything. `more` changes the plan.
    """
    timed = spelled_out(operations)
    clients = max(clients, *(operation.client + 1 for operation in timed), 0)
    tokens: list[int] = []
    used = [0] * clients
    for operation in timed:
        for _ in operation.ids:
            tokens.append(TOKENS.first(operation.client) + used[operation.client])
            used[operation.client] += 1

    def found(entry: Entry) -> tuple[object, int | None]:
        id_, row = entry
        return id_, row.number if isinstance(row, Token) else None if row is None else tokens[row]

    entries = lawful(operations) if census == "lawful" else census
    return Evidence(
        replace(
            plan(clients=clients, codec=codec, token=token, generator=generator, claims=claims),
            **{"reader": polls is not None, **more},
        ),
        _history(timed, tokens, clients, codec),
        None if entries is None else Census.of(codec, [found(entry) for entry in entries]),
        None if before is None else Census.of(codec, [(id_, None) for id_ in before]),
        None if polls is None else _reading(polls, tokens if token else _ids_of(timed), complete),
        ending or Ending(),
    )


def _ids_of(operations: Sequence[Operation]) -> list[int]:
    return [id_ if isinstance(id_, int) else -1 for operation in operations for id_ in operation.ids]


def _reading(polls: Sequence[Poll], tokens: list[int], complete: bool) -> Reading:
    def column(numbers: Iterable[int]) -> Ints:
        return np.array(list(numbers), np.int64)

    return Reading(
        begin=column(poll.at for poll in polls),
        ended=column(poll.at + 2 for poll in polls),
        counts=column(len(poll.rows) for poll in polls),
        high=column(poll.high for poll in polls),
        tokens=column(row.number if isinstance(row, Token) else tokens[row] for poll in polls for row in poll.rows),
        complete=complete,
    )


def plan(
    *,
    clients: int = 2,
    codec: Codec = INTEGER,
    token: bool = True,
    generator: Generator | None = COUNTER,
    claims: dict[str, Claim] | None = None,
) -> Plan:
    """Return a plan; of `claims` those that are left out are the defaults."""
    default = {name: Claim(Stance.HOLDS if check.holds else Stance.MAY_BREAK) for name, check in CHECKS.items()}
    return Plan(
        run="20260101-000000-abcd",
        storm="thing-sqlite",
        scenario="thing",
        reference="thing.py:thing",
        path=(),
        target=Target("sqlite", "sqlite", "pysqlite", "SQLite 3.45", "sqlite:///thing.db"),
        fleet=Fleet(clients=clients, inserts=1),
        pool=Pool(clients),
        ids=Ids(("thing.id",), codec, "thing.token" if token else None, generator=generator),
        tokens=TOKENS,
        claims={**default, **(claims or {})},
    )


def _history(operations: list[Operation], tokens: list[int], clients: int, codec: Codec) -> History:
    by_client = sorted(operations, key=lambda operation: operation.client)
    place_of = {token: place for place, token in enumerate(sorted(tokens))}
    ids = [id_ for operation in by_client for id_ in operation.ids]
    aimed = [(row, by) for by, operation in enumerate(by_client) for row in operation.deletes]
    codes = list(dict.fromkeys(operation.error for operation in by_client if operation.error is not None))

    def integers(numbers: Iterable[int]) -> Ints:
        return np.array(list(numbers), np.int64)

    def of(client: int) -> list[Operation]:
        return [operation for operation in by_client if operation.client == client]

    return History(
        op_offsets=integers(accumulate((len(of(client)) for client in range(clients)), initial=0)),
        row_offsets=integers(
            accumulate((sum(len(each.ids) for each in of(client)) for client in range(clients)), initial=0)
        ),
        kind=np.array([Kind.DELETE if operation.deletes else Kind.INSERT for operation in by_client], np.uint8),
        outcome=np.array([operation.outcome for operation in by_client], np.uint8),
        flags=np.array([operation.flags for operation in by_client], np.uint8),
        code=np.array([codes.index(each.error) + 1 if each.error else 0 for each in by_client], np.uint16),
        begin=integers(operation.begin for operation in by_client),
        handed=integers(operation.handed for operation in by_client),
        ended=integers(operation.ended for operation in by_client),
        rows=np.array([len(operation.ids or operation.deletes) for operation in by_client], np.int32),
        told=np.array([told_state(id_) for id_ in ids], np.uint8),
        keys=Keys.encode(codec, [_key(id_) for id_ in ids]),
        deleted=integers(place_of[tokens[row]] for row, _ in aimed),
        deleted_by=integers(by for _, by in aimed),
        codes=tuple(codes),
        owners=_owners(ids, tokens),
    )


def _owners(ids: list[object], tokens: list[int]) -> Ints | None:
    """Return the owners that were named: a row of the history by its number, or any other token as such."""
    named = [int(id_.token) if isinstance(id_, Existing) and id_.token is not None else None for id_ in ids]
    if all(token is None for token in named):
        return None
    known = [-1 if token is None else tokens[token] if token < len(tokens) else token for token in named]
    return np.array(known, np.int64)


def _key(id_: object) -> object:
    return id_.id if isinstance(id_, Existing | Burned) else None if id_ is NOTHING else id_
