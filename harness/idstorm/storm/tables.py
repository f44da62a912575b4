"""The tables of a storm: made before its clients start, and read by the engine of the storm where nothing else can."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from idstorm.databases.base import read_pairs
from idstorm.scenario import Scenario
from idstorm.storm.work import Work


def make_tables(scenario: Scenario, work: Work, engine: sa.Engine) -> None:
    """Make the tables of a scenario, without looking whether they exist, and the rows that its work needs in them."""
    with engine.begin() as connection:
        scenario.metadata.create_all(connection, checkfirst=False)
        if work.rows is not None:
            work.rows.make_parents(connection)
        if scenario.setup is not None:
            scenario.setup(connection)


def own_pairs(work: Work, engine: sa.Engine) -> list[tuple[Any, int | None]]:
    """Return (id, token) of each row as the storm's own engine sees them, for a database that lives in a process."""
    with engine.connect() as connection:
        return read_pairs(connection, work.ids, work.token)
