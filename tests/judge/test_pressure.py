from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from histories import NOTHING, REFUSED, Operation, deleted, failed, storm, told, unknown
from idstorm.findings.results import Status
from idstorm.judge import timeline
from idstorm.judge.checks.pressure import overlap, pressure
from idstorm.record.code import Code
from idstorm.record.ending import ClientsEnd, Ending
from idstorm.record.plan import Fleet
from idstorm.record.tape import Flag


def pairs(number: int, lag: int = 0) -> list[Operation]:
    """Return inserts of two clients that overlap for all their ten nanoseconds but `lag`."""
    return [
        told(2 * place + client, client=client, begin=(begin := 1 + 30 * place + client * lag), ended=begin + 10)
        for place in range(number)
        for client in range(2)
    ]


def test_enough_inserts_that_overlap_hold() -> None:
    finding = pressure(storm(*pairs(100)))
    assert (finding.status, finding.reason) == (Status.HELD, None)
    assert finding.figures == {
        "attempted": 200,
        "acknowledged": 200,
        "failed": 0,
        "unknown": 0,
        "overlap_mean": 2.0,
        "overlap_peak": 2,
    }


def test_too_few_acknowledged_inserts_prove_nothing() -> None:
    finding = pressure(storm(*pairs(99), told(198), failed(199)))
    assert finding.status is Status.UNKNOWN
    assert finding.reason == ("199 inserts were acknowledged, but at least 200 are needed: raise --inserts or --time")


def test_rows_are_counted_not_operations() -> None:
    finding = pressure(storm(told(*range(100), begin=1, ended=9), told(*range(100, 200), client=1, begin=1, ended=9)))
    assert (finding.status, finding.figures["acknowledged"]) == (Status.HELD, 200)


def test_figures_count_rows_by_outcome() -> None:
    figures = pressure(storm(told(1, 2, None), failed(3, NOTHING), unknown(NOTHING), told(4), deleted(0))).figures
    assert [figures[name] for name in ("attempted", "acknowledged", "failed", "unknown")] == [7, 3, 2, 1]


@pytest.mark.parametrize(("lag", "status"), [(3, Status.HELD), (4, Status.UNKNOWN), (10, Status.UNKNOWN)])
def test_operations_have_to_overlap_on_average(lag: int, status: Status) -> None:
    finding = pressure(storm(*pairs(100, lag)))
    assert finding.status is status
    assert (status is Status.HELD) == (finding.figures["overlap_mean"] >= 1.5)
    assert (finding.reason is None) == (status is Status.HELD)


def test_an_overlap_of_just_what_is_asked_for_is_enough() -> None:
    inserts = [
        told(2 * place + client, client=client, begin=(begin := 1 + 30 * place + 3 * client), ended=begin + 9)
        for place in range(100)
        for client in range(2)
    ]
    finding = pressure(storm(*inserts))
    assert (finding.status, finding.figures["overlap_mean"]) == (Status.HELD, 1.5)


def test_one_client_alone_cannot_collide() -> None:
    finding = pressure(storm(*(told(number) for number in range(300)), clients=1))
    assert finding.status is Status.UNKNOWN
    assert finding.reason == "one client alone cannot collide: raise --clients"


def test_a_lost_worker_is_named() -> None:
    finding = pressure(storm(*pairs(100), ending=Ending(clients=ClientsEnd(lost_workers=("worker 1 was killed",)))))
    assert (finding.status, finding.reason) == (Status.UNKNOWN, "worker 1 was killed")


def test_clients_that_stopped_on_a_full_disk_are_counted() -> None:
    finding = pressure(storm(*pairs(100), ending=Ending(clients=ClientsEnd(full=3))))
    assert finding.status is Status.UNKNOWN
    assert "3 clients stopped" in str(finding.reason)


def test_all_that_is_wanting_is_said() -> None:
    finding = pressure(storm(told(1), clients=1, ending=Ending(clients=ClientsEnd(lost_workers=("lost",)))))
    reasons = str(finding.reason).split("; ")
    assert (len(reasons), reasons[0]) == (3, "lost")


