"""idstorm: are the ids that your database hands out really safe under load?

Importing this package imports nothing else. `idstorm.run` is loaded when it is first used; scenario authors import from
`idstorm.scenario`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from idstorm.commands.call import run as run

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "run":
        from idstorm.commands.call import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
