"""Systems other than Linux: what is missing there is hidden here, and the command does what it can without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from idstorm.processes import has_ended, signal_group
from idstorm.storm.worker_pool import Worker
from running import Idstorm, Ran, eventually

WINDOWS = """
import os, signal, sys
import subprocess, tempfile, multiprocessing, asyncio  # Python's own have made their choice by now

class Hidden:
    def find_spec(self, name, *_):
        if name in {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hidden())
for name in ("fork", "killpg", "waitid", "posix_fallocate", "pwrite", "geteuid", "getuid", "setsid", "WNOHANG"):
    delattr(os, name)
for name in ("SIGKILL", "SIGQUIT", "SIGHUP", "SIGSTOP"):
    delattr(signal, name)
"""


def without(folder: Path, hidden: str, *words: str) -> Ran:
    script = f"{hidden}\nsys.argv[0] = 'idstorm'\nfrom idstorm.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=folder, capture_output=True, text=True)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("words", [("run", "autoincrement"), ("matrix", "--on", "sqlite"), ("doctor",)])
def test_on_windows_what_storms_says_what_it_needs(here: Path, words: tuple[str, ...]) -> None:
    ran = without(here, WINDOWS, *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Error: storms need a POSIX system")
    assert "`idstorm check`" in ran.err
    assert ran.err.count("\n") == 1
    assert not list(here.iterdir())


def test_on_windows_a_stored_run_is_judged_alike_and_the_catalogue_is_shown(idstorm: Idstorm) -> None:
    ran = idstorm.storm("autoincrement")
    checked = without(idstorm.folder, WINDOWS, "check", str(idstorm.run_folder), "--json", "-")
    assert (checked.code, checked.out) == (0, ran.out)
    assert "autoincrement" in without(idstorm.folder, WINDOWS, "list").out
    assert "claims" in without(idstorm.folder, WINDOWS, "show", "autoincrement").out


def test_on_windows_a_users_scenarios_can_be_imported_and_the_plugin_loads(here: Path) -> None:
    script = f"{WINDOWS}\nimport idstorm.scenario, idstorm.pytest_plugin, idstorm.commands.run, idstorm.commands.matrix"
    subprocess.run([sys.executable, "-c", script], cwd=here, check=True)


@pytest.fixture(params=["waitid", "no waitid"])
def _as_on_macos(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "no waitid":
        monkeypatch.delattr(os, "waitid")  # macOS has it from Python 3.13 on


@pytest.mark.usefixtures("_as_on_macos")
def test_the_end_of_a_child_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert not has_ended(child)
        child.kill()
        eventually(lambda: has_ended(child))
        assert has_ended(child)
    assert child.returncode == -9


@pytest.mark.usefixtures("_as_on_macos")
def test_what_a_dead_worker_has_started_is_killed_and_nothing_under_a_number_that_is_given_back(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, number = here / "worker", here / "number"
    program.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {number}.new; mv {number}.new {number}; wait\n")
    program.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(program))
        worker = Worker()
    eventually(number.exists)
    started = psutil.Process(int(number.read_text()))
    psutil.Process(worker.pid).kill()
    eventually(lambda: not worker.running)
    if not psutil.pid_exists(worker.pid):  # its end is taken: what was to be killed under its number has been
        monkeypatch.setattr(os, "killpg", lambda *_: pytest.fail("the number may be another's by now"))
    worker.kill()
    eventually(lambda: not started.is_running() or started.status() == psutil.STATUS_ZOMBIE)
    assert worker.lost() == "worker 0 was killed by signal 9"


def test_a_storm_goes_without_waitid(idstorm: Idstorm) -> None:
    hidden = "import os, sys\nos.__dict__.pop('waitid')"
    assert without(idstorm.folder, hidden, "run", "autoincrement", "-n", "400").code == 0


def test_a_group_of_which_nobody_lives_is_gone_whatever_the_system_calls_that(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (ProcessLookupError, PermissionError):

        def refuse(*_: object, error: type[OSError] = error) -> None:
            raise error

        monkeypatch.setattr(os, "killpg", refuse)
        signal_group(1, 9)


def test_a_current_directory_that_is_gone_is_said_to_be(idstorm: Idstorm) -> None:
    (idstorm.folder / "gone").mkdir()
    command = f"cd gone && rmdir ../gone && exec {sys.executable} -m idstorm run autoincrement"
    ran = subprocess.run(["sh", "-c", command], cwd=idstorm.folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 3
    assert ran.stderr == "Error: the current directory no longer exists: change to one that does\n"
