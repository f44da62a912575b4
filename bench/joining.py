"""What recording adds to an insert of a suite whose session was joined: blocks of inserts, joined and not, take turns.

Three sessions on one engine: two that are left alone, which show how far chance goes, and one that is joined. An insert
is one row and its COMMIT, as a suite's own code does it.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import process_time_ns

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench.figures import Figure, Measured
from bench.servers import opened
from idstorm.databases.registry import DATABASES
from idstorm.join.journal import Journal
from idstorm.join.session_events import Listener
from idstorm.join.watched import Watched

LIMIT = 1.05
BLOCK = 200
VARIANTS = ("joined", "bare", "again")


class Base(DeclarativeBase):
    """Tables of their own."""


class Order(Base):
    """A row as shops have them."""

    __tablename__ = "shop_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str] = mapped_column(sa.String(80))
    amount: Mapped[int]


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Let the three take turns on each database."""
    turns = 6 if quick else 60
    figures, raw = list[Figure](), dict[str, dict[str, list[float]]]()
    with opened(on) as databases:
        for dialect, base in databases.urls.items():
            server = databases.servers.get(dialect)
            url = base if server is None else sa.make_url(server.url)
            with DATABASES[url.get_backend_name()].namespace(url, "joining") as inside:
                taken = raw[dialect] = _take_turns(inside, turns)
            bare = median(taken["bare"])
            figures += [
                Figure(f"{dialect}, CPU an insert: joined / bare", _ratio(taken, "joined"), at_most=LIMIT),
                Figure(f"{dialect}, CPU an insert: bare / bare", _ratio(taken, "again")),
                Figure(f"{dialect}, CPU an insert: bare", bare, "µs"),
            ]
    method = f"{turns} turns of {BLOCK} inserts each; medians of the ratios within a turn; CPU of the client alone"
    return Measured("joining", method, tuple(figures), raw, tuple(databases.left_out))


def _ratio(taken: dict[str, list[float]], name: str) -> float:
    return median(one / other for one, other in zip(taken[name], taken["bare"], strict=True))


def _take_turns(url: sa.URL, turns: int) -> dict[str, list[float]]:
    """Return the microseconds of CPU that an insert took, of each variant in each turn."""
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    taken: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory(prefix="idstorm-bench-") as folder:
        sessions = {name: Session(engine) for name in VARIANTS}
        listener = Listener(Journal(Path(folder), "bench"), sessions["joined"])
        listener.ask(Watched.of(Order))
        for turn in range(turns + 1):
            listener.origin = turn
            for name in random.sample(VARIANTS, len(VARIANTS)):
                _insert(sessions[name], 5)
                began = process_time_ns()
                _insert(sessions[name], BLOCK)
                taken[name].append((process_time_ns() - began) / BLOCK / 1e3)
        for session in sessions.values():
            session.close()
    engine.dispose()
    return {name: values[1:] for name, values in taken.items()}  # the first turn warms up


def _insert(session: Session, rows: int) -> None:
    for number in range(rows):
        session.add(Order(customer="somebody", amount=number))
        session.commit()
