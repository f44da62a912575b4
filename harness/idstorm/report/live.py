"""The progress of a storm: one live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from rich.console import Console

from idstorm.report.text import visible

_PLAIN_EVERY = 5.0  # seconds


class Progress(Protocol):
    """The parts of a storm's progress that are shown."""

    @property
    def scenario(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def elapsed(self) -> float: ...
    @property
    def seconds(self) -> float | None: ...
    @property
    def inserts(self) -> int | None: ...
    @property
    def attempted(self) -> int: ...
    @property
    def acknowledged(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def total(self) -> int | None: ...


class Shower(Protocol):
    """Shows a storm's current state."""

    def __call__(self, progress: Progress) -> None: ...


@contextmanager
def live(console: Console, *, quiet: bool = False, side_by_side: bool = False) -> Iterator[Shower]:
    """Yield a function that shows the progress of storms until the context ends; any thread may call it.

    `side_by_side` is for storms of several targets at the same time: each keeps its place in the line.
    """
    lanes: dict[str, str] = {}

    def text(progress: Progress) -> str:
        if not side_by_side:
            return line(progress)
        lanes[progress.target] = f"{progress.target} {progress.number}/{progress.total} {progress.scenario}".rstrip()
        return visible(" · ".join(lanes.values()))

    if quiet:
        yield lambda progress: None
    elif console.is_terminal:
        with console.status("starting …") as status:
            yield lambda progress: status.update(text(progress))
    else:
        yield _plain(console, text)


def _plain(console: Console, text: Callable[[Progress], str]) -> Shower:
    shown = [monotonic()]

    def show(progress: Progress) -> None:
        words = text(progress)
        if monotonic() - shown[0] >= _PLAIN_EVERY:
            shown[0] = monotonic()
            console.print(words, soft_wrap=True, highlight=False)

    return show


def line(progress: Progress) -> str:
    """Return a storm's state as one line: which of how many it is, operations, rate, errors, time left."""
    rate = progress.acknowledged / progress.elapsed if progress.elapsed else 0.0
    place = f"{progress.number + 1} of {progress.total}: " if progress.total is not None and progress.total > 1 else ""
    text = f"{place}{progress.scenario} on {progress.target}: {progress.acknowledged:,} rows, {rate:,.0f}/s"
    if progress.errors:
        text += f", {progress.errors:,} errors"
    left = _left(progress)
    return visible(text if left is None else f"{text}, {left:.0f} s left")


def _left(progress: Progress) -> float | None:
    if progress.seconds is not None:
        return max(0.0, progress.seconds - progress.elapsed)
    if progress.inserts and progress.attempted:
        return max(0.0, progress.elapsed * (progress.inserts / progress.attempted - 1))
    return None
