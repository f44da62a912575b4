"""A scenario says what share of its operations may fail, and where."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.errors import ScenarioError
from idstorm.record.plan import Target
from idstorm.scenario import Failing, Row, Scenario
from idstorm.scenario.conditions import resolve_failing


class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def target(dialect: str, *capabilities: str) -> Target:
    return Target(dialect, dialect, "", "1", "", capabilities)


WHERE = {"sqlite": target("sqlite"), "postgresql": target("postgresql", "sequences"), "mariadb": target("mariadb")}


def test_the_most_specific_allowance_counts() -> None:
    allowed = [Failing(0.2), Failing(0.6, why="refused", when={"sequences"}), Failing(0.9, when={"mariadb"})]
    scenario = Scenario(Thing, failing=allowed)
    shares = {name: resolve_failing(scenario.allowances, where) for name, where in WHERE.items()}
    assert shares == {"sqlite": 0.2, "postgresql": 0.6, "mariadb": 0.9}


def test_a_number_means_everywhere_and_by_default_none_may_fail() -> None:
    assert resolve_failing(Scenario(Thing, failing=0.4).allowances, WHERE["sqlite"]) == 0.4
    assert resolve_failing(Scenario(Thing).allowances, WHERE["sqlite"]) == 0.0


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ScenarioError, match="fraction"):
        Scenario(Thing, failing=Failing(1.5))
    with pytest.raises(ScenarioError, match="neither a dialect nor a capability"):
        Failing(0.5, when={"oracle"})
