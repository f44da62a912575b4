"""The interlude comes once, in the middle, while no client is inside an operation."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import psutil
import pytest

from idstorm.record import stored
from idstorm.record.history import History
from running import Idstorm, eventually, gone

HEAD = """
import os, sys, time
from idstorm.scenario import *
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

if "idstorm.storm.worker" in sys.orig_argv:
    print(os.getpid(), file=open("workers", "a"))
"""

RESTING = """
def rest(place):
    began = time.monotonic_ns()
    print(began, file=open("began", "a"), flush=True)
    time.sleep({seconds})
    print(began, time.monotonic_ns(), file=open("rested", "a"))

mine = Scenario(model=Thing, interlude=rest, deletes={deletes})
"""


def history(idstorm: Idstorm) -> History:
    run = stored.open_run(idstorm.run_folder)
    (entry,) = run.storms
    recorded = stored.read_storm(run, entry).history
    assert recorded is not None
    return recorded


def workers(idstorm: Idstorm) -> Iterator[psutil.Process]:
    for line in (idstorm.folder / "workers").read_text().split():
        with suppress(psutil.NoSuchProcess):
            yield psutil.Process(int(line))


@pytest.mark.parametrize("deletes", [0.0, 0.2])
@pytest.mark.parametrize("much", [("-n", "600"), ("-T", "3s")])
def test_all_clients_stand_still_between_two_operations(
    idstorm: Idstorm, much: tuple[str, str], deletes: float
) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + RESTING.format(seconds=0.3, deletes=deletes)), *much)
    assert ran.code in (0, 3), ran.err  # a slow machine does not get far in a second
    (rested,) = (idstorm.folder / "rested").read_text().splitlines()
    began, ended = map(int, rested.split())
    tapes = history(idstorm)
    before, after = tapes.ended < began, tapes.begin > ended
    assert (before ^ after).all()
    for client in range(tapes.clients):  # each worked in both halves
        own = slice(tapes.op_offsets[client], tapes.op_offsets[client + 1])
        assert before[own].any()
        assert after[own].any()
    if much[0] == "-T":  # the pause is not taken from the clients' time
        second = int(1e9)
        assert second * 1.2 < int(np.max(tapes.ended) - np.min(tapes.begin))


def test_where_there_are_deletes_the_newest_row_is_gone_when_the_clients_stand_still(idstorm: Idstorm) -> None:
    body = """
import sqlite3

class Numbered(Row):
    __table_args__ = {"sqlite_autoincrement": True}
    id: Mapped[int] = mapped_column(primary_key=True)

def look(place):
    with sqlite3.connect(place.url.database) as connection:
        ((highest,),) = connection.execute("SELECT max(id) FROM numbered")
    print(time.monotonic_ns(), highest, file=open("looked", "w"))

mine = Scenario(model=Numbered, interlude=look, deletes=0.3)
"""
    assert idstorm.storm(idstorm.write("mine.py", HEAD + body)).code == 0
    looked, highest = map(int, (idstorm.folder / "looked").read_text().split())
    tapes = history(idstorm)
    handed = tapes.of_rows(tapes.handed)
    assert max(int(str(tapes.keys.show(int(row)))) for row in np.flatnonzero(handed < looked)) > highest


def test_an_interrupt_during_the_interlude_lets_it_end_and_judges_what_there_is(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", HEAD + RESTING.format(seconds=1, deletes=0.0))
    with idstorm.started("run", name, "-n", "600", "--json", "-") as process:
        eventually((idstorm.folder / "began").exists)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
        assert process.returncode == 130
    assert (idstorm.folder / "rested").exists()
    (report,) = json.loads(out)["storms"]
    assert report["ending"] == "interrupted: by the user"
    assert report["verdicts"]["durable"]["status"] == "held"
    assert 300 <= report["operations"]["acknowledged"] < 600
    assert gone(workers(idstorm))


def test_an_interlude_that_raises_is_shown_as_the_users_own_and_leaves_no_process(idstorm: Idstorm) -> None:
    body = "\ndef stumble(place):\n    return 1 / 0\n\nmine = Scenario(model=Thing, interlude=stumble)\n"
    asked = ("-j", "2", "--patience", "300s")  # in vain, if clients that stand still were waited for
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + body), *asked)
    assert ran.code == 2
    assert "the interlude failed" in ran.err
    assert "return 1 / 0" in ran.err
    assert "idstorm/storm" not in ran.err
    assert len((idstorm.folder / "workers").read_text().split()) == 2
    assert gone(workers(idstorm))
