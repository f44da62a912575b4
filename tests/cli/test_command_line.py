"""What the command line promises: help, live progress, JSON, and a run that can be judged and repeated."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest

from idstorm import __version__
from idstorm.findings.checks import CHECKS
from idstorm.findings.results import EXIT_CODES
from running import STRANGERS_IDS, Idstorm


def test_the_help_shows_the_commands_and_every_exit_code(idstorm: Idstorm) -> None:
    shown = idstorm("--help").out
    assert all(command in shown for command in ("run", "check", "list", "show", "doctor"))
    for code, meaning in EXIT_CODES.items():
        assert f"{int(code)} " in shown
        assert meaning.split(":")[0] in shown


def test_the_help_does_not_wait_for_large_packages(idstorm: Idstorm) -> None:
    idstorm.write("numpy.py", "raise SystemExit('numpy was imported')")
    idstorm.write("sqlalchemy.py", "raise SystemExit('sqlalchemy was imported')")
    idstorm.write("rich.py", "raise SystemExit('rich was imported')")
    idstorm.write("junitparser.py", "raise SystemExit('junitparser was imported')")
    assert idstorm("run", "--help").code == 0
    assert idstorm("--version").out.strip().endswith(__version__)


def test_a_report_has_the_skeleton_that_others_build_on(idstorm: Idstorm) -> None:
    report = idstorm.storm("autoincrement", "--seed", "7", "-j", "2").report
    assert (report["format"], report["result"], report["exit_code"]) == (1, "passed", 0)
    assert report["command"].startswith("idstorm run autoincrement")
    (storm,) = report["storms"]
    assert (storm["scenario"], storm["result"]) == ("autoincrement", "passed")
    assert {"dialect": "sqlite", "driver": "pysqlite"}.items() <= storm["target"].items()
    assert storm["target"]["facts"]["journal_mode"] == "wal"
    assert {"processes": 2, "clients": 8, "batch": 1, "seed": 7}.items() <= storm["fleet"].items()
    operations = storm["operations"]
    assert operations["attempted"] == operations["acknowledged"] == 400
    assert operations["failed"] == operations["unknown"] == operations["rolled_back"] == 0
    assert 0 < operations["latency_ms"]["p50"] <= operations["latency_ms"]["p95"] <= operations["latency_ms"]["max"]
    assert operations["errors"] == {"total": 0, "by_code": {}}
    assert list(storm["verdicts"]) == list(CHECKS)
    for verdict in storm["verdicts"].values():
        assert {"status", "claim", "result", "reason", "figures", "witnesses"} <= set(verdict)


def test_json_on_stdout_is_alone_there_and_the_same_as_in_the_run(idstorm: Idstorm) -> None:
    ran = idstorm.storm("autoincrement")
    assert ran.report == json.loads((idstorm.run_folder / "report.json").read_text())
    assert "PASSED" in ran.err


@pytest.mark.parametrize("scenario", ["max_plus_one", "delete_reuse"])
def test_a_stored_run_is_judged_alike_without_database_and_users_code(idstorm: Idstorm, scenario: str) -> None:
    ran = idstorm.storm(scenario, "-n", "1200")
    moved = idstorm.run_folder.rename(idstorm.folder / "elsewhere")
    idstorm.write("sqlalchemy.py", "raise SystemExit('SQLAlchemy was imported')")
    checked = idstorm("check", str(moved), "--json", "-")
    assert checked.code == ran.code == 0
    assert checked.report == ran.report


def test_the_command_in_a_report_repeats_the_run(idstorm: Idstorm) -> None:
    words = ("--batch", "2", "--rollback", "0.25", "--think", "0..1ms", "--set", "begin=immediate", "--seed", "5")
    report = idstorm.storm("autoincrement", *words).report
    program, *again = shlex.split(report["command"])
    assert program == "idstorm"
    repeated = idstorm(*again, "--json", "-").report
    assert repeated["command"] == report["command"]
    assert repeated["storms"][0]["fleet"] == report["storms"][0]["fleet"]
    assert repeated["storms"][0]["operations"]["rolled_back"] == report["storms"][0]["operations"]["rolled_back"] > 0


def test_several_scenarios_and_targets_make_a_storm_each(idstorm: Idstorm) -> None:
    ran = idstorm.storm("uuid4", "delete_reuse", "--on", "sqlite", "--on", "sqlite:///app.db", "-n", "300")
    assert [(storm["scenario"], storm["target"]["name"]) for storm in ran.report["storms"]] == [
        (scenario, target)
        for scenario in ("uuid4", "delete_reuse", "delete_reuse:autoincrement_keyword")
        for target in ("sqlite", "sqlite:///app.db")
    ]
    assert [path.name for path in idstorm.folder.iterdir()] == ["results"]


def test_a_file_beside_a_storm_is_never_opened(idstorm: Idstorm) -> None:
    (idstorm.folder / "app.db").write_bytes(b"not a database at all")
    assert idstorm("run", "autoincrement", "--on", "sqlite:///app.db", "-n", "400").code == 0
    assert (idstorm.folder / "app.db").read_bytes() == b"not a database at all"


def test_on_a_pipe_progress_is_a_plain_line_now_and_then(idstorm: Idstorm) -> None:
    ran = idstorm("run", "autoincrement", "-T", "6s")
    assert "autoincrement on sqlite" in ran.err
    assert "/s" in ran.err
    assert "\x1b" not in ran.err + ran.out


def test_quiet_prints_the_result_alone(idstorm: Idstorm) -> None:
    ran = idstorm("run", "autoincrement", "-n", "400", "-q")
    assert ran.err == ""
    assert len(ran.out.splitlines()) == 1
    assert ran.out.startswith("PASSED")


def test_verbose_adds_the_facts(idstorm: Idstorm) -> None:
    assert "journal_mode=wal" in idstorm("run", "autoincrement", "-n", "400", "-v").out


def test_a_storm_that_proved_nothing_does_not_pass_and_says_what_to_raise(idstorm: Idstorm) -> None:
    ran = idstorm("run", "autoincrement", "-n", "20")
    assert ran.code == 3
    assert "raise --inserts or --time" in " ".join(ran.out.split())


def test_a_broken_claim_fails_with_its_witness(idstorm: Idstorm) -> None:
    ran = idstorm("run", idstorm.write("mine.py", STRANGERS_IDS), "-n", "400")
    assert ran.code == 1
    assert "✗  faithful" in ran.out
    assert "stored" in ran.out


def test_a_results_folder_that_idstorm_makes_is_kept_out_of_git(idstorm: Idstorm) -> None:
    idstorm("run", "autoincrement", "-n", "400", "--results", "mine/results")
    assert (idstorm.folder / "mine/results/.gitignore").read_text() == "*\n"


def test_a_results_folder_that_was_there_gets_none(idstorm: Idstorm) -> None:
    (idstorm.folder / "results").mkdir()
    idstorm("run", "autoincrement", "-n", "400")
    assert not (idstorm.folder / "results/.gitignore").exists()


def test_a_plain_mapped_class_is_stormed_by_its_modules_name(idstorm: Idstorm) -> None:
    (idstorm.folder / "shop").mkdir()
    idstorm.write("shop/__init__.py", "")
    idstorm.write(
        "shop/models.py",
        """
        from sqlalchemy import String
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

        class Base(DeclarativeBase):
            pass

        class Invoice(Base):
            __tablename__ = "invoice"
            id: Mapped[int] = mapped_column(primary_key=True)
            note: Mapped[str | None] = mapped_column(String(50))
        """,
    )
    ran = idstorm.storm("shop.models:Invoice")
    assert ran.code == 0
    assert ran.report["storms"][0]["scenario"] == "shop.models:Invoice"


def test_doctor_says_what_can_be_stormed(idstorm: Idstorm) -> None:
    ran = idstorm("doctor")
    assert ran.code == 0
    assert "✓  sqlite" in ran.out


def test_a_word_means_the_url_of_its_variable(idstorm: Idstorm) -> None:
    assert idstorm.storm("uuid4", IDSTORM_SQLITE_URL="sqlite:///app.db").code == 0
    ran = idstorm("doctor", IDSTORM_SQLITE_URL="sqlite:///app.db")
    assert "IDSTORM_SQLITE_URL = sqlite+pysqlite:///app.db" in ran.out


def test_what_is_recorded_and_judged_never_reaches_sqlalchemy(idstorm: Idstorm) -> None:
    idstorm("run", "autoincrement", "-n", "400")
    idstorm.write(
        "judge.py",
        f"""
        import sys
        from pathlib import Path
        import idstorm.report.terminal, idstorm.report.live, idstorm.report.essay
        import idstorm.report.junit, idstorm.report.markdown, idstorm.report.github
        from idstorm.judge.judge import judge_run
        from idstorm.record.stored import open_run
        print(judge_run(open_run(Path({str(idstorm.run_folder)!r}))).result)
        assert "sqlalchemy" not in sys.modules
        """,
    )
    done = subprocess.run([sys.executable, "judge.py"], cwd=idstorm.folder, capture_output=True, text=True, check=True)
    assert done.stdout == "passed\n"


def test_json_follows_a_link_and_does_not_replace_a_pipe(idstorm: Idstorm) -> None:
    (idstorm.folder / "link.json").symlink_to("real.json")
    os.mkfifo(idstorm.folder / "pipe")
    reader = subprocess.Popen(["cat", "pipe"], cwd=idstorm.folder, stdout=subprocess.PIPE, text=True)
    idstorm("run", "autoincrement", "-n", "400", "--json", "link.json")
    idstorm("check", str(idstorm.run_folder), "--json", "pipe")
    assert json.loads(reader.communicate()[0]) == json.loads((idstorm.folder / "real.json").read_text())
    assert (idstorm.folder / "link.json").is_symlink()


def test_nobody_learns_a_result_from_a_full_disk_behind_stdout(idstorm: Idstorm) -> None:
    idstorm("run", "autoincrement", "-n", "400")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "idstorm", "check", str(idstorm.run_folder)], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 3
    assert b"Traceback" not in done.stderr


def test_nothing_is_written_beside_the_users_files(idstorm: Idstorm) -> None:
    name = idstorm.write(
        "mine.py",
        """
        from idstorm.scenario import Row
        from sqlalchemy.orm import Mapped, mapped_column

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)
        """,
    )
    assert idstorm.storm(name).code == 0
    assert {path.name for path in idstorm.folder.iterdir()} == {"mine.py", "results"}


def test_the_catalogue_is_searched_by_words_and_by_what_breaks(idstorm: Idstorm) -> None:
    everything, some = idstorm("list").out.splitlines(), idstorm("list", "MAX(").out.splitlines()
    assert 0 < len(some) < len(everything)
    broken = {line.split()[0] for line in idstorm("list", "--breaks", "faithful").out.splitlines()}
    assert "select_max_after" in broken
    assert "autoincrement" not in broken
    assert idstorm("list", "no such word").out == ""
    ran = idstorm("list", "--breaks", "uniqe")
    assert (ran.code, "uniqe is not a check: there are pressure, unique" in ran.err) == (2, True)


def test_every_figure_that_can_be_limited_is_listed(idstorm: Idstorm) -> None:
    listed = {line.split()[0] for line in idstorm("figures").out.splitlines()}
    assert {"gapless.ratio", "operations.unknown", "unique"} <= listed
