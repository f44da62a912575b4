from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from histories import COUNTER, NOTHING, STRANGER, TEXT, WIDE, Operation, Poll, deleted, failed, storm, told, unknown
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.checks.visible import visible
from idstorm.record.ending import CensusQuality, Ending
from idstorm.record.plan import Generator

INSERTS = [told(id_, client=id_ % 2) for id_ in range(1, 13)]  # row r has the id r + 1, and ends at 10 r + 16
COMMON = {"token", "id", "client", "operation", "outcome", "at"}  # what every row is described by
IN_TURN = [Poll(10 * row + 17, (row,), row + 1) for row in range(12)]


def judged(*operations: Operation, polls: list[Poll] | None, **more: Any) -> Finding:
    return visible(storm(*operations, polls=polls, **more))


def test_a_reader_that_got_every_row_holds() -> None:
    finding = judged(*INSERTS, polls=IN_TURN)
    assert finding.status is Status.HELD
    assert {name: value for name, value in finding.figures.items() if name != "lag_ms"} == {
        "skipped": 0,
        "polls": 12,
        "advanced": 12,
        "overtake": 0,
        "safe_lag_ids": 0,
        "safe_lag_ms": 0.0,
    }


def test_a_row_that_the_reader_passed_by_was_skipped() -> None:
    slow = told(3, client=2, begin=31, ended=100)
    polls = [Poll(20, (0, 1), 2), Poll(50, (3,), 4), Poll(61, (4,), 5), Poll(120, (), 5)]
    finding = judged(told(1), told(2), slow, told(4), told(5), polls=polls)
    assert finding.status is Status.BROKEN
    assert {name: value for name, value in finding.figures.items() if name != "lag_ms"} == {
        "skipped": 1,
        "polls": 4,
        "advanced": 3,
        "overtake": 1,  # the poll at 50 passed by
        "safe_lag_ids": 2,  # the one at 61 was further ahead, and may not have seen it either
        "safe_lag_ms": 0.0,  # 50 ns
    }
    (witness,) = finding.witnesses
    assert (witness["id"], witness["had_seen"], witness["client"]) == (3, 4, 2)


def test_what_a_reader_would_have_had_to_wait_is_in_milliseconds() -> None:
    ms = 1_000_000
    slow = told(1, client=1, begin=1 * ms, ended=90 * ms)
    finding = judged(slow, told(2, begin=2 * ms, ended=3 * ms), polls=[Poll(20 * ms, (1,), 2)])
    assert finding.figures["safe_lag_ms"] == 70
    assert finding.figures["lag_ms"]["max"] == 17
    slow = told(1, client=1, begin=1 * ms, ended=9_000_000_000)
    finding = judged(slow, told(2, begin=2 * ms, ended=3 * ms), polls=[Poll(9_000 * ms, (1,), 2), Poll(9_001 * ms)])
    assert finding.figures["lag_ms"]["max"] == 8_997
    early = [Poll(0, (1,), 2), Poll(9_001 * ms, (), 2)]
    assert judged(slow, told(2, begin=2 * ms, ended=3 * ms), polls=early).figures["safe_lag_ms"] == 9_000


def test_rows_are_told_apart_by_token_not_by_id() -> None:
    again = [told(1), deleted(0), told(1, client=1)]
    finding = judged(*again, census=[(1, 1)], polls=[Poll(20, (0,), 1), Poll(50, (), 1)])
    assert (finding.status, finding.figures["skipped"]) == (Status.BROKEN, 1)


def test_rows_without_a_token_are_told_apart_by_their_ids() -> None:
    assert judged(*INSERTS, token=False, polls=IN_TURN).status is Status.HELD
    finding = judged(*INSERTS, token=False, polls=[one for one in IN_TURN if one.rows != (4,)])
    assert (finding.status, finding.figures["skipped"], finding.witnesses[0]["id"]) == (Status.BROKEN, 1, 5)


@pytest.mark.parametrize("more", [told(3, client=1), deleted(0), unknown(3, client=1)])
def test_without_a_token_an_id_that_may_have_named_two_rows_leaves_open_which_was_read(more: Operation) -> None:
    finding = judged(*INSERTS, more, token=False, polls=IN_TURN)
    assert finding.status is Status.UNKNOWN
    assert "rows carry no token" in str(finding.reason)


