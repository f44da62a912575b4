from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from histories import UUIDS, failed, storm, told
from idstorm.findings.results import Status
from idstorm.judge.checks.headroom import headroom
from idstorm.judge.evidence import Evidence
from idstorm.record.capacity import Capacity, Reference
from idstorm.record.ending import CensusQuality, Ending, ServerAfterwards
from idstorm.record.plan import Generator

SMALL = Capacity("smallint", 32_767, "sequence thing_id_seq", 2**63 - 1, position=10)


def after(capacity: Capacity | None, **more: Any) -> Evidence:
    ids = more.pop("ids", [8, 10])
    ending = Ending(server=ServerAfterwards(capacity=capacity, at="2026-03-01T12:00:00+00:00"))
    return storm(*map(told, ids), *more.pop("operations", []), ending=ending, **more)


def test_little_used_holds_and_says_how_much() -> None:
    finding = headroom(after(SMALL, ids=range(1, 11)))
    assert (finding.status, finding.witnesses) == (Status.HELD, ())
    assert finding.figures == {
        "used": 10 / 32_767,
        "position": 10,
        "limit": 32_767,
        "of": "column smallint",
        "column": "smallint",
        "column_limit": 32_767,
        "generator": "sequence thing_id_seq",
        "generator_limit": 2**63 - 1,
        "burned_per_row": 0,
        "rows_left": 32_757,
    }


def test_ids_that_come_from_no_generator_follow_one_another() -> None:
    finding = headroom(after(replace(SMALL, position=None), ids=range(1, 11), generator=None))
    assert (finding.status, finding.figures["rows_left"]) == (Status.HELD, 32_757)


@pytest.mark.parametrize(("fraction", "status"), [(0.5, Status.BROKEN), (0.51, Status.HELD)])
def test_it_breaks_at_the_fraction_that_is_stated(fraction: float, status: Status) -> None:
    capacity = Capacity("tinyint", 20, "AUTO_INCREMENT", 20)
    finding = headroom(after(capacity, headroom=fraction))
    assert finding.status is status
    witness = {"position": 10, "limit": 20, "of": "column tinyint", "rows_left": 6}  # one id was burned for two rows
    assert finding.witnesses == ((witness,) if status is Status.BROKEN else ())


def test_a_generator_that_has_nowhere_to_go_is_used_up() -> None:
    finding = headroom(after(Capacity("integer", 0, "a sequence", 0), ids=[-1, 0]))
    assert (finding.status, finding.figures["used"]) == (Status.BROKEN, 1.0)


def test_whichever_ends_first_is_the_limit() -> None:
    assert headroom(after(replace(SMALL, generator_limit=100))).figures["limit"] == 100


def test_the_generator_may_be_further_than_any_row() -> None:
    assert headroom(after(replace(SMALL, position=30_000))).status is Status.BROKEN
    assert headroom(after(replace(SMALL, position=None))).figures["position"] == 10


def test_ids_that_were_burned_will_be_burned_again() -> None:
    capacity = Capacity("small", 100, "a generator", 100, position=20)
    finding = headroom(after(capacity, ids=[1, 5, 9, 13], operations=[failed(17)], headroom=0.9))
    assert finding.figures["burned_per_row"] == 4  # twenty were drawn for four rows
    assert finding.figures["rows_left"] == 16
    finding = headroom(after(capacity, ids=[1, 2, 3, 4, 5, 6, 7], operations=[failed(8)]))
    assert finding.figures["burned_per_row"] == 1.857  # thirteen for seven


def test_a_generator_that_descends_burns_ids_as_well() -> None:
    capacity = Capacity("integer", -100, "a sequence", -100, position=-20)
    finding = headroom(after(capacity, ids=[-1, -5, -9, -13], generator=Generator(-1, -1), headroom=0.9))
    assert finding.figures["burned_per_row"] == 4
    assert finding.figures["rows_left"] == 16


def test_a_storm_that_kept_nothing_tells_nothing_of_what_is_burned() -> None:
    evidence = after(SMALL, ids=[], before=[3], census=[(3, None)])
    assert headroom(evidence).figures["burned_per_row"] == 0
    assert headroom(after(SMALL, ids=[4], before=[3], census=[(3, None)])).figures["burned_per_row"] == 0


