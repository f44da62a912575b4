"""Which statements may commit the work that their transaction did before, judged by how they begin.

A statement that no rule covers may commit. The rules are consulted when an operation has failed, and "may commit"
leaves its outcome unknown, which is never wrong. A statement that can be rolled back is no reason to say so, nor is
one at which only another database would commit.
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
)  # words that may precede a parenthesis without writing a row


@dataclass(frozen=True)
class Statements:
    """What a database's statements mean for its transactions."""

    harmless: frozenset[str]  #: first words of statements that commit nothing
    doubtful: re.Pattern[str]  #: the beginnings of those that may commit all the same

    def may_commit(self, statement: str) -> bool:
        """Return whether a statement may commit what its transaction has done."""
        start = _start(statement)
        word = re.match(r"\w+", start)
        if word is None or word[0].upper() not in self.harmless or _SEVERAL.search(start):
            return True
        return self.doubtful.match(start) is not None


def statements(harmless: str, doubtful: str) -> Statements:
    """Return a `Statements` with these harmless words, separated by blanks, besides those harmless in all databases.

    `doubtful` is a regular expression.
    """
    return Statements(frozenset(f"{_COMMON} {harmless}".split()), re.compile(doubtful, re.IGNORECASE | re.DOTALL))


def may_write(statement: str) -> bool:
    """Return whether a statement may write a row: anything but a query that calls only well-known functions."""
    start = _start(statement)
    if not _READING.match(start) or _SEVERAL.search(start):
        return True
    return not all(map(_KNOWN.fullmatch, _CALL.findall(start)))


def several(statement: str) -> bool:
    """Return whether a text holds several statements."""
    return _SEVERAL.search(_start(statement)) is not None


def writes(statement: str) -> bool:
    """Return whether a statement certainly opens a transaction where none is open: an insert, update or delete."""
    return _WRITING.match(_start(statement)) is not None


def _start(statement: str) -> str:
    """Return a statement without comments and parentheses before its first word."""
    skipped = _SKIPPED.match(statement)
    return statement[skipped.end() :] if skipped else statement
