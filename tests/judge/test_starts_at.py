from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest

from histories import NOTHING, UUIDS, Operation, failed, storm, told, unknown
from idstorm.judge.starts_at import starts_at
from idstorm.record.outcome import Status
from idstorm.record.plan import Generator
from idstorm.record.verdict import Finding


def judged(ids: Iterable[int], *more: Operation, start: int = 100, increment: int = 1, **also: Any) -> Finding:
    """Return what is found of a generator that handed out these ids."""
    return starts_at(storm(*map(told, ids), *more, generator=Generator(start, increment), **also))


@pytest.mark.parametrize(("start", "increment"), [(1, 1), (100, 1), (100, 10), (-5, 2), (-1, -1), (50, -5)])
def test_ids_that_start_and_advance_as_asked_hold(start: int, increment: int) -> None:
    ids = [start + increment * number for number in range(40)]
    finding = judged(reversed(ids), start=start, increment=increment)
    assert (finding.status, finding.witnesses) == (Status.HELD, ())
    assert finding.figures == {
        "first": start,
        "step": increment,
        "asked_first": start,
        "asked_step": increment,
    }


def test_a_start_that_was_dropped_is_seen() -> None:
    finding = judged(range(1, 41), start=1000)
    assert finding.status is Status.BROKEN
    assert finding.witnesses == ({"first": 1, "asked": 1000, "step": 1, "asked_step": 1},)


def test_an_increment_that_was_dropped_is_seen() -> None:
    finding = judged(range(100, 140), increment=10)
    assert (finding.status, finding.figures["step"]) == (Status.BROKEN, 1)


def test_a_wider_step_than_the_one_asked_for_is_seen() -> None:
    finding = judged(range(100, 180, 2))
    assert (finding.status, finding.figures["step"]) == (Status.BROKEN, 2)


def test_a_generator_that_runs_the_other_way_is_seen() -> None:
    assert judged(range(100, 140), increment=-1).status is Status.BROKEN
    assert judged(range(100, 60, -1)).status is Status.BROKEN


def test_gaps_do_not_matter() -> None:
    assert judged([100, 103, *range(200, 240)]).status is Status.HELD


def test_ids_that_were_only_handed_count() -> None:
    assert judged(range(102, 140), failed(100), unknown(101)).status is Status.HELD


def test_an_insert_that_never_saw_its_id_may_have_had_the_first() -> None:
    finding = judged(range(102, 140), failed(NOTHING), unknown(NOTHING))
    assert finding.status is Status.UNKNOWN
    assert finding.reason == "2 inserts never saw their id: the first may be theirs"
    assert finding.figures["first"] == 102
    assert judged(range(101, 140), failed(NOTHING)).status is Status.UNKNOWN
    assert judged(range(100, 140), failed(NOTHING)).status is Status.HELD


def test_more_ids_than_inserts_that_never_saw_theirs_are_no_coincidence() -> None:
    assert judged(range(103, 140), failed(NOTHING), unknown(NOTHING)).status is Status.BROKEN


def test_inserts_that_never_saw_their_id_excuse_no_wrong_grid() -> None:
    assert judged(range(115, 515, 10), failed(NOTHING), increment=10).status is Status.BROKEN
    assert judged(range(99, 140), failed(NOTHING)).status is Status.BROKEN
    assert judged(range(101, 181, 2), failed(NOTHING)).status is Status.BROKEN


def test_few_ids_prove_nothing() -> None:
    finding = judged(range(100, 129))
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "29 ids were handed, 30 are needed")
    assert judged(range(100, 130)).status is Status.HELD


def test_one_id_over_and_over_is_no_step() -> None:
    finding = judged([100] * 40)
    assert (finding.status, finding.figures["step"]) == (Status.BROKEN, 0)


def test_it_means_nothing_where_rows_were_there_before() -> None:
    finding = judged(range(100, 140), before=[1])
    assert (finding.status, finding.reason) == (Status.NA, "the table was not empty")


def test_it_means_nothing_without_a_generator() -> None:
    finding = starts_at(storm(*map(told, range(100, 140)), generator=None))
    assert finding.status is Status.NA
    assert finding.reason == "the ids do not come from a generator with a start and an increment"
    evidence = storm(told(UUID(int=1)), codec=UUIDS, generator=Generator(1, 1))
    assert starts_at(evidence).status is Status.NA


def test_no_census_is_needed() -> None:
    assert judged(range(100, 140), census=None).status is Status.HELD