def test_operations_without_a_connection_or_an_end_do_not_overlap() -> None:
    held = [told(1, begin=1, ended=11), told(2, client=1, begin=6, ended=16)]
    unconnected = failed(NOTHING, client=2, begin=1, ended=100, flags=Flag.UNCONNECTED)
    figures = pressure(storm(*held, unconnected, unknown(NOTHING, client=3, begin=1, ended=0))).figures
    assert (figures["overlap_mean"], figures["overlap_peak"]) == (1.33, 2)


def test_nothing_at_all_is_no_pressure() -> None:
    finding = pressure(storm(census=[]))
    assert finding.status is Status.UNKNOWN
    assert (finding.figures["overlap_mean"], finding.figures["overlap_peak"]) == (0.0, 0)


@pytest.mark.parametrize(
    ("intervals", "mean", "peak"),
    [
        ([(1, 5)], 1.0, 1),
        ([(1, 5), (5, 9)], 1.0, 1),
        ([(1, 5), (1, 5), (1, 5)], 3.0, 3),
        ([(1, 3), (101, 103)], 1.0, 1),
        ([(1, 11), (2, 4), (5, 7)], 1.4, 2),
        ([(1, 5), (11, 15), (12, 14), (21, 25)], 14 / 12, 2),
        ([(1, 2)], 1.0, 1),
        ([(5, 5)], 0.0, 0),
        ([(1, 90), (2, 80), (3, 70), (71, 95), (100, 110), (101, 103)], (89 + 78 + 67 + 24 + 10 + 2) / (94 + 10), 3),
    ],
)
def test_overlap_leaves_out_the_time_in_which_nothing_was_open(
    intervals: list[tuple[int, int]], mean: float, peak: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stretch in (timeline.STRETCH, 1, 3):  # whether time is cut anywhere or not
        monkeypatch.setattr(timeline, "STRETCH", stretch)
        for ordered in (intervals, intervals[::-1]):
            begin, end = np.array(ordered, np.int64).T
            found, highest = overlap(begin, end, np.array([0, len(begin)]))
            assert found == pytest.approx(mean)
            assert highest == peak


def test_whoever_runs_a_suite_is_told_of_no_options_that_only_a_storm_has() -> None:
    alone = storm(*(told(number) for number in range(300)), clients=1, joined=True)
    few = storm(*pairs(99), joined=True)
    apart = storm(*pairs(100, 10), joined=True)
    assert pressure(alone).reason == "one client alone cannot collide"
    assert pressure(few).reason == "198 inserts were acknowledged, but at least 200 are needed"
    assert str(pressure(apart).reason).endswith("deep on average, 1.5 is asked for")


@pytest.mark.parametrize(("joined", "mean"), [(True, 1.0), (False, 1.93)])
def test_flushes_of_one_transaction_overlap_nobody_where_its_session_was_joined(joined: bool, mean: float) -> None:
    flushes = [
        told(*range(100 * place, 100 * place + 100), begin=1, ended=end) for place, end in enumerate((9, 20, 30))
    ]
    figures = pressure(storm(*flushes, joined=joined)).figures
    assert figures["overlap_mean"] == mean


CONFLICT = Code("postgresql:40001", raced=True)
MISSING = Code("postgresql:42703", message="no such feature")


def alone(number: int, others: Operation | None = None) -> list[Operation]:
    """Return acknowledged inserts of one client, each beside something that another did at the same time."""
    mine = [told(place, begin=1 + 30 * place, ended=11 + 30 * place) for place in range(number)]
    if others is None:
        return mine
    return mine + [replace(others, client=1, begin=1 + 30 * place, ended=11 + 30 * place) for place in range(number)]


def test_one_client_whose_inserts_alone_are_acknowledged_cannot_collide() -> None:
    finding = pressure(storm(*alone(200, failed(NOTHING, error=CONFLICT))))
    assert (finding.status, finding.figures["overlap_mean"]) == (Status.UNKNOWN, 2.0)
    assert finding.reason == "all of them were those of one client, which cannot collide alone"


def test_what_failed_overlaps_only_where_the_database_ended_it_because_of_a_race() -> None:
    both = [told(900 + place, client=1, begin=10_000 + place, ended=10_001 + place) for place in range(9)]
    for error, mean in ((CONFLICT, 2.0), (REFUSED, 2.0), (MISSING, 1.0), (None, 1.0)):
        finding = pressure(storm(*alone(200, failed(NOTHING, error=error)), *both))
        assert finding.figures["overlap_mean"] == pytest.approx(mean, abs=0.01)


def test_an_unknown_outcome_does_not_overlap() -> None:
    assert pressure(storm(*alone(3, unknown(NOTHING)))).figures["overlap_mean"] == 1.0


def test_an_operation_whose_beginning_was_not_seen_overlaps_from_its_ids_on() -> None:
    slow = [told(1, begin=1, handed=9, ended=11, flags=Flag.UNSEEN), told(2, client=1, begin=1, handed=2, ended=8)]
    assert pressure(storm(*slow)).figures["overlap_peak"] == 1
    seen = [replace(slow[0], flags=0), slow[1]]
    assert pressure(storm(*seen)).figures["overlap_peak"] == 2


def test_what_was_never_told_an_id_may_have_waited_for_its_connection_all_the_while() -> None:
    """As where the pool of an application's own has one connection, and is asked before anybody sees it."""
    slow = told(1, begin=1, handed=2, ended=9)
    refused = failed(NOTHING, client=1, begin=1, ended=8, error=REFUSED)
    delete = replace(deleted(0, begin=20), client=0, handed=11, ended=30)
    beside = told(2, client=1, begin=12, handed=13, ended=29)
    for operations in ([slow, refused], [slow, beside, delete]):
        assert pressure(storm(*operations)).figures["overlap_peak"] == 2
        unseen = [replace(one, flags=Flag.UNSEEN) if one in (refused, delete) else one for one in operations]
        assert pressure(storm(*unseen)).figures["overlap_peak"] == 1


def test_where_half_failed_and_no_race_was_the_reason_it_is_unknown() -> None:
    bad = [failed(NOTHING, client=place % 2, begin=90_000 + place, error=MISSING) for place in range(200)]
    finding = pressure(storm(*pairs(100), *bad))
    assert (finding.status, finding.reason) == (
        Status.UNKNOWN,
        "50% of the operations failed, most with postgresql:42703: no such feature",
    )
    assert pressure(storm(*pairs(100), *bad[1:])).status is Status.HELD
    assert pressure(storm(*pairs(100), *bad, failing=0.5)).status is Status.HELD
    assert pressure(storm(*pairs(100), *bad, failing=0.4)).status is Status.UNKNOWN
    assert pressure(storm(*pairs(100), *bad, joined=True)).status is Status.HELD
    meant = [replace(one, error=None, flags=Flag.DELIBERATE) for one in bad]
    assert pressure(storm(*pairs(100), *meant)).status is Status.HELD
    conflicts = [replace(one, error=CONFLICT) for one in bad]
    assert pressure(storm(*pairs(100), *conflicts)).status is Status.HELD


def test_where_most_failed_nobody_is_told_to_insert_more() -> None:
    finding = pressure(storm(*pairs(10), *(failed(NOTHING, error=MISSING) for _ in range(300))))
    assert "raise --inserts" not in str(finding.reason)
    assert "no such feature" in str(finding.reason)


def test_a_client_or_a_worker_that_never_had_a_connection_is_named() -> None:
    refused = Code("mysql:2003", message="Can't connect")
    lost = failed(NOTHING, client=2, flags=Flag.UNCONNECTED, error=refused)
    one = Fleet(processes=1, clients=3, seconds=1.0)
    assert pressure(storm(*pairs(100), lost, fleet=one)).reason == "client 2 never had a connection"
    some = storm(*pairs(100), lost, told(999, client=2), fleet=one)
    assert pressure(some).status is Status.HELD
    fleet = Fleet(processes=2, clients=4, seconds=1.0)
    both = storm(*pairs(100), lost, replace(lost, client=3), fleet=fleet)
    assert pressure(both).reason == "worker 1 never had a connection"
    nothing = storm(*pairs(100), clients=4, fleet=fleet)
    assert pressure(nothing).reason == "worker 1 never had a connection"
    idle = storm(*pairs(100), clients=4, fleet=replace(fleet, seconds=None, inserts=2))
    assert pressure(idle).status is Status.HELD
    none = storm(lost, clients=3, fleet=replace(fleet, clients=3))
    assert str(pressure(none).reason).startswith("no client ever had a connection")
