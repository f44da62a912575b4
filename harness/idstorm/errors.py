"""What can go wrong, and how a user's own error is shown.

    IdstormError
    ├── UsageError            what was asked for cannot be done as asked
    │   ├── LibraryMissing    a file of the catalogue needs a library that is not installed
    │   └── ScenarioError     a scenario, or code that it calls, is at fault
    └── EnvironmentFault      the surroundings do not allow it: out of reach, read-only, full
        └── UnreadableRun     a stored run that is truncated, foreign or newer than this idstorm

Each message is one sentence for the user who typed the command. `idstorm.findings.results` has their exit codes.
"""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

_LONGEST_LINE = 1_000


class IdstormError(Exception):
    """Any error that idstorm raises on purpose; its text is meant for the user."""


class UsageError(IdstormError):
    """What was asked for cannot be done as asked."""


class ScenarioError(UsageError):
    """A scenario, or code that it calls, is at fault."""


class LibraryMissing(UsageError):
    """A file of the catalogue needs a library that is not installed."""


class EnvironmentFault(IdstormError):
    """The surroundings do not allow it: a server out of reach, a folder that is read-only or full."""


class UnreadableRun(EnvironmentFault):
    """A stored run cannot be read. The message may quote its contents, and is kept to a single line."""

    def __str__(self) -> str:
        line = " ".join(super().__str__().splitlines())
        return line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]} …"


_PACKAGE = Path(__file__).parent
_FOREIGN = tuple(os.path.join(path, "") for key in ("stdlib", "platstdlib") if (path := sysconfig.get_paths().get(key)))


def _is_users(filename: str) -> bool:
    path = Path(filename)
    if filename.startswith("<") or ("site-packages" in path.parts and _PACKAGE not in path.parents):
        return False
    if _PACKAGE in path.parents:
        return _PACKAGE / "scenarios" in path.parents
    return not filename.startswith(_FOREIGN)


def show_users_error(error: BaseException) -> str:
    """Return `error` as a traceback that holds the user's own frames only, and the last line in any case.

    Frames of idstorm, of the standard library and of installed packages are left out, as are the parameters that
    SQLAlchemy adds to a message.
    """
    shown = traceback.TracebackException.from_exception(error, compact=True)
    frames = [frame for frame in shown.stack if _is_users(frame.filename)]
    lines = ["Traceback (your code):\n", *traceback.format_list(frames)] if frames else []
    original = getattr(error, "orig", None)
    if original is not None:
        return "".join(lines) + f"{type(original).__module__}.{type(original).__qualname__}: {original}"
    return "".join(lines) + "".join(shown.format_exception_only()).rstrip()
