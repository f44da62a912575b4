from __future__ import annotations

from typing import Any

import pytest

from histories import (
    NOTHING,
    STRANGER,
    TOKENS,
    Token,
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
from idstorm.judge.checks.durable import durable
from idstorm.judge.evidence import Evidence
from idstorm.record.ending import CensusQuality, Ending
from idstorm.record.keys import Existing


def figures(evidence: Evidence) -> dict[str, Any]:
    """Return the figures that are not zero."""
    finding = durable(evidence)
    faults = {"lost", "doubled", "undeleted", "revived", "unexpected"}
    found = {name: number for name, number in finding.figures.items() if number}
    assert (finding.status is Status.BROKEN) == bool(faults & set(found)) == bool(finding.witnesses)
    return found


def test_acknowledged_rows_that_are_there_hold() -> None:
    finding = durable(storm(told(1), told(2, 3, client=1)))
    assert finding.status is Status.HELD
    assert set(finding.figures) == {"lost", "doubled", "undeleted", "recovered", "revived", "unexpected", "foreign"}
    assert not any(finding.figures.values())


def test_an_acknowledged_row_that_is_not_there_is_lost() -> None:
    evidence = storm(told(1), told(2, 3, client=1), census=[(1, 0), (2, 1)])
    assert figures(evidence) == {"lost": 1}
    (witness,) = durable(evidence).witnesses
    assert witness == {"fault": "lost", "token": 2001, "id": 3, "client": 1, "operation": 0, "outcome": "ok", "at": 0.0}


def test_all_may_be_lost() -> None:
    assert figures(storm(told(1), told(2), census=[])) == {"lost": 2}


def test_a_row_that_failed_need_not_be_there() -> None:
    assert figures(storm(told(1), failed(2), failed(NOTHING))) == {}


@pytest.mark.parametrize("id_", [2, NOTHING])
def test_a_row_that_failed_and_is_there_is_revived(id_: object) -> None:
    evidence = storm(told(1), failed(id_), census=[(1, 0), (2, 1)])
    assert figures(evidence) == {"revived": 1}
    assert durable(evidence).witnesses[0]["id"] == (None if id_ is NOTHING else id_)


def test_a_row_of_unknown_outcome_may_be_there_or_not() -> None:
    assert figures(storm(told(1), unknown(2), unknown(NOTHING, ended=0))) == {}
    assert figures(storm(told(1), unknown(2), unknown(NOTHING), census=[(1, 0), (2, 1), (3, 2)])) == {"recovered": 2}


def test_an_upsert_that_was_told_of_no_row_of_its_own_has_none() -> None:
    assert figures(storm(told(1), told(None), told(Existing(1)))) == {}
    assert figures(storm(told(1), told(None), census=[(1, 0), (2, 1)])) == {"revived": 1}
    assert figures(storm(told(1), told(Existing(1)), census=[(1, 0), (1, 1)])) == {"revived": 1}


def test_one_token_in_several_rows_is_doubled() -> None:
    assert figures(storm(told(1), told(2), census=[(1, 0), (2, 1), (3, 1), (4, 1)])) == {"doubled": 1}
    assert figures(storm(unknown(1), census=[(1, 0), (1, 0)])) == {"doubled": 1, "recovered": 1}


def test_a_row_that_is_there_twice_is_told_with_both_ids() -> None:
    finding = durable(storm(told(1), told(2), census=[(1, 0), (2, 1), (9, 1)]))
    (witness,) = finding.witnesses
    assert (witness["fault"], witness["id"], witness["stored"]) == ("doubled", 2, [2, 9])


def test_a_deleted_row_is_gone() -> None:
    assert figures(storm(told(1), told(2), deleted(0), census=[(2, 1)])) == {}


def test_a_deleted_row_that_is_there_is_undeleted() -> None:
    assert figures(storm(told(1), told(2), deleted(0), census=[(1, 0), (2, 1)])) == {"undeleted": 1}


def test_a_delete_of_unknown_outcome_allows_both() -> None:
    assert figures(storm(told(1), perhaps_deleted(0), census=[(1, 0)])) == {}
    assert figures(storm(told(1), perhaps_deleted(0), census=[])) == {}


def test_a_delete_that_failed_changes_nothing() -> None:
    assert figures(storm(told(1), not_deleted(0), census=[(1, 0)])) == {}
    assert figures(storm(told(1), not_deleted(0), census=[])) == {"lost": 1}


def test_a_delete_names_its_rows_one_by_one() -> None:
    batch = [told(9, client=0), told(1, 2, 3, client=1), deleted(1, 3)]
    assert figures(storm(*batch, census=[(9, 0), (2, 2)])) == {}
    assert figures(storm(*batch, census=[(9, 0), (3, 3)])) == {"lost": 1, "undeleted": 1}


def test_a_token_that_nobody_had_used_is_unexpected() -> None:
    evidence = storm(told(1), census=[(1, 0), (7, unused(0)), (8, unused(1))])
    assert figures(evidence) == {"unexpected": 2}
    assert durable(evidence).witnesses[0] == {"fault": "unexpected", "token": 1999, "id": 7}


def test_the_token_after_the_last_one_that_was_used_is_unexpected() -> None:
    assert figures(storm(told(1), told(2, client=1), census=[(1, 0), (2, 1), (3, Token(1001))])) == {"unexpected": 1}


def test_rows_without_a_token_of_this_storm_are_foreign_and_not_judged() -> None:
    next_clients = Token(TOKENS.first(2))  # there are two
    others = [(8, None), (9, None), (10, STRANGER), (11, next_clients), (12, unused(2))]
    assert figures(storm(told(1), before=[8], census=[(1, 0), *others])) == {"foreign": 5}


def test_an_id_that_came_back_belongs_to_the_row_with_the_token() -> None:
    assert figures(storm(told(1, client=1), deleted(0), told(1), census=[(1, 1)])) == {}
    assert figures(storm(told(1, client=1), deleted(0), told(1), census=[(1, 0)])) == {"lost": 1, "undeleted": 1}


def test_without_a_census_it_is_unknown() -> None:
    finding = durable(storm(told(1), census=None, ending=Ending(census=CensusQuality(unread="the server is gone"))))
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "the server is gone")
    assert durable(storm(told(1), census=None)).reason == "there is no census"


def test_while_sessions_are_still_at_work_it_is_unknown() -> None:
    finding = durable(storm(told(1), census=[], ending=Ending(census=CensusQuality(quiet=False))))
    assert finding.status is Status.UNKNOWN
    assert finding.reason == "sessions of the storm may still have been at work during the census"


def test_each_fault_has_witnesses_of_its_own() -> None:
    many = [told(number) for number in range(40)]
    finding = durable(storm(*many, failed(99), census=[(99, 40), (98, unused())]))
    assert finding.figures["lost"] == 40
    assert [witness["fault"] for witness in finding.witnesses] == ["lost"] * 8 + ["revived", "unexpected"]
    strange = [(number, Token(1900 + number)) for number in range(20)]
    finding = durable(storm(told(50), census=[(50, 0), *strange]))
    assert (finding.figures["unexpected"], len(finding.witnesses)) == (20, 8)
