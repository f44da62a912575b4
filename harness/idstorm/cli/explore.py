"""The command `explore`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

from idstorm.cli.parameters import Grouped, Name, on_option, storm_options
from idstorm.cli.reports import Outputs, console, finish, report_options, results_option, write_text
from idstorm.cli.streams import say
from idstorm.explore.bounds import Bounds
from idstorm.findings.schedules import clients_of
from idstorm.options import EXPLORATION, options_of
from idstorm.quantities import parse_duration

if TYPE_CHECKING:
    from idstorm.findings.verdict import Report

_PLAIN_EVERY = 5.0  # seconds


class _Duration(click.ParamType[float]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from idstorm.errors import UsageError

        try:
            return value if isinstance(value, float) else parse_duration(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


@click.command(cls=Grouped)
@click.argument("scenario", nargs=-1, required=True, type=Name(), metavar="SCENARIO...")
@on_option("Where to explore")
@click.option("-c", "--clients", type=click.IntRange(1, 6), default=2, show_default=True, help="Clients to step.")
@click.option(
    "--operations",
    type=click.IntRange(1, 20),
    help="Transactions of each client.  [default: 1, or 3 where some of them delete]",
)
@click.option(
    "--max-preemptions",
    "preemptions",
    type=click.IntRange(0, 100),
    help="Only schedules in which at most this many turns are taken from a client that could have gone on.",
)
@click.option(
    "--rows",
    type=click.IntRange(0, 100_000),
    default=0,
    help="Explore again where so many rows are: locks depend on it.",
)
@click.option(
    "--max-schedules",
    "schedules",
    type=click.IntRange(1),
    help=f"End after this many.  [default: {Bounds.DEFAULT_SCHEDULES}]",
)
@click.option(
    "--max-time",
    "seconds",
    type=_Duration(),
    metavar="DURATION",
    help=f"End after this.  [default: {Bounds.DEFAULT_SECONDS:g}s]",
)
@click.option("--replay", metavar="CLIENTS", help="Play only the schedule with these steps, as in a report.")
@click.option("--script", metavar="FILE", help="Write the first schedule that broke a check as a program of its own.")
@click.option("--show-values", is_flag=True, help="Show values of statements in it that are not numbers, too.")
@storm_options(*EXPLORATION)
@results_option
@report_options
def explore(
    scenario: tuple[str, ...],
    on: tuple[str, ...],
    clients: int,
    operations: int | None,
    preemptions: int | None,
    rows: int,
    schedules: int | None,
    seconds: float | None,
    replay: str | None,
    script: str | None,
    show_values: bool,
    results: Path,
    outputs: Outputs,
    **options: Any,
) -> None:
    """Step the clients of each SCENARIO through their statements, in every order, on the real database.

    Either a check breaks, and the report shows the shortest schedule that breaks it, or all schedules were tried and
    none does. That is as much as can be shown for these clients and this data, statement by statement: not within a
    statement, not within Python, and not for timeouts. SCENARIO is what it is for `idstorm run`.
    """
    from idstorm.commands.explore import ExploreRequest, explored

    steps = None if replay is None else _steps(replay)
    bounds = Bounds(operations, preemptions, schedules, seconds, steps, rows, show_values)
    request = ExploreRequest(scenario, on, clients, bounds, options_of(options), results)
    with shown(quiet=outputs.quiet) as show:
        report = explored(request, show)
    if script is not None:
        _write_script(report, script)
    finish(report, outputs)


def _write_script(report: Report, file: str) -> None:
    """Write the program of the first schedule that broke something. Raises EnvironmentFault."""
    from idstorm.explore.playing import PROGRAM

    for storm in report.storms:
        for broken in (storm.explored or {}).get("broken", ()):
            program = Path(report.folder, storm.storm, broken["check"], PROGRAM)
            if program.exists():
                write_text(program.read_text(), file, "--script")
                return
    say(f"--script: no schedule broke a check, so {file} was not written", err=True)


def _steps(text: str) -> tuple[int, ...]:
    """Return the clients of a schedule. Raises click's UsageError."""
    try:
        return clients_of(text)
    except ValueError:
        words = f"--replay: {text} is not a schedule: write a letter for each step, such as AABB"
        raise click.UsageError(words) from None


@contextmanager
def shown(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield what shows how far an exploration is: one live line on a terminal, a line every few seconds elsewhere."""
    from rich.live import Live
    from rich.text import Text

    out, last = console(stderr=True), monotonic()

    def plainly(what: str, tried: int, left: int) -> None:
        nonlocal last
        if monotonic() > last + _PLAIN_EVERY:
            last = monotonic()
            out.print(f"{what}: {tried:,} schedules tried, {left:,} more known", soft_wrap=True)

    if quiet or not out.is_terminal:
        yield (lambda *_: None) if quiet else plainly
        return
    with Live(console=out, transient=True, refresh_per_second=5) as live:
        yield lambda what, tried, left: live.update(Text(f"{what}: {tried:,} schedules tried, {left:,} more known"))
