"""What the pictures of a storm show, of histories that are written by hand."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import NOTHING, TEXT, Operation, Poll, deleted, failed, storm, told, unknown
from idstorm.findings.drawing import BANDS, STRETCHES, Drawing, GapMap
from idstorm.findings.results import Status
from idstorm.findings.verdict import Verdict
from idstorm.judge.checks.gapless import gapless
from idstorm.judge.checks.unique import unique
from idstorm.judge.drawing import drawing
from idstorm.judge.evidence import Evidence
from idstorm.report.page.pictures import gap_map
from judged import verdict


def drawn(evidence: Evidence) -> Drawing:
    finding = unique(evidence)
    verdicts: dict[str, Verdict] = {"unique": verdict(finding.status, witnesses=finding.witnesses)}
    found = drawing(evidence, verdicts if finding.status is Status.BROKEN else {})
    assert found is not None
    return found


def test_a_storm_of_which_nothing_was_recorded_has_no_pictures() -> None:
    assert drawing(storm(), {}) is None


def test_the_operations_of_the_witness_are_the_culprits_and_the_others_stand_beside_them() -> None:
    found = drawn(storm(told(1), told(7, client=1), told(8), told(7)))
    assert found.check == "unique"
    assert [(bar.client, bar.id, bar.culprit) for bar in found.bars] == [
        (1, "7", True),
        (0, "8", False),
        (0, "7", True),
    ]
    assert all(bar.begin <= (bar.told or 0) <= bar.ended for bar in found.bars)


def test_nothing_broken_has_no_witness() -> None:
    found = drawn(storm(told(1), told(2, client=1)))
    assert (found.check, found.bars) == (None, ())


def test_ids_that_are_not_numbers_are_not_drawn_over_time() -> None:
    assert drawn(storm(told("a"), told("b"), codec=TEXT)).ids is None


operations = st.lists(
    st.one_of(
        st.builds(told, st.integers(-(1 << 62), 1 << 62), client=st.integers(0, 3)),
        st.builds(failed, st.integers(1, 9) | st.just(NOTHING), client=st.integers(0, 3)),
        st.builds(unknown, st.integers(1, 9), client=st.integers(0, 3)),
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None)
@given(operations)
def test_every_operation_and_every_id_is_counted_once(some: list[Operation]) -> None:
    evidence = storm(*some)
    found = drawn(evidence)
    assert sum(found.acknowledged) + sum(found.failed) == len(some)
    assert sum(count for _, _, count in found.heat) == sum(one.ids[0] is not NOTHING for one in some)
    assert all(0 <= stretch < STRETCHES and 0 <= band < BANDS for stretch, band, _ in found.heat)
    assert len(found.latencies) == STRETCHES


def test_deletes_have_no_id() -> None:
    evidence = storm(told(1), deleted(0), told(1, client=1), told(2))
    found = drawing(evidence, {"unique": verdict(Status.BROKEN, witnesses=({"client": 0, "operation": 1},))})
    assert found is not None
    assert [bar.id for bar in found.bars if bar.culprit] == [None]


def mapped(evidence: Evidence) -> GapMap:
    found = drawing(evidence, {})
    assert found is not None
    assert found.gaps is not None
    return found.gaps


def test_a_gap_map_has_what_is_missing_where_it_is_missing_and_why() -> None:
    found = mapped(storm(told(1), failed(2), told(3), told(1 + BANDS * 2)))
    assert (found.low, found.high) == (1, 1 + BANDS * 2)
    assert found.known == (("rolled_back", 0, 1),)
    assert (found.missing[0], found.missing[1], found.missing[-1]) == (1, 2, 1)


def test_where_nothing_is_missing_there_is_no_gap_map() -> None:
    found = drawing(storm(told(1), told(2)), {})
    assert found is not None
    assert found.gaps is None


def test_a_gap_map_of_few_ids_names_none_beyond_them() -> None:
    found = mapped(storm(told(1), told(2), told(10)))
    assert (found.low, found.high, sum(found.missing)) == (1, 10, 7)
    assert max(map(int, re.findall(r"ids beyond (\d+)", gap_map(found)))) < 10


@settings(deadline=None)
@given(operations)
def test_a_gap_map_counts_what_gapless_counts(some: list[Operation]) -> None:
    evidence = storm(*some)
    finding, found = gapless(evidence), drawing(evidence, {})
    assert found is not None
    missing = finding.figures.get("missing", 0)
    if found.gaps is None:
        assert not missing
    else:
        assert sum(found.gaps.missing) == pytest.approx(missing, rel=1e-9)
        charged = [0] * BANDS
        for cause, part, count in found.gaps.known:
            assert finding.figures["ledger"][cause] >= count
            charged[part] += count
        assert all(count <= all_ for count, all_ in zip(charged, found.gaps.missing, strict=True))


def test_a_reader_that_nobody_asked_for_has_no_picture_and_another_has_the_lags_of_what_it_saw() -> None:
    assert drawn(storm(told(1), told(2))).visibility is None
    evidence = storm(told(1), told(2), polls=[Poll(5 * 10**6, (0, 1), 2)])
    found = drawing(evidence, {"visible": verdict(Status.HELD, figures={"skipped": 0, "safe_lag_ms": 0.0})})
    assert found is not None
    assert found.visibility is not None
    assert (found.visibility.seen, found.visibility.missed, len(found.visibility.lags)) == (2, 0, 101)
    assert found.visibility.lags[0] == pytest.approx(5, abs=0.01)
