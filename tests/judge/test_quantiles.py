"""Quantiles are durations that occurred, found without a copy."""

from __future__ import annotations

import numpy as np
import pytest

from idstorm.judge.quantiles import quantiles_ms

MS = 1_000_000


@pytest.mark.parametrize(
    ("durations", "expected"),
    [
        (range(1, 101), {"p50": 51, "p95": 96, "p99": 100, "max": 100}),
        (range(300, 0, -1), {"p50": 151, "p95": 286, "p99": 298, "max": 300}),
        ((1, 3), {"p50": 3, "p95": 3, "p99": 3, "max": 3}),  # nothing in between, which no operation took
        ((7,), {"p50": 7, "p95": 7, "p99": 7, "max": 7}),
    ],
)
def test_quantiles_are_durations_that_occurred(durations: range, expected: dict[str, float]) -> None:
    assert quantiles_ms(np.array(durations, np.int64) * MS) == expected


def test_a_duration_of_weeks_is_exact_to_the_microsecond() -> None:
    weeks = 2**53 + 1_000  # more nanoseconds than a float tells apart
    assert quantiles_ms(np.array([weeks], np.int64))["max"] == round(weeks / 1e6, 3)


def test_nothing_is_copied() -> None:
    durations = np.array([5, 1, 4, 2, 3], np.int64)
    quantiles_ms(durations)
    assert sorted(durations) == [1, 2, 3, 4, 5]
    assert list(durations) != [5, 1, 4, 2, 3]
