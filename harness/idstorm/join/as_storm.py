"""Writing what was recorded of a joined table as a storm's folder, which is judged like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from idstorm.databases.censuses import CensusUnreadable
from idstorm.databases.registry import DATABASES
from idstorm.errors import EnvironmentFault
from idstorm.join.inferred_deletes import codec_of, with_deletions
from idstorm.join.keyring import Keyring, unlock
from idstorm.join.read_journals import Flush, JoinedTable
from idstorm.record import store
from idstorm.record.census import Census
from idstorm.record.ending import CensusQuality, ClientsEnd, Ending
from idstorm.record.keys import Codec
from idstorm.record.origins import Origins
from idstorm.record.outcome import Outcome
from idstorm.record.pack_history import compact
from idstorm.record.plan import Claim, Fleet, Generator, Ids, Plan, Pool, Target, Tokens
from idstorm.record.shapes import read_as
from idstorm.record.tape import Kind, Tape

_MOST_ROWS = 32  # of an operation on the tape; a larger flush becomes several that got their ids together

_OF_ONE_LIFE = ("single_use", "starts_at", "gapless", "explained", "ordered", "headroom")
"""The checks that mean nothing if ids restart."""


def store_table(told: JoinedTable, run: str, folder: Path, notes: Sequence[str], keyring: Keyring) -> None:
    """Write a table as a storm: plan, history, census and ending. Raises EnvironmentFault, OSError."""
    held, why = _read(told, keyring)
    codec = codec_of(told, held or [])
    told = replace(told, flushes=with_deletions(told, held or [], codec))
    clients = [[piece for one in client for piece in _pieces(one)] for client in told.clients]
    plan = _plan(told, run, folder.name, clients, codec, notes, _not_judged(told, why))
    store.write_plan(folder, plan)
    names = {name: place for place, name in enumerate(dict.fromkeys(one.origin for one in told.flushes))}
    origins = [_write(folder / "tapes", number, client, plan, names) for number, client in enumerate(clients)]
    store.write_origins(folder, Origins(tuple(names), tuple(map(tuple, origins))), plan.stamp)
    if held is not None:
        store.write_census(folder, "census", Census.of(codec, [(id_, None) for id_ in held]), plan.stamp)
    compact(folder, plan)
    ending = Ending(
        clients=ClientsEnd(lost_workers=told.faults, operations=tuple(map(len, origins))),
        census=CensusQuality(unread=None if held is not None else why),
    )
    store.write_ending(folder, ending, plan.stamp)


def _pieces(one: Flush) -> list[Flush]:
    return [
        replace(one, ids=one.ids[start : start + _MOST_ROWS], deletable=one.deletable[start : start + _MOST_ROWS])
        for start in range(0, len(one.ids), _MOST_ROWS)
    ]


def _read(told: JoinedTable, keyring: Keyring) -> tuple[list[Any] | None, str]:
    """Return the ids that the table holds now, or None and the reason why it can no longer be read."""
    about = told.about
    if about["private"]:
        return None, "only the connection that made the table can read it"
    url = unlock(about["url"], keyring)
    if url is None:
        return None, "the processes that knew its password are gone"
    table = sa.table(about["table"], *(sa.column(name) for name in about["columns"]), schema=about["schema"])
    try:
        return DATABASES[about["target"]["dialect"]].read_ids(url, list(table.c), about["database"]), ""
    except (CensusUnreadable, EnvironmentFault) as error:
        return None, str(error)


def _not_judged(told: JoinedTable, why: str) -> dict[str, str]:
    """Return the checks that mean nothing for a table, with their reasons."""
    reasons = {}
    known = [one for one in told.flushes if one.outcome == Outcome.OK]
    gone = sum(bool(moment) for one in known for moment in one.deletable)
    if len(told.lives) > 1:
        words = f"the table may have been recreated, or emptied, {len(told.lives) - 1} times while it was watched"
        reasons = dict.fromkeys(_OF_ONE_LIFE, words)
    elif gone:
        reasons = dict.fromkeys(_OF_ONE_LIFE, "rows were deleted while it was watched, and ids may have restarted")
    acknowledged = sum(len(one.ids) for one in known)
    if why:
        reasons["durable"] = f"the table cannot be read any more: {why}"
    elif gone:
        reasons["durable"] = (
            f"{gone} of {acknowledged} acknowledged rows are no longer there, and deletions are not recorded"
        )
    return reasons


def _plan(
    told: JoinedTable,
    run: str,
    name: str,
    clients: Sequence[Sequence[Flush]],
    codec: Codec,
    notes: Sequence[str],
    not_judged: dict[str, str],
) -> Plan:
    about, most = told.about, max(len(one.ids) for client in clients for one in client)
    target = dict(about["target"])
    return Plan(
        run=run,
        storm=name,
        scenario=about["model"],
        reference="",
        path=(),
        target=Target(**{**target, "capabilities": tuple(target["capabilities"])}),
        fleet=Fleet(
            processes=len({one.process for one in told.flushes}),
            clients=len(clients),
            batch=most,
            inserts=sum(len(one.ids) for one in told.flushes),
        ),
        pool=Pool(1),
        ids=Ids(
            columns=tuple(about["names"]),
            codec=codec,
            token=None,
            constraints=tuple(about["constraints"]),
            generator=None if about["generator"] is None else Generator(**about["generator"]),
            sortable=about["sortable"],
        ),
        tokens=Tokens(1),
        claims={check: read_as(Claim, claim) for check, claim in about["claims"].items()},
        joined=True,
        not_judged=not_judged,
        notes=tuple(notes),
    )


def _write(folder: Path, number: int, flushes: Sequence[Flush], plan: Plan, names: dict[str, int]) -> list[int]:
    """Write the tape of a client, and return the number of each operation's origin."""
    tape, origins, row = Tape(folder, number, plan.fleet.batch, plan.ids.codec, plan.tokens.base), list[int](), count()
    first = plan.tokens.first(number)
    for one in flushes:
        rows = [next(row) for _ in one.ids]
        tape.reserve()
        tape.begin(Kind.INSERT, len(rows), one.begin)
        if one.handed:
            tape.hand(one.ids, one.handed)
        if one.commit:
            tape.commit(one.commit)
        code = 0 if one.code is None else tape.code(one.code)
        tape.end(one.outcome | code << 16, one.ended)
        origins.append(names[one.origin])
        for moment in sorted({moment for moment in one.deletable if moment}):
            those = [first + row for row, since in zip(rows, one.deletable, strict=True) if since == moment]
            tape.reserve()
            tape.begin(Kind.DELETE, len(those), moment)
            tape.aim(those, moment)
            tape.end(Outcome.UNKNOWN, moment)
            origins.append(names[one.origin])
    return origins
