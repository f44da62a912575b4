"""Serves an application in processes of its own, as a program that imports nothing of idstorm.

    python serve.py INTERFACE SOCKET APP PROCESSES THREADS FOLDER

INTERFACE is wsgi (gunicorn) or asgi (uvicorn), SOCKET the number of a listening socket that was inherited, APP
``module:name`` or ``module:factory()``, found from FOLDER. The end of stdin means that the process which started this
one is gone: it ends at once, with all processes that it has started.

https://docs.gunicorn.org/en/stable/custom.html
https://www.uvicorn.org/settings/
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib import import_module
from typing import Any


def load(app: str) -> Any:
    """Return an application by its name."""
    module, _, name = app.partition(":")
    value: Any = import_module(module)
    for part in name.removesuffix("()").split("."):
        value = getattr(value, part)
    return value() if name.endswith("()") else value


def serve_wsgi(app: str, socket: int, processes: int, threads: int) -> None:
    """Serve by gunicorn, in processes with threads, each of which loads the application by itself."""
    from gunicorn.app.base import BaseApplication

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            wanted = {
                "bind": f"fd://{socket}",
                "workers": processes,
                "worker_class": "gthread",
                "threads": threads,
                "graceful_timeout": 3,
                "control_socket_disable": True,  # it is in the user's home, since gunicorn 25.1
            }
            for name, value in wanted.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Any:
            return load(app)

    Server().run()


def serve_asgi(app: str, socket: int, processes: int, folder: str) -> None:
    """Serve by uvicorn, an event loop in each process."""
    import uvicorn

    plain, factory = app.removesuffix("()"), app.endswith("()")
    uvicorn.run(plain, factory=factory, fd=socket, workers=processes, log_level="warning", app_dir=folder)


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    interface, descriptor, name, in_processes, in_threads, of = sys.argv[1:]
    sys.path.insert(0, of)
    if interface == "asgi":
        serve_asgi(name, int(descriptor), int(in_processes), of)
    else:
        serve_wsgi(name, int(descriptor), int(in_processes), int(in_threads))
