"""`--dry-run`: what would run, and where each value comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from idstorm.cli.parameters import Taken
from idstorm.cli.profiles import key_of
from idstorm.cli.sources import source_of
from idstorm.cli.streams import say

if TYPE_CHECKING:
    from idstorm.storm.beforehand import Needs
    from idstorm.storm.scheduled import ScheduledStorm


def show(ctx: click.Context, storms: Sequence[ScheduledStorm], **instead: Any) -> None:
    """Print the storms that would run, then every value with its source, but no target's secrets.

    `instead` has the final values of parameters where these differ from what was given.
    """
    from idstorm.storm.beforehand import needs_of

    repeat = ctx.params["repeat"]
    often = "" if repeat is None else f", {repeat} times"
    often += ", until something breaks" if ctx.params["until_broken"] else ""
    for scheduled in storms:
        fault = f": {scheduled.address.fault}" if scheduled.address.fault else ""
        say(f"{scheduled.found.name} on {scheduled.address.name}{often}{fault}")
        for line in _needs(needs_of(scheduled)):
            say(f"    {line}")
    say("")
    values = {**ctx.params, "on": tuple(dict.fromkeys(scheduled.address.name for scheduled in storms)), **instead}
    params = [param for param in ctx.command.params if param.name in values and param.name != "only_show"]
    rows = [(key_of(param), _shown(param, values[param.name]), source_of(ctx, param)) for param in params]
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    for key, value, source in rows:
        say(f"{key:{widths[0]}}  {value:{widths[1]}}  {source}")


def _needs(needs: Needs) -> list[str]:
    """Return what a storm needs, one line each."""
    connections = f"{needs.connections} connections, " if needs.connections else ""
    sizes = f"about {needs.results:,.0f} MB of results and {needs.server:,.0f} MB in the database"
    return [f"needs {connections}{sizes} for {needs.rows:,} rows", *needs.privileges]


def _shown(param: click.Parameter, value: Any) -> str:
    """Return a parameter's value as a command line would write it, or – if there is none."""
    if value in (None, ()):
        return "–"
    if param.multiple or param.nargs == -1:
        return ", ".join(_word(param, one) for one in value)
    return _word(param, value)


def _word(param: click.Parameter, value: Any) -> str:
    if isinstance(param.type, Taken):
        return param.type.option.kind.write(value)
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
