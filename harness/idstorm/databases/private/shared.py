"""One private server of each dialect for all processes of a session, such as the workers of a parallel test run.

The first process that needs a server starts a keeper, a separate process, so that the server outlives the process that
asked for it. The session is a locked file. The kernel releases the lock when the process that holds it ends, however it
ends. The keeper waits for that, and then removes the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from idstorm.atomic import write_text
from idstorm.databases.private.finding import look
from idstorm.databases.private.server import PrivateServer
from idstorm.databases.private.session import kept, wait_for_the_end
from idstorm.errors import EnvironmentFault
from idstorm.internals import disown

with suppress(ImportError):  # on Windows, where nothing is stormed
    import fcntl

_COME_WITHIN = 180.0  # seconds
_INSTANT = 0.02
_KEEPER = ("-P", "-m", "idstorm.databases.private.shared")


def shared_server(dialect: str, folder: Path, keeper: Sequence[str] = _KEEPER, within: float = _COME_WITHIN) -> str:
    """Return the URL, password included, of the server of this dialect that all processes of a session share.

    A process has to hold a `session` in the folder, which no other user may read. Any thread of any process may call
    this at any time: one of them starts the keeper, and the others wait. `keeper` is what Python runs as one, with the
    dialect and the folder as further arguments; it has to call `keep` and to report within so many seconds. Raises
    EnvironmentFault.
    """
    url, fault = folder / f"{dialect}.url", folder / f"{dialect}.fault"
    with (folder / f"{dialect}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not url.exists() and not fault.exists():
            _have_it_started(dialect, folder, keeper, within)
    if not url.exists():
        raise EnvironmentFault(fault.read_text() if fault.exists() else f"the keeper of {dialect} has gone")
    return url.read_text()


def _have_it_started(dialect: str, folder: Path, command: Sequence[str], within: float) -> None:
    """Start a keeper and wait until it has reported a URL or a fault."""
    with (folder / f"{dialect}.log").open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, *command, dialect, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the session, which the keeper outlives
        )
    deadline = time.monotonic() + within
    while not any((folder / f"{dialect}.{end}").exists() for end in ("url", "fault")):
        if keeper.poll() is not None or time.monotonic() > deadline:
            words = (folder / f"{dialect}.log").read_text().strip() or "it took too long"
            _say(folder / f"{dialect}.fault", f"no private {dialect} server could be kept: {words}")
        time.sleep(_INSTANT)
    disown(keeper)  # it ends after us


def keep(dialect: str, folder: Path, served: Callable[[str], AbstractContextManager[str]]) -> None:
    """Keep a server until the session is over. `served` starts one of a dialect and gives its URL."""
    with kept(folder / f"{dialect}.keeper"):
        try:
            with served(dialect) as url:
                _say(folder / f"{dialect}.url", url)
                wait_for_the_end(folder)
        except EnvironmentFault as error:
            _say(folder / f"{dialect}.fault", str(error))


@contextmanager
def _private(dialect: str) -> Iterator[str]:
    """Start a private server. Raises EnvironmentFault."""
    programs, passed_over = look(dialect, os.environ)
    if programs is None:
        raise EnvironmentFault("; ".join([f"there are no programs of {dialect}", *passed_over]))
    with PrivateServer(programs) as server:
        yield server.url


def _say(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    write_text(path, text, mode=0o600)


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]), _private)
