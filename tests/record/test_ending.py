"""How a storm ended reads back, from today's format and from the flat one that came before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from idstorm.errors import UnreadableRun
from idstorm.findings.results import StormState
from idstorm.record import store
from idstorm.record.capacity import Capacity, Reference
from idstorm.record.ending import CensusQuality, ClientsEnd, Ending, ServerAfterwards
from idstorm.record.stored import open_run, read_storm

ENTRY = {"name": "01", "scenario": "s", "target": "t"}
CAPACITY = Capacity("int", 10, "AUTO_INCREMENT", 10, 7, references=(Reference("a.b", "int", 9),))
FULL = Ending(
    StormState.NOT_STARTED,
    "for a reason",
    ClientsEnd(("worker 1 was killed",), 2, "the quota is used up", (3, 4), 8),
    CensusQuality(quiet=False, unread="it was gone", before=5),
    ServerAfterwards({"server_version": "18.6"}, CAPACITY, "permission denied", "2026-11-26T13:06:36+00:00"),
    "it was cut off",
    ("a note",),
    "thing.db",
)
FORMAT_1: dict[str, Any] = {
    "state": "not started",
    "message": "for a reason",
    "lost_workers": ["worker 1 was killed"],
    "full_clients": 2,
    "full_because": "the quota is used up",
    "quiet": False,
    "census": "it was gone",
    "before": 5,
    "operations": [3, 4],
    "facts": {"server_version": "18.6"},
    "notes": ["a note"],
    "kept": "thing.db",
    "reader": "it was cut off",
    "capacity": {
        "column": "int",
        "column_limit": 10,
        "generator": "AUTO_INCREMENT",
        "generator_limit": 10,
        "position": 7,
        "references": [{"column": "a.b", "type": "int", "limit": 9}],
    },
    "capacity_unread": "permission denied",
    "connections": 8,
    "at": "2026-11-26T13:06:36+00:00",
}


def read(results: Path, ending: dict[str, Any] | Ending, written: int = 1) -> Ending:
    run = store.create(results, "idstorm run", [ENTRY])
    stamp = run.stamp("01")
    store.write_ending(run.folder / "01", ending if isinstance(ending, Ending) else Ending(), stamp)
    if not isinstance(ending, Ending):
        path = run.folder / "01" / "ending.json"
        path.write_text(json.dumps({"format": written, "stamp": stamp.to_json(), **ending}))
    return read_storm(open_run(run.folder), ENTRY).ending


def test_an_ending_reads_back_as_it_was_written(tmp_path: Path) -> None:
    assert read(tmp_path, FULL) == FULL


def test_an_ending_of_the_flat_format_reads_as_the_same(tmp_path: Path) -> None:
    assert read(tmp_path, FORMAT_1) == FULL


def test_what_an_older_idstorm_left_out_has_its_default(tmp_path: Path) -> None:
    older = {name: FORMAT_1[name] for name in ("state", "message", "lost_workers", "quiet", "census")}
    assert read(tmp_path, older) == Ending(
        StormState.NOT_STARTED,
        "for a reason",
        ClientsEnd(("worker 1 was killed",)),
        CensusQuality(quiet=False, unread="it was gone"),
    )


@pytest.mark.parametrize(
    ("written", "changed"),
    [
        (1, {"clients": {}}),
        (1, {"server": "x"}),
        (1, {"quiet": "no"}),
        (1, {"surprise": 1}),
        (2, {}),  # flat, although it says that it is not
        (2, {"clients": "x"}),
    ],
)
def test_any_other_ending_is_refused(tmp_path: Path, written: int, changed: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRun, match=r"ending\.json is damaged: "):
        read(tmp_path, {**FORMAT_1, **changed}, written)


def test_an_ending_of_a_newer_idstorm_is_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRun, match="newer idstorm"):
        read(tmp_path, FORMAT_1, 3)
