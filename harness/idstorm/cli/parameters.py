"""What the command line's options may be, and the sentence where they are not."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from idstorm.findings.gate import Gate

T = TypeVar("T")


class _Listed:
    """What one variable of the environment may hold several of: one a line, or in a single line between commas."""

    def split_envvar_value(self, rv: str) -> list[str]:
        parts = rv.splitlines() if "\n" in rv else rv.split(",")
        return [part.strip() for part in parts if part.strip()]


class Name(_Listed, click.types.StringParamType):
    """A text that names something: a scenario, a target."""


class _Parsed(click.ParamType[T]):
    """What a function of idstorm makes of the text; the sentence of its UsageError is the option's."""

    @abstractmethod
    def parse(self, text: str) -> T:
        """Return the value. Raises UsageError."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        from idstorm.errors import UsageError

        try:
            return self.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class Duration(_Parsed[float]):
    """A length of time, in seconds: 30s, 5m, 500ms."""

    name = "duration"

    def parse(self, text: str) -> float:
        from idstorm.quantities import parse_duration

        return parse_duration(text)


class Think(_Parsed[tuple[float, float]]):
    """A range of times, in seconds: 0..5ms."""

    name = "range"

    def parse(self, text: str) -> tuple[float, float]:
        from idstorm.quantities import parse_range

        return parse_range(text)


class Rate(_Parsed[float]):
    """How often something happens, in times a second: 50/s, 3000/h."""

    name = "rate"

    def parse(self, text: str) -> float:
        from idstorm.quantities import parse_rate

        return parse_rate(text)


class GateText(_Listed, _Parsed["Gate"]):
    """A limit on a figure of the report: gapless.ratio > 0.05."""

    name = "gate"

    def parse(self, text: str) -> Gate:
        from idstorm.findings.gate import parse_gate

        return parse_gate(text)


class Setting(_Listed, click.ParamType[tuple[str, str]]):
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
