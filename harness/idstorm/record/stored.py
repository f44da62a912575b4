"""Reading a run's folder back: whatever is not as `idstorm.record.store` writes it is an UnreadableRun."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unicodedata import category

import msgspec

from idstorm.errors import UnreadableRun, UsageError
from idstorm.findings.gate import parse_gate
from idstorm.findings.results import Result, StormState
from idstorm.findings.verdict import Report
from idstorm.record.census import Census
from idstorm.record.ending import ENDING_FORMAT, CensusQuality, Ending
from idstorm.record.explored import Explored
from idstorm.record.files import LARGEST_JSON, intact, loads, read_text, refuse_newer, refuse_strange
from idstorm.record.habits import Habits
from idstorm.record.history import History
from idstorm.record.load_history import read_packed, read_tapes
from idstorm.record.origins import Origins
from idstorm.record.pack_history import HISTORY
from idstorm.record.plan import Plan
from idstorm.record.poll_log import Reading, read_reading
from idstorm.record.provenance import Provenance
from idstorm.record.shapes import read_as
from idstorm.record.stamp import OLDER, Stamp
from idstorm.record.store import FORMAT, MARK, Run

_UNSEEN = ("Cc", "Cs")  # control characters, and halves of others
LARGEST_ORIGINS = 1 << 26
LARGEST_EXPLORED = 1 << 26
_RECORDED = (StormState.FINISHED, StormState.FAILED_FAST)
"""How a storm ends only after it has recorded something."""


@dataclass(frozen=True)
class StoredStorm:
    """One storm as it was recorded. `plan` is None if it ended before it had one."""

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


def open_run(folder: Path) -> Run:
    """Return the run in this folder. Raises UnreadableRun where there is none that can be read."""
    try:
        there = (folder / "run.json").is_file()
    except (OSError, ValueError):  # no path at all
        there = False
    data = _read_json(_plain(folder / "run.json")) if there else {}
    if data.get("what") != MARK:
        raise UnreadableRun(f"{folder} is not a run of idstorm: it has no run.json of one")
    made_as = data.get("run")
    _check_report(folder / "report.json", made_as)
    try:
        storms = tuple(_entry(storm) for storm in data["storms"])
        controls = tuple(_entry(storm) for storm in data.get("controls", ()))
        names = [storm["name"] for storm in (*controls, *storms)]
        if not all(map(_is_folder, names)):
            raise ValueError("a storm lies outside the run")
        if len({name.casefold() for name in names}) < len(names):  # which is one folder where case means nothing
            raise ValueError("it names a storm twice")
        gates = tuple(parse_gate(str(gate)) for gate in data.get("gates", ()))
        seconds = None if data.get("seconds") is None else float(data["seconds"])
        kind, until_broken = str(data.get("kind", "run")), bool(data.get("until_broken", False))
        made_as = None if made_as is None else str(made_as)
        made = None if data.get("made") is None else Provenance.from_json(data["made"])
        explored = None if data.get("explored") is None else str(data["explored"])
        if explored is not None and (not _is_folder(explored) or kind != "matrix"):
            raise ValueError("what explored it is not a run beside it")
        return Run(
            folder, str(data["command"]), storms, kind, gates, until_broken, seconds, controls, made_as, made, explored
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, UsageError) as error:
        raise UnreadableRun(f"{folder / 'run.json'} is damaged: {error!r}") from error


def _is_folder(name: str) -> bool:
    """Whether a name can be that of a folder in a run."""
    return name not in ("", "..") and Path(name).name == name and not any(category(one) in _UNSEEN for one in name)


def _plain(path: Path) -> Path:
    """Return a path that leads to a plain file. Raises UnreadableRun."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise UnreadableRun(f"{path} is a link, a pipe or a device: a run has only files and folders")
    return path


def _entry(storm: Mapping[str, Any]) -> dict[str, str]:
    keys = ("name", "scenario", "target", *(["repeats"] if "repeats" in storm else []))
    return {key: str(storm[key]) for key in keys}


def read_storm(run: Run, storm: Mapping[str, str], within: str = "") -> StoredStorm:
    """Return what was recorded of one storm. Raises UnreadableRun if a file is truncated, foreign or newer.

    `within` is the folder of one schedule in that of an exploration.
    """
    if within and not _is_folder(within):
        raise UnreadableRun(f"a schedule of {storm['name']} lies outside the run")
    folder = run.folder / storm["name"] / within
    try:
        for part in (folder, folder / "tapes"):
            if os.path.lexists(part):
                refuse_strange(part)
        plan = _plan(folder / "plan.json", run, storm["name"])
        stamp = replace(run.stamp(storm["name"]) if plan is None else plan.stamp, older=run.made_as is None)
        ending = _ending(folder / "ending.json", stamp)
        history = before = census = reading = origins = None
        if plan is None and ending.state in _RECORDED:
            raise UnreadableRun(f"{folder} has lost its plan.json")
        if plan is not None and _was_stormed(folder, ending):
            packed = folder / HISTORY
            history = read_packed(packed, plan, stamp) if packed.exists() else read_tapes(folder / "tapes", plan, stamp)
            counted = tuple((history.op_offsets[1:] - history.op_offsets[:-1]).tolist())
            if ending.clients.operations not in (None, counted):
                raise UnreadableRun(
                    f"the history in {folder} is truncated: {ending.clients.operations} operations, not {counted}"
                )
            codec = plan.ids.codec
            if ending.census.before or (folder / "before.zip").exists():
                before = Census.read(folder / "before.zip", codec, stamp)
            if ending.census.unread is None:
                census = Census.read(folder / "census.zip", codec, stamp)
            reading = read_reading(folder, stamp)
            origins = _origins(folder / "origins.json", stamp, counted)
    except OSError as error:
        raise UnreadableRun(f"cannot read {folder}: {error.strerror or error}") from error
    if plan is not None:
        _try_habits(folder, plan, ending)
    if plan is not None and stamp.older:
        ending = replace(ending, notes=(*ending.notes, OLDER))
    return StoredStorm(
        storm["name"], storm["scenario"], storm["target"], plan, ending, history, before, census, reading, origins
    )


