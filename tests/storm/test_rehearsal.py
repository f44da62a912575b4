"""The rehearsal finds a scenario's faults before anything is started, and shows them as the user's own."""

from __future__ import annotations

import pytest

from running import Idstorm

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
    "what is no id": ("add(session, tokens); return [object()]", "which is no id of thing.id"),
    "the id of another row": ("return [add(session, tokens)[0] + 1]", "told the id 2 of a row that has 1"),
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
    assert list(idstorm.run_folder.rglob("*.tape")) == []


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


def test_work_that_goes_wrong_only_later_ends_the_storm_with_the_reason(idstorm: Idstorm) -> None:
    name = idstorm.write(
        "mine.py",
        HEAD + "\ncalls = []\n\ndef work(session, tokens):\n    calls.append(1)\n"
        "    return add(session, tokens) if len(calls) < 5 else ['nonsense']\n\nmine = Scenario(Thing, insert=work)\n",
    )
    ran = idstorm("run", name, "-T", "60s")
    assert ran.code == 2
    assert "insert returned what is no id of thing.id" in ran.err


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
        ("claims=[holds('gapless', when=lambda facts: facts['nope'])]", "a claim's predicate failed"),
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
