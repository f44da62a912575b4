"""The command `audit`: its exit codes, its reports, what it accepts, and what it says of bad input."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from junitparser import JUnitXml

from audit.planted import CLEAN, PLANTED, audited, found, made, run
from databases.own import own_user, target
from idstorm.findings.audit import KINDS
from running import Idstorm
from servers import On

FILE = "sqlite:///app.db"


@pytest.fixture
def planted(idstorm: Idstorm) -> Idstorm:
    """A file with faults in it, in the current directory."""
    with made(On("sqlite"), PLANTED["sqlite"], idstorm.folder):
        return idstorm


def test_the_terminal_leads_with_what_is_wrong_and_ends_with_the_result(planted: Idstorm) -> None:
    ran = planted("audit", "--on", FILE)
    lines = ran.out.splitlines()
    assert ran.code == 1
    assert lines[0].startswith("sqlite 3.")
    assert lines[0].endswith(f"(pysqlite) at {FILE}: 5 tables, 4 generators")
    assert lines[1].startswith("✗ used  scarcer.id: 99% of rowid of scarcer is used up, ")
    assert "gate  used > 0.8 fails the run: it is 0.987" in ran.out
    assert lines[-2:] == ["FAILED  2 errors, 1 warning, 2 notes", f"again  idstorm audit --on {FILE}"]
    assert planted("audit", "--on", FILE, "-q").out == "FAILED  2 errors, 1 warning, 2 notes\n"


def test_every_kind_is_a_test_case_of_junit_and_only_errors_fail(planted: Idstorm) -> None:
    assert planted("audit", "--on", FILE, "--junit", "audit.xml").code == 1
    (suite,) = JUnitXml.fromfile(str(planted.folder / "audit.xml"))
    cases = {case.name: case for case in suite}
    assert set(KINDS) < set(cases)
    assert {name for name, case in cases.items() if case.is_failure} == {"used", "used > 0.8"}
    assert "warning invoice: the trigger numbered" in cases["max_plus_one"].system_out


def test_markdown_and_what_github_shows(planted: Idstorm, tmp_path_factory: pytest.TempPathFactory) -> None:
    summary = tmp_path_factory.mktemp("step") / "summary.md"
    github = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    ran = planted("audit", "--on", FILE, "--markdown", "-", **github)
    assert ran.out.startswith("## idstorm audit: FAILED\n")
    assert "| ✗ | `used` | `scarcer.id` | " in ran.out
    assert summary.read_text(encoding="utf-8") == ran.out
    assert "::error title=idstorm audit%3A used::error scarcer.id" in ran.err
    assert "::warning title=idstorm audit%3A max_plus_one::warning invoice" in ran.err
    assert "::notice" not in ran.err


def test_a_baseline_accepts_the_findings_of_today(planted: Idstorm) -> None:
    assert planted("audit", "--on", FILE, "--json", "today.json").code == 1
    ran = planted("audit", "--on", FILE, "--baseline", "today.json")
    assert (ran.code, "PASSED  no findings, 5 accepted by the baseline" in ran.out) == (0, True)
    with closing(sqlite3.connect(planted.folder / "app.db")) as connection:
        connection.execute("CREATE TABLE fresh (v int)")
    ran = planted("audit", "--on", FILE, "--baseline", "today.json", "--fail-if", "no_primary_key > 0")
    assert (ran.code, "✗ no_primary_key  fresh: " in ran.out) == (1, True)


def test_two_audits_and_a_rate_forecast_the_end(planted: Idstorm) -> None:
    planted("audit", "--on", FILE, "--json", "earlier.json")
    with closing(sqlite3.connect(planted.folder / "app.db")) as connection:
        connection.executemany("INSERT INTO plenty VALUES (NULL)", [()] * 50)
        connection.execute("DELETE FROM plenty WHERE id < 51")
        connection.commit()
    words = ("--since", "earlier.json", "--rate", "invoice.id=100/s", "--fail-if", "used > 1")
    ran = planted("audit", "--on", FILE, *words, "--json", "later.json")
    assert ran.code == 0, ran.out
    report = json.loads((planted.folder / "later.json").read_text())
    rates = {one["id"]: one["per_day"] for one in report["ids"]}
    assert rates["plenty.id"] > 50, "all that were burned within seconds, though rows were deleted"
    assert (rates["scarce.id"], rates["invoice.id"]) == (0, 0)  # measured before told
    assert "until" in ran.out
    assert "--since earlier.json" in report["command"]
    ran = planted("audit", "--on", FILE, "--rate", "invoice.id=100/s", "--json", "-")
    assert {one["id"]: one["until"] for one in json.loads(ran.out)["ids"]}["invoice.id"] == "after the year 9999"


BAD = {
    "a figure that no audit has": (
        ("--fail-if", "usd > 1"),
        "no report has a figure usd; did you mean used or unread?",
    ),
    "what is not a gate": (("--fail-if", "used"), "'used' is not a gate: write FIGURE > NUMBER, such as 'used > 0.8'"),
    "what is not a rate": (("--rate", "much"), "'much' is not a rate: write 50/s, 3000/h or 100000/d"),
    "a baseline that is missing": (("--baseline", "no.json"), "--baseline: cannot read no.json: No such file"),
    "a report of another kind": (("--since", "run.json"), "--since: run.json is not the JSON report of an audit"),
    "what is not JSON": (("--since", "app.db"), "--since: app.db is not the JSON report of an audit"),
    "a newer report": (("--baseline", "newer.json"), "newer.json was written by a newer idstorm (format 99)"),
    "a damaged report": (("--baseline", "damaged.json"), "--baseline: damaged.json is damaged: "),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence(planted: Idstorm, what: str) -> None:
    planted.write("run.json", "{}")
    planted.write("newer.json", '{"what": "idstorm audit", "format": 99}')
    planted.write("damaged.json", '{"what": "idstorm audit", "format": 1, "ids": 7}')
    words, said = BAD[what]
    ran = planted("audit", "--on", FILE, *words)
    assert (ran.code, ran.out, said in ran.err, ran.err.count("\n")) == (2, "", True, 1), ran.err


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ("sqlite:///none.db", "there is no database to audit: none.db is not a file"),
        ("sqlite:///text.db", "text.db cannot be audited: file is not a database"),
        ("sqlite", "name the file to audit, as in sqlite:///app.db"),
        ("sqlite://", "name the file to audit, as in sqlite:///app.db"),
        ("postgresql", "postgresql does not say which database to audit: set IDSTORM_POSTGRESQL_URL, or give its URL"),
    ],
)
def test_what_is_no_database_is_said_and_nothing_is_made(
    idstorm: Idstorm, monkeypatch: pytest.MonkeyPatch, on: str, said: str
) -> None:
    monkeypatch.delenv("IDSTORM_POSTGRESQL_URL", raising=False)
    idstorm.write("text.db", "this is not a database, but a text of more than a hundred bytes\n" * 3)
    ran = idstorm("audit", "--on", on)
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert [path.name for path in idstorm.folder.iterdir()] == ["text.db"]


def test_a_file_without_tables_is_inconclusive(idstorm: Idstorm) -> None:
    (idstorm.folder / "app.db").touch()
    ran = idstorm("audit", "--on", FILE)
    assert (ran.code, "tables: there is none: is this the database" in ran.out) == (3, True)


def test_a_file_that_another_process_has_locked_is_an_environment_fault(planted: Idstorm) -> None:
    with closing(sqlite3.connect(planted.folder / "app.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ran = planted("audit", "--on", FILE)
    assert (ran.code, "app.db is locked by another process" in ran.err) == (3, True), ran.err


def test_no_password_is_shown(idstorm: Idstorm, server: On, tmp_path: Path) -> None:
    grants = () if server.dialect == "postgresql" else ("GRANT INSERT ON *.* TO {}",)
    with made(server, CLEAN[server.dialect], tmp_path) as on, own_user(on, *grants) as user:
        assert user.url is not None
        password = str(user.url.password)
        ran = idstorm("audit", *target(user), "-v", "--json", "a.json", "--junit", "a.xml", "--markdown", "a.md")
        assert ran.code == 3
        written = "".join((idstorm.folder / name).read_text() for name in ("a.json", "a.xml", "a.md"))
        assert password not in ran.out + ran.err + written
        wrong = On(user.dialect, user.url.set(password="not-the-password"))
        ran = idstorm("audit", *target(wrong))
        assert (ran.code, "not-the-password" in ran.out + ran.err, "is out of reach" in ran.err) == (3, False, True)


def test_a_user_who_may_not_read_the_catalogue_is_told_so(idstorm: Idstorm, postgresql: On, tmp_path: Path) -> None:
    with made(postgresql, CLEAN["postgresql"], tmp_path) as on:
        run(on, "REVOKE SELECT ON pg_catalog.pg_attrdef FROM PUBLIC")
        with own_user(on) as user:
            ran = idstorm("audit", *target(user))
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    said = "could not be audited: permission denied for table pg_attrdef; audit it as a user who may read the catalogue"
    assert said in ran.err


def test_a_database_that_cannot_be_audited_says_so(idstorm: Idstorm) -> None:
    zoo = idstorm.folder / "zoo" / "idstorm_zoo-1.0.dist-info"
    zoo.mkdir(parents=True)
    (zoo / "METADATA").write_text("Metadata-Version: 2.1\nName: idstorm-zoo\nVersion: 1.0\n")
    (zoo / "entry_points.txt").write_text("[idstorm.databases]\ntortoise = tortoise:Tortoise\n")
    (zoo.parent / "tortoise.py").write_text(
        "from idstorm.databases.base import Database\nfrom idstorm.databases.sqlite import SQLite\n\n"
        "class Tortoise(SQLite):\n    name = 'tortoise'\n    schemes = ('tortoise',)\n    survey = Database.survey\n"
        "    def actual(self, connection): return 'tortoise'\n"
    )
    with made(On("sqlite"), CLEAN["sqlite"], idstorm.folder):
        ran = idstorm.alone("audit", "--on", "tortoise:///app.db", PYTHONPATH=_path(zoo.parent))
    assert ran.code == 2, ran.err
    assert ran.err == "Error: tortoise cannot be audited: its class Tortoise does not define `survey`\n"


def _path(folder: Path) -> str:
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


def test_a_suite_audits_the_database_that_it_has_made(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sqlalchemy as sa

        def test_clean(idstorm_audit, tmp_path):
            engine = sa.create_engine(f"sqlite:///{tmp_path}/app.db")
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE TABLE item (id INTEGER PRIMARY KEY)")
                connection.exec_driver_sql("CREATE TABLE other (v int)")
            audit = idstorm_audit(engine)
            assert audit.passed, audit
            assert [one.kind for one in audit.findings] == ["no_primary_key"]
            assert "1 note" in repr(audit)
            assert "item.id" in str(audit)
            strict = idstorm_audit(engine.url, fail_if="no_primary_key > 0")
            assert not strict.passed
            assert "no_primary_key other" in repr(strict)

        def test_memory(idstorm_audit):
            idstorm_audit("sqlite://")

        def test_strange(idstorm_audit):
            idstorm_audit(7)
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*idstorm_audit: name the file to audit, as in sqlite:///app.db*"])
    result.stdout.fnmatch_lines(["*idstorm_audit: 7 is not a URL, an Engine or a Connection of SQLAlchemy*"])


def test_a_locked_tables_siblings_are_judged(idstorm: Idstorm, postgresql: On, tmp_path: Path) -> None:
    with made(postgresql, PLANTED["postgresql"], tmp_path) as on, on.engine().connect() as other:
        other.exec_driver_sql("BEGIN")
        other.exec_driver_sql("LOCK TABLE scarce, wide")
        report = audited(idstorm, on, code=1)
        assert {one["what"] for one in report["unread"]} == {"public.scarce.id", "public.wide.id"}
        assert ("used", "public.scarce.id") in found(report), "its sequence could be read"