def read_exploration(run: Run, storm: Mapping[str, str]) -> tuple[StoredStorm, Explored | None]:
    """Return the plan of an exploration and how it ended, and what it came to; None where that was not known yet.

    Raises UnreadableRun if a file is truncated, foreign or newer.
    """
    folder = run.folder / storm["name"]
    if os.path.lexists(folder):
        refuse_strange(folder)
    plan = _plan(folder / "plan.json", run, storm["name"])
    ending = _ending(folder / "ending.json", run.stamp(storm["name"]) if plan is None else plan.stamp)
    explored, path = None, folder / "explored.json"
    if plan is not None and path.exists():
        data = _read_json(path, plan.stamp, LARGEST_EXPLORED)
        with intact(path):
            explored = Explored.from_json(data, plan)
    return StoredStorm(storm["name"], storm["scenario"], storm["target"], plan, ending, None, None, None), explored


def _try_habits(folder: Path, plan: Plan, ending: Ending) -> None:
    """Raise UnreadableRun if the facts about the database's generators are malformed."""
    try:
        Habits.of({**plan.target.facts, **ending.server.facts}, plan.target.capabilities)
    except (TypeError, ValueError) as error:
        raise UnreadableRun(f"the facts in {folder} are damaged: {error}") from error


def _was_stormed(folder: Path, ending: Ending) -> bool:
    """Whether there is something to judge. Raises UnreadableRun if there once was, and it is gone."""
    if (folder / HISTORY).exists() or any((folder / "tapes").glob("client-*.tape")):
        return True
    if ending.clients.operations is None and ending.state in (StormState.NOT_STARTED, StormState.NOT_APPLICABLE):
        return False
    if not (folder / "tapes").is_dir() and (ending.clients.operations is not None or ending.state in _RECORDED):
        raise UnreadableRun(f"{folder} has lost its {HISTORY}: there is nothing to judge")
    return (folder / "tapes").is_dir()


def _ending(path: Path, stamp: Stamp) -> Ending:
    if not path.exists():
        words = "idstorm was ended, or could not write, before the storm had ended: what is not on its tapes is unknown"
        no_census = CensusQuality(unread="there is no census: idstorm ended before it was taken")
        return Ending(StormState.UNFINISHED, words, census=no_census)
    written, data = _read_versioned(path, stamp, newest=ENDING_FORMAT)
    with intact(path):
        return Ending.from_json(data, written)


def _plan(path: Path, run: Run, storm: str) -> Plan | None:
    """Return a storm's plan, which names its run even if it is older than stamps."""
    if not path.exists():
        return None
    data = _read_json(path)
    with intact(path):
        plan = Plan.from_json(data)
    Stamp(run.made_as or plan.run, storm).check(plan.stamp.to_json(), path)
    return plan


def _origins(path: Path, stamp: Stamp, counted: Sequence[int]) -> Origins | None:
    """Return the origins of the operations, one for each that was counted."""
    if not path.exists():
        return None
    data = _read_json(path, stamp, LARGEST_ORIGINS)
    with intact(path):
        origins = read_as(Origins, data)
        places = {place for of_client in origins.places for place in of_client}
        if [len(of_client) for of_client in origins.places] != list(counted) or places - set(range(len(origins.names))):
            raise ValueError("it does not name one origin for each operation")
    return origins


def read_result(run: Run) -> Result | None:
    """Return the result that a run's report says; None: it has no report that can be read."""
    try:
        return Result(_read_json(_plain(run.folder / "report.json"))["result"])
    except (UnreadableRun, OSError, KeyError, ValueError):
        return None


def read_report(run: Run) -> Report | None:
    """Return the report that was stored with a run; None: it has none that can be read."""
    try:
        data = _read_json(_plain(run.folder / "report.json"))
        report = msgspec.convert({**data, "folder": str(run.folder)}, Report)
        named = all(isinstance(storm.target.get("name"), str) for storm in (*report.storms, *report.repeats))
        return report if named else None
    except (UnreadableRun, OSError, ValueError, RecursionError, msgspec.ValidationError):
        return None


def _check_report(path: Path, run: str | None) -> None:
    """Raise UnreadableRun if the report in a run's folder is another run's."""
    if run is None or not os.path.lexists(path):
        return
    if _plain(path).stat().st_size > LARGEST_JSON:  # a run of very many storms has one: it is judged again in any case
        return
    theirs = _read_json(path).get("run")
    if theirs != run:
        raise UnreadableRun(f"{path} belongs to another run: {theirs}, not {run}")


def _read_json(path: Path, stamp: Stamp | None = None, largest: int = LARGEST_JSON) -> dict[str, Any]:
    """Return a file's JSON object without its format and stamp, which are checked first."""
    return _read_versioned(path, stamp, largest)[1]


def _read_versioned(
    path: Path, stamp: Stamp | None, largest: int = LARGEST_JSON, newest: int = FORMAT
) -> tuple[int, dict[str, Any]]:
    """Return the format of a file, and its JSON object without format and stamp."""
    try:
        data = loads(read_text(path, largest))
        written, found = data.pop("format"), data.pop("stamp", None)
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise UnreadableRun(f"{path} is damaged, or was not written by idstorm: {error!r}") from error
    refuse_newer(path, written, newest)
    if stamp is not None:
        stamp.check(found, path)
    return written, data
