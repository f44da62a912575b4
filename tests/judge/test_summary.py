from __future__ import annotations

from dataclasses import replace

import pytest

from histories import LOCKED, NOTHING, REFUSED, deleted, failed, not_deleted, storm, told, unknown
from idstorm.judge.evidence import Evidence
from idstorm.judge.summary import operations
from idstorm.record.code import Code
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


def test_seconds_have_three_digits_however_long_or_short_the_storm() -> None:
    day = 86_400 * 1_000_000_000
    figures = operations(storm(told(1, begin=1, ended=10 * day + 1_234_567)))
    assert (figures["seconds"], figures["per_second"]) == (864_000.001, 0.0)
    figures = operations(storm(told(*range(100), begin=1, ended=500_400_001)))
    assert (figures["seconds"], figures["per_second"]) == (0.5, 199.8)


def test_latencies_have_three_digits_whenever_the_operation_began() -> None:
    begin = 77_000_000
    latency = operations(storm(told(1, begin=begin, ended=begin + 5_001_234_567)))["latency_ms"]
    assert latency == dict.fromkeys(("p50", "p95", "p99", "max"), 5001.235)
    inserts = [told(number, begin=begin, ended=begin + number * 1_000_000) for number in range(300, 0, -1)]
    assert operations(storm(*inserts))["latency_ms"] == {"p50": 151.0, "p95": 286.0, "p99": 298.0, "max": 300.0}


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


def test_errors_of_one_name_are_counted_together() -> None:
    other = replace(REFUSED, refused=False)
    errors = operations(storm(failed(NOTHING, error=REFUSED), failed(NOTHING, error=other)))["errors"]
    assert errors == {"total": 2, "by_code": {REFUSED.name: 2}}


def test_an_error_that_no_operation_ended_with_is_none() -> None:
    evidence = storm(told(1), failed(NOTHING, error=REFUSED))
    known = replace(evidence, history=replace(evidence.history, codes=(REFUSED, LOCKED)))
    assert operations(known)["errors"] == {"total": 1, "by_code": {REFUSED.name: 1}}


@pytest.mark.parametrize("evidence", [storm(census=[]), storm(unknown(NOTHING, ended=0), census=None)])
def test_nothing_that_ended_has_no_rate_and_no_latency(evidence: Evidence) -> None:
    figures = operations(evidence)
    assert (figures["acknowledged"], figures["seconds"], figures["per_second"]) == (0, 0.0, 0.0)
    assert figures["latency_ms"] == {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
    assert figures["errors"] == {"total": 0, "by_code": {}}


def test_what_failed_unplanned_is_told_with_the_commonest_error() -> None:
    missing = Code("postgresql:42703", message='column "x" does not exist')
    bad = [failed(NOTHING, error=missing), failed(NOTHING, error=missing), failed(NOTHING, error=REFUSED)]
    meant = failed(3, flags=Flag.DELIBERATE)
    assert operations(storm(told(1), *bad, meant, failing=0.3))["failing"] == {
        "share": 0.4,
        "share_raced": 0.2,
        "expected": 0.3,
        "commonest": missing.name,
        "times": 2,
        "message": missing.message,
    }
    assert operations(storm(told(1)))["failing"] == {"share": 0.0, "share_raced": 0.0, "expected": 0.0}
