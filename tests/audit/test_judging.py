"""What an audit makes of what it read: how much is used up, what is behind, and what decides the result."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from audit.surveys import BIG, INT, NOON, TARGET, audit, column, kinds, sequence
from idstorm.errors import UsageError
from idstorm.record.survey import (
    Id,
    Keyless,
    Program,
    Reference,
    Remedy,
    Runs,
    Stride,
    Survey,
    Unguarded,
    Unread,
    lead_of,
    shown,
)

DOWN = sequence(first=-1, last=-INT - 1, start=-1, step=-1, type="integer")


@pytest.mark.parametrize(
    ("generator", "furthest", "lead"),
    [
        (sequence(), None, 0),
        (sequence(), 1, 1),
        (sequence(), 50, 50),
        (sequence(start=1000), 500, 0),
        (sequence(start=1000), 1000, 1),
        (sequence(position=50), 50, 0),
        (sequence(position=50), 51, 1),
        (sequence(position=41, step=10), 50, 0),
        (sequence(position=41, step=10), 62, 2),
        (sequence(unread=Unread("s", "locked")), 50, 0),
        (DOWN, None, 0),
        (DOWN, -3, 3),
        (replace(DOWN, position=-3), -3, 0),
        (replace(DOWN, position=-3), 8, 0),
        (sequence(last=127, position=126), 127, 0),  # it is used up, and stays there
        (sequence(last=127, position=125), 127, 2),
        (sequence(position=10, cycles=True), 50, 0),
    ],
)
def test_a_generator_is_behind_by_the_values_that_it_has_to_hand_out_until_it_is_past_its_rows(
    generator: object, furthest: int | None, lead: int
) -> None:
    assert lead_of(generator, furthest) == lead  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "used", "of", "left"),
    [
        (Id(sequence(), column()), 0.0, "sequence s", BIG),
        (
            Id(sequence(position=INT // 2), column(type="integer", limit=INT)),
            0.5,
            "t.id, which is integer,",
            INT // 2 + 1,
        ),
        (Id(sequence(last=INT, position=INT), column()), 1.0, "sequence s", 0),
        (Id(sequence(last=101, position=51, step=10), column()), 0.5, "sequence s", 5),
        (Id(sequence(start=76, last=101), column()), 0.74, "sequence s", 26),  # what its start skipped is used up
        (
            Id(sequence(last=101, start=51, cycles=True, position=100), column(limit=200)),
            0.5,
            "t.id, which is bigint,",
            100,
        ),
        (
            Id(replace(DOWN, position=-INT // 2), column(type="integer", limit=-INT - 1)),
            0.5,
            "t.id, which is integer,",
            INT // 2 + 1,
        ),
        (Id(sequence(position=9, last=11)), 0.8, "sequence s", 2),
        (
            Id(sequence(unread=Unread("s", "locked")), column(limit=200, furthest=100)),
            0.5,
            "t.id, which is bigint,",
            100,
        ),
    ],
)
def test_the_range_that_ends_first_is_what_is_used_up(one: Id, used: float, of: str, left: int) -> None:
    (audited,) = audit(one).ids
    assert audited.used == pytest.approx(used, abs=0.001)
    assert (audited.of, audited.left) == (of, left)


def test_what_refers_to_an_id_ends_it_too() -> None:
    reference = Reference("u.t_id", "integer", INT, "t.id", "bigint", BIG, Remedy("widen it", "a lock"))
    report = audit(Survey(1, (Id(sequence(position=2 * 10**9), column()),), (reference,)))
    assert kinds(report) == {"used": "error", "narrow_reference": "error"}
    assert report.ids[0].of == "u.t_id, which refers to it and is integer,"
    assert {one.remedy for one in report.findings} == {"widen it"}
    assert audit(Survey(1, (), (replace(reference, limit=BIG, key_limit=INT),))).findings == ()


def test_a_row_that_was_given_a_far_id_uses_up_nothing_and_what_would_is_not_recommended() -> None:
    report = audit(Id(sequence(last=INT, position=10), column(type="integer", limit=INT, furthest=INT), lead=INT - 11))
    assert kinds(report) == {"behind": "error"}
    (behind,) = (one for one in report.findings if one.kind == "behind")
    assert behind.remedy is None
    assert "give them other ids instead" in behind.sentence
    assert report.ids[0].used == pytest.approx(0, abs=1e-6)


BEHIND = Id(sequence(position=10), column(furthest=50), lead=40)
FULL = Id(sequence(position=90, last=101), column())


def test_by_default_what_is_nearly_used_up_or_behind_is_an_error() -> None:
    report = audit(Survey(1, (BEHIND, replace(FULL, generator=replace(FULL.generator, name="f")))))
    assert kinds(report) == {"used": "error", "behind": "error"}
    assert (report.result, report.exit_code) == ("failed", 1)
    assert {gate.gate: (gate.value, str(gate.result)) for gate in report.gates} == {
        "used > 0.8": (pytest.approx(0.89), "failed"),
        "behind > 0": (40, "failed"),
        "narrow_reference > 0": (0, "passed"),
    }


def test_a_gate_takes_the_place_of_the_usual_one() -> None:
    assert kinds(audit(FULL, "used > 0.95")) == {}
    assert audit(FULL, "used > 0.95").exit_code == 0
    assert kinds(audit(FULL, "used > 0.5", "used > 0.95")) == {"used": "error"}
    report = audit(BEHIND, "behind > 1000")
    assert (kinds(report), report.exit_code) == ({"behind": "warning"}, 0)


def test_a_gate_on_a_kind_makes_its_findings_errors() -> None:
    survey = Survey(1, keyless=(Keyless("t", None), Keyless("u", None)))
    assert (kinds(audit(survey)), audit(survey).exit_code) == ({"no_primary_key": "note"}, 0)
    assert kinds(audit(survey, "no_primary_key > 2")) == {"no_primary_key": "note"}
    report = audit(survey, "no_primary_key > 1")
    assert (kinds(report), report.exit_code) == ({"no_primary_key": "error"}, 1)


def test_what_could_not_be_read_is_inconclusive_unless_it_is_allowed_or_something_failed() -> None:
    lost = Unread("t.id", "permission denied", "GRANT …")
    blind = Id(sequence(position=5), column(unread=lost))
    report = audit(blind)
    assert (report.exit_code, report.unread_generators, len(report.unread)) == (3, 1, 1)
    assert report.ids[0].behind is None
    assert audit(blind, allow_unreadable=True).exit_code == 0
    assert audit(Survey(1, (blind, FULL))).exit_code == 1
    assert audit(blind, "unread > 0", allow_unreadable=True).exit_code == 1
    assert audit(Survey()).exit_code == 3, "a database without a table is not the one that was meant"


def test_a_baseline_accepts_what_it_has_until_half_of_what_was_left_is_gone() -> None:
    survey = Survey(1, (FULL,), keyless=(Keyless("t", None),))
    baseline = audit(survey)
    assert baseline.exit_code == 1
    report = audit(survey, baseline=baseline)
    assert (kinds(report), report.exit_code) == ({"used": "accepted", "no_primary_key": "accepted"}, 0)
    assert audit(survey, "no_primary_key > 0", baseline=baseline).exit_code == 0
    for position, code in ((95, 0), (96, 1)):
        later = audit(Id(replace(FULL.generator, position=position), column()), baseline=baseline)
        assert later.exit_code == code, position
    other = Id(replace(FULL.generator, name="other"), column("other"))
    assert audit(replace(survey, ids=(other,)), baseline=baseline).exit_code == 1


def test_two_audits_tell_the_ids_that_are_burned_a_day_and_when_they_end() -> None:
    earlier = audit(Id(sequence(position=1000, last=10_001), column()), at=NOON - timedelta(days=2))
    report = audit(Id(sequence(position=3000, last=10_001), column(furthest=1500)), since=earlier, rates={"": 5.0})
    (one,) = report.ids
    assert (one.per_day, one.until) == (1000, "2026-03-08")
    assert one.days_left == pytest.approx(7.001)
    assert report.since == earlier.at
    first = audit(Id(sequence(), column()), at=NOON - timedelta(days=1))
    assert audit(Id(sequence(position=24), column()), since=first).ids[0].per_day == 24
    still = audit(Id(sequence(position=1000, last=10_001), column()), since=earlier).ids[0]
    assert (still.per_day, still.days_left, still.until) == (0, None, None)


def test_an_id_has_its_own_rate_before_that_of_all() -> None:
    survey = Survey(
        1, (Id(sequence(last=101, position=1), column()), Id(sequence("r", last=101, position=1), column("no")))
    )
    slow, fast = audit(survey, rates={"": 1.0, "t.no": 50.0}).ids
    assert (slow.days_left, fast.days_left) == (100, 2)
    with pytest.raises(UsageError, match=r"--rate t\.n=…: the database has no such id; did you mean t\.no\?"):
        audit(survey, rates={"t.n": 1.0})


def test_a_limit_on_the_days_that_are_left_needs_a_rate() -> None:
    one = Id(sequence(last=101, position=1), column())
    assert audit(one, "days_left < 30").exit_code == 3
    assert kinds(audit(one, "days_left < 30", rates={"": 10.0})) == {"days_left": "error"}
    assert audit(one, "days_left < 30", rates={"": 1.0}).exit_code == 0


def test_a_generator_that_went_back_is_told_of() -> None:
    earlier = audit(Id(sequence(position=1000), column()), at=NOON - timedelta(days=2))
    for position in (10, None):
        report = audit(Id(sequence(position=position), column()), since=earlier)
        assert kinds(report) == {"went_back": "warning"}
        assert report.ids[0].per_day is None
        assert audit(Id(sequence(position=position), column()), since=earlier, rates={"": 5.0}).ids[0].per_day == 5
    for lawful in (sequence(position=10, cycles=True), sequence(unread=Unread("s", "locked"))):
        assert "went_back" not in kinds(audit(Id(lawful, column()), since=earlier))


def test_an_earlier_audit_is_of_this_database_and_earlier() -> None:
    one = Id(sequence(position=1000), column())
    with pytest.raises(UsageError, match="which is not before this one"):
        audit(one, since=audit(one))
    earlier = audit(one, at=NOON - timedelta(days=2))
    with pytest.raises(UsageError, match="another database"):
        audit(Id(sequence("other"), column("other")), since=earlier)
    with pytest.raises(UsageError, match="another database"):
        audit(one, since=replace(earlier, target={**TARGET, "dialect": "mysql"}))


def test_rows_that_a_subscription_brings_are_no_error() -> None:
    received = Id(sequence(), column(furthest=50, receives="sub"), lead=50)
    report = audit(Survey(1, (received,), subscriptions=("sub",)))
    assert (kinds(report), report.exit_code) == ({"logical_subscriber": "warning"}, 0)
    assert [one.remedy for one in report.findings if one.about == "t.id"] == ["mend it"]


@pytest.mark.parametrize(
    ("source", "severity"),
    [
        ("NEW.number := (SELECT max(number) + 1 FROM t)", "warning"),
        ("SELECT coalesce(MAX(t.number), 0)+1 INTO NEW.number", "warning"),
        ("SET NEW.number = (SELECT count(*) + 1 FROM t)", "warning"),
        ("INSERT INTO log SELECT max(no)\n + 1 FROM log", "warning"),
        ("SELECT max(number) + 1 INTO n FROM t FOR UPDATE", "note"),
        ("LOCK TABLE t; NEW.number := (SELECT max(number) + 1 FROM t)", "note"),
        ("SELECT count(*) + 1 INTO NEW.number FROM t", "warning"),
        ("IF (SELECT count(*) + 1 FROM t) > 5 THEN", None),
        ("-- max(number) + 1\nNEW.number := nextval('s')", None),
        ("/* max(number) + 1 */ NEW.number := 1", None),
        ("NEW.largest := max(NEW.a, NEW.b); NEW.x := NEW.x + 1", None),
        ("SELECT climax(number) + 1 FROM t", None),
        ("SELECT max(number) FROM t", None),
    ],
)
def test_a_trigger_that_takes_the_maximum_and_adds_to_it_is_found_by_its_source(
    source: str, severity: str | None
) -> None:
    report = audit(Survey(1, programs=(Program(Runs.TRIGGER, "numbered", "t", source),)))
    assert kinds(report) == ({} if severity is None else {"max_plus_one": severity})


@pytest.mark.parametrize(
    "name", ["number", "no", "code", "invoice_no", "order_number", "orderNumber", "phonenumber", "nr"]
)
def test_a_column_that_is_called_like_a_number_and_not_unique_is_noted(name: str) -> None:
    assert kinds(audit(Survey(1, unguarded=(Unguarded("t", name, "int", None),)))) == {"number_without_unique": "note"}


@pytest.mark.parametrize("name", ["piano", "status_code", "is_no_", "enum", "casino", "barcode", "volcano"])
def test_a_column_that_only_ends_like_that_is_not(name: str) -> None:
    assert kinds(audit(Survey(1, unguarded=(Unguarded("t", name, "int", None),)))) == {}


def test_what_is_odd_about_a_generator_is_said_once() -> None:
    odd = sequence(cache=50, cycles=True, owned=False, settle=Remedy("settle it", "a lock"))
    report = audit(Survey(1, (Id(odd, column("a")), Id(odd, column("b"))), strides=(Stride("increment", 2),)))
    assert [one.kind for one in report.findings] == [
        "cycles",
        "shared_generator",
        "unowned_generator",
        "large_cache",
        "stride",
    ]
    assert [one.remedy for one in report.findings] == ["settle it", None, None, None, None]
    usual = sequence(cache=1000, usual_cache=1000)
    assert audit(Id(usual, column())).findings == ()


def test_a_sequence_and_its_column_are_held_against_each_other() -> None:
    four = sequence(type="integer", last=INT)
    assert kinds(audit(Id(four, column()))) == {"narrow_generator": "warning"}
    assert kinds(audit(Id(sequence(), column(type="integer", limit=INT)))) == {"wide_generator": "note"}
    assert kinds(audit(Id(four, column(type="integer", limit=INT)))) == {}
    assert kinds(audit(Id(sequence(last=1000), column()))) == {}, "a limit that was chosen is not one of a type"
    assert kinds(audit(Id(sequence(), column(type="numeric", limit=None, uncompared="it is numeric")))) == {
        "not_compared": "note"
    }


def test_names_are_shown_without_quotes_that_only_a_statement_needs() -> None:
    assert shown('`shop`.`order`.`i d` "plain"."Odd"."T "" x"') == 'shop.order.`i d` plain."Odd"."T "" x"'
    assert shown("`odd ``t`.`id`") == "`odd ``t`.id"


def test_what_judges_and_shows_an_audit_imports_neither_numpy_nor_a_database() -> None:
    modules = "idstorm.judge.audit.audit, idstorm.report.audit.terminal, idstorm.report.audit.markdown"
    code = f"import sys, {modules}; sys.exit(bool({{'numpy', 'sqlalchemy'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
