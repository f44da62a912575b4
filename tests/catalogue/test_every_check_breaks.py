"""Checks that no scenario of the catalogue breaks everywhere are seen to break, on each database, in real storms."""

from __future__ import annotations

from running import Idstorm
from servers import On

BROKEN = """
import os
from itertools import count
from idstorm.scenario import *
from sqlalchemy import delete
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

class Countdown(Row):
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

def add(session, tokens):
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    return [thing.id for thing in things]

def remove_others(session, tokens):
    ids = add(session, tokens)
    if ids[0] % 20 == 0:
        session.execute(delete(Thing).where(Thing.id == ids[0] - 10))
    return ids

def burn_some(session, tokens):
    (spare,) = add(session, [None])
    ids = add(session, tokens)
    session.execute(delete(Thing).where(Thing.id == spare))
    return ids

numbers = count(1)

def count_down(session, tokens):
    id_ = 2_000_000_000 - 2 * next(numbers) - int(os.environ.get("IDSTORM_WORKER", "0"))
    session.add(Countdown(id=id_, token=tokens[0]))
    session.flush()
    return [id_]

lossy = Scenario(Thing, insert=remove_others, claims=[breaks(durable, why="it deletes others' rows")])
wasteful = Scenario(Thing, insert=burn_some, claims=[breaks(explained, why="it says nothing of the ids that it burns")])
backward = Scenario(Countdown, insert=count_down, claims=[breaks(ordered, why="it counts down, in turns")])
cramped = Scenario(Thing, headroom=1e-17, claims=[breaks(headroom, why="next to nothing may be used up")])
"""


def test_each_breaks_with_a_witness(idstorm: Idstorm, anywhere: On) -> None:
    ran = idstorm.storm(idstorm.write("broken.py", BROKEN), "--on", anywhere.dialect, **anywhere.environ)
    assert ran.code == 0, (ran.err, ran.out)
    broken = {
        (storm["scenario"].rpartition(":")[2], check)
        for storm in ran.report["storms"]
        for check, verdict in storm["verdicts"].items()
        if verdict["claim"] == "breaks" and verdict["status"] == "broken" and verdict["witnesses"]
    }
    assert broken == {
        ("lossy", "durable"),
        ("wasteful", "explained"),
        ("backward", "ordered"),
        ("cramped", "headroom"),
    }