def test_a_row_that_the_table_does_not_hold_is_not_missed() -> None:
    operations = [*INSERTS, failed(13), unknown(14), told(15), deleted(14)]
    assert judged(*operations, polls=IN_TURN).status is Status.HELD


def test_a_row_of_unknown_outcome_that_is_there_has_to_be_seen() -> None:
    operations = [*INSERTS, unknown(0, ended=0)]
    census = [(row + 1, row) for row in range(12)] + [(0, 12)]
    finding = judged(*operations, census=census, polls=IN_TURN)
    assert finding.figures["skipped"] == 1
    assert "safe_lag_ids" not in finding.figures  # nobody knows when it became visible
    (witness,) = finding.witnesses
    assert (set(witness), witness["had_seen"]) == ({*COMMON, "had_seen"}, 1)


def test_a_row_whose_id_nobody_was_told_has_to_be_seen() -> None:
    finding = judged(*INSERTS, unknown(NOTHING), census=[(99, 12)], polls=IN_TURN)
    (witness,) = finding.witnesses
    assert (finding.figures["skipped"], witness["id"], set(witness)) == (1, None, COMMON)


def test_a_row_counts_from_the_first_time_it_was_seen() -> None:
    polls = [Poll(20, (0,), 1), Poll(9_000_000, (0, 1), 2)]
    assert judged(told(1), told(2, ended=26), polls=polls).figures["lag_ms"] == {
        "p50": 9.0,
        "p95": 9.0,
        "p99": 9.0,
        "max": 9.0,
    }
    assert judged(told(1), polls=[*polls[:1], Poll(9_000_000, (0,), 1)]).figures["lag_ms"]["max"] == 0


def test_each_row_has_the_lag_of_the_poll_that_returned_it_whoever_else_was_in_it() -> None:
    ms = 1_000_000
    rows = [told(id_, begin=1, ended=2) for id_ in range(1, 6)]
    polls = [Poll(9 * ms, (0, STRANGER, 1), 2), Poll(50 * ms, (STRANGER, 2, 0, 3), 4), Poll(70 * ms, (4, STRANGER), 5)]
    lags = judged(*rows, polls=polls).figures["lag_ms"]
    assert lags == {"p50": 50.0, "p95": 70.0, "p99": 70.0, "max": 70.0}
    lags = judged(*rows[:3], polls=[*polls[:1], Poll(50 * ms, (STRANGER, 0, 2, 1), 4)]).figures["lag_ms"]
    assert (lags["p50"], lags["max"]) == (9.0, 50.0)


def test_a_generator_that_descends_is_read_in_its_direction() -> None:
    operations = [told(-id_, client=id_ % 2) for id_ in range(1, 13)]
    polls = [Poll(10 * row + 17, (row,), -row - 1) for row in range(12)]
    down = Generator(-1, -1)
    assert judged(*operations, polls=polls, generator=down).status is Status.HELD
    del polls[3]
    finding = judged(*operations, polls=polls, generator=down)
    assert (finding.figures["skipped"], finding.figures["overtake"]) == (1, 1)
    assert finding.witnesses[0]["had_seen"] == -5


def test_too_few_polls_that_found_something_prove_nothing() -> None:
    polls = [Poll(200, tuple(range(12)), 12), *(Poll(300 + place, (), 12) for place in range(50))]
    finding = judged(*INSERTS, polls=polls)
    assert (finding.status, finding.figures["advanced"]) == (Status.UNKNOWN, 1)
    assert finding.reason == "1 polls found something new, but at least 10 are needed: raise --inserts or --time"
    assert judged(*INSERTS, polls=[Poll(17, (0, 1, 2), 3), *IN_TURN[3:]]).status is Status.HELD  # ten did


def test_a_reader_that_did_not_come_to_its_end_has_missed_only_what_it_passed() -> None:
    finding = judged(*INSERTS, polls=IN_TURN[:11], complete=False)
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "the reader's last poll did not succeed")
    assert (finding.figures["skipped"], finding.figures["polls"]) == (0, 11)
    finding = judged(*INSERTS, polls=[*IN_TURN[:4], *IN_TURN[5:11]], complete=False)
    assert (finding.status, finding.figures["skipped"]) == (Status.BROKEN, 1)
    ending = Ending(reader="the server went away")
    assert judged(*INSERTS, polls=IN_TURN, complete=False, ending=ending).reason == "the server went away"


