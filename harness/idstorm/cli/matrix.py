"""The command `matrix`."""

from __future__ import annotations

from pathlib import Path

import click

from idstorm.cli.parameters import Duration
from idstorm.cli.reports import Outputs, console, finish, report_options, results_option
from idstorm.cli.streams import say


@click.command()
@click.option(
    "--on",
    multiple=True,
    metavar="TARGET",
    help="A column of the table: sqlite, postgresql, mysql, mariadb, or a SQLAlchemy URL.  [default: all there are]",
)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="SCENARIO",
    help="A scenario, as `idstorm run` takes it.  [default: the whole catalogue]",
)
@click.option("--quick", is_flag=True, help="1,200 inserts a storm: the whole catalogue takes minutes.")
@click.option("-j", "--processes", type=click.IntRange(min=1), default=2, show_default=True, help="Worker processes.")
@click.option("-c", "--clients", type=click.IntRange(min=1), default=8, show_default=True, help="Client threads.")
@click.option("-n", "--inserts", type=click.IntRange(min=1), help="Rows to attempt in each storm, instead of a time.")
@click.option("-T", "--time", "duration", type=Duration(), help="How long each storm takes.  [default: 5s]")
@click.option(
    "--reader/--no-reader",
    default=True,
    help="Let somebody poll each table for newer rows.  [default: where that makes sense]",
)
@click.option(
    "--control/--no-control",
    default=True,
    help="First storm what is known to break, on each target: a run that does not see that is inconclusive.  "
    "[default: control]",
)
@click.option(
    "--allow-replicated", is_flag=True, help="Storm a server even where others are sent what it writes: replicas, say."
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Fixes what is chosen, as in `idstorm run`.")
@results_option
@report_options
def matrix(
    on: tuple[str, ...],
    scenarios: tuple[str, ...],
    quick: bool,
    processes: int,
    clients: int,
    inserts: int | None,
    duration: float | None,
    reader: bool,
    control: bool,
    allow_replicated: bool,
    seed: int | None,
    results: Path,
    outputs: Outputs,
) -> None:
    """Storm every scenario on every database: one table of what is claimed and what was seen.

    The databases go side by side. What could not be stormed keeps its place in the table, with the reason.
    """
    if sum((quick, inserts is not None, duration is not None)) > 1:
        raise click.UsageError("--quick, --inserts and --time exclude each other: give one of them")

    from idstorm.commands.matrix import QUICK_INSERTS, MatrixRequest, prepare
    from idstorm.commands.matrix import matrix as storm
    from idstorm.commands.run import fleet_of
    from idstorm.report.live import live_together

    inserts = QUICK_INSERTS if quick else inserts
    fleet = fleet_of(processes, clients, inserts=inserts, seconds=duration, seed=seed)
    request = MatrixRequest(scenarios, on, fleet, results, quick, reader, control, allow_replicated)
    preparation = prepare(request)
    for reason in preparation.left_out:
        say(reason, err=True)
    with live_together(console(stderr=True), len(preparation.found), quiet=outputs.quiet) as show:
        report = storm(request, preparation, show)
    finish(report, outputs)
