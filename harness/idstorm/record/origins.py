"""Where the operations of a storm came from, where that was not from idstorm's own clients: from tests, say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Origins:
    """The origin of each operation of each client."""

    names: tuple[str, ...]
    places: tuple[tuple[int, ...], ...]  #: for each client, and each of its operations, the place of its origin

    def of(self, client: int, operation: int) -> str:
        """Return where an operation came from."""
        return self.names[self.places[client][operation]]
