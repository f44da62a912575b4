"""A schedule as a program that stands alone: the driver, and nothing else.

It makes its own tables in a place of its own, puts the rows of `setup` into them, and takes the steps in their order. A
statement that waits is sent by a thread. Values of statements are shown as they were if they are numbers; any other has
a word of its own, unless values are to be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable

from idstorm.databases.stepped import Standalone
from idstorm.explore.clients import Move
from idstorm.findings.schedules import NAMES

_PROGRAM = '''"""{title}

Written by `idstorm explore`. It needs {package}, and {usage}
"""

import datetime
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from time import sleep
from uuid import UUID

{connecting}

TABLES = {tables}
ROWS = {rows}


class Client:
    """A connection, whose statements are shown with what they come to."""

    def __init__(self, name):
        self.name, self.connection, self.waiting, self.seen = name, connect(), None, []

    def send(self, statement, *parameters):
        cursor = self.connection.cursor()
        self.do(statement, lambda: cursor.execute(statement, *parameters))
        rows = cursor.fetchall() if cursor.description else []
        self.seen += rows
        print(f"{{self.name}}:   ", rows if cursor.description else f"{{cursor.rowcount}} rows")

    def commit(self):
        self.do("COMMIT", self.connection.commit)

    def rollback(self):
        self.do("ROLLBACK", self.connection.rollback)

    def do(self, what, call):
        print(f"{{self.name}}: {{what}}")
        try:
            call()
        except Exception as error:
            print(f"{{self.name}}:    {{type(error).__name__}}: {{error}}")

    def waits(self, call):
        self.waiting = THREADS.submit(call)
        sleep(0.3)

    def comes_back(self):
        self.waiting.result()


def show():
    for statement, *parameters in [(table,) for table in TABLES] + ROWS:
        setup.cursor().execute(statement, *parameters)
    setup.commit()

    {steps}

    cursor = setup.cursor()
    cursor.execute({question})
    found = sorted(map(tuple, cursor.fetchall()))
    print({what}, found)
    {assertion}


make_place()
setup, THREADS = connect(), ThreadPoolExecutor({clients})
{names} = CLIENTS = [Client(name) for name in {quoted}]
try:
    show()
finally:
    for client in CLIENTS:
        client.connection.close()
    setup.close()
    drop_place()
'''


def program(
    title: str,
    standalone: Standalone,
    tables: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    moves: Sequence[Move],
    clients: int,
    ids: Sequence[str],
    table: str,
    expected: Sequence[tuple[Any, ...]],
    *,
    broken: Sequence[str],
    words: Words,
) -> str:
    """Return the program. `ids` and `table` are quoted names; `expected` is what the table holds in the end."""
    names, listed = [NAMES[number] for number in range(clients)], ", ".join(ids)
    if "unique" in broken:
        known = " AND ".join(f"{one} IS NOT NULL" for one in ids)
        question = f"SELECT {listed}, count(*) FROM {table} WHERE {known} GROUP BY {listed} HAVING count(*) > 1"
        what, assertion = "ids that several rows have:", "assert found, 'no id was there twice'"
    else:
        question, what = f"SELECT {listed} FROM {table}", "ids in the table:"
        assertion = f"expected = {sorted(words.of(tuple(row)) for row in expected)!r}\n    assert found == expected, "
        assertion += "'the table holds something else'"
    if "visible" in broken:  # by the reader, which is the last client
        assertion = f"seen = {{row[0] for row in {names[-1]}.seen}}\n    missed = "
        assertion += "[row for row in found if row[0] not in seen and row[0] < max(seen)]\n    "
        assertion += "print('rows that the reader has passed:', missed)\n    assert missed, 'it has missed none'"
    return _PROGRAM.format(
        title=title,
        package=standalone.package,
        usage=standalone.usage,
        connecting=standalone.connecting,
        tables=_listed(map(repr, tables)),
        rows=_listed(repr((statement, *map(words.of, values))) for statement, *values in rows),
        clients=clients,
        names=f"{', '.join(names)}{',' if clients == 1 else ''}",
        quoted=repr("".join(names)),
        steps="\n    ".join(steps_of(moves, words)),
        question=repr(question),
        what=repr(what),
        assertion=assertion,
    )


def _listed(lines: Iterable[str]) -> str:
    return "".join(["[\n", *(f"    {line},\n" for line in lines), "]"])


def making(tables: Sequence[sa.Table], dialect: sa.Dialect) -> list[str]:
    """Return the statements that make these tables, with their sequences and indexes, without a schema."""
    made: list[str] = []
    for table in tables:
        if dialect.supports_sequences:
            sequences = [one.default for one in table.columns if isinstance(one.default, sa.Sequence)]
            made += [_compiled(CreateSequence(sequence), dialect) for sequence in sequences]
        made.append(_compiled(CreateTable(table), dialect))
        made += [_compiled(CreateIndex(one), dialect) for one in sorted(table.indexes, key=lambda one: str(one.name))]
    return list(dict.fromkeys(made))


def _compiled(statement: Any, dialect: sa.Dialect) -> str:
    return " ".join(str(statement.compile(dialect=dialect)).split())


def steps_of(moves: Iterable[Move], words: Words) -> list[str]:
    """Return the lines of a program that takes these steps, one after another."""
    lines, waiting = list[str](), set[int]()
    for move in moves:
        name = NAMES[move.client]
        if not move.step:
            if move.client in waiting:
                waiting.discard(move.client)
                lines.append(f"{name}.comes_back()")
            continue
        call = f"{name}.{_call(move, words)}"
        if move.answer == Move.WAITS:
            waiting.add(move.client)
            call = f"{name}.waits(lambda: {call})"
        lines.append(call)
    return [*lines, *(f"{NAMES[client]}.comes_back()" for client in sorted(waiting))]


def _call(move: Move, words: Words) -> str:
    if move.sent is None:
        return f"{move.step.lower()}()"
    statement, parameters = move.sent
    given = f", {words.of(parameters)!r}" if parameters else ""
    return f"send({' '.join(statement.split())!r}{given})"


class Words:
    """A word for each value that is not to be shown, the same for the same value."""

    def __init__(self, *, show: bool) -> None:
        self._show, self._words = show, dict[str, int]()

    def of(self, value: Any) -> Any:
        """Return a value, or what stands for it; those within lists, tuples and mappings alike."""
        if isinstance(value, Mapping):
            return {key: self.of(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self.of(one) for one in value)
        if self._show or value is None or isinstance(value, bool | int | float | Decimal):
            return value
        number = self._words.setdefault(repr(value), len(self._words) + 1)
        if isinstance(value, datetime):
            return datetime(2000, 1, 1, tzinfo=value.tzinfo) + timedelta(seconds=number)
        if isinstance(value, date):
            return date(2000, 1, 1) + timedelta(days=number)
        if isinstance(value, UUID):
            return UUID(int=number)
        return f"value {number}".encode() if isinstance(value, bytes) else f"value {number}"
