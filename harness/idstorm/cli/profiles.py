"""Profiles: options of `idstorm run` that a project keeps in its pyproject.toml or in an idstorm.toml.

The nearest file is used, from the current directory upwards. Its values become click's own defaults, as the words of a
command line, so an option accepts the same values from a file as from a user.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from idstorm.cli.parameters import Taken
from idstorm.options.kinds import SETTING

_META = "idstorm.profile"
NO_KEYS = ("profile", "only_show")
"""The parameters of `idstorm run` that a profile does not have."""


@dataclass(frozen=True)
class Profile:
    """A profile's name, and the file that has it."""

    name: str
    file: str

    def __str__(self) -> str:
        return f"profile {self.name} of {self.file}"


def load(ctx: click.Context, _param: click.Parameter, name: str | None) -> str | None:
    """Make a profile's values the defaults of the command. Raises UsageError, which names file, profile and key."""
    if name is not None and not ctx.resilient_parsing:
        file, tables = _find(Path.cwd())
        profile = ctx.meta[_META] = Profile(name, file)
        ctx.default_map = _defaults(ctx, profile, _one(tables, profile))
    return name


def loaded(ctx: click.Context) -> Profile | None:
    """Return the profile that the command's defaults come from."""
    profile: Profile | None = ctx.meta.get(_META)
    return profile


def key_of(param: click.Parameter) -> str:
    """Return a parameter's key in a profile: for an option, its long name."""
    return next(_long_names(param), f"{param.name}s")


def _long_names(param: click.Parameter) -> Iterator[str]:
    return (word.removeprefix("--") for word in param.opts if word.startswith("--"))


def _find(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return the nearest file with a configuration of idstorm, and that configuration."""
    for place in (folder, *folder.parents):
        own, shared = (os.path.relpath(place / name) for name in ("idstorm.toml", "pyproject.toml"))
        if os.path.isfile(own):
            return own, _read(own)
        if os.path.isfile(shared):
            tool = _table(_read(shared).get("tool", {}), shared, "tool")
            if "idstorm" in tool:
                return shared, _table(tool["idstorm"], shared, "tool.idstorm")
    raise _error(f"there is no idstorm.toml, nor a pyproject.toml with [tool.idstorm], in {folder} or above it")


def _read(file: str) -> dict[str, Any]:
    import tomllib

    from idstorm.errors import EnvironmentFault

    try:
        content = Path(file).read_bytes()
        return tomllib.loads(content.decode())
    except OSError as error:
        raise EnvironmentFault(f"cannot read {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(f"{file} is not TOML: it is not in UTF-8 (at line {line})") from error
    except tomllib.TOMLDecodeError as error:
        last = len(content.splitlines())
        reason = str(error).replace("at end of document", f"at line {last}, where the file ends")
        raise _error(f"{file} is not TOML: {reason}") from error


def _one(tables: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """Return one profile from a file's configuration."""
    for key in tables.keys() - {"profiles"}:
        raise _error(f"{profile.file}: {key} is not a key of idstorm; did you mean profiles?")
    profiles = _table(tables.get("profiles", {}), profile.file, "profiles")
    if profile.name not in profiles:
        there_are = f"there are {', '.join(profiles)}" if len(profiles) > 1 else f"there is {', '.join(profiles)}"
        raise _error(f"{profile.file} has no profile {profile.name}; {there_are if profiles else 'it has no profiles'}")
    return _table(profiles[profile.name], profile.file, f"profiles.{profile.name}")


def _table(value: Any, file: str, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(f"{file}: {name} has to be a table: [{name}]")
    return value


def _defaults(ctx: click.Context, profile: Profile, table: dict[str, Any]) -> dict[str, Any]:
    """Map each parameter's name to the words that the profile has for it, checked against the parameter's type."""
    params = {
        key: param
        for param in ctx.command.params
        if param.name not in NO_KEYS
        for key in (key_of(param), *_long_names(param))
    }
    defaults: dict[str, Any] = {}
    for key, value in table.items():
        param = params.get(key)
        if param is None:
            raise _error(f"{profile}: {key} is not an option of `idstorm run`; did you mean {_nearest(key, params)}?")
        if param.name in defaults:
            raise _error(f"{profile}: {key} and {key_of(param)} are the same option: give one of them")
        try:
            defaults[param.name] = words = _words(param, value)
            param.type_cast_value(ctx, words)
        except click.BadParameter as error:
            raise _error(f"{profile}: {key}: {error.message}") from error
    return defaults


def _nearest(key: str, keys: Iterable[str]) -> str:
    from difflib import get_close_matches

    return get_close_matches(key, keys, n=1, cutoff=0)[0]


def _words(param: click.Parameter, value: Any) -> str | list[str]:
    """Return a TOML value as a command line would write it. Raises BadParameter."""
    if isinstance(value, dict) and isinstance(param.type, Taken) and param.type.option.kind is SETTING:
        value = [f"{name}={_word(setting)}" for name, setting in value.items()]
    if not (param.multiple or param.nargs == -1):
        return _word(value)
    return [_word(one) for one in (value if isinstance(value, list) else [value])]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise click.BadParameter("it has to be a string, a number, true or false")
    return str(value)


def _error(message: str) -> Exception:
    from idstorm.errors import UsageError

    return UsageError(message)
