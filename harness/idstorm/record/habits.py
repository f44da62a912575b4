"""What a database's generators do besides counting, for the ledger's causes and for `starts_at`.

A database tells it among its facts, as `generator`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from idstorm.record.shapes import read_as

_KEY = "generator"


@dataclass(frozen=True)
class Habits:
    """What generators do. Stride, offset and blocks are those of the tables' own counters, if there are any."""

    stride: int = 1  #: a counter goes on by this, since the values in between are other servers'
    offset: int = 1  #: where it begins, if that is no more than the stride
    blocks: bool = False  #: an INSERT of many rows may draw a block, of which it drops what it does not need
    ahead: int = 1  #: values that are logged ahead of their use, and are lost where the server crashes

    def told(self) -> dict[str, Any]:
        """Return them as facts."""
        return {_KEY: asdict(self)}

    @classmethod
    def of(cls, facts: Mapping[str, Any], capabilities: Collection[str]) -> Habits:
        """Return the habits that the facts describe.

        Older runs did not record them: there they follow from MySQL's variables, or PostgreSQL's session caches.
        """
        if _KEY in facts:
            return read_as(cls, facts[_KEY])
        return cls(
            stride=int(facts.get("auto_increment_increment", 1)),
            offset=int(facts.get("auto_increment_offset", 1)),
            blocks=facts.get("innodb_autoinc_lock_mode", 0) >= 1,
            ahead=32 if "session_sequence_cache" in capabilities else 1,
        )
