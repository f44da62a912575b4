"""A run's folder: `results/<run>/`, with a folder for each storm.

    run.json               the command, and the storms in order; of repeated ones, which is the first of them;
                           and the controls, which were stormed first
    <storm>/plan.json      the frozen plan
    <storm>/tapes/         one tape for each client; once the storm has ended, they are packed into
    <storm>/history.zip    a file of a few bytes an operation
    <storm>/before.zip     the census before the first client started, where the table was not empty
    <storm>/census.zip     the census afterwards
    <storm>/origins.json   where operations came from, where that was not from clients of idstorm's own
    <storm>/reader.*       what a reader saw all the while, if there was one
    <storm>/explored.json  of an exploration, what its schedules came to; the tapes of one are in a folder beside it
    <storm>/ending.json    how it ended: written last
    report.json            what the judge made of it

Every file but the tapes is written whole under another name and then renamed; tapes read back at any moment. A storm
without an ending was cut short together with idstorm: what its tapes hold is judged, and what is missing is unknown.
Every file says to which storm of which run it belongs (`idstorm.record.stamp`), and a foreign one is not judged.
"""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from idstorm.atomic import write_text
from idstorm.errors import EnvironmentFault
from idstorm.findings.gate import Gate
from idstorm.findings.results import ExitCode
from idstorm.findings.verdict import Report
from idstorm.record.census import Census
from idstorm.record.ending import ENDING_FORMAT, Ending
from idstorm.record.explored import Explored
from idstorm.record.files import dumps
from idstorm.record.origins import Origins
from idstorm.record.plan import Plan
from idstorm.record.provenance import Provenance, provenance
from idstorm.record.stamp import Stamp

FORMAT = 1

MARK = "idstorm run"

EXPLORE = "explore"  #: the kind of a run whose storms are explorations

_REMEDIES = {
    errno.EMFILE: "raise the number of open files that a process may have (ulimit -n)",
    errno.ENFILE: "the system has no room for more open files",
    errno.EFBIG: "raise the size that a file may have (ulimit -f)",
}


@dataclass(frozen=True)
class Run:
    """A run's folder, open for its storms."""

    folder: Path
    command: str
    storms: tuple[Mapping[str, str], ...]  #: name, scenario and target of each; also which one it `repeats`, if any
    kind: str = "run"  #: the command that made it: run or matrix
    gates: tuple[Gate, ...] = ()
    until_broken: bool = False  #: storms are added until one breaks
    seconds: float | None = None  #: how long it took until then
    controls: tuple[Mapping[str, str], ...] = ()  #: name, scenario and target of each: storms of what is known to break
    made_as: str | None = None  #: the name that it was made with; None: it is from before this was written down
    made: Provenance | None = None  #: when, where and with what; None: it is from before this was written down
    explored: str | None = None  #: of a matrix, the run beside it in which its scenarios were explored as well

    @property
    def name(self) -> str:
        """The name of the run: that of its folder, unless it is renamed."""
        return self.made_as or self.folder.name

    def stamp(self, storm: str) -> Stamp:
        """What the files of a storm that never had a plan carry."""
        return Stamp(self.name, storm)


def create(
    results: Path,
    command: str,
    storms: Sequence[Mapping[str, str]],
    kind: str = "run",
    gates: Sequence[Gate] = (),
    *,
    until_broken: bool = False,
    controls: Sequence[Mapping[str, str]] = (),
    made: Provenance | None = None,
) -> Run:
    """Make a run's folder below `results`, which gets its own .gitignore if idstorm creates it.

    `made` is when, where and with what it is made; None: here and now. Raises EnvironmentFault where the folder cannot
    be written.
    """
    with writing(results):
        try:
            results.mkdir(parents=True)
            (results / ".gitignore").write_text("*\n")
        except FileExistsError:  # by now, perhaps: another run may have made it at the same instant
            if not results.is_dir():
                raise
        while True:
            folder = results / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
            with suppress(FileExistsError):
                folder.mkdir()
                break
    run = Run(
        folder,
        command,
        tuple(storms),
        kind,
        tuple(gates),
        until_broken,
        controls=tuple(controls),
        made_as=folder.name,
        made=made or provenance(),
    )
    write_run(run)
    return run


