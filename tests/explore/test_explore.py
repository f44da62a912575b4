"""`idstorm explore`: every interleaving on real databases, with what it shows of each, and what it does not claim."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import sqlalchemy as sa

from explore.exploring import PATTERNS, broken, explored, explored_on
from running import Idstorm
from servers import SERVERS, On, database

ANYWHERE = ("sqlite", *SERVERS)
COUNTS: dict[str, dict[str, tuple[int, int]]] = {
    "max_plus_one:max_plus_one": dict.fromkeys(SERVERS, (10, 9)) | {"sqlite": (7, 6)},
    "counter_table:counter_table": dict.fromkeys(SERVERS, (4, 0)) | {"sqlite": (5, 0)},
    "counter_table:without_lock": dict.fromkeys(SERVERS, (25, 24)) | {"sqlite": (12, 11), "mariadb": (25, 0)},
    f"{PATTERNS}:get_or_create": dict.fromkeys(SERVERS, (10, 9)) | {"sqlite": (7, 6)},
    f"{PATTERNS}:savepoint": dict.fromkeys(SERVERS, (7, 0)) | {"sqlite": (3, 0)},
    f"{PATTERNS}:lazy": {"sqlite": (18, 17), "postgresql": (126, 125), "mysql": (6, 0), "mariadb": (6, 0)},
    f"{PATTERNS}:one_statement": dict.fromkeys(SERVERS, (7, 0)) | {"sqlite": (7, 0), "postgresql": (10, 6)},
}
"""How many schedules two clients have, and in how many of them an id is told twice: the same each time."""


@pytest.mark.parametrize("dialect", ANYWHERE)
@pytest.mark.parametrize("name", COUNTS)
def test_every_schedule_of_two_clients_is_tried(idstorm: Idstorm, name: str, dialect: str) -> None:
    ran, storm = explored(idstorm, database(dialect), name)
    schedules, breaking = COUNTS[name][dialect]
    unique, complete = storm["verdicts"]["unique"], storm["verdicts"]["complete"]
    assert (storm["explored"]["schedules"], unique["figures"].get("schedules", 0)) == (schedules, breaking), ran.out
    assert (complete["status"], unique["status"]) == ("held", "broken" if breaking else "held")
    assert ran.code == 0, ran.out
    if breaking:
        assert broken(storm, "unique")["preemptions"] == 1


@pytest.mark.parametrize("name", ["polled", "autocommitted"])
def test_a_reader_is_overtaken_by_a_commit(idstorm: Idstorm, postgresql: On, name: str) -> None:
    _, storm = explored(idstorm, postgresql, f"{PATTERNS}:{name}")
    assert (storm["verdicts"]["complete"]["status"], storm["verdicts"]["visible"]["status"]) == ("held", "broken")
    steps = [step.partition(" ")[0] for _, step, _ in broken(storm, "visible")["moves"]]
    assert steps == ["INSERT", "INSERT", "COMMIT", "SELECT", "SELECT", "COMMIT"]


def test_on_sqlite_ids_become_visible_in_order(idstorm: Idstorm) -> None:
    _, storm = explored(idstorm, On("sqlite"), f"{PATTERNS}:polled")
    assert (storm["verdicts"]["complete"]["status"], storm["verdicts"]["visible"]["status"]) == ("held", "held")


def test_three_clients_have_more_schedules(idstorm: Idstorm) -> None:
    ran, storm = explored(idstorm, On("sqlite"), "max_plus_one:max_plus_one", "--clients", "3", "--max-time", "300s")
    assert (ran.code, storm["verdicts"]["complete"]["status"]) == (0, "held"), ran.out
    assert storm["explored"]["schedules"] > 100


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_rows_may_be_there_before(idstorm: Idstorm, dialect: str) -> None:
    ran, storm = explored(idstorm, database(dialect), f"{PATTERNS}:lazy", "--rows", "20")
    status = "broken" if dialect == "sqlite" else "held"  # which has no FOR UPDATE
    assert (storm["verdicts"]["unique"]["status"], ran.code) == (status, 0), ran.out
    assert storm["verdicts"]["complete"]["figures"]["rows"] == "0 and 20"
    _, other = explored(idstorm, database(dialect), f"{PATTERNS}:lazy")
    assert storm["explored"]["schedules"] > other["explored"]["schedules"]


def test_what_breaks_only_where_rows_are_is_shown_with_their_number(idstorm: Idstorm) -> None:
    path = idstorm.write("mine.py", CROWDED)
    ran, storm = explored(idstorm, On("sqlite"), path, "--rows", "12")
    found = broken(storm, "unique")
    assert (found["rows"], "12 rows being there" in " ".join(ran.out.split())) == (12, True), ran.out
    steps = "".join("AB"[client] for client in found["clients"])
    ran, storm = explored(idstorm, On("sqlite"), path, "--rows", "12", "--replay", steps)
    assert (storm["explored"]["schedules"], storm["verdicts"]["unique"]["status"]) == (1, "broken"), ran.out


CROWDED = """
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario, breaks, unique

