"""An id is one typed key, whatever it was told as and however it is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idstorm.record.columns import Keys
from idstorm.record.keys import Codec, codec_for

A_UUID = UUID("0190f5fe-1c3b-7a2e-8c4d-0123456789ab")


@pytest.mark.parametrize("told", [5, "5", Decimal(5), 5.0, np.int64(5), np.uint8(5)])
def test_an_integer_is_the_same_key_however_it_is_told(told: object) -> None:
    assert Codec("int64").encode(told) == Codec("int64").encode(5)


@pytest.mark.parametrize("told", [A_UUID, str(A_UUID), A_UUID.hex, A_UUID.bytes, str(A_UUID).upper()])
def test_a_uuid_is_the_same_key_as_object_text_or_bytes(told: object) -> None:
    assert Codec("uuid").encode(told) == Codec("uuid").encode(A_UUID)


@pytest.mark.parametrize("nonsense", [True, np.True_, 1.5, None, "five", object(), b"5", [5], 1 << 63])
def test_what_is_no_integer_of_64_bits_is_no_id(nonsense: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Codec("int64").encode(nonsense)


@pytest.mark.parametrize("kind", ["int64", "uint64", "int128"])
@pytest.mark.parametrize(
    "nonsense", [float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), 1 << 128]
)
def test_what_is_no_number_is_no_id_either(kind: str, nonsense: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Codec(kind).encode(nonsense)
    assert codec_for(nonsense, nonsense).kind in ("text", "int64")


@pytest.mark.parametrize(
    ("told", "stored"),
    [
        (4, Decimal("4.00")),
        (Decimal("4.50"), Decimal("4.5")),
        (4.5, Decimal("4.50")),
        (1e20, 10**20),
        (0.1, Decimal("0.1")),
        (Decimal("-0.00"), 0),
    ],
)
def test_a_number_as_text_is_the_same_key_however_many_digits_are_kept(told: object, stored: object) -> None:
    assert Codec("text", 16).encode(told) == Codec("text", 16).encode(stored)


def test_no_digit_of_a_long_number_is_lost_in_its_text() -> None:
    number = Decimal("1234567890123456789012345678901234567.50")
    assert Codec("text", 40).decode(Codec("text", 40).encode(number)) == "1234567890123456789012345678901234567.5"


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_integers_of_64_bits_are_shown_as_they_were(number: int) -> None:
    assert Codec("int64").decode(Codec("int64").encode(number)) == number


@given(st.integers(-(1 << 127), (1 << 127) - 1))
def test_integers_of_128_bits_are_shown_as_they_were(number: int) -> None:
    assert Codec("int128").decode(Codec("int128").encode(number)) == number


@given(st.uuids())
def test_uuids_are_shown_as_they_were(uuid: UUID) -> None:
    assert Codec("uuid").decode(Codec("uuid").encode(uuid)) == str(uuid)


@given(st.text(max_size=20), st.text(max_size=20))
def test_texts_have_the_same_key_only_if_they_are_the_same(one: str, other: str) -> None:
    codec = Codec("text", 160)
    assert (codec.encode(one) == codec.encode(other)) == (one == other)


def test_text_that_is_too_long_to_keep_is_cut_for_the_reader_but_not_for_the_key() -> None:
    codec = Codec("text", 8)
    assert codec.encode("invoice-0001") != codec.encode("invoice-0002")
    assert codec.decode(codec.encode("invoice-0001")) == "invoice-"


@pytest.mark.parametrize(
    ("told", "stored", "kind"),
    [
        (5, 5, "int64"),
        ("5", 5, "int64"),
        (1 << 70, Decimal(1 << 70), "int128"),
        (A_UUID, A_UUID, "uuid"),
        (str(A_UUID), A_UUID.bytes, "uuid"),
        (str(A_UUID), A_UUID, "uuid"),
        (A_UUID, A_UUID.hex, "uuid"),
        (str(A_UUID), str(A_UUID), "text"),
        ("5", "5", "text"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "text"),
        ((1, 2), (1, 2), "text"),
    ],
)
def test_what_the_table_stores_decides_the_kind_of_key(told: object, stored: object, kind: str) -> None:
    codec = codec_for(told, stored)
    assert codec.kind == kind
    assert codec.encode(told) == codec.encode(stored)


@given(st.lists(st.uuids(), min_size=1))
def test_equal_keys_have_equal_digests(uuids: list[UUID]) -> None:
    keys, again = Keys.encode(Codec("uuid"), uuids), Keys.encode(Codec("uuid"), [str(uuid) for uuid in uuids])
    assert keys.equal(again).all()
    assert (keys.digest() == again.digest()).all()


def test_the_parts_of_a_composite_key_do_not_run_into_each_other() -> None:
    codec = Codec("text", 16)
    assert codec.encode(("a, b", "c")) != codec.encode(("a", "b, c"))
    assert codec.encode(("a", 1)) == codec.encode(["a", "1"])


def test_two_texts_are_two_ids_however_much_they_look_like_one_uuid() -> None:
    lower, upper = A_UUID.hex, A_UUID.hex.upper()
    told_apart, spelled = codec_for(lower, lower), codec_for(lower, lower, spelled=True)
    assert told_apart.encode(lower) != told_apart.encode(upper)
    assert spelled.encode(lower) == spelled.encode(upper)


NOON, EAST = datetime(2026, 1, 1, 12), timezone(timedelta(hours=5))
BERLIN = "moment Europe/Berlin"


@pytest.mark.parametrize(
    ("form", "told", "stored"),
    [
        ("blank", "a", "a   "),
        ("decimal", "20.00", Decimal(20)),
        ("decimal", "2.5e1", 25.0),
        ("decimal", "1e999999999", "1e999999999"),
        ("decimal", "NaN", "NaN"),
        ("decimal", "twenty", "twenty"),
        ("uuid", A_UUID.hex.upper(), A_UUID),
        ("uuid", A_UUID.bytes, A_UUID),
        ("clock", NOON.replace(tzinfo=EAST), NOON),
        ("clock", NOON.isoformat(), NOON),
        ("utc", NOON.replace(tzinfo=EAST), NOON.replace(hour=7)),
        ("moment", NOON.replace(tzinfo=EAST).isoformat(), NOON.replace(hour=7, tzinfo=UTC)),
        ("moment", "noon", "noon"),
        (BERLIN, NOON, NOON.replace(hour=11, tzinfo=UTC)),
        (BERLIN, NOON.replace(month=7), NOON.replace(month=7, hour=10, tzinfo=UTC)),
        (BERLIN, datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # a clock never showed it
        (BERLIN, datetime(2026, 10, 25, 2, 30), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),  # it showed it twice
        ("local Europe/Berlin", NOON.replace(tzinfo=UTC), NOON.replace(hour=13)),
    ],
)
def test_what_a_column_takes_for_the_same_is_the_same_key(form: str, told: object, stored: object) -> None:
    assert Codec("text", 40, form=form).encode(told) == Codec("text", 40, form=form).encode(stored)
    several = Codec("text", 40, ("int", "text")).formed(("text", form))
    assert several.encode((1, told)) == several.encode((1, stored))


@pytest.mark.parametrize(
    ("form", "told", "stored"),
    [
        ("text", "a", "a "),
        ("text", "20.00", "20"),
        ("decimal", "20.01", Decimal(20)),
        ("utc", NOON.replace(tzinfo=EAST), NOON),
        ("moment", NOON.replace(tzinfo=EAST), NOON.replace(tzinfo=UTC)),
        (BERLIN, NOON, NOON.replace(tzinfo=UTC)),
        ("local Europe/Berlin", NOON.replace(tzinfo=UTC), NOON),
    ],
)
def test_what_a_column_takes_for_another_is_another_key(form: str, told: object, stored: object) -> None:
    assert Codec("text", 40, form=form).encode(told) != Codec("text", 40, form=form).encode(stored)


def test_a_moment_without_a_zone_is_no_id_where_the_zone_that_it_is_taken_in_is_not_known() -> None:
    with pytest.raises(ValueError, match="<\\+02>-02 is not known"):
        Codec("text", 40, form="moment <+02>-02").encode(NOON)


def test_a_moment_beyond_the_years_of_a_datetime_is_no_id() -> None:
    with pytest.raises(ValueError, match="beyond"):
        Codec("text", 40).encode(datetime.min.replace(tzinfo=EAST))
