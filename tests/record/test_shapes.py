"""JSON becomes a dataclass as it stands, or is refused: nothing is converted, nothing passed over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

import pytest

from idstorm.record.shapes import read_as


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    number: int
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    inner: Inner
    several: tuple[Inner, ...] = ()
    pair: tuple[float, float] = (0.0, 0.0)
    named: dict[str, Inner] = field(default_factory=dict)
    colour: Colour | None = None
    on: bool = False
    anything: Mapping[str, Any] = field(default_factory=dict)


FULL = Outer(
    Inner(1), (Inner(2), Inner(3, 1.0)), (1.0, 2.5), {"a": Inner(4)}, Colour.RED, True, {"x": [1, {"y": None}]}
)


def test_what_was_written_is_read() -> None:
    assert read_as(Outer, asdict(FULL)) == FULL


def test_what_is_left_out_has_its_default() -> None:
    assert read_as(Outer, {"inner": {"number": 1}}) == Outer(Inner(1))


def test_an_integer_will_do_for_a_float() -> None:
    share = read_as(Inner, {"number": 1, "share": 2}).share
    assert (share, type(share)) == (2.0, float)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"inner": {}}, "number"),
        ({"inner": None}, "inner"),
        ({"inner": {"number": "1"}}, "inner.number"),
        ({"inner": {"number": 1.0}}, "inner.number"),
        ({"inner": {"number": True}}, "inner.number"),
        ({"inner": {"number": 1, "share": True}}, "inner.share"),
        ({"inner": {"number": 1, "strange": 1}}, "no strange"),
        ({"several": [{"number": 1, "strange": 1}]}, "no strange"),
        ({"several": {"number": 1}}, "several"),
        ({"named": {"a": {"number": 1, "strange": 1}}}, "no strange"),
        ({"pair": [1.0]}, "pair"),
        ({"colour": "green"}, "green"),
        ({"on": 1}, "on"),
        ({"strange": None}, "no strange"),
    ],
)
def test_anything_else_is_refused_by_its_name(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_as(Outer, {**asdict(FULL), **changed})


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_what_is_not_an_object_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="Outer"):
        read_as(Outer, data)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    with pytest.raises(ValueError, match="too deeply"):
        read_as(Outer, {"inner": {"number": 1}, "anything": deep})
