"""Times and rates as users write them. Each function raises UsageError for what makes no sense, and says
what would.
"""

from __future__ import annotations

import re

from idstorm.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}


def parse_duration(text: str) -> float:
    """Return the seconds that a length of time has: 30s, 5m, 500ms."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", text)
    if match is None or not float(match[1]):
        raise UsageError(f"{text!r} is not a duration: write 30s, 5m or 500ms")
    return float(match[1]) * _UNITS[match[2]]


def parse_range(text: str) -> tuple[float, float]:
    """Return the least and the most seconds of a range of times: 0..5ms, or 5ms for always the same."""
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)\.\.)?(\d+(?:\.\d+)?)(ms|s)", text)
    if match is None:
        raise UsageError(f"{text!r} is not a range of times: write 0..5ms, or 5ms for always the same")
    most = float(match[2]) * _UNITS[match[3]]
    least = most if match[1] is None else float(match[1]) * _UNITS[match[3]]
    if least > most:
        raise UsageError(f"{text!r} begins with the larger time")
    return least, most


def parse_rate(text: str) -> float:
    """Return how often a second something happens: 50/s, 3000/h, 100000/d."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|m|h|d)", text)
    if match is None or not float(match[1]):
        raise UsageError(f"{text!r} is not a rate: write 50/s, 3000/h or 100000/d")
    return float(match[1]) / _UNITS[match[2]]
