"""What the command line's options may be, and the sentence where they are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from idstorm.errors import UsageError
from idstorm.options import OPTIONS, Option


class _Listed:
    """What one variable of the environment may hold several of: one a line, or in a single line between commas."""

    def split_envvar_value(self, rv: str) -> list[str]:
        parts = rv.splitlines() if "\n" in rv else rv.split(",")
        return [part.strip() for part in parts if part.strip()]


class Name(_Listed, click.types.StringParamType):
    """A text that names something: a scenario, a target."""


class Taken(_Listed, click.ParamType[Any]):
    """A value of an option of the table; the sentence of its UsageError is the option's."""

    def __init__(self, option: Option) -> None:
        self.option = option
        self.name = option.key

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self.option.take(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


def storm_options(*names: str, **instead: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what adds options of the table to a command, all of them where none is named.

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
