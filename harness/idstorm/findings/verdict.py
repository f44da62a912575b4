"""Verdicts, and the report that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from idstorm.findings.gate import GateVerdict
from idstorm.findings.matrix import Matrix
from idstorm.findings.results import Result, Stance, Status, StormState

REPORT_FORMAT = 1

NOTABLE_FAILURES = 0.1
"""If at least this share of operations failed, a report leads with that, and its advice is about the failures."""


@dataclass(frozen=True)
class Verdict:
    """A finding, and what it means for a claim."""

    status: Status
    claim: Stance
    result: Result
    reason: str | None
    why: str  #: the scenario's reason for its claim
    figures: Mapping[str, Any]
    witnesses: tuple[Mapping[str, Any], ...]
    named: bool = False  #: the scenario itself made the claim; False: it is the default
    crashed: bool = False  #: the check itself raised an error
    meaning: str = ""  #: for a check that is not idstorm's own: what is true if it holds

    @property
    def is_witness(self) -> bool:
        """Whether it broke where the claim says that it holds or breaks, not merely where it may break."""
        return self.status is Status.BROKEN and self.claim is not Stance.MAY_BREAK


@dataclass(frozen=True)
class StormReport:
    """One storm, judged."""

    storm: str
    scenario: str
    result: Result
    target: Mapping[str, Any]
    fleet: Mapping[str, Any]
    ending: str | None  #: how it ended, where that was not as planned
    notes: tuple[str, ...]
    operations: Mapping[str, Any]
    verdicts: Mapping[str, Verdict]
    gates: tuple[GateVerdict, ...] = ()
    state: StormState = StormState.FINISHED
    explored: Mapping[str, Any] | None = None  #: of an exploration: how many schedules, and which broke a check


@dataclass(frozen=True)
class Repeats(StormReport):
    """One scenario on one target, stormed several times: its findings are merged before claims are settled.

    The only figure of a verdict is in how many repetitions its check was what; a witness names its repetition, from 1.
    Operations are added up, latencies are those of the slowest repetition, and `failing` is of that where most failed.
    Of each gate it is the worst that counts.
    """

    repetitions: tuple[str, ...] = ()  #: the storms, in order


@dataclass(frozen=True)
class Control(StormReport):
    """A storm of a known fault, with the clients of the run and on its target, before anything else.

    It passed if the fault was seen. If not, the run's own clean results prove nothing.
    """

    duplicated: int = 0  #: ids that were handed out more than once
    reason: str | None = None  #: why nothing was seen


@dataclass(frozen=True)
class UntilBroken:
    """The outcome of a run that was to continue until a check with a claim broke."""

    seconds: float | None  #: from the beginning of the run to its end; None: idstorm was ended before that
    storm: str | None = None  #: the storm in which it broke; None: nothing broke
    repetition: int | None = None
    checks: tuple[str, ...] = ()  #: what broke


@dataclass(frozen=True)
class Comparison:
    """One scenario on several targets, side by side."""

    scenario: str
    targets: tuple[str, ...]  #: the dialect and version of each, or its name where that is all that is known
    results: tuple[Result, ...]
    verdicts: Mapping[str, tuple[Status | None, ...]]  #: by check, in the order of the targets
    figures: Mapping[str, tuple[Any, ...]]  #: rate, latency, errors and what the checks counted, by path
    differs: tuple[str, ...]  #: the checks that came out differently, n/a aside


@dataclass(frozen=True)
class Report:
    """One run, judged: what `report.json` holds."""

    run: str
    folder: str  #: empty if the run was refused and left none
    command: str
    result: Result
    exit_code: int
    storms: tuple[StormReport, ...]
    comparisons: tuple[Comparison, ...] = ()
    matrix: Matrix | None = None  #: for a run that was made for it
    repeats: tuple[Repeats, ...] = ()  #: for a run that repeats its storms: what they come to
    until_broken: UntilBroken | None = None  #: for a run that was to continue until something broke
    controls: tuple[Control, ...] = ()  #: for a run with --control, one for each target; no storms of their own
    unwritten: str | None = None  #: why the run's folder does not hold all of this; the verdicts are as they are

    @property
    def decisive(self) -> tuple[StormReport, ...]:
        """The storms that decide the run's result: merged if they are repeated."""
        return self.repeats or self.storms

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON's own types: the same for the same run, wherever its folder lies."""
        report = asdict(self)
        del report["folder"], report["unwritten"]
        for storm in (*report["storms"], *report["repeats"], *report["controls"]):
            if storm["explored"] is None:
                del storm["explored"]
            for verdict in storm["verdicts"].values():
                if not verdict["meaning"]:
                    del verdict["meaning"]
        return {"format": REPORT_FORMAT, **report}
