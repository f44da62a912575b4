"""Sessions of a suite that are joined: whatever it does with its databases, what broke is found, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from running import Idstorm
from servers import On
from suites import run_suite

APP = """
import os, time
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from idstorm.scenario import Scenario, holds, ordered, gapless

class Base(DeclarativeBase):
    pass

class Order(Base):
    __tablename__ = "order"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]

numbers = Scenario(Order, id=Order.number)
URL = os.environ.get("SHOP_URL", "sqlite:///shop.db")
waiting = {"connect_args": {"timeout": 30}} if URL.startswith("sqlite") else {}

def place(session, rows=1):
    session.add_all([Order() for _ in range(rows)])
    session.commit()

def take_number(session):
    number = (session.scalar(sa.select(sa.func.max(Order.number))) or 0) + 1
    time.sleep(0.002)
    session.add(Order(number=number))
    session.commit()

@pytest.fixture(scope="session")
def engine():
    return sa.create_engine(URL, **waiting)

@pytest.fixture
def db(engine):
    with Session(engine) as session:
        yield session
"""

MANY = """
@pytest.mark.parametrize("test", range(30))
def test_orders(db, idstorm_join, test):
    idstorm_join({asked}, session=db)
    for _ in range(10):
        {act}
"""
SOUND, RACY = MANY.format(asked="Order", act="place(db)"), MANY.format(asked="numbers", act="take_number(db)")


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite with a table to insert into."""
    pytester.makeconftest(
        "import pytest\nfrom app import Base, sa, URL\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_sessionstart(session):\n"
        "    if not hasattr(session.config, 'workerinput'):\n"
        "        Base.metadata.drop_all(sa.create_engine(URL)); Base.metadata.create_all(sa.create_engine(URL))\n"
    )
    pytester.makepyfile(app=APP)
    return pytester


@pytest.fixture
def on_postgresql(postgresql: On, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """A schema of its own on PostgreSQL, where the suite finds its tables. Yields the password."""
    assert postgresql.url is not None
    name = f"suite_{abs(hash(request.node.nodeid)):x}"
    with postgresql.engine().connect() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    url = postgresql.url.update_query_dict({"options": f"-csearch_path={name}"})
    monkeypatch.setenv("SHOP_URL", url.render_as_string(hide_password=False))
    yield str(postgresql.url.password)
    with postgresql.engine().connect() as connection:
        connection.execute(sa.schema.DropSchema(name, cascade=True))


def run(pytester: pytest.Pytester, tests: str, *words: str) -> pytest.RunResult:
    pytester.makepyfile(test_shop="from app import *\n" + tests)
    return run_suite(pytester, *words)


def report_of(result: pytest.RunResult) -> dict[str, Any]:
    (folder,) = set(re.findall(r"(/\S+/runs/[\w-]+)", result.stdout.str()))
    report: dict[str, Any] = json.loads((Path(folder) / "report.json").read_text())
    assert not list(Path(folder).parents[1].glob("journals/*"))
    return report


def only(result: pytest.RunResult) -> dict[str, Any]:
    (storm,) = report_of(result)["storms"]
    found: dict[str, Any] = storm
    return found


def test_what_test_workers_were_told_is_judged_across_them(shop: pytest.Pytester) -> None:
    slow = SOUND.replace("place(db)", "db.add(Order()); db.flush(); time.sleep(0.005); db.commit()")
    result = run(shop, slow, "-n", "3")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["<idstorm PASSED, in *"])
    storm = only(result)
    assert (storm["fleet"]["processes"], storm["operations"]["acknowledged"]) == (3, 300)
    assert storm["verdicts"]["durable"]["status"] == "held"


