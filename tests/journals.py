"""What joined sessions were told, written by hand: flushes with plain moments, and the table that they tell of."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from idstorm.findings.checks import CHECKS
from idstorm.findings.results import Stance
from idstorm.findings.verdict import Report
from idstorm.join.as_storm import store_table
from idstorm.join.read_journals import Flush, JoinedTable
from idstorm.judge.judge import judge_run
from idstorm.record import store
from idstorm.record.code import Code
from idstorm.record.outcome import Outcome
from idstorm.record.plan import Claim

TARGET = {"name": "sqlite", "dialect": "sqlite", "driver": "pysqlite", "server": "3", "url": "", "capabilities": []}


def about(file: Path | None = None, **changed: Any) -> dict[str, Any]:
    """Return what a journal says of a table `orders`: in this file of SQLite, or where nobody else can read it."""
    return {
        "model": "Order",
        "target": TARGET,
        "url": f"sqlite:///{file}" if file else "sqlite://",
        "table": "orders",
        "schema": None,
        "life": "1",
        "private": None if file else "a1",
        "database": _database(file),
        "known": True,
        "columns": ["id"],
        "names": ["orders.id"],
        "constraints": [],
        "generator": None,
        "sortable": False,
        "claims": {check: asdict(Claim(Stance.HOLDS)) for check in CHECKS},
        **changed,
    }


def _database(file: Path | None) -> str:
    if file is None or not file.exists():
        return ""
    there = file.stat()
    return f"{there.st_dev}:{there.st_ino}"


def flush(
    at: int,
    *ids: Any,
    process: str = "gw0-1",
    outcome: Outcome = Outcome.OK,
    commit: int | None = None,
    begin: int | None = None,
    life: str = "1",
    origin: str = "a test",
) -> Flush:
    """Return a flush that was handed its ids at a moment, and committed by default two nanoseconds later."""
    sent = 0 if outcome == Outcome.FAILED else at + 2 if commit is None else commit
    start = at - 1 if begin is None else begin
    return Flush(process, origin, life, start, at, ids, sent, max(at, sent) + 2, outcome)


def failed(at: int, code: Code | None = None, *, rows: int = 1, life: str = "1", begin: int | None = None) -> Flush:
    """Return a flush that failed at a moment: it was handed nothing."""
    start = at - 1 if begin is None else begin
    return Flush("gw0-1", "a test", life, start, 0, (None,) * rows, 0, at, Outcome.FAILED, code)


def table(folder: Path, held: Sequence[Any]) -> Path:
    """Make a table `orders` that holds these ids, and refuses none, in a file of SQLite."""
    file = folder / "shop.db"
    file.unlink(missing_ok=True)
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE orders (id)")
        connection.executemany("INSERT INTO orders VALUES (?)", [(id_,) for id_ in held])
    connection.close()
    return file


def judge(folder: Path, told: JoinedTable) -> Report:
    """Return the report of what was told of a table."""
    run = store.create(folder / "results", "pytest", [{"name": "01", "scenario": "Order", "target": "sqlite"}], "join")
    store_table(told, run.name, run.folder / "01", (), {})
    report = judge_run(run)
    store.close(run, report)
    return report


def statuses(folder: Path, flushes: Sequence[Flush], held: Sequence[Any]) -> dict[str, str]:
    """Return what each check finds in these flushes and a table that holds these ids afterwards."""
    told = JoinedTable(about(table(folder, held)), list(flushes))
    return {check: str(verdict.status) for check, verdict in judge(folder, told).storms[0].verdicts.items()}


def unique(folder: Path, flushes: Sequence[Flush], held: Sequence[Any]) -> str:
    """Return what `unique` finds."""
    return statuses(folder, flushes, held)["unique"]
