"""Bad input gets one clear sentence, the right exit code, no traceback of ours, and nothing written elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from running import Idstorm, Ran

pytestmark = pytest.mark.release  # thousands of damaged files

GOOD = """
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def said(ran: Ran, code: int, *sentences: str) -> None:
    assert ran.code == code, (ran.out, ran.err)
    assert all(sentence in ran.err for sentence in sentences), ran.err
    assert "Traceback (most recent call last)" not in ran.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["autoincremnt"], "did you mean autoincrement"),
        (["nothing_like_it"], "`idstorm list` shows the catalogue"),
        (["nowhere.py"], "there is no file nowhere.py"),
        (["nowhere.models:Invoice"], "there is no module nowhere"),
        (["autoincrement:autoincrementt"], "there is autoincrement"),
        (["json:JSONDecoder"], "is neither a scenario nor a mapped class"),
        (["autoincrement", "--on", "oracle"], "oracle is not a target; a target is sqlite"),
        (["autoincrement", "--on", "me:pw@host/db"], "that is not a target"),
        (["autoincrement", "--on", "sqlite://user:pw@:port/x"], "malformed"),
        (["autoincrement", "--on", "nosuch://host/x"], "not a dialect that SQLAlchemy knows"),
        (["autoincrement", "--on", "sqlite:///:memory:"], "in-memory"),
        (["autoincrement", "--namespace", "table"], "that is schema or database"),
        (["autoincrement", "--processes", "0"], "has to be from 1 to"),
        (["autoincrement", "--clients", "-1"], "has to be from 1 to"),
        (["autoincrement", "--inserts", "0"], "has to be from 1 to"),
        (["autoincrement", "--batch", "0"], "has to be from 1 to"),
        (["autoincrement", "--time", "soon"], "write 30s, 5m or 500ms"),
        (["autoincrement", "--time", "0s"], "is not a duration"),
        (["autoincrement", "--think", "5..1ms"], "larger"),
        (["autoincrement", "--rollback", "1.5"], "has to be at least 0 and less than 1"),
        (["autoincrement", "--rollback", "nan"], "has to be at least 0 and less than 1"),
        (["autoincrement", "--rollback", "0.1", "--isolation", "autocommit"], "means nothing under AUTOCOMMIT"),
        (["autoincrement", "-j", "4", "-c", "2"], "4 processes are too many for 2 clients"),
        (["autoincrement", "-n", "10", "-T", "1s"], "cannot be used together"),
        (["autoincrement", "--rollback", "0.1", "--isolation", "AUTOCOMMIT"], "means nothing under AUTOCOMMIT"),
        (["autoincrement", "--isolation", "SOMEHOW"], "SOMEHOW"),
        (["autoincrement", "--set", "begin=never"], "it may be sqlalchemy, deferred, immediate"),
        (["autoincrement", "--set", "colour=red"], "has no such setting"),
        (["autoincrement", "--set", "begin"], "write NAME=VALUE"),
        (["autoincrement", "--set", "busy_timeout=long"], "a number of milliseconds"),
        (["autoincrement", "-c", "1000000000000000000000"], "clients has to be from 1 to 10,000"),
        (["autoincrement", "-n", "5000000000"], "inserts has to be from 1 to 4,000,000,000"),
        (["autoincrement", "-n", "400", "--seed", "9223372036854775808"], "seed has to be from 0 to"),
        (["autoincrement", "-T", "9999999999h"], "time has to be from 0 to 31,536,000"),
        (["autoincrement", "--think", "0..99999999s"], "think has to be from 0 to 3,600"),
        (["autoincrement", "--pool-timeout", "inf"], "pool-timeout has to be from 0.001 to 86,400, and inf is not"),
        (["autoincrement", "--pool-timeout", "nan"], "pool-timeout has to be"),
        (["autoincrement", "--pool-size", "1000000000000"], "pool-size has to be from 1 to 10,000"),
        (["autoincrement", "--max-overflow", "1000000000000"], "max-overflow has to be from 0 to 10,000"),
        (["autoincrement", "--repeat", "1000000000000"], "repeat has to be from 1 to 10,000"),
        (["autoincrement", "--forecast", f"{10**400}/s"], "forecast has to be"),
        (["autoincrement", "--on", "sqlite:////"], "names a folder"),
        (["autoincrement", "--fail-if", "gapless.ratio > 1e999"], "a limit that no figure can reach"),
        (["autoincrement", "--fail-if", "gapless.ratio > 1_"], "write FIGURE > NUMBER"),
        ([], "SCENARIO"),
    ],
)
def test_what_cannot_be_asked_for(idstorm: Idstorm, words: list[str], sentence: str) -> None:
    said(idstorm("run", *words), 2, sentence)
    assert {path.name for path in idstorm.folder.iterdir()} <= {"results"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
        ("import nosuchpackage", "No module named 'nosuchpackage'"),
        ("raise SystemExit(0)", "SystemExit"),
        ("x = 1", "no scenario and no mapped classes"),
        (GOOD + "\nmine = Scenario(int)", "has to be a mapped class"),
        (GOOD + "\nmine = Scenario(Thing, id='number')", "has no column number; there are id, token"),
        (GOOD + "\nmine = Scenario(Thing, needs={'wings'})", "neither a dialect nor a capability"),
        (GOOD + "\nmine = Scenario(Thing, deletes=2)", "fractions"),
        (
            GOOD + "\nfrom idstorm.scenario import may_break\n"
            "mine = Scenario(Thing, claims=[may_break('pressure', why='')])",
            "cannot be claimed away",
        ),
        (
            GOOD + "\nfrom idstorm.scenario import holds\nmine = Scenario(Thing, claims=[holds('uniqe')])",
            "which is not a check; there are pressure, unique",
        ),
        (
            GOOD + "\nfrom idstorm.scenario import holds, breaks\n"
            "mine = Scenario(Thing, claims=[holds('unique'), breaks('unique', why='')])",
            "two equally specific claims are made about unique",
        ),
        (
            "from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): pass\n"
            "class Thing(Base): __tablename__ = 'thing'",
            "could not assemble any primary key",
        ),
    ],
)
def test_a_file_that_is_at_fault_is_shown_as_the_users_own(idstorm: Idstorm, body: str, sentence: str) -> None:
    ran = idstorm("run", idstorm.write("mine.py", body))
    said(ran, 2, sentence)
    assert "importlib" not in ran.err
    assert "harness" not in ran.err


