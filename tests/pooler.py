"""A PgBouncer in front of a test session's PostgreSQL, in transaction mode, as most are run."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from fetch import CACHE, fetch
from idstorm.databases.private.programs import loader_of

_WITHIN = 30.0  # seconds for it to listen


@contextmanager
def pgbouncer(server: sa.URL, folder: Path, databases: str = "*") -> Iterator[sa.URL]:
    """Start a pooler that leads to these databases of a server, and yield the URL through it. Raises Unavailable."""
    program = fetch("pgbouncer", CACHE)
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    users, settings = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{server.username}" "{server.password}"\n')
    settings.write_text(
        f"[databases]\n{databases} = host={server.host} port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npool_mode = transaction\n"
        f"auth_type = scram-sha-256\nauth_file = {users}\ndefault_pool_size = 4\nuser = nobody\n"
    )
    users.chmod(0o644)
    folder.chmod(0o755)
    command = [*loader_of(program.parents[1]), str(program), str(settings)]
    with (folder / "pgbouncer.log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "pgbouncer.log")
        yield server.set(host="127.0.0.1", port=port)
    finally:
        process.kill()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"pgbouncer does not listen: {log.read_text()[-2000:]}")
