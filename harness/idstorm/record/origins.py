"""The origins of a storm's operations if they did not come from idstorm's own clients but, say, from tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Origins:
    """The origin of each operation of each client."""

    names: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]  #: for each client, and each of its operations, the place of its origin

    def of(self, client: int, operation: int) -> str:
        """Return the origin of an operation."""
        return self.names[self.places[client][operation]]
