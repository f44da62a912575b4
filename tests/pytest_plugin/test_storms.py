"""Storms in a test suite: the fixture, the mark, what a failure shows, and what happens where a database is missing."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

from idstorm.options import OPTIONS
from servers import On
from suites import run_suite

MODELS = """
    from itertools import count
    from random import random
    from time import sleep
    from sqlalchemy import func, select
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
    from idstorm.scenario import Scenario, breaks, unique, accepted, pressure

    class Base(DeclarativeBase):
        pass

    class Invoice(Base):
        __tablename__ = "invoice"
        id: Mapped[int] = mapped_column(primary_key=True)
        note: Mapped[str | None]

    class Receipt(Base):
        __tablename__ = "receipt"
        key: Mapped[int] = mapped_column(primary_key=True)
        number: Mapped[int]
        token: Mapped[str]

    def next_number(session, tokens):
        made = []
        for token in tokens:
            number = (session.scalar(select(func.max(Receipt.number))) or 0) + 1
            sleep(0.001)
            session.add(Receipt(number=number, token=str(token)))
            made.append(number)
        session.flush()
        return made

    racy = Scenario(Receipt, id=Receipt.number, insert=next_number)
"""


@pytest.fixture(autouse=True)
def models(pytester: pytest.Pytester) -> None:
    """A suite with models of its own, that does not know of the session which runs it."""
    pytester.makepyfile(models=MODELS)


def run(pytester: pytest.Pytester, test: str, *words: str) -> pytest.RunResult:
    pytester.makepyfile(test_it="import pytest\nfrom models import Invoice, racy\n" + test)
    return run_suite(pytester, *words)


PASSES = """
def test_invoice_ids(idstorm):
    report = idstorm.run(Invoice, processes=2, clients=8, inserts=400)
    assert report.passed, report
    assert report.verdicts["unique"].status == "held"
    assert report.folder.is_dir()
    print("it is in", report.folder)
"""


def test_a_model_is_stormed_and_the_folder_of_a_run_that_passed_is_not_kept(pytester: pytest.Pytester) -> None:
    result = run(pytester, PASSES, "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*test_invoice_ids?sqlite?*"])
    (folder,) = re.findall(r"it is in (.*)", result.stdout.str())
    assert not Path(folder).exists()


EVERY = """
def test_all(idstorm):
    report = idstorm.run(
        Invoice, inserts=400, processes=1, clients=4, batch=2, rollback=0.1, deletes="0.1", think="0..1ms", reader=True,
        headroom=0.9, forecast="50/s", pool_size=2, max_overflow=2, pool_timeout=20, patience="20s", isolation=None,
        namespace=None, admin_url=None, control=True, keep=False, allow_replicated=True, repeat=2, until_broken=True,
        settings={"busy_timeout": 9000}, fail_if="unique.duplicated > 0", label="nightly", seed=7,
    )
    assert report.passed, report
    assert [(storm.fleet["pool_size"], storm.fleet["seed"]) for storm in report.report.storms] == [(2, 7), (2, 8)]
    assert report.verdicts["unique"].figures == {"repetitions": {"held": 2}}
"""


def test_every_option_of_a_run_is_a_keyword(pytester: pytest.Pytester) -> None:
    assert set(OPTIONS) - set(re.findall(r"(\w+)=", EVERY)) == {"time"}
    run(pytester, EVERY).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("pool=4", "a storm has no option pool; did you mean pool_size?"),
        ("inserts=10, time=1", "inserts and time cannot be used together: give one of them"),
        ("until_broken=True", "until_broken needs repeat= as well: a test has to end"),
    ],
)
def test_what_cannot_be_asked_for_fails_the_test_in_a_sentence(
    pytester: pytest.Pytester, asked: str, sentence: str
) -> None:
    result = run(pytester, f"def test_it(idstorm): idstorm.run(Invoice, {asked})")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{sentence.replace('[', '?')}"])


def test_a_failure_shows_the_verdicts_with_witnesses_and_names_the_run_which_is_kept(
    pytester: pytest.Pytester,
) -> None:
    body = "def test_numbers(idstorm):\n    report = idstorm.run(racy, inserts=400)\n    assert report.passed, report\n"
    result = run(pytester, body)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*idstorm FAILED: *unique broken*", "*unique*broken*duplicated*", "*told*", "*again *"]
    )
    assert "object at 0x" not in result.stdout.str()
    (folder,) = re.findall(r"^FAILED  (\S+)$", result.stdout.str(), re.MULTILINE)
    assert (Path(folder) / "report.json").is_file()


def test_a_marked_test_runs_on_each_database_and_falls_with_its_storm_or_its_gate(
    pytester: pytest.Pytester, postgresql: On, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in postgresql.environ.items():
        monkeypatch.setenv(name, value)
    body = """
