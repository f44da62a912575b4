"""A gate is a figure of the report, a comparison and a number; what is none gets one sentence."""

from __future__ import annotations

import pytest

from idstorm.errors import UsageError
from idstorm.findings.gate import check_gates, parse_gate


@pytest.mark.parametrize(
    ("text", "again", "tripped", "passed"),
    [
        ("gapless.ratio > 0.05", "gapless.ratio > 0.05", 0.06, 0.05),
        ("visible.skipped>0", "visible.skipped > 0", 1, 0),
        (" operations.per_second  <  1e3 ", "operations.per_second < 1000", 999, 1000),
        ("operations.latency_ms.p99 >= 250", "operations.latency_ms.p99 >= 250", 250, 249.9),
        ("errors.total != 0", "errors.total != 0", 3, 0),
        ("starts_at.first == -1", "starts_at.first == -1", -1, 1),
        ("headroom.rows_left < 123456789", "headroom.rows_left < 123456789", 123456788, 123456789),
        ("headroom.used > 0.1234567891", "headroom.used > 0.1234567891", 0.12345678915, 0.1234567891),
        ("headroom.used > 1e-9", "headroom.used > 1e-09", 2e-9, 1e-9),
        ("durable.foreign > 1_000", "durable.foreign > 1000", 1001, 1000),
        ("durable.foreign > 1e+3", "durable.foreign > 1000", 1001, 1000),
        ("durable.foreign <= 2", "durable.foreign <= 2", 2, 3),
    ],
)
def test_a_gate_is_read_and_written_alike(text: str, again: str, tripped: float, passed: float) -> None:
    gate = parse_gate(text)
    assert str(gate) == again
    assert parse_gate(again) == gate
    assert gate.tripped(tripped)
    assert not gate.tripped(passed)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gapless.ratio",
        "gapless.ratio > much",
        "> 5",
        "a > 1 > 0",
        "gapless ratio > 1",
        "errors.total > 1_",
        "errors.total > 1__0",
    ],
)
def test_what_is_no_gate_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(UsageError, match="write FIGURE > NUMBER"):
        parse_gate(text)


@pytest.mark.parametrize("limit", ["1e999", "-1e999", "9" * 400])
def test_a_limit_that_lets_everything_pass_is_none(limit: str) -> None:
    with pytest.raises(UsageError, match="no figure can reach"):
        parse_gate(f"gapless.ratio > {limit}")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("gapless.rato", "gapless.ratio"), ("visible.skiped", "visible.skipped"), ("errors.totl", "errors.total")],
)
def test_a_misspelt_figure_is_told_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(UsageError, match=nearest):
        parse_gate(f"{name} > 0")


def test_a_check_that_is_not_known_yet_may_come_with_a_scenario_and_has_to() -> None:
    gate = parse_gate("latency.p99 > 0")
    with pytest.raises(UsageError, match=r"no report has a figure latency\.p99; did you mean .*latency_ms\.p99"):
        check_gates([parse_gate("gapless.missing > 0"), gate])
