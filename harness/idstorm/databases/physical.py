"""Which table a name leads to, and which of its lives that is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Physical:
    """The table that a name resolves to on one connection."""

    schema: str | None  #: where another connection finds it
    life: str  #: changes when the table is recreated, or emptied in a way that restarts its ids
    private: bool = False  #: no other connection can see it
    database: str = ""  #: identifies the database, however a URL spells it
    file: str | None = None  #: the absolute path of the database's file, if it is a file
