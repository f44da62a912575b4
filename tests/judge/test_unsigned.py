"""Unsigned ids of 64 bits are numbers on both sides of 2**63, and are shown as they are."""

from __future__ import annotations

import pytest

from histories import Poll, storm, told
from idstorm.findings.results import Status
from idstorm.judge.checks.explained import explained
from idstorm.judge.checks.gapless import gapless
from idstorm.judge.checks.headroom import headroom
from idstorm.judge.checks.ordered import ordered
from idstorm.judge.checks.starts_at import starts_at
from idstorm.judge.checks.unique import unique
from idstorm.judge.checks.visible import visible
from idstorm.judge.evidence import Evidence
from idstorm.record.capacity import Capacity
from idstorm.record.ending import Ending, ServerAfterwards
from idstorm.record.keys import Codec
from idstorm.record.plan import Generator

UNSIGNED = Codec("uint64")
BASES = [0, 2**63 - 20, 2**63, 2**64 - 100]


def world(base: int, numbers: list[int], *, before: list[int] | None = None) -> Evidence:
    capacity = Capacity("bigint unsigned", 2**64 - 1, "AUTO_INCREMENT", 2**64 - 1, position=base + max(numbers))
    return storm(
        *(told(base + number, client=place % 2) for place, number in enumerate(numbers)),
        codec=UNSIGNED,
        generator=Generator(base + 1),
        ending=Ending(server=ServerAfterwards(capacity=capacity)),
        before=None if before is None else [base + number for number in before],
        polls=[Poll(25, (0,), base + 5 - 2**63), Poll(1_000, (), base + 5 - 2**63)],
    )


@pytest.mark.parametrize("base", BASES)
def test_every_check_of_numbers_sees_what_it_sees_of_small_ones(base: int) -> None:
    dense = world(base, list(range(1, 41)))
    assert gapless(dense).status is ordered(dense).status is starts_at(dense).status is Status.HELD
    assert starts_at(dense).figures["first"] == base + 1
    holes = world(base, [1, 2, 9, 10, 4])
    assert gapless(holes).witnesses == ({"largest_gap_between": [base + 4, base + 9]},)
    assert explained(holes).figures["unexplained"] == 5
    assert {base + 4, base + 9} <= {number for one in explained(holes).witnesses for number in next(iter(one.values()))}
    (witness,) = ordered(holes).witnesses
    assert witness["rows"][0]["id"] == base + 4
    assert unique(world(base, [1, 2, 2])).witnesses[0]["id"] == base + 2


@pytest.mark.parametrize("base", BASES)
def test_headroom_is_measured_in_the_columns_own_numbers(base: int) -> None:
    figures = headroom(world(base, [1, 2, 3])).figures
    assert (figures["position"], figures["limit"], figures["burned_per_row"]) == (base + 3, 2**64 - 1, 0)
    assert figures["rows_left"] == 2**64 - 1 - base - 3
    reason = headroom(world(base, [1, 2, 3], before=[50])).reason
    assert f"collide at {base + 50:,}" in str(reason)


def test_a_reader_that_passed_by_had_seen_a_number_of_the_same_kind() -> None:
    base = 2**63
    witnesses = visible(world(base, [1, 2, 3])).witnesses
    assert {(witness["id"], witness["had_seen"]) for witness in witnesses} == {
        (base + 2, base + 5),
        (base + 3, base + 5),
    }


@pytest.mark.parametrize("number", [0, 2**63 - 1, 2**63, 2**64 - 1])
def test_they_are_keys_in_their_own_order_and_come_back_as_they_were(number: int) -> None:
    assert UNSIGNED.decode(UNSIGNED.encode(number)) == number
    assert -(2**63) <= UNSIGNED.encode(number)[0] < 2**63
    assert UNSIGNED.encode(str(number)) == UNSIGNED.encode(number)
    assert number == 0 or UNSIGNED.encode(number - 1) < UNSIGNED.encode(number)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_what_does_not_fit_is_no_id(number: int) -> None:
    with pytest.raises(ValueError, match="does not fit 64 bits without a sign"):
        UNSIGNED.encode(number)
