"""Running idstorm as a user does: as a process of its own, in a folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import psutil

import preloaded
from idstorm.record.tape import Layout
from idstorm.record.tape_reader import read_segment

PATIENCE = 60.0  # seconds after which a test gives up waiting for something that should have happened

GITHUB = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
"""Variables by which a command learns that GitHub runs it; when GitHub runs the tests, they are not meant for it."""

STRANGERS_IDS = """
    from sqlalchemy.orm import Mapped, mapped_column
    from idstorm.scenario import Row, Scenario

    class Thing(Row):
        id: Mapped[int] = mapped_column(primary_key=True)

    def insert(session, tokens):
        thing = Thing(token=tokens[0])
        session.add(thing)
        session.flush()
        return [thing.id + (thing.id > 100)]

    mine = Scenario(Thing, insert=insert)
    """
"""A scenario that fails each time: once there are a hundred rows, clients are told the id of the next one."""


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The report that `--json -` printed."""
        report: dict[str, Any] = json.loads(self.out)
        return report


@dataclass(frozen=True)
class Idstorm:
    """The command `idstorm`, run in a folder."""

    folder: Path
    patience: float = PATIENCE * 2  #: seconds in which a command has to end

    def __call__(self, *words: str, **environ: str) -> Ran:
        """Run the command to its end."""
        done = preloaded.call("idstorm", list(words), self.folder, {**os.environ, **environ}, self.patience)
        return Ran(done.code, done.out, done.err)

    def alone(self, *words: str, **environ: str) -> Ran:
        """Run the command to its end in an interpreter of its own, which reads such variables as PYTHONIOENCODING."""
        done = subprocess.run(
            self._command(words),
            cwd=self.folder,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            timeout=self.patience,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def storm(self, *words: str, **environ: str) -> Ran:
        """Run `idstorm run … --json -`, with few inserts and one worker unless the words say otherwise."""
        much = [] if {"-n", "-T"} & set(words) else ["-n", "400"]
        many = [] if {"-j", "--processes"} & set(words) else ["-j", "1"]
        return self("run", *words, *much, *many, "--json", "-", **environ)

    @contextmanager
    def started(self, *words: str) -> Iterator[psutil.Popen]:
        """Start the command, and leave nothing of it behind."""
        process = psutil.Popen(
            self._command(words), cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        family: list[psutil.Process] = [process]
        try:
            yield process
            family += process.children(recursive=True) if process.is_running() else []
        finally:
            for member in family:
                if member.is_running():
                    member.send_signal(signal.SIGKILL)
            process.communicate()

    def write(self, name: str, text: str) -> str:
        """Write a file into the folder and return its name."""
        (self.folder / name).write_text(dedent(text))
        return name

    @property
    def run_folder(self) -> Path:
        """The folder of the only run."""
        (folder,) = (path for path in (self.folder / "results").iterdir() if path.is_dir())
        return folder

    @staticmethod
    def _command(words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "idstorm", *words]


def eventually(what: Callable[[], Any]) -> Any:
    """Return what is true at last. Fails where it never is."""
    deadline = time.monotonic() + PATIENCE
    while not (result := what()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)
    return result


def workers_at_work(process: psutil.Popen, folder: Path, operations: int = 200) -> list[psutil.Process]:
    """Wait until a storm with plain tapes is under way, and return the processes in which its clients are."""
    layout = Layout(rows=1, key_words=1)

    def under_way() -> bool:
        assert process.poll() is None, process.communicate()
        return sum(len(read_segment(path, layout)) for path in folder.rglob("*.tape")) >= operations

    eventually(under_way)
    return [
        one for worker in process.children() if "idstorm.storm.worker" in worker.cmdline() for one in worker.children()
    ]


def gone(processes: Iterable[psutil.Process]) -> bool:
    """Whether all of these have ended, whether or not their parent has taken notice."""
    return not any(map(_is_alive, processes))


def _is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # it may go at any moment
        return False
