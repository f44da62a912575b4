"""The session that all processes of a test run share: a folder, held by the controller, or by the only process."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from idstorm.internals import base_folder

_FOLDER = pytest.StashKey[Path]()
_HELD = pytest.StashKey[ExitStack]()


def session_of(config: pytest.Config) -> Path:
    """Return the folder of the session, whose processes share what is started in it."""
    given: dict[str, str] | None = getattr(config, "workerinput", None)
    if given is not None and Path(given.get("idstorm_session", "/nowhere")).is_dir():
        return Path(given["idstorm_session"])
    return hold_session(config)  # our own: there is none, or its controller is on another machine


def hold_session(config: pytest.Config) -> Path:
    """Hold a session, once, and return its folder. It ends with `end_session`, or with this process."""
    if _FOLDER not in config.stash:
        from idstorm.databases.private.session import session

        config.stash[_FOLDER] = Path(tempfile.mkdtemp(prefix="idstorm-session-", dir=base_folder(config)))
        config.stash[_HELD] = ExitStack()
        config.stash[_HELD].enter_context(session(config.stash[_FOLDER]))
    return config.stash[_FOLDER]


def held_session(config: pytest.Config) -> Path | None:
    """Return the folder of the session that this process holds, if it does."""
    return config.stash.get(_FOLDER, None)


def end_session(config: pytest.Config) -> None:
    """Remove what the session has shared, if this process holds one."""
    if _HELD in config.stash:
        config.stash[_HELD].close()
        for path in config.stash[_FOLDER].glob("*.url"):
            path.unlink()
