"""Starting workers on this machine, talking to them, and making sure that none is left behind."""

from __future__ import annotations

import json
import os
import select
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep
from typing import Any, BinaryIO

from idstorm.processes import has_ended, signal_group
from idstorm.redaction import redact
from idstorm.storm.assignment import Assignment

_LAST_LINES, _LAST_BYTES = 12, 1 << 16
_END_WITHIN = 1.0  # seconds within which a process that has closed its pipes ends by itself
_FREE_WITHIN = 5.0  # seconds within which a worker that is done must be ready for another storm


class Worker:
    """One worker process, seen from the parent. It belongs to one thread; any other may `strike` it."""

    def __init__(self) -> None:
        self._rest = b""
        self._secrets: tuple[str, ...] = ()
        self._said = ""  # its last words, once it has ended
        self._ended_by_us = self._silent = False
        self._number = threading.Lock()  # held while its pid is used or released
        # The file has no name: a worker's output, which may hold secrets, is never left on disk.
        self._errors: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (it lives as long as the worker)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "idstorm.storm.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C goes to the parent, which tells its workers
        )
        self._forget()

    def assign(self, assignment: Assignment, secrets: tuple[str, ...]) -> None:
        """Give it a storm to serve."""
        self._forget()
        self.number, self._secrets = assignment.worker, secrets
        self.send(assignment.to_line())

    def _forget(self) -> None:
        self.number = 0
        self.ready = self.entered = self.left = self.paused = self.done = self._free = False
        self.environment = False  #: the environment is to blame for its `fatal` error
        self.full_clients = 0
        self.full_because: str | None = None  #: why their tapes could not go on, if not for a full disk
        self.connections: int | None = None  #: how many its pools have opened, once it is done
        self.fatal: str | None = None
        self.census: str | None = None  #: why there is none, for a database that lives in the worker
        self._secrets = ()

    @property
    def pid(self) -> int:
        """The pid of its process."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet. Until `kill`, no other process gets its pid."""
        with self._number:
            return self._running()

    def _running(self) -> bool:
        taken = self._process.returncode is not None
        ended = has_ended(self._process)
        if not taken and self._process.returncode is not None:  # by this check: the pid is ours only at this instant
            signal_group(self.pid, signal.SIGKILL)
        return not ended

    @property
    def stdout(self) -> Any:
        """The pipe on which the worker answers."""
        return self._process.stdout

    def send(self, line: str) -> None:
        """Send a line. A worker that is gone does not get it, and is recognised by its silence."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def hear(self) -> bool:
        """Read what the worker has said. Returns False at the end of its answers."""
        piece = os.read(self.stdout.fileno(), 1 << 16)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            answer = json.loads(line)
            self.ready |= "ready" in answer
            self.entered |= "entered" in answer
            self.left |= "left" in answer
            self.paused |= "paused" in answer
            self.done |= "done" in answer
            self._free |= "free" in answer
            self.full_clients = answer.get("full", self.full_clients)
            self.full_because = answer.get("full_because", self.full_because)
            self.connections = answer.get("connections", self.connections)
            self.census = answer.get("census", self.census)
            self.fatal = answer.get("fatal", self.fatal)
            self.environment |= answer.get("environment", False)
        self._silent = not piece
        return bool(piece)

    def freed(self) -> bool:
        """Wait until it can serve another storm. Returns False if it cannot, or not within bounded time."""
        deadline = monotonic() + _FREE_WITHIN
        while self.done and not self._free:
            heard, _, _ = select.select([self.stdout], [], [], max(0, deadline - monotonic()))
            if not heard or not self.hear():
                return False
        return self.done and self._free

    def kill(self) -> None:
        """Kill the process and everything that its work has started, and reap it."""
        deadline = monotonic() + _END_WITHIN
        while self._silent and self.running and monotonic() < deadline:  # its pipes are closed before it has ended
            sleep(0.005)
        with self._number:
            self._strike()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        if not self._errors.closed:
            self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_BYTES))
            said = self._errors.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
            self._said = redact("\n".join(said), self._secrets)
            self._errors.close()

    def strike(self) -> None:
        """Kill the process and everything that its work has started, from any thread. Its own thread reaps it."""
        with self._number:
            self._strike()

    def _strike(self) -> None:
        running = self._running()
        if self._process.returncode is None:
            self._ended_by_us |= running
            signal_group(self.pid, signal.SIGKILL)

    def lost(self) -> str | None:
        """Return what is known of a worker that ended before it was done, or None. It must have ended."""
        if self.done or self.fatal:
            return None
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        how = "did not end when it was told to, and idstorm ended it" if self._ended_by_us else how
        return f"worker {self.number} {how}" + (f", saying:\n{self._said}" if self._said else "")


class WorkerPool:
    """Worker processes that serve one storm after another. A context manager: at its end, none is left.

    It belongs to one thread; any other may `strike` it.
    """

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._all: list[Worker] = []

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers that are idle. If no storm is under way, those are all."""
        for worker in self._idle:
            worker.kill()
        self._idle.clear()

    def strike(self) -> None:
        """Kill every worker, at work or not, from any thread: the thread that owns them goes on without them."""
        for worker in list(self._all):
            worker.strike()

    def acquire(self, assignment: Assignment, number: int, secrets: tuple[str, ...]) -> Workers:
        """Give this many workers their parts in a storm, starting new ones where there are too few."""
        for worker in [worker for worker in self._idle if not worker.running]:
            worker.kill()
            self._idle.remove(worker)
        while len(self._idle) < number:
            self._idle.append(Worker())
            self._all.append(self._idle[-1])
        return Workers(self._idle, assignment, number, secrets)


