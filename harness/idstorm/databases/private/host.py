"""What a private server needs from the machine: a user to run as, a folder, a port."""

from __future__ import annotations

import os
import random
import socket
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from idstorm.databases.private.programs import Programs
from idstorm.errors import EnvironmentFault

with suppress(ImportError):  # on Windows, where nothing is stormed
    import pwd

_PORTS = range(15_000, 60_000)
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")


def unprivileged() -> pwd.struct_passwd | None:
    """Return the user that the server runs as: `nobody` if idstorm is root; None: the same user as idstorm.

    It is never the machine's own `postgres` or `mysql`, whose data the server could then reach.
    """
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise EnvironmentFault("no database server runs as root, and there is no user `nobody` to run it as") from None


def can_run(programs: Programs, user: pwd.struct_passwd) -> bool:
    """Return whether a user can reach the programs: root's folders are often closed to others."""
    try:
        asked = subprocess.run(
            [*programs.command(), "--version"],
            cwd="/",
            capture_output=True,
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=[],
        )
    except OSError:
        return False
    return asked.returncode == 0


def room(user: pwd.struct_passwd | None) -> Path:
    """Return a folder for temporary folders in which no user can remove or replace another's files.

    If a user is given, it is one that this user can reach. Raises EnvironmentFault where there is none.
    """
    places = [Path(place).resolve() for place in (tempfile.gettempdir(), "/tmp", "/var/tmp")]
    for place in places:
        way = [folder.stat() for folder in (place, *place.parents) if folder.is_dir()]
        reachable = user is None or all(there.st_mode & stat.S_IXOTH for there in way)
        if place.is_dir() and reachable and all(map(_is_safe, way)):
            return place
    raise EnvironmentFault(
        f"a server that runs as {user.pw_name if user else 'you'} needs a folder that it can reach, and in which no "
        f"other user can replace what is yours, unlike {', '.join(map(str, places))}: set TMPDIR to one"
    )


def _is_safe(there: os.stat_result) -> bool:
    trusted = there.st_uid in (0, os.geteuid())
    return trusted and (not there.st_mode & stat.S_IWOTH or bool(there.st_mode & stat.S_ISVTX))


def free_port() -> int:
    """Return a free port of the loopback.

    It is outside the system's range for outgoing connections: else a client's own could take it after a crash.
    """
    try:
        low, high = map(int, _OUTGOING.read_text().split())
    except OSError:
        low, high = 32_768, 65_535
    outside = [port for port in _PORTS if not low <= port <= high]
    chance = random.SystemRandom()
    while True:
        port = chance.choice(outside or _PORTS)
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
