"""The plugin's options: on the command line `--idstorm-NAME`, in an ini file `idstorm_NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from idstorm.options import StormOptions

DEFAULT_SECONDS = 2.0  #: of a storm in a test suite
_STORM = ("time", "inserts", "processes", "clients", "fail_if", "allow_replicated")
"""The options that are those of a storm."""

_LISTS = {
    "on": ("TARGET", "Where tests storm: sqlite, postgresql, mysql, mariadb, or a SQLAlchemy URL. Default: sqlite."),
    "fail-if": ("'FIGURE > N'", "A limit on a figure of every storm's report, such as 'gapless.ratio > 0.05'."),
}
_WORDS = {
    "time": ("DURATION", "How long each storm takes, if its test does not say: 30s, 5m. Default: 2s."),
    "inserts": ("N", "Rows that each storm attempts, if its test does not say, instead of a time."),
    "processes": ("N", "Worker processes of a storm, if its test does not say. Default: 2."),
    "clients": ("N", "Client threads of a storm, if its test does not say. Default: 8."),
    "results": ("DIR", "Where the folders of runs are created and kept. Default: pytest's temporary folder."),
}
_FLAGS = {
    "allow-replicated": "Storm a server even if what it writes is sent elsewhere, such as to replicas.",
    "strict": "Fail the run if joined sessions are inconclusive, instead of only warning.",
    "require": "Fail a test whose database is not available, instead of skipping it.",
}


def add_options(parser: pytest.Parser) -> None:
    """Add each option and its ini key."""
    group = parser.getgroup("idstorm", "storms of database-generated ids")
    for name, (metavar, text) in _LISTS.items():
        group.addoption(f"--idstorm-{name}", action="append", metavar=metavar, help=f"{text} May be repeated.")
        parser.addini(_key(name), text, type="linelist", default=[])
    for name, (metavar, text) in _WORDS.items():
        group.addoption(f"--idstorm-{name}", metavar=metavar, help=text)
        parser.addini(_key(name), text, default=None)
    for name, text in _FLAGS.items():
        group.addoption(f"--idstorm-{name}", action="store_true", default=None, help=text)
        parser.addini(_key(name), text, type="bool", default=False)


def configured(config: pytest.Config, name: str) -> Any:
    """Return an option's value from the command line, or else from the ini file."""
    given = config.getoption(_key(name))
    return config.getini(_key(name)) if given is None else given


def with_defaults(config: pytest.Config, asked: Mapping[str, object]) -> StormOptions:
    """Return a storm's options: what its test asks for, or else what is configured. Raises UsageError."""
    from idstorm.errors import UsageError
    from idstorm.options import StormOptions, options_of

    given, said = _configured(config), {name: value for name, value in asked.items() if value is not None}
    if {"inserts", "time"} & said.keys():
        given = {name: value for name, value in given.items() if name not in ("inserts", "time")}
    like = options_of(given, StormOptions(time=None if "inserts" in {*given, *said} else DEFAULT_SECONDS))
    options = options_of(said, like)
    if "processes" not in said:
        options = replace(options, processes=min(options.processes, options.clients))
    if options.until_broken and options.repeat is None:
        raise UsageError("until_broken needs repeat= as well: a test has to end")
    return replace(options, fail_if=tuple(dict.fromkeys((*like.fail_if, *options.fail_if)))).resolved()


def _configured(config: pytest.Config) -> dict[str, object]:
    """Return the configured options by name. The command line takes precedence over the ini file."""
    from idstorm.errors import UsageError

    names = {name.replace("-", "_"): name for name in (*_WORDS, *_LISTS, *_FLAGS)}
    given = {name: configured(config, names[name]) for name in _STORM}
    given = {name: value for name, value in given.items() if value not in (None, "", [], False)}
    if {"inserts", "time"} <= given.keys():
        said = [name for name in ("inserts", "time") if config.getoption(_key(name)) is not None]
        if len(said) == 2:
            raise UsageError("time and inserts cannot be used together: give one of them")
        del given["inserts" if said != ["inserts"] else "time"]
    return given


def _key(name: str) -> str:
    return f"idstorm_{name.replace('-', '_')}"
