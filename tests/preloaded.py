"""`idstorm` or `pytest` in a process of its own that need not import everything first: a fork of one that has.

``python preloaded.py SOCKET`` imports the command line and all that a storm needs, listens on a Unix socket, and forks
for each connection. It ends with its parent. Importing takes more than half of what a short storm costs; nothing of a
scenario is ever loaded before the fork. The workers that the command starts are forks, too.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import idstorm.cli

_processes: list[subprocess.Popen[bytes]] = []  # nobody waits for them: they end after us

_MAIN: dict[str, Callable[[], Any]] = {"idstorm": lambda: idstorm.cli.main(), "pytest": pytest.console_main}

PATIENCE = 60.0  # seconds in which the preloaded process must be there


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


def call(program: str, words: list[str], folder: Path, environ: dict[str, str], patience: float) -> Done:
    """Run the command in a folder to its end. Raises subprocess.TimeoutExpired, having killed it, where it has none."""
    with (
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
        open(os.devnull, "rb") as nothing,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.connect(str(_started()))
        order = json.dumps({"program": program, "words": words, "folder": str(folder), "environ": environ}).encode()
        descriptors = [nothing.fileno(), out.fileno(), err.fileno()]
        socket.send_fds(connection, [len(order).to_bytes(8)], descriptors)
        connection.sendall(order)
        pid = int(_line(connection))
        connection.settimeout(patience)
        try:
            code = int(_line(connection))
        except TimeoutError:
            os.killpg(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired([program, *words], patience) from None
        return Done(code, *(_text(file) for file in (out, err)))


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode())


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = connection.recv(1)
        if not piece:
            raise AssertionError("the preloaded idstorm has gone")
        line += piece
    return line


@cache
def _started() -> Path:
    """Return the socket of this process's own preloaded one."""
    path = Path(tempfile.mkdtemp(prefix="idstorm-tests-")) / "socket"
    command = [sys.executable, __file__, str(path), str(os.getpid())]
    _processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True))
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, "the preloaded idstorm did not start"
        time.sleep(0.01)
    return path


def serve(path: Path, parent: int) -> None:
    """Fork for each connection, until the parent is gone."""
    _import_everything()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that serve a connection
    with socket.socket(socket.AF_UNIX) as listener:
        partial = path.with_name("partial")
        listener.bind(str(partial))
        listener.listen()
        partial.rename(path)
        while os.getppid() == parent:
            if not select.select([listener], [], [], 1.0)[0]:
                continue
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _serve(connection)
                os._exit(0)
            connection.close()
    path.unlink()
    path.parent.rmdir()


def _import_everything() -> None:
    for module in walk_packages(idstorm.__path__, "idstorm."):
        if not module.name.startswith(("idstorm.__main__", "idstorm.pytest_plugin")):
            import_module(module.name)
    import_module("forked")
    for name in ("sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql", "psycopg", "pymysql"):
        with suppress(ModuleNotFoundError):
            import_module(name)
    gc.collect()
    gc.freeze()  # what a fork does not touch, it need not copy


def _serve(connection: socket.socket) -> None:
    """Run one command in a process that is the leader of a session, and say what it is and how it ended."""
    head, descriptors, _, _ = socket.recv_fds(connection, 8, 3)
    order = json.loads(connection.recv(int.from_bytes(head), socket.MSG_WAITALL))
    pid = os.fork()
    if pid == 0:
        connection.close()
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        _run(order)
    connection.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _run(order: dict[str, Any]) -> None:
    """Be the command, as ``python -m PROGRAM`` would be in this folder."""
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv = [order["program"], *order["words"]]
    sys.path[0] = order["folder"]
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: SIM115
    from forked import start_forking

    start_forking()
    code: Any = 0
    try:
        code = _MAIN[order["program"]]()
    except SystemExit as ended:
        code = ended.code
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
