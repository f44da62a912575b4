"""`check`: judge stored runs again. Needs no database, and none of the user's code but checks that the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idstorm.errors import UnreadableRun
from idstorm.findings.results import ExitCode, Result, exit_code, worst
from idstorm.findings.verdict import REPORT_FORMAT, Report
from idstorm.judge.judge import judge_run
from idstorm.record.stored import open_run


@dataclass(frozen=True)
class Checked:
    """Several stored runs, judged again."""

    reports: tuple[Report, ...]
    unreadable: Mapping[str, str]  #: why each of these folders could not be judged
    skipped: tuple[str, ...] = ()  #: plain files: a run is a folder

    @property
    def result(self) -> Result:
        """Their combined result, as of storms: what cannot be read is inconclusive."""
        return worst([*(report.result for report in self.reports), *[Result.INCONCLUSIVE] * bool(self.unreadable)])

    @property
    def exit_code(self) -> ExitCode:
        """The exit code for all of them."""
        codes = {report.exit_code for report in self.reports}
        return exit_code(self.result, at_fault=ExitCode.USAGE in codes, interrupted=ExitCode.INTERRUPTED in codes)

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON's own types."""
        return {
            "format": REPORT_FORMAT,
            "result": self.result,
            "exit_code": int(self.exit_code),
            "runs": [report.to_json() for report in self.reports],
            "unreadable": dict(self.unreadable),
        }


def check(folder: Path, checks: Sequence[str] = ()) -> Report:
    """Return the report of a stored run. Raises UnreadableRun.

    `checks` are the files or modules with the user's own. Raises UsageError and ScenarioError where one cannot be had.
    """
    _load(checks)
    return judge_run(open_run(folder))


def check_all(paths: Sequence[Path], checks: Sequence[str] = ()) -> Checked:
    """Judge every run among these, as a shell makes them of `results/*`, which holds files as well.

    Raises UnreadableRun where none of them is a folder, and what `check` raises for `checks`.
    """
    _load(checks)
    folders = [path for path in dict.fromkeys(paths) if not path.is_file()]
    if not folders:
        raise UnreadableRun(f"none of these is a run of idstorm: {', '.join(map(str, paths))}")
    reports, unreadable = list[Report](), dict[str, str]()
    for folder in folders:
        try:
            reports.append(check(folder))
        except UnreadableRun as error:
            unreadable[str(folder)] = str(error)
    return Checked(tuple(reports), unreadable, tuple(str(path) for path in dict.fromkeys(paths) if path.is_file()))


def _load(places: Sequence[str]) -> None:
    """Import files, or modules, that have checks of a user's own.

    A stored run names the file of such a check, and may come from a stranger: it is the user who has to name it here.
    """
    if places:
        from idstorm import catalogue  # and SQLAlchemy with it, which no other run needs to be judged again

        catalogue.current_directory_first()
        for place in places:
            catalogue.load(place)
