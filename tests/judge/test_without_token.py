"""Where no column can carry a token, an entry of the census is known by its id alone."""

from __future__ import annotations

from histories import UUIDS, deleted, failed, perhaps_deleted, storm, told, unknown
from idstorm.findings.results import Status
from idstorm.judge.checks.durable import durable
from idstorm.judge.checks.faithful import faithful
from idstorm.judge.checks.unique import unique
from idstorm.judge.evidence import Evidence


def faults(evidence: Evidence) -> dict[str, int]:
    """Return the figures of `durable` and `unique` that are not zero."""
    figures = {**durable(evidence).figures, **unique(evidence).figures}
    return {name: number for name, number in figures.items() if number}


def test_rows_are_matched_by_their_ids() -> None:
    assert faults(storm(told(1), told(2, client=1), token=False, census=[(2, None), (1, None)])) == {}
    assert faults(storm(told(1), told(2, client=1), token=False, census=[(2, None)])) == {"lost": 1}
    assert faults(storm(told(1), token=False, census=[(1, None), (2, None)])) == {"foreign": 1}


def test_rows_with_wide_ids_are_matched_too() -> None:
    one, two = f"{1:032x}", f"{2:032x}"
    assert faults(storm(told(one), told(two), token=False, codec=UUIDS, census=[(one, None)])) == {"lost": 1}


def test_whose_row_an_id_names_is_not_judged() -> None:
    finding = faithful(storm(told(1), token=False, census=[(1, None)]))
    assert finding.status is Status.NA
    assert finding.reason == "no column of the table can carry a token, so a row's own id is not known"


def test_a_row_of_unknown_outcome_may_be_there_or_not() -> None:
    assert faults(storm(unknown(1), token=False, census=[(1, None)])) == {"recovered": 1}
    assert faults(storm(unknown(1), token=False, census=[])) == {}


def test_the_id_of_a_row_that_failed_names_no_row_of_the_storm() -> None:
    assert faults(storm(failed(1), token=False, census=[(1, None)])) == {"foreign": 1}
    assert faults(storm(failed(1), told(1), token=False, census=[(1, None)])) == {}


def test_an_id_that_came_back_names_the_row_that_was_told_it_last() -> None:
    for first, second in ((0, 1), (1, 0)):
        again = [told(1, client=first), deleted(0), told(1, client=second)]
        assert faults(storm(*again, token=False, census=[(1, None)])) == {}
        assert faults(storm(*again, token=False, census=[])) == {"lost": 1}


def test_an_id_that_came_back_after_a_delete_of_unknown_outcome_is_lawful() -> None:
    for first, second in ((0, 1), (1, 0)):
        again = [told(1, client=first), perhaps_deleted(0), told(1, client=second)]
        assert faults(storm(*again, token=False, census=[(1, None)])) == {}


def test_a_row_that_must_be_there_comes_before_one_that_may_be() -> None:
    for first, second in ((0, 1), (1, 0)):
        assert faults(storm(told(1, client=first), unknown(1, client=second), token=False, census=[(1, None)])) == {}
        assert faults(storm(unknown(1, client=first), told(1, client=second), token=False, census=[(1, None)])) == {}


def test_an_id_that_two_rows_were_acknowledged_is_a_duplicate_and_one_of_them_lost() -> None:
    evidence = storm(told(1), told(1, client=1), token=False, census=[(1, None)])
    assert faults(evidence) == {"duplicated": 1, "lost": 1}
    assert durable(evidence).witnesses[0]["client"] == 0  # the entry is taken for the row that was told last
    assert faults(storm(told(1), told(1), token=False, census=[(1, None), (1, None)])) == {"duplicated": 1}


def test_of_two_rows_with_one_id_the_one_that_nobody_deleted_is_there() -> None:
    for delete in (deleted, perhaps_deleted):
        evidence = storm(told(1), told(1), delete(1), token=False, census=[(1, None)])
        assert faults(evidence) == {"duplicated": 1}


def test_a_null_id_names_no_row() -> None:
    assert faults(storm(told(0), token=False, census=[(0, None), (None, None)])) == {"foreign": 1}
    assert faults(storm(told(0), token=False, census=[(None, None)])) == {"lost": 1, "foreign": 1}
