"""Whoever deletes rows unseen makes ids come back lawfully; what two had at the same time is found all the same."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idstorm.join.inferred_deletes import codec_of, with_deletions
from idstorm.join.read_journals import Flush, JoinedTable
from idstorm.record.outcome import Outcome
from journals import about, failed, flush, statuses, unique

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN


def deletable(flushes: list[Flush], held: list[int]) -> list[tuple[int, ...]]:
    told = JoinedTable(about(), flushes)
    return [one.deletable for one in with_deletions(told, held, codec_of(told, held))]


def test_a_row_that_is_there_was_not_deleted_and_one_that_is_gone_may_have_been_since_its_commit() -> None:
    assert deletable([flush(10, 1, 2), flush(20, 3)], [2, 3]) == [(12, 0), (0,)]


def test_an_id_that_was_handed_again_after_the_commit_of_a_row_that_is_gone_is_lawful(tmp_path: Path) -> None:
    again = [flush(10, 1), flush(20, 1, process="gw1-2"), flush(30, 1)]
    for held in ([1], []):
        assert unique(tmp_path, again, held) == "held"


@pytest.mark.parametrize("held", [[], [1], [1, 1]])
def test_an_id_that_two_were_told_at_the_same_time_is_broken_whatever_is_left(tmp_path: Path, held: list[int]) -> None:
    assert unique(tmp_path, [flush(10, 1, commit=15), flush(13, 1, process="gw1-2")], held) == "broken"


def test_an_id_that_was_handed_at_the_very_moment_of_the_commit_before_is_broken(tmp_path: Path) -> None:
    assert unique(tmp_path, [flush(10, 1, commit=15), flush(15, 1, process="gw1-2")], [1]) == "broken"
    assert unique(tmp_path, [flush(10, 1, commit=15), flush(16, 1, process="gw1-2")], [1]) == "held"


def test_an_id_that_two_rows_have_is_broken_however_long_after_one_another_they_were_told(tmp_path: Path) -> None:
    two = [flush(10, 1), flush(900, 1)]
    assert unique(tmp_path, two, [1]) == "held"
    assert unique(tmp_path, two, [1, 1]) == "broken"
    assert unique(tmp_path, [flush(5, 1), *two], [1, 1]) == "broken"


def test_a_table_that_was_made_anew_holds_rows_of_its_last_life_alone() -> None:
    lives = [flush(10, 1, life="1"), flush(20, 1, 2, life="2"), flush(30, 1, life="3")]
    assert deletable(lives, [1, 1]) == [(10,), (20, 22), (0,)]  # rows of two lives never met


def test_the_lives_of_a_table_are_no_fault_and_what_needs_one_life_is_not_judged(tmp_path: Path) -> None:
    lives = [flush(10, 1, life="1"), flush(20, 1, life="2")]
    assert unique(tmp_path, lives, [1]) == "held"
    found = statuses(tmp_path, lives, [1])
    assert (found["durable"], found["gapless"], found["single_use"]) == ("n/a", "n/a", "n/a")


@pytest.mark.parametrize("at", [15, 35])
def test_an_insert_that_failed_makes_no_life_the_first_or_the_last(tmp_path: Path, at: int) -> None:
    anew = [flush(10, 1), flush(30, 1, life="2")]
    assert unique(tmp_path, [*anew, failed(at, life="1" if at < 30 else "2")], [1]) == "held"
    twice = [flush(10, 7), flush(30, 1, life="2"), flush(33, 1, life="2")]
    assert unique(tmp_path, [*twice, failed(40, life="2")], [1, 1]) == "broken"


def test_a_transaction_that_is_older_than_a_life_does_not_begin_it() -> None:
    assert JoinedTable(
        about(), [flush(20, 1), flush(30, 2, begin=5, life="2"), failed(40, begin=6, life="3")]
    ).lives == [*("1", "2", "3")]


def test_rows_of_two_lives_never_met_however_their_transactions_overlap(tmp_path: Path) -> None:
    for outcome in (OK, UNKNOWN):
        lives = [flush(10, 1, commit=50, outcome=outcome), flush(20, 1, life="2", process="gw1-2")]
        assert unique(tmp_path, lives, [1]) == "held"
    within = [flush(10, 1, commit=50), flush(12, 1, process="gw2-3"), flush(20, 1, life="2", process="gw1-2")]
    assert unique(tmp_path, within, [1]) == "broken"


def test_what_looks_like_another_life_does_not_hide_an_id_that_two_rows_have(tmp_path: Path) -> None:
    two = [flush(10, 7), flush(20, 7), flush(30, 8, life="an index was made")]
    assert unique(tmp_path, two, [7, 7, 8]) == "broken"
    assert unique(tmp_path, two, [7, 8]) == "held"


def test_a_row_that_its_own_transaction_gave_up_was_gone_when_it_was_told_the_id_again(tmp_path: Path) -> None:
    given_up = [flush(10, 1, begin=5, commit=30), flush(20, 1, begin=5, commit=30)]
    assert deletable(given_up, [1]) == [(10,), (0,)]
    assert unique(tmp_path, given_up, [1]) == "held"
    assert unique(tmp_path, [given_up[0], replace(given_up[1], process="gw1-2")], [1]) == "broken"


def test_failed_and_unknown_flushes_acknowledge_nothing_and_leave_nothing_to_be_deleted(tmp_path: Path) -> None:
    for outcome in (FAILED, UNKNOWN):
        mixed = [flush(10, 1, outcome=outcome), flush(11, 1, process="gw1-2")]
        assert deletable(mixed, [1]) == [(0,), (0,)]
        assert unique(tmp_path, mixed, [1]) == "held"
        assert unique(tmp_path, mixed[::-1], [1]) == "held"


def test_two_unknown_rows_that_are_both_there_have_committed_and_are_broken(tmp_path: Path) -> None:
    two = [flush(10, 1, outcome=UNKNOWN), flush(11, 1, outcome=UNKNOWN, process="gw1-2")]
    assert unique(tmp_path, two, [1]) == "held"
    assert unique(tmp_path, two, [1, 1]) == "broken"


@dataclass
class Row:
    """A row of a lawful database."""

    process: str
    life: str
    begin: int
    handed: int
    id: int
    commit: int = 0


def lawful(data: st.DataObject) -> tuple[list[Flush], list[int]]:
    """Return what the clients of a lawful database were told, and what it holds afterwards.

    It hands out no id that a row has, and any other, also one that was rolled back or deleted a moment ago.
    """
    flushes: list[Flush] = []
    pending: list[Row] = []  # COMMIT was not sent
    sent: list[Row] = []  # it took effect, and its client does not know yet
    there: dict[int, Row] = {}
    now, life = 10, 1
    for step in data.draw(st.lists(st.sampled_from("iiiccceerdt"), max_size=40)):
        now += 1
        match step:
            case "i":
                free = [id_ for id_ in range(1, 6) if id_ not in there and id_ not in {row.id for row in pending}]
                if free:
                    process = data.draw(st.sampled_from(["gw0-1", "gw1-2"]))
                    begin = now - data.draw(st.integers(0, 3))
                    pending.append(Row(process, str(life), begin, now, data.draw(st.sampled_from(free))))
            case "c" if pending:
                row = pending.pop(data.draw(st.integers(0, len(pending) - 1)))
                row.commit, there[row.id] = now, row
                sent.append(row)
            case "e" if sent:
                row = sent.pop(0)
                outcome = data.draw(st.sampled_from([OK, OK, UNKNOWN]))
                flushes.append(_flush(row, now, outcome))
            case "r" if pending:
                flushes.append(_flush(pending.pop(), now, data.draw(st.sampled_from([FAILED, UNKNOWN]))))
            case "d" if there:
                del there[data.draw(st.sampled_from(sorted(there)))]
            case "t" if not pending:
                there.clear()
                life += 1
    flushes += [_flush(row, now + 1, OK) for row in sent] + [_flush(row, 0, UNKNOWN) for row in pending]
    return flushes, sorted(there)


def _flush(row: Row, ended: int, outcome: Outcome) -> Flush:
    return Flush(row.process, "a test", row.life, row.begin, row.handed, (row.id,), row.commit, ended, outcome)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_a_lawful_database_does_is_never_broken(data: st.DataObject) -> None:
    flushes, held = lawful(data)
    if flushes:
        with tempfile.TemporaryDirectory() as folder:
            found = statuses(Path(folder), flushes, held)
        assert {found[check] for check in ("unique", "single_use", "accepted", "durable", "explained")} <= {
            *("held", "unknown", "n/a")
        }


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_an_id_that_was_acknowledged_to_two_at_the_same_time_is_always_broken(data: st.DataObject) -> None:
    flushes, held = lawful(data)
    known = [one for one in flushes if one.outcome == OK]
    if known:
        one = data.draw(st.sampled_from(known))
        handed = data.draw(st.integers(one.handed, one.commit))
        two = replace(one, process="gw2-3", begin=handed, handed=handed, commit=handed + 1, ended=handed + 2)
        with tempfile.TemporaryDirectory() as folder:
            assert unique(Path(folder), [*flushes, two], held) == "broken"


@pytest.mark.parametrize(
    ("told", "held", "kind"),
    [
        (["00ab" * 8, "00AB" * 8], ["00ab" * 8], "text"),
        (["00ab" * 8], ["00ab" * 8, "00AB" * 8], "text"),
        (["00ab00ab-00ab-00ab-00ab-00ab00ab00ab"], ["00AB" * 8], "uuid"),
    ],
)
def test_texts_that_spell_one_uuid_are_one_id_unless_either_side_spells_it_twice(
    told: list[Any], held: list[Any], kind: str
) -> None:
    assert codec_of(JoinedTable(about(), [flush(10 * at, id_) for at, id_ in enumerate(told)]), held).kind == kind
