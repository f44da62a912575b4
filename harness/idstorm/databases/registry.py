"""The databases that can be stormed: idstorm's own, and those that other distributions add.

A database is added without a change to idstorm. A distribution has a class that derives from `Database`, or from one of
idstorm's own, and an entry point that is called like the dialect:

    [project.entry-points."idstorm.databases"]
    cockroachdb = "idstorm_cockroachdb:CockroachDB"

The class says all that there is to know: its capabilities, the meaning of its errors, its facts, what its generators
do, its namespaces and census; and, as class attributes, its drivers and how they are installed, the URLs that mean it,
the recipe of its private servers, and how to get one. From then on its name is a word for `--on`, `when=`, `needs=` and
`server=`, with a variable of its own (`IDSTORM_COCKROACHDB_URL`), and `idstorm doctor` shows it. What its methods have
to do is tested by `idstorm.databases.compliance`. One that idstorm brings itself is a folder beside this file and a
line in `idstorm.extensions`.

What cannot be used is left out with a sentence that names its distribution. It takes nothing else away.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint

import sqlalchemy as sa

from idstorm import extensions
from idstorm.databases.base import Database
from idstorm.record.plan import CAPABILITIES


class _Unusable(Exception):
    """Why a database cannot be used."""


class Registry(Mapping[str, Database]):
    """The databases by the names of their dialects. They are loaded when one of them is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # loading runs code of others, which may ask for what is there already
        self._found: dict[str, Database] = {}
        self._faults: list[tuple[str, str]] = []
        self._loading = self._loaded = False

    def __getitem__(self, name: str) -> Database:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """The names that cannot be used, each with a sentence that says why."""
        self._all()
        return tuple(self._faults)

    def known_by(self, backend: str) -> Database | None:
        """Return the database that SQLAlchemy calls so: of several, the one that idstorm brings itself."""
        return next((one for one in self.values() if one.backends[0] == backend), None)

    def _all(self) -> dict[str, Database]:
        if self._loaded:
            return self._found
        with self._lock:
            if not self._loading and not self._loaded:
                self._loading = True
                for name, value in extensions.DIALECTS.items():
                    self._found[name] = EntryPoint(name, value, extensions.DATABASES).load()()
                for one in extensions.added(extensions.DATABASES):
                    self._add(one)
                self._loaded = True
            return self._found

    def _add(self, one: EntryPoint) -> None:
        try:
            self._found[one.name] = self._checked(one)
        except (Exception, SystemExit) as error:  # whatever another's code raises
            why = str(error) if isinstance(error, _Unusable) else f"{type(error).__name__}: {error}"
            words = f"{extensions.giver_of(one)} adds the database {one.name}, which cannot be used: {why}"
            self._faults.append((one.name, " ".join(words.split())))

    def _checked(self, one: EntryPoint) -> Database:
        """Return the database that an entry point leads to, if there is nothing that it would be confused with."""
        if one.name in self._found:
            raise _Unusable("there is another database of this name")
        if one.name in CAPABILITIES:
            raise _Unusable("its name is that of a capability")
        if not re.fullmatch("[a-z][a-z0-9_]*", one.name):
            raise _Unusable("its name, after which a variable is called, has to be lower-case letters and digits")
        kind = one.load()
        if not (isinstance(kind, type) and issubclass(kind, Database)):
            raise _Unusable(f"{one.value} is not a class derived from idstorm.databases.base.Database")
        if kind.name != one.name:
            raise _Unusable(f"its class {one.value} calls itself {kind.name!r}: the entry point has to have that name")
        for scheme in kind.schemes:
            if other := next((name for name, database in self._found.items() if scheme in database.schemes), None):
                raise _Unusable(f"URLs that begin with {scheme}:// mean {other}: give the class other `schemes`")
        return kind()


DATABASES = Registry()


def spoken_by(dialect: sa.Dialect) -> Database | None:
    """Return the database that a dialect of SQLAlchemy's is for, by what it has found out if it has connected."""
    database = DATABASES.known_by(dialect.name)
    return None if database is None else DATABASES[database.named_by(dialect)]