class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)

def insert(session, tokens):
    number = (session.scalar(select(func.max(Invoice.number))) or 0) + 1
    session.add(invoice := Invoice(number=number, token=tokens[0]))
    session.flush()
    if number <= 10:
        invoice.number = number = invoice.id
        session.flush()
    return [number]

crowded = Scenario(Invoice, id=Invoice.number, insert=insert, claims=[breaks(unique, why="from ten rows on")])
"""


def test_the_report_shows_the_schedule_in_columns(idstorm: Idstorm) -> None:
    ran, _ = explored(idstorm, On("sqlite"), "max_plus_one:max_plus_one")
    shown = ran.out[ran.out.index("broken by schedule 2, with 1 preemption (ABBBAA)") :].splitlines()
    assert shown[1].split() == ["A", "B"]
    assert shown[2].startswith("SELECT max(invoice.number)")
    assert any(line.startswith(" " * 40 + "SELECT") for line in shown)
    assert any("= id 1, ok" in line for line in shown)


def test_a_run_is_judged_again_by_its_witnesses(idstorm: Idstorm) -> None:
    ran, storm = explored(idstorm, On("sqlite"), "max_plus_one:max_plus_one")
    (run,) = (idstorm.folder / "results").glob("2*")
    again = idstorm("check", str(run), "--json", "again.json")
    assert again.code == ran.code == 0
    assert json.loads((idstorm.folder / "again.json").read_text())["storms"][0] == storm
    next(run.glob("*/unique/tapes/*.tape")).unlink()
    assert idstorm("check", str(run)).code == 3


@pytest.mark.parametrize(
    "dialect",
    ["sqlite", "postgresql", *(pytest.param(name, marks=pytest.mark.release) for name in ("mysql", "mariadb"))],
)
@pytest.mark.parametrize("name", ["max_plus_one:max_plus_one", f"{PATTERNS}:lazy", f"{PATTERNS}:polled"])
def test_a_program_of_its_own_shows_the_fault_again(idstorm: Idstorm, name: str, dialect: str) -> None:
    on = database(dialect)
    ran, storm = explored(idstorm, on, name, "--script", "witness.py")
    if not storm["explored"]["broken"]:
        assert "no schedule broke a check, so witness.py was not written" in ran.err
        return
    server = [] if on.url is None else [on.url.set(drivername=on.dialect).render_as_string(hide_password=False)]
    program = subprocess.run(
        [sys.executable, "-I", "witness.py", *server], cwd=idstorm.folder, capture_output=True, text=True, check=False
    )
    assert program.returncode == 0, program.stdout + program.stderr
    program_ = (idstorm.folder / "witness.py").read_text()
    steps = [line for line in program_.splitlines() if line.startswith(("    A.", "    B."))]
    assert len(steps) <= 12, steps


def test_one_schedule_can_be_played_again(idstorm: Idstorm) -> None:
    ran, storm = explored(idstorm, On("sqlite"), "max_plus_one:max_plus_one", "--replay", "ABBBAA")
    assert (ran.code, storm["verdicts"]["unique"]["status"], storm["explored"]["schedules"]) == (0, "broken", 1)
    ran, storm = explored(idstorm, On("sqlite"), "counter_table:counter_table", "--replay", "AAAA")
    assert (ran.code, storm["verdicts"]["unique"]["status"]) == (0, "held"), ran.out
    assert storm["verdicts"]["complete"]["figures"]["within"] == "the schedule AAAAABBBBB"


def test_a_schedule_that_does_not_fit_any_more_is_an_error(idstorm: Idstorm) -> None:
    ran = idstorm("explore", "max_plus_one:max_plus_one", "--replay", "AAAAAB")
    assert ran.code == 2
    assert "the schedule AAAAAB does not fit any more: step 4 is one that A cannot take" in ran.err


def test_a_bound_of_the_users_is_part_of_the_claim_and_one_of_ours_is_not(idstorm: Idstorm) -> None:
    ran, storm = explored(idstorm, On("sqlite"), f"{PATTERNS}:polled", "--max-preemptions", "1")
    assert (ran.code, storm["verdicts"]["unique"]["result"]) == (0, "passed"), ran.out
    assert storm["verdicts"]["complete"]["figures"]["within"] == "up to 1 preemptions"
    ran, storm = explored(idstorm, On("sqlite"), f"{PATTERNS}:polled", "--max-schedules", "3")
    assert (ran.code, storm["verdicts"]["complete"]["result"]) == (3, "inconclusive"), ran.out
    assert "it ended after 3 schedules (--max-schedules); at least" in storm["verdicts"]["complete"]["reason"]


def test_where_there_are_too_many_schedules_some_are_drawn(idstorm: Idstorm) -> None:
    words = ("max_plus_one:max_plus_one", "--clients", "4", "--max-schedules", "60")
    ran, storm = explored(idstorm, On("sqlite"), *words)
    assert (ran.code, storm["verdicts"]["unique"]["status"]) == (3, "broken")
    assert 30 < storm["explored"]["schedules"] <= 60
    assert " had random priorities, each of which shows a fault that takes 3 steps" in " ".join(ran.out.split())
    found = [json.loads(path.read_text()) for path in idstorm.folder.glob("results/*/*/explored.json")]
    assert len(set(found[0]["schedules"])) == len(found[0]["schedules"])
    again, _ = explored(idstorm, On("sqlite"), *words)
    found += [json.loads(path.read_text()) for path in idstorm.folder.glob("results/*/*/explored.json")]
    assert len({tuple(one["schedules"]) for one in found}) == 1, again.out


OWN = """
import random, threading, time
from idstorm.scenario import Row, Scenario, breaks, holds, unique, visible
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(default=0)

