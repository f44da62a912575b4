from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from histories import INTEGER, NOTHING, STRANGER, TEXT, UUIDS, WIDE, deleted, failed, storm, told, unknown, unused
from idstorm.findings.results import Status
from idstorm.judge.checks.faithful import faithful
from idstorm.judge.evidence import Evidence
from idstorm.record.ending import CensusQuality, Ending
from idstorm.record.keys import Codec, Existing


def test_ids_that_the_rows_have_hold() -> None:
    finding = faithful(storm(told(1), told(2, 3, client=1)))
    assert (finding.status, finding.figures, finding.witnesses) == (
        Status.HELD,
        {"misattributed": 0, "of_existing": 0},
        (),
    )


def test_the_id_of_somebody_elses_row_is_misattributed() -> None:
    finding = faithful(storm(told(1), told(2, client=1), told(3), census=[(2, 0), (1, 1), (3, 2)]))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"misattributed": 2, "of_existing": 0})
    assert [(row["token"], row["told"], row["stored"]) for row in finding.witnesses] == [(1000, 1, 2), (2000, 2, 1)]


def test_the_ids_of_a_batch_belong_to_its_rows_in_order() -> None:
    finding = faithful(storm(told(1, 2, 3), census=[(1, 0), (3, 1), (2, 2)]))
    assert finding.figures == {"misattributed": 2, "of_existing": 0}


def test_a_row_that_is_not_there_is_not_judged() -> None:
    assert faithful(storm(told(1), told(2), deleted(1), census=[(1, 0)])).status is Status.HELD


def test_a_row_of_unknown_outcome_that_is_there_is_judged() -> None:
    assert faithful(storm(unknown(1), census=[(1, 0)])).status is Status.HELD
    assert faithful(storm(unknown(1), census=[(2, 0)])).status is Status.BROKEN


def test_a_row_that_failed_yet_is_there_is_left_to_durable() -> None:
    assert faithful(storm(failed(1), census=[(2, 0)])).status is Status.HELD


@pytest.mark.parametrize("id_", [NOTHING, None, Existing(1)])
def test_where_no_id_was_told_none_can_be_wrong(id_: object) -> None:
    assert faithful(storm(unknown(id_), census=[(2, 0)])).status is Status.HELD


def test_of_a_token_in_several_rows_one_with_the_id_is_enough() -> None:
    assert faithful(storm(told(1), census=[(2, 0), (1, 0), (3, 0)])).status is Status.HELD


def test_a_token_in_several_rows_without_the_id_is_misattributed_once() -> None:
    finding = faithful(storm(told(1), told(5), census=[(2, 0), (3, 0), (5, 1)]))
    assert finding.figures == {"misattributed": 1, "of_existing": 0}
    assert len(finding.witnesses) == 1


def test_foreign_and_unexpected_rows_are_not_judged() -> None:
    evidence = storm(told(1), census=[(7, None), (1, 0), (8, STRANGER), (9, unused()), (None, None)])
    assert faithful(evidence).status is Status.HELD


def test_witnesses_show_what_is_stored_in_their_own_row() -> None:
    evidence = storm(told(1), told(2), census=[(7, None), (1, 0), (None, None), (None, STRANGER), (3, 1)])
    assert [(row["told"], row["stored"]) for row in faithful(evidence).witnesses] == [(2, 3)]


def test_a_stored_null_is_not_the_id_that_was_told() -> None:
    finding = faithful(storm(told(0), told(1), census=[(7, None), (1, 1), (None, 0)]))
    assert finding.figures == {"misattributed": 1, "of_existing": 0}
    assert [(row["told"], row["stored"]) for row in finding.witnesses] == [(0, None)]


@pytest.mark.parametrize(
    ("codec", "as_told", "as_stored", "another"),
    [
        (INTEGER, "5", 5, 6),
        (WIDE, 2**70, Decimal(2**70), 2**70 + 2**64),
        (UUIDS, str(UUID(int=5)), UUID(int=5).bytes, UUID(int=5 + (1 << 64))),
        (TEXT, "é" * 20, "é" * 20, "é" * 21),
    ],
)
def test_told_and_stored_ids_are_compared_as_keys(
    codec: Codec, as_told: object, as_stored: object, another: object
) -> None:
    assert faithful(storm(told(as_told), codec=codec, census=[(as_stored, 0)])).status is Status.HELD
    assert faithful(storm(told(as_told), codec=codec, census=[(another, 0)])).figures == {
        "misattributed": 1,
        "of_existing": 0,
    }