def test_ids_are_burned_in_whole_steps_of_the_generator() -> None:
    capacity = Capacity("integer", 10_000, "a sequence", 10_000, position=47)
    assert headroom(after(capacity, ids=[1, 11], generator=Generator(1, 10))).figures["burned_per_row"] == 1.5
    none = replace(capacity, position=None)
    assert headroom(after(none, ids=[1, 11], generator=Generator(1, 10))).figures["rows_left"] == 998


def test_what_counts_is_the_share_of_the_generators_own_range() -> None:
    below = Capacity("integer", 2**31 - 1, "sequence s", 400, position=159, generator_first=-400)
    finding = headroom(after(below, ids=range(-400, 160), generator=Generator(-400)))
    assert (finding.status, finding.figures["used"]) == (Status.BROKEN, 559 / 800)
    assert (finding.figures["of"], finding.figures["rows_left"]) == ("sequence s", 241)


def test_a_generator_that_counts_down_to_1_is_hardly_used_at_its_start() -> None:
    countdown = Capacity("integer", -(2**31), "sequence s", 1, position=999_401, generator_first=1_000_000)
    finding = headroom(after(countdown, ids=range(1_000_000, 999_400, -1), generator=Generator(1_000_000, -1)))
    assert (finding.status, finding.figures["used"]) == (Status.HELD, 599 / 999_999)
    assert finding.figures["rows_left"] == 999_400


@pytest.mark.parametrize(
    ("position", "limit", "step"), [(999_401, 1, -1), (159, 0, 1), (-241, 400, 1), (10, -(2**31), -1)]
)
def test_a_range_whose_first_end_an_older_run_did_not_record_is_unknown(position: int, limit: int, step: int) -> None:
    column = 2**31 - 1 if step > 0 else -(2**31)
    older = Capacity("integer", column, "sequence s", limit, position=position)
    finding = headroom(after(older, ids=[position], generator=Generator(1, step)))
    assert (finding.status, finding.witnesses) == (Status.UNKNOWN, ())
    assert finding.reason == "the end from which sequence s starts was not recorded"
    narrow = replace(older, references=(Reference("pet.owner_id", "tiny", 2 * position),))
    assert headroom(after(narrow, ids=[position], generator=Generator(1, step))).status is Status.BROKEN


def test_ids_that_count_down_use_up_nothing_of_an_unsigned_column_but_its_end() -> None:
    countdown = Capacity("int unsigned", 0, "sequence s", 1, position=999_401, generator_first=1_000_000)
    finding = headroom(after(countdown, ids=[999_401], generator=Generator(1_000_000, -1)))
    assert (finding.status, finding.figures["used"]) == (Status.HELD, 599 / 999_999)
    assert finding.figures["rows_left"] == 999_400
    alone = replace(countdown, position=None, generator="the application")
    for last, used in ((5, 0.0), (0, 1.0)):
        assert headroom(after(alone, ids=[last], generator=Generator(1_000_000, -1))).figures["used"] == used


def test_the_largest_unsigned_limits_are_beyond_64_bits_of_a_signed_number() -> None:
    unsigned = Capacity("bigint unsigned", 2**64 - 1, "AUTO_INCREMENT", 2**64 - 1, 2**63 + 9, generator_first=1)
    evidence = after(unsigned, ids=[2**63 - 1], before=[5], census=[(5, None), (2**63 - 1, 0)])
    assert (headroom(evidence).status, headroom(evidence).figures["position"]) == (Status.BROKEN, 2**63 + 9)


def test_what_the_start_of_a_generator_skipped_counts_as_used() -> None:
    late = Capacity("bigint", 2**63 - 1, "sequence s", 1_000, position=905, generator_first=1)
    assert headroom(after(late, ids=range(900, 906), generator=Generator(900))).status is Status.BROKEN


def test_a_generator_that_begins_again_is_never_used_up_and_that_is_said() -> None:
    round_ = Capacity("integer", 2**31 - 1, "sequence s", 10, position=9, generator_first=1, cycles=True)
    finding = headroom(after(round_, ids=range(1, 10)))
    assert (finding.status, finding.figures["of"]) == (Status.HELD, "column integer")
    assert "begins again" in str(finding.reason)


