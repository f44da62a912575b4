"""The options of a storm: one table, from which the command line, variables, profiles and the pytest plugin come.

An option is added by a field of `StormOptions` in `table`, and by the code that uses it.
"""

from __future__ import annotations

from idstorm.options.asked import check_bounds, options_of, words_of
from idstorm.options.kinds import EACH
from idstorm.options.table import DEFAULT_SECONDS, EXPLORATION, OPTIONS, Option, StormOptions

__all__ = [
    "DEFAULT_SECONDS",
    "EACH",
    "EXPLORATION",
    "OPTIONS",
    "Option",
    "StormOptions",
    "check_bounds",
    "options_of",
    "words_of",
]