@pytest.mark.parametrize(
    "words",
    [
        ("load",),
        *(pytest.param((how,), marks=pytest.mark.release) for how in ("loadscope", "loadgroup", "worksteal", "each")),
    ],
)
def test_a_race_between_test_workers_fails_the_run_and_names_the_tests(
    shop: pytest.Pytester, words: tuple[str, ...]
) -> None:
    tests = RACY + RACY.replace("test_orders", "test_more")
    if words == ("loadscope",):
        shop.makepyfile(test_other="from app import *\n" + RACY)
    result = run(
        shop, tests, *(["--tx", "2*popen", "--dist", "each"] if words == ("each",) else ["-n", "2", "--dist", *words])
    )
    assert result.parseoutcomes().get("failed", 0) == 0
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["*idstorm: joined sessions: failed*", "*unique*broken*", "*told test_*.py::test_*(gw?)*"]
    )
    verdict = only(result)["verdicts"]["unique"]
    assert verdict["figures"]["duplicated"] > 0
    tests_of = {row["from"] for witness in verdict["witnesses"] for row in witness["rows"]}
    assert len({name.rpartition(" ")[2] for name in tests_of}) == 2
    (folder,) = set(re.findall(r"(/\S+/runs/[\w-]+)", result.stdout.str()))
    again = Idstorm(shop.path)("check", folder)
    assert again.code == 1
    assert "test_shop.py::test_" in again.out


def test_without_workers_nothing_can_collide_which_is_a_warning_unless_that_is_asked_for(shop: pytest.Pytester) -> None:
    result = run(shop, SOUND)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*joined sessions: inconclusive*"])
    assert "one client alone cannot collide" in only(result)["verdicts"]["pressure"]["reason"]
    assert run(shop, SOUND, "--idstorm-strict").ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("mode", ["conditional_savepoint", "create_savepoint", "rollback_only"])
@pytest.mark.parametrize("where", ["sqlite", "postgresql"])
def test_a_fixture_that_rolls_everything_back_hands_ids_and_acknowledges_none(
    shop: pytest.Pytester, request: pytest.FixtureRequest, where: str, mode: str
) -> None:
    if where == "postgresql":
        request.getfixturevalue("on_postgresql")
    tests = f"""
@pytest.fixture
def db(engine):
    with engine.connect() as connection:
        if URL.startswith("sqlite"):
            connection.exec_driver_sql("BEGIN")
        outer = connection.begin() if not connection.in_transaction() else connection.get_transaction()
        with Session(connection, join_transaction_mode="{mode}") as session:
            yield session
        outer.rollback()
""" + SOUND.replace("range(30)", "range(4)")
    result = run(shop, tests, "-n", "2")
    result.assert_outcomes(passed=4)
    operations = only(result)["operations"]
    assert (operations["attempted"], operations["acknowledged"], operations["failed"]) == (40, 0, 40)


def test_an_outer_transaction_that_is_committed_acknowledges_none_either(shop: pytest.Pytester) -> None:
    tests = """
@pytest.fixture
def db(engine):
    with engine.connect() as connection, connection.begin():
        with Session(connection, join_transaction_mode="rollback_only") as session:
            yield session

def test_orders(db, idstorm_join):
    idstorm_join(Order, session=db)
    place(db, 3)
"""
    operations = only(run(shop, tests))["operations"]
    assert (operations["acknowledged"], operations["unknown"]) == (0, 3)


def test_what_a_savepoint_gave_up_is_not_acknowledged_and_what_is_around_it_is(shop: pytest.Pytester) -> None:
    tests = """
def test_orders(db, idstorm_join):
    idstorm_join(Order, session=db)
    db.execute(sa.text("BEGIN"))
    db.add(Order())
    db.flush()
    for keep in (True, False):
        savepoint = db.begin_nested()
        inner = db.begin_nested()
        db.add_all([Order(), Order()])
        db.flush()
        inner.commit()
        savepoint.commit() if keep else savepoint.rollback()
    db.add(Order())
    db.commit()
    db.add(Order())
    db.flush()
    db.rollback()
    db.add(Order())
    db.flush()
    db.close()
"""
    operations = only(run(shop, tests))["operations"]
    assert (operations["acknowledged"], operations["failed"], operations["unknown"]) == (4, 4, 0)


