"""The command `run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from idstorm.cli import dry_run, profiles
from idstorm.cli.parameters import Name, on_option, storm_options
from idstorm.cli.reports import Outputs, console, finish, report_options, results_option
from idstorm.cli.sources import Configured, most_explicit, naming_sources
from idstorm.options import options_of


@click.command(cls=Configured)
@click.argument("scenario", nargs=-1, required=True, type=Name(), metavar="[SCENARIO]...")
@click.option(
    "--profile",
    is_eager=True,
    expose_value=False,
    callback=profiles.load,
    metavar="NAME",
    help="Take scenarios and options from [tool.idstorm.profiles.NAME] of the nearest pyproject.toml, or from "
    "[profiles.NAME] of an idstorm.toml.",
)
@on_option("Where to storm, each with a storm of its own")
@click.option(
    "--model",
    metavar="MODULE:NAME",
    help="The mapped class that SCENARIO, a function, inserts into.  [default: what it says that it returns]",
)
@click.option("--id", "id_", metavar="COLUMN", help="The column that is judged.  [default: the primary key]")
@storm_options()
@results_option
@click.option(
    "--dry-run", "only_show", is_flag=True, help="Show what would run, and where each value comes from; touch nothing."
)
@click.option(
    "--explore-failures",
    is_flag=True,
    help="Explore what failed with two clients, and show the shortest schedule that breaks it.",
)
@report_options
@click.pass_context
def run(
    ctx: click.Context,
    /,
    scenario: tuple[str, ...],
    on: tuple[str, ...],
    model: str | None,
    id_: str | None,
    results: Path,
    only_show: bool,
    explore_failures: bool,
    outputs: Outputs,
    **options: Any,
) -> None:
    """Storm each SCENARIO, judge it, and report.

    SCENARIO is a name from the catalogue (see `idstorm list`), a file (file.py or file.py:name), a model
    (package.module:Name), a column of one (package.module:Name.column), or a function of yours that is given a session
    and returns what it has inserted (package.module:function).

    Each option may also come from an environment variable, --fail-if from IDSTORM_FAIL_IF, and the scenarios from
    IDSTORM_SCENARIOS. Several values are separated by commas or line breaks. The command line takes
    precedence over variables, and variables over a profile.
    """
    options |= zip(("inserts", "time"), most_explicit(ctx, "inserts", "time"), strict=True)
    from idstorm.commands.run import Request, storms_of
    from idstorm.commands.run import run as storm
    from idstorm.report.live import live

    scenario = tuple(_reference(one, model, id_) for one in scenario)
    request = Request(scenario, on, options_of(options).resolved(), results)
    with naming_sources(ctx, "scenario", "on", "settings"):
        if only_show:
            dry_run.show(ctx, storms_of(request), time=request.options.time)
            return
        with live(console(stderr=True), quiet=outputs.quiet) as watch:
            report = storm(request, watch)
        if explore_failures:
            from idstorm.cli.explore import shown
            from idstorm.commands.explore import explore_failures as explored

            with shown(quiet=outputs.quiet) as show:
                report = explored(report, request, show)
    finish(report, outputs)


def _reference(scenario: str, model: str | None, id_: str | None) -> str:
    """Return the reference that a scenario with --model and --id means."""
    into = f"{scenario} -> {model}" if model else scenario
    return f"{into}.{id_}" if id_ else into
