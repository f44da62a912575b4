"""What of an id is counted, and within what: the two words that follow a key whose number says little by itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from idstorm.record.texts import integer, text_of

_HALF = 1 << 63


def counted(scope: Sequence[Any], forms: Sequence[str], last: object) -> tuple[int, int]:
    """Return a hash of a scope, and a number. Raises TypeError or ValueError for what is not a number of 64 bits."""
    number = integer(last)
    if not -_HALF <= number < _HALF:
        raise ValueError(f"{number} does not fit 64 bits")
    return _hashed(text_of(scope, forms)), number


@lru_cache(maxsize=1 << 16)
def _hashed(scope: str) -> int:
    return int.from_bytes(blake2b(scope.encode(), digest_size=8).digest(), "big", signed=True)