def test_a_driver_that_is_not_installed_is_named_with_its_package(idstorm: Idstorm) -> None:
    idstorm.write("psycopg2.py", "raise ModuleNotFoundError(\"No module named 'psycopg2'\", name='psycopg2')")
    ran = idstorm("run", "autoincrement", "--on", "postgresql+psycopg2://u:pw@localhost/x")
    said(ran, 2, "psycopg2", "pip install psycopg2-binary")


def test_results_below_a_file_cannot_be_written(idstorm: Idstorm) -> None:
    idstorm.write("file", "")
    said(idstorm("run", "autoincrement", "--results", "file/results"), 3, "cannot write to", "--results")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_results_folder_is_named(idstorm: Idstorm) -> None:
    (idstorm.folder / "results").mkdir(mode=0o500)
    said(idstorm("run", "autoincrement"), 3, "cannot write to")


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for five segments of tapes, a census and a report."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=540k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs to be root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_stops_the_clients_before_they_act(idstorm: Idstorm, full: Path) -> None:
    ran = idstorm("run", "autoincrement", "-T", "60s", "-c", "4", "--results", str(full), "--json", "-")
    assert ran.code == 3, ran.err
    (judged,) = ran.report["storms"]
    assert "since the disk of the results is full" in judged["verdicts"]["pressure"]["reason"]
    assert judged["verdicts"]["durable"]["status"] == "held"
    assert judged["operations"]["acknowledged"] > 1_000
    (folder,) = (path for path in full.iterdir() if path.is_dir())
    assert list(full.rglob("*.partial")) == []
    assert idstorm("check", str(folder)).code == 3


def test_a_full_results_folder_is_named(idstorm: Idstorm, full: Path) -> None:
    with (full / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    said(idstorm("run", "autoincrement", "-n", "400", "--results", str(full)), 3, "cannot write to")


def test_a_sqlite_file_that_cannot_be_written_is_an_environments_fault(idstorm: Idstorm) -> None:
    ran = idstorm("run", "autoincrement", "--on", "sqlite:////nowhere/at/all/app.db", "-n", "400")
    assert ran.code == 3
    assert "cannot make a file in /nowhere/at/all" in ran.err


def test_a_report_that_cannot_be_written_is_said(idstorm: Idstorm) -> None:
    said(idstorm("run", "autoincrement", "-n", "400", "--json", "nowhere/report.json"), 3, "cannot write")


@pytest.fixture
def run(idstorm: Idstorm) -> Path:
    """The folder of a run that passed."""
    assert idstorm("run", "autoincrement", "-n", "400", "-q").code == 0
    return idstorm.run_folder


def test_a_folder_that_is_no_run_is_not_judged(idstorm: Idstorm) -> None:
    said(idstorm("check", "."), 3, "is not a run of idstorm")
    said(idstorm("check", "nowhere"), 3, "is not a run of idstorm")


@pytest.mark.parametrize(
    "damaged",
    ["run.json", "*/plan.json", "*/ending.json", "*/census.zip", "*/history.zip"],
)
def test_a_truncated_file_is_not_judged(idstorm: Idstorm, run: Path, damaged: str) -> None:
    (path,) = run.glob(damaged)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    said(idstorm("check", str(run)), 3)


@pytest.mark.parametrize("missing", ["*/census.zip", "*/history.zip", "*/plan.json"])
def test_a_missing_file_is_not_taken_for_a_pass(idstorm: Idstorm, run: Path, missing: str) -> None:
    (path,) = run.glob(missing)
    path.unlink()
    said(idstorm("check", str(run)), 3)


@pytest.mark.parametrize("name", ["run.json", "*/plan.json", "*/ending.json"])
@pytest.mark.parametrize("content", ["[]", "{}", '{"format": 1}', '{"format": 1, "what": "idstorm run", "storms": 5}'])
def test_other_json_is_not_judged(idstorm: Idstorm, run: Path, name: str, content: str) -> None:
    (path,) = run.glob(name)
    path.write_text(content)
    said(idstorm("check", str(run)), 3)


def test_a_storm_outside_its_run_is_not_judged(idstorm: Idstorm, run: Path) -> None:
    data = json.loads((run / "run.json").read_text())
    data["storms"][0]["name"] = ".."
    (run / "run.json").write_text(json.dumps(data))
    said(idstorm("check", str(run)), 3, "outside the run")


@pytest.mark.parametrize("name", ["run.json", "*/plan.json", "*/ending.json"])
def test_a_run_of_a_newer_format_is_refused_and_says_so(idstorm: Idstorm, run: Path, name: str) -> None:
    (path,) = run.glob(name)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    said(idstorm("check", str(run)), 3, "newer idstorm")


@pytest.mark.parametrize("name", ["*/census.zip", "*/history.zip"])
def test_an_archive_of_a_newer_format_is_refused_and_says_so(idstorm: Idstorm, run: Path, name: str) -> None:
    (path,) = run.glob(name)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members["about.json"] = json.dumps({**json.loads(members["about.json"]), "format": 99}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    said(idstorm("check", str(run)), 3, "newer idstorm")
