"""Operations that failed unplanned, and their errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from idstorm.judge.evidence import Evidence
from idstorm.record.code import Code
from idstorm.record.columns import Bools
from idstorm.record.outcome import Outcome
from idstorm.record.tape import Flag


@dataclass(frozen=True)
class Failures:
    """The operations of a storm that did not succeed, apart from those that were rolled back on purpose."""

    evidence: Evidence

    @cached_property
    def raced(self) -> Bools:
        """The operations that the database itself ended because of others: conflicts, and refusals of a taken id."""
        history = self.evidence.history
        which = np.array([False, *(code.raced or code.refused for code in history.codes)])
        if not which.any():
            return np.broadcast_to(which[0], history.code.shape)
        raced: Bools = which[history.code]
        raced &= history.outcome != Outcome.OK
        return raced

    @cached_property
    def unplanned(self) -> Bools:
        """The operations that did not succeed, for any reason, unless that was planned."""
        history = self.evidence.history
        unplanned: Bools = (history.ended != 0) & (history.outcome != Outcome.OK)
        unplanned &= (history.flags & Flag.DELIBERATE) == 0
        return unplanned

    @property
    def share(self) -> float:
        """The share of all operations that failed for another reason than a race."""
        return self._share(self.unplanned & ~self.raced)

    @property
    def share_raced(self) -> float:
        """The share of all operations that the database ended because of a race."""
        return self._share(self.unplanned & self.raced)

    def commonest(self, among: Bools) -> tuple[Code, int] | None:
        """Return the error that most of these operations ended with, and their number."""
        numbers = np.bincount(self.evidence.history.code[among])[1:]
        if not numbers.any():
            return None
        place = int(numbers.argmax())
        return self.evidence.history.codes[place], int(numbers[place])

    def _share(self, which: Bools) -> float:
        ended = int(np.count_nonzero(self.evidence.history.ended))
        return int(np.count_nonzero(which)) / ended if ended else 0.0


def failing(evidence: Evidence) -> Mapping[str, Any]:
    """Return the report's `operations.failing`: the share that failed unplanned, and the commonest error.

    `share` leaves out what the database ended because of a race, which is `share_raced`; `expected` is the share that
    the scenario says may fail, `commonest` the error that most of them ended with.
    """
    failures = Failures(evidence)
    figures: dict[str, Any] = {
        "share": round(failures.share, 4),
        "share_raced": round(failures.share_raced, 4),
        "expected": evidence.plan.failing,
    }
    most = failures.commonest(failures.unplanned)
    if most is not None:
        code, number = most
        figures |= {"commonest": code.name, "times": number, "message": code.message}
    return figures
