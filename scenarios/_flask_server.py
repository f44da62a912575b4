"""Serve the application of flask_app.py with gunicorn, in processes and threads.

    python _flask_server.py SOCKET PROCESSES THREADS [create_all]

SOCKET is the number of a listening socket that was inherited; DATABASE_URL, in the environment, leads to the database.
With `create_all`, each process makes the tables as it loads the application, all at the same moment, and says in a
line how that ended. The end of stdin means that the process which started the server is gone: it ends at once.

https://docs.gunicorn.org/en/stable/custom.html
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from time import monotonic, sleep
from types import ModuleType
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from gunicorn.app.base import BaseApplication
from sqlalchemy.exc import DBAPIError

_FORKED_WITHIN = 0.1  # seconds that gunicorn takes at most from one process to the next


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, with the application in each of its processes."""

    def __init__(self, application: ModuleType, socket: int, processes: int, threads: int, *words: str) -> None:
        self._application, self._create_all = application, "create_all" in words
        self._socket, self._processes, self._threads = socket, processes, threads
        self._moment = monotonic() + _FORKED_WITHIN * (processes + 1)
        super().__init__()

    def load_config(self) -> None:
        wanted = {
            "bind": f"fd://{self._socket}",
            "workers": self._processes,
            "worker_class": "gthread",
            "threads": self._threads,
            "graceful_timeout": 3,
            "control_socket_disable": True,  # it is in the user's home, since gunicorn 25.1
        }
        for name, value in wanted.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        app: Flask = self._application.create_app(os.environ["DATABASE_URL"], pool_size=self._threads, max_overflow=0)
        if self._create_all:
            self._make_tables(app)
        return app.wsgi_app

    def _make_tables(self, app: Flask) -> None:
        db: SQLAlchemy = self._application.db
        with app.app_context():
            db.engine.connect().close()  # to connect takes longer than to make a table
            sleep(max(0, self._moment - monotonic()))
            try:
                db.create_all()
            except DBAPIError as error:
                _say(f"create_all: {type(error.orig).__name__}: {str(error.orig).splitlines()[0]}")
                raise
            _say("create_all: ok")


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # at once: all processes write into one file


def _load_application() -> ModuleType:
    """Load it by its path: its folder must not be on sys.path, where scenarios' names could shadow libraries."""
    spec = spec_from_file_location("flask_app", Path(__file__).with_name("flask_app.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["flask_app"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    _, descriptor, processes, threads, *words = sys.argv
    Server(_load_application(), int(descriptor), int(processes), int(threads), *words).run()
