"""The plugin's options: on the command line `--idstorm-NAME`, in an ini file `idstorm_NAME`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from idstorm.findings.gate import Gate

_LISTS = {
    "on": ("TARGET", "Where tests storm: sqlite, postgresql, mysql, mariadb, or a SQLAlchemy URL. Default: sqlite."),
    "fail-if": ("'FIGURE > N'", "A limit on a figure of every storm's report, such as 'gapless.ratio > 0.05'."),
}
_WORDS = {
    "time": ("DURATION", "How long each storm takes, where its test does not say: 30s, 5m. Default: 2s."),
    "inserts": ("N", "Rows that each storm attempts, where its test does not say, instead of a time."),
    "processes": ("N", "Worker processes of a storm, where its test does not say. Default: 2."),
    "clients": ("N", "Client threads of a storm, where its test does not say. Default: 8."),
    "results": ("DIR", "Where the folders of runs are made and kept. Default: pytest's temporary folder."),
}
_FLAGS = {
    "allow-replicated": "Storm a server even where others are sent what it writes: replicas, say.",
    "strict": "What was joined and comes out inconclusive fails the run, instead of being a warning.",
    "require": "A database that is not there is a failure, and no skip.",
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
    """Return what the command line says of an option, or else the ini file."""
    given = config.getoption(_key(name))
    return config.getini(_key(name)) if given is None else given


@dataclass(frozen=True)
class Defaults:
    """What a storm is like where its test does not say."""

    seconds: float | None
    inserts: int | None
    processes: int
    clients: int
    gates: tuple[Gate, ...]


def defaults(config: pytest.Config) -> Defaults:
    """Return what is configured. Raises UsageError where that makes no sense."""
    from idstorm.errors import UsageError
    from idstorm.findings.gate import parse_gate
    from idstorm.quantities import parse_duration

    time, inserts = configured(config, "time"), _number(config, "inserts", None)
    if time and inserts is not None:
        if config.getoption("idstorm_time") and config.getoption("idstorm_inserts"):
            raise UsageError("time and inserts exclude each other: give one of them")
        time = None if config.getoption("idstorm_inserts") else time
        inserts = None if time else inserts
    return Defaults(
        seconds=None if inserts is not None else parse_duration(time or "2s"),
        inserts=inserts,
        processes=_number(config, "processes", 2),
        clients=_number(config, "clients", 8),
        gates=tuple(parse_gate(gate) for gate in configured(config, "fail-if")),
    )


def _key(name: str) -> str:
    return f"idstorm_{name.replace('-', '_')}"


def _number(config: pytest.Config, name: str, default: Any) -> Any:
    from idstorm.errors import UsageError

    text = configured(config, name)
    if text in (None, ""):
        return default
    if not str(text).isdecimal() or not int(text):
        raise UsageError(f"{name} is {text!r}, and should be a whole number from 1 on")
    return int(text)
