"""A private server: started for a run in a temporary folder, crashed and restarted at will, and removed afterwards.

It listens on the loopback only, has its default settings, and one superuser with a random password. If idstorm is root,
it runs as `nobody`, who owns its data and nothing else. It never outlives idstorm, however that ends.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from idstorm.databases.private.guard import TEMPORARY, Guard
from idstorm.databases.private.host import can_run, free_port, room, unprivileged
from idstorm.databases.private.programs import Programs
from idstorm.databases.private.recipe import SUPERUSER
from idstorm.databases.private.watchdog import until
from idstorm.databases.registry import DATABASES
from idstorm.errors import EnvironmentFault
from idstorm.redaction import redact

_LAST_LINES = 12
_ORPHANS = 10.0  # seconds for the children of a killed server to notice
_TRIES = 3  # ports: another process may take one between the check and the bind


class PrivateServer:
    """A private server of one dialect. As a context manager, it is started on entry and removed on exit.

    `settings` override its default settings by name. Each wait for the server takes at most `patience` seconds. Several
    servers can be started at once, from threads.
    """

    def __init__(
        self, programs: Programs, settings: Mapping[str, str] = MappingProxyType({}), patience: float = 60.0
    ) -> None:
        self.programs = programs
        self.settings = settings
        self.port = 0  #: set by `start`, and kept across restarts
        self.folder = Path()  #: set by `start`; it holds everything
        self._password = secrets.token_urlsafe(18)
        self._patience = patience
        recipe = DATABASES[programs.dialect].recipe
        assert recipe is not None, "programs are found by a recipe"
        self._recipe = recipe
        self._programs = programs  # as the server's user can reach them
        self._guard: Guard | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._serves = False  # it has come up, and has not been shut down since

    @property
    def url(self) -> str:
        """A SQLAlchemy URL that leads to it as its superuser, password included."""
        driver, database = self._recipe.driver, self._recipe.database
        return f"{driver}://{SUPERUSER}:{self._password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        """The pid of the server's process, while it runs."""
        if self._guard is None or self._process is None or self._guard.ended(self._process):
            return None
        return self._process.pid

    def __enter__(self) -> PrivateServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start a server with fresh data. Raises EnvironmentFault, with the last lines of its log, where it fails."""
        assert self._guard is None, "it has been started"
        user = unprivileged()
        self.folder = room(user) / f"idstorm-{self.programs.dialect}-{secrets.token_hex(8)}"
        self._guard = guard = Guard(self.folder, user)
        try:
            self.folder.mkdir(mode=0o700)
            self.folder.chmod(0o755)  # whatever the umask; it stays ours, so no other user can put anything there
            guard.make_folder(TEMPORARY)
            reachable = user is None or can_run(self.programs, user)
            self._programs = self.programs if reachable else self.programs.lend(self.folder / "programs")
            self._make_data(guard)
            for more in reversed(range(_TRIES)):
                self.port = free_port()
                try:
                    self._launch(guard, first=True)
                    break
                except EnvironmentFault as fault:
                    if not more or "in use" not in str(fault):
                        raise
            (self.folder / "secret").unlink()
        except OSError as error:
            self.stop()
            raise EnvironmentFault(f"no private {self.programs.dialect} server in {self.folder}: {error}") from error
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """Start the server again on its data and port: after a crash, or if it runs, after a clean shutdown."""
        assert self._guard is not None, "it has not been started"
        self._shut_down(self._guard)
        self._launch(self._guard)

    def crash(self) -> None:
        """SIGKILL the server and all of its processes."""
        if self._guard is not None and self._process is not None and not self._guard.ended(self._process):
            self._guard.kill(self._process)

    def stop(self) -> None:
        """Shut the server down and remove its folder. Does nothing if that has been done."""
        guard, self._guard = self._guard, None
        if guard is None:
            return
        try:
            if self._recipe.leaves_memory and self._serves and self._process and guard.ended(self._process):
                # It crashed, or another process killed it. PostgreSQL's shared memory outlives that, and only its
                # next start frees it, which has to wait until its orphans have ended.
                until(lambda: self._comes_up(guard), _ORPHANS)
            self._shut_down(guard)
        finally:
            guard.close()

    def log(self) -> str:
        """Return the last lines of the server's log, without its password."""
        try:
            lines = (self.folder / "log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return redact("\n".join(lines[-_LAST_LINES:]), [self._password])

    def _make_data(self, guard: Guard) -> None:
        guard.make_folder("data")
        guard.make_secret("secret", self._recipe.secret(self._password))
        command, stdin = self._recipe.initialise(self._programs, self.folder)
        self._process = process = guard.run(command, stdin)
        if not until(lambda: guard.ended(process), self._patience) or process.returncode:
            raise self._fault("could not make its data")

    def _launch(self, guard: Guard, first: bool = False) -> None:
        command = self._recipe.serve(self._programs, self.folder, self.port, first, self.settings)
        self._process = process = guard.run(command)

        def ready() -> bool:
            return self._recipe.ready(self.folder, process.pid, self.port)

        until(lambda: guard.ended(process) or ready(), self._patience)
        if guard.ended(process) or not ready():
            raise self._fault("did not come up")
        self._serves = True

    def _comes_up(self, guard: Guard) -> bool:
        with suppress(EnvironmentFault, OSError):
            self._launch(guard)
            return True
        return False

    def _shut_down(self, guard: Guard) -> None:
        process = self._process
        if process is not None and not guard.ended(process):
            os.kill(process.pid, self._recipe.farewell)
            until(lambda: guard.ended(process), self._patience)
            guard.kill(process)
        self._serves = False

    def _fault(self, what: str) -> EnvironmentFault:
        programs, code = self.programs, self._process and self._process.returncode
        name = f"the private {programs.dialect} server ({programs.server.name} {programs.version}, {programs.where})"
        end = f"not within {self._patience:g} s" if code is None else f"it ended with status {code}"
        return EnvironmentFault(f"{name} {what}: {end}; its log ends with\n{self.log() or '(nothing)'}")
