"""The command line. Imports other than click are deferred, so that `--help` need not wait for numpy."""

from __future__ import annotations

import os
import sys
import threading
import tokenize
from contextlib import suppress
from io import StringIO
from pathlib import Path
from textwrap import wrap
from typing import NoReturn

import click

from idstorm import __version__
from idstorm.cli.audit import audit
from idstorm.cli.explore import explore
from idstorm.cli.matrix import matrix
from idstorm.cli.reports import Outputs, console, finish, finish_all, report_options
from idstorm.cli.run import run
from idstorm.cli.schema import schema
from idstorm.cli.stored import compare, results, trend
from idstorm.cli.streams import StdoutLost, lose_stdout, say, spare_the_streams


class _Exits(click.Group):
    """A group whose help ends with the exit codes."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from idstorm.findings.results import EXIT_CODES

        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in EXIT_CODES.items()])


@click.group(cls=_Exits, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="idstorm")
def cli() -> None:
    """Are the ids that your database hands out really safe under load?

    idstorm lets many threads and processes insert at once, records the ids that each was told, reads the table back,
    and compares the two.
    """


cli.add_command(run)
cli.add_command(matrix)
cli.add_command(explore)
cli.add_command(audit)
cli.add_command(results)
cli.add_command(compare)
cli.add_command(trend)
cli.add_command(schema)


@cli.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--checks",
    multiple=True,
    metavar="FILE",
    help="A file, or a module, with checks of your own by which the runs were judged.",
)
@report_options
def check(runs: tuple[Path, ...], checks: tuple[str, ...], outputs: Outputs) -> None:
    """Judge stored runs again, without a database or your code: the same report, the same exit code.

    With several runs, the worst one decides the exit code. A run that cannot be read is inconclusive; the others are
    still judged. Plain files are skipped, so that results/* can be given. --json then writes all reports as a list,
    "runs"; --junit and --markdown write them one after another.
    """
    from idstorm.commands import check as command

    if len(runs) == 1:
        finish(command.check(runs[0], checks), outputs)
    finish_all(command.check_all(runs, checks), outputs)


@cli.command("list")
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option("--breaks", metavar="CHECK", help="Only scenarios that are claimed to break this check somewhere.")
def list_(words: tuple[str, ...], breaks: str | None) -> None:
    """List the catalogue, one line for each scenario in whose name or essay all WORDs are."""
    from idstorm.commands.catalogue import scenarios

    lines = list(scenarios(words, breaks))
    width = max((len(name) for name, _ in lines), default=0)
    out = console()
    room = max(out.width - width - 2, 20) if out.is_terminal else sys.maxsize
    for name, summary in lines:
        first, *rest = wrap(summary, room) or [""]
        say("\n".join([f"{name:{width}}  {first}", *(f"{'':{width}}  {line}" for line in rest)]))


@cli.command()
def figures() -> None:
    """List the checks, and the figures of a report that --fail-if can limit."""
    from idstorm.findings.checks import CHECKS
    from idstorm.findings.gate import figures as paths

    units = {f"{check.name}.{name}": figure.unit for check in CHECKS.values() for name, figure in check.figures.items()}
    for path in paths():
        say(f"{path:40}  {units.get(path, '')}".rstrip())
    for check in CHECKS.values():
        say(f"{check.name:40}  {check.meaning}")


@cli.command()
@click.argument("scenario")
@click.option("--source", is_flag=True, help="Show its file as well.")
def show(scenario: str, *, source: bool) -> None:
    """Show the essay and the claims of a SCENARIO, and where it is written."""
    from idstorm.commands.catalogue import show as find
    from idstorm.report.essay import essay

    found = find(scenario)
    say(essay([(one.name, one.essay, one.summary, one.scenario.claims) for one in found]))
    files = [one.file for one in found if one.file is not None]
    if files:
        say(f"\nwritten in {files[0]}")
    if source and files:
        from rich.syntax import Syntax

        try:
            with tokenize.open(files[0]) as file:
                text = file.read()
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            raise click.UsageError(f"{files[0]} cannot be shown: {error}") from error
        if (out := console()).is_terminal:
            out.print(Syntax(text, "python", background_color="default", word_wrap=True))
        else:
            say(text)


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--clean", metavar="TARGET", help="List what killed runs, and runs with --keep, have left there.")
@click.option(
    "--drop", is_flag=True, help="With --clean: drop what is left; with NAME, drop that, even if it was kept."
)
def doctor(names: tuple[str, ...], clean: str | None, drop: bool) -> None:
    """Show which databases can be stormed from here, with what, and what is missing.

    With --clean, show what earlier runs have left on a database. Leftovers that are in use, were kept, or are not known
    to be yours are shown but not dropped; those that were kept can be dropped by NAME.
    """
    from idstorm.commands.doctor import clean as leftovers
    from idstorm.commands.doctor import diagnoses

    if drop and clean is None:
        raise click.UsageError("--drop goes with --clean TARGET")
    if names and not drop:
        raise click.UsageError("NAME goes with --clean TARGET --drop")
    lines = diagnoses() if clean is None else leftovers(clean, drop=drop, names=names)
    for line in lines:
        say(line)


def main() -> None:
    """Run the command line. Every error ends with one clear message and the right exit code."""
    try:
        _main()
    except SystemExit as ended:
        if isinstance(ended.code, int) and _has_threads_left():
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(ended.code)
        raise


def _has_threads_left() -> bool:
    """Whether there are threads that the application has left, and for which Python would wait before it ends."""
    return any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())


def _main() -> None:
    spare_the_streams()
    try:
        cli.main(standalone_mode=False, prog_name="idstorm")
    except click.ClickException as error:
        shown = StringIO()
        error.show(shown)
        say(shown.getvalue().rstrip("\n"), err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end(KeyboardInterrupt(), "interrupted")
    except StdoutLost as error:
        _unheard(error)
    except Exception as error:
        from idstorm.errors import EnvironmentFault, IdstormError

        if isinstance(error, IdstormError):
            _end(error, f"Error: {error}")
        import traceback

        if isinstance(error, FileNotFoundError) and not _has_a_place():
            _end(EnvironmentFault(), "Error: the current directory no longer exists: change to one that does")
        _end(
            error,
            f"{traceback.format_exc()}\nThis is a bug in idstorm {__version__}; please report it with the lines above.",
        )


def _has_a_place() -> bool:
    try:
        return bool(os.getcwd())
    except FileNotFoundError:
        return False


def _unheard(error: StdoutLost) -> NoReturn:
    """Report that the result could not be printed, which means that there is none."""
    from idstorm.errors import EnvironmentFault

    lose_stdout()
    _end(EnvironmentFault(), f"Error: {error}")


def _end(error: BaseException, message: str) -> NoReturn:
    from idstorm.findings.results import exit_code_of_error

    say(message, err=True)
    sys.exit(int(exit_code_of_error(error)))