taken, lock = iter(range(1, 100)), threading.Lock()

def insert(session, tokens):
    thing = Thing(token=tokens[0])
    session.add(thing)
    session.flush()
    return [thing.id]

def counted(session, tokens):
    session.add(Thing(token=tokens[0], number=next(taken)))
    session.flush()
    return [session.scalars(select(Thing.number).where(Thing.token == tokens[0])).one()]

def at_random(session, tokens):
    for _ in range(random.randrange(1, 4)):
        session.scalars(select(Thing.id)).all()
    return insert(session, tokens)

def locked(session, tokens):
    with lock:
        session.scalars(select(Thing.id)).all()
        return insert(session, tokens)

def by_token(session, tokens):
    if tokens[0] % 17 % 2:
        session.scalars(select(Thing.id)).all()
    return insert(session, tokens)

def by_the_driver(session, tokens):
    cursor = session.connection().connection.cursor()
    cursor.execute("INSERT INTO thing (number, token) VALUES (1, ?)", tokens)
    return [cursor.lastrowid]

def of_a_bug(session, tokens):
    session.scalars(select(Thing.id)).all()
    raise KeyError("no")

def poll(connection, last, final):
    raise RuntimeError("no")

def upgraded(session, tokens):
    session.connection().exec_driver_sql("BEGIN")
    session.scalars(select(Thing.id)).all()
    return insert(session, tokens)

