"""Ids that are counted within a scope: each check says of all scopes together what it says of each one alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import INTEGER, NOTHING, Operation, failed, storm, told, unknown
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.checks.gapless import gapless
from idstorm.judge.checks.headroom import headroom
from idstorm.judge.checks.ordered import ordered
from idstorm.judge.checks.pressure import pressure
from idstorm.judge.checks.starts_at import starts_at
from idstorm.judge.checks.unique import unique
from idstorm.judge.evidence import Evidence
from idstorm.judge.line import Line
from idstorm.record.capacity import Capacity
from idstorm.record.code import Code
from idstorm.record.columns import Keys
from idstorm.record.ending import Ending, ServerAfterwards
from idstorm.record.keys import Codec

BY_TENANT = Codec("text", 32, ("text", "int"), scope=1)
BY_TENANT_AND_YEAR = Codec("text", 64, ("int", "int", "int"), scope=2)


def counted(*operations: Operation, codec: Codec = BY_TENANT, **more: Any) -> Evidence:
    return storm(*operations, codec=codec, generator=None, **more)


def as_one(*ids: tuple[str, int]) -> list[Operation]:
    return [told(id_) for id_ in ids]


def test_a_number_may_be_given_once_in_each_scope() -> None:
    assert unique(counted(*as_one(("a", 1), ("b", 1), ("a", 2)))).status is Status.HELD
    finding = unique(counted(*as_one(("a", 1), ("b", 1), ("a", 1))))
    assert (finding.status, finding.figures["duplicated"]) == (Status.BROKEN, 1)
    assert finding.witnesses[0]["id"] == ["a", 1]


def test_what_lies_between_the_numbers_of_two_scopes_is_not_missing() -> None:
    assert gapless(counted(*as_one(("a", 1), ("a", 2), ("b", 901), ("b", 902)))).status is Status.HELD


def test_a_gap_is_shown_with_its_scope() -> None:
    finding = gapless(counted(*as_one(("a", 1), ("a", 2), ("b", 5), ("b", 9))))
    assert (finding.status, finding.figures["missing"], finding.figures["ratio"]) == (Status.BROKEN, 3, 3 / 7)
    assert finding.witnesses == ({"scope": "b", "largest_gap_between": [5, 9]},)


def test_a_number_that_was_rolled_back_is_missing_in_its_own_scope_only() -> None:
    assert gapless(counted(told(("a", 1)), failed(("a", 2)), told(("b", 1)), told(("b", 3)))).figures["ledger"] == {
        "application": 1
    }
    charged = gapless(counted(told(("a", 1)), failed(("a", 2)), told(("a", 3)), failed(("a", 9)), told(("b", 20))))
    assert charged.figures["ledger"] == {"rolled_back": 1}


def test_rows_that_were_there_before_are_outside_of_each_scope() -> None:
    before = [("a", 1), ("a", 20), ("c", 7)]
    census = [(("a", 10), 0), (("a", 11), 1), (("b", 5), 2), *((id_, None) for id_ in before)]
    finding = gapless(counted(*as_one(("a", 10), ("a", 11), ("b", 5)), before=before, census=census))
    assert finding.status is Status.HELD
    assert finding.figures["ledger"] == {"foreign": 8 + 8}


def test_an_insert_is_overtaken_within_its_scope_only() -> None:
    assert ordered(counted(*as_one(("a", 5), ("b", 1), ("a", 6), ("b", 2)))).status is Status.HELD
    finding = ordered(counted(*as_one(("a", 5), ("b", 1), ("a", 3))))
    assert (finding.figures["inversions"], finding.figures["largest_overtake"]) == (1, 2)
    assert (finding.witnesses[0]["id"], finding.witnesses[0]["overtaken_by"]) == (["a", 3], ["a", 5])


def test_each_scope_starts_at_one() -> None:
    right = [(scope, number) for number in range(1, 20) for scope in "abc"]
    assert starts_at(counted(*as_one(*right))).status is Status.HELD
    wrong = [(scope, number + (scope == "b")) for scope, number in right]
    finding = starts_at(counted(*as_one(*wrong)))
    assert (finding.status, finding.witnesses[0]["scope"], finding.witnesses[0]["first"]) == (Status.BROKEN, "b", 2)
    doubled = starts_at(counted(*as_one(*((scope, 2 * number - 1) for scope, number in right))))
    assert (doubled.status, doubled.figures["step"]) == (Status.BROKEN, 2)


def test_many_scopes_with_one_number_each_show_no_step() -> None:
    assert starts_at(counted(*as_one(*((str(scope), 1) for scope in range(100))))).status is Status.UNKNOWN


def test_a_first_number_that_an_unseen_insert_may_have_had_is_unknown() -> None:
    rows = [told((scope, number)) for number in range(2, 40) for scope in "ab"]
    assert starts_at(counted(failed(NOTHING), *rows)).status is Status.UNKNOWN
    assert starts_at(counted(unknown(NOTHING), *rows)).status is Status.UNKNOWN
    assert starts_at(counted(*rows)).status is Status.BROKEN


def test_headroom_is_that_of_the_scope_that_has_come_furthest() -> None:
    ending = Ending(server=ServerAfterwards(capacity=Capacity("smallint", 32767, "the application", 32767)))
    finding = headroom(counted(*as_one(("a", 3), ("b", 30_000), ("c", 12)), ending=ending))
    assert (finding.status, finding.figures["position"], finding.figures["rows_left"]) == (
        Status.BROKEN,
        30_000,
        2_767,
    )


def test_operations_in_different_scopes_do_not_overlap() -> None:
    together = [
        told(("a", 2 * n), client=n % 2, begin=1_000 * (n // 2 + 1), ended=1_000 * (n // 2 + 1) + 900)
        for n in range(600)
    ]
    apart = [replace(one, ids=((("a", "b")[one.client], n),)) for n, one in enumerate(together)]
    assert pressure(counted(*together)).figures["overlap_mean"] == 2
    finding = pressure(counted(*apart))
    assert (finding.status, finding.figures["overlap_mean"]) == (Status.UNKNOWN, 1)
    assert finding.reason is not None
    assert "within a scope" in finding.reason


def test_an_operation_with_several_rows_in_a_scope_overlaps_once() -> None:
    rows = [
        told(
            ("a", 10 * n),
            ("a", 10 * n + 1),
            ("b", n),
            client=n % 2,
            begin=1_000 * (n // 2 + 1),
            ended=1_000 * (n // 2 + 1) + 900,
        )
        for n in range(300)
    ]
    assert pressure(counted(*rows)).figures["overlap_mean"] == 2


RACED = Code("postgresql:23505 of thing_pkey", refused=True)


def test_what_the_database_ended_because_of_the_race_counts_in_a_scope_that_it_overlapped() -> None:
    for scopes in ("a", "ab"):
        rows = [
            one
            for n in range(600)
            for one in (
                told((scopes[n % len(scopes)], n), client=0, begin=1_000 * (n + 1), ended=1_000 * (n + 1) + 900),
                failed(NOTHING, client=1, begin=1_000 * (n + 1) + 1, ended=1_000 * (n + 1) + 901, error=RACED),
            )
        ]
        assert pressure(counted(*rows)).figures["overlap_mean"] > 1.9


def test_a_null_id_lends_its_scope_to_no_gap() -> None:
    census = [(None, None), (("a", 1), 0), (("a", 5), 1)]
    (witness,) = gapless(counted(*as_one(("a", 1), ("a", 5)), census=census)).witnesses
    assert witness["scope"] == "a"


def test_numbers_too_far_apart_to_be_counted_are_unknown_and_not_an_error() -> None:
    rows = as_one(*((str(scope), (1 << 62) * (scope % 2)) for scope in range(50)))
    for check in (gapless, ordered, starts_at):
        finding = check(counted(*rows))
        assert (finding.status, "too far apart" in str(finding.reason)) == (Status.UNKNOWN, True)


def test_a_scope_of_two_columns_is_both_of_them() -> None:
    rows = [told((tenant, year, number)) for number in range(1, 12) for tenant in (1, 2) for year in (2025, 2026)]
    evidence = counted(*rows, codec=BY_TENANT_AND_YEAR)
    assert [check(evidence).status for check in (unique, gapless, ordered, starts_at)] == [Status.HELD] * 4
    (gap,) = gapless(counted(*rows, told((2, 2025, 20)), codec=BY_TENANT_AND_YEAR)).witnesses
    assert gap == {"scope": [2, 2025], "largest_gap_between": [11, 20]}


def test_two_spellings_of_a_scope_are_one() -> None:
    codec = Codec("text", 32, ("uuid", "int"), scope=1)
    one, other = "6f1d3c0e-0a53-4b0e-9a1f-2f8f4b6d8d11", "6F1D3C0E0A534B0E9A1F2F8F4B6D8D11"
    keys = Keys.encode(codec, [(one, 1), (other, "1")])
    assert keys.equal(keys.take(slice(None, None, -1))).all()
    line = Line.of([keys])
    assert line is not None
    assert line.stretches == 1


@pytest.mark.parametrize(
    ("id_", "why"),
    [
        (5, "is not a tuple of 2 values"),
        ("a", "is not a tuple"),
        (("a", 1, 2), "is not a tuple"),
        (("a", "x"), "invalid literal"),
    ],
)
def test_what_has_no_scope_or_no_number_is_not_such_an_id(id_: object, why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        BY_TENANT.encode(id_)


scopes = st.sampled_from("abc")
rows_of_storms = st.lists(
    st.tuples(scopes, st.integers(-20, 20), st.sampled_from([told, failed, unknown]), st.integers(0, 3)),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row[:2],
)


def operations(rows: list[tuple[str, int, Callable[..., Operation], int]], only: str | None) -> list[Operation]:
    """Return the storm of these rows, or of one scope's alone, at the same moments and with plain numbers."""
    return [
        made(number if only else (scope, number), client=client, begin=10 * place, ended=10 * place + 25)
        for place, (scope, number, made, client) in enumerate(rows, start=1)
        if only in (None, scope)
    ]


