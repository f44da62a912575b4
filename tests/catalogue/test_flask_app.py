"""The Flask application is really served: its server ends with the storm, whatever happens, and may be hurt in it."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from time import sleep

import psutil
import pytest

from running import Idstorm, eventually, workers_at_work
from servers import On

pytestmark = pytest.mark.release  # web servers of their own

pytest.importorskip("flask_sqlalchemy")

FLASK_APP = "flask_app:flask_app"


def servers_of(idstorm: psutil.Process) -> list[psutil.Process]:
    """Return gunicorn's processes, the one that looks after the others first."""
    found = [child for child in idstorm.children() if _serves(" ".join(child.cmdline()))]
    return [one for server in found for one in (server, *server.children(recursive=True))]


def _serves(command: str) -> bool:
    """Whether it is gunicorn, which calls itself by another name where setproctitle is installed."""
    return "serve.py" in command or command.startswith("gunicorn")


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def end_of_time(_: psutil.Process) -> None:
    pass


@pytest.mark.parametrize(
    ("end", "seconds", "codes"),
    [
        (end_of_time, "1s", {0, 3}),  # a slow machine does not get far in a second
        (lambda process: process.send_signal(signal.SIGINT), "60s", {130}),
        (lambda process: process.kill(), "60s", {-signal.SIGKILL}),
    ],
    ids=["at its end", "at Ctrl-C", "at SIGKILL"],
)
def test_the_server_ends_with_idstorm(
    idstorm: Idstorm, end: Callable[[psutil.Process], None], seconds: str, codes: set[int]
) -> None:
    with idstorm.started("run", FLASK_APP, "-T", seconds) as process:
        workers_at_work(process, idstorm.folder, operations=50)
        servers = servers_of(process)
        assert len(servers) == 3
        end(process)
        assert process.wait() in codes
        eventually(lambda: gone(servers))


def test_a_killed_server_process_leaves_what_it_was_at_unknown_and_loses_nothing(idstorm: Idstorm) -> None:
    with idstorm.started("run", FLASK_APP, "-T", "4s", "--json", "-") as process:
        workers_at_work(process, idstorm.folder, operations=50)
        for _ in range(3):
            _, first, *_ = servers_of(process)
            first.kill()
            sleep(0.5)
        out, err = process.communicate()
    assert process.returncode == 3, out + err
    checked = idstorm("check", str(idstorm.run_folder), "--json", "-")
    (storm,) = checked.report["storms"]
    assert storm["operations"]["unknown"] > 0
    assert storm["verdicts"]["accepted"]["status"] == "unknown"  # whether those were refused nobody heard
    assert storm["verdicts"]["durable"]["status"] == "held"


def test_the_report_says_what_became_of_simultaneous_calls_of_create_all(idstorm: Idstorm, postgresql: On) -> None:
    ran = idstorm.storm("flask_app:create_all", "-n", "400", "--on", "postgresql", **postgresql.environ)
    (storm,) = ran.report["storms"]
    assert ran.code == 0
    said = next(note for note in storm["notes"] if "db.create_all()" in note)
    numbers = re.search(r"3 times: (\d+) of 12 calls failed(.*)", said)
    assert numbers
    failed, errors = int(numbers[1]), re.findall(r"; (\d+) x \w+: ", numbers[2])
    assert failed <= 9
    assert sum(map(int, errors)) == failed


def test_a_server_that_does_not_come_up_is_quoted(idstorm: Idstorm) -> None:
    ran = idstorm("run", FLASK_APP, GUNICORN_PID="nobody")  # it takes this for the number of its predecessor
    assert ran.code == 2
    assert "the server ended before it answered; its last words:" in ran.out + ran.err
    assert "ValueError: invalid literal for int() with base 10: 'nobody'" in ran.out + ran.err
