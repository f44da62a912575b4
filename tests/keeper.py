"""Keeps a server for a test session: ``python keeper.py DIALECT FOLDER``.

It is idstorm's own keeper, which here can also use the compose file's server, or fetch programs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetch import Unavailable, programs_of
from idstorm.databases.private.finding import find
from idstorm.databases.private.server import PrivateServer
from idstorm.databases.private.shared import keep
from idstorm.errors import EnvironmentFault

ROOT = Path(__file__).parents[1]
COMPOSE = {
    "postgresql": "postgresql://idstorm:cumulonimbus@127.0.0.1:15432/idstorm",
    "mysql": "mysql://root:cumulonimbus@127.0.0.1:13306/idstorm",
    "mariadb": "mariadb://root:cumulonimbus@127.0.0.1:13307/idstorm",
}
"""The URLs that `docker-compose.yml` promises."""


@contextmanager
def served(dialect: str) -> Iterator[str]:
    """Have a server, and give its URL: of programs that are found, of the compose file, or of programs to fetch."""
    if find(dialect) is None and (url := compose(dialect)) is not None:
        yield url
        return
    try:
        programs = programs_of(dialect)
    except Unavailable as error:
        raise EnvironmentFault(str(error)) from error
    with PrivateServer(programs) as server:
        yield server.url


def compose(dialect: str) -> str | None:
    """Start the compose file's server, where a Docker engine answers. It is left running, as compose does."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True).returncode:
        return None
    up = subprocess.run([docker, "compose", "up", "-d", "--wait", dialect], cwd=ROOT, capture_output=True, text=True)
    if up.returncode:
        raise EnvironmentFault(f"docker compose did not bring it up: {up.stderr[-500:]}")
    return COMPOSE[dialect]


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]), served)
