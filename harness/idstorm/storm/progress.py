"""The progress of a storm, read from its tapes while they grow. The clients do not know that they are watched."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from idstorm.record import tape
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Plan
from idstorm.record.tape import Flag, Kind
from idstorm.record.tape_reader import read_segment, segments

FIRST_OPERATIONS = 20
"""If all of these fail with the same error, for every client, the storm is pointless."""


@dataclass(frozen=True)
class Progress:
    """A storm so far."""

    scenario: str
    target: str
    elapsed: float = 0.0  #: seconds
    seconds: float | None = None  #: how long it is to take, if that is limited
    inserts: int | None = None  #: how many rows it is to attempt, if that is limited
    attempted: int = 0
    acknowledged: int = 0
    errors: int = 0
    number: int = 0  #: how many storms of its lane have ended before it
    total: int | None = None  #: how many storms its lane has, if that is known


Watch = Callable[[Progress], None]


@dataclass
class _Follower:
    """Reads one client's tape as it grows."""

    client: int
    folder: Path
    layout: tape.Layout
    segment: int = 0
    place: int = 0
    attempted: int = 0
    acknowledged: int = 0
    errors: int = 0
    ended: int = 0
    first: list[int] = field(default_factory=list)  #: the codes of the first operations; 0: it did not fail

    def catch_up(self) -> None:
        with suppress(FileNotFoundError):  # a segment for which there was no space is removed again
            self._read_on(segments(self.folder, self.client))

    def _read_on(self, paths: list[Path]) -> None:
        while self.segment < len(paths):
            records = read_segment(paths[self.segment], self.layout)
            ended = records[self.place :]
            ended = ended[ended[:, tape.ENDED] != 0]
            self._count(ended)
            self.place += len(ended)
            if self.segment + 1 == len(paths):
                return
            self.segment, self.place = (
                self.segment + 1,
                0,
            )  # the next one is begun only when this one is full and ended

    def _count(self, ended: np.ndarray[tuple[int, int], np.dtype[np.int64]]) -> None:
        result, shape = ended[:, tape.RESULT], ended[:, tape.SHAPE]
        outcome, deliberate = result & 0xFF, (result >> 8) & Flag.DELIBERATE != 0
        rows = np.where(shape & 0xFF == Kind.INSERT, shape >> 8, 0)
        wrong = (outcome != Outcome.OK) & ~deliberate
        self.ended += len(ended)
        self.attempted += int(rows.sum())
        self.acknowledged += int(rows[outcome == Outcome.OK].sum())
        self.errors += int(np.count_nonzero(wrong))
        missing = FIRST_OPERATIONS - len(self.first)
        if missing > 0:
            self.first += np.where(wrong, result >> 16, 0)[:missing].tolist()

    def hopeless(self) -> str | None:
        """Return the name of the error with which all of the first operations failed, if it was the same, or None."""
        if len(self.first) < FIRST_OPERATIONS or len(set(self.first)) > 1 or not self.first[0]:
            return None
        with suppress(OSError, ValueError, IndexError, KeyError):
            lines = tape.codes_path(self.folder, self.client).read_text(encoding="utf-8").splitlines()
            code = json.loads(lines[self.first[0] - 1])
            return None if code.get("refused") else str(code["code"])  # a refusal is a finding
        return None


class Follow:
    """Follows all tapes of a storm."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        layout = tape.Layout(plan.fleet.batch, plan.ids.codec.words)
        self._plan = plan
        self._followers = [_Follower(client, folder, layout) for client in range(plan.fleet.clients)]

    def look(self, elapsed: float) -> Progress:
        """Return the storm's progress so far."""
        total: Counter[str] = Counter()
        for follower in self._followers:
            follower.catch_up()
            total.update(attempted=follower.attempted, acknowledged=follower.acknowledged, errors=follower.errors)
        plan = self._plan
        return Progress(
            scenario=plan.scenario,
            target=plan.target.name,
            elapsed=elapsed,
            seconds=plan.fleet.seconds,
            inserts=plan.fleet.inserts,
            attempted=total["attempted"],
            acknowledged=total["acknowledged"],
            errors=total["errors"],
        )

    @property
    def ended(self) -> int:
        """How many operations had ended at the last look."""
        return sum(follower.ended for follower in self._followers)

    def hopeless(self) -> str | None:
        """Return the one error with which every client's first operations failed, if nothing has succeeded since."""
        if any(follower.acknowledged for follower in self._followers):
            return None
        errors = {follower.hopeless() for follower in self._followers}
        return errors.pop() if len(errors) == 1 else None
