from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from histories import COUNTER, NOTHING, UUIDS, Operation, failed, storm, told, unknown
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.checks.starts_at import starts_at
from idstorm.record.capacity import Capacity
from idstorm.record.ending import Ending, ServerAfterwards
from idstorm.record.keys import Burned
from idstorm.record.plan import Generator


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
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "29 different ids were handed, 30 are needed")
    assert judged(range(100, 130)).status is Status.HELD


def test_one_id_over_and_over_is_no_step() -> None:
    finding = judged([100] * 40)
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "1 different ids were handed, 30 are needed")
    assert judged([*range(100, 140), *[100] * 40]).status is Status.HELD


def test_ids_that_were_given_up_are_steps_as_well() -> None:
    given_up = [told(id_, Burned(id_ + 1)) for id_ in range(100, 180, 2)]
    assert starts_at(storm(*given_up, generator=Generator(100))).status is Status.HELD


def test_the_step_within_a_block_is_not_seen_where_each_session_draws_one_value() -> None:
    blocks = storm(*map(told, range(1, 801, 20)), generator=COUNTER)
    target = replace(blocks.plan.target, capabilities=("session_sequence_cache",))
    capacity = Capacity("integer", 2**31, "sequence s", 2**63, cache=20)
    cached = replace(
        blocks, plan=replace(blocks.plan, target=target), ending=Ending(server=ServerAfterwards(capacity=capacity))
    )
    assert starts_at(cached).status is Status.UNKNOWN
    assert "a block of 20" in str(starts_at(cached).reason)
    assert starts_at(blocks).status is Status.BROKEN


@pytest.mark.parametrize(
    ("facts", "ids", "status"),
    [
        ({"auto_increment_increment": 3, "auto_increment_offset": 2}, range(2, 122, 3), Status.HELD),
        ({"auto_increment_increment": 3, "auto_increment_offset": 1}, range(2, 122, 3), Status.BROKEN),
        ({"auto_increment_increment": 3, "auto_increment_offset": 2}, range(1, 41), Status.BROKEN),
        ({"auto_increment_increment": 2, "auto_increment_offset": 5}, range(1, 81, 2), Status.HELD),
        ({}, range(1, 41), Status.HELD),
    ],
)
def test_a_tables_own_counter_goes_on_as_its_server_is_told_to(
    facts: dict[str, int], ids: range, status: Status
) -> None:
    evidence = storm(*map(told, ids), generator=COUNTER)
    counter = Capacity("int", 2**31, "AUTO_INCREMENT", 2**31)
    on_server = replace(evidence, ending=Ending(server=ServerAfterwards(facts=facts, capacity=counter)))
    assert starts_at(on_server).status is status
    sequence = Ending(server=ServerAfterwards(facts=facts, capacity=Capacity("int", 2**31, "sequence s", 2**31)))
    plain = Status.HELD if ids == range(1, 41) else Status.BROKEN
    assert starts_at(replace(on_server, ending=sequence)).status is plain


def test_where_nobody_knows_what_made_the_ids_a_step_may_be_the_servers() -> None:
    on_server: dict[str, Any] = {"ending": Ending(server=ServerAfterwards(facts={"auto_increment_increment": 2}))}
    finding = judged(range(1, 81, 2), start=1, **on_server)
    assert (finding.status, finding.figures["step"]) == (Status.UNKNOWN, 2)
    assert "go on by 2" in str(finding.reason)
    assert judged(range(1, 41), start=1, **on_server).status is Status.HELD
    assert judged(range(1, 121, 3), start=1, **on_server).status is Status.BROKEN


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