differ = Scenario(Thing, insert=by_token)
unseen = Scenario(Thing, insert=by_the_driver)
fails = Scenario(Thing, insert=of_a_bug, failing=0.99)
unread = Scenario(Thing, reader=poll, claims=[holds(visible)])
upgrades = Scenario(Thing, insert=upgraded, failing=0.9)
safe = Scenario(Thing, insert=insert, claims=[breaks(unique, why="it does not")])
of_the_process = Scenario(Thing, id=Thing.number, insert=counted)
differs = Scenario(Thing, insert=at_random)
waits_elsewhere = Scenario(Thing, insert=locked)
"""


def test_what_is_claimed_to_break_and_does_not_is_inconclusive(idstorm: Idstorm) -> None:
    ran, storm = explored(idstorm, On("sqlite"), f"{idstorm.write('mine.py', OWN)}:safe")
    assert (ran.code, storm["verdicts"]["unique"]["result"]) == (3, "inconclusive")
    assert storm["verdicts"]["unique"]["reason"] == "it was claimed to break, but not with 2 clients"


def test_each_schedule_finds_its_process_as_it_was(idstorm: Idstorm) -> None:
    _, storm = explored(idstorm, On("sqlite"), f"{idstorm.write('mine.py', OWN)}:of_the_process", "--operations", "2")
    moves = {told for one in storm["explored"]["broken"] for told in one["told"]}
    assert storm["verdicts"]["complete"]["status"] == "held"
    assert storm["verdicts"]["unique"]["status"] == "held", moves


def test_clients_that_choose_by_their_tokens_are_not_taken_for_the_same(idstorm: Idstorm) -> None:
    _, storm = explored(idstorm, On("sqlite"), f"{idstorm.write('mine.py', OWN)}:differ")
    assert storm["verdicts"]["complete"]["status"] == "held"
    (found,) = (idstorm.folder / "results").glob("2*/*/explored.json")
    assert {schedule[0] for schedule in json.loads(found.read_text())["schedules"]} == {"A", "B"}


@pytest.mark.parametrize(
    ("name", "check", "says"),
    [
        ("unseen", "complete", "no statement of A was seen: it may have sent them by a driver"),
        ("unread", "visible", "the reader could not read what was there"),
    ],
)
def test_what_was_not_seen_is_not_held(idstorm: Idstorm, name: str, check: str, says: str) -> None:
    ran, storm = explored(idstorm, On("sqlite"), f"{idstorm.write('mine.py', OWN)}:{name}")
    assert (ran.code, storm["verdicts"][check]["status"]) in ((3, "unknown"), (2, "unknown")), ran.out
    assert says in storm["verdicts"][check]["reason"] or name == "unread"


def test_a_write_after_a_read_is_refused_at_once_as_sqlite_does(idstorm: Idstorm) -> None:
    _, storm = explored(idstorm, On("sqlite"), f"{idstorm.write('mine.py', OWN)}:upgrades")
    assert storm["verdicts"]["complete"]["status"] == "held"
    assert sum(storm["explored"]["raced"].values()) > 0


def test_a_driver_whose_cursors_name_no_connection_is_stepped(idstorm: Idstorm) -> None:
    url = database("mysql").url
    assert url is not None
    through = url.set(drivername="mysql+mysqlconnector").render_as_string(hide_password=False)
    ran = idstorm("explore", "max_plus_one:max_plus_one", "--on", through, "--json", "report.json")
    (storm,) = json.loads((idstorm.folder / "report.json").read_text())["storms"]
    assert (ran.code, storm["explored"]["schedules"]) == (0, 10), ran.out


DATED = """
import datetime, decimal, uuid
from idstorm.scenario import Row, Scenario, breaks, unique
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column

