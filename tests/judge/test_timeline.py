"""Time is cut into stretches, which have every moment that was reached, and nothing else, each once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idstorm.judge import timeline
from idstorm.judge.timeline import stretches, tracks

clients = st.lists(st.lists(st.integers(0, 60), max_size=12), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(clients, st.sampled_from([1, 2, 8, 1 << 18]))
def test_a_stretch_comes_before_the_next_and_none_has_what_was_never_reached(
    moments: list[list[int]], stretch: int
) -> None:
    column = np.array([moment for client in moments for moment in client], np.int64)
    offsets = np.cumsum([0, *map(len, moments)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline, "STRETCH", stretch)
        found = [(taken.tolist(), places.tolist()) for ((taken, places),) in stretches(tracks(column, offsets))]
    before = 0
    for taken, places in found:
        assert column[places].tolist() == taken
        assert all(moment > before for moment in taken)
        before = max([before, *taken])
    assert sorted(place for _, places in found for place in places) == np.flatnonzero(column).tolist()


def test_two_lines_are_cut_at_the_same_moments() -> None:
    one, other = np.arange(1, 101), np.arange(51, 151)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline, "STRETCH", 8)
        cut = list(stretches(*(tracks(column, np.array([0, 40, 100])) for column in (one, other))))
    before = 0
    for (first, _), (second, _) in cut:
        assert all(moment > before for moment in [*first, *second])
        before = max([before, *first, *second])
    assert before == 150


def test_stretches_are_about_as_long_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "STRETCH", 64)
    random = np.random.default_rng(5)
    column = np.concatenate([np.sort(random.integers(1, 1 << 40, 1_000)) for _ in range(4)])
    lengths = [len(taken) for ((taken, _),) in stretches(tracks(column, np.arange(0, 4_001, 1_000)))]
    assert max(lengths) <= 4 * 64
    assert 4_000 // 128 <= len(lengths) <= 4_000 // 32
