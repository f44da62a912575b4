"""From what a person or Python code asks for to options, and from options to the command line that repeats them."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from idstorm.errors import UsageError
from idstorm.options.table import OPTIONS, StormOptions

_DEFAULTS = StormOptions()
_ALWAYS = ("processes", "clients")


def options_of(given: Mapping[str, object], like: StormOptions = _DEFAULTS) -> StormOptions:
    """Return options in which what was given, as values or as words, replaces what they are like. Raises UsageError.

    What may be several is a sequence of values or a single one, or a mapping of names to values.
    """
    taken = dict[str, Any]()
    for name, value in given.items():
        if name not in OPTIONS:
            near = get_close_matches(name, OPTIONS, n=1, cutoff=0)[0]
            raise UsageError(f"a storm has no option {name}; did you mean {near}?")
        if value is not None:
            option = OPTIONS[name]
            taken[name] = tuple(option.take(one) for one in _several(value)) if option.many else option.take(value)
    return replace(like, **taken)


def check_bounds(**values: object) -> None:
    """Raise UsageError for the first of these options whose value no storm could have. None: it was not asked for."""
    for name, value in values.items():
        if value is not None:
            OPTIONS[name].take(value)


def _several(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, Collection) and not isinstance(value, str):
        yield from value
    else:
        yield value


def words_of(options: StormOptions, names: Collection[str] = tuple(OPTIONS)) -> str:
    """Return the words of a command line that give these options, quoted for a shell: what differs from the defaults.

    Processes and clients are always named: a report is to show them.
    """
    words = list[str]()
    for name in names:
        option, value = OPTIONS[name], getattr(options, name)
        if value is not None and (value != option.default or name in _ALWAYS):
            words += map(shlex.quote, option.words(value))
    return " ".join(words)
