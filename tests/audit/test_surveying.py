"""In which order an audit reads, so that what it says is behind is certainly behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from audit.surveys import column, sequence
from idstorm.databases import surveying
from idstorm.databases.surveying import measure
from idstorm.record.survey import Generator, Id, Unread


class Script:
    """A reader that answers what is written down: the furthest row and the position at each reading."""

    def __init__(self, *readings: tuple[int | Unread | None, int | Unread | None]) -> None:
        self._readings = list(readings)
        self.asked: list[str] = []

    def furthest(self, ids: Sequence[Id]) -> list[int | Unread | None]:
        self.asked.append("furthest")
        return [self._readings[0][0] for _ in ids]

    def positions(self, generators: Sequence[Generator]) -> Mapping[str, int | Unread | None]:
        self.asked.append("positions")
        position = self._readings.pop(0)[1]
        return {one.name: position for one in generators}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between two readings."""
    monkeypatch.setattr(surveying, "_PAUSE", 0.0)


def test_a_position_is_read_after_the_furthest_row_and_only_once_where_nothing_is_behind() -> None:
    reader = Script((50, 50))
    (one,) = measure([Id(sequence(), column())], reader, scan=False)
    assert reader.asked == ["furthest", "positions"]
    assert (one.generator.position, one.column and one.column.furthest, one.lead) == (50, 50, 0)


@pytest.mark.parametrize(
    ("second", "lead"), [((50, 10), 40), ((60, 10), 40), ((60, 55), 5), ((50, 50), 0), ((50, Unread("s", "locked")), 0)]
)
def test_what_looks_behind_is_read_again_and_the_lesser_lead_counts(
    second: tuple[int, int | Unread], lead: int
) -> None:
    reader = Script((50, 10), second)
    (one,) = measure([Id(sequence(), column())], reader, scan=False)
    assert reader.asked == ["furthest", "positions"] * 2
    assert one.lead == lead
    assert one.column is not None
    assert one.column.furthest == second[0], "the later reading is reported"


def test_what_is_not_comparable_is_not_asked_for() -> None:
    lost = Unread("t.id", "permission denied")
    ids = [
        Id(sequence("a"), column("a", indexed=False)),
        Id(sequence("b"), column("b", uncompared="it is text")),
        Id(sequence("c"), column("c", unread=lost)),
        Id(sequence("d", unread=lost), column("d")),
        Id(sequence("e")),
    ]
    found = {one.generator.name: one for one in measure(ids, Script((7, 9)), scan=False)}
    assert {name: one.column and one.column.furthest for name, one in found.items()} == {
        **dict.fromkeys("abce"),
        "d": 7,
    }
    assert {name: one.generator.position for name, one in found.items()} == {**dict.fromkeys("abce", 9), "d": None}
    column_of_a = found["a"].column
    assert column_of_a is not None
    assert column_of_a.uncompared == "no index begins with it: --scan reads the table"
    (scanned,) = measure(ids[:1], Script((7, 9)), scan=True)
    assert scanned.column is not None
    assert (scanned.column.furthest, scanned.column.uncompared) == (7, None)
