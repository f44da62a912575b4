"""`results`: the runs that are stored in a folder, and which of them to remove."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from idstorm.errors import EnvironmentFault, UnreadableRun
from idstorm.findings.results import Result
from idstorm.record.stored import open_run, read_result


@dataclass(frozen=True)
class StoredRun:
    """One run in a folder of results."""

    folder: Path
    kind: str  #: the command that made it
    began: datetime
    result: Result | None  #: what its report says; None: it has none that can be read
    storms: int
    label: str | None
    commit: str | None
    size: int  #: bytes


def stored_runs(results: Path) -> tuple[list[StoredRun], list[Path]]:
    """Return the runs in a folder, the newest first, and the folders of those that cannot be read.

    What is not a run is left out. Raises EnvironmentFault.
    """
    try:
        folders = [path for path in results.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError as error:
        raise EnvironmentFault(f"cannot read {results}: {error.strerror or error}; name another folder") from error
    found, unreadable = list[StoredRun](), list[Path]()
    for folder in folders:
        try:
            run = open_run(folder)
        except UnreadableRun:
            unreadable += [folder] if os.path.lexists(folder / "run.json") else []
            continue
        began = _began(run.name, folder, None if run.made is None else run.made.when)
        label, commit = (None, None) if run.made is None else (run.made.label, run.made.commit)
        result, size = read_result(run), _size(folder)
        found.append(StoredRun(folder, run.kind, began, result, len(run.storms), label, commit, size))
    return sorted(found, key=lambda run: (run.began, run.folder.name), reverse=True), sorted(unreadable)


def to_remove(
    runs: Sequence[StoredRun], *, newest: int | None, seconds: float | None, even_failed: bool
) -> list[StoredRun]:
    """Return which of these runs, the newest first, are neither among the newest so many nor younger than that.

    What failed stays unless that is asked for: so does what has no result, since it may have failed.
    """
    now = datetime.now(UTC)
    return [
        run
        for place, run in enumerate(runs)
        if (newest is None or place >= newest)
        and (seconds is None or (now - run.began).total_seconds() > seconds)
        and (even_failed or run.result not in (Result.FAILED, None))
    ]


def remove(run: StoredRun) -> None:
    """Remove a run's folder. Raises EnvironmentFault."""
    try:
        shutil.rmtree(run.folder)
    except OSError as error:
        raise EnvironmentFault(f"cannot remove {run.folder}: {error.strerror or error}") from error


def _began(name: str, folder: Path, when: str | None) -> datetime:
    """Return when a run began, as it says, or else its name, or else its file."""
    with suppress(ValueError, OverflowError):
        if when is not None and (written := datetime.fromisoformat(when)).tzinfo is not None:
            return _shown(written)
    with suppress(ValueError, OverflowError):
        return _shown(datetime.strptime(name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC))
    return datetime.fromtimestamp((folder / "run.json").stat().st_mtime, UTC)


def _shown(when: datetime) -> datetime:
    """Return a time in UTC. Raises OverflowError for one that cannot be shown in the local zone, as it is to be."""
    when.astimezone()
    return when.astimezone(UTC)


def _size(folder: Path) -> int:
    sizes = 0
    for place, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                sizes += Path(place, name).lstat().st_size
    return sizes
