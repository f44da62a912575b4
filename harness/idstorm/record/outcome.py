"""The outcome of an operation."""

from __future__ import annotations

from enum import IntEnum


class Outcome(IntEnum):
    """The outcome of an operation. UNKNOWN is zero, so an operation that never ended reads as unknown."""

    UNKNOWN = 0  #: it may have taken effect
    OK = 1  #: it certainly took effect
    FAILED = 2  #: it certainly did not
