"""A run's folder is made, and written, whatever else happens at the same time."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest

from idstorm.atomic import write_text
from idstorm.errors import EnvironmentFault
from idstorm.findings.results import StormState
from idstorm.record import store
from idstorm.record.ending import Ending, ServerAfterwards
from idstorm.record.stored import open_run, read_storm


def test_two_runs_that_make_one_results_folder_at_the_same_instant_both_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, make = tmp_path / "some" / "results", Path.mkdir

    def make_after_another(path: Path, *args: Any, **options: Any) -> None:
        if path == results and not path.is_dir():
            make(path, parents=True)  # the other one
        make(path, *args, **options)

    monkeypatch.setattr(Path, "mkdir", make_after_another)
    run = store.create(results, "idstorm run", [])
    assert (run.folder / "run.json").is_file()
    assert run.folder.parent == results


def test_a_file_is_no_results_folder(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine")
    with pytest.raises(EnvironmentFault, match="cannot write to"):
        store.create(tmp_path / "results", "idstorm run", [])


def test_what_could_not_be_written_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "report.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_text(tmp_path / "report.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_what_a_server_says_is_read_again_whatever_it_is(tmp_path: Path) -> None:
    entry = {"name": "01", "scenario": "s", "target": "t"}
    run = store.create(tmp_path / "results", "idstorm run", [entry])
    facts = {"a": nan, "b": [inf, -inf], "c": {"d": 10**100}, "e": (1, 0.5, None, True, "NaN", 10**80)}
    store.write_ending(
        run.folder / "01", Ending(StormState.NOT_STARTED, server=ServerAfterwards(facts=facts)), run.stamp("01")
    )
    read = read_storm(open_run(run.folder), entry).ending.server.facts
    expected = {"a": "nan", "b": ["inf", "-inf"], "c": {"d": f"1{'0' * 100}"}}
    assert read == {**expected, "e": [1, 0.5, None, True, "NaN", 10**80]}
