"""The command `run`."""

from __future__ import annotations

from typing import Any

import click

from idstorm.cli import dry_run, profiles
from idstorm.cli.parameters import Duration, Fraction, GateText, Name, Rate, Setting, Think
from idstorm.cli.reports import Outputs, console, finish, report_options, results_option
from idstorm.cli.sources import Configured, most_explicit, naming_sources


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
@click.option(
    "--on",
    type=Name(),
    multiple=True,
    default=["sqlite"],
    show_default=True,
    metavar="TARGET",
    help="Where to storm: sqlite, postgresql, mysql, mariadb, or a SQLAlchemy URL. Several make a storm each.",
)
@click.option("-j", "--processes", type=click.IntRange(min=1), default=2, show_default=True, help="Worker processes.")
@click.option(
    "-c",
    "--clients",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Client threads in total, spread over the processes.",
)
@click.option("-n", "--inserts", type=click.IntRange(min=1), help="Rows to attempt in total, instead of a time.")
@click.option(
    "-T",
    "--time",
    "--duration",
    "duration",
    type=Duration(),
    help="How long to storm: 30s, 5m.  [default: 5s]",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 100_000),
    help="Rows of one transaction.  [default: the scenario's, mostly 1]",
)
@click.option(
    "--rollback",
    type=Fraction(),
    metavar="FRACTION",
    help="Roll back this fraction of the inserts after their ids were seen.",
)
@click.option(
    "--deletes",
    type=Fraction(),
    metavar="FRACTION",
    help="Let this fraction of the operations delete rows that the client inserted.",
)
@click.option("--think", type=Think(), metavar="0..5ms", help="Hold transactions open between insert and COMMIT.")
@click.option(
    "--reader/--no-reader",
    default=None,
    help="Let somebody poll the table for newer rows, to see what such a reader misses.  [default: the scenario's]",
)
@click.option(
    "--headroom",
    type=Fraction(),
    metavar="FRACTION",
    help="How much of the ids may be used up.  [default: the scenario's, mostly 0.5]",
)
@click.option("--forecast", type=Rate(), metavar="50/s", help="Inserts to expect, to say how long the ids will last.")
@click.option(
    "--pool-size", type=click.IntRange(min=1), help="Connections of each process.  [default: one for each client]"
)
@click.option("--max-overflow", type=click.IntRange(min=0), default=0, help="Connections beyond the pool's size.")
@click.option(
    "--pool-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    metavar="SEC",
    help="Seconds to wait for a connection.",
)
@click.option(
    "--patience",
    type=Duration(),
    default="30s",
    show_default=True,
    help="End a storm in which no operation has ended for this long; a server's own timeouts come first.",
)
@click.option(
    "--isolation", type=str.upper, metavar="LEVEL", help="Isolation level, or AUTOCOMMIT.  [default: the database's]"
)
@click.option(
    "--set",
    "settings",
    type=Setting(),
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a setting of the database's sessions, such as begin=immediate on SQLite.",
)
@click.option(
    "--fail-if",
    "gates",
    type=GateText(),
    multiple=True,
    metavar="'FIGURE > N'",
    help="Fail whatever the claims come to: 'gapless.ratio > 0.05', 'operations.latency_ms.p99 > 200'.",
)
@click.option(
    "--allow-replicated", is_flag=True, help="Storm a server even where others are sent what it writes: replicas, say."
)
@click.option("--keep", is_flag=True, help="Leave the storm's own schema, database or file where it is.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Fixes what is chosen (which inserts to roll back, how long to think), not how clients interleave.",
)
@results_option
@click.option(
    "--control/--no-control",
    default=False,
    help="First storm what is known to break, on each target: a run that does not see that is inconclusive.",
)
@click.option(
    "--repeat",
    type=click.IntRange(min=1),
    metavar="N",
    help="Storm everything N times, and judge the repetitions together: broken once is broken.",
)
@click.option(
    "--until-broken",
    is_flag=True,
    help="Repeat until a check breaks that is claimed to hold, or to break: N times at most, else until Ctrl-C.",
)
@click.option(
    "--dry-run", "only_show", is_flag=True, help="Show what would run, and where each value comes from; touch nothing."
)
@report_options
@click.pass_context
def run(
    ctx: click.Context,
    /,
    scenario: tuple[str, ...],
    on: tuple[str, ...],
    processes: int,
    clients: int,
    inserts: int | None,
    duration: float | None,
    seed: int | None,
    only_show: bool,
    outputs: Outputs,
    **options: Any,
) -> None:
    """Storm each SCENARIO, judge it, and report.

    SCENARIO is a name of the catalogue (see `idstorm list`), a file (file.py or file.py:name), or a model
    (package.module:Name).

    Each option may also come from a variable, --fail-if from IDSTORM_FAIL_IF, and the scenarios from
    IDSTORM_SCENARIOS: several are separated by commas, or are a line each. The command line goes before variables,
    variables before a profile.
    """
    inserts, duration = most_explicit(ctx, "inserts", "duration")
    from idstorm.commands.run import Request, fleet_of, orders_of
    from idstorm.commands.run import run as storm
    from idstorm.report.live import live

    fleet = fleet_of(processes, clients, inserts=inserts, seconds=duration, seed=seed)
    request = Request(scenarios=scenario, on=on, fleet=fleet, **options)
    with naming_sources(ctx, "scenario", "on", "settings"):
        if only_show:
            dry_run.show(ctx, orders_of(request), duration=fleet.seconds)
            return
        with live(console(stderr=True), quiet=outputs.quiet) as watch:
            report = storm(request, watch)
    finish(report, outputs)
