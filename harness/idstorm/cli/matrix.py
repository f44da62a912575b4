"""The command `matrix`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from idstorm.cli.parameters import Grouped, storm_options
from idstorm.cli.reports import Outputs, console, finish, report_options, results_option
from idstorm.cli.streams import say
from idstorm.findings.results import ExitCode
from idstorm.options import options_of


@click.command(cls=Grouped)
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
@click.option("--quick", is_flag=True, help="1,200 inserts per storm: the whole catalogue takes minutes.")
@click.option(
    "--explore",
    is_flag=True,
    help="Step two clients through each scenario as well, in every order with up to 2 preemptions.",
)
@storm_options(
    *("processes", "clients", "inserts", "time", "reader", "control", "allow_replicated", "label", "seed"),
    reader=True,
    control=True,
)
@results_option
@report_options
def matrix(
    on: tuple[str, ...],
    scenarios: tuple[str, ...],
    quick: bool,
    explore: bool,
    results: Path,
    outputs: Outputs,
    **options: Any,
) -> None:
    """Storm every scenario on every database: one table of what is claimed and what was seen.

    The databases are stormed in parallel. What could not be stormed keeps its place in the table, with the reason.
    """
    if quick + (options["inserts"] is not None) + (options["time"] is not None) > 1:
        raise click.UsageError("--quick, --inserts and --time cannot be used together: give one of them")

    from idstorm.commands.matrix import QUICK_INSERTS, MatrixRequest, prepare
    from idstorm.commands.matrix import matrix as storm
    from idstorm.report.live import live

    options["inserts"] = QUICK_INSERTS if quick else options["inserts"]
    request = MatrixRequest(scenarios, on, options_of(options).resolved(), results, quick, explore)
    preparation = prepare(request)
    for reason in preparation.left_out:
        say(reason, err=True)
    with live(console(stderr=True), quiet=outputs.quiet, side_by_side=True) as watch:
        report = storm(request, preparation, watch)
    if explore and report.exit_code != ExitCode.INTERRUPTED:
        from idstorm.cli.explore import shown
        from idstorm.commands.explore import explore_matrix

        with shown(quiet=outputs.quiet) as show:
            report = explore_matrix(report, request, preparation, show)
    finish(report, outputs)
