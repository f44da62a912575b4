"""Running the processes of a private server so that they cannot outlive idstorm: the parent's side of `watchdog`."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from idstorm.databases.private import watchdog
from idstorm.processes import has_ended

if TYPE_CHECKING:
    import pwd

_ANNOUNCED = 'echo "+$$" >&0; stdin=$1; shift; exec "$@" <"$stdin"'
"""Announces itself on the watchdog's pipe, which is its stdin, and only then becomes the program. The pipe stays open
until then, so at no instant could idstorm be killed and leave a program that the watchdog does not know."""

_SILENCED = ("PG", "MYSQL", "MARIADB", "IDSTORM", "LC_", "LANG")
"""Variables that would change a server's settings, or give it secrets that it has no need for."""

TEMPORARY = "tmp"
"""The folder for what the processes write beside their data. The server's own folder stays with the user who runs
idstorm."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_PATIENCE = 30.0  # more than the watchdog's own


class Guard:
    """A folder and the processes at work in it. A watchdog removes both when idstorm ends, however it ends."""

    def __init__(self, folder: Path, user: pwd.struct_passwd | None) -> None:
        """The folder does not exist yet: the watchdog is started first. `user`: who the processes run as."""
        self._folder = folder
        self._user = user
        self._watchdog = subprocess.Popen(
            [sys.executable, "-P", "-m", watchdog.__name__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,  # out of reach of Ctrl-C
        )

    def make_folder(self, name: str) -> Path:
        """Make a folder for the processes only, in which idstorm itself writes nothing."""
        path = self._folder / name
        path.mkdir(mode=0o700)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            self._own(descriptor)
        finally:
            os.close(descriptor)
        return path

    def make_secret(self, name: str, text: str) -> Path:
        """Make a file that only the processes can read."""
        path = self._folder / name
        with os.fdopen(os.open(path, _NEW, 0o600), "w") as file:
            file.write(text)
            self._own(file.fileno())
        return path

    def _own(self, descriptor: int) -> None:
        """Give an open file to the user that the processes run as, by its descriptor, which no link can redirect."""
        if self._user is not None:
            os.fchown(descriptor, self._user.pw_uid, self._user.pw_gid)

    def run(self, command: list[str], stdin: Path = Path(os.devnull)) -> subprocess.Popen[bytes]:
        """Start a process in a new group that appends its output to the file `log`."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_SILENCED)}
        log_flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        with os.fdopen(os.open(self._folder / "log", log_flags, 0o600), "ab") as log:
            return subprocess.Popen(
                ["/bin/sh", "-c", _ANNOUNCED, "sh", str(stdin), *command],
                stdin=self._watchdog.stdin,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**kept, "LC_ALL": "C", "TMPDIR": str(self._folder / TEMPORARY)},
                start_new_session=True,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )

    def ended(self, process: subprocess.Popen[bytes]) -> bool:
        """Return whether a process has ended. The watchdog is told first, and only then is the pid released."""
        if process.returncode is not None:
            return True
        if not has_ended(process):
            return False
        assert self._watchdog.stdin is not None
        with suppress(BrokenPipeError):
            os.write(self._watchdog.stdin.fileno(), b"-%d\n" % process.pid)
        process.wait()
        return True

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL a process and its children, and wait for their end."""
        if not self.ended(process):
            watchdog.kill(process.pid)
            watchdog.until(lambda: self.ended(process), _PATIENCE)

    def close(self) -> None:
        """Have the watchdog end what is left and remove the folder."""
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._watchdog.wait(_PATIENCE)
        self._watchdog.kill()
        self._watchdog.wait()
        watchdog.remove(self._folder)  # in case the watchdog was killed
