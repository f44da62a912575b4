"""A long history that nobody had to storm for, with its census and a reader, as columns in memory.

Every block of ids goes once to each client, in an order that changes from block to block; operations begin in the order
of their ids and overlap about as deep as there are clients. All were acknowledged, and all are in the table, but for
the faults that are planted on request: one of each kind, in every part of the history.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from idstorm.record.census import Census
from idstorm.record.columns import Ints, Keys
from idstorm.record.ending import Ending
from idstorm.record.history import Bytes, History
from idstorm.record.keys import Codec
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.poll_log import Reading
from idstorm.record.stored import StoredStorm
from idstorm.record.tape import Told

_APART = 1_000  # nanoseconds from one beginning to the next
_TURNS = 27  # odd: how far the order of the clients moves on with each block
_POLLED = 10_000  # rows that a poll returns
PLANTED = 100
"""Faults of each kind."""


def storm_of(plan: Plan, operations: int, *, faults: bool = False, scopes: int = 1) -> StoredStorm:
    """Return a stored storm of this many operations, a multiple of the plan's clients, one row each.

    `scopes`: how many there are, where the plan's ids are counted within one.
    """
    clients, each = plan.fleet.clients, operations // plan.fleet.clients
    codec = plan.ids.codec
    begin, handed, ended = (np.empty(operations, np.int64) for _ in range(3))
    tokens = np.empty(operations, np.int64)
    stored = _ids(codec, operations, scopes)
    told = np.empty_like(stored)
    rounds = np.arange(each)
    for client in range(clients):
        own = slice(client * each, (client + 1) * each)
        places = rounds * clients + (client + rounds * _TURNS) % clients  # in the table, and in time
        told[own], tokens[places] = stored[places], plan.tokens.first(client) + rounds
        begin[own] = (places + 1) * _APART
        handed[own] = begin[own] + clients * _APART // 4
        ended[own] = begin[own] + clients * _APART * 5 // 6 + rounds % 97
    outcome = np.full(operations, Outcome.OK, np.uint8)
    kept = np.ones(operations, np.bool_)
    if faults:
        _plant(told, stored, outcome, kept)
    offsets = np.arange(clients + 1) * each
    history = History(
        op_offsets=offsets,
        row_offsets=offsets,
        kind=_same(0, operations, np.uint8),
        outcome=outcome if faults else _same(Outcome.OK, operations, np.uint8),
        flags=_same(0, operations, np.uint8),
        code=_same(0, operations, np.uint16),
        begin=begin,
        handed=handed,
        ended=ended,
        rows=_same(1, operations, np.int32),
        told=_same(Told.ID, operations, np.uint8),
        keys=Keys.of_words(codec, told),
    )
    if faults:
        stored, tokens = stored[kept], tokens[kept]
    census = Census(Keys.of_words(codec, stored), tokens)
    reading = _read(tokens, begin) if plan.reader else None
    return StoredStorm("bench", plan.scenario, "sqlite", plan, Ending(), history, None, census, reading)


def _same(value: int, number: int, kind: Any) -> Any:
    """Return a column of which all is the same, as a history that was read has it."""
    return np.broadcast_to(np.array(value, kind), (number,))


def _plant(told: Ints, stored: Ints, outcome: Bytes, kept: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    """Plant `PLANTED` faults of each kind: lost, revived, misattributed, told twice."""
    places = np.linspace(1_000, len(stored) - 1_000, 4 * PLANTED).astype(np.int64).reshape(4, -1)
    kept[places[0]] = False
    outcome[places[1]] = Outcome.FAILED
    told[places[2]] += 1
    told[places[3]] = told[places[3] + 1]


def _read(tokens: Ints, begin: Ints) -> Reading:
    """Return what a reader got who missed nothing that the table holds, some thousand rows at a time."""
    polls = -(-len(tokens) // _POLLED)
    ends = np.minimum(np.arange(1, polls + 1) * _POLLED, len(tokens))
    moments = begin.max() + np.arange(polls) * _APART
    return Reading(moments, moments + _APART // 2, np.diff(ends, prepend=0), ends.astype(np.int64), tokens, True)


def _ids(codec: Codec, number: int, scopes: int) -> Ints:
    """Return the ids that the table holds: 1, 2, 3 …, in each scope if they have one, or random ones of 128 bits."""
    if codec.words == 1:
        return np.arange(1, number + 1)
    ids = np.random.default_rng(0).integers(-(1 << 63), 1 << 63, (number, codec.words), np.int64)
    if codec.scope:
        names = np.random.default_rng(1).integers(-(1 << 63), 1 << 63, scopes, np.int64)
        ids[:, -2], ids[:, -1] = names[np.arange(number) % scopes], np.arange(number) // scopes + 1
    return ids
