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


class Shower(Protocol):
    """Shows a storm's current state."""

    def __call__(self, progress: Progress) -> None: ...


@contextmanager
def live(console: Console, *, quiet: bool = False) -> Iterator[Shower]:
    """Yield a function that shows the progress of storms until the context ends."""
    if quiet:
        yield lambda progress: None
    elif console.is_terminal:
        with console.status("starting …") as status:
            yield lambda progress: status.update(line(progress))
    else:
        yield _plain(console)


def _plain(console: Console) -> Shower:
    shown = [monotonic()]

    def show(progress: Progress) -> None:
        if monotonic() - shown[0] >= _PLAIN_EVERY:
            shown[0] = monotonic()
            console.print(line(progress), soft_wrap=True, highlight=False)

    return show


def line(progress: Progress) -> str:
    """Return a storm's state as one line: operations, rate, errors, time left."""
    rate = progress.acknowledged / progress.elapsed if progress.elapsed else 0.0
    text = f"{progress.scenario} on {progress.target}: {progress.acknowledged:,} rows, {rate:,.0f}/s"
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


@contextmanager
def live_together(console: Console, total: int, *, quiet: bool = False) -> Iterator[Callable[[str, int, str], None]]:
    """Yield a function that shows parallel storms: called with a target, how many of its storms have ended, and
    the next scenario.

    `total` is the number of storms of each target.
    """
    state: dict[str, str] = {}
    shown = [monotonic()]

    def note(target: str, done: int, scenario: str) -> str:
        state[target] = f"{target} {done}/{total} {scenario}"
        return visible(" · ".join(state.values()))

    if quiet:
        yield lambda target, done, scenario: None
    elif console.is_terminal:
        with console.status("starting …") as status:
            yield lambda target, done, scenario: status.update(note(target, done, scenario))
    else:

        def show(target: str, done: int, scenario: str) -> None:
            text = note(target, done, scenario)
            if monotonic() - shown[0] >= _PLAIN_EVERY:
                shown[0] = monotonic()
                console.print(text, soft_wrap=True, highlight=False)

        yield show
