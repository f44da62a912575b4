"""idstorm: are the ids that your database hands out really safe under load?

Importing this package imports nothing else. `run`, `explore` and `interleave` are loaded when they are first used;
scenario authors import from `idstorm.scenario`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idstorm.commands.call import explore as explore
    from idstorm.commands.call import run as run
    from idstorm.explore.interleaving import interleave as interleave

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in ("run", "explore"):
        from idstorm.commands import call

        return getattr(call, name)
    if name == "interleave":
        from idstorm.explore.interleaving import interleave

        return interleave
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
