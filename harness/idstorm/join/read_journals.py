"""Reading the journals of all processes, table by table: who was told which id, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from idstorm.errors import EnvironmentFault, UnreadableRun
from idstorm.join.journal import entries
from idstorm.record.code import Code
from idstorm.record.outcome import Outcome


@dataclass(frozen=True)
class Flush:
    """One flush of one session: the rows that it inserted, and what became of them."""

    process: str  #: the name of its journal
    origin: str  #: where it came from, such as a test
    life: str  #: the life of the table that it saw
    begin: int  #: when its transaction began, in nanoseconds, like all moments
    handed: int  #: when it was handed its ids; 0: it failed, and was handed none
    ids: tuple[Any, ...]  #: a None for each that was not told
    commit: int = 0  #: when COMMIT was sent; 0: it was not, or that was not heard
    ended: int = 0  #: when it ended; 0: that was not heard
    outcome: Outcome = Outcome.UNKNOWN
    code: Code | None = None  #: the error that ended it
    deletable: tuple[int, ...] = ()  #: from when on each row may have been deleted, unseen; 0: it was not

    @property
    def seen(self) -> int:
        """When its table was seen: when it was handed its ids, or when it failed."""
        return self.handed or self.ended


@dataclass
class JoinedTable:
    """What was recorded of one physical table over all of its lives."""

    about: dict[str, Any]  #: the journals' last description of it
    flushes: list[Flush] = field(default_factory=list)
    faults: tuple[str, ...] = ()  #: why a process did not record everything

    @property
    def lives(self) -> list[str]:
        """The lives of the table in the order in which they were first seen."""
        return list(dict.fromkeys(one.life for one in sorted(self.flushes, key=lambda one: one.seen)))

    @property
    def clients(self) -> list[list[Flush]]:
        """The flushes of each client: those of one process that follow one another, or share a transaction.

        Sessions that overlap are different clients.
        """
        transactions: dict[tuple[str, int], list[Flush]] = {}
        for one in sorted(self.flushes, key=lambda one: one.begin):
            transactions.setdefault((one.process, one.begin), []).append(one)
        clients: list[list[Flush]] = []
        free: dict[str, list[tuple[int, int]]] = {}  # when each client of a process was done
        for (process, begin), those in transactions.items():
            done = free.setdefault(process, [])
            if done and done[0][0] <= begin:
                _, client = heappop(done)
            else:
                client = len(clients)
                clients.append([])
            clients[client] += those
            if all(one.ended for one in those):
                heappush(done, (max(one.ended for one in those), client))
        return clients

    @property
    def contested(self) -> bool:
        """Whether an id was told twice to flushes that committed, or may have."""
        told = [
            repr(id_) for one in self.flushes if one.outcome != Outcome.FAILED for id_ in one.ids if id_ is not None
        ]
        return len(set(told)) < len(told)


def read_journals(folder: Path) -> list[JoinedTable]:
    """Return what the journals in a folder hold, one `JoinedTable` for each physical table.

    Raises UnreadableRun where a journal is damaged, and EnvironmentFault where only faults were recorded.
    """
    tables: dict[tuple[Any, ...], JoinedTable] = {}
    faults: list[str] = []
    for process, entries_of_process in _by_process(folder):
        reading = _Reading(process, tables)
        try:
            for entry in entries_of_process:
                reading.take(entry)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnreadableRun(f"the journal {process} is damaged: {error!r}") from error
        reading.finish()
        faults += reading.faults
    _assign(tables)
    if faults and not tables:
        raise EnvironmentFault("; ".join(faults))
    return [replace(told, faults=tuple(faults)) for told in tables.values()]


def _assign(tables: dict[tuple[Any, ...], JoinedTable]) -> None:
    """Assign failures in an unknown table to the only known table that it can have been, if there is just one."""
    for key, told in list(tables.items()):
        if not told.about["known"]:
            about = told.about
            alike = [
                other
                for other in tables.values()
                if other.about["known"]
                and all(other.about[name] == about[name] for name in ("url", "table", "columns"))
            ]
            if len(alike) == 1:
                alike[0].flushes += [replace(one, life=alike[0].lives[-1]) for one in told.flushes]
                del tables[key]


def _by_process(folder: Path) -> Iterator[tuple[str, list[list[Any]]]]:
    found: dict[str, list[list[Any]]] = {}
    origins: dict[str, list[list[Any]]] = {}
    for process, entry in entries(folder):
        found.setdefault(process, []).append(entry)
        if entry[0] == "origin":
            origins.setdefault(process.rpartition("-")[0], []).append(entry)
    for process, those in found.items():  # a child forked in a test continues in its own journal
        yield process, [*origins.get(process.rpartition("-")[0], []), *those]


class _Reading:
    """Reads one journal."""

    def __init__(self, process: str, tables: dict[tuple[Any, ...], JoinedTable]) -> None:
        self._process, self._tables = process, tables
        self._origins: dict[int, str] = {}
        self._about: dict[int, dict[str, Any]] = {}
        self.faults: list[str] = []
        self._open: dict[int, tuple[int, Flush]] = {}

    def take(self, entry: list[Any]) -> None:
        match entry:
            case ["table", number, about]:
                self._about[number] = about
            case ["origin", number, name]:
                self._origins[number] = name
            case ["told", flush, table, origin, begin, handed, ids]:
                given = tuple(tuple(id_) if isinstance(id_, list) else id_ for id_ in ids)
                self._open[flush] = table, self._flush(table, origin, begin, handed, given)
            case ["failed", table, origin, begin, ended, rows, code]:
                one = self._flush(table, origin, begin, 0, (None,) * rows)
                self._add(table, replace(one, ended=ended, outcome=Outcome.FAILED, code=_code(code)))
            case ["fault", reason]:
                self.faults.append(f"the recording in {self._process} ended early: {reason}")
            case ["end", flushes, commit, ended, outcome, code]:
                for flush in flushes:
                    if flush not in self._open:  # its parent's: a forked child continues with the parent's sessions
                        continue
                    table, one = self._open.pop(flush)
                    sent = max(commit, one.handed) if commit else 0
                    became = Outcome(outcome)
                    self._add(table, replace(one, commit=sent, ended=ended, outcome=became, code=_code(code)))
            case _:
                raise ValueError(f"{entry} is not an entry")

    def finish(self) -> None:
        """Add the flushes whose end was not heard."""
        for table, one in self._open.values():
            self._add(table, one)

    def _flush(self, table: int, origin: int, begin: int, handed: int, ids: tuple[Any, ...]) -> Flush:
        life = str(self._about[table]["life"])
        return Flush(self._process, self._origins.get(origin, "?"), life, begin, handed, ids)

    def _add(self, table: int, one: Flush) -> None:
        about = self._about[table]
        place = about["private"] or (about["database"], about["schema"])
        key = (place, about["table"], tuple(about["columns"]))
        self._tables.setdefault(key, JoinedTable(about)).about = about
        self._tables[key].flushes.append(one)


def _code(entry: list[Any] | None) -> Code | None:
    if entry is None:
        return None
    name, refused, raced, recognised = entry
    return Code(name, refused=refused, raced=raced, recognised=recognised)
