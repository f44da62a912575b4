"""A run's folder: `results/<run>/`, with a folder for each storm.

    run.json               the command, and the storms in order; of repeated ones, which is the first of them
    <storm>/plan.json      the frozen plan
    <storm>/tapes/         one tape for each client; once the storm has ended, they are packed into
    <storm>/history.zip    a file of a few bytes an operation
    <storm>/before.zip     the census before the first client started, where the table was not empty
    <storm>/census.zip     the census afterwards
    <storm>/origins.json   where operations came from, where that was not from clients of idstorm's own
    <storm>/reader.*       what a reader saw all the while, if there was one
    <storm>/ending.json    how it ended: written last
    report.json            what the judge made of it

Every file but the tapes is written whole under another name and then renamed; tapes read back at any moment. A storm
without an ending was cut short together with idstorm: what its tapes hold is judged, and what is missing is unknown.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from idstorm.errors import EnvironmentFault, UnreadableRun, UsageError
from idstorm.record.capacity import Capacity
from idstorm.record.census import Census
from idstorm.record.collect import read_packed, read_tapes
from idstorm.record.compact import HISTORY
from idstorm.record.gate import Gate, parse_gate
from idstorm.record.history import History
from idstorm.record.origins import Origins
from idstorm.record.plan import Plan
from idstorm.record.reading import Reading, read_reading
from idstorm.record.verdict import Report

FORMAT = 1

_MARK = "idstorm run"


@dataclass(frozen=True)
class Ending:
    """How a storm ended."""

    state: str  #: finished, interrupted, not started, not applicable, at fault, failed fast, unfinished
    message: str | None = None  #: for a reader: why it ended as it did
    lost_workers: tuple[str, ...] = ()  #: what is known of each worker that ended without being told to
    full_clients: int = 0  #: clients that stopped because the disk was full
    quiet: bool = True  #: the storm's own sessions had ended before the census was taken
    census: str | None = None  #: why the census could not be read
    before: int = 0  #: rows of the census that was taken before the first client started
    operations: tuple[int, ...] | None = None  #: the operations on each client's tape
    facts: dict[str, Any] = field(default_factory=dict)  #: the target's facts afterwards
    notes: tuple[str, ...] = ()  #: what the scenario's environment had to say
    kept: str | None = None  #: where the namespace is that was not taken away
    reader: str | None = None  #: why the reader did not come to its end
    capacity: Capacity | None = None  #: how far the ids can go
    at: str | None = None  #: when that was, in UTC


@dataclass(frozen=True)
class StoredStorm:
    """One storm as it was recorded. Without a plan it never came to one."""

    name: str
    scenario: str
    target: str
    plan: Plan | None
    ending: Ending
    history: History | None
    before: Census | None
    census: Census | None
    reading: Reading | None = None
    origins: Origins | None = None


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

    @property
    def name(self) -> str:
        """The name of the run, which is that of its folder."""
        return self.folder.name


def create(
    results: Path,
    command: str,
    storms: Sequence[Mapping[str, str]],
    kind: str = "run",
    gates: Sequence[Gate] = (),
    *,
    until_broken: bool = False,
) -> Run:
    """Make a run's folder below `results`, which gets a .gitignore of its own if idstorm makes it.

    Raises EnvironmentFault where that cannot be written.
    """
    with writing(results):
        if not results.exists():
            results.mkdir(parents=True)
            (results / ".gitignore").write_text("*\n")
        while True:
            folder = results / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
            with suppress(FileExistsError):
                folder.mkdir()
                break
    run = Run(folder, command, tuple(storms), kind, tuple(gates), until_broken)
    write_run(run)
    return run


def write_run(run: Run) -> None:
    """Write what a run's folder says of itself. Raises EnvironmentFault."""
    with writing(run.folder):
        about = {"what": _MARK, "format": FORMAT, "kind": run.kind, "command": run.command, "storms": run.storms}
        about["gates"] = [str(gate) for gate in run.gates]
        about |= {"until_broken": True, "seconds": run.seconds} if run.until_broken else {}
        write_json(run.folder / "run.json", about)


def added(run: Run, storm: Mapping[str, str]) -> Run:
    """Return the run with one more storm, if it is not among its storms, and write that down."""
    if storm in run.storms:
        return run
    longer = replace(run, storms=(*run.storms, storm))
    write_run(longer)
    return longer


@contextmanager
def writing(path: Path, option: str = "--results") -> Iterator[None]:
    """Turn what the system says against writing here into an EnvironmentFault that names the option to change."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise EnvironmentFault(f"cannot write to {path}: {reason}; choose another place with {option}") from error


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(data, indent=1, default=str) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_plan(folder: Path, plan: Plan) -> None:
    """Write a storm's plan into its folder, and make the folder of its tapes. Raises EnvironmentFault."""
    with writing(folder):
        (folder / "tapes").mkdir(parents=True)
        write_json(folder / "plan.json", {"format": FORMAT, **plan.to_json()})


def write_census(folder: Path, name: str, census: Census) -> None:
    """Write a census into a storm's folder. Raises EnvironmentFault."""
    with writing(folder):
        census.write(folder / f"{name}.zip")


def write_origins(folder: Path, origins: Origins) -> None:
    """Write where the operations of a storm came from. Raises EnvironmentFault."""
    with writing(folder):
        write_json(folder / "origins.json", {"format": FORMAT, **asdict(origins)})


