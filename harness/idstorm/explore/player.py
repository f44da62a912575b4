"""The process that plays schedules, as the one that searches them sees it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import sqlalchemy as sa

from idstorm.errors import EnvironmentFault
from idstorm.explore.playing import Played
from idstorm.explore.process import choices_of_line, played_of_line
from idstorm.explore.schedules import Choice, Priorities
from idstorm.processes import has_ended, signal_group
from idstorm.record.plan import Plan
from idstorm.storm.assignment import Assignment

_END_WITHIN = 10.0  # seconds for it to end by itself
_LOOK_EVERY = 0.005  # seconds


class Player:
    """The process that plays schedules, in a namespace."""

    def __init__(self, plan: Plan, url: sa.URL, state: Any, folder: Path) -> None:
        self._assignment = Assignment(plan, url.render_as_string(hide_password=False), str(folder.absolute()), None)
        self._state = state
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Player:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "idstorm.explore.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._send(self._assignment.to_line())
            self._send(json.dumps(self._state))
            self._hear()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            deadline = monotonic() + _END_WITHIN
            while not has_ended(process) and monotonic() < deadline:
                sleep(_LOOK_EVERY)
            signal_group(process.pid, signal.SIGKILL)  # its forks are in it: one may hang in what the work does

    def play(
        self, first: Sequence[int], folder: Path, wanted: Collection[str], priorities: Priorities | None = None
    ) -> None:
        """Begin to play a schedule. `choices` of it can be asked for next, once those before have been judged."""
        drawn = None if priorities is None else asdict(priorities)
        self._send(json.dumps([list(first), str(folder), list(wanted), drawn]))

    def choices(self) -> tuple[list[Choice], list[str]]:
        """Wait for the choices of a schedule, and a digest of what each client has sent.

        Raises Stuck, or IdstormError with the reason why there are none.
        """
        return choices_of_line(self._hear())

    def judged(self, *, last: bool = False) -> Played:
        """Wait for what came of the schedule before. `last`: none was begun after it. Raises IdstormError."""
        if last:
            self._send("")
        return played_of_line(self._hear())

    def _hear(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise EnvironmentFault("the process of the schedules has ended: its last words are above")
        return line

    def _send(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise EnvironmentFault("the process of the schedules has ended: its last words are above") from None
