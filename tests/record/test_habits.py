"""What a target's facts tell of its generators, in runs of today and in those from before they told it by a name."""

from __future__ import annotations

import pytest

from idstorm.record.habits import Habits


def test_what_is_told_among_the_facts_is_read_back() -> None:
    habits = Habits(stride=3, offset=2, blocks=True, ahead=7)
    assert Habits.of({"version": "1", **habits.told()}, ()) == habits


def test_what_is_told_counts_more_than_the_variables_of_mysql() -> None:
    assert Habits.of({"auto_increment_increment": 10, **Habits().told()}, ("session_sequence_cache",)) == Habits()


def test_older_runs_have_the_variables_of_mysql() -> None:
    facts = {"auto_increment_increment": 10, "auto_increment_offset": 4, "innodb_autoinc_lock_mode": 2}
    assert Habits.of(facts, ()) == Habits(stride=10, offset=4, blocks=True)
    assert not Habits.of({**facts, "innodb_autoinc_lock_mode": 0}, ()).blocks


def test_older_runs_on_postgresql_logged_32_values_ahead() -> None:
    assert Habits.of({"server_version": "18.1"}, ("sequences", "session_sequence_cache")) == Habits(ahead=32)
    assert Habits.of({}, ()) == Habits()


def test_what_is_no_habit_is_refused() -> None:
    with pytest.raises(ValueError, match="stride"):
        Habits.of({"generator": {"stride": "wide", "offset": 1, "blocks": False, "ahead": 1}}, ())
