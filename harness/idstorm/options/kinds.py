"""How the values of options are read from words, taken from Python code, and written as words again."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn

from idstorm.errors import UsageError
from idstorm.quantities import parse_duration, parse_range, parse_rate

if TYPE_CHECKING:
    from idstorm.findings.gate import Gate


@dataclass(frozen=True)
class Kind:
    """How the value of an option is read from a word, taken from Python code, and written as a word."""

    read: Callable[[str], Any]  #: raises UsageError
    accept: Callable[[Any], Any]  #: raises TypeError or ValueError for what is not such a value
    write: Callable[[Any], str] = str
    metavar: str | None = None


def _plain(number: float) -> str:
    """Return a number as options take it: all its digits, no exponent."""
    return format(Decimal(repr(number)).normalize(), "f")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a whole number") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a number") from None


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(f"{text!r} is not a setting: write NAME=VALUE")
    return name, value


def _gate(text: str) -> Gate:
    from idstorm.findings.gate import parse_gate

    return parse_gate(text)


_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}


def _flag(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise UsageError(f"{text!r} is neither true nor false")
    return _BOOLEANS[text.lower()]


def _index(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError(value)
    return operator.index(value)  # type: ignore[arg-type]  # which raises TypeError


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(value)
    return float(value)


def _length(value: object) -> float:
    seconds = _real(value)
    if not seconds > 0:
        raise ValueError(value)
    return seconds


def _span(value: Any) -> tuple[float, float]:
    least, most = map(_real, value)
    if not 0 <= least <= most:
        raise ValueError(value)
    return least, most


def _pair(value: Any) -> tuple[str, str]:
    name, setting = value
    return _setting(f"{name}={setting}")


def _a_gate(value: object) -> Gate:
    from idstorm.findings.gate import Gate

    if not isinstance(value, Gate):
        raise TypeError(value)
    return value


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _no_other(value: object) -> NoReturn:
    raise TypeError(value)


def _place(text: str) -> str:
    if text not in _PLACES:
        raise UsageError(f"{text} is not what a storm can make for its tables; that is {' or '.join(_PLACES)}")
    return text


def _a_place(value: Any) -> str:
    if value not in _PLACES:
        raise ValueError(value)
    return str(value)


def _line(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(text)
    if not text.strip() or not text.isprintable():
        raise UsageError("it has to be a line of characters that can be seen")
    return text


def _address(text: Any) -> str:
    if "://" not in str(text):
        raise UsageError("that is not a SQLAlchemy URL: write dialect://user:password@host:port/name")
    return str(text)


def _masked(url: str) -> str:
    """Return a URL without what may be secret: the user with the password, and the query."""
    return re.sub("://.*@", "://***@", url).partition("?")[0]


_PLACES = ("schema", "database")
LINE = Kind(_line, _line, metavar="TEXT")
WHOLE = Kind(_whole, _index, metavar="N")
NUMBER = Kind(_number, _real, _plain, "SECONDS")
FRACTION = Kind(_number, _real, _plain, "FRACTION")
DURATION = Kind(parse_duration, _length, lambda seconds: f"{_plain(seconds)}s", "DURATION")
SPAN = Kind(parse_range, _span, lambda span: f"{_plain(span[0])}..{_plain(span[1])}s", "0..5ms")
RATE = Kind(parse_rate, _length, lambda rate: f"{_plain(rate)}/s", "50/s")
EACH = "EACH"
"""Instead of an isolation level, in an exploration: one after another."""
LEVEL = Kind(str.upper, _no_other, metavar="LEVEL")
PLACE = Kind(_place, _a_place, metavar="schema|database")
ADDRESS = Kind(_address, _address, _masked, "URL")
SETTING = Kind(_setting, _pair, "=".join, "NAME=VALUE")
GATE = Kind(_gate, _a_gate, metavar="'FIGURE > N'")
FLAG = Kind(_flag, _bool, lambda value: "yes" if value else "no")
