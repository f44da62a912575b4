from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import INTEGER, TEXT, UUIDS, WIDE
from idstorm.judge.groups import dense_range, lookup, pair_up, presence, repeated, starts_of_groups
from idstorm.record.columns import Keys
from idstorm.record.keys import Codec

numbers = st.one_of(st.integers(0, 12), st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), 2**63 - 1]))
columns = st.lists(numbers, max_size=40)
codecs = st.sampled_from([INTEGER, WIDE, UUIDS, TEXT])


def keys_of(codec: Codec, values: list[int]) -> Keys:
    """Return these numbers as ids of any kind."""
    as_uuids = [f"{value % 2**64:016x}" * 2 for value in values]
    return Keys.encode(codec, as_uuids if codec.kind == "uuid" else values)


@settings(max_examples=200, deadline=None)
@given(columns, codecs)
def test_repeated_finds_each_place_whose_key_occurs_again(values: list[int], codec: Codec) -> None:
    places = repeated(keys_of(codec, values)).tolist()
    assert sorted(places) == [place for place, value in enumerate(values) if values.count(value) > 1]


@settings(max_examples=200, deadline=None)
@given(columns, codecs)
def test_repeated_puts_equal_keys_side_by_side_in_their_order(values: list[int], codec: Codec) -> None:
    keys = keys_of(codec, values)
    places = repeated(keys)
    starts = starts_of_groups(keys.take(places)).tolist()
    groups = [places[start:end].tolist() for start, end in zip(starts, [*starts[1:], len(places)], strict=False)]
    assert sorted(groups) == sorted(
        [place for place, value in enumerate(values) if value == wanted]
        for wanted in set(values)
        if values.count(wanted) > 1
    )


@settings(max_examples=100, deadline=None)
@given(columns, codecs, st.data())
def test_repeated_among_some_places_looks_at_no_others(values: list[int], codec: Codec, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    among = [place for place, is_chosen in enumerate(chosen) if is_chosen]
    picked = [values[place] for place in among]
    expected = [place for place in among if picked.count(values[place]) > 1]
    keys = keys_of(codec, values)
    assert sorted(repeated(keys, np.array(chosen, np.bool_)).tolist()) == expected
    assert sorted(repeated(keys, np.array(among, np.int64)).tolist()) == expected


@settings(max_examples=200, deadline=None)
@given(columns, columns, codecs)
def test_lookup_finds_the_last_place_of_each_key(values: list[int], wanted: list[int], codec: Codec) -> None:
    places = lookup(keys_of(codec, values), keys_of(codec, wanted)).tolist()
    last = {value: place for place, value in enumerate(values)}
    assert places == [last.get(value, -1) for value in wanted]


@settings(max_examples=200, deadline=None)
@given(columns, columns, codecs)
def test_pair_up_gives_each_of_several_equal_keys_a_place_of_its_own(
    values: list[int], wanted: list[int], codec: Codec
) -> None:
    left: dict[int, list[int]] = {value: [] for value in wanted}
    for place, value in enumerate(values):
        left.setdefault(value, []).append(place)
    expected = [left[value].pop(0) if left[value] else -1 for value in wanted]
    assert pair_up(keys_of(codec, values), keys_of(codec, wanted)).tolist() == expected


@pytest.mark.parametrize("codec", [INTEGER, UUIDS])
def test_where_nothing_is_wanted_there_are_no_places(codec: Codec) -> None:
    places = lookup(keys_of(codec, [1, 2]), Keys.of_words(codec, np.zeros(0, np.int64)))
    assert len(places) == 0
    assert places.dtype == np.int64


def test_pair_up_goes_from_the_first_place_to_the_last() -> None:
    keys, wanted = keys_of(INTEGER, [7, 5, 7, 9, 5, 7]), keys_of(INTEGER, [5, 7, 8, 7, 5, 5])
    assert pair_up(keys, wanted).tolist() == [1, 0, -1, 2, 4, -1]
    assert pair_up(keys_of(INTEGER, []), wanted).tolist() == [-1] * 6


def test_keys_whose_digests_agree_are_still_told_apart() -> None:
    first, second = np.int64(-7046029254386353131), np.int64(1)
    words = np.array([[0, first], [second, 0], [0, first]], np.int64)
    keys = Keys(UUIDS, words)
    assert len(set(keys.digest().tolist())) == 1
    assert repeated(keys).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([5], (5, 1)),
        ([-3, 4], (-3, 8)),
        ([0, 1 << 16], None),
        ([0, (1 << 16) - 1], (0, 1 << 16)),
        ([-(2**63), 2**63 - 1], None),
        (list(range(0, 80_000, 8)), (0, 79_993)),
        (list(range(0, 90_000, 9)), None),
    ],
)
def test_a_bitmap_is_worth_it_where_values_are_dense(values: list[int], expected: tuple[int, int] | None) -> None:
    assert dense_range(np.array(values, np.int64)) == expected


def test_presence_marks_what_is_there() -> None:
    assert presence(np.array([4, 2, 4], np.int64), 2, 4).tolist() == [True, False, True, False]
    assert presence(np.array([0, 1], np.int64), 0, 3).tolist() == [True, True, False]
