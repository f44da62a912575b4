"""However a storm ends, its tapes are whole, it is judged for what it was, and no process is left behind."""

from __future__ import annotations

import random
import re
import signal
import time

import psutil
import pytest

from running import Idstorm, eventually, gone, workers_at_work
from servers import On

pytestmark = pytest.mark.release  # each waits for what never comes


@pytest.mark.parametrize("attempt", range(6))
def test_a_killed_worker_loses_nothing_that_was_acknowledged(idstorm: Idstorm, attempt: int) -> None:
    with idstorm.started("run", "autoincrement", "-T", "3s", "--json", "report.json") as process:
        workers = workers_at_work(process, idstorm.folder, operations=50)
        time.sleep(random.Random(attempt).uniform(0.0, 0.4))
        workers[attempt % 2].kill()
        assert process.wait() == 3
    checked = idstorm("check", str(idstorm.run_folder), "--json", "-")
    assert checked.code == 3
    verdicts = checked.report["storms"][0]["verdicts"]
    assert "killed by signal 9" in verdicts["pressure"]["reason"]
    assert {name: verdicts[name]["status"] for name in ("unique", "durable", "faithful")} == {
        "unique": "held",
        "durable": "held",
        "faithful": "held",
    }
    assert gone(workers)


STUCK = """
import itertools, os, threading, time
from sqlalchemy import text
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import Row, Scenario

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

count = itertools.count(1)

def work(session, tokens):
    if "IDSTORM_WORKER" in os.environ and next(count) == 40:
        {act}  # before it writes: a transaction that has would hold back readers in all of the server
    things = [Thing(token=token) for token in tokens]
    session.add_all(things)
    session.flush()
    return [thing.id for thing in things]

mine = Scenario(Thing, insert=work)
"""


@pytest.mark.parametrize("extent", [("-n", "400"), ("-T", "1s")], ids=" ".join)
def test_a_client_that_never_comes_back_ends_the_storm_and_its_operation_is_unknown(
    idstorm: Idstorm, postgresql: On, extent: tuple[str, str]
) -> None:
    act = "session.execute(text('SELECT pg_sleep(3600)'))"
    name = idstorm.write("mine.py", STUCK.format(act=act))
    ran = idstorm(
        "run",
        name,
        "--on",
        "postgresql",
        *extent,
        "-j",
        "1",
        "--patience",
        "1s",
        "--pool-timeout",
        "1",
        "--json",
        "-",
        **postgresql.environ,
    )
    assert ran.code == 3, ran.err
    (storm,) = ran.report["storms"]
    assert storm["ending"].startswith("stuck: no operation ended for 11 s, so the storm was ended")
    assert "did not end when it was told to, and idstorm ended it" in storm["verdicts"]["pressure"]["reason"]
    assert storm["operations"]["unknown"] == 1
    assert storm["operations"]["acknowledged"] > 39
    assert storm["verdicts"]["durable"]["status"] == "held"


@pytest.mark.parametrize("words", [(), ("--repeat", "2")], ids=["alone", "repeated"])
def test_a_thread_that_the_application_leaves_holds_up_nothing(idstorm: Idstorm, words: tuple[str, ...]) -> None:
    name = idstorm.write("mine.py", STUCK.format(act="threading.Thread(target=time.sleep, args=(3600,)).start()"))
    ran = idstorm("run", name, "-n", "400", *words)
    assert ran.code == 0, ran.err


def test_when_all_workers_are_killed_nobody_waits_for_them(idstorm: Idstorm) -> None:
    with idstorm.started("run", "autoincrement", "-T", "60s") as process:
        for worker in workers_at_work(process, idstorm.folder):
            worker.kill()
        assert process.wait() == 3


def test_a_worker_that_stands_still_does_not_hold_up_the_end(idstorm: Idstorm) -> None:
    with idstorm.started("run", "autoincrement", "-T", "60s") as process:
        stopped, _ = workers = workers_at_work(process, idstorm.folder)
        stopped.suspend()
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 130
        assert gone(workers)


@pytest.mark.parametrize("attempt", range(3))
def test_killing_idstorm_leaves_no_process_and_a_run_that_can_be_judged(idstorm: Idstorm, attempt: int) -> None:
    with idstorm.started("run", "autoincrement", "-T", "60s") as process:
        workers = workers_at_work(process, idstorm.folder)
        time.sleep(random.Random(attempt).uniform(0.0, 0.5))
        process.kill()
        process.wait()
        eventually(lambda: gone(workers))
    checked = idstorm("check", str(idstorm.run_folder), "--json", "-")
    assert checked.code == 3
    (storm,) = checked.report["storms"]
    assert storm["ending"].startswith("unfinished")
    assert storm["operations"]["acknowledged"] > 0
    assert storm["verdicts"]["durable"]["status"] == "unknown"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_storm_is_judged_for_what_there_is(idstorm: Idstorm, number: signal.Signals) -> None:
    with idstorm.started("run", "autoincrement", "-T", "60s", "--json", "-") as process:
        workers = workers_at_work(process, idstorm.folder)
        process.send_signal(number)
        out, _ = process.communicate()
        assert process.returncode == 130
        assert gone(workers)
    assert '"result": "passed"' in out or '"result": "inconclusive"' in out
    assert '"ending": "interrupted: by the user"' in out
    assert idstorm("check", str(idstorm.run_folder)).code == 130


