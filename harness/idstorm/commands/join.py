"""`join`: judge what the joined sessions of many processes were told, once they are over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from idstorm.errors import EnvironmentFault
from idstorm.findings.results import Stance
from idstorm.findings.verdict import Report
from idstorm.join.as_storm import store_table
from idstorm.join.keyring import Keyring
from idstorm.join.read_journals import JoinedTable, read_journals
from idstorm.judge.judge import judge_run
from idstorm.record import store


def judge_joined(journals: Path, results: Path, command: str, keyring: Keyring) -> Report | None:
    """Judge every table in the journals of a folder, and write a run's folder. Returns None if there is no table.

    `keyring` opens the databases whose URLs the journals show without their secrets.

    Raises EnvironmentFault where a journal is damaged or the results cannot be written.
    """
    chosen = list(_chosen(read_journals(journals)))
    if not chosen:
        return None
    names = [
        f"{number:02}-{told.about['table']}-{told.about['target']['dialect']}"
        for number, (told, _) in enumerate(chosen, 1)
    ]
    entries = [
        {"name": name, "scenario": told.about["model"], "target": told.about["target"]["dialect"]}
        for name, (told, _) in zip(names, chosen, strict=True)
    ]
    run = store.create(results, command, entries, kind="join")
    for name, (told, notes) in zip(names, chosen, strict=True):
        try:
            store_table(told, run.name, run.folder / name, notes, keyring)
        except OSError as error:
            raise EnvironmentFault(f"cannot write to {run.folder}: {error.strerror or error}") from error
    return store.close(run, judge_run(run))


def _chosen(tables: Sequence[JoinedTable]) -> Iterator[tuple[JoinedTable, list[str]]]:
    """Yield the tables that have something to judge, each with the notes of its report on the others.

    A table with a single client, and no id told twice, can neither hold nor break anything: a suite with a
    database for each test has hundreds. Where a model has no other, the largest of them stands for all. Refusals count
    wherever something is claimed of them.
    """
    by_model: dict[tuple[str, str, str], list[JoinedTable]] = defaultdict(list)
    for told in tables:
        by_model[told.about["model"], told.about["table"], told.about["target"]["dialect"]].append(told)
    for those in by_model.values():
        telling = [told for told in those if len(told.clients) > 1 or told.contested or _is_refused(told)]
        telling = telling or [max(those, key=lambda told: len(told.flushes))]
        left = len(those) - len(telling)
        notes = [f"{left} other tables of this name had one client each, and no id was told twice"] if left else []
        for number, told in enumerate(telling):
            yield told, [] if number else notes


def _is_refused(told: JoinedTable) -> bool:
    """Return whether a claim is made about refusals, and the id's own constraint refused inserts or may have."""
    if told.about["claims"]["accepted"]["stance"] == Stance.MAY_BREAK:
        return False
    return any(one.code is not None and (one.code.refused or not one.code.recognised) for one in told.flushes)
