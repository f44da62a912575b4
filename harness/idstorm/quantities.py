"""Times, rates and numbers as people write them. Each function raises UsageError for what makes no sense, and says
what would.
"""

from __future__ import annotations

import re

from idstorm.errors import UsageError

_BOUNDS: dict[str, tuple[float, float]] = {
    "processes": (1, 10_000),
    "clients": (1, 10_000),
    "inserts": (1, 4_000_000_000),  # the tokens of one client
    "batch": (1, 100_000),
    "seed": (0, (1 << 63) - 1),
    "repeat": (1, 10_000),
    "pool-size": (1, 10_000),
    "max-overflow": (0, 10_000),
    "pool-timeout": (0, 86_400),
    "patience": (0, 86_400),
    "time": (0, 365 * 86_400),
    "think": (0, 3_600),
    "forecast": (1e-9, 10**12),
}
"""The least and the most of each option that is a number; times in seconds, rates in times a second."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}


def check_bounds(**asked: float | None) -> None:
    """Raise UsageError for the first of these options whose value no storm could have. None: it was not asked for."""
    for option, value in asked.items():
        name = option.replace("_", "-")
        least, most = _BOUNDS[name]
        if value is not None and not least <= value <= most:  # which no NaN is
            raise UsageError(f"{name} has to be from {least:,} to {most:,}, and {value} is not")


def parse_duration(text: str) -> float:
    """Return the seconds that a length of time has: 30s, 5m, 500ms."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", text)
    if match is None or not float(match[1]):
        raise UsageError(f"{text!r} is no duration: write 30s, 5m or 500ms")
    return float(match[1]) * _UNITS[match[2]]


def parse_range(text: str) -> tuple[float, float]:
    """Return the least and the most seconds of a range of times: 0..5ms, or 5ms for always the same."""
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)\.\.)?(\d+(?:\.\d+)?)(ms|s)", text)
    if match is None:
        raise UsageError(f"{text!r} is no range of times: write 0..5ms, or 5ms for always the same")
    most = float(match[2]) * _UNITS[match[3]]
    least = most if match[1] is None else float(match[1]) * _UNITS[match[3]]
    if least > most:
        raise UsageError(f"{text!r} begins with the larger time")
    return least, most


def parse_rate(text: str) -> float:
    """Return how often a second something happens: 50/s, 3000/h, 100000/d."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|m|h|d)", text)
    if match is None or not float(match[1]):
        raise UsageError(f"{text!r} is no rate: write 50/s, 3000/h or 100000/d")
    return float(match[1]) / _UNITS[match[2]]
