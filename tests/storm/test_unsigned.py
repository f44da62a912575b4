"""Unsigned 64-bit ids on the servers that have them."""

from __future__ import annotations

import pytest

from running import Idstorm
from servers import database

UNSIGNED = """
    from sqlalchemy import text
    from sqlalchemy.dialects.mysql import BIGINT
    from sqlalchemy.orm import Mapped, mapped_column
    from idstorm.scenario import Row, Scenario, gapless, holds, ordered

    class Big(Row):
        id: Mapped[int] = mapped_column(BIGINT(unsigned=True), primary_key=True)

    def begin_at(first):
        return lambda connection: connection.execute(text(f"ALTER TABLE big AUTO_INCREMENT = {first}"))

    across = Scenario(Big, setup=begin_at(2**63 - 100), reader=True, claims=[holds(gapless)])
    above = Scenario(Big, setup=begin_at(2**63 + 100), deletes=0.1)
    """


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_ids_across_and_above_2_to_the_63_are_judged_as_numbers(idstorm: Idstorm, dialect: str) -> None:
    on = database(dialect)
    ran = idstorm.storm(idstorm.write("mine.py", UNSIGNED), "--on", dialect, **on.environ)
    assert ran.code == 0, ran.err
    across, above = (storm["verdicts"] for storm in ran.report["storms"])
    assert across["gapless"]["status"] == "held"
    assert across["starts_at"]["figures"]["first"] == 2**63 - 100
    assert across["headroom"]["figures"]["position"] == 2**63 + 299
    assert across["visible"]["figures"]["polls"] > 0
    assert above["faithful"]["status"] == "held"
    assert above["explained"]["figures"]["unexplained"] == 0
