"""The result of a run for Python code that asked for it: in a test, a script or a notebook."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from idstorm.findings.verdict import Report, Verdict

_WIDTH = 110


@dataclass(frozen=True, repr=False)
class StormResult:
    """The result of a run: a report, and the folder that holds the whole run.

    `str()` of it is the report as `idstorm run` prints it.
    """

    report: Report
    folder: Path  #: of the run; `idstorm check` judges it again

    @property
    def passed(self) -> bool:
        """Whether every claim was tested and held. False if it is inconclusive, or could not be written down."""
        return self.report.result == "passed" and self.report.unwritten is None

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """The verdicts of the only storm, by check, merged where it is repeated. Raises ValueError for several."""
        (storm,) = self.report.decisive
        return storm.verdicts

    def __repr__(self) -> str:
        from idstorm.report.text import visible

        wrong = [
            f"{name} {verdict.status}"
            for storm in self.report.decisive
            for name, verdict in storm.verdicts.items()
            if verdict.result in ("failed", "inconclusive")
        ]
        wrong += [
            f"{gate.gate}: {gate.result}"
            for storm in self.report.decisive
            for gate in storm.gates
            if gate.result != "passed"
        ]
        wrong += [control.reason for control in self.report.controls if control.reason is not None]
        wrong += [storm.ending for storm in self.report.storms if storm.ending is not None]
        wrong += [self.report.unwritten] if self.report.unwritten is not None else []
        shown = f": {', '.join(wrong)}" if wrong else ""
        where = f", in {self.folder}" if self.report.folder else ""
        return visible(f"<idstorm {self.report.result.upper()}{shown}{where}>")

    def __str__(self) -> str:
        from io import StringIO

        from rich.console import Console

        from idstorm.report import terminal

        out = StringIO()
        console = Console(file=out, width=_WIDTH, highlight=False, emoji=False, markup=False, force_terminal=False)
        terminal.show(console, self.report)
        return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())
