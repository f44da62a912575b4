from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from histories import (
    INTEGER,
    NOTHING,
    TEXT,
    UUIDS,
    WIDE,
    Operation,
    deleted,
    failed,
    not_deleted,
    perhaps_deleted,
    storm,
    told,
    unknown,
    unused,
)
from idstorm.findings.results import Status
from idstorm.judge.checks.unique import unique
from idstorm.record.keys import Burned, Codec, Existing


def test_different_ids_hold() -> None:
    finding = unique(storm(told(1), told(2, client=1), told(3)))
    assert (finding.status, finding.figures, finding.witnesses) == (Status.HELD, {"duplicated": 0}, ())


def test_an_id_that_two_rows_were_acknowledged_is_a_duplicate() -> None:
    finding = unique(storm(told(1), told(7, client=1), told(7), told(7, client=1)))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"duplicated": 1})
    (witness,) = finding.witnesses
    assert (witness["id"], witness["times"]) == (7, 3)
    assert [row["token"] for row in witness["rows"]] == [2000, 1001, 2001]
    assert [(row["client"], row["operation"], row["outcome"]) for row in witness["rows"]] == [
        (1, 0, "ok"),
        (0, 1, "ok"),
        (1, 1, "ok"),
    ]


def test_an_id_twice_in_one_batch_is_a_duplicate() -> None:
    assert unique(storm(told(1, 2, 1))).figures == {"duplicated": 1}


def test_an_id_that_was_only_handed_proves_nothing() -> None:
    assert unique(storm(failed(1), failed(1), told(1, client=1))).status is Status.HELD


def test_an_unknown_row_that_is_not_there_proves_nothing() -> None:
    assert unique(storm(unknown(1), told(1, client=1))).status is Status.HELD


def test_an_unknown_row_that_is_there_counts_as_committed() -> None:
    evidence = storm(unknown(1), told(1, client=1), census=[(1, 0), (1, 1)])
    assert unique(evidence).figures == {"duplicated": 1}


def test_an_unknown_row_that_is_there_alone_is_lawful() -> None:
    assert unique(storm(unknown(1), told(2), census=[(1, 0), (2, 1)])).status is Status.HELD


def test_without_a_census_unknown_rows_leave_it_unknown() -> None:
    finding = unique(storm(unknown(1), told(2), census=None))
    assert finding.status is Status.UNKNOWN
    assert finding.reason == "without a census it is not known which of the unknown inserts committed"


def test_without_a_census_a_row_that_nobody_was_told_of_may_have_any_id() -> None:
    assert unique(storm(told(1), told(2), unknown(NOTHING), census=None)).status is Status.UNKNOWN


def test_without_a_census_acknowledged_rows_are_enough_to_judge() -> None:
    finding = unique(storm(told(1), told(2), failed(NOTHING), census=None))
    assert (finding.status, finding.reason) == (Status.HELD, None)
    assert unique(storm(told(1), told(1), unknown(3), census=None)).status is Status.BROKEN


@pytest.mark.parametrize("delete", [deleted, perhaps_deleted])
def test_an_id_may_come_back_once_a_delete_of_its_row_has_begun(delete: Callable[..., Operation]) -> None:
    evidence = storm(told(1), delete(0, begin=20), told(1, client=1, begin=20, handed=21), census=[(1, 1)])
    assert unique(evidence).status is Status.HELD


@pytest.mark.parametrize("begin", [21, 22])
def test_an_id_may_not_come_back_before_a_delete_of_its_row_has_begun(begin: int) -> None:
    evidence = storm(told(1), deleted(0, begin=begin), told(1, client=1, begin=20, handed=21), census=[(1, 1)])
    assert unique(evidence).figures == {"duplicated": 1}


def test_a_delete_that_failed_frees_no_id() -> None:
    assert unique(storm(told(1), not_deleted(0), told(1))).status is Status.BROKEN


def test_a_delete_of_the_later_row_does_not_excuse_the_earlier() -> None:
    assert unique(storm(told(1), told(1, client=1), deleted(1))).status is Status.BROKEN


def test_of_several_deletes_the_first_that_may_have_worked_counts() -> None:
    evidence = storm(told(1), not_deleted(0), perhaps_deleted(0), told(1, client=1), deleted(0), census=[(1, 1)])
    assert unique(evidence).status is Status.HELD


def test_an_id_may_come_back_again_and_again() -> None:
    again = storm(told(1, client=1), deleted(0), told(1), deleted(1), told(1, client=2), deleted(2))
    assert unique(again).status is Status.HELD
    assert unique(storm(told(1), deleted(0), told(1), told(1), deleted(1))).figures == {"duplicated": 1}


def test_rows_are_compared_in_the_order_in_which_they_were_handed_their_id() -> None:
    later_client_first = storm(told(1, client=1), deleted(0), told(1, client=0))
    assert unique(later_client_first).status is Status.HELD


def test_no_row_and_another_rows_id_are_no_ids_of_ones_own() -> None:
    assert unique(storm(told(1), told(None), told(None), told(Existing(1)), told(Existing(1)))).status is Status.HELD


