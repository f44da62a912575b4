from __future__ import annotations

from uuid import UUID

from histories import UUIDS, deleted, failed, storm, told, unknown
from idstorm.judge.single_use import single_use
from idstorm.record.keys import Existing
from idstorm.record.outcome import Status


def test_ids_that_were_acknowledged_once_hold() -> None:
    finding = single_use(storm(told(1), told(2, 3, client=1)))
    assert (finding.status, finding.figures) == (Status.HELD, {"reissued": 0})


def test_an_id_that_came_back_after_its_row_was_deleted_was_used_twice() -> None:
    finding = single_use(storm(told(1), told(2), deleted(0), told(1, client=1), deleted(2), told(1)))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"reissued": 1})
    (witness,) = finding.witnesses
    assert (witness["id"], witness["times"]) == (1, 3)
    assert sorted(row["token"] for row in witness["rows"]) == [1000, 1002, 2000]


def test_an_id_that_was_only_handed_was_not_used() -> None:
    assert single_use(storm(failed(1), unknown(1), told(1, client=1))).status is Status.HELD


def test_an_unknown_row_was_not_acknowledged_even_if_it_is_there() -> None:
    assert single_use(storm(unknown(1), told(1), census=[(1, 0), (1, 1)])).status is Status.HELD


def test_no_row_and_another_rows_id_use_up_nothing() -> None:
    assert single_use(storm(told(1), told(Existing(1)), told(None), told(None))).status is Status.HELD


def test_no_census_is_needed() -> None:
    assert single_use(storm(told(1), census=None)).status is Status.HELD
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
