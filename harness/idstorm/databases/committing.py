"""Which statements may commit what a transaction has done before them, by what they begin with.

What a rule does not know may commit: it is asked where an operation has gone wrong, and its answer then leaves it
unknown, which is never wrong. A statement that is rolled back, or that another database would commit at, is no reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COMMON = (
    "SELECT INSERT UPDATE DELETE REPLACE MERGE WITH VALUES TABLE SAVEPOINT RELEASE ROLLBACK SHOW EXPLAIN DESCRIBE DESC"
)
_SKIPPED = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*(?!M?!).*?\*/|\()*", re.DOTALL)  # `/*! … */` is a statement to MySQL
_SEVERAL = re.compile(r";\s*\S")
_READING = re.compile(r"(SELECT|SHOW|PRAGMA)\b", re.IGNORECASE)
_WRITING = re.compile(r"(INSERT|UPDATE|DELETE|REPLACE|MERGE)\b", re.IGNORECASE)
_CALL = re.compile(r"([A-Za-z_][\w$.\"`]*)\s*\(")
_KNOWN = re.compile(
    "max|min|count|sum|avg|coalesce|greatest|least|abs|lower|upper|length|exists|in|values|any|all|and|or|not|as|on|"
    "using|cast|nextval|currval|lastval|last_insert_id|last_insert_rowid|now|random|rand|uuid|gen_random_uuid|"
    "row_number|over|from|where|select|case|when|then|else|end",
    re.IGNORECASE,
)  # what may stand before a parenthesis and writes no row


@dataclass(frozen=True)
class Statements:
    """What a database's statements mean for its transactions."""

    harmless: frozenset[str]  #: words with which statements begin that commit nothing
    doubtful: re.Pattern[str]  #: how those of them begin that may commit nevertheless

    def may_commit(self, statement: str) -> bool:
        """Return whether a statement may commit what its transaction has done."""
        start = _start(statement)
        word = re.match(r"\w+", start)
        if word is None or word[0].upper() not in self.harmless or _SEVERAL.search(start):
            return True
        return self.doubtful.match(start) is not None


def statements(harmless: str, doubtful: str) -> Statements:
    """Return them, by words parted by blanks, besides those that commit nothing anywhere, and a regular expression."""
    return Statements(frozenset(f"{_COMMON} {harmless}".split()), re.compile(doubtful, re.IGNORECASE | re.DOTALL))


def may_write(statement: str) -> bool:
    """Return whether a statement may write a row: anything but a SELECT that calls well-known functions alone."""
    start = _start(statement)
    if not _READING.match(start) or _SEVERAL.search(start):
        return True
    return not all(map(_KNOWN.fullmatch, _CALL.findall(start)))


def writes(statement: str) -> bool:
    """Return whether a statement certainly opens a transaction, where none is open: it inserts, changes or deletes."""
    return _WRITING.match(_start(statement)) is not None


def _start(statement: str) -> str:
    """Return a statement without comments and parentheses before its first word."""
    skipped = _SKIPPED.match(statement)
    return statement[skipped.end() :] if skipped else statement
