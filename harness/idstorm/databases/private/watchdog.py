"""Making sure that a private server does not outlive idstorm, however idstorm ends.

Started beside a server as ``python -m idstorm.databases.private.watchdog FOLDER``, it reads from a pipe which process
groups are at work in the folder. Each group writes ``+PID`` when it starts. When it has ended, idstorm writes ``-PID``
before it reaps the process, while no other process can have the pid. At the end of the pipe the watchdog ends the
groups that are left, removes the folder, and exits.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LEAVE = 7.0  # seconds for a server to end by itself: PostgreSQL gives its own processes 5
_INSTANT = 0.01
_GONE = (ProcessLookupError, PermissionError)  # the second from macOS, for a group with no living process


def main() -> None:
    """Wait for the end of stdin, then clean up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends only after idstorm
    folder, groups = Path(sys.argv[1]), set[int]()
    for line in sys.stdin:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    for group in groups:
        end(group)
    remove(folder)


def end(group: int) -> None:
    """End a server at once, but let PostgreSQL free the shared memory that would outlive a SIGKILL."""
    with suppress(*_GONE):
        os.killpg(group, signal.SIGQUIT)
    until(lambda: not alive(group), _LEAVE)
    kill(group)


def kill(group: int) -> None:
    """SIGKILL a process group and the children of its leader, and wait until they are gone.

    PostgreSQL's children have their own groups. The leader is stopped first, so that it starts no more children between
    the listing and the kill.
    """
    with suppress(*_GONE):
        os.killpg(group, signal.SIGSTOP)
        until(lambda: _look(group)[0] not in "RSD", 1.0)
    children = _children(group)
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    with suppress(*_GONE):
        os.killpg(group, signal.SIGKILL)
    until(lambda: not any(map(alive, [group, *children])), _LEAVE)


def alive(pid: int) -> bool:
    """Return whether a process exists and has not ended. A zombie has ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _look(pid)[0] not in "ZX"


def until(what: Callable[[], object], seconds: float) -> bool:
    """Wait until a condition is true, for at most this long. Returns whether it is."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(_INSTANT)
    return True


def remove(folder: Path) -> None:
    """Remove a folder into which a dying process may still be writing."""

    def removed() -> bool:
        shutil.rmtree(folder, ignore_errors=True)
        return not folder.exists()

    until(removed, _LEAVE)


def _look(pid: int) -> tuple[str, int]:
    """Return a process's state and parent, or ("?", 0) if it is gone or the system has no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[1])
    except (OSError, IndexError, ValueError):
        return "?", 0


def _children(pid: int) -> list[int]:
    """Return a process's children, or none without /proc: PostgreSQL's end by themselves once their parent is gone."""
    everybody = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [other for other in everybody if _look(other)[1] == pid]


if __name__ == "__main__":
    main()
