"""Keeps a server for a test session: ``python keeper.py DIALECT FOLDER PID``.

Writes ``DIALECT.url`` or ``DIALECT.error`` into the folder, waits for the end of the process PID, and takes all away.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from fetch import Unavailable, programs_of
from idstorm.databases.private.finding import find
from idstorm.databases.private.server import PrivateServer
from idstorm.errors import IdstormError

ROOT = Path(__file__).parents[1]
COMPOSE = {
    "postgresql": "postgresql://idstorm:cumulonimbus@127.0.0.1:15432/idstorm",
    "mysql": "mysql://root:cumulonimbus@127.0.0.1:13306/idstorm",
    "mariadb": "mariadb://root:cumulonimbus@127.0.0.1:13307/idstorm",
}
"""The URLs that `docker-compose.yml` promises."""


def main(dialect: str, folder: Path, session: int) -> None:
    """Keep a server until the session is over."""
    with ExitStack() as stack:
        try:
            url = compose(dialect) if find(dialect) is None else None
            if url is None:
                url = stack.enter_context(PrivateServer(programs_of(dialect))).url
        except (Unavailable, IdstormError) as error:
            say(folder / f"{dialect}.error", str(error))
            return
        say(folder / f"{dialect}.url", url)
        with suppress(psutil.NoSuchProcess):
            waited_for = psutil.Process(session)
            while waited_for.is_running() and waited_for.status() != psutil.STATUS_ZOMBIE:
                time.sleep(0.2)
    shutil.rmtree(folder, ignore_errors=True)


def compose(dialect: str) -> str | None:
    """Start the compose file's server, where a Docker engine answers. It is left running, as compose does."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True).returncode:
        return None
    up = subprocess.run([docker, "compose", "up", "-d", "--wait", dialect], cwd=ROOT, capture_output=True, text=True)
    if up.returncode:
        raise Unavailable(f"docker compose did not bring it up: {up.stderr[-500:]}")
    return COMPOSE[dialect]


def say(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.rename(path)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
