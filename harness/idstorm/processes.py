"""What all processes that idstorm starts have in common: workers, and private servers."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import Any

from idstorm.errors import UsageError


def require_posix() -> None:
    """Raise UsageError where workers cannot be started, which need process groups, `flock` and signals."""
    if not hasattr(os, "fork"):
        raise UsageError(
            "storms need a POSIX system, such as Linux or macOS (on Windows: WSL); "
            "`idstorm check`, `list` and `show` work here"
        )


def has_ended(process: subprocess.Popen[Any]) -> bool:
    """Return whether a child of ours has ended.

    It is not reaped, so no other process gets its number until it is waited for. macOS can look without reaping from
    Python 3.13 on (https://docs.python.org/3/library/os.html#os.waitid). Before, this does reap it, as `returncode`
    then shows: use the number at once, before the system, which hands numbers out in order, reaches it again.
    """
    if process.returncode is not None:
        return True
    if hasattr(os, "waitid"):
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


def signal_group(number: int, sign: int) -> None:
    """Send a signal to a process group, if it has any processes left.

    macOS answers EPERM instead of ESRCH where all of its processes have ended and are not reaped yet.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(number, sign)