@pytest.mark.parametrize("stopped", ["clients", "parents"])
def test_a_second_interrupt_ends_it_at_once(idstorm: Idstorm, stopped: str) -> None:
    with idstorm.started("run", "autoincrement", "-T", "60s") as process:
        workers = workers_at_work(process, idstorm.folder)
        parents = [parent for worker in workers if (parent := worker.parent())]
        for worker in workers if stopped == "clients" else parents:
            worker.suspend()
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        assert process.returncode == 130
        assert "Traceback" not in err
        assert gone([*workers, *parents])


def test_an_interrupt_before_the_storm_begins_ends_it_too(idstorm: Idstorm) -> None:
    idstorm.write(
        "slow.py",
        """
        import os, time
        from idstorm.scenario import Row, Scenario
        from sqlalchemy.orm import Mapped, mapped_column

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)

        def setup(connection):
            open("began", "a").write(".")
            time.sleep(0.5)

        slow = Scenario(model=Thing, setup=setup)
        """,
    )
    with idstorm.started("run", "slow.py", "-T", "60s") as process:
        eventually((idstorm.folder / "began").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_errors_that_hit_everybody_from_the_start_end_the_storm_early(idstorm: Idstorm) -> None:
    idstorm.write(
        "broken.py",
        '''
        """Works once, in the rehearsal, and never again."""
        from idstorm.scenario import Row, Scenario
        from sqlalchemy import text
        from sqlalchemy.orm import Mapped, mapped_column

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)

        def insert(session, tokens):
            if __name__ in RUNNING:
                session.execute(text("INSERT INTO nowhere VALUES (1)"))
            thing = Thing(token=tokens[0])
            session.add(thing)
            session.flush()
            return [thing.id]

        import sys
        RUNNING = [__name__] if "idstorm.storm.worker" in sys.orig_argv else []
        broken = Scenario(model=Thing, insert=insert)
        ''',
    )
    ran = idstorm("run", "broken.py", "-T", "60s")
    assert ran.code == 3
    assert "sqlite:1 no such table: nowhere" in ran.out
    assert 'session.execute(text("INSERT INTO nowhere VALUES (1)"))' in ran.out
    assert not re.search(r"site-packages|idstorm/storm", ran.out)


HANGING = """
import os, sys, time
from idstorm.scenario import Row, Scenario
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def work(session, tokens):
    open("began", "a").write(".")
    time.sleep(600)

hanging = Scenario(model=Thing, insert=work)
"""


def test_a_rehearsal_that_hangs_ends_at_the_first_interrupt(idstorm: Idstorm) -> None:
    idstorm.write("hanging.py", HANGING)
    with idstorm.started("run", "hanging.py") as process:
        eventually((idstorm.folder / "began").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert idstorm("check", str(idstorm.run_folder)).code == 130


def test_a_rehearsal_that_waits_for_something_else_than_the_database_ends_by_itself(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", STUCK.format(act="pass").replace("if ", "threading.Event().wait()\n    if ", 1))
    ran = idstorm.storm(name, "--patience", "1s", "--pool-timeout", "1", "--set", "busy_timeout=1")
    assert ran.code == 2
    assert ran.report["storms"][0]["state"] == "at fault"
    assert "nor when its sessions were ended: what it waits for is not the database" in ran.err


def test_workers_that_are_still_importing_end_with_idstorm(idstorm: Idstorm) -> None:
    idstorm.write(
        "slow.py",
        """
        import sys, time
        from idstorm.scenario import Row
        from sqlalchemy.orm import Mapped, mapped_column

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)

        if "idstorm.storm.worker" in sys.orig_argv:
            open("began", "a").write(".")
            time.sleep(600)
        """,
    )
    with idstorm.started("run", "slow.py") as process:
        eventually((idstorm.folder / "began").exists)
        workers = process.children()
        process.kill()
        process.wait()
        eventually(lambda: gone(workers))


def test_processes_that_the_work_has_started_end_with_their_worker(idstorm: Idstorm) -> None:
    idstorm.write(
        "spawning.py",
        """
        import subprocess, sys
        from idstorm.scenario import Row, Scenario
        from sqlalchemy.orm import Mapped, mapped_column

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)

        if "idstorm.storm.worker" in sys.orig_argv:
            child = subprocess.Popen(["sleep", "600"], stdout=sys.__stdout__)
            print(child.pid, file=open("children", "a"))
        """,
    )
    assert idstorm("run", "spawning.py", "-n", "400").code == 0
    children = [int(line) for line in (idstorm.folder / "children").read_text().split()]
    assert len(children) == 2
    eventually(lambda: not any(psutil.pid_exists(child) for child in children))
