from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from histories import NOTHING, TEXT, UUIDS, WIDE, Operation, failed, storm, told, unknown
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge import timeline
from idstorm.judge.checks.ordered import ordered
from idstorm.record.keys import Codec, codec_for
from idstorm.record.plan import Generator


def figures(*operations: Operation, **more: Any) -> tuple[int, int, int]:
    """Return inversions, those within a client, and the largest overtake."""
    finding = ordered(storm(*operations, **more))
    assert finding.status is (Status.BROKEN if finding.figures["inversions"] else Status.HELD)
    assert bool(finding.witnesses) == bool(finding.figures["inversions"])
    return (
        finding.figures["inversions"],
        finding.figures["within_a_client"],
        finding.figures["largest_overtake"],
    )


def test_ids_that_follow_the_inserts_hold() -> None:
    assert figures(told(1), told(2, client=1), told(5), told(9, client=1)) == (0, 0, 0)


def test_an_insert_with_an_earlier_id_than_one_acknowledged_before_it_began_was_overtaken() -> None:
    assert figures(told(21), told(2, client=1)) == (1, 0, 19)


def test_inserts_are_counted_not_pairs() -> None:
    assert figures(told(7), told(8), told(9), told(1, client=1)) == (1, 0, 8)
    assert figures(told(9), told(1, client=1), told(2, client=1), told(3, client=1)) == (3, 0, 8)


def test_a_client_can_be_overtaken_by_itself() -> None:
    assert figures(told(3), told(2), told(4, client=1), told(1, client=1)) == (2, 2, 3)


def test_inserts_that_overlap_may_have_their_ids_in_any_order() -> None:
    assert figures(told(2, begin=10, ended=30), told(1, client=1, begin=20, ended=40)) == (0, 0, 0)


@pytest.mark.parametrize(("begin", "inversions"), [(29, 0), (30, 0), (31, 1)])
def test_at_the_same_instant_nothing_is_before_the_other(begin: int, inversions: int) -> None:
    operations = [told(2, begin=10, ended=30), told(1, client=1, begin=begin, ended=90)]
    assert figures(*operations)[0] == inversions


def test_what_was_never_acknowledged_overtakes_nobody() -> None:
    assert figures(failed(9), unknown(8), told(1, client=1)) == (0, 0, 0)
    assert figures(unknown(9, ended=0), told(1, client=1)) == (0, 0, 0)
    assert figures(told(9, NOTHING), told(1, client=1))[0] == 1


def test_what_is_not_certainly_there_was_not_overtaken() -> None:
    assert figures(told(9), failed(1, client=1), unknown(2, client=1)) == (0, 0, 0)
    census = [(9, 0), (2, 1)]
    assert figures(told(9), unknown(2, client=1), census=census) == (1, 0, 7)


def test_rows_of_one_operation_are_in_no_order() -> None:
    assert figures(told(3, 2, 1)) == (0, 0, 0)
    assert figures(told(5, 9, 7), told(8, 10, 6, client=1)) == (2, 0, 3)


def test_a_generator_that_descends_is_followed_in_its_direction() -> None:
    down = Generator(-1, -1)
    assert figures(told(-1), told(-2, client=1), generator=down) == (0, 0, 0)
    assert figures(told(-2), told(-1, client=1), generator=down) == (1, 0, 1)


def test_an_overtake_may_be_as_wide_as_the_type() -> None:
    assert figures(told(2**63 - 1), told(-(2**63), client=1)) == (1, 0, 2**64 - 1)
    assert figures(told(2**62), told(-(2**62), client=1)) == (1, 0, 2**63)


def test_the_witnesses_are_pairs() -> None:
    finding = ordered(storm(told(4), told(21), told(2, client=1)))
    (witness,) = finding.witnesses
    assert (witness["id"], witness["overtaken_by"]) == (2, 21)
    assert [(row["client"], row["operation"]) for row in witness["rows"]] == [(1, 0), (0, 1)]


def test_a_witness_tells_by_how_much_it_came_too_late() -> None:
    ended, began = 1_000_000, 5_002_234_567
    first = [told(4, begin=10, ended=20), told(5, begin=21, ended=29), told(21, begin=30, ended=ended)]
    late = told(2, client=1, begin=began, ended=began + 10)
    after = told(99, client=2, begin=began - 5, ended=began + 5)  # which it had not to wait for
    (witness,) = ordered(storm(*first, late, after)).witnesses
    assert witness == {
        "id": 2,
        "overtaken_by": 21,
        "which_was_acknowledged_ms_before": 5001.235,
        "rows": witness["rows"],
    }


