"""Where an option's value comes from: the command line, a variable, a profile, or its default, in this order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from click.core import ParameterSource

from idstorm.cli import profiles
from idstorm.cli.parameters import Grouped


def variable_of(param: click.Parameter) -> str:
    """Return the environment variable that may hold a parameter's value."""
    return f"IDSTORM_{profiles.key_of(param).upper().replace('-', '_')}"


class Configured(Grouped):
    """A command whose parameters may come from environment variables, each named after its parameter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            param.envvar = variable_of(param)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; if a variable is at fault, the error names it."""
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            if error.param is not None and _source(ctx, error.param) is ParameterSource.ENVIRONMENT:
                error.param_hint = variable_of(error.param)
            raise


def source_of(ctx: click.Context, param: click.Parameter) -> str:
    """Return, in words, where a parameter's value comes from."""
    match _source(ctx, param):
        case ParameterSource.COMMANDLINE:
            return "command line"
        case ParameterSource.ENVIRONMENT:
            return variable_of(param)
        case ParameterSource.DEFAULT_MAP:
            return str(profiles.loaded(ctx))
        case _:
            return "default"


def most_explicit(ctx: click.Context, *names: str) -> list[Any]:
    """Return the values of mutually exclusive parameters: all None but the one from the highest source.

    Raises UsageError where two come from the same source.
    """
    given = [param for param in ctx.command.params if param.name in names and ctx.params[param.name] is not None]
    highest = min((_source(ctx, param) for param in given), default=None)
    left = [param for param in given if _source(ctx, param) is highest]
    if len(left) > 1:
        called = " and ".join(_called(ctx, param) for param in left)
        raise click.UsageError(f"{called} cannot be used together: give one of them")
    for param in given:
        if param not in left:
            ctx.params[param.name] = None
            ctx.set_parameter_source(param.name, ParameterSource.DEFAULT)
    return [ctx.params[name] for name in names]


@contextmanager
def naming_sources(ctx: click.Context, *names: str) -> Iterator[None]:
    """Add to a UsageError where these parameters come from, unless they were given on the command line."""
    from idstorm.errors import ScenarioError, UsageError

    try:
        yield
    except ScenarioError:  # names the user's own file
        raise
    except UsageError as error:
        keys: dict[str, list[str]] = {}
        for param in (param for param in ctx.command.params if param.name in names):
            if _source(ctx, param) in (ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP):
                keys.setdefault(source_of(ctx, param), []).append(profiles.key_of(param))
        elsewhere = "; ".join(f"{', '.join(of_one)} from {source}" for source, of_one in keys.items())
        raise UsageError(f"{error} ({elsewhere})" if elsewhere else str(error)) from error


def _called(ctx: click.Context, param: click.Parameter) -> str:
    key = profiles.key_of(param)
    match _source(ctx, param):
        case ParameterSource.ENVIRONMENT:
            return variable_of(param)
        case ParameterSource.DEFAULT_MAP:
            return f"{key} ({profiles.loaded(ctx)})"
        case _:
            return f"--{key}"


def _source(ctx: click.Context, param: click.Parameter) -> ParameterSource:
    source = ctx.get_parameter_source(param.name)
    return ParameterSource.DEFAULT if source is None else source