@pytest.mark.idstorm("models:Invoice", on=["sqlite", "postgresql"], inserts=400)
def test_everywhere(storm_report): ...

@pytest.mark.idstorm("models:racy", inserts=400)
def test_falls(storm_report): ...

@pytest.mark.idstorm("models:Invoice", fail_if="operations.per_second > 0", inserts=400)
def test_gated(storm_report): ...
"""
    result = run(pytester, body, "-v")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*test_everywhere?sqlite? PASSED*", "*test_everywhere?postgresql? PASSED*"])
    result.stdout.fnmatch_lines(["*operations.per_second > 0: failed*"])
    for secret in postgresql.environ.values():
        assert secret not in result.stdout.str() + result.stderr.str()


def test_what_is_inconclusive_has_not_passed(pytester: pytest.Pytester) -> None:
    result = run(pytester, '@pytest.mark.idstorm("models:Invoice", inserts=20)\ndef test_few(storm_report): ...\n')
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*INCONCLUSIVE: pressure unknown*"])


@pytest.mark.parametrize(
    ("where", "misspelt", "outcome"),
    [
        ("mark", '@pytest.mark.idstorm("models:Invoice", fail_if="visble.skipped > 0")\n', {"errors": 1}),
        ("call", "", {"failed": 1}),
        ("option", "", {}),
    ],
)
def test_a_gate_with_a_misspelt_figure_names_the_nearest(
    pytester: pytest.Pytester, where: str, misspelt: str, outcome: dict[str, int]
) -> None:
    call = 'idstorm.run(Invoice, fail_if="visble.skipped > 0")' if where == "call" else "pass"
    body = f"{misspelt}def test_gate({'storm_report' if misspelt else 'idstorm'}): {call}\n"
    result = run(pytester, body, *(["--idstorm-fail-if", "visible.skiped > 0"] if where == "option" else []))
    if outcome:
        result.assert_outcomes(**outcome)
        result.stdout.fnmatch_lines(["*no report has a figure visble.skipped; did you mean visible.skipped*"])
        result.stdout.no_fnmatch_line("*Traceback*")
    else:
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*did you mean visible.skipped*"])


def test_options_and_ini_keys_say_what_a_test_does_not(pytester: pytest.Pytester) -> None:
    pytester.makeini(
        "[pytest]\nidstorm_inserts = 240\nidstorm_clients = 6\nidstorm_on = sqlite\nidstorm_results = kept\n"
    )
    body = """
def test_defaults(idstorm):
    fleet = idstorm.run(Invoice).report.storms[0].fleet
    assert (fleet["processes"], fleet["clients"], fleet["inserts"]) == (3, 6, 240)

def test_own(idstorm):
    fleet = idstorm.run(Invoice, time="500ms").report.storms[0].fleet
    assert (fleet["seconds"], fleet["clients"]) == (0.5, 6)
