"""The databases that a benchmark is measured on: SQLite in a temporary folder, the others as private servers."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from idstorm.databases.private.server import PrivateServer
from idstorm.databases.registry import DATABASES
from idstorm.errors import IdstormError

DIALECTS = tuple(DATABASES)

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # where programs are fetched that the machine does not have


@dataclass
class Opened:
    """The databases that could be had, and why the others could not."""

    urls: dict[str, sa.URL] = field(default_factory=dict)  #: each leads into an empty namespace
    servers: dict[str, PrivateServer] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


@contextmanager
def opened(dialects: Sequence[str]) -> Iterator[Opened]:
    """Start what can be had of these dialects, all at the same time, and take it away afterwards."""
    with ExitStack() as stack, ThreadPoolExecutor(len(DIALECTS)) as pool:
        found = Opened()
        for dialect, server in zip(dialects, pool.map(_start, dialects), strict=True):
            if isinstance(server, PrivateServer):
                stack.callback(server.stop)
                found.servers[dialect] = server
                url = sa.make_url(server.url)
            elif server:
                found.left_out.append(f"{dialect}: {server}")
                continue
            else:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="idstorm-bench-"))
                url = sa.make_url(f"sqlite:///{folder}/bench.db")
            found.urls[dialect] = stack.enter_context(DATABASES[dialect].namespace(url, "bench"))
        yield found


def _start(dialect: str) -> PrivateServer | str:
    """Return a started server, nothing for SQLite, or why there is none."""
    if dialect == "sqlite":
        return ""
    from fetch import Unavailable, programs_of

    try:
        server = PrivateServer(programs_of(dialect))
        server.start()
    except (Unavailable, IdstormError) as error:
        return " ".join(str(error).split())
    return server