def test_a_commit_that_fails_leaves_unknown_what_the_database_does_not_prove(
    shop: pytest.Pytester, on_postgresql: str
) -> None:
    tests = """
def test_orders(db, idstorm_join, engine):
    idstorm_join(Order, session=db)
    pid = db.scalar(sa.text("select pg_backend_pid()"))
    db.add(Order())
    db.flush()
    with engine.connect() as other:
        other.execute(sa.text(f"select pg_terminate_backend({pid})"))
    with pytest.raises(sa.exc.DBAPIError):
        db.commit()
    db.rollback()
    db.add(Order(id=1))
    db.commit()
    db.add(Order(id=1))
    with pytest.raises(sa.exc.IntegrityError):
        db.commit()
"""
    storm = only(run(shop, tests))
    operations = storm["operations"]
    assert (operations["acknowledged"], operations["failed"], operations["unknown"]) == (1, 1, 1)
    assert storm["verdicts"]["accepted"]["figures"]["collisions"] == 1


BETWEEN = {
    "delete": "with engine.begin() as c: c.execute(sa.text('DELETE FROM \"order\"'))",
    "drop and create": "Base.metadata.drop_all(engine); Base.metadata.create_all(engine)",
    "truncate": "with engine.begin() as c: c.execute(sa.text('TRUNCATE \"order\" RESTART IDENTITY'))",
}


@pytest.mark.parametrize(
    ("where", "how"),
    [
        ("sqlite", "delete"),
        ("sqlite", "drop and create"),
        ("postgresql", "truncate"),
        ("postgresql", "drop and create"),
    ],
)
def test_ids_that_begin_anew_between_tests_are_lawful(
    shop: pytest.Pytester, request: pytest.FixtureRequest, where: str, how: str
) -> None:
    if where == "postgresql":
        request.getfixturevalue("on_postgresql")
    tests = f"""
watched = Scenario(Order, claims=[holds(ordered, gapless)])

@pytest.fixture(autouse=True)
def clean(engine):
    yield
    {BETWEEN[how]}
""" + SOUND.replace("range(30)", "range(6)").replace("(Order,", "(watched,")
    result = run(shop, tests)
    result.assert_outcomes(passed=6)
    assert result.ret == 0
    verdicts = only(result)["verdicts"]
    assert verdicts["unique"]["status"] == "held"
    assert verdicts["durable"]["status"] == "n/a"
    assert ("recreated, or emptied, 5 times" in verdicts["ordered"]["reason"]) == (how != "delete")
    assert {verdict["status"] for verdict in verdicts.values()} <= {"held", "unknown", "n/a"}


def test_a_database_for_each_worker_and_one_in_memory_for_each_test_are_tables_of_their_own(
    shop: pytest.Pytester,
) -> None:
    tests = (
        """
@pytest.fixture(scope="session")
def engine(worker_id):
    engine = sa.create_engine(f"sqlite:///{worker_id}.db")
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()
    os.unlink(f"{worker_id}.db")

@pytest.fixture
def memory():
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
"""
        + SOUND
        + SOUND.replace("db", "memory").replace("test_orders", "test_memory")
    )
    result = run(shop, tests, "-n", "2")
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] == 60
    (storm,) = report_of(result)["storms"]
    assert "31 other tables of this name" in " ".join(storm["notes"])
    assert storm["verdicts"]["durable"]["status"] == "n/a"
    assert "the file of the database is gone" in storm["verdicts"]["durable"]["reason"]


@pytest.mark.parametrize("words", [(), ("-n", "2")])
def test_one_relative_name_in_many_folders_is_a_file_in_each(shop: pytest.Pytester, words: tuple[str, ...]) -> None:
    tests = """
@pytest.fixture
def db(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine = sa.create_engine("sqlite:///shop.db")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()
""" + SOUND.replace("place(db)", "db.add(Order()); db.flush(); time.sleep(0.005); db.commit()").replace("30", "6")
    result = run(shop, tests, *words)
    result.assert_outcomes(passed=6)
    storm = only(result)
    assert result.ret == 0
    assert "5 other tables of this name" in " ".join(storm["notes"])
    assert {name: storm["verdicts"][name]["status"] for name in ("pressure", "unique", "durable")} == {
        "pressure": "unknown",  # nobody else is in that file
        "unique": "held",
        "durable": "held",
    }