"""
    result = run(pytester, body, "--idstorm-processes", "3")
    result.assert_outcomes(passed=2)
    assert len([path for path in (pytester.path / "kept").iterdir() if path.is_dir()]) == 2


@pytest.mark.parametrize("words", [("--idstorm-clients", "none"), ("--idstorm-time", "soon")])
def test_an_option_of_which_nothing_can_be_made_is_refused_before_any_test(
    pytester: pytest.Pytester, words: tuple[str, str]
) -> None:
    result = run(pytester, "def test_nothing(): ...\n", *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words[1]}*"])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_a_file_that_is_named_as_a_target_is_neither_made_nor_touched(pytester: pytest.Pytester) -> None:
    result = run(pytester, PASSES, "--idstorm-on", f"sqlite:///{pytester.path}/app.db")
    result.assert_outcomes(passed=1)
    assert not (pytester.path / "app.db").exists()


NOWHERE = "postgresql+psycopg://somebody:geheim@127.0.0.1:1/nowhere"


@pytest.mark.parametrize("required", [False, True])
def test_a_database_that_is_not_there_is_a_skip_or_a_failure_where_it_is_required(
    pytester: pytest.Pytester, required: bool
) -> None:
    words = ["--idstorm-on", "sqlite", "--idstorm-on", NOWHERE, *(["--idstorm-require"] if required else [])]
    result = run(pytester, PASSES, "-v", "-rs", *words)
    result.assert_outcomes(passed=1, skipped=not required, errors=required)
    result.stdout.fnmatch_lines(["*test_invoice_ids?postgresql?*", "*127.0.0.1*"])
    assert "geheim" not in result.stdout.str()


def test_without_any_server_program_a_word_is_a_skip_that_says_how_to_get_one(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("IDSTORM_MYSQL_URL", "IDSTORM_MYSQLD"):
        monkeypatch.delenv(name, raising=False)
    result = run(pytester, PASSES, "-rs", "--idstorm-on", "mysql")
    if result.parseoutcomes().get("passed"):
        pytest.skip("this machine has a MySQL of its own where idstorm looks for one")
    result.assert_outcomes(skipped=1)
    assert "IDSTORM_MYSQL_URL" in re.sub(r"\s+", "", result.stdout.str())


@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
def test_a_model_of_the_test_file_itself_is_found_by_the_workers(
    pytester: pytest.Pytester, tmp_path: Path, mode: str
) -> None:
    body = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None]

def test_parcels(idstorm):
    report = idstorm.run(Parcel, inserts=400)
    assert report.passed, report
"""
    folder = tmp_path / "elsewhere"  # in no folder that is on the path
    folder.mkdir()
    (folder / "test_parcels.py").write_text(body)
    result = run_suite(pytester, f"--import-mode={mode}", str(folder))
    result.assert_outcomes(passed=1)


def test_a_model_inside_a_function_cannot_be_found_and_the_ways_out_are_named(pytester: pytest.Pytester) -> None:
    body = """
from models import Base
from sqlalchemy.orm import Mapped, mapped_column

def test_inner(idstorm):
    class Inner(Base):
        __tablename__ = "inner"
        id: Mapped[int] = mapped_column(primary_key=True)
    idstorm.run(Inner)
"""
    result = run(pytester, body)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Inner is not at the top level*package.module:Name*"])


SHARED = """
import os
import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def engine(url, **options):
    if "IDSTORM_WORKER" in os.environ:
        print(os.getppid(), os.environ["SAID"], file=open("served", "a"))
    return create_engine(url, **options)

things = Scenario(Thing, engine=engine)

@pytest.mark.parametrize("said", ["one", "two"])
def test_things(idstorm, monkeypatch, said):
    monkeypatch.setenv("SAID", said)
    assert idstorm.run(things, inserts=400, processes=1).passed
"""


def test_all_tests_share_their_workers_which_see_the_variables_of_each(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_shared=SHARED)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
    served = [line.split() for line in (pytester.path / "served").read_text().splitlines()]
    assert len({worker for worker, _ in served}) == 1
    assert {said for _, said in served} == {"one", "two"}
    assert not psutil.pid_exists(int(served[0][0]))


def test_where_a_scenario_means_nothing_the_test_is_skipped(pytester: pytest.Pytester) -> None:
    body = '@pytest.mark.idstorm("cached_sequence", inserts=400)\ndef test_it(storm_report): ...\n'
    result = run(pytester, body, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*has no sequences*"])


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_it(idstorm): ...\n", "-p", "no:idstorm")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'idstorm' not found*"])


def test_a_suite_that_storms_nothing_imports_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_bare="import sys\ndef test_bare():\n"
        "    assert 'idstorm.pytest_plugin' in sys.modules\n"
        "    assert not {'sqlalchemy', 'numpy', 'rich', 'click', 'idstorm.errors'} & set(sys.modules)\n"
    )
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "test_bare.py")
    result.assert_outcomes(passed=1)


EXPLORES = """
def test_all(idstorm):
    report = idstorm.explore(Invoice)
    assert report.passed, report
    assert report.verdicts["complete"].figures["schedules"] > 1

def test_race(idstorm):
    report = idstorm.explore(racy, max_preemptions=1)
    assert not report.passed
    assert "broken by schedule 2" in str(report)
"""


def test_a_test_explores_what_it_could_storm(pytester: pytest.Pytester) -> None:
    run(pytester, EXPLORES).assert_outcomes(passed=2)
    body = '@pytest.mark.idstorm_explore("models:Invoice", max_preemptions=1)\ndef test_marked(storm_report): ...\n'
    run(pytester, body).assert_outcomes(passed=1)
