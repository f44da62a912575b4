from __future__ import annotations

from dataclasses import replace

from histories import LOCKED, NOTHING, REFUSED, failed, not_deleted, storm, told
from idstorm.findings.results import Status
from idstorm.judge.checks.accepted import accepted
from idstorm.record.code import Code
from idstorm.record.outcome import Outcome
from idstorm.record.tape import Flag


def test_inserts_without_errors_hold() -> None:
    finding = accepted(storm(told(1), told(2, client=1)))
    assert (finding.status, finding.figures, finding.witnesses) == (
        Status.HELD,
        {"collisions": 0, "unrecognised": 0, "retried": 0},
        (),
    )


def test_an_insert_that_the_ids_own_constraint_refused_is_a_collision() -> None:
    finding = accepted(storm(told(1), told(2, client=1), failed(NOTHING, client=1, error=REFUSED)))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"collisions": 1, "unrecognised": 0, "retried": 0})
    assert finding.witnesses == ({"client": 1, "operation": 1, "error": REFUSED.name},)


def test_other_errors_are_no_collisions() -> None:
    assert accepted(storm(failed(NOTHING, error=LOCKED), failed(2, error=LOCKED))).status is Status.HELD
    assert accepted(storm(failed(NOTHING, error=LOCKED), failed(2, error=REFUSED))).figures == {
        "collisions": 1,
        "unrecognised": 0,
        "retried": 0,
    }


def test_an_error_that_no_dialect_recognises_leaves_it_unknown() -> None:
    strange = Code("mariadb:IntegrityError", recognised=False, message="Duplicate entry '5' for key 'PRIMARY'")
    finding = accepted(storm(told(1), failed(NOTHING, error=strange), failed(NOTHING, error=LOCKED)))
    assert (finding.status, finding.figures) == (Status.UNKNOWN, {"collisions": 0, "unrecognised": 1, "retried": 0})
    assert str(finding.reason).endswith(f"most with {strange.name}: {strange.message}")
    known = accepted(storm(failed(NOTHING, error=strange), failed(NOTHING, error=REFUSED)))
    assert (known.status, known.figures) == (Status.BROKEN, {"collisions": 1, "unrecognised": 1, "retried": 0})
    assert accepted(storm(told(1), not_deleted(0, error=strange))).status is Status.HELD


def test_each_collision_is_told_by_the_error_and_the_client_that_had_it() -> None:
    taken = replace(REFUSED, name="sqlite:2067 UNIQUE constraint failed")
    operations = [failed(NOTHING, error=REFUSED), failed(NOTHING, error=LOCKED), failed(1, client=1, error=taken)]
    assert accepted(storm(*operations)).witnesses == (
        {"client": 0, "operation": 0, "error": REFUSED.name},
        {"client": 1, "operation": 0, "error": taken.name},
    )


def test_a_refused_batch_is_one_collision() -> None:
    assert accepted(storm(failed(NOTHING, NOTHING, NOTHING, error=REFUSED))).figures == {
        "collisions": 1,
        "unrecognised": 0,
        "retried": 0,
    }


def test_a_delete_collides_with_nothing() -> None:
    assert accepted(storm(told(1), not_deleted(0, error=REFUSED))).status is Status.HELD


def test_a_refusal_at_commit_is_a_collision_whatever_its_outcome() -> None:
    for outcome in (Outcome.FAILED, Outcome.UNKNOWN):
        refused = failed.func(outcome, 1, error=REFUSED)
        assert accepted(storm(told(1), refused)).figures == {"collisions": 1, "unrecognised": 0, "retried": 0}


def test_an_error_that_the_work_got_over_is_no_refusal() -> None:
    strange = Code("mariadb:IntegrityError", recognised=False)
    assert accepted(storm(told(1, error=REFUSED), told(2, error=strange))).status is Status.HELD


def test_no_census_is_needed() -> None:
    assert accepted(storm(told(1), census=None)).status is Status.HELD


def test_there_is_an_end_to_witnesses_but_not_to_counting() -> None:
    finding = accepted(storm(*(failed(NOTHING, error=REFUSED) for _ in range(30))))
    assert finding.figures == {"collisions": 30, "unrecognised": 0, "retried": 0}
    assert len(finding.witnesses) == 24


def test_a_refusal_that_the_work_got_over_is_retried_and_no_collision() -> None:
    got_over = told(2, client=1, flags=Flag.RETRIED, error=REFUSED)
    finding = accepted(storm(told(1), got_over, failed(NOTHING, flags=Flag.RETRIED, error=LOCKED)))
    assert (finding.status, finding.figures) == (Status.HELD, {"collisions": 0, "unrecognised": 0, "retried": 1})


def test_a_refusal_by_a_key_of_which_idstorm_filled_a_member_says_nothing_of_the_application() -> None:
    ours = replace(REFUSED, name="pg:23505 of one_version", message='violates unique constraint "one_version"')
    evidence = storm(told(1), failed(NOTHING, error=ours), failed(NOTHING, error=ours))
    ids = replace(evidence.plan.ids, filled={'"one_version"': ("document.version",)})
    filled = replace(evidence, plan=replace(evidence.plan, ids=ids))
    finding = accepted(filled)
    assert (finding.status, finding.figures["collisions"]) == (Status.UNKNOWN, 0)
    assert "2 inserts were refused by a key with document.version" in str(finding.reason)
    assert accepted(evidence).status is Status.BROKEN
    both = storm(failed(NOTHING, error=ours), failed(NOTHING, error=REFUSED))
    assert accepted(replace(both, plan=filled.plan)).figures["collisions"] == 1