def write_run(run: Run) -> None:
    """Write the description of a run into its folder. Raises EnvironmentFault."""
    with writing(run.folder):
        about: dict[str, Any] = {"what": MARK, "format": FORMAT, "run": run.name, "kind": run.kind}
        about |= {"command": run.command, "storms": run.storms}
        about["gates"] = [str(gate) for gate in run.gates]
        about |= {"controls": run.controls} if run.controls else {}
        about |= {} if run.made is None else {"made": run.made.to_json()}
        about |= {} if run.explored is None else {"explored": run.explored}
        about |= {"until_broken": True, "seconds": run.seconds} if run.until_broken else {}
        write_json(run.folder / "run.json", about)


def added(run: Run, storm: Mapping[str, str]) -> Run:
    """Return the run with this storm added, unless it has it already, and store that."""
    if storm in run.storms:
        return run
    longer = replace(run, storms=(*run.storms, storm))
    write_run(longer)
    return longer


@contextmanager
def writing(path: Path, option: str = "--results") -> Iterator[None]:
    """Turn an OSError from writing here into an EnvironmentFault that names the option to change."""
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, f"choose another place with {option}")
        raise EnvironmentFault(f"cannot write to {path}: {error.strerror or error}; {remedy}") from error


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file that can be read again, whole or not at all."""
    write_text(path, dumps(data) + "\n")


def write_plan(folder: Path, plan: Plan) -> None:
    """Write a storm's plan into its folder, and make the folder of its tapes. Raises EnvironmentFault."""
    with writing(folder):
        (folder / "tapes").mkdir(parents=True)
        write_json(folder / "plan.json", {"format": FORMAT, "stamp": plan.stamp.to_json(), **plan.to_json()})


def write_census(folder: Path, name: str, census: Census, stamp: Stamp) -> None:
    """Write a census into a storm's folder. Raises EnvironmentFault."""
    with writing(folder):
        census.write(folder / f"{name}.zip", stamp)


def write_origins(folder: Path, origins: Origins, stamp: Stamp) -> None:
    """Write where the operations of a storm came from. Raises EnvironmentFault."""
    with writing(folder):
        write_json(folder / "origins.json", {"format": FORMAT, "stamp": stamp.to_json(), **asdict(origins)})


def write_explored(folder: Path, explored: Explored, stamp: Stamp) -> None:
    """Write what an exploration came to. Raises EnvironmentFault where that cannot be written."""
    with writing(folder):
        write_json(folder / "explored.json", {"format": FORMAT, "stamp": stamp.to_json(), **explored.to_json()})


def write_ending(folder: Path, ending: Ending, stamp: Stamp) -> None:
    """Write how a storm ended: its last file. Raises EnvironmentFault where that cannot be written."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "ending.json", {"format": ENDING_FORMAT, "stamp": stamp.to_json(), **ending.to_json()})


def write_the_rest(run: Run, ending: Ending) -> None:
    """Write how those storms ended that have no ending: they did not begin. Raises EnvironmentFault."""
    for entry in (*run.controls, *run.storms):
        if not has_ended(run, entry):
            write_ending(run.folder / entry["name"], ending, run.stamp(entry["name"]))


@contextmanager
def enduring(troubles: list[str]) -> Iterator[None]:
    """Add an EnvironmentFault's message to these troubles instead of raising it: a verdict outlives a failed write."""
    try:
        yield
    except EnvironmentFault as error:
        troubles.append(str(error))


def close(run: Run, report: Report, troubles: Sequence[str] = ()) -> Report:
    """Write a run's report, and return it, with what could not be written, after these troubles with writing others.

    A run that was refused before anything was recorded leaves no folder behind, and its report names none: it is as if
    the command line had been refused at once.
    """
    planned = any((run.folder / storm["name"] / "plan.json").exists() for storm in (*run.controls, *run.storms))
    troubles = list(troubles)
    with enduring(troubles), writing(run.folder):
        if report.exit_code != ExitCode.USAGE or planned:
            write_json(run.folder / "report.json", report.to_json())
        else:
            shutil.rmtree(run.folder)
            report = replace(report, folder="")
    return replace(report, unwritten="; ".join(dict.fromkeys(troubles)) or None)


def has_ended(run: Run, storm: Mapping[str, str]) -> bool:
    """Whether the ending of a storm is stored."""
    return (run.folder / storm["name"] / "ending.json").exists()
