"""How every command that ends with a report ends, and the options that all of them have."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from rich.console import Console

    from idstorm.record.verdict import Report


def report_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that ends with a report."""
    json_help = "Also write the report as JSON; - means stdout, and nothing else there."
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Print facts and more witnesses."),
        click.option("-q", "--quiet", is_flag=True, help="Print the result alone."),
        click.option("--json", "json_file", metavar="FILE", help=json_help),
    ):
        command = option(command)
    return command


def console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, emoji=False, markup=False)


def finish(
    report: Report, json_file: str | None, *, quiet: bool, verbose: bool, stdout_taken: bool = False
) -> NoReturn:
    """Show a report, and end with its exit code. `stdout_taken`: something else stands there already."""
    from idstorm.report import terminal

    out = console(stderr=stdout_taken or json_file == "-")
    if json_file is not None:
        write_text(json.dumps(report.to_json(), indent=1, default=str) + "\n", json_file, "--json")
    with suppress(SystemExit):  # rich's answer to a reader that has gone: the result stays what it is
        terminal.show(out, report, verbose=verbose, quiet=quiet)
    if quiet or not out.is_terminal:  # whoever keeps stdout for later still has to see what went wrong
        for line in terminal.complaints(report):
            click.echo(line, err=True)
    sys.exit(report.exit_code)


def write_text(text: str, name: str, option: str) -> None:
    """Write a file whole or not at all; `-` is stdout. Raises EnvironmentFault, which names the option to change."""
    from idstorm.record import store

    path = Path(name).resolve()
    if name == "-":
        click.echo(text, nl=False)
        return
    with store.writing(path, option):
        if path.exists() and not path.is_file():  # a pipe or a device: renaming a file onto it would replace it
            path.write_text(text)
        else:
            store.write_text(path, text)
