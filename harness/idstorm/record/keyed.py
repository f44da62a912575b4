"""Ids that hide what is counted in them, such as the 17 of "JV-2026-00017", while they are recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from idstorm.record.counting import counted
from idstorm.record.keys import Codec

Key = Callable[[Any], Any]
"""Makes of an id what is counted: a number, or a tuple that ends with one and begins with the scope of it."""


@dataclass(frozen=True)
class Keyed(Codec):
    """A codec together with the function that its plan has no place for. Its keys are those of the plan's."""

    key: Key = field(default=int, compare=False)

    @classmethod
    def of(cls, codec: Codec, key: Key | None) -> Codec:
        """Return a codec as it is, or with the function that a scenario has for it."""
        if key is None:
            return codec
        return cls(**{one.name: getattr(codec, one.name) for one in fields(codec)}, key=key)

    @property
    def planned(self) -> Codec:
        """All but the function."""
        return Codec(**{one.name: getattr(self, one.name) for one in fields(Codec)})

    def place(self, value: object) -> tuple[int, int]:
        """Ask the function. Raises TypeError or ValueError where it fails, or makes something else."""
        *scope, last = self.parts_of(value)
        try:
            made = self.key(last)
        except Exception as error:
            raise ValueError(f"key({last!r}) raised {type(error).__name__}: {error}") from error
        several = made if isinstance(made, Sequence) and not isinstance(made, str | bytes) else (made,)
        if not several:
            raise ValueError(f"key({last!r}) returned {made!r}, which has no number")
        *within, number = several
        return counted([*scope, *within], [*self.parts[: len(scope)], *["text"] * len(within)], number)