def write_ending(folder: Path, ending: Ending) -> None:
    """Write how a storm ended: its last file. Raises EnvironmentFault where that cannot be written."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "ending.json", {"format": FORMAT, **asdict(ending)})


def write_report(run: Run, report: Report) -> None:
    """Write a run's report. Raises EnvironmentFault."""
    with writing(run.folder):
        write_json(run.folder / "report.json", report.to_json())


def open_run(folder: Path) -> Run:
    """Return the run in this folder. Raises UnreadableRun where there is none that can be read."""
    data = _read_json(folder / "run.json") if (folder / "run.json").is_file() else {}
    if data.get("what") != _MARK:
        raise UnreadableRun(f"{folder} is no run of idstorm: it has no run.json of one")
    try:
        storms = tuple(_entry(storm) for storm in data["storms"])
        if any(Path(storm["name"]).name != storm["name"] or storm["name"] == ".." for storm in storms):
            raise ValueError("a storm lies outside the run")
        gates = tuple(parse_gate(str(gate)) for gate in data.get("gates", ()))
        seconds = None if data.get("seconds") is None else float(data["seconds"])
        kind, until_broken = str(data.get("kind", "run")), bool(data.get("until_broken", False))
        return Run(folder, str(data["command"]), storms, kind, gates, until_broken, seconds)
    except (KeyError, TypeError, ValueError, UsageError) as error:
        raise UnreadableRun(f"{folder / 'run.json'} is damaged: {error!r}") from error


def _entry(storm: Mapping[str, Any]) -> dict[str, str]:
    keys = ("name", "scenario", "target", *(["repeats"] if "repeats" in storm else []))
    return {key: str(storm[key]) for key in keys}


def has_ended(run: Run, storm: Mapping[str, str]) -> bool:
    """Whether it is written down how a storm ended."""
    return (run.folder / storm["name"] / "ending.json").exists()


def read_storm(run: Run, storm: Mapping[str, str]) -> StoredStorm:
    """Return what was recorded of one storm. Raises UnreadableRun for what is truncated, foreign or newer."""
    folder = run.folder / storm["name"]
    try:
        ending = _ending(folder / "ending.json")
        plan = _plan(folder / "plan.json")
        history = before = census = reading = origins = None
        if plan is None and ending.state in ("finished", "failed fast"):
            raise UnreadableRun(f"{folder} has lost its plan.json")
        if plan is not None and _was_stormed(folder) and ending.state not in ("not started", "not applicable"):
            packed = folder / HISTORY
            history = read_packed(packed, plan) if packed.exists() else read_tapes(folder / "tapes", plan)
            counted = tuple((history.op_offsets[1:] - history.op_offsets[:-1]).tolist())
            if ending.operations not in (None, counted):
                raise UnreadableRun(
                    f"the history in {folder} is truncated: {ending.operations} operations, not {counted}"
                )
            codec = plan.ids.codec
            if ending.before or (folder / "before.zip").exists():
                before = Census.read(folder / "before.zip", codec)
            if ending.census is None:
                census = Census.read(folder / "census.zip", codec)
            reading = read_reading(folder)
            origins = _origins(folder / "origins.json")
    except OSError as error:
        raise UnreadableRun(f"cannot read {folder}: {error.strerror or error}") from error
    return StoredStorm(
        storm["name"], storm["scenario"], storm["target"], plan, ending, history, before, census, reading, origins
    )


def _was_stormed(folder: Path) -> bool:
    return (folder / HISTORY).exists() or (folder / "tapes").is_dir()


def _ending(path: Path) -> Ending:
    if not path.exists():
        words = "idstorm itself was ended before the storm was: what is not on its tapes is unknown"
        return Ending("unfinished", words, census="there is no census: idstorm was ended before it")
    data = _read_json(path)
    try:
        counts, capacity = data["operations"], data.get("capacity")
        return Ending(
            **{
                **data,
                "lost_workers": tuple(data["lost_workers"]),
                "notes": tuple(data.get("notes", ())),
                "operations": None if counts is None else tuple(counts),
                "capacity": None if capacity is None else Capacity(**capacity),
            }
        )
    except (KeyError, TypeError) as error:
        raise UnreadableRun(f"{path} is damaged: {error!r}") from error


def _plan(path: Path) -> Plan | None:
    if not path.exists():
        return None
    try:
        return Plan.from_json(_read_json(path))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableRun(f"{path} is damaged: {error!r}") from error


def _origins(path: Path) -> Origins | None:
    if not path.exists():
        return None
    data = _read_json(path)
    try:
        return Origins(tuple(data["names"]), tuple(map(tuple, data["places"])))
    except (KeyError, TypeError) as error:
        raise UnreadableRun(f"{path} is damaged: {error!r}") from error


def _read_json(path: Path) -> dict[str, Any]:
    """Return a file's JSON object without its format, which is looked at first."""
    try:
        data = json.loads(path.read_text())
        written = data.pop("format")
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise UnreadableRun(f"{path} is damaged, or was not written by idstorm: {error!r}") from error
    if not isinstance(written, int) or written > FORMAT:
        raise UnreadableRun(f"{path} was written by a newer idstorm (format {written}): upgrade to read it")
    result: dict[str, Any] = data
    return result
