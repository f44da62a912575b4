"""Where a result cannot be written, what failed has failed all the same, and is shown wherever it can be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from idstorm.cli.reports import console
from idstorm.report import live
from idstorm.storm.progress import Progress
from running import STRANGERS_IDS, Idstorm


@pytest.fixture
def failed(idstorm: Idstorm) -> Path:
    """The folder of a run that failed."""
    assert idstorm("run", idstorm.write("mine.py", STRANGERS_IDS), "-n", "400", "-q").code == 1
    return idstorm.run_folder


def test_a_file_that_cannot_be_written_is_refused_before_a_storm(idstorm: Idstorm) -> None:
    (idstorm.folder / "folder").mkdir()
    for option in ("--json", "--junit", "--markdown"):
        for name in ("nowhere/report", "folder"):
            ran = idstorm("run", "autoincrement", "-n", "400", option, name)
            assert (ran.code, ran.out) == (3, "")
            assert ran.err.startswith("Error: cannot write to")
            assert option in ran.err
    assert not (idstorm.folder / "results").exists()


def test_trying_a_file_leaves_it_as_it_is(idstorm: Idstorm) -> None:
    idstorm.write("report.json", "mine")
    assert idstorm("check", "nowhere", "--json", "report.json", "--junit", "junit.xml").code == 3
    assert (idstorm.folder / "report.json").read_text() == "mine"
    assert not (idstorm.folder / "junit.xml").exists()


def test_a_dry_run_tries_no_file(idstorm: Idstorm) -> None:
    assert idstorm("run", "autoincrement", "--dry-run", "--json", "nowhere/report.json").code == 0


def test_a_failure_is_shown_and_stays_one_though_no_file_can_be_written(idstorm: Idstorm, failed: Path) -> None:
    words = [word for option in ("json", "junit", "markdown") for word in (f"--{option}", f"pipes/{option}")]
    (idstorm.folder / "pipes").mkdir()
    for option in ("json", "junit", "markdown"):
        (idstorm.folder / "pipes" / option).symlink_to("/dev/full")
    ran = idstorm("check", str(failed), *words)
    assert ran.code == 1
    assert "FAILED" in ran.out
    assert ran.err.count("No space left on device") == 3


@pytest.mark.parametrize("words", [(), ("--json", "-"), ("-q",)])
def test_a_failure_stays_one_behind_a_stdout_that_is_full(failed: Path, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "idstorm", "check", str(failed), *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "Error: cannot write to stdout: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_of_stdout_that_has_gone_takes_no_annotation_and_no_summary_with_it(
    idstorm: Idstorm, failed: Path
) -> None:
    environ = {**os.environ, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(idstorm.folder / "summary.md")}
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "idstorm", "check", str(failed)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environ)
    assert done.returncode == 1
    assert "::error " in done.stderr
    assert "idstorm: FAILED" in (idstorm.folder / "summary.md").read_text()


def _full() -> TextIO:
    return open("/dev/full", "w", buffering=1)


def _broken_pipe() -> TextIO:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", buffering=1)


@pytest.mark.parametrize("stream", [_full, _broken_pipe])
def test_progress_that_nobody_can_read_ends_no_storm(
    monkeypatch: pytest.MonkeyPatch, stream: Callable[[], TextIO]
) -> None:
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(live, "_PLAIN_EVERY", -1.0)
    with live.live(console(stderr=True)) as show:
        show(Progress("mine", "sqlite", 1.0, None, 400, 200, 200, 0))
    monkeypatch.undo()
    with suppress(OSError):
        stderr.close()


def test_streams_that_are_closed_cost_a_storm_nothing(idstorm: Idstorm) -> None:
    command = f'"{sys.executable}" -m idstorm run autoincrement -n 400 --json report.json'
    done = subprocess.run(["bash", "-c", f"{command} <&- >&- 2>&-"], cwd=idstorm.folder)
    assert done.returncode == 0
    assert json.loads((idstorm.folder / "report.json").read_text())["result"] == "passed"
