"""Times and rates as users write them. Anything else is a UsageError with valid examples."""

from __future__ import annotations

import re

from idstorm.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}


def parse_duration(text: str) -> float:
    """Parse a duration, such as 30s, 5m or 500ms, into seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", text)
    if match is None or not float(match[1]):
        raise UsageError(f"{text!r} is not a duration: write 30s, 5m or 500ms")
    return float(match[1]) * _UNITS[match[2]]


def parse_range(text: str) -> tuple[float, float]:
    """Parse a range of times, such as 0..5ms, or 5ms for a fixed time, into its least and most seconds."""
    match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)\.\.)?(\d+(?:\.\d+)?)(ms|s)", text)
    if match is None:
        raise UsageError(f"{text!r} is not a range of times: write 0..5ms, or 5ms for always the same")
    most = float(match[2]) * _UNITS[match[3]]
    least = most if match[1] is None else float(match[1]) * _UNITS[match[3]]
    if least > most:
        raise UsageError(f"{text!r} starts with the larger time: write the smaller one first")
    return least, most


def parse_rate(text: str) -> float:
    """Parse a rate, such as 50/s, 3000/h or 100000/d, into events per second."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|m|h|d)", text)
    if match is None or not float(match[1]):
        raise UsageError(f"{text!r} is not a rate: write 50/s, 3000/h or 100000/d")
    return float(match[1]) / _UNITS[match[2]]
