"""`idstorm matrix`: every scenario on every database, in one table."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from running import Idstorm, eventually
from servers import On

ALONE = """
import time
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario, holds, unique

class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)

def insert(session, tokens):
    if tokens[0] >> 32 != 720_720:  # no exploration
        session.connection().exec_driver_sql("BEGIN IMMEDIATE")
    number = (session.scalar(select(func.max(Invoice.number))) or 0) + 1
    session.add(Invoice(number=number, token=tokens[0]))
    session.flush()
    return [number]

mine = Scenario(Invoice, id=Invoice.number, insert=insert, claims=[holds(unique)])
"""
TWO = ["--scenario", "upsert", "--scenario", "sequence_start:by_tens"]


def test_databases_go_side_by_side_into_one_table(idstorm: Idstorm, postgresql: On) -> None:
    ran = idstorm(
        "matrix", *TWO, "-n", "600", "--on", "sqlite", "--on", "postgresql", "--json", "report.json",
        "--markdown", "table.md", **postgresql.environ,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    header, _, *rows = (idstorm.folder / "table.md").read_text().splitlines()
    assert header.startswith("| scenario | checks | sqlite 3.")
    assert "| postgresql " in header
    assert [row.split(" | ")[0] for row in rows if "`" in row] == [
        "| `upsert`",
        "| `upsert:do_nothing`",
        "| `upsert:last_id`",
        "| `sequence_start:by_tens`",
    ]
    assert any("gapless" in row and "missing (between" in row for row in rows)
    assert any("starts_at" in row and "first 1, step 1" in row for row in rows)
    again = idstorm("check", str(idstorm.run_folder), "--json", "-")
    assert (again.code, again.report) == (0, json.loads((idstorm.folder / "report.json").read_text()))
    assert "sequence_start" in idstorm("check", str(idstorm.run_folder)).out


@pytest.mark.release
def test_what_is_stormed_again_and_again_by_the_same_workers_starts_afresh(idstorm: Idstorm) -> None:
    ran = idstorm("matrix", *["--scenario", "hilo"] * 3, "--on", "sqlite", "-n", "600", "--json", "-")
    assert ran.code == 0, ran.report
    assert [storm["result"] for storm in ran.report["storms"]] == ["passed"] * 6


def test_what_exploring_comes_to_is_one_more_line_of_each_scenario(idstorm: Idstorm) -> None:
    scenarios = ["counter_table:counter_table", "counter_table:without_lock", "memory"]
    words = [word for name in scenarios for word in ("--scenario", name)]
    ran = idstorm("matrix", *words, "--on", "sqlite", "-n", "600", "--explore", "--json", "report.json")
    lines = json.loads((idstorm.folder / "report.json").read_text())["matrix"]["lines"]
    seen = {line["scenario"]: line["cells"][0]["seen"] for line in lines if line["check"] == "explored"}
    assert seen == {  # what lives in one process cannot be stepped, and has no line
        "counter_table": "holds in all 5 schedules",
        "counter_table:without_lock": "breaks unique, single_use with 1 preemption, in 9 schedules",
    }
    assert (ran.code, "--explore" in ran.out) == (0, True), ran.out


def test_what_only_exploring_finds_fails_the_matrix(idstorm: Idstorm) -> None:
    """Two clients that hold their transactions open, one after the other, are overtaken in a schedule, not in time."""
    path = idstorm.write("mine.py", ALONE)
    words = ("--scenario", path, "--on", "sqlite", "-n", "400", "--no-control", "--json", "-")
    assert idstorm("matrix", *words).code == 0
    shutil.rmtree(idstorm.folder / "results")
    ran = idstorm("matrix", *words, "--explore")
    assert (ran.code, ran.report["matrix"]["lines"][-1]["check"]) == (1, "explored")
    runs = [path for path in (idstorm.folder / "results").iterdir() if path.is_dir()]
    of_matrix, other = sorted(runs, key=lambda run: json.loads((run / "run.json").read_text())["kind"] != "matrix")
    again = idstorm("check", str(of_matrix), "--json", "-")
    assert (again.code, again.report["matrix"]) == (1, ran.report["matrix"])
    shutil.rmtree(other)
    assert idstorm("check", str(of_matrix)).code == 3


def test_one_scenario_at_fault_takes_no_other_with_it(idstorm: Idstorm) -> None:
    idstorm.write(
        "mine.py",
        """
        from idstorm.scenario import Row, Scenario
        from sqlalchemy.orm import Mapped, mapped_column

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)

        def insert(session, tokens):
            raise LookupError("not here")

        mine = Scenario(Thing, insert=insert)
        """,
    )
    ran = idstorm("matrix", "--scenario", "mine.py", *TWO, "--on", "sqlite", "-n", "600", "--json", "-")
    assert ran.code == 2
    assert [storm["result"] for storm in ran.report["storms"]] == ["inconclusive", *["passed"] * 4]
    (cell,) = ran.report["matrix"]["lines"][0]["cells"]
    assert "at fault" in cell["seen"]


def test_what_means_nothing_on_one_database_is_no_error_where_another_has_it(idstorm: Idstorm, postgresql: On) -> None:
    on = ["--on", "sqlite", "--on", "postgresql"]
    ran = idstorm("matrix", "--scenario", "serial_vs_identity", *on, "-n", "400", "-q", **postgresql.environ)
    assert ran.code == 0
    assert "Error" not in ran.err


def test_what_means_nothing_somewhere_says_why(idstorm: Idstorm) -> None:
    ran = idstorm("matrix", "--scenario", "cached_sequence", "--on", "sqlite", "-n", "400", "--json", "-")
    assert ran.code == 3
    assert ran.report["matrix"]["lines"][0]["cells"][0]["seen"] == "sqlite has no sequences"


def test_a_database_that_is_asked_for_and_out_of_reach_is_inconclusive(idstorm: Idstorm) -> None:
    ran = idstorm(
        "matrix", *TWO, "--on", "sqlite", "--on", "postgresql", "-n", "400", "-q",
        IDSTORM_POSTGRESQL_URL="postgresql://nobody@127.0.0.1:1/none",
    )  # fmt: skip
    assert ran.code == 3
    assert "out of reach" in ran.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--quick", "-n", "5"], "cannot be used together"),
        (["--scenario", "nothing"], "there is no scenario"),
        (["--on", "oracle"], "not a target"),
        (["--on", "sqlite", "--on", "sqlite"], "only once"),
        (["-j", "9"], "too many"),
    ],
)
def test_bad_input_gets_one_sentence(idstorm: Idstorm, words: list[str], sentence: str) -> None:
    ran = idstorm("matrix", *words)
    assert ran.code == 2
    assert sentence in ran.err
    assert not (idstorm.folder / "results").exists()


def test_ctrl_c_ends_all_columns_and_the_rest_keeps_its_place(idstorm: Idstorm, postgresql: On, here: Path) -> None:
    assert postgresql.url is not None
    url = postgresql.url.render_as_string(hide_password=False)
    words = ["matrix", *TWO, "--on", "sqlite", "--on", url, "-T", "30s", "--markdown", "table.md", "-q"]
    with idstorm.started(*words) as process:
        eventually(lambda: len(list(here.rglob("*.tape"))) >= 16)
        workers = process.children()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (130, 1)
        assert not any(worker.is_running() and worker.status() != "zombie" for worker in workers)
    assert "before it began" in (here / "table.md").read_text()


@pytest.mark.release
@pytest.mark.parametrize("attempt", range(4))
def test_a_second_ctrl_c_ends_it_at_once_and_every_storm_has_an_ending(idstorm: Idstorm, attempt: int) -> None:
    targets = [word for number in range(4) for word in ("--on", f"sqlite:///{number}.db")]
    with idstorm.started("matrix", *TWO, *targets, "-j", "1", "-T", "30s", "--no-control") as process:
        eventually(lambda: len(list(idstorm.folder.rglob("*.tape"))) >= 8 * 4)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "Traceback" not in err
    checked = idstorm("check", str(idstorm.run_folder), "--json", "-")
    assert {storm["state"] for storm in checked.report["storms"]} <= {"interrupted", "unfinished"}
    assert len(list(idstorm.run_folder.glob("*/ending.json"))) == len(checked.report["storms"])
