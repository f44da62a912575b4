from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from histories import (
    LOCKED,
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
from idstorm.judge.checks.gapless import gapless
from idstorm.judge.evidence import Evidence
from idstorm.record.ending import CensusQuality, Ending
from idstorm.record.keys import Burned, Codec, Existing
from idstorm.record.plan import Generator


def ledger(evidence: Evidence) -> dict[str, Any]:
    """Return the ledger, which always adds up to what is missing."""
    figures = gapless(evidence).figures
    charged: dict[str, int] = figures["ledger"]
    assert sum(charged.values()) == figures["missing"]
    return charged


def test_ids_without_a_gap_hold_in_any_order() -> None:
    finding = gapless(storm(told(12), told(10, 13, client=1), told(11)))
    assert (finding.status, finding.witnesses) == (Status.HELD, ())
    assert finding.figures == {"missing": 0, "gaps": 0, "largest": 0, "ratio": 0.0, "ledger": {}}


def test_ids_that_are_missing_are_counted_by_gap() -> None:
    finding = gapless(storm(told(1), told(3), told(4), told(10)))
    assert finding.status is Status.BROKEN
    assert finding.figures == {"missing": 6, "gaps": 2, "largest": 5, "ratio": 0.6, "ledger": {"unexplained": 6}}
    assert finding.witnesses == ({"largest_gap_between": [4, 10]},)


@pytest.mark.parametrize("far", [10**6, 2**62, 2**63 - 1])
def test_gaps_may_be_as_wide_as_the_type(far: int) -> None:
    finding = gapless(storm(told(-far), told(far), told(far - 1)))
    assert finding.figures["missing"] == finding.figures["largest"] == 2 * far - 2
    assert finding.figures["gaps"] == 1
    assert finding.witnesses == ({"largest_gap_between": [-far, far - 1]},)
    assert gapless(storm(told(-far), told(far), told(far - 2))).figures["gaps"] == 2


def test_an_id_that_is_stored_twice_closes_no_gap() -> None:
    assert gapless(storm(told(1), told(3), told(3))).figures["missing"] == 1


def test_ids_of_foreign_and_unexpected_rows_are_in_use() -> None:
    assert gapless(storm(told(1), told(4), census=[(1, 0), (2, None), (3, unused()), (4, 1)])).status is Status.HELD


def test_a_row_without_an_id_uses_none() -> None:
    assert gapless(storm(told(2), told(3), census=[(2, 0), (3, 1), (None, None)])).status is Status.HELD


def test_what_is_in_use_is_what_the_table_has_not_what_was_told() -> None:
    assert gapless(storm(told(1), told(2), told(9), census=[(1, 0), (2, 1), (3, 2)])).status is Status.HELD


@pytest.mark.parametrize(
    ("cause", "operations"),
    [
        ("rolled_back", [failed(2)]),
        ("unknown", [unknown(2)]),
        ("deleted", [told(2), deleted(2)]),
        ("deleted", [told(2), perhaps_deleted(2)]),
        ("refused", [failed(NOTHING)]),
        ("refused", [failed(NOTHING, error=LOCKED)]),
        ("refused", [unknown(NOTHING, ended=0)]),
        ("given_up", [told(Burned(2))]),
        ("upserted", [told(Existing(9))]),
        ("upserted", [told(None)]),
        ("unexplained", []),
        ("unexplained", [told(4)]),
        ("unexplained", [failed(9)]),
        ("unexplained", [told(2), not_deleted(2)]),
    ],
)
def test_a_missing_id_is_charged_to_its_cause(cause: str, operations: list[Operation]) -> None:
    evidence = storm(told(1), told(3), *operations, census=[(1, 0), (3, 1)])
    assert ledger(evidence) == {cause: 1}
    assert gapless(evidence).status is Status.BROKEN


def test_an_id_that_was_there_before_and_is_gone_is_foreign() -> None:
    assert ledger(storm(told(1), told(4), before=[2, 3, 9], census=[(1, 0), (3, None), (4, 1)])) == {"foreign": 1}


def test_a_null_id_of_before_explains_nothing() -> None:
    assert ledger(storm(told(-1), told(1), before=[None])) == {"unexplained": 1}


def test_values_off_the_increments_grid_are_none_of_the_generators() -> None:
    finding = gapless(storm(told(5), told(8), told(11), generator=Generator(5, 3)))
    assert finding.status is Status.HELD
    assert finding.figures["ledger"] == {"off_grid": 4}
    assert finding.witnesses == ()


def test_a_value_on_the_grid_is_missing() -> None:
    evidence = storm(told(-5), told(-11), generator=Generator(-5, -3))
    assert ledger(evidence) == {"off_grid": 4, "unexplained": 1}
    assert gapless(evidence).status is Status.BROKEN


def test_the_grid_reaches_as_far_as_the_type() -> None:
    low, high = -(2**63), 2**63 - 1
    assert ledger(storm(told(low), told(high), generator=Generator(low, 3)))["off_grid"] == (high - low) // 3 * 2


def test_ids_off_the_grid_that_are_in_use_or_known_are_not_charged_again() -> None:
    evidence = storm(told(1), told(11), told(3), failed(4), generator=Generator(1, 10))
    assert ledger(evidence) == {"rolled_back": 1, "off_grid": 7}


def test_an_id_off_the_grid_does_not_move_it() -> None:
    by_tens = Generator(1, 10)
    assert ledger(storm(told(1), told(9), told(16), generator=by_tens)) == {"off_grid": 12, "unexplained": 1}
    assert ledger(storm(told(1), told(9), told(12), generator=by_tens)) == {"off_grid": 8, "unexplained": 1}
    assert ledger(storm(told(1), told(9), told(11), generator=by_tens)) == {"off_grid": 8}


def test_known_causes_are_found_in_wide_gaps_as_well() -> None:
    operations = [told(1), failed(500_000), unknown(600_000), told(10**6), failed(10**6)]
    assert ledger(storm(*operations)) == {"rolled_back": 1, "unknown": 1, "unexplained": 10**6 - 4}


def test_each_missing_id_is_charged_once_and_to_the_first_cause() -> None:
    operations = [told(1), failed(2), failed(2), unknown(2), told(3), deleted(4), unknown(3), told(5)]
    assert ledger(storm(*operations, before=[2, 3, 4], census=[(1, 0), (5, 6)])) == {
        "rolled_back": 1,
        "unknown": 1,
        "foreign": 1,
    }


def test_rows_that_never_saw_an_id_explain_as_many_as_there_are() -> None:
    evidence = storm(told(1), failed(NOTHING, NOTHING), unknown(NOTHING), told(9))
    assert ledger(evidence) == {"refused": 3, "unexplained": 4}
    assert ledger(storm(told(1), failed(NOTHING, NOTHING), told(3))) == {"refused": 1}


def test_an_id_that_came_back_is_not_missing() -> None:
    assert gapless(storm(told(1), failed(2), told(2), told(3), deleted(3), told(3))).status is Status.HELD


def test_upserts_that_met_a_row_explain_as_many_as_there_are() -> None:
    assert ledger(storm(told(1), told(Existing(2)), told(None), told(5))) == {"upserted": 2, "unexplained": 1}


@pytest.mark.parametrize(("codec", "id_"), [(UUIDS, UUID(int=1)), (TEXT, "a"), (WIDE, 2**70)])
def test_it_means_nothing_for_ids_that_are_no_numbers(codec: Codec, id_: object) -> None:
    finding = gapless(storm(told(id_), codec=codec))
    assert finding.status is Status.NA
    assert finding.reason is not None


@pytest.mark.parametrize(
    "evidence",
    [
        storm(told(1), census=None),
        storm(told(1), census=[]),
        storm(told(1), census=[(None, 0)]),
        storm(told(1), census=[(3, None)]),
        storm(told(1), told(3), ending=Ending(census=CensusQuality(quiet=False))),
    ],
)
def test_without_a_census_of_a_quiet_table_with_rows_of_the_storm_it_is_unknown(evidence: Evidence) -> None:
    finding = gapless(evidence)
    assert finding.status is Status.UNKNOWN
    assert finding.reason is not None