FIRST_REFUSED = """
class Code(Base):
    __tablename__ = "code"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(sa.String(40), unique=True)

@pytest.fixture
def sessions(engine):
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.insert(Code), [{"code": "a"}, {"code": "b"}])
    yield sa.orm.sessionmaker(engine)
    engine.dispose()

def refused(sessions, code):
    with sessions() as session, pytest.raises(sa.exc.IntegrityError):
        session.add(Code(code=code))
        session.commit()
"""


@pytest.mark.parametrize(("claims", "result"), [("", "inconclusive"), ("holds('accepted')", "failed")])
def test_refusals_before_any_success_are_counted_and_fail_the_run_only_where_that_is_claimed(
    shop: pytest.Pytester, on_postgresql: str, claims: str, result: str
) -> None:
    tests = (
        FIRST_REFUSED
        + f"""
def test_codes(sessions, idstorm_join):
    idstorm_join(Scenario(Code, id=Code.code, generated=False, claims=[{claims}]), session=sessions)
    refused(sessions, "a")
    refused(sessions, "b")
    with sessions() as session:
        session.add(Code(code="c"))
        session.commit()
"""
    )
    storm = only(run(shop, tests))
    accepted = storm["verdicts"]["accepted"]
    assert (accepted["status"], accepted["figures"]["collisions"]) == ("broken", 2)
    assert storm["result"] == result
    assert sum(storm["operations"]["errors"]["by_code"].values()) == 2


@pytest.mark.parametrize("twice", [False, True])
def test_what_a_refused_insert_leaves_of_the_last_life_is_judged_as_it_is(shop: pytest.Pytester, twice: bool) -> None:
    tests = (
        FIRST_REFUSED
        + f"""
@pytest.fixture(autouse=True)
def joined(sessions, idstorm_join):
    idstorm_join(numbers, session=sessions)
    idstorm_join(Code, session=sessions)

def add(sessions, *made):
    with sessions() as session:
        session.add_all(made)
        session.commit()

def test_a(sessions):
    add(sessions, Order(number=7))
    add(sessions, Code(code="c"))

def test_b(sessions):
    add(sessions, Order(number=1))
    add(sessions, Code(code="c"))
    if {twice}:
        add(sessions, Order(number=1))
    refused(sessions, "c")
    with sessions() as session, pytest.raises(sa.exc.IntegrityError):
        session.add_all([Order(id=1, number=7)])
        session.commit()
"""
    )
    result = run(shop, tests)
    result.assert_outcomes(passed=2)
    found = {storm["scenario"]: storm["verdicts"]["unique"]["status"] for storm in report_of(result)["storms"]}
    assert found == {"Order.number": "broken" if twice else "held", "Code": "held"}


@pytest.mark.release
def test_what_a_worker_was_told_before_it_crashed_counts(shop: pytest.Pytester) -> None:
    crash = """
def test_0_crash(db, idstorm_join):
    idstorm_join(numbers, session=db)
    for _ in range(20):
        take_number(db)
    db.add(Order(number=-7))
    db.flush()
    os.kill(os.getpid(), 9)
"""
    result = run(shop, crash + RACY, "-n", "2")
    result.stdout.fnmatch_lines(["*crashed while running*test_0_crash*", "*joined sessions: failed*"])
    storm = only(result)
    assert storm["operations"]["acknowledged"] == 320
    assert storm["operations"]["unknown"] == 1
    assert storm["fleet"]["processes"] >= 2  # the replacement may have come too late for a test


@pytest.mark.release
def test_a_run_that_stops_at_the_first_failure_is_judged_too(shop: pytest.Pytester) -> None:
    result = run(shop, SOUND + "\ndef test_falls(): assert False\n", "-x", "-n", "2")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*idstorm*"])
    assert report_of(result)["storms"]


