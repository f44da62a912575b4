"""What the place of a gap gives away, and what is then left unexplained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from histories import NOTHING, UUIDS, failed, storm, told, unknown
from idstorm.findings.results import Status
from idstorm.judge.checks.explained import explained
from idstorm.judge.checks.gapless import gapless
from idstorm.judge.evidence import Evidence
from idstorm.record.capacity import Capacity
from idstorm.record.ending import CensusQuality, ClientsEnd, Ending, ServerAfterwards
from idstorm.record.plan import Fleet, Generator, Pool, Target

LARGEST = 2**63 - 1
IN_BLOCKS = {"innodb_autoinc_lock_mode": 1}


def on(
    *operations: Any,
    capabilities: tuple[str, ...] = (),
    facts: dict[str, Any] | None = None,
    facts_after: dict[str, Any] | None = None,
    cache: int = 1,
    made_by: str = "AUTO_INCREMENT",
    batch: int = 1,
    **more: Any,
) -> Evidence:
    """Return the evidence of a storm on a server of which this is known."""
    capacity = Capacity("integer", 2**31 - 1, made_by, LARGEST, cache=cache)
    return storm(
        *operations,
        target=Target("it", "it", "", "1", "", capabilities, facts or {}),
        fleet=Fleet(processes=1, clients=2, inserts=1, batch=batch),
        ending=Ending(server=ServerAfterwards(capacity=capacity, facts=facts_after or {})),
        **more,
    )


def causes(evidence: Evidence) -> dict[str, Any]:
    """Return the ledger, of which both checks say the same."""
    figures, finding = gapless(evidence).figures, explained(evidence)
    ledger: dict[str, Any] = figures["ledger"]
    assert sum(ledger.values()) == figures["missing"] + evidence.span.outside
    if finding.status is not Status.NA:
        assert finding.figures["unexplained"] == ledger.get("unexplained", 0)
        assert finding.status is (Status.BROKEN if finding.figures["unexplained"] else Status.HELD)
    return ledger


def test_without_a_gap_there_is_nothing_to_explain() -> None:
    assert explained(storm(told(1), told(2))).status is Status.HELD


def test_an_unexplained_gap_is_shown_by_its_neighbours() -> None:
    finding = explained(storm(told(1), failed(2), told(3), told(7), told(9)))
    assert (finding.status, finding.figures) == (Status.BROKEN, {"unexplained": 4})
    assert finding.witnesses == ({"unexplained_between": [3, 7]},)


def test_what_explains_a_gap_does_not_close_it() -> None:
    evidence = storm(told(1), failed(2), told(3))
    assert (gapless(evidence).status, explained(evidence).status) == (Status.BROKEN, Status.HELD)


def test_ids_that_the_application_makes_are_its_own_affair() -> None:
    evidence = storm(told(1), failed(2), told(9), generator=None)
    assert causes(evidence) == {"rolled_back": 1, "application": 6}
    finding = explained(evidence)
    assert finding.status is Status.NA
    assert finding.reason == "the ids, or some of them, do not come from the database's generator"


def test_below_rows_that_were_there_before_the_generator_never_was() -> None:
    there = [(3, None), (20, None)]
    assert causes(storm(told(21), told(22), before=[3, 20], census=[*there, (21, 0), (22, 1)])) == {}
    assert causes(storm(told(4), told(22), before=[3, 20], census=[*there, (4, 0), (22, 1)])) == {"unexplained": 16}


@pytest.mark.parametrize(("far", "between"), [(100_000, 99_997), (-2, 2), (0, 0)])
def test_what_lies_between_the_generators_range_and_foreign_rows_is_no_gap_of_it(far: int, between: int) -> None:
    evidence = storm(told(1), told(2), before=[far], census=[(far, None), (1, 0), (2, 1)])
    assert causes(evidence) == ({"foreign": between} if between else {})
    figures = gapless(evidence).figures
    assert (figures["missing"], figures["ratio"], gapless(evidence).status) == (0, 0.0, Status.HELD)
    gap = storm(told(1), told(4), before=[far], census=[(far, None), (1, 0), (4, 1)])
    assert (gapless(gap).figures["missing"], gapless(gap).figures["ratio"]) == (2, 0.5)


def test_a_foreign_row_within_the_generators_range_is_in_use_and_one_that_is_gone_is_foreign() -> None:
    evidence = storm(told(1), told(5), before=[2, 3, 4], census=[(3, None), (1, 0), (5, 1)])
    assert causes(evidence) == {"foreign": 2}


class TestACachedSequence:
    SESSIONS = ("session_sequence_cache",)

    def test_leaves_the_tail_of_a_block_for_each_session(self) -> None:
        operations = [told(1), told(2), told(21, client=1), told(41)]
        assert causes(on(*operations, capabilities=self.SESSIONS, cache=20)) == {"cached": 18 + 19}

    def test_leaves_no_hole_within_a_block(self) -> None:
        operations = [told(1), told(5), told(20), told(21)]
        assert causes(on(*operations, capabilities=self.SESSIONS, cache=20)) == {"unexplained": 17}

    def test_leaves_no_hole_at_the_head_of_a_block(self) -> None:
        operations = [told(*range(1, 21)), told(24)]
        assert causes(on(*operations, capabilities=self.SESSIONS, cache=20)) == {"unexplained": 3}

    def test_leaves_a_block_of_which_the_first_was_refused(self) -> None:
        operations = [told(20), failed(NOTHING), told(41)]
        assert causes(on(*operations, capabilities=self.SESSIONS, cache=20)) == {"cached": 19, "refused": 1}

    def test_explains_no_more_than_there_were_sessions(self) -> None:
        operations = [told(1 + 20 * block) for block in range(9)]
        evidence = on(*operations, capabilities=self.SESSIONS, cache=20)
        assert causes(evidence) == {"cached": 3 * 19, "unexplained": 5 * 19}
        assert explained(evidence).witnesses == ({"unexplained_between": [61, 81]},)

    def test_explains_as_much_as_there_were_sessions(self) -> None:
        three = [told(1 + 20 * block) for block in range(4)]
        four = [*three, told(81)]
        blocks: dict[str, Any] = {"capabilities": self.SESSIONS, "cache": 20}
        assert causes(on(*three, **blocks)) == {"cached": 3 * 19}  # two clients, and whoever looked on
        assert causes(on(*four, **blocks)) == {"cached": 3 * 19, "unexplained": 19}
        assert causes(on(*four, pool=Pool(2, 1), **blocks)) == {"cached": 4 * 19}
        assert causes(on(*four, unknown(101), **blocks)) == {"cached": 4 * 19}

    def test_that_lost_whole_blocks_leaves_the_first_of_each_unexplained(self) -> None:
        operations = [told(*range(1, 41)), told(81)]
        assert causes(on(*operations, capabilities=self.SESSIONS, cache=20)) == {"cached": 38, "unexplained": 2}

    def test_counts_in_its_own_steps_and_direction(self) -> None:
        down = [told(-1), told(-3), told(-41, client=1), told(-43)]
        evidence = on(*down, capabilities=self.SESSIONS, cache=20, generator=Generator(-1, -2))
        assert causes(evidence) == {"off_grid": 21, "cached": 18}

    def test_that_setup_has_moved_may_leave_a_tail_wherever_its_blocks_begin(self) -> None:
        blocks: dict[str, Any] = {"capabilities": self.SESSIONS, "cache": 20}
        assert causes(on(told(1_007), told(1_027, client=1), told(1_028), **blocks)) == {"cached": 19}
        assert causes(on(told(1_007), told(1_028, client=1), **blocks)) == {"cached": 19, "unexplained": 1}

    def test_goes_on_off_its_grid_from_what_a_server_that_crashed_had_logged(self) -> None:
        operations = [told(1), told(21, client=1), told(54), told(55), told(74, client=1), told(75)]
        started: dict[str, Any] = {"facts": {"started": "a"}, "facts_after": {"started": "b"}}
        evidence = on(*operations, capabilities=self.SESSIONS, cache=20, pool=Pool(2, 1), **started)
        assert causes(evidence) == {"cached": 19 + 19 + 18, "crash": 13}

    def test_leaves_two_tails_for_each_session_that_ended_with_its_server(self) -> None:
        operations = [told(1 + 20 * block) for block in range(7)]
        started: dict[str, Any] = {"facts": {"started": "a"}, "facts_after": {"started": "b"}}
        evidence = on(*operations, capabilities=self.SESSIONS, cache=20, **started)
        assert causes(evidence) == {"cached": 5 * 19, "crash": 19}

    @pytest.mark.parametrize("connections", [8, 9])
    def test_explains_as_much_as_there_were_connections_where_they_were_counted(self, connections: int) -> None:
        evidence = on(*(told(1 + 20 * block) for block in range(10)), capabilities=self.SESSIONS, cache=20)
        evidence = replace(evidence, ending=replace(evidence.ending, clients=ClientsEnd(connections=connections)))
        assert causes(evidence) == {"cached": connections * 19} | ({} if connections == 9 else {"unexplained": 19})

    def test_that_all_sessions_share_leaves_nothing(self) -> None:
        assert causes(on(told(1), told(21), cache=20)) == {"unexplained": 19}

    def test_that_keeps_no_values_leaves_nothing(self) -> None:
        assert causes(on(told(1), told(3), capabilities=self.SESSIONS, cache=1)) == {"unexplained": 1}

    def test_may_keep_only_two(self) -> None:
        assert causes(on(told(1), told(3), capabilities=self.SESSIONS, cache=2)) == {"cached": 1}

    def test_explains_not_one_more_than_its_sessions_can_leave(self) -> None:
        operations = [told(1), told(21), told(41), told(*range(61, 79)), told(81)]
        assert causes(on(*operations, capabilities=self.SESSIONS, cache=20)) == {"cached": 3 * 19, "unexplained": 2}

    def test_has_blocks_as_far_as_the_type_goes(self) -> None:
        block = 20 << 56
        far = [told(block + 1), told(block + 2), told(block + 21, client=1)]
        assert causes(on(*far, capabilities=self.SESSIONS, cache=20)) == {"cached": 18}
        wide = [told(1), told((1 << 60) + 1)]
        assert causes(on(*wide, capabilities=self.SESSIONS, cache=1 << 60)) == {"cached": (1 << 60) - 1}


class TestABlockForABulkInsert:
    def test_leaves_less_than_the_statement_had_rows(self) -> None:
        operations = [told(1, 2, 3, 4), told(8, 9, client=1)]
        assert causes(on(*operations, facts=IN_BLOCKS, batch=4)) == {"bulk": 3}

    def test_is_followed_by_its_rest_whoever_was_told_of_it_first(self) -> None:
        assert causes(on(told(4, 3, 2, 1), told(7, 6, client=1), facts=IN_BLOCKS, batch=4)) == {"bulk": 1}

    def test_leaves_nothing_wider(self) -> None:
        operations = [told(1, 2, 3, 4), told(9, 10, client=1)]
        assert causes(on(*operations, facts=IN_BLOCKS, batch=4)) == {"unexplained": 4}

    def test_follows_rows_that_nobody_was_told_of_as_well(self) -> None:
        lost = [unknown(NOTHING, NOTHING, NOTHING), unknown(NOTHING, client=1), unknown(NOTHING, client=1)]
        there = [(1, 0), (2, 1), (3, 2), (5, 3), (7, 4)]
        assert causes(on(*lost, facts=IN_BLOCKS, batch=3, census=there)) == {"bulk": 1, "unexplained": 1}
        assert causes(on(*lost[1:], facts=IN_BLOCKS, batch=3, census=[(1, 0), (5, None), (4, 1)])) == {"unexplained": 2}

    def test_leaves_nothing_after_a_single_row(self) -> None:
        operations = [told(1), told(3, 4, 5, 6, client=1)]
        assert causes(on(*operations, facts=IN_BLOCKS, batch=4)) == {"unexplained": 1}

    def test_is_not_drawn_in_the_traditional_mode(self) -> None:
        operations = [told(1, 2, 3, 4), told(8, 9, client=1)]
        assert causes(on(*operations, facts={"innodb_autoinc_lock_mode": 0}, batch=4)) == {"unexplained": 3}
        assert causes(on(*operations, batch=4)) == {"unexplained": 3}  # nor where nobody knows of modes

    def test_may_be_one_of_two_rows(self) -> None:
        assert causes(on(told(1, 2), told(4, 5, client=1), facts=IN_BLOCKS, batch=2)) == {"bulk": 1}

    def test_is_lost_whole_with_a_statement_that_was_refused(self) -> None:
        operations = [told(1), failed(NOTHING, NOTHING), told(7)]
        assert causes(on(*operations, facts=IN_BLOCKS, batch=2)) == {"refused": 4, "unexplained": 1}
        assert causes(on(*operations, batch=2)) == {"refused": 2, "unexplained": 3}
        single = [told(1), failed(NOTHING), told(4)]
        assert causes(on(*single, facts=IN_BLOCKS)) == {"refused": 1, "unexplained": 1}


def test_an_insert_that_is_there_has_used_up_no_other_id() -> None:
    assert causes(on(told(1), unknown(NOTHING), told(4), census=[(1, 0), (2, 1), (4, 2)])) == {"unexplained": 1}
    assert causes(on(told(1), unknown(NOTHING), told(4), census=[(1, 0), (4, 2)])) == {"refused": 1, "unexplained": 1}


def test_servers_that_take_turns_step_over_each_others_values() -> None:
    facts = {"auto_increment_increment": 10}
    assert causes(on(told(1), told(11), told(12), told(31), facts=facts)) == {"stride": 9 + 18}
    assert causes(on(told(1), told(22), facts=facts)) == {"unexplained": 20}
    assert causes(on(told(1), told(3), facts={"auto_increment_increment": 2})) == {"stride": 1}


def test_a_sequence_knows_nothing_of_what_a_server_asks_of_its_counters() -> None:
    facts = {"auto_increment_increment": 2, **IN_BLOCKS}
    operations = [told(1, 2, 3, 4), told(6, 7), failed(NOTHING, NOTHING), told(11)]
    assert causes(on(*operations, facts=facts, batch=4)) == {"stride": 1 + 3}
    evidence = on(*operations, facts=facts, batch=4, made_by="sequence s")
    assert causes(evidence) == {"refused": 2, "unexplained": 2}


def test_past_the_largest_rowid_they_are_drawn_at_random() -> None:
    operations = [told(LARGEST), told(5), told(2**40)]
    assert causes(on(*operations, capabilities=("rowid_reuse",))) == {"at_random": LARGEST - 5 - 2}
    behind = on(
        told(5), told(9), before=[LARGEST], census=[(LARGEST, None), (5, 0), (9, 1)], capabilities=("rowid_reuse",)
    )
    assert causes(behind) == {"at_random": 3, "foreign": LARGEST - 10}
    assert "unexplained" in causes(on(told(5), told(2**40), capabilities=("rowid_reuse",)))


@pytest.mark.parametrize(("before", "after", "ledger"), [("a", "b", "crash"), ("a", "a", "unexplained")])
def test_a_server_that_was_started_again_may_skip_what_it_had_logged_ahead(
    before: str, after: str, ledger: str
) -> None:
    evidence = on(
        told(1),
        told(30),
        capabilities=("session_sequence_cache",),
        facts={"started": before},
        facts_after={"started": after},
    )
    assert causes(evidence) == {ledger: 28}


def test_where_nothing_is_logged_ahead_a_server_that_was_started_again_may_skip_what_it_had_cached() -> None:
    started: dict[str, Any] = {"facts": {"started": "a"}, "facts_after": {"started": "b"}}
    assert causes(on(told(1), told(30), **started)) == {"crash": 1, "unexplained": 27}
    assert causes(on(told(1), told(30), cache=10, **started)) == {"crash": 10, "unexplained": 18}


def test_it_means_nothing_for_ids_that_are_no_numbers_and_is_unknown_without_a_census() -> None:
    assert explained(storm(told("00000000-0000-0000-0000-000000000001"), codec=UUIDS)).status is Status.NA
    assert explained(storm(told(1), unknown(2), census=None)).status is Status.UNKNOWN
    assert explained(replace(storm(told(1)), ending=Ending(census=CensusQuality(quiet=False)))).status is Status.UNKNOWN
