"""A scenario that needs some inserts to show what it claims gets them, and the report says so."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.errors import ScenarioError
from idstorm.scenario import Row, Scenario
from running import Idstorm


class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


MINE = """
    from sqlalchemy.orm import Mapped, mapped_column
    from idstorm.scenario import Row, Scenario

    class Thing(Row):
        id: Mapped[int] = mapped_column(primary_key=True)

    mine = Scenario(Thing, least=400)
    """


@pytest.mark.parametrize(
    ("asked", "attempted", "notes"),
    [
        ("250", 400, ["400 inserts were attempted instead of 250: the claims need that many to show"]),
        ("450", 450, []),
    ],
)
def test_fewer_inserts_than_a_scenario_needs_are_raised_to_what_it_needs(
    idstorm: Idstorm, asked: str, attempted: int, notes: list[str]
) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", MINE), "-n", asked)
    (storm,) = ran.report["storms"]
    assert (storm["fleet"]["inserts"], storm["operations"]["attempted"]) == (attempted, attempted)
    assert [note for note in storm["notes"] if "instead of" in note] == notes


def test_a_least_number_below_nothing_is_refused() -> None:
    with pytest.raises(ScenarioError, match="least of a scenario has to be a number of rows"):
        Scenario(Thing, least=-1)
