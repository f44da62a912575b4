from __future__ import annotations

import pytest

from histories import LOCKED, NOTHING, REFUSED, deleted, failed, not_deleted, storm, told, unknown
from idstorm.judge.evidence import Evidence
from idstorm.judge.summary import operations
from idstorm.record.tape import Flag


def test_rows_are_counted_by_what_became_of_them() -> None:
    figures = operations(
        storm(
            told(1, 2, client=1),
            told(None),
            failed(3, 4, flags=Flag.DELIBERATE),
            failed(NOTHING),
            unknown(NOTHING, ended=0),
            deleted(0, 1),
        )
    )
    counted = ("attempted", "acknowledged", "failed", "unknown", "rolled_back", "deleted")
    assert [figures[name] for name in counted] == [7, 2, 3, 1, 2, 2]


def test_the_rate_is_that_of_acknowledged_rows() -> None:
    second = 1_000_000_000
    evidence = storm(
        told(1, 2, begin=second, ended=2 * second),
        failed(3, begin=2 * second, ended=3 * second),
        told(4, client=1, begin=3 * second, ended=5 * second),
    )
    figures = operations(evidence)
    assert (figures["seconds"], figures["per_second"]) == (4.0, 0.8)


def test_latencies_are_those_of_operations_that_ended() -> None:
    millisecond = 1_000_000
    inserts = [told(number, begin=1, ended=1 + number * millisecond) for number in range(100, 0, -1)]
    latency = operations(storm(*inserts, unknown(NOTHING, client=1, begin=5, ended=0)))["latency_ms"]
    assert latency == {"p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}


def test_one_operation_is_all_quantiles() -> None:
    latency = operations(storm(told(1, begin=1, ended=2_000_001)))["latency_ms"]
    assert latency == {"p50": 2.0, "p95": 2.0, "p99": 2.0, "max": 2.0}


def test_errors_are_counted_by_code_the_most_frequent_first() -> None:
    errors = operations(
        storm(
            told(1),
            failed(NOTHING, error=REFUSED),
            failed(NOTHING, NOTHING, error=LOCKED),
            not_deleted(0, error=LOCKED),
        )
    )["errors"]
    assert errors == {"total": 3, "by_code": {LOCKED.name: 2, REFUSED.name: 1}}
    assert list(errors["by_code"]) == [LOCKED.name, REFUSED.name]


@pytest.mark.parametrize("evidence", [storm(census=[]), storm(unknown(NOTHING, ended=0), census=None)])
def test_nothing_that_ended_has_no_rate_and_no_latency(evidence: Evidence) -> None:
    figures = operations(evidence)
    assert (figures["acknowledged"], figures["seconds"], figures["per_second"]) == (0, 0.0, 0.0)
    assert set(figures["latency_ms"].values()) == {0.0}
    assert figures["errors"] == {"total": 0, "by_code": {}}