def alone(rows: list[Any], check: Callable[[Evidence], Finding]) -> list[Finding]:
    each = [operations(rows, scope) for scope in sorted({row[0] for row in rows})]
    return [check(storm(*one, codec=INTEGER, generator=None)) for one in each]


@given(rows_of_storms)
def test_what_is_missing_is_the_sum_of_all_scopes(rows: list[Any]) -> None:
    together, apart = gapless(counted(*operations(rows, None))), alone(rows, gapless)
    known = [one for one in apart if one.status is not Status.UNKNOWN]
    assert together.figures.get("missing", 0) == sum(one.figures["missing"] for one in known)
    assert together.figures.get("gaps", 0) == sum(one.figures["gaps"] for one in known)
    ledgers = [one.figures["ledger"] for one in known]
    for cause in {cause for ledger in ledgers for cause in ledger}:
        assert together.figures["ledger"][cause] == sum(ledger.get(cause, 0) for ledger in ledgers)


@given(rows_of_storms)
def test_the_overtaken_are_those_of_all_scopes(rows: list[Any]) -> None:
    together, apart = ordered(counted(*operations(rows, None))), alone(rows, ordered)
    for figure in ("inversions", "within_a_client"):
        assert together.figures[figure] == sum(one.figures[figure] for one in apart)
    assert together.figures["largest_overtake"] == max(one.figures["largest_overtake"] for one in apart)


@given(rows_of_storms)
def test_the_peak_of_the_overlap_is_that_of_the_busiest_scope(rows: list[Any]) -> None:
    together, apart = pressure(counted(*operations(rows, None))), alone(rows, pressure)
    assert together.figures["overlap_peak"] == max(one.figures["overlap_peak"] for one in apart)