@pytest.mark.parametrize(
    ("codec", "ids"),
    [
        (UUIDS, [UUID(int=1), UUID(int=1 << 127), UUID(int=(1 << 128) - 1)]),
        (TEXT, ["01A", "01B", "01Ba", "7ZZZZZZZZZZZZZZZ"]),
        (WIDE, [1, 2**64, 2**100]),
    ],
)
def test_ids_that_are_no_small_numbers_have_an_order_where_that_is_meant(codec: Codec, ids: list[object]) -> None:
    finding = ordered(storm(*map(told, ids), codec=codec))
    assert (finding.status, finding.reason) == (Status.NA, "the ids are not meant to be in any order")
    assert figures(*map(told, ids), codec=codec, ids=sorting(codec)) == (0, 0, 0)
    assert figures(*map(told, reversed(ids)), codec=codec, ids=sorting(codec))[0] == len(ids) - 1


def test_ids_of_text_are_compared_from_their_first_letter_on() -> None:
    ids = sorting(TEXT)
    assert figures(told("A0000000B"), told("B0000000A"), codec=TEXT, ids=ids) == (0, 0, 0)
    assert figures(told("B0000000A"), told("A0000000B"), codec=TEXT, ids=ids)[0] == 1


def test_equal_ids_have_one_place() -> None:
    operations = [told("A", client=2), told("B", client=1), told("B")]
    assert figures(*operations, codec=TEXT, ids=sorting(TEXT)) == (0, 0, 0)


def of_parts(*ids: tuple[object, ...], kinds: tuple[str, ...] = (), text: int = 128, **more: Any) -> Finding:
    """Return what is found of ids of two columns, told one after the other."""
    codec = Codec("text", text, kinds)
    columns = replace(sorting(codec), columns=("voucher.year", "voucher.number"))
    return ordered(storm(*map(told, ids), *more.pop("operations", []), codec=codec, ids=columns))


@pytest.mark.parametrize(
    ("kinds", "one", "other"),
    [
        (("int", "int"), (2026, 8), (2026, 10)),
        ((), (2026, 8), (2026, 10)),
        (("text", "int"), ("A", -10), ("A", 9)),
        ((), ("A", 9), ("A", 10)),
        (("text", "text"), ("A", "10"), ("A", "9")),
        (("int", "decimal"), (1, Decimal("9.50")), (1, Decimal("10.25"))),
        (("int", "int"), (1, 1 << 70), (1, 1 << 71)),
        (("blank", "decimal"), ("A ", "9.50"), ("A", Decimal("10.25"))),
        (("moment UTC", "int"), (datetime(2026, 1, 1), 9), (datetime(2026, 1, 1), 10)),
    ],
)
def test_ids_of_several_columns_are_compared_part_by_part_each_by_its_kind(
    kinds: tuple[str, ...], one: tuple[object, ...], other: tuple[object, ...]
) -> None:
    never = [failed(NOTHING), failed((1, 5) if isinstance(one[0], int) else ("B", 5))]
    assert of_parts(one, other, kinds=kinds, operations=never).status is Status.HELD
    finding = of_parts(other, one, kinds=kinds, operations=never)
    assert (finding.status, finding.figures["inversions"]) == (Status.BROKEN, 1)


def test_what_a_part_is_comes_from_what_its_column_holds() -> None:
    assert codec_for((2026, 8), (2026, 8)).parts == ("int", "int")
    assert codec_for(("A", "8"), ("A", Decimal(8))).parts == ("text", "decimal")


def test_ids_of_several_columns_that_are_not_known_to_the_end_have_no_known_order() -> None:
    for kinds in ((), ("text", "int")):
        finding = of_parts(("a" * 30, 10), ("b" * 30, 9), kinds=kinds, text=16)
        assert (finding.status, finding.witnesses) == (Status.UNKNOWN, ())
    assert of_parts((2026, "draft"), (2026, 1), kinds=("int", "int")).status is Status.UNKNOWN
    assert of_parts(kinds=("int", "int")).status is Status.HELD


def sorting(codec: Codec) -> Any:
    return replace(storm(codec=codec).plan.ids, sortable=True)


def test_a_long_history_is_cut_into_stretches_that_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    ids = np.argsort(np.arange(400) + random.integers(0, 60, 400)) + 1
    operations = [
        told(int(id_), client=place % 7, begin=place * 10, ended=place * 10 + 61) for place, id_ in enumerate(ids)
    ]
    whole = ordered(storm(*operations))
    assert whole.figures["inversions"] > 24 == len(whole.witnesses)
    for stretch in (1, 8, 40):
        monkeypatch.setattr(timeline, "STRETCH", stretch)
        cut = ordered(storm(*operations))
        assert (cut.figures, len(cut.witnesses)) == (whole.figures, 24)


def test_a_clock_that_goes_back_within_a_client_is_no_obstacle() -> None:
    assert figures(told(9, begin=100, ended=110), told(1, begin=10, ended=20), told(5, begin=200)) == (1, 1, 4)
