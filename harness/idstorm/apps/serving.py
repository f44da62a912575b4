"""An application that is served on the loopback while a storm lasts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any, BinaryIO

from idstorm.errors import ScenarioError
from idstorm.scenario import Place

_PROGRAM = Path(__file__).with_name("serve.py")
_UP_WITHIN = 30.0  # seconds
_SAID = 1 << 16  # bytes of a server's output that are read
_LAST_LINES = 40  # gunicorn follows an application's own traceback with one of its own


@dataclass(frozen=True)
class Server:
    """A server process, with those that it starts."""

    process: subprocess.Popen[bytes]
    url: str
    log: BinaryIO

    @property
    def running(self) -> bool:
        """Whether it has not ended. It is not reaped: until then no other process gets its number."""
        return os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    @property
    def lines(self) -> list[str]:
        """What it has said. The file's position belongs to the server and is left alone."""
        size = os.fstat(self.log.fileno()).st_size
        return os.pread(self.log.fileno(), _SAID, max(0, size - _SAID)).decode(errors="replace").splitlines()

    def wait_until_it_answers(self) -> None:
        """Wait for any answer by HTTP. Raises ScenarioError, with the server's last words, if there is none."""
        import httpx  # only where it is needed

        deadline = monotonic() + _UP_WITHIN
        while self.running and monotonic() < deadline:
            with suppress(httpx.TransportError):
                httpx.get(self.url, timeout=1, trust_env=False)
                return
            sleep(0.05)
        how = "does not answer" if self.running else "ended before it answered"
        raise ScenarioError("\n".join([f"the server {how}; its last words:", *self.lines[-_LAST_LINES:]]))


@dataclass(frozen=True)
class App:
    """An environment: an application by its name, in so many processes. Called with a place, it is served there."""

    interface: str  #: asgi or wsgi
    name: str  #: module:name or file.py:name, and () where it is called for the application
    processes: int
    threads: int
    url_in: str
    driver: str | None
    environ: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, place: Place) -> AbstractContextManager[dict[str, Any]]:
        """Serve it as long as the context lasts, which yields its URL."""
        return self._served(place)

    @contextmanager
    def _served(self, place: Place) -> Iterator[dict[str, Any]]:
        with self.started(place) as server:
            server.wait_until_it_answers()
            yield {"url": server.url}

    @contextmanager
    def started(self, place: Place) -> Iterator[Server]:
        """Start its server on a free port of the loopback, and leave nothing of it behind."""
        program = {"asgi": "uvicorn", "wsgi": "gunicorn"}[self.interface]
        for library in (program, "httpx"):
            if find_spec(library) is None:
                raise ScenarioError(f"{self.name} is served by {library}: pip install 'idstorm[{self.interface}]'")
        environ = {**os.environ, **self.environ, self.url_in: self._url(place)}
        with tempfile.TemporaryFile() as log, socket.create_server(("127.0.0.1", 0)) as listener:
            words = map(str, (self.interface, listener.fileno(), self.name, self.processes, self.threads))
            process = subprocess.Popen(
                [sys.executable, "-P", "-B", str(_PROGRAM), *words],
                env=environ,
                stdin=subprocess.PIPE,  # stays open as long as we live
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C is for idstorm
            )
            try:
                host, port = listener.getsockname()
                listener.close()  # so that no client connects to a server that is gone
                yield Server(process, f"http://{host}:{port}", log)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def _url(self, place: Place) -> str:
        """Return the URL for the application. Raises ScenarioError where its driver cannot be led there by one."""
        driver = self.driver or place.driver
        url, arguments = place.by(driver)
        if arguments:
            raise ScenarioError(
                f"a URL cannot lead {driver} into a schema, and {self.name} is told no more: storm with "
                "--namespace database"
            )
        return url.render_as_string(hide_password=False)


def wsgi_app(
    app: str,
    *,
    processes: int = 2,
    threads: int = 4,
    url_in: str = "DATABASE_URL",
    driver: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> App:
    """Return an environment in which gunicorn serves a WSGI application, such as one of Flask or Django.

    `app` is ``module:name``, found from the current directory, or ``path/to/file.py:name``. A ``name()`` is called for
    the application in each process. `url_in` is the variable in which the application finds the URL of its database,
    and `driver` the driver that the URL is to name, if not that of the storm. `environ` has further variables.
    """
    return App("wsgi", app, processes, threads, url_in, driver, environ or {})


def asgi_app(
    app: str,
    *,
    processes: int = 2,
    url_in: str = "DATABASE_URL",
    driver: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> App:
    """Return an environment in which uvicorn serves an ASGI application, such as one of FastAPI.

    Its parameters are those of `wsgi_app`.
    """
    return App("asgi", app, processes, 1, url_in, driver, environ or {})
