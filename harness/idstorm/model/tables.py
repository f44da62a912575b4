"""The tables of a storm: made before its clients start, and read by the storm's engine where nothing else can."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa

from idstorm.databases.rows import read_pairs
from idstorm.model.work import Work
from idstorm.scenario import Scenario

UsersOwn = Callable[[str], AbstractContextManager[None]]


def make_tables(
    scenario: Scenario,
    work: Work,
    engine: sa.Engine,
    as_user_error: UsersOwn,
    when: str,
    look: Callable[[sa.Connection], None] = lambda _: None,
) -> None:
    """Make the tables of a scenario, without checking if they exist, and the rows that its work needs in them.

    `as_user_error` shows an error in a step as the user's own; `when` says which call of `setup` it was. `look` is
    called on the empty tables, and again after `setup`.
    """
    with engine.connect() as connection:
        _create(scenario, work, connection, as_user_error)
        look(connection)
        if work.rows is not None:
            with as_user_error(f"making the rows that its foreign keys refer to failed{work.hint}"):
                work.rows.make_parents(connection)
        with as_user_error(f"setup failed {when}"):
            if scenario.setup is not None:
                scenario.setup(connection)
                look(connection)
            connection.commit()


def _create(scenario: Scenario, work: Work, connection: sa.Connection, as_user_error: UsersOwn) -> None:
    if scenario.tables is not None:
        with as_user_error("bringing the tables to their schema failed"):
            scenario.tables(connection)
            connection.commit()
        return
    with as_user_error("making the tables failed"):
        try:
            scenario.metadata.create_all(connection, tables=work.tables, checkfirst=False)
        except sa.exc.DBAPIError as error:
            with as_user_error(f"making the tables failed at\n{(error.statement or '').strip()}"):
                raise


def own_pairs(work: Work, engine: sa.Engine) -> list[tuple[Any, int | None]]:
    """Return (id, token) of each row that the storm's own engine sees, for a database that lives in a process."""
    with engine.connect() as connection:
        return read_pairs(connection, work.ids, work.token, work.present)
