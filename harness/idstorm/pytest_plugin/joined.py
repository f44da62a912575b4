"""The fixture `idstorm_join`: what the sessions of a suite were told, recorded in every process, judged at the end."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pytest

from idstorm.commands.outcome import StormResult
from idstorm.pytest_plugin.joinable import heard_of
from idstorm.pytest_plugin.options import configured

if TYPE_CHECKING:
    from idstorm.join.journal import Journal
    from idstorm.join.session_events import Listener
    from idstorm.scenario import Scenario

FOLDER = "journals"  #: in the folder of the session

_KEYRING = pytest.StashKey[dict[str, str]]()
_OUTPUT = "idstorm_keyring"  #: in what a worker of pytest-xdist tells its controller, over their own connection


class Join:
    """Joins the sessions that one test names."""

    def __init__(self, journal: Journal, origin: int) -> None:
        self._journal, self._origin = journal, origin
        self._listeners: list[Listener] = []

    def __call__(self, model: type | Scenario, *, session: Any) -> None:
        """From now on in this test, record which ids of a mapped class this session is told.

        `session` is a Session or an AsyncSession, a sessionmaker or a scoped session of either, a class of them, or
        Flask-SQLAlchemy's `db`. An AsyncSession is joined through the Session that it drives. A `Scenario` of the class
        says what else to judge: another column than the primary key, and its own claims.

        A session's flushes are recorded. Of statements that it executes, such as `session.execute(insert(...))`, only
        those that fail are: the rows of the others count as foreign.
        """
        __tracebackhide__ = True
        from idstorm.errors import UsageError
        from idstorm.join.watched import Watched

        try:
            listener = _listener(self._journal, heard_of(session))
            listener.ask(Watched.of(model))
        except UsageError as error:
            raise pytest.fail.Exception(f"idstorm_join: {error}", pytrace=False) from None
        listener.origin = self._origin
        self._listeners.append(listener)

    def leave(self) -> None:
        """Stop recording. The outcome of inserts that were recorded is still observed."""
        for listener in self._listeners:
            listener.origin = None


@contextmanager
def joining(request: pytest.FixtureRequest, session: Path) -> Iterator[Join]:
    """Yield an object that joins sessions for one test, in the session of this folder."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "")
    journal = _journal(session / FOLDER, worker or "main")
    origin = journal.begin(f"{request.node.nodeid} ({worker})" if worker else request.node.nodeid)
    join = Join(journal, origin)
    try:
        yield join
    finally:
        join.leave()


def judge_session(config: pytest.Config, session: Path) -> StormResult | None:
    """Judge what all processes have recorded, and remove the journals. Returns None if nothing was recorded.

    Raises EnvironmentFault.
    """
    from idstorm.commands.join import judge_joined
    from idstorm.join.keyring import met

    journals, place = session / FOLDER, configured(config, "results")
    if not journals.is_dir():
        return None
    results = config.invocation_params.dir / place if place else session / "runs"
    command = shlex.join(["pytest", *map(str, config.invocation_params.args)])
    report = judge_joined(journals, results, command, config.stash.setdefault(_KEYRING, {}) | met())
    for path in journals.iterdir():
        path.unlink()
    return None if report is None else StormResult(report, Path(report.folder))


def send_keyring(config: pytest.Config) -> None:
    """Tell the controller, from a test worker, which URLs lead to the databases that it has joined."""
    keyring = sys.modules.get("idstorm.join.keyring")
    if keyring is not None:
        config.workeroutput[_OUTPUT] = keyring.met()  # type: ignore[attr-defined]


def receive_keyring(config: pytest.Config, output: Mapping[str, Any]) -> None:
    """Keep what a test worker reported; one that was killed reported nothing."""
    config.stash.setdefault(_KEYRING, {}).update(output.get(_OUTPUT, {}))


@cache
def _journal(folder: Path, name: str) -> Journal:
    from idstorm.join.journal import Journal

    folder.mkdir(exist_ok=True)
    os.chmod(folder, 0o700)
    return Journal(folder, name)


_listeners: WeakKeyDictionary[Any, Listener] = WeakKeyDictionary()


def _listener(journal: Journal, target: Any) -> Listener:
    """Return a target's listener, once: a session is left to the listener of its factory."""
    from sqlalchemy.exc import InvalidRequestError

    from idstorm.errors import UsageError
    from idstorm.join.session_events import Listener

    if type(target) in _listeners:
        return _listeners[type(target)]
    if target not in _listeners:
        try:
            _listeners[target] = Listener(journal, target)
        except InvalidRequestError as error:
            raise UsageError(str(error)) from error
    return _listeners[target]