class Note(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    at: Mapped[datetime.datetime]
    price: Mapped[decimal.Decimal]
    mark: Mapped[uuid.UUID]
    words: Mapped[str]

def setup(connection):
    connection.execute(Note.__table__.insert(), [made(7)])

def made(number):
    at = datetime.datetime(2026, 1, 1)
    return {"number": number, "at": at, "price": decimal.Decimal("1.5"), "mark": uuid.uuid4(), "words": "s3cret"}

def insert(session, tokens):
    number = session.scalar(select(func.max(Note.number))) + 1
    session.add(Note(**made(number), token=tokens[0]))
    session.flush()
    return [number]

dated = Scenario(Note, id=Note.number, insert=insert, setup=setup, claims=[breaks(unique, why="both look first")])
"""


@pytest.mark.parametrize("values", [[], ["--show-values"]])
def test_a_program_has_values_of_any_type_and_hides_what_they_say(
    idstorm: Idstorm, postgresql: On, values: list[str]
) -> None:
    _, storm = explored(idstorm, postgresql, idstorm.write("mine.py", DATED), "--script", "witness.py", *values)
    assert storm["verdicts"]["unique"]["status"] == "broken"
    assert postgresql.url is not None
    url = postgresql.url.set(drivername="postgresql").render_as_string(hide_password=False)
    command = [sys.executable, "-I", "witness.py", url]
    program = subprocess.run(command, cwd=idstorm.folder, capture_output=True, text=True, check=False)
    assert program.returncode == 0, program.stdout + program.stderr
    assert ("s3cret" in (idstorm.folder / "witness.py").read_text()) == bool(values)


AUDITED = """
from idstorm.scenario import Row, Scenario
from sqlalchemy import func, select, text
from sqlalchemy.orm import Mapped, mapped_column

class Note(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    thing: Mapped[int]

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]

TRIGGERS = {
    "sqlite": ["CREATE TRIGGER noted AFTER INSERT ON thing BEGIN INSERT INTO note (thing) VALUES (NEW.id); END"],
    "postgresql": [
        "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN INSERT INTO note (thing) VALUES (NEW.id); RETURN NEW; END$$",
        "CREATE TRIGGER noted AFTER INSERT ON thing FOR EACH ROW EXECUTE FUNCTION noted()",
    ],
    "mysql": ["CREATE TRIGGER noted AFTER INSERT ON thing FOR EACH ROW INSERT INTO note (thing) VALUES (NEW.id)"],
}

def setup(connection):
    for statement in TRIGGERS.get(connection.dialect.name, TRIGGERS["mysql"]):
        connection.exec_driver_sql(statement)
    connection.execute(Thing.__table__.insert(), [{"id": 10, "number": 1}, {"id": 20, "number": 2}])

def insert(session, tokens):
    notes = session.scalar(select(func.count()).select_from(Note))
    thing = Thing(number=notes, token=tokens[0])
    session.add(thing)
    session.flush()
    assert notes in (2, 3), notes
    return [thing.number]

audited = Scenario(Thing, id=Thing.number, insert=insert, setup=setup, failing=0.5)
"""


@pytest.mark.parametrize("dialect", ANYWHERE)
def test_what_triggers_have_written_is_put_back_too(idstorm: Idstorm, dialect: str) -> None:
    ran, storm = explored(idstorm, database(dialect), idstorm.write("mine.py", AUDITED))
    assert storm["verdicts"]["unique"]["status"] == "broken", ran.out
    assert storm["verdicts"]["complete"]["reason"].startswith("what a trigger does is one step")
    assert "the work is not the same each time" not in ran.out


def test_work_that_differs_from_run_to_run_is_never_complete(idstorm: Idstorm) -> None:
    ran, storm = explored(idstorm, On("sqlite"), f"{idstorm.write('mine.py', OWN)}:differs")
    assert (ran.code, storm["verdicts"]["complete"]["status"]) == (3, "unknown")
    assert "the work is not the same each time: step" in storm["verdicts"]["complete"]["reason"]


def test_who_waits_for_something_else_than_a_lock_leaves_it_open(idstorm: Idstorm) -> None:
    ran, storm = explored(idstorm, On("sqlite"), f"{idstorm.write('mine.py', OWN)}:waits_elsewhere")
    assert (ran.code, storm["verdicts"]["complete"]["status"]) == (3, "unknown")
    assert "waited for something else than a lock" in storm["verdicts"]["complete"]["reason"]


LEVELS = """
from idstorm.scenario import Row, Scenario, holds, visible
from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

polled = Scenario(Thing, reader=True, claims=[holds(visible)])
"""


def test_a_level_is_not_safe_where_a_claim_fails(idstorm: Idstorm, postgresql: On) -> None:
    words = (idstorm.write("mine.py", LEVELS), "--isolation", "each", "--max-preemptions", "1", "--on", "postgresql")
    ran = idstorm("explore", *words, **postgresql.environ)
    assert (ran.code, "not safe at any isolation level" in ran.out) == (1, True), ran.out
    ran = idstorm("explore", *words, "--max-schedules", "1", **postgresql.environ)
    assert (ran.code, "from which isolation level on is not known" in ran.out) == (3, True), ran.out


MIGRATED = """
import sqlalchemy as sa
from idstorm.scenario import Scenario, holds, unique

metadata = sa.MetaData()
thing = sa.Table("thing", metadata, sa.Column("id", sa.Integer, primary_key=True), schema="shop")

def migrate(connection):
    connection.exec_driver_sql("CREATE SCHEMA shop; CREATE SCHEMA billing")
    connection.exec_driver_sql("CREATE TABLE shop.thing (id int)")
    connection.exec_driver_sql("CREATE TABLE billing.counter (n int)")
    connection.exec_driver_sql("INSERT INTO billing.counter VALUES (0)")

def insert(session, tokens):
    count = sa.text("UPDATE billing.counter SET n = least(n + 1, 6) RETURNING n")
    number = session.execute(count).scalar_one()
    session.execute(thing.insert().values(id=number))
    return [number]

counted = Scenario(thing, tables=migrate, insert=insert, claims=[holds(unique)])
"""


def test_what_migrations_have_made_elsewhere_is_put_back_too(idstorm: Idstorm, postgresql: On) -> None:
    ran, storm = explored(idstorm, postgresql, idstorm.write("mine.py", MIGRATED))
    assert (ran.code, storm["verdicts"]["unique"]["status"]) == (0, "held"), ran.out


def test_nothing_is_left_beside_the_file_that_a_url_names(idstorm: Idstorm) -> None:
    ran = idstorm("explore", "max_plus_one:max_plus_one", "--on", "sqlite:///here.db")
    assert (ran.code, sorted(path.name for path in idstorm.folder.iterdir())) == (0, ["results"]), ran.out


def test_only_the_schema_of_the_exploration_is_put_back(idstorm: Idstorm, postgresql: On) -> None:
    assert postgresql.url is not None
    theirs = On("postgresql", postgresql.url.set(database=f"idstorm_theirs_{os.getpid()}"))
    assert theirs.url is not None
    with postgresql.engine().connect() as admin:
        admin.exec_driver_sql(f"CREATE DATABASE {theirs.url.database}")
        try:
            with theirs.engine().connect() as connection:
                connection.exec_driver_sql("CREATE TABLE invoice AS SELECT 1 AS id")
                made_by = "SELECT xmin::text FROM invoice"
                before = connection.exec_driver_sql(made_by).scalar_one()
                ran, _ = explored(idstorm, theirs, "max_plus_one:max_plus_one")
                assert (ran.code, connection.exec_driver_sql(made_by).scalar_one()) == (0, before), ran.out
        finally:
            admin.exec_driver_sql(f"DROP DATABASE {theirs.url.database}")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["flask_app:create_all"], 3, "its clients are its own, and what they do is not seen"),
        (["memory"], 3, "its database lives in one process, whose clients cannot be stepped"),
        (["autoincrement", "--replay", "A!"], 2, "--replay: A! is not a schedule: write a letter for each step"),
        (["autoincrement", "--clients", "0"], 2, "0 is not in the range"),
        (["autoincrement", "--max-time", "soon"], 2, "'soon' is not a duration"),
        (["nothing"], 2, "nothing"),
    ],
)
def test_what_cannot_be_explored_is_one_sentence(idstorm: Idstorm, words: list[str], code: int, says: str) -> None:
    ran = idstorm("explore", *words)
    assert (ran.code, says in ran.out + ran.err) == (code, True), ran.out + ran.err


RACY = """
from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario, holds, unique

class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)