def test_what_makes_sessions_is_joined_for_all_of_them_while_a_test_asks_for_it(shop: pytest.Pytester) -> None:
    tests = """
from threading import Thread
from sqlalchemy.orm import scoped_session, sessionmaker

@pytest.fixture(scope="session")
def sessions(engine):
    return scoped_session(sessionmaker(engine))

def handle(sessions):
    place(sessions)
    sessions.remove()

@pytest.mark.parametrize("asked", [True, False])
def test_requests(sessions, request, asked):
    if asked:
        join = request.getfixturevalue("idstorm_join")
        join(Order, session=sessions)
        join(Order, session=sessions())
    threads = [Thread(target=handle, args=(sessions,)) for _ in range(5)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
"""
    storm = only(run(shop, tests))
    assert storm["operations"]["acknowledged"] == 5
    assert storm["verdicts"]["durable"]["figures"]["foreign"] == 5


def test_the_recording_breaks_no_test_even_where_it_breaks_itself(shop: pytest.Pytester) -> None:
    tests = (
        SOUND
        + """
@pytest.fixture(autouse=True)
def full(monkeypatch):
    from idstorm.join.journal import Journal
    real = Journal.write
    def write(self, line):
        if line.startswith('["told"'):
            raise OSError(28, "No space left on device")
        real(self, line)
    monkeypatch.setattr(Journal, "write", write)
"""
    )
    result = run(shop, tests, "--idstorm-strict")
    result.assert_outcomes(passed=30)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*No space left on device*"])


@pytest.mark.parametrize("asked", ["idstorm_join(Order, session=engine)", "idstorm_join(dict, session=db)"])
def test_what_cannot_be_joined_is_said_in_a_sentence(shop: pytest.Pytester, asked: str) -> None:
    result = run(shop, f"def test_it(db, engine, idstorm_join):\n    {asked}\n")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["idstorm_join: *"])


def test_no_password_is_shown_or_left(shop: pytest.Pytester, on_postgresql: str) -> None:
    result = run(shop, RACY, "-n", "2", "-v")
    result.stdout.fnmatch_lines(["*idstorm: joined sessions: *"])
    report_of(result)
    left = [path for path in shop.path.rglob("*") if path.is_file() and on_postgresql.encode() in path.read_bytes()]
    assert left == []
    assert on_postgresql not in result.stdout.str() + result.stderr.str()


def test_a_suite_that_is_killed_leaves_no_password(shop: pytest.Pytester, on_postgresql: str) -> None:
    killed = "\ndef test_end():\n    import signal; os.kill(os.getpid(), signal.SIGKILL)\n"
    result = run(shop, "import os\n" + SOUND + killed, "--basetemp=left")
    assert result.ret == -9
    left = list(shop.path.glob("left/**/*.journal"))
    assert left
    assert not any(on_postgresql.encode() in path.read_bytes() for path in left)


@pytest.mark.usefixtures("on_postgresql")
def test_a_table_whose_password_only_a_killed_worker_knew_is_judged_without_being_read(shop: pytest.Pytester) -> None:
    killed = "\ndef test_end():\n    import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"
    result = run(shop, SOUND + killed, "-n", "1")
    assert "crashed" in result.stdout.str()
    durable = only(result)["verdicts"]["durable"]
    assert (durable["status"], durable["reason"].partition(": ")[2]) == (
        "n/a",
        "the processes that knew its password are gone",
    )


def test_where_nobody_joins_nothing_is_judged_or_imported(shop: pytest.Pytester) -> None:
    tests = "import sys\ndef test_it():\n    assert 'idstorm.judge' not in sys.modules\n"
    shutil.rmtree(shop.path / "app.py", ignore_errors=True)
    shop.makepyfile(test_shop="from app import *\n" + tests)
    result = shop.runpytest_subprocess("-p", "no:cacheprovider")
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*idstorm PASSED*")
