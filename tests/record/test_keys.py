"""An id is one typed key, whatever it was told as and however it is stored."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idstorm.record.columns import Keys
from idstorm.record.keys import Codec, codec_for

A_UUID = UUID("0190f5fe-1c3b-7a2e-8c4d-0123456789ab")


@pytest.mark.parametrize("told", [5, "5", Decimal(5), 5.0, np.int64(5).item()])
def test_an_integer_is_the_same_key_however_it_is_told(told: object) -> None:
    assert Codec("int64").encode(told) == Codec("int64").encode(5)


@pytest.mark.parametrize("told", [A_UUID, str(A_UUID), A_UUID.hex, A_UUID.bytes, str(A_UUID).upper()])
def test_a_uuid_is_the_same_key_as_object_text_or_bytes(told: object) -> None:
    assert Codec("uuid").encode(told) == Codec("uuid").encode(A_UUID)


@pytest.mark.parametrize("nonsense", [True, 1.5, None, "five", object(), b"5", [5], 1 << 63])
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
