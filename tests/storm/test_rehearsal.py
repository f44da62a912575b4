"""The rehearsal finds a scenario's faults before anything is started, and shows them as the user's own."""

from __future__ import annotations

import pytest

from running import Idstorm
from servers import On

HEAD = """
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def add(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    return [thing.id for thing in things]
"""

FAULTS = {
    "too few ids": ("return add(session, tokens)[1:]", "given 1 tokens and returned 0 ids"),
    "no list at all": ("return add(session, tokens)[0]", "a list with an id for each token; it returned int"),
    "what is not an id": ("add(session, tokens); return [object()]", "which is not an id of thing.id"),
    "another column of each row": ("add(session, tokens); return list(tokens)", "insert returned thing.token of each"),
    "no row at all": ("return [1]", "told the id 1, but thing holds no row of it"),
    "no id of no row": ("return [None]", "returned no id, and thing holds no row of it"),
    "a coroutine": (
        "return later(session, tokens)\n\nasync def later(session, tokens):\n    return add(session, tokens)",
        "write it with async def",
    ),
    "a row without its token": ("return add(session, [token + 1 for token in tokens])", "has its token in thing.token"),
    "a refusal": ("add(session, tokens); return add(session, tokens) + [1 / 0]", "ZeroDivisionError"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_the_rehearsal_finds(idstorm: Idstorm, what: str) -> None:
    body, sentence = FAULTS[what]
    name = idstorm.write(
        "mine.py", f"{HEAD}\ndef work(session, tokens):\n    {body}\n\nmine = Scenario(Thing, insert=work)\n"
    )
    ran = idstorm("run", name, "-n", "100")
    assert ran.code == 2
    assert sentence in ran.err
    assert "idstorm/storm" not in ran.err
    assert [path.name for path in (idstorm.folder / "results").iterdir()] == [".gitignore"]  # refused: no run is left


FINDINGS = {
    "the id of another row": ("return [add(session, tokens)[0] + 1]", "faithful", "told the id 2 of a row that has 1"),
    "one id for each row": ("add(session, tokens); return [7]", "faithful", "told the id 7 of a row that has 1"),
    "ids in the wrong order": ("return add(session, tokens)[::-1]", "faithful", "told the id 3 of a row that has 2"),
    "no id of a row that is there": (
        "return [None for _ in add(session, tokens)]",
        "durable",
        "told None, which means that there is certainly no row, yet its row is there with id 1",
    ),
    "the id of a row that is not there": (
        "return [*add(session, tokens[:1]), *range(1000, 999 + len(tokens))]",
        "durable",
        "told the id 1000 of a row that is not there",
    ),
    "a row that stays after its delete": ("return add(session, tokens)", "durable", "[1] is still there"),
}


@pytest.mark.parametrize("what", FINDINGS)
def test_what_breaks_without_concurrency_is_stormed_and_found(idstorm: Idstorm, what: str) -> None:
    body, check, sentence = FINDINGS[what]
    batch = 2 if what in ("ids in the wrong order", "the id of a row that is not there") else 1
    deleting = ", deletes=0.2, delete=lambda session, ids: None" if "delete" in what else ""
    name = idstorm.write(
        "mine.py",
        f"{HEAD}\ndef work(session, tokens):\n    {body}\n\n"
        f"mine = Scenario(Thing, insert=work, batch={batch}{deleting})\n",
    )
    ran = idstorm.storm(name)
    assert ran.code == 1, ran.err
    (storm,) = ran.report["storms"]
    verdict = storm["verdicts"][check]
    assert verdict["status"] == "broken"
    assert verdict["witnesses"]
    assert any(sentence in note for note in storm["notes"]), storm["notes"]


def test_one_id_that_is_told_of_every_row_can_be_claimed_to_break(idstorm: Idstorm) -> None:
    name = idstorm.write(
        "mine.py",
        HEAD + "\nfrom idstorm.scenario import breaks\n\ndef work(session, tokens):\n    add(session, tokens)\n"
        "    return [7]\n\nmine = Scenario(Thing, insert=work, claims=[breaks('faithful', 'unique', why='it is 7')])\n",
    )
    assert idstorm.storm(name).code == 0


def test_where_nothing_was_told_the_table_or_its_type_says_what_ids_look_like(idstorm: Idstorm) -> None:
    name = idstorm.write(
        "mine.py",
        HEAD + "\nfrom idstorm.scenario import Existing\nfrom sqlalchemy import insert\n\ndef seed(connection):\n"
        "    connection.execute(insert(Thing), [{'id': 5}])\n\n"
        "existing = Scenario(Thing, setup=seed, insert=lambda session, tokens: [Existing(5) for _ in tokens])\n",
    )
    ran = idstorm.storm(name)
    assert ran.code == 3, ran.err
    (storm,) = ran.report["storms"]
    assert storm["ending"] is None
    assert storm["verdicts"]["gapless"]["reason"] == "no row of the storm is there"  # and not that they are no numbers


def test_setup_is_called_in_each_namespace_and_its_error_is_shown_as_the_users_own(
    idstorm: Idstorm, anywhere: On
) -> None:
    setups = """
def never(connection):
    raise RuntimeError("never works")

def once(connection, done=[]):
    if done:
        connection.execute(text("SELECT * FROM nowhere"))
    done.append(1)

never, once = Scenario(Thing, setup=never), Scenario(Thing, setup=once)
"""
    name = idstorm.write("mine.py", f"{HEAD}\nfrom sqlalchemy import text\n{setups}")
    ran = idstorm.storm(name, "--on", anywhere.dialect, **anywhere.environ)
    assert (ran.code, "bug in idstorm" in ran.err, "out of reach" in ran.err) == (2, False, False), ran.err
    never, once = (storm["ending"] for storm in ran.report["storms"])
    assert never.startswith("at fault: setup failed in the rehearsal\nTraceback (your code)")
    assert "RuntimeError: never works" in never
    assert once.startswith("at fault: setup failed in the storm's own namespace: it is called once in each")
    assert 'connection.execute(text("SELECT * FROM nowhere"))' in once


def test_a_commit_that_fails_after_setup_is_the_users_own_error_too(idstorm: Idstorm, postgresql: On) -> None:
    setup = """
def setup(connection):
    connection.execute(text("CREATE TABLE other (id int REFERENCES thing (id) DEFERRABLE INITIALLY DEFERRED)"))
    connection.execute(text("INSERT INTO other VALUES (7)"))

mine = Scenario(Thing, setup=setup)
"""
    name = idstorm.write("mine.py", f"{HEAD}\nfrom sqlalchemy import text\n{setup}")
    ran = idstorm("run", name, "--on", "postgresql", **postgresql.environ)
    assert ran.code == 2
    assert "setup failed in the rehearsal" in ran.err
    assert "violates foreign key constraint" in ran.err


def test_an_error_of_the_work_is_shown_with_the_users_own_lines(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", HEAD + "\ndef work(session, tokens):\n    return add(session, [1, 1 / 0])\n\n"
                         "mine = Scenario(Thing, insert=work)\n")  # fmt: skip
    ran = idstorm("run", name)
    assert "return add(session, [1, 1 / 0])" in ran.err
    assert "site-packages" not in ran.err


def test_an_error_of_the_database_is_shown_without_sqlalchemys_own(idstorm: Idstorm) -> None:
    name = idstorm.write(
        "mine.py",
        HEAD + "\nclass Named(Row):\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
        "    name: Mapped[str] = mapped_column(String(10))\n\ndef work(session, tokens):\n"
        "    session.add(Named(token=tokens[0]))\n    session.flush()\n\nmine = Scenario(Named, insert=work)\n",
    )
    ran = idstorm("run", name)
    assert ran.code == 2
    assert "sqlite3.IntegrityError: NOT NULL constraint failed: named.name" in ran.err
    assert "site-packages" not in ran.err


@pytest.mark.release
def test_work_that_goes_wrong_only_later_ends_the_storm_with_the_reason(idstorm: Idstorm) -> None:
    name = idstorm.write(
        "mine.py",
        HEAD + "\ncalls = []\n\ndef work(session, tokens):\n    calls.append(1)\n"
        "    return add(session, tokens) if len(calls) < 5 else ['nonsense']\n\nmine = Scenario(Thing, insert=work)\n",
    )
    ran = idstorm("run", name, "-T", "60s")
    assert ran.code == 2
    assert "insert returned something that is not an id of thing.id" in ran.err


@pytest.mark.release
def test_an_id_that_no_column_of_the_kind_can_hold_ends_the_storm_with_the_reason(idstorm: Idstorm) -> None:
    name = idstorm.write(
        "mine.py",
        HEAD + "\ncalls = []\n\ndef work(session, tokens):\n    calls.append(1)\n"
        "    return add(session, tokens) if len(calls) < 5 else [2 ** 70]\n\nmine = Scenario(Thing, insert=work)\n",
    )
    ran = idstorm("run", name, "-T", "60s")
    assert (ran.code, f"not an id of thing.id: {2**70} does not fit 64 bits" in ran.err) == (2, True), ran.err


def test_a_rollback_means_nothing_where_the_work_commits_by_itself(idstorm: Idstorm) -> None:
    ran = idstorm("run", "select_max_after", "--rollback", "0.1")
    assert ran.code == 2
    assert "commits by itself" in ran.err


def test_a_storm_that_the_target_cannot_have_is_not_applicable_and_proves_nothing(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", HEAD + "\nmine = Scenario(Thing, needs={'sequences'})\n")
    ran = idstorm.storm(name)
    assert ran.code == 3
    (judged,) = ran.report["storms"]
    assert judged["result"] == "n/a"
    assert judged["ending"] == "not applicable: sqlite has no sequences"


def test_the_rehearsal_leaves_nothing_in_the_table_under_storm(idstorm: Idstorm) -> None:
    (judged,) = idstorm.storm("autoincrement").report["storms"]
    assert judged["verdicts"]["starts_at"]["figures"]["first"] == 1


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("engine=lambda url: None", "making the engine failed"),
        ("engine=lambda url, **pool: 1 / 0", "ZeroDivisionError"),
        (
            "engine=lambda url, **pool: None",
            "has to return an Engine or AsyncEngine of SQLAlchemy; it returned None",
        ),
        ("session=lambda engine: None", "has to return a Session or AsyncSession of SQLAlchemy; it returned None"),
        ("session=lambda engine: engine.connect()", "it returned a value of type Connection"),
        ("claims=[holds('gapless', when=lambda facts: facts['nope'])]", "the predicate after when= failed"),
        ("id=[]", "several columns of one table"),
    ],
)
def test_what_a_scenario_brings_along_is_its_own_fault(idstorm: Idstorm, field: str, sentence: str) -> None:
    name = idstorm.write("mine.py", f"{HEAD}\nfrom idstorm.scenario import holds\nmine = Scenario(Thing, {field})\n")
    ran = idstorm("run", name, "-n", "400")
    assert (ran.code, sentence in ran.err, "bug in idstorm" in ran.err) == (2, True, False), ran.err


def test_a_scenario_at_fault_does_not_take_the_others_verdicts_with_it(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", HEAD + "\nmine = Scenario(Thing, insert=lambda session, tokens: [])\n")
    ran = idstorm.storm(name, "uuid4")
    assert ran.code == 2
    assert [storm["result"] for storm in ran.report["storms"]] == ["inconclusive", "passed"]
    assert idstorm("check", str(idstorm.run_folder)).code == 2


LOCKED = """
from sqlalchemy import func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column
from idstorm.scenario import Row, Scenario

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

def locked(session, tokens):
    session.execute(text("LOCK TABLE thing"))
    first = (session.scalar(select(func.max(Thing.id))) or 0) + 1
    session.add_all(Thing(id=first + place, token=token) for place, token in enumerate(tokens))
    return list(range(first, first + len(tokens)))

def deadlocked(session, tokens):
    ids = locked(session, tokens)
    session.flush()
    with Session(session.get_bind()) as other:
        other.execute(text("LOCK TABLE thing"))
    return ids

mine = Scenario(Thing, insert={insert}, connections=2)
"""


@pytest.mark.release
def test_work_that_locks_its_table_against_readers_is_rehearsed(idstorm: Idstorm, postgresql: On) -> None:
    ran = idstorm.storm(
        idstorm.write("mine.py", LOCKED.format(insert="locked")), "--on", "postgresql", **postgresql.environ
    )
    (storm,) = ran.report["storms"]
    assert storm["state"] == "finished", ran.err
    assert storm["operations"]["acknowledged"] == 400


@pytest.mark.release
def test_an_operation_that_never_ends_ends_the_rehearsal(idstorm: Idstorm, postgresql: On) -> None:
    name = idstorm.write("mine.py", LOCKED.format(insert="deadlocked"))
    words = ("--on", "postgresql", "-n", "400", "--patience", "1s", "--pool-timeout", "1")
    ran = idstorm("run", name, *words, **postgresql.environ)
    assert ran.code == 2
    assert "an operation of the rehearsal had not ended after" in ran.err
