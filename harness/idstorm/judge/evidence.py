"""What the checks share: the history and the census, joined row by row through the tokens.

A *row* is a place in the history's columns of rows: the tokens of a client follow one another, so a token names its row
by subtraction, without a search.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from idstorm.judge.groups import pair_up, pieces, repeated
from idstorm.judge.line import Line
from idstorm.judge.span import Span
from idstorm.record.census import Census
from idstorm.record.columns import Bools, Ints
from idstorm.record.ending import Ending
from idstorm.record.habits import Habits
from idstorm.record.history import Bytes, History
from idstorm.record.origins import Origins
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.poll_log import Reading
from idstorm.record.tape import Kind, Told

WITNESSES = 24
"""How many witnesses a finding keeps."""

FOREIGN, UNEXPECTED = -1, -2


@dataclass(frozen=True)
class Evidence:
    """Everything that the checks of one storm look at. `census` is None if it could not be read.

    A user's own check can rely on the following. A *row* is a number from 0 on, for each row that was attempted.

    - `committed`, `owned`, `found`, `lost`: for each row, whether it is certainly committed with an id, was told its
      own id, is in the census, or is missing there although it was acknowledged. numpy arrays of booleans;
    - `row_outcome`: for each row, the outcome of its insert, an `idstorm.record.outcome.Outcome`;
    - `ids(rows)`: the ids that these rows were told, as Python values;
    - `describe(row)` and `describe_all(rows)`: descriptions of rows, for the witnesses of a finding;
    - `facts`: what is known of the target by name, such as its settings;
    - `census`: what the table held afterwards (`len`, `show_id(entry)`), or None; `before`: what it held before.

    Arrays are shared by all checks: do not write to them. Everything else may change with each version.
    """

    plan: Plan
    history: History
    census: Census | None
    before: Census | None = None
    reading: Reading | None = None
    ending: Ending = field(default_factory=Ending)
    origins: Origins | None = None

    @cached_property
    def row_outcome(self) -> Bytes:
        """The outcome of each row's insert."""
        return self.history.of_rows(self.history.outcome)

    @cached_property
    def owned(self) -> Bools:
        """The rows whose client was told an id that should be theirs."""
        owned: Bools = self.history.told == Told.ID
        return owned

    @cached_property
    def row_of_entry(self) -> Ints:
        """For each entry of the census its row, FOREIGN, or UNEXPECTED: a token of this storm that no client used."""
        assert self.census is not None
        if self.plan.ids.token is None:
            return self._entry_by_id(self.census)
        return self.rows_of(self.census.tokens, self.census.null_tokens)

    def rows_of(self, tokens: Ints, nulls: Bools | None = None) -> Ints:
        """Return for each token its row, FOREIGN, or UNEXPECTED."""
        rows = np.empty(len(tokens), np.int64)
        for piece in pieces(len(tokens)):
            rows[piece] = self._rows_of(tokens[piece])
        if nulls is not None:
            rows[nulls] = FOREIGN
        return rows

    def _rows_of(self, tokens: Ints) -> Ints:
        offsets, span = self.history.row_offsets, self.plan.tokens.span
        used = tokens - self.plan.tokens.base
        foreign = (used < 0) | (used >= span * self.history.clients)
        if strange := bool(foreign.any()):
            used[foreign] = 0
        if span & (span - 1):
            client, row = np.divmod(used, span)
        else:  # a power of two, as in every storm: some times as fast
            client, row = used >> (span.bit_length() - 1), used & (span - 1)
        row += offsets[client]
        unexpected = row >= offsets[client + 1]
        if unexpected.any():
            row[unexpected] = UNEXPECTED
        if strange:
            row[foreign] = FOREIGN
        return row

    def _entry_by_id(self, census: Census) -> Ints:
        """Where rows carry no token, an entry is taken for a row whose client was told its id.

        Of several rows it is one that must be there, if there is such a row, and then the one that was told last. Of
        several entries with one id, each is taken for another row.
        """
        rows = np.flatnonzero(self.owned & (self.row_outcome != Outcome.FAILED))
        standing = (self.row_outcome == Outcome.OK) & ~self.deleted(Outcome.OK, Outcome.UNKNOWN)
        rows = rows[np.lexsort([-self.history.of_rows(self.history.handed, rows), ~standing[rows]])]
        known = np.arange(len(census)) if census.null_ids is None else np.flatnonzero(~census.null_ids)
        taken = np.full(len(census), FOREIGN)
        pair = pair_up(self.history.keys.take(rows), census.ids.take(known))
        taken[known[pair >= 0]] = rows[pair[pair >= 0]]
        return taken

    @cached_property
    def own_entries(self) -> Bools:
        """The entries of the census that are of this storm and have an id."""
        assert self.census is not None
        own: Bools = self.row_of_entry != FOREIGN
        return own if self.census.null_ids is None else own & ~self.census.null_ids

    @cached_property
    def kinds_of_entries(self) -> tuple[int, int, int]:
        """How many entries of the census are a row of the history, how many FOREIGN, how many UNEXPECTED."""
        own = foreign = 0
        for piece in pieces(len(self.row_of_entry)):
            own += int(np.count_nonzero(self.row_of_entry[piece] >= 0))
            foreign += int(np.count_nonzero(self.row_of_entry[piece] == FOREIGN))
        return own, foreign, len(self.row_of_entry) - own - foreign

    @cached_property
    def found(self) -> Bools:
        """The rows that the census holds."""
        found = np.zeros(len(self.history.told), np.bool_)
        if self.census is not None:
            for piece in pieces(len(self.row_of_entry)):
                rows = self.row_of_entry[piece]
                found[rows if rows.min() >= 0 else rows[rows >= 0]] = True
        return found

    @cached_property
    def differing(self) -> Ints:
        """The entries of the census that are rows of the storm but have another id than their client was told."""
        census, keys = self.census, self.history.keys
        assert census is not None
        found, all_owned = [], bool(self.owned.all())
        for piece in pieces(len(census)):
            rows = self.row_of_entry[piece]
            known = rows >= 0
            places = rows if known.all() else np.where(known, rows, 0)
            same = keys.take(places).equal(census.ids.take(piece)) if len(keys) else known
            if len(keys) and not all_owned:
                same &= self.owned[places]
            if census.null_ids is not None:
                same &= ~census.null_ids[piece]
            found.append(np.flatnonzero(known & ~same) + piece.start)
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    @cached_property
    def committed(self) -> Bools:
        """The rows with an id that certainly committed: ok, or unknown but found."""
        committed: Bools = self.row_outcome == Outcome.OK
        committed |= (self.row_outcome == Outcome.UNKNOWN) & self.found
        committed &= self.owned
        return committed

    @cached_property
    def contested(self) -> Ints:
        """The rows whose id was also told for another row, equal ids side by side."""
        return repeated(self.history.keys, None if self.owned.all() else self.owned)

    @cached_property
    def delete_began(self) -> Ints | None:
        """When the first delete of each row that may have taken effect began; the far future if there was none."""
        effective = self.history.outcome[self.history.deleted_by] != Outcome.FAILED
        if not effective.any():
            return None
        began = np.full(len(self.history.told), np.iinfo(np.int64).max)
        rows, by = self.history.deleted[effective], self.history.deleted_by[effective]
        np.minimum.at(began, rows, self.history.begin[by])
        return began

    def deleted(self, *outcomes: Outcome) -> Bools:
        """Return the rows of which a delete ended with one of these outcomes."""
        deleted = np.zeros(len(self.history.told), np.bool_)
        which = np.isin(self.history.outcome[self.history.deleted_by], outcomes)
        deleted[self.history.deleted[which]] = True
        return deleted

    @cached_property
    def inserts(self) -> Bools:
        """The operations that insert."""
        inserts: Bools = self.history.kind == Kind.INSERT
        return inserts

    @cached_property
    def facts(self) -> dict[str, Any]:
        """The target's facts, as they were after the storm."""
        return {**self.plan.target.facts, **self.ending.server.facts}

    @cached_property
    def habits(self) -> Habits:
        """What the target's generators do besides counting."""
        return Habits.of(self.facts, self.plan.target.capabilities)

    @property
    def restarted(self) -> bool:
        """Whether the server was restarted during the storm, judging by its own start time."""
        after = self.ending.server.facts.get("started")
        return after is not None and after != self.plan.target.facts.get("started")

    @cached_property
    def lost(self) -> Bools:
        """The acknowledged rows that are missing although no delete can have removed them."""
        lost: Bools = self.row_outcome == Outcome.OK
        lost &= self.owned
        lost &= ~self.found
        if len(self.history.deleted):
            lost &= ~self.deleted(Outcome.OK, Outcome.UNKNOWN)
        return lost

    @property
    def sessions(self) -> int:
        """The most database sessions that can have drawn ids."""
        if self.ending.clients.connections is not None:
            return self.ending.clients.connections
        pool, unknown = self.plan.pool, int(np.count_nonzero(self.history.outcome == Outcome.UNKNOWN))
        lives = 2 if self.restarted else 1  # each session ended with the server, idle or not, and was opened again
        return 1 + self.plan.fleet.processes * (pool.size + pool.max_overflow) * lives + unknown

    @property
    def of_a_counter(self) -> bool:
        """Whether the ids come from the table's own counter. True if their generator is unknown."""
        return self.ending.server.capacity is None or self.ending.server.capacity.generator == "AUTO_INCREMENT"

    @property
    def cache(self) -> int:
        """How many values the generator's cache holds; 1: it has none."""
        return 1 if self.ending.server.capacity is None else self.ending.server.capacity.cache

    @property
    def offset(self) -> int:
        """What the number of an id has over its word, for what is shown or compared with the database's own numbers."""
        return self.plan.ids.codec.offset

    @cached_property
    def line(self) -> Line | None:
        """The line on which the ids are counted, where they are; None if it would be too long."""
        told = self.history.told != Told.NOTHING
        told &= self.history.told != Told.NO_ROW
        columns = [self.history.keys if told.all() else self.history.keys.take(told)]
        columns += [census.known_ids for census in (self.census, self.before) if census is not None]
        return Line.of(columns)

    @cached_property
    def places(self) -> Ints:
        """The place of each row's id on the line. That of a row whose client was told none means nothing."""
        assert self.line is not None
        return self.line.places(self.history.keys)

    @cached_property
    def span(self) -> Span:
        """The ids in use from the lowest to the highest row of the storm's own, in each scope, where they are counted.

        A row that was there before is in use where it lies between them; what lies beyond is not the generator's range.
        """
        assert self.census is not None
        assert self.line is not None
        ids = self.line.places(self.census.known_ids)
        own = ids if self.own_entries.all() else self.line.places(self.census.ids.take(self.own_entries))
        return Span.of(ids, own, self.line)

    def ids(self, rows: Iterable[int]) -> list[Any]:
        """Return the ids that these rows were told, each as Python has it: a number, a text."""
        return [self.history.keys.show(int(row)) for row in rows]

    @cached_property
    def began(self) -> int:
        """When the first operation began, in nanoseconds of the storm's clock."""
        return int(self.history.begin.min()) if len(self.history) else 0

    def describe(self, row: int) -> dict[str, Any]:
        """Return a description of one row for a reader: enough to find it in the table and on its tape.

        `at` is when its id was told, or else when its operation began, in seconds after the first one's beginning.
        """
        history = self.history
        operation = row if history.op_of_row is None else int(history.op_of_row[row])
        client = history.client_of_row(row)
        first = int(history.op_offsets[client])
        return {
            "token": self.plan.tokens.first(client) + row - int(history.row_offsets[client]),
            "id": history.keys.show(row) if history.told[row] in (Told.ID, Told.EXISTING, Told.BURNED) else None,
            "client": client,
            "operation": operation - first,
            "outcome": Outcome(int(history.outcome[operation])).name.lower(),
            "at": round((int(history.handed[operation] or history.begin[operation]) - self.began) / 1e9, 6),
            **({} if self.origins is None else {"from": self.origins.of(client, operation - first)}),
        }

    def describe_all(self, rows: Iterable[int], **more: Any) -> list[Mapping[str, Any]]:
        """Return the witnesses for these rows, as many as a finding keeps."""
        return [{**more, **self.describe(int(row))} for row, _ in zip(rows, range(WITNESSES), strict=False)]