def test_a_column_that_refers_to_the_ids_has_to_hold_them_as_well() -> None:
    narrow = Reference("pet.owner_id", "smallint", 32_767)
    wide = Capacity("bigint", 2**63 - 1, "sequence s", 2**63 - 1, 30_000, generator_first=1, references=(narrow,))
    finding = headroom(after(wide, ids=range(29_990, 30_001)))
    assert (finding.status, finding.figures["rows_left"]) == (Status.BROKEN, 2_767)
    assert finding.figures["of"] == "pet.owner_id, which refers to it and is smallint"


@pytest.mark.parametrize(("position", "used"), [(400, 400), (None, 10)])
def test_rows_that_were_there_before_are_not_how_far_the_storm_came(position: int | None, used: int) -> None:
    far = [(2_000_000_000, None), (8, 0), (10, 1)]
    capacity = Capacity("integer", 2**31 - 1, "sequence s", 2**31 - 1, position=position)
    finding = headroom(after(capacity, before=[2_000_000_000], census=far))
    assert (finding.status, finding.figures["position"]) == (Status.HELD, used)
    collides = "the generator will collide at 2,000,000,000, the id of a row that was there before"
    assert finding.reason == (collides if position else None)


def test_how_far_the_ids_can_go_is_unknown_where_it_may_not_be_read() -> None:
    evidence = replace(after(None), ending=Ending(server=ServerAfterwards(capacity_unread="permission denied")))
    assert (headroom(evidence).status, headroom(evidence).reason) == (Status.UNKNOWN, "permission denied")


def test_a_date_is_given_only_with_a_forecast() -> None:
    assert "until" not in headroom(after(SMALL)).figures
    ids = range(1, 11)
    assert headroom(after(SMALL, ids=ids, forecast=32_757 / 86_400)).figures["until"] == "2026-03-02"
    large = Capacity("bigint", 2**63 - 1, "a generator", 2**63 - 1)
    assert headroom(after(large, ids=ids, forecast=50.0)).figures["until"] == "after the year 9999"


def test_a_generator_that_descends_has_its_limit_below() -> None:
    capacity = Capacity("integer", -(2**31), "a sequence", -(2**63), position=-(2**30))
    finding = headroom(after(capacity, ids=[-1, -2], generator=Generator(-1, -1)))
    assert (finding.status, finding.figures["limit"], finding.figures["position"]) == (
        Status.BROKEN,
        -(2**31),
        -(2**30),
    )
    assert (
        headroom(after(replace(capacity, position=-2), ids=[-1, -2], generator=Generator(-1, -1))).status is Status.HELD
    )
    alone = replace(capacity, position=None)
    assert headroom(after(alone, ids=[-1, -2], generator=Generator(-1, -1))).figures["position"] == -2


def test_past_its_end_nothing_is_left() -> None:
    assert headroom(after(replace(SMALL, position=40_000))).figures["rows_left"] == 0
    last = Capacity("tiny", 10, "a sequence", 10)
    assert headroom(after(last, ids=range(1, 11))).figures["rows_left"] == 0


def test_the_rows_that_are_left_are_counted_to_the_last() -> None:
    large = Capacity("bigint", 2**63 - 1, "a generator", 2**63 - 1)
    assert headroom(after(large, ids=range(1, 11))).figures["rows_left"] == 2**63 - 11


def test_where_nobody_says_how_far_it_goes_it_means_nothing() -> None:
    reasons = {
        "the database does not say how far the column can go": after(None),
        "it was not recorded": storm(told(1), told(2)),
        "the ids are not numbers": storm(told("00000000-0000-0000-0000-000000000001"), codec=UUIDS),
    }
    for reason, evidence in reasons.items():
        assert (headroom(evidence).status, headroom(evidence).reason) == (Status.NA, reason)


@pytest.mark.parametrize("census", [None, []])
def test_without_ids_in_the_table_it_is_unknown(census: Any) -> None:
    finding = headroom(after(SMALL, census=census))
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "the table is empty")
    unread = replace(
        after(SMALL, census=census),
        ending=Ending(server=ServerAfterwards(capacity=SMALL), census=CensusQuality(unread="it is gone")),
    )
    assert headroom(unread).reason == "it is gone"
