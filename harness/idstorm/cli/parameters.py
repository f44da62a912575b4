"""What the command line's options may be, and the sentence where they are not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from idstorm.record.gate import Gate

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}


class Duration(click.ParamType[float]):
    """A length of time, in seconds: 30s, 5m, 500ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = _DURATION.fullmatch(str(value))
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is no duration: write 30s, 5m or 500ms", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


class Think(click.ParamType[tuple[float, float]]):
    """A range of times, in seconds: 0..5ms."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)\.\.)?(\d+(?:\.\d+)?)(ms|s)", str(value))
        if match is None:
            self.fail(f"{value!r} is no range of times: write 0..5ms, or 5ms for always the same", param, ctx)
        most = float(match[2]) * _UNITS[match[3]]
        least = most if match[1] is None else float(match[1]) * _UNITS[match[3]]
        if least > most:
            self.fail(f"{value!r} begins with the larger time", param, ctx)
        return least, most


class Rate(click.ParamType[float]):
    """How often something happens, in times a second: 50/s, 3000/h."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|m|h|d)", str(value))
        if match is None or not float(match[1]):
            self.fail(f"{value!r} is no rate: write 50/s, 3000/h or 100000/d", param, ctx)
        return float(match[1]) / {**_UNITS, "d": 86_400.0}[match[2]]


class GateText(click.ParamType["Gate"]):
    """A limit on a figure of the report: gapless.ratio > 0.05."""

    name = "gate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Gate:
        from idstorm.errors import UsageError
        from idstorm.record.gate import parse_gate

        try:
            return parse_gate(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Setting(click.ParamType[tuple[str, str]]):
    """A pair: name=value."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        name, equals, setting = str(value).partition("=")
        if not (name and equals and setting):
            self.fail(f"{value!r} is no setting: write NAME=VALUE", param, ctx)
        return name, setting


class Fraction(click.ParamType[float]):
    """At least 0 and less than 1."""

    name = "fraction"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            fraction = float(value)
        except ValueError:
            self.fail(f"{value!r} is no number", param, ctx)
        if not 0 <= fraction < 1:
            self.fail(f"{value} is not in the range 0<=x<1", param, ctx)
        return fraction
