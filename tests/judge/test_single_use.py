from __future__ import annotations

from uuid import UUID

from histories import UUIDS, deleted, failed, perhaps_deleted, storm, told, unknown
from idstorm.findings.results import Status, StormState
from idstorm.judge.checks.single_use import single_use
from idstorm.record.ending import CensusQuality, Ending, ServerAfterwards
from idstorm.record.keys import Existing

GONE = (told(77, client=1), deleted(0))
"""A row that came and went, so that its id could have come back."""


def test_ids_that_were_acknowledged_once_hold_where_one_could_have_come_back() -> None:
    finding = single_use(storm(*GONE, told(1), told(2, 3, client=1)))
    assert (finding.status, finding.figures) == (Status.HELD, {"reissued": 0})


def test_where_nothing_could_have_brought_an_id_back_it_is_unknown() -> None:
    finding = single_use(storm(told(1), told(2, 3, client=1)))
    assert (finding.status, finding.figures) == (Status.UNKNOWN, {"reissued": 0})
    assert "nothing could have brought an id back" in str(finding.reason)
    assert single_use(storm(told(1), perhaps_deleted(0), census=[(1, 0)])).status is Status.UNKNOWN


def test_a_delete_that_took_nothing_away_brings_no_id_back_whatever_was_said_of_it() -> None:
    assert single_use(storm(told(1), deleted(0), census=[(1, 0)])).status is Status.UNKNOWN
    assert single_use(storm(told(1), perhaps_deleted(0), census=[])).status is Status.HELD
    assert single_use(storm(told(1), perhaps_deleted(0), census=None)).status is Status.UNKNOWN


def test_an_interlude_a_restart_or_a_row_that_is_gone_could_have_brought_one_back() -> None:
    assert single_use(storm(told(1), interlude=True)).status is Status.HELD
    assert single_use(storm(told(1), interlude=True, ending=Ending(StormState.INTERRUPTED))).status is Status.UNKNOWN
    assert (
        single_use(storm(told(1), ending=Ending(server=ServerAfterwards(facts={"started": "later"})))).status
        is Status.HELD
    )
    assert single_use(storm(told(1), census=[])).status is Status.HELD
    assert (
        single_use(storm(told(1), census=[], ending=Ending(census=CensusQuality(quiet=False)))).status is Status.UNKNOWN
    )


def test_an_id_that_came_back_after_its_row_was_deleted_was_used_twice() -> None:
    finding = single_use(storm(told(1), told(2), deleted(0), told(1, client=1), deleted(2), told(1)))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"reissued": 1})
    (witness,) = finding.witnesses
    assert (witness["id"], witness["times"]) == (1, 3)
    assert sorted(row["token"] for row in witness["rows"]) == [1000, 1002, 2000]


def test_an_id_that_was_only_handed_was_not_used() -> None:
    assert single_use(storm(*GONE, failed(1), unknown(1), told(1, client=1))).status is Status.HELD


def test_an_unknown_row_was_not_acknowledged_even_if_it_is_there() -> None:
    assert single_use(storm(*GONE, unknown(1), told(1), census=[(1, 1), (1, 2)])).status is Status.HELD


def test_no_row_and_another_rows_id_use_up_nothing() -> None:
    assert single_use(storm(*GONE, told(1), told(Existing(1)), told(None), told(None))).status is Status.HELD


def test_no_census_is_needed() -> None:
    assert single_use(storm(*GONE, told(1), census=None)).status is Status.HELD
    assert single_use(storm(told(1), told(1), census=None)).status is Status.BROKEN


def test_each_id_is_a_witness_of_its_own() -> None:
    ids = [UUID(int=number << 64) for number in range(3)]
    finding = single_use(storm(*map(told, ids), *map(told, ids), codec=UUIDS))
    assert finding.figures == {"reissued": 3}
    assert sorted(witness["id"] for witness in finding.witnesses) == sorted(map(str, ids))
    assert {witness["times"] for witness in finding.witnesses} == {2}


def test_there_is_an_end_to_witnesses_but_not_to_counting() -> None:
    finding = single_use(storm(*(told(number, number) for number in range(30))))
    assert finding.figures == {"reissued": 30}
    assert len(finding.witnesses) == 24
