"""A long history that nobody had to storm for, with its census, as columns in memory.

Every block of ids goes once to each client, in an order that changes from block to block; operations begin in the order
of their ids and overlap about as deep as there are clients. All were acknowledged, and all are in the table.
"""

from __future__ import annotations

import numpy as np

from idstorm.record.census import Census
from idstorm.record.columns import Ints, Keys
from idstorm.record.history import History
from idstorm.record.keys import Codec
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.store import Ending, StoredStorm
from idstorm.record.tape import Told

_APART = 1_000  # nanoseconds from one beginning to the next
_TURNS = 27  # odd: how far the order of the clients moves on with each block


def storm_of(plan: Plan, operations: int) -> StoredStorm:
    """Return a stored storm of this many operations, a multiple of the plan's clients, one row each."""
    clients, each = plan.fleet.clients, operations // plan.fleet.clients
    codec = plan.ids.codec
    begin, handed, ended = (np.empty(operations, np.int64) for _ in range(3))
    tokens = np.empty(operations, np.int64)
    stored = _ids(codec, operations)
    told = np.empty_like(stored)
    rounds = np.arange(each)
    for client in range(clients):
        own = slice(client * each, (client + 1) * each)
        places = rounds * clients + (client + rounds * _TURNS) % clients  # in the table, and in time
        told[own], tokens[places] = stored[places], plan.tokens.first(client) + rounds
        begin[own] = (places + 1) * _APART
        handed[own] = begin[own] + clients * _APART // 4
        ended[own] = begin[own] + clients * _APART * 5 // 6 + rounds % 97
    offsets = np.arange(clients + 1) * each
    history = History(
        op_offsets=offsets,
        row_offsets=offsets,
        kind=np.zeros(operations, np.uint8),
        outcome=np.full(operations, Outcome.OK, np.uint8),
        flags=np.zeros(operations, np.uint8),
        code=np.zeros(operations, np.uint16),
        begin=begin,
        handed=handed,
        ended=ended,
        rows=np.ones(operations, np.int32),
        told=np.full(operations, Told.ID, np.uint8),
        keys=Keys.of_words(codec, told),
    )
    for column in (history.kind, history.flags, history.code):
        column.fill(0)  # touched, so that it counts: zeros alone are not in memory yet
    census = Census(Keys.of_words(codec, stored), tokens)
    return StoredStorm("bench", plan.scenario, "sqlite", plan, Ending("finished"), history, None, census)


def _ids(codec: Codec, number: int) -> Ints:
    """Return the ids that the table holds: 1, 2, 3 …, or random ones of 128 bits."""
    if codec.words == 1:
        return np.arange(1, number + 1)
    return np.random.default_rng(0).integers(-(1 << 63), 1 << 63, (number, codec.words), np.int64)