def test_the_id_of_a_row_that_was_there_before_is_a_duplicate() -> None:
    finding = unique(storm(told(5), told(6, client=1), before=[4, 5], census=[(4, None), (5, None), (5, 0), (6, 1)]))
    assert finding.figures == {"duplicated": 1}
    assert [(witness["foreign"], witness["token"]) for witness in finding.witnesses] == [(True, 1000)]


def test_an_id_of_before_that_was_only_handed_proves_nothing() -> None:
    assert unique(storm(failed(5), told(6), before=[5])).status is Status.HELD


def test_an_upsert_that_found_a_row_of_before_is_lawful() -> None:
    assert unique(storm(told(Existing(5)), told(None), before=[0, 5])).status is Status.HELD


def test_a_null_id_of_before_is_no_id() -> None:
    assert unique(storm(told(0), told(1), before=[None, -1])).status is Status.HELD


def test_a_foreign_row_that_came_later_is_not_judged() -> None:
    assert unique(storm(told(5), census=[(5, 0), (5, None)])).status is Status.HELD


@pytest.mark.parametrize(
    ("codec", "ids"),
    [
        (INTEGER, [0, -(2**63), 2**63 - 1, 5]),
        (WIDE, [0, -(2**127), 2**127 - 1, 2**64]),
        (UUIDS, [UUID(int=0), UUID(int=1), UUID(int=1 << 64), UUID(int=(1 << 128) - 1)]),
        (TEXT, ["", "a", "a long text that is cut in witnesses: 1", "a long text that is cut in witnesses: 2"]),
    ],
)
def test_ids_of_every_kind_are_told_apart(codec: Codec, ids: list[object]) -> None:
    assert unique(storm(*map(told, ids), codec=codec)).status is Status.HELD
    assert unique(storm(*map(told, ids), told(ids[-1], client=1), codec=codec)).figures == {"duplicated": 1}


def test_one_id_in_different_clothes_is_one_id() -> None:
    assert unique(storm(told(5), told("5", client=1))).status is Status.BROKEN
    bare = storm(told(UUID(int=5)), told(UUID(int=5).bytes), told(str(UUID(int=5))), codec=UUIDS)
    assert [witness["times"] for witness in unique(bare).witnesses] == [3]


def test_there_is_an_end_to_witnesses_but_not_to_counting() -> None:
    finding = unique(storm(*(told(number) for number in range(40)), *(told(number) for number in range(40))))
    assert finding.figures == {"duplicated": 40}
    assert len(finding.witnesses) == 24


def test_nothing_at_all_holds() -> None:
    assert unique(storm(census=[])).status is Status.HELD


def test_two_rows_that_are_there_with_one_id_break_it_whatever_anybody_was_told() -> None:
    """As where clients lose the answer to their COMMIT, so that they are told nothing."""
    finding = unique(storm(told(1), unknown(NOTHING), unknown(NOTHING, client=1), census=[(1, 0), (2, 1), (2, 2)]))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"duplicated": 1})
    (witness,) = finding.witnesses
    assert (witness["id"], witness["times"], witness["stored"]) == (2, 2, True)
    assert [row["token"] for row in witness["rows"]] == [1001, 2000]
    assert {row["stored"] for row in witness["rows"]} == {2}


@pytest.mark.parametrize("other", [unknown(1), told(Existing(1)), told(None), told(Burned(1)), told(2), failed(1)])
def test_it_does_not_matter_what_was_told_of_the_rows_that_are_there_with_one_id(other: Operation) -> None:
    finding = unique(storm(told(1), other, census=[(1, 0), (1, 1)]))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"duplicated": 1})


def test_a_row_that_is_there_twice_shares_its_id_with_itself_alone() -> None:
    assert unique(storm(told(1), told(2), census=[(1, 0), (1, 0), (2, 1)])).status is Status.HELD


def test_an_id_that_is_told_twice_and_stored_twice_counts_once() -> None:
    assert unique(storm(told(1), told(1, client=1))).figures == {"duplicated": 1}


def test_rows_that_nobody_attempted_share_ids_as_well() -> None:
    finding = unique(storm(told(1), census=[(1, 0), (1, unused())]))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"duplicated": 1})
    assert finding.witnesses[0]["rows"][0] == {"token": unused().number, "stored": 1}


def test_ids_that_are_null_are_shared_by_nobody() -> None:
    assert unique(storm(told(1), told(2), census=[(None, 0), (None, 1)])).status is Status.HELD


def test_foreign_rows_may_share_what_they_like() -> None:
    assert unique(storm(told(1), census=[(1, 0), (7, None), (7, None)])).status is Status.HELD


def test_a_row_that_is_stored_over_a_foreign_one_breaks_it() -> None:
    finding = unique(storm(unknown(NOTHING), before=[4], census=[(4, None), (4, 0)]))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"duplicated": 1})
    assert (finding.witnesses[0]["foreign"], finding.witnesses[0]["stored"]) == (True, 4)


def test_ids_of_several_words_are_stored_twice_as_well() -> None:
    id_ = UUID(int=7 << 64)
    evidence = storm(unknown(NOTHING), unknown(NOTHING), codec=UUIDS, census=[(id_, 0), (id_, 1)])
    assert unique(evidence).figures == {"duplicated": 1}
