"""Workers of storms that need not import everything first: forks of a process that has, and is nothing else yet.

A worker is started as ``python -P -m idstorm.storm.worker``, which spends half a second of a processor on imports. In a
command that is itself a fork of a preloaded process, `start_forking` has each worker forked by a helper, which was
forked before the command did anything: like a fresh interpreter, it has loaded no scenario, and has no thread and no
connection. The worker is made a child of the command, as any that it starts. Where Linux's way to do so is missing,
workers are started as ever.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from types import SimpleNamespace
from typing import IO, Any, NoReturn

from idstorm.storm import worker, worker_pool

_PR_SET_CHILD_SUBREAPER = 36
_LARGEST = 1 << 20  # bytes of an order

_lock = threading.Lock()  # the storms of a matrix start their workers at the same time


def start_forking() -> None:
    """Have the workers that this process starts from now on forked by a helper, which ends with it."""
    if not sys.platform.startswith("linux"):
        return
    ours, helpers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        _help(helpers)
        os._exit(0)
    helpers.close()

    def start(command: Sequence[str], stderr: IO[bytes], **_: object) -> Forked:
        return Forked(ours, command, stderr)

    vars(worker_pool)["subprocess"] = SimpleNamespace(Popen=start, PIPE=subprocess.PIPE)


class Forked:
    """A worker, with what its pool needs of `subprocess.Popen`."""

    def __init__(self, helper: socket.socket, command: Sequence[str], stderr: IO[bytes]) -> None:
        order = {"command": command, "environ": dict(os.environ)}
        stdin, to_worker = os.pipe()
        from_worker, stdout = os.pipe()
        folder = os.open(".", os.O_RDONLY)
        with _lock:
            _adopt_orphans(True)  # only now: a process that a user's code leaves behind is none of ours
            socket.send_fds(helper, [json.dumps(order).encode()], [stdin, stdout, stderr.fileno(), folder])
            self.pid = int(helper.recv(20))
            _adopt_orphans(False)
        for descriptor in (stdin, stdout, folder):
            os.close(descriptor)
        self.stdin = os.fdopen(to_worker, "wb")
        self.stdout = os.fdopen(from_worker, "rb")
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Reap it, if it has ended, and return how."""
        return self._reap(os.WNOHANG)

    def wait(self) -> int | None:
        """Wait for its end, and return how it came."""
        return self._reap(0)

    def _reap(self, flags: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, flags)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode


def _adopt_orphans(yes: bool) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(yes), 0, 0, 0)


def _help(orders: socket.socket) -> None:
    """Fork a worker for each order, until there are no more. Each is left an orphan, for the command to adopt."""
    while True:
        text, descriptors, _, _ = socket.recv_fds(orders, _LARGEST, 4)
        if not text:
            return
        said, say = os.pipe()
        middle = os.fork()
        if middle == 0:
            pid = os.fork()
            if pid == 0:
                orders.close()
                os.close(said)
                os.close(say)
                _work(json.loads(text), descriptors)
            os.write(say, b"%d" % pid)
            os._exit(0)
        for descriptor in (say, *descriptors):
            os.close(descriptor)
        pid_of_worker = os.read(said, 20)
        os.close(said)
        os.waitpid(middle, 0)
        orders.send(pid_of_worker)


def _work(order: dict[str, Any], descriptors: Sequence[int]) -> NoReturn:
    """Be the worker, as `subprocess.Popen` would have started it."""
    os.setsid()
    os.fchdir(descriptors[3])
    for number, descriptor in enumerate(descriptors):
        if number < 3:
            os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.orig_argv = order["command"]
    sys.argv = [str(worker.__file__), *order["command"][4:]]
    del sys.path[0]  # the command's own folder: a worker is started with -P
    code: Any = 0
    try:
        worker.main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