def insert(session, tokens):
    number = (session.scalar(select(func.max(Invoice.number))) or 0) + 1
    session.add(Invoice(number=number, token=tokens[0]))
    session.flush()
    return [number]

racy = Scenario(Invoice, id=Invoice.number, insert=insert, claims=[holds(unique)])
"""


def test_a_storm_that_failed_leads_to_the_schedule_that_breaks_it(idstorm: Idstorm) -> None:
    path = idstorm.write("racy.py", RACY)
    ran = idstorm("run", path, "-n", "400")
    assert (ran.code, "--explore-failures shows the schedule that breaks unique" in ran.out) == (1, True), ran.out
    ran = idstorm("run", path, "-n", "400", "--explore-failures", "--json", "report.json")
    (storm,) = json.loads((idstorm.folder / "report.json").read_text())["storms"]
    assert (ran.code, broken(storm, "unique")["preemptions"]) == (1, 1)
    assert "rows attempted" in ran.out
    assert "broken by schedule 2, with 1 preemption (ABBBAA)" in ran.out
    ran = idstorm("run", path, "-n", "400", "--repeat", "2", "--explore-failures", "--json", "report.json")
    storms = json.loads((idstorm.folder / "report.json").read_text())["storms"]
    assert [broken(storm, "unique")["number"] for storm in storms] == [2, 2], ran.out


def test_each_isolation_level_is_explored_and_the_first_safe_one_named(idstorm: Idstorm, postgresql: On) -> None:
    words = (idstorm.write("racy.py", RACY), "--isolation", "each", "--on", "postgresql", "--json", "report.json")
    ran = idstorm("explore", *words, **postgresql.environ)
    storms = json.loads((idstorm.folder / "report.json").read_text())["storms"]
    assert [storm["explored"]["isolation"] for storm in storms] == [
        "READ UNCOMMITTED",
        "READ COMMITTED",
        "REPEATABLE READ",
        "SERIALIZABLE",
    ]
    assert [storm["verdicts"]["unique"]["status"] for storm in storms] == ["broken"] * 3 + ["held"]
    assert ran.code == 1
    assert "safe from SERIALIZABLE on; in 9 of 10 schedules an operation is refused, and has to be retried" in ran.out


@pytest.mark.parametrize(
    "driver",
    [
        *("sqlite+aiosqlite", "postgresql+asyncpg", "mysql+aiomysql"),
        *(
            pytest.param(driver, marks=pytest.mark.release)
            for driver in ("postgresql+psycopg_async", "mariadb+asyncmy")
        ),
    ],
)
@pytest.mark.parametrize(
    "name", ["max_plus_one:max_plus_one", "counter_table:counter_table", f"{PATTERNS}:one_statement"]
)
def test_tasks_are_stepped_as_threads_are(idstorm: Idstorm, name: str, driver: str) -> None:
    dialect = driver.partition("+")[0]
    url = database(dialect).url or sa.make_url("sqlite://")
    through = url.set(drivername=driver).render_as_string(hide_password=False)
    ran, storm = explored_on(idstorm, through, name)
    broken_in = storm["verdicts"]["unique"]["figures"].get("schedules", 0)
    assert (storm["explored"]["schedules"], broken_in) == COUNTS[name][dialect], ran.out
    assert storm["verdicts"]["complete"]["status"] == "held", ran.out


def test_a_reader_is_overtaken_among_tasks_too(idstorm: Idstorm, postgresql: On) -> None:
    assert postgresql.url is not None
    through = postgresql.url.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)
    _, storm = explored_on(idstorm, through, f"{PATTERNS}:polled")
    assert (storm["verdicts"]["complete"]["status"], storm["verdicts"]["visible"]["status"]) == ("held", "broken")
