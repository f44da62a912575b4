"""The door for people. Everything but click is imported where it is needed: `--help` must not wait for numpy."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from idstorm import __version__
from idstorm.cli import dry_run, profiles
from idstorm.cli.matrix import matrix
from idstorm.cli.parameters import Duration, Fraction, GateText, Name, Rate, Setting, Think
from idstorm.cli.reports import Outputs, console, finish, report_options
from idstorm.cli.sources import Configured, most_explicit, naming_sources


class _Exits(click.Group):
    """A group whose help ends with the exit codes."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from idstorm.record.outcome import EXIT_CODES

        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in EXIT_CODES.items()])


@click.group(cls=_Exits, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="idstorm")
def cli() -> None:
    """Are the ids that your database hands out really safe under load?

    idstorm lets many threads and processes insert at once, records what each was told, reads the table back, and judges
    the two against each other.
    """


@cli.command(cls=Configured)
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
@click.option("--keep", is_flag=True, help="Leave the storm's own schema, database or file where it is.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Fixes what is chosen (which inserts to roll back, how long to think), not how clients interleave.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Where the run's folder is made.",
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
    if processes > clients:
        raise click.UsageError(f"{processes} processes are too many for {clients} clients: each needs one at least")
    import secrets

    from idstorm.commands.run import DEFAULT_SECONDS, Request, orders_of
    from idstorm.commands.run import run as storm
    from idstorm.record.plan import Fleet
    from idstorm.report.live import live

    fleet = Fleet(
        processes=processes,
        clients=clients,
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        inserts=inserts,
        seconds=None if inserts is not None else duration or DEFAULT_SECONDS,
    )
    request = Request(scenarios=scenario, on=on, fleet=fleet, **options)
    with naming_sources(ctx, "scenario", "on", "settings"):
        if only_show:
            dry_run.show(ctx, orders_of(request), duration=fleet.seconds)
            return
        with live(console(stderr=True), quiet=outputs.quiet) as watch:
            report = storm(request, watch)
    finish(report, outputs)


cli.add_command(matrix)


@cli.command()
@click.argument("run_folder", metavar="RUN", type=click.Path(path_type=Path))
@report_options
def check(run_folder: Path, outputs: Outputs) -> None:
    """Judge a stored run again: no database, none of your code, the same report and exit code."""
    from idstorm.commands.check import check as judge

    finish(judge(run_folder), outputs)


@cli.command("list")
def list_() -> None:
    """Show the catalogue, a line each."""
    from idstorm.commands.look import scenarios

    lines = list(scenarios())
    width = max(len(name) for name, _ in lines)
    for name, summary in lines:
        click.echo(f"{name:{width}}  {summary}")


@cli.command()
@click.argument("scenario")
def show(scenario: str) -> None:
    """Show the essay and the claims of a SCENARIO."""
    from idstorm.commands.look import show as find
    from idstorm.report.essay import essay

    click.echo(essay([(found.name, found.essay, found.scenario.claims) for found in find(scenario)]))


@cli.command()
@click.option("--clean", metavar="TARGET", help="List what runs that were killed have left on this database.")
@click.option("--drop", is_flag=True, help="With --clean: drop it, too.")
def doctor(clean: str | None, drop: bool) -> None:
    """Show which databases can be stormed from here, with what, and what is missing."""
    from idstorm.commands import look

    if drop and clean is None:
        raise click.UsageError("--drop goes with --clean TARGET")
    lines = look.doctor() if clean is None else look.clean(clean, drop=drop)
    for line in lines:
        click.echo(line)


def main() -> None:
    """Run the command line. Every error ends in one clear sentence and the right exit code."""
    try:
        cli.main(standalone_mode=False, prog_name="idstorm")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end(KeyboardInterrupt(), "interrupted")
    except OSError as error:
        _lose_stdout(error)
    except Exception as error:
        from idstorm.errors import IdstormError

        if isinstance(error, IdstormError):
            _end(error, f"Error: {error}")
        import traceback

        _end(
            error,
            f"{traceback.format_exc()}\nThis is a bug in idstorm {__version__}; please report it with the lines above.",
        )


def _lose_stdout(error: OSError) -> NoReturn:
    """Whoever read us has gone, or the disk behind stdout is full: nobody learns the result, so there is none."""
    from idstorm.errors import EnvironmentFault

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered goes nowhere, without another error
    _end(EnvironmentFault(), f"Error: {error.strerror or error}")


def _end(error: BaseException, message: str) -> NoReturn:
    from idstorm.record.outcome import exit_code_of_error

    click.echo(message, err=True)
    sys.exit(int(exit_code_of_error(error)))
