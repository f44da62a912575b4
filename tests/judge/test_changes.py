"""What is different between two reports, written by hand."""

from __future__ import annotations

import pytest

from idstorm.findings.results import Result, Stance, Status
from idstorm.findings.verdict import Repeats, Report, StormReport, Verdict
from idstorm.judge.changes import changes
from idstorm.record.provenance import Provenance


def storm(name: str, status: Status = Status.HELD, rate: float = 100.0) -> StormReport:
    return StormReport(
        storm=name,
        scenario="orders",
        result=Result.PASSED,
        target={"name": "sqlite", "server": "3.40", "facts": {"journal": "wal"}},
        fleet={"clients": 8},
        ending=None,
        notes=(),
        operations={"per_second": rate, "latency_ms": {"p99": 5.0}},
        verdicts={"unique": Verdict(status, Stance.HOLDS, Result.PASSED, None, "", {}, ())},
    )


def run(name: str, *rates: float, status: Status = Status.HELD) -> Report:
    storms = tuple(storm(str(place), status, rate) for place, rate in enumerate(rates))
    merged = Repeats(**vars(storms[0]), repetitions=tuple(one.storm for one in storms))
    return Report(name, "", "", Result.PASSED, 0, storms, repeats=(merged,))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((100, 110, 120), (90, 95, 99), [("100 to 120", "90 to 99")]),
        ((100, 110, 120), (90, 95, 101), []),
        ((100, 110), (10, 20, 30), None),
    ],
)
def test_a_rate_is_different_only_if_no_repetition_is_within_those_of_the_other_side(
    before: tuple[float, ...], after: tuple[float, ...], told: list[tuple[str, str]] | None
) -> None:
    found = changes(run("old", *before), run("new", *after))
    assert [(one.before, one.after) for one in found.rates] == (told or [])
    assert bool(found.notes) == (told is None)


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (Status.HELD, Status.BROKEN, True),
        (Status.HELD, Status.UNKNOWN, True),
        (Status.BROKEN, Status.HELD, False),
        (Status.UNKNOWN, Status.HELD, False),
        (Status.HELD, Status.NA, False),
    ],
)
def test_what_held_and_does_not_any_more_is_worse(before: Status, after: Status, worse: bool) -> None:
    found = changes(run("old", 1.0, status=before), run("new", 1.0, status=after))
    (change,) = found.findings
    assert (change.what, change.before, change.after) == ("unique", str(before), str(after))
    assert (change.worse, found.worse) == (worse, worse)


def test_other_packages_and_machines_are_conditions() -> None:
    made = [Provenance("2026-11-01T00:00:00+00:00", host, 2, {"SQLAlchemy": "2.1.9"}) for host in ("aa", "bb")]
    found = changes(run("old", 1.0), run("new", 1.0), (made[0], made[1]))
    assert [(one.where, one.what, one.before, one.after) for one in found.conditions] == [("", "host", "aa", "bb")]
