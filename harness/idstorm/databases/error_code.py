"""What an error that ended an operation means for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCode:
    """What a driver's error means for the operation that it ended."""

    name: str  #: the same for all errors with the same cause
    refused: bool = False  #: the id's own constraint refused a row
    rolled_back: bool = False  #: proof that the transaction did not commit, even if COMMIT had been sent
    raced: bool = False  #: the database itself ended the operation, because of concurrent ones
    recognised: bool = True  #: False: it is not known whether the id's own constraint refused the row
    wrapped: bool = False  #: the driver's error was found in another's chain: more may have been done in between
    works_own: bool = False  #: the work, or code that it calls, raised it: no driver's error is in its chain
    environment: bool = False  #: neither the work nor the database is at fault: disk full, read-only, out of reach
    lost: bool = False  #: there was a connection, and it is gone
