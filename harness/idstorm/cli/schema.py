"""The command `schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from idstorm.cli.profiles import NO_KEYS, key_of
from idstorm.cli.run import run
from idstorm.cli.streams import say
from idstorm.errors import UsageError
from idstorm.options import OPTIONS
from idstorm.options.kinds import SETTING

if TYPE_CHECKING:
    from idstorm.commands.schemas import Schema

_PROFILES = "profiles"


@click.command()
@click.argument("name", required=False)
def schema(name: str | None) -> None:
    """Print the JSON Schema of NAME; without one, list what there are schemas of.

    There is one of each report, of each file in the folder of a run, and of the profiles in an idstorm.toml.
    """
    from idstorm.commands.schemas import DRAFT, SCHEMAS, schema_of
    from idstorm.record.files import dumps

    names = [*SCHEMAS, _PROFILES]
    if name is None:
        say("\n".join(names))
    elif name == _PROFILES:
        say(dumps({"$schema": DRAFT, "title": f"idstorm: {name}", **profiles_schema()}))
    elif name in SCHEMAS:
        say(dumps(schema_of(name)))
    else:
        raise UsageError(f"there is no schema of {name}: there are {', '.join(names)}")


def profiles_schema() -> Schema:
    """Return the schema of an idstorm.toml, from the options of `idstorm run`."""
    properties = {
        key_of(param): {"description": _help(param), **_values(param)}
        for param in run.params
        if param.name not in NO_KEYS
    }
    profile = {"type": "object", "properties": properties, "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"profiles": {"type": "object", "additionalProperties": profile}},
        "additionalProperties": False,
    }


def _help(param: click.Parameter) -> str:
    return (param.help or "") if isinstance(param, click.Option) else "What to storm."


def _values(param: click.Parameter) -> dict[str, Any]:
    """Return what a profile may have for a parameter: words as on a command line, or numbers and flags as TOML has."""
    option = OPTIONS.get(param.name or "")
    one: dict[str, Any] = {"type": ["string", "number"]}
    if (option is not None and option.is_flag) or getattr(param, "is_flag", False):
        one = {"type": "boolean"}
    if not (param.multiple or param.nargs == -1):
        return one
    forms = [one, {"type": "array", "items": one}]
    if option is not None and option.kind is SETTING:
        forms.append({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}})
    return {"anyOf": forms}