def test_without_a_census_it_is_unknown() -> None:
    finding = faithful(storm(told(1), census=None))
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "there is no census")
    finding = faithful(storm(told(1), census=None, ending=Ending(census=CensusQuality(unread="the server is gone"))))
    assert finding.reason == "the server is gone"


def test_there_is_an_end_to_witnesses_but_not_to_counting() -> None:
    ids = range(30)
    finding = faithful(storm(*map(told, ids), census=[(number + 1, number) for number in ids]))
    assert finding.figures == {"misattributed": 30, "of_existing": 0}
    assert len(finding.witnesses) == 24


def test_the_id_of_an_existing_row_has_to_be_one_that_a_row_has() -> None:
    finding = faithful(storm(told(1), told(Existing(1)), told(Existing(0))))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"misattributed": 1, "of_existing": 1})
    (witness,) = finding.witnesses
    assert (witness["told"], witness["stored"], witness["existing"], witness["operation"]) == (0, None, True, 2)


@pytest.mark.parametrize(
    "evidence",
    [
        storm(told(1), deleted(0), told(Existing(1))),
        storm(unknown(1), told(Existing(1)), census=[]),
        storm(told(Existing(5)), before=[5], census=[]),
        storm(told(Existing(5)), census=[(5, None)]),
    ],
)
def test_a_row_that_had_the_id_may_be_gone_or_foreign(evidence: Evidence) -> None:
    assert faithful(evidence).status is Status.HELD


def test_the_id_of_a_row_that_was_rolled_back_is_no_rows() -> None:
    assert faithful(storm(failed(1), told(Existing(1)))).figures["of_existing"] == 1


def test_what_an_operation_that_is_not_ok_was_told_of_an_existing_row_is_not_judged() -> None:
    assert faithful(storm(told(1), failed(Existing(9)), unknown(Existing(9)))).status is Status.HELD


def test_where_its_owner_is_named_the_id_has_to_be_the_owners() -> None:
    finding = faithful(storm(told(1), told(2, client=1), told(Existing(2, token=0))))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"misattributed": 1, "of_existing": 1})
    assert (finding.witnesses[0]["told"], finding.witnesses[0]["stored"]) == (2, 1)
    assert faithful(storm(told(1), told(2, client=1), told(Existing(1, token=0)))).status is Status.HELD


def test_an_owner_has_what_the_table_stores_for_it_else_what_it_was_told() -> None:
    stored = [(7, 0)]
    assert faithful(storm(told(1), told(Existing(1, token=0)), census=stored)).figures["of_existing"] == 1
    gone = storm(told(1), deleted(0), told(9), told(Existing(9, token=0)))
    assert faithful(gone).figures["of_existing"] == 1
    never = storm(unknown(NOTHING), told(9), told(Existing(9, token=0)))
    assert faithful(never).status is Status.HELD  # that some row has it is all that can be asked


def test_an_owner_that_was_rolled_back_has_no_id() -> None:
    assert faithful(storm(failed(1), told(Existing(1, token=0)))).figures["of_existing"] == 1
    assert faithful(storm(failed(1), told(9), told(Existing(9, token=0)))).status is Status.HELD


def test_an_owner_that_is_there_twice_has_both_ids() -> None:
    twice = [(1, 0), (5, 0)]
    for id_, wrong in ((1, 0), (5, 0), (6, 1)):
        finding = faithful(storm(told(1), told(Existing(id_, token=0)), census=twice))
        assert finding.figures["of_existing"] == wrong


def test_an_owner_may_be_a_foreign_row() -> None:
    there = [(3, STRANGER), (4, None)]
    for id_, wrong in ((3, 0), (4, 1)):
        finding = faithful(storm(told(Existing(id_, token=STRANGER.number)), census=there))
        assert finding.figures["of_existing"] == wrong