class Workers:
    """All workers of a storm. A context manager: at its end, workers that are done return to the pool.

    The others are killed: a worker that is not done may be in any state, so it cannot serve a second storm.
    """

    def __init__(self, idle: list[Worker], assignment: Assignment, number: int, secrets: tuple[str, ...]) -> None:
        self._selector = selectors.DefaultSelector()
        self._idle = idle
        self.all: list[Worker] = []
        try:
            for place in range(number):
                self.all.append(idle.pop())
                self.all[-1].assign(assignment.of(place), secrets)
                self._selector.register(self.all[-1].stdout, selectors.EVENT_READ, self.all[-1])
        except BaseException:
            self.kill()
            raise

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        try:
            if error is None:
                self._idle += [worker for worker in self.all if worker.freed()]
        finally:  # a second Ctrl-C may come while a worker is waited for
            for worker in self.all:
                if worker not in self._idle:
                    worker.kill()
            self._selector.close()

    @property
    def talking(self) -> bool:
        """Whether any worker may still send answers."""
        return bool(self._selector.get_map())

    @property
    def fatal(self) -> str | None:
        """The first error with which a worker gave up."""
        return next((worker.fatal for worker in self.all if worker.fatal), None)

    @property
    def environment(self) -> bool:
        """Whether the environment is to blame for that error."""
        return any(worker.environment for worker in self.all)

    @property
    def still(self) -> bool:
        """Whether all clients of the workers that have not ended stand still, and there is at least one worker."""
        talking = [key.data for key in self._selector.get_map().values()]
        return bool(talking) and all(worker.paused for worker in talking)

    @property
    def working(self) -> bool:
        """Whether, in a worker that has not ended, all clients have started work and not all have left it."""
        talking: list[Worker] = [key.data for key in self._selector.get_map().values()]
        return any(worker.entered and not worker.left for worker in talking)

    def listen(self, seconds: float) -> None:
        """Wait for answers, for at most this many seconds."""
        heard = {key.fd for key, _ in self._selector.select(seconds)}
        for key in list(self._selector.get_map().values()):
            worker: Worker = key.data
            # The end of a worker is not always the end of its pipe: its children may hold it open forever.
            alive = worker.hear() if key.fd in heard else worker.running
            if not alive or worker.done:
                self._selector.unregister(worker.stdout)

    def until_ready(self, seconds: float, stop: Callable[[], bool]) -> bool:
        """Wait until all workers are ready. Returns False if that took too long, or there is a reason to stop."""
        deadline = monotonic() + seconds
        while self.talking and not all(worker.ready for worker in self.all):
            if monotonic() > deadline or stop() or self.fatal:
                return False
            self.listen(0.1)
            if any(worker.done or not worker.running for worker in self.all if not worker.ready):
                return False
        return self.fatal is None

    def send(self, line: str) -> None:
        """Send a line to all workers."""
        for worker in self.all:
            worker.send(line)

    def kill(self) -> None:
        """Kill all workers that still run."""
        for worker in self.all:
            worker.kill()
