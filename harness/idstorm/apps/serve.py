"""Serves an application in processes of its own, as a program that imports nothing of idstorm.

    python serve.py INTERFACE SOCKET APP PROCESSES THREADS

INTERFACE is wsgi (gunicorn) or asgi (uvicorn), SOCKET the number of a listening socket that was inherited, APP
``module:name``, found from the current directory, or ``path/to/file.py:name``; a ``name()`` is called for the
application. The end of stdin means that the process which started this one is gone: it ends at once, with all processes
that it has started.

https://docs.gunicorn.org/en/stable/custom.html
https://www.uvicorn.org/settings/
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

_KEPT_OPEN = 120  # seconds: where a server closes an idle connection, a client may have just used it


def load(where: str) -> ModuleType:
    """Return a module by its name or its file. A file's folder is not searched for other modules."""
    if not where.endswith(".py"):
        return import_module(where)
    name = Path(where).stem
    spec = spec_from_file_location(name, where)
    if spec is None or spec.loader is None:
        raise ImportError(f"{where} is not a Python file")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serve_wsgi(where: str, name: str, socket: int, processes: int, threads: int) -> None:
    """Serve by gunicorn, in processes with threads.

    The module of a factory is imported once, before the processes part; each of them then makes its own application.
    """
    from gunicorn.app.base import BaseApplication

    factory = name.removesuffix("()")
    module = load(where) if factory != name else None

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            wanted = {
                "bind": f"fd://{socket}",
                "workers": processes,
                "worker_class": "gthread",
                "threads": threads,
                "graceful_timeout": 3,
                "keepalive": _KEPT_OPEN,
                "control_socket_disable": True,  # it is in the user's home, since gunicorn 25.1
            }
            for setting, value in wanted.items():
                if setting in self.cfg.settings:
                    self.cfg.set(setting, value)

        def load(self) -> Any:
            return getattr(load(where), name) if module is None else getattr(module, factory)()

    Server().run()


def serve_asgi(where: str, name: str, socket: int, processes: int) -> None:
    """Serve by uvicorn, an event loop in each process."""
    import uvicorn

    folder, module = (os.getcwd(), where) if not where.endswith(".py") else (str(Path(where).parent), Path(where).stem)
    app = f"{module}:{name.removesuffix('()')}"
    uvicorn.run(
        app,
        factory=name.endswith("()"),
        fd=socket,
        workers=processes,
        log_level="warning",
        app_dir=folder,
        timeout_keep_alive=_KEPT_OPEN,
    )


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    sys.path.insert(0, os.getcwd())
    interface, descriptor, app, in_processes, in_threads = sys.argv[1:]
    of, _, called = app.rpartition(":")
    if interface == "asgi":
        serve_asgi(of, called, int(descriptor), int(in_processes))
    else:
        serve_wsgi(of, called, int(descriptor), int(in_processes), int(in_threads))
