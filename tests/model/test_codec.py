"""A column's type says how its database compares what was told with what it stores."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.dialects.postgresql import psycopg

from idstorm.model.codec import codec_of, forms_of
from idstorm.record.keys import Codec

POSTGRESQL, MYSQL, SQLITE = psycopg.dialect(), mysql.dialect(), sqlite.dialect()  # type: ignore[no-untyped-call]
A_UUID = UUID("0190f5fe-1c3b-7a2e-8c4d-0123456789ab")


class Padded(sa.TypeDecorator[str]):
    impl, cache_ok = sa.CHAR(16), True


class Twice(sa.TypeDecorator[str]):
    impl, cache_ok = Padded(), True


class Shouted(sa.TypeDecorator[str]):
    impl, cache_ok = sa.CHAR(16), True

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> str:
        return f"{value}!  "


class Money(sa.TypeDecorator[Decimal]):
    impl, cache_ok = sa.Numeric(20, 2), True


class Rounded(Money):
    cache_ok = True

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal:
        return Decimal(value)


class Whole(sa.TypeDecorator[Decimal]):
    impl, cache_ok = sa.Numeric(20, 0), True


class NaiveUtc(sa.TypeDecorator[datetime]):
    impl, cache_ok = sa.DateTime, True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> datetime:
        return value.astimezone(UTC).replace(tzinfo=None)  # type: ignore[no-any-return]


class Faced(NaiveUtc):
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> datetime:
        return value.replace(tzinfo=None)  # type: ignore[no-any-return]


def column(type_: Any) -> sa.Column[Any]:
    return sa.Column("id", type_)


@pytest.mark.parametrize(
    ("type_", "on_postgresql", "on_mysql", "on_sqlite"),
    [
        (sa.CHAR(16), "blank", "blank", "text"),
        (sa.NCHAR(16), "blank", "blank", "text"),
        (postgresql.VARCHAR(16), "text", "text", "text"),
        (sa.String(16).with_variant(sa.CHAR(16), "postgresql"), "blank", "text", "text"),
        (sa.CHAR(16).with_variant(sa.String(16), "postgresql"), "text", "blank", "text"),
        (Padded(), "blank", "blank", "text"),
        (Twice(), "blank", "blank", "text"),
        (Shouted(), "text", "text", "text"),
        (sa.Numeric(14, 2), "decimal", "decimal", "decimal"),
        (sa.Double(), "decimal", "decimal", "decimal"),
        (Money(), "decimal", "decimal", "decimal"),
        (sa.Integer(), "text", "text", "text"),
        (sa.Uuid(), "uuid", "uuid", "uuid"),
        (sa.DateTime(timezone=True), "moment Asia/Kolkata", "clock", "clock"),
        (sa.DateTime(), "local Asia/Kolkata", "clock", "clock"),
        (NaiveUtc(), "utc", "utc", "utc"),
        (Faced(), "clock", "clock", "clock"),
    ],
)
def test_the_type_decides_in_which_form_text_and_moments_are_compared(
    type_: Any, on_postgresql: str, on_mysql: str, on_sqlite: str
) -> None:
    columns = [column(type_)]
    assert forms_of(columns, POSTGRESQL, "Asia/Kolkata") == (on_postgresql,)
    assert forms_of(columns, MYSQL) == (on_mysql,)
    assert forms_of(columns, SQLITE) == (on_sqlite,)


@pytest.mark.parametrize(
    ("type_", "told", "stored", "kind", "form"),
    [
        (sa.String(40), A_UUID.hex, A_UUID.hex, "text", "text"),
        (sa.String(40), A_UUID, str(A_UUID), "uuid", "text"),
        (sa.Uuid(as_uuid=False), A_UUID.hex, str(A_UUID), "uuid", "text"),
        (Money(), Decimal(0), Decimal("0.00"), "text", "decimal"),
        (Rounded(), Decimal(0), Decimal("0.00"), "text", "decimal"),
        (Whole(), Decimal(0), Decimal(0), "int128", "text"),
        (sa.DateTime(), datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC), "text", "moment UTC"),
    ],
)
def test_what_is_stored_decides_further(type_: Any, told: object, stored: object, kind: str, form: str) -> None:
    codec = codec_of([column(type_)], POSTGRESQL, [(told, [stored])], "UTC")
    assert (codec.kind, codec.form) == (kind, form)
    assert codec.encode(told) == codec.encode(stored)


def test_each_column_of_an_id_has_a_form_of_its_own() -> None:
    columns = [column(sa.Integer()), column(sa.Numeric(14, 2)), column(sa.Uuid()), column(sa.CHAR(4))]
    told, stored = (1, "20.00", A_UUID.hex, "a"), (1, Decimal(20), A_UUID, "a   ")
    codec = codec_of(columns, POSTGRESQL, [(told, [stored])])
    assert codec == Codec("text", codec.text, ("int", "decimal", "uuid", "blank"))
    assert codec.encode(told) == codec.encode(stored)
