"""What a database is to a storm. Each has a file of its own that fills this in."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import sqlalchemy as sa

from idstorm.errors import EnvironmentFault, UsageError
from idstorm.record.census import Census
from idstorm.record.keys import Codec

_TOKEN = re.compile("[0-9]{1,19}")


@dataclass(frozen=True)
class ErrorCode:
    """What a driver's error means for the operation that it ended."""

    name: str  #: the same for all errors of the same cause
    refused: bool = False  #: a row was refused by the id's own constraint
    rolled_back: bool = False  #: proof that the transaction did not commit, even where COMMIT had been sent
    environment: bool = False  #: neither the work nor the database is at fault: disk full, read-only, out of reach


class CensusUnreadable(EnvironmentFault):
    """The census could not be read, or does not agree with the table's own count."""


class Database(ABC):
    """One database: its capabilities, error codes, facts, namespace and census."""

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, tuple[str, ...] | None]] = {}
    """What `--set` may change, with the values that it may have; None: anything."""

    @abstractmethod
    def namespace(self, url: sa.URL, label: str) -> AbstractContextManager[sa.URL]:
        """Make an empty namespace, yield the URL that leads into it, and take it away afterwards."""

    @abstractmethod
    def configure(self, engine: sa.Engine, settings: Mapping[str, str]) -> None:
        """Make every connection of an engine follow these settings."""

    @abstractmethod
    def capabilities(self, connection: sa.Connection) -> frozenset[str]:
        """Return what this server can do."""

    @abstractmethod
    def facts(self, connection: sa.Connection, settings: Mapping[str, str]) -> dict[str, Any]:
        """Return what decides how ids are handed out here, and the versions involved."""

    @abstractmethod
    def server(self, connection: sa.Connection) -> str:
        """Return the version of the server, as it says."""

    @abstractmethod
    def read_error(self, error: BaseException, ids: Sequence[str]) -> ErrorCode | None:
        """Return what a driver's error means, or None for one that is not this driver's.

        `ids` are the id's columns as `table.column`.
        """

    @abstractmethod
    def quiesce(self, url: sa.URL) -> bool:
        """Wait until nothing of the storm is at work any more. False: it may be."""

    @abstractmethod
    def snapshot(self, url: sa.URL) -> AbstractContextManager[sa.Connection]:
        """Open a connection in a fresh transaction that sees one snapshot."""

    def check_settings(self, settings: Mapping[str, str]) -> None:
        """Raise UsageError for a setting that does not exist here, or cannot have this value."""
        for name, value in settings.items():
            if name not in self.settings:
                known = ", ".join(self.settings) or "none"
                raise UsageError(f"--set {name}: {self.name} has no such setting; there are {known}")
            allowed = self.settings[name]
            if allowed is not None and value.lower() not in allowed:
                raise UsageError(f"--set {name}={value}: it may be {', '.join(allowed)}")

    def classify(self, error: BaseException, ids: Sequence[str]) -> ErrorCode:
        """Return what any error means that ended an operation."""
        original = getattr(error, "orig", None) or error
        known = self.read_error(original, ids)
        if known is not None:
            return known
        if isinstance(error, sa.exc.TimeoutError):
            return ErrorCode("sqlalchemy:3o7r the pool had no connection in time")
        kind = type(original)
        module = kind.__module__.partition(".")[0]
        return ErrorCode(f"{'python' if module == 'builtins' else module}:{kind.__name__}")

    def read_census(
        self, url: sa.URL, ids: Sequence[sa.Column[Any]], token: sa.Column[Any] | None, codec: Codec
    ) -> Census:
        """Return the (id, token) pairs of a table in one snapshot.

        Raises CensusUnreadable where that fails, or where the rows are not as many as the table counts.
        """
        try:
            with self.snapshot(url) as connection:
                counted = connection.scalar(sa.select(sa.func.count()).select_from(ids[0].table))
                plain = codec.kind == "int64" and len(ids) == 1
                fast = self._fast_census(connection, ids[0], token, codec) if plain and token is not None else None
                census = fast or Census.of(codec, list(read_pairs(connection, ids, token)))
        except (sa.exc.SQLAlchemyError, TypeError, ValueError, OverflowError) as error:
            raise CensusUnreadable(f"the census could not be read: {error}") from error
        if len(census) != counted:
            raise CensusUnreadable(f"the census has {len(census)} rows where the table counts {counted}")
        return census

    def _fast_census(
        self, connection: sa.Connection, id_: sa.Column[Any], token: sa.Column[Any], codec: Codec
    ) -> Census | None:
        """Return the census of integer ids by a way that the driver is fast at, or None where there is none."""
        return None


def read_pairs(
    connection: sa.Connection, ids: Sequence[sa.Column[Any]], token: sa.Column[Any] | None
) -> Iterator[tuple[Any, int | None]]:
    """Yield (id, token) of each row, as the columns' own types give them back. A composite id is a tuple."""
    columns = [*ids, *([] if token is None else [token])]
    for row in connection.execution_options(yield_per=10_000).execute(sa.select(*columns)):
        values = tuple(row)
        id_ = values[0] if len(ids) == 1 else values[: len(ids)]
        yield id_, None if token is None else read_token(values[-1])


def read_token(value: Any) -> int | None:
    """Return a token as it was given, whatever the column made of it; None for what is none of anybody's."""
    if isinstance(value, str):
        number = int(value) if _TOKEN.fullmatch(value) else -1
    else:
        number = int(value) if isinstance(value, int | Decimal) and value == value // 1 else -1
    return number if 0 <= number < 1 << 63 else None
