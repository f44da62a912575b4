"""`check`: judge a stored run again. Needs no database and none of the user's code, so nothing here imports either."""

from __future__ import annotations

from pathlib import Path

from idstorm.judge.judge import judge_run
from idstorm.record.stored import open_run
from idstorm.record.verdict import Report


def check(folder: Path) -> Report:
    """Return the report of a stored run. Raises UnreadableRun."""
    return judge_run(open_run(folder))