def test_a_reader_that_may_come_back_to_what_it_passed_has_missed_nothing_before_its_end() -> None:
    polls = [*IN_TURN[:4], *IN_TURN[5:]]
    assert judged(*INSERTS, polls=polls, complete=False, looks_back=True).status is Status.UNKNOWN
    assert judged(*INSERTS, polls=polls, complete=False).status is Status.BROKEN
    finding = judged(*INSERTS, polls=polls, looks_back=True)
    assert (finding.status, finding.figures["skipped"]) == (Status.BROKEN, 1)


@pytest.mark.parametrize(
    ("more", "ending", "reason"),
    [
        ({"polls": None, "reader": True}, Ending(), "the reader recorded nothing"),
        ({"polls": None, "reader": True}, Ending(reader="the reader died"), "the reader died"),
        (
            {"polls": IN_TURN, "census": None},
            Ending(census=CensusQuality(unread="the server is gone")),
            "the server is gone",
        ),
    ],
)
def test_without_a_reader_or_a_census_there_is_nothing_to_say(
    more: dict[str, Any], ending: Ending, reason: str
) -> None:
    finding = judged(*INSERTS, ending=ending, **more)
    assert (finding.status, finding.reason) == (Status.UNKNOWN, reason)


def test_where_nobody_reads_it_is_said_why() -> None:
    reasons = {
        "there was no reader: ask for one with --reader": judged(told(1), polls=None),
        "no column of the table can carry a token, so missed rows cannot be told apart": judged(
            told("a"), polls=None, token=False, codec=TEXT
        ),
        "the ids are not meant to be in any order": judged(told("a"), polls=None, codec=TEXT),
    }
    assert {finding.reason for finding in reasons.values()} == set(reasons)
    assert all(finding.reason == reason for reason, finding in reasons.items())
    sorting = replace(storm(codec=TEXT).plan.ids, sortable=True)
    assert "no reader" in str(judged(told("a"), polls=None, codec=TEXT, ids=sorting).reason)


def test_a_row_whose_id_is_no_number_is_shown_without_one() -> None:
    ids = replace(storm(codec=TEXT).plan.ids, sortable=True)
    finding = judged(told("a"), told("b"), codec=TEXT, ids=ids, polls=[Poll(90, (1,), 0)])
    (witness,) = finding.witnesses
    assert (finding.figures["skipped"], witness["id"], "had_seen" in witness) == (1, "a", False)
    assert "overtake" not in finding.figures


def test_ids_that_are_no_numbers_have_no_distance() -> None:
    ids = replace(storm(codec=TEXT).plan.ids, sortable=True)
    letters = [told(chr(97 + row), client=row % 2) for row in range(12)]
    finding = judged(*letters, codec=TEXT, ids=ids, polls=IN_TURN)
    assert (finding.status, set(finding.figures)) == (Status.HELD, {"skipped", "polls", "advanced", "lag_ms"})


def test_of_ids_that_are_no_numbers_a_reader_that_did_not_come_to_its_end_is_charged_with_none() -> None:
    ids = replace(storm(codec=TEXT).plan.ids, sortable=True)
    finding = judged(told("a"), told("b"), codec=TEXT, ids=ids, polls=[Poll(90, (1,))], complete=False)
    assert (finding.status, finding.figures["skipped"]) == (Status.UNKNOWN, 0)


def test_wide_numbers_are_shown_without_what_the_reader_had_seen() -> None:
    ids = replace(storm(codec=WIDE).plan.ids, sortable=True)
    finding = judged(told(2**70), told(2**71), codec=WIDE, ids=ids, polls=[Poll(90, (1,))])
    assert [(witness["id"], "had_seen" in witness) for witness in finding.witnesses] == [(2**70, False)]


def test_somebody_elses_rows_are_not_looked_for() -> None:
    census = [*((row + 1, row) for row in range(12)), (99, None)]
    assert judged(*INSERTS, census=census, polls=IN_TURN, generator=COUNTER).status is Status.HELD
