"""Types of the command line's options, and the message for an invalid value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from idstorm.errors import UsageError
from idstorm.options import OPTIONS, Option


class _Listed:
    """A type of which one environment variable may hold several: one a line, or comma-separated on a single line."""

    def split_envvar_value(self, rv: str) -> list[str]:
        parts = rv.splitlines() if "\n" in rv else rv.split(",")
        return [part.strip() for part in parts if part.strip()]


class Name(_Listed, click.types.StringParamType):
    """The name of a scenario or a target."""


def on_option(help_: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the option that names targets, of which SQLite is the default."""
    target = f"{help_}: sqlite, postgresql, mysql, mariadb, or a SQLAlchemy URL."
    return click.option(
        "--on", type=Name(), multiple=True, default=["sqlite"], show_default=True, metavar="TARGET", help=target
    )


class Taken(_Listed, click.ParamType[Any]):
    """The value of an option of the table; an invalid one fails with the message of the option's UsageError."""

    def __init__(self, option: Option) -> None:
        self.option = option
        self.name = option.key

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.option.take(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Grouped(click.Command):
    """A command whose help shows the options of the table in their groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups = dict[str, list[tuple[str, str]]]()
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                group = OPTIONS[param.name].group if param.name in OPTIONS else "Options"
                groups.setdefault(group, []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)


def storm_options(*names: str, **instead: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds the named options of the table to a command, or all of them if none is named.

    `instead` has defaults that differ from the table's.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names or tuple(OPTIONS)):
            command = _option(OPTIONS[name], instead.get(name, OPTIONS[name].default))(command)
        return command

    return decorate


def _option(option: Option, default: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    shown = option.says if default is None else _shown(option, default)
    help_ = option.help if shown is None else f"{option.help}  [default: {shown}]"
    if option.is_flag:
        return click.option(*option.flags, option.name, is_flag=True, default=default, help=help_)
    return click.option(
        *option.flags,
        option.name,
        type=Taken(option),
        multiple=option.many,
        default=default,
        metavar=option.kind.metavar,
        help=help_,
    )


def _shown(option: Option, default: Any) -> str | None:
    if option.is_flag:
        return option.words(default)[0].removeprefix("--") if option.negation else None
    return None if option.many else option.kind.write(default)
