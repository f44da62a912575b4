"""How far ids can go is asked of the database: of the column, and of what fills it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from running import Idstorm
from servers import On

MODELS = """
from idstorm.scenario import *
from sqlalchemy import BigInteger, Integer, Sequence, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

class Small(Row):
    id: Mapped[int] = mapped_column(SmallInteger().with_variant(Integer, "sqlite"), primary_key=True)

class Named(Row):
    id: Mapped[int] = mapped_column(Integer, Sequence("named_seq", start=1000), primary_key=True)

class Large(Row):
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)

small, named, large = Scenario(Small), Scenario(Named), Scenario(Large)
"""

SMALL, INT, BIG = 2**15 - 1, 2**31 - 1, 2**63 - 1
LIMITS: dict[str, dict[str, tuple[str, int, str, int]]] = {
    "sqlite": dict.fromkeys(("small", "named", "large"), ("INTEGER", BIG, "rowid", BIG)),
    "postgresql": {
        "small": ("smallint", SMALL, "sequence small_id_seq", SMALL),
        "named": ("integer", INT, "sequence named_seq", BIG),
        "large": ("bigint", BIG, "sequence large_id_seq", BIG),
    },
    "mysql": {
        "small": ("smallint", SMALL, "AUTO_INCREMENT", SMALL),
        "named": ("int", INT, "AUTO_INCREMENT", INT),
        "large": ("bigint", BIG, "AUTO_INCREMENT", BIG),
    },
    "mariadb": {
        "small": ("smallint(6)", SMALL, "AUTO_INCREMENT", SMALL),
        "named": ("int(11)", INT, "sequence named_seq", BIG - 1),
        "large": ("bigint(20)", BIG, "AUTO_INCREMENT", BIG),
    },
}


def test_the_limits_are_those_of_the_column_and_of_the_generator(idstorm: Idstorm, anywhere: On) -> None:
    ran = idstorm.storm(idstorm.write("models.py", MODELS), "--on", anywhere.dialect, **anywhere.environ)
    assert ran.code == 0, ran.err
    for storm in ran.report["storms"]:
        figures: dict[str, Any] = storm["verdicts"]["headroom"]["figures"]
        names = ("column", "column_limit", "generator", "generator_limit")
        expected = LIMITS[anywhere.dialect][storm["scenario"].rpartition(":")[2]]
        assert tuple(figures[name] for name in names) == expected
        assert figures["limit"] == min(expected[1], expected[3])
        first = 1000 if expected[2] == "sequence named_seq" else 1
        assert first + 399 <= figures["position"] <= first + 1_400
        assert figures["rows_left"] > 0


def test_a_threshold_and_a_forecast_are_given_on_the_command_line(idstorm: Idstorm) -> None:
    ran = idstorm.storm("autoincrement", "--headroom", "0.000001", "--forecast", "50/s")
    (storm,) = ran.report["storms"]
    assert storm["verdicts"]["headroom"]["status"] == "held"
    assert storm["verdicts"]["headroom"]["figures"]["until"] == "after the year 9999"
    assert "--headroom 0.000001 --forecast 50/s" in ran.report["command"]


@pytest.mark.parametrize("rate", ["50", "0/s", "fast", "5/week"])
def test_a_forecast_that_is_no_rate_gets_one_sentence(idstorm: Idstorm, rate: str) -> None:
    ran = idstorm("run", "autoincrement", "--forecast", rate)
    assert ran.code == 2
    assert "write 50/s" in ran.err


def test_a_small_column_near_its_end_breaks_and_says_when_it_fails(idstorm: Idstorm, postgresql: On) -> None:
    ran = idstorm.storm("integer_limit:small", "--forecast", "1/d", "--on", "postgresql", **postgresql.environ)
    (storm,) = ran.report["storms"]
    headroom = storm["verdicts"]["headroom"]
    assert (headroom["status"], headroom["result"]) == ("broken", "passed")
    assert date.fromisoformat(headroom["figures"]["until"]) > date(2026, 1, 1)
    assert headroom["figures"]["rows_left"] < 1_000
