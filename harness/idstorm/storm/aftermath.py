"""After the clients of a storm have stopped: wait until the database is quiet, read it back, pack what was recorded.

No failure here affects what the clients have recorded, which is kept and judged.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from idstorm.databases.registry import DATABASES
from idstorm.databases.urls import secrets_of, words_of
from idstorm.errors import EnvironmentFault, IdstormError, ScenarioError
from idstorm.findings.results import StormState
from idstorm.model.rows import qualified
from idstorm.model.work import Work, references_of
from idstorm.record import store
from idstorm.record.capacity import Capacity, Reference
from idstorm.record.ending import CensusQuality, Ending, ServerAfterwards
from idstorm.record.keyed import Keyed
from idstorm.record.load_history import read_tapes
from idstorm.record.pack_history import HISTORY, compact
from idstorm.record.plan import Plan
from idstorm.record.poll_log import pack_reading
from idstorm.record.tape import Layout
from idstorm.record.tape_reader import trim
from idstorm.redaction import redact
from idstorm.scenario import Scenario
from idstorm.storm.engine import ConnectionOptions, open_engine
from idstorm.storm.loops import where_it_may_wait
from idstorm.storm.reader import Reader
from idstorm.storm.rehearsal import facts_of

NO_CENSUS = CensusQuality(unread="there is no census: the storm ended early")


def has_recorded(folder: Path) -> bool:
    """Return whether any client of the storm in this folder has reached its first operation."""
    return (folder / HISTORY).exists() or any((folder / "tapes").glob("client-*.tape"))


def take_census(
    scenario: Scenario,
    connection_options: ConnectionOptions,
    plan: Plan,
    work: Work,
    url: sa.URL,
    folder: Path,
    ending: Ending,
    reader: Reader | None,
) -> Ending:
    """Wait until the database is quiet, let the reader poll once more, and read the table back.

    If the ending already says why there is no census, none is taken.
    """
    database, tapes = DATABASES[plan.target.dialect], folder / "tapes"
    layout = Layout(plan.fleet.batch, plan.ids.codec.words)
    with suppress(OSError):  # unused space in a tape does no harm
        for client in range(plan.fleet.clients):
            trim(tapes, client, layout)
    offsets = read_tapes(tapes, plan).op_offsets
    quiet, missed = database.quiesce(url), None
    reached = quiet.reached and (quiet.unseen is None or "two_phase" not in scenario.needs)
    unseen = [] if reached or quiet.unseen is None else [f"of the storm it was not seen {quiet.unseen}"]
    try:
        missed = reader.finish() if reader is not None and reached else None
    except ScenarioError as error:  # what was stormed is judged all the same
        ending = replace(ending, state=StormState.AT_FAULT, message=str(error))
    unread = ending.census.unread
    if unread is None:
        unread = _read_back(scenario, plan, work, url, folder)
    with suppress(OSError):  # if there is no space for the packed files, the tapes stay
        compact(folder, plan)
        pack_reading(folder, plan.stamp)
    capacity, capacity_unread = _capacity(scenario, plan, work, url)
    return replace(
        ending,
        clients=replace(ending.clients, operations=tuple((offsets[1:] - offsets[:-1]).tolist())),
        census=replace(ending.census, quiet=reached, unread=unread),
        server=ServerAfterwards(
            facts=_facts(scenario, connection_options, plan, url),
            capacity=capacity,
            capacity_unread=capacity_unread,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
        reader=missed,
        notes=(*ending.notes, *_rolled_back(quiet.rolled_back), *unseen),
    )


def _rolled_back(count: int) -> list[str]:
    """Return a sentence on the prepared transactions that the storm left behind, if any."""
    if not count:
        return []
    were = "transactions of the storm were" if count > 1 else "transaction of the storm was"
    return [f"{count} {were} left prepared, and rolled back before the census"]


def _read_back(scenario: Scenario, plan: Plan, work: Work, url: sa.URL, folder: Path) -> str | None:
    """Write the census. Returns why there is none."""
    if scenario.local:
        taken = (folder / "census.zip").exists()
        return None if taken else "the worker that holds the database took no census"
    try:
        census = DATABASES[plan.target.dialect].read_census(
            url, work.ids, work.token, Keyed.of(plan.ids.codec, work.key), work.present
        )
        store.write_census(folder, "census", census, plan.stamp)
    except EnvironmentFault as error:  # it could not be read, or the disk of the results is full
        return redact(str(error), secrets_of(url))
    return None


def _capacity(scenario: Scenario, plan: Plan, work: Work, url: sa.URL) -> tuple[Capacity | None, str | None]:
    """Return how far the ids can go, if the database says so, or why it does not."""
    if scenario.local or not plan.ids.counted or plan.ids.codec.keyed:
        return None, None
    database, id_ = DATABASES[plan.target.dialect], work.ids[-1]
    down = work.generator is not None and work.generator.increment < 0
    try:
        with database.snapshot(url) as connection:
            capacity = database.capacity(connection, id_.table.name, id_.name, work.sequence, down=down)
            if capacity is None:
                return None, None
            made = {one.column for one in capacity.references}
            others = [
                Reference(qualified(column), type_, limit)
                for column, type_ in references_of(id_, connection.dialect)
                if qualified(column) not in made and (limit := database.last_of(type_, down=down)) is not None
            ]
            return replace(capacity, references=(*capacity.references, *others)), None
    except sa.exc.SQLAlchemyError as error:
        return None, f"how far the ids can go could not be read: {words_of(error, url)}"


def _facts(scenario: Scenario, connection_options: ConnectionOptions, plan: Plan, url: sa.URL) -> dict[str, Any]:
    """Return the facts after the storm, or none if the database is gone."""
    database = DATABASES[plan.target.dialect]
    try:
        engine = open_engine(scenario, database, url, connection_options)
    except IdstormError:
        return {}

    def ask() -> dict[str, Any]:
        try:
            return facts_of(database, engine, url, connection_options)
        except (IdstormError, sa.exc.SQLAlchemyError):
            return {}
        finally:
            engine.dispose()

    return where_it_may_wait(engine, ask)
