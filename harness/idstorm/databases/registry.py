"""The databases that can be stormed: idstorm's own, and those that other distributions add.

Adding a database takes no change to idstorm. A distribution has a class that derives from `Database`, or from one of
idstorm's own, and an entry point named after the dialect:

    [project.entry-points."idstorm.databases"]
    cockroachdb = "idstorm_cockroachdb:CockroachDB"

The class defines everything: the database's capabilities, the meaning of its errors, its facts, what its generators do,
its namespaces and census. Its class attributes name the drivers and how to install them, the URLs that mean it, the
recipe of its private servers, and how to get one. From then on its name is a word for `--on`, `when=`, `needs=` and
`server=`, it has a variable (`IDSTORM_COCKROACHDB_URL`), and `idstorm doctor` shows it. `idstorm.databases.compliance`
tests its methods. A database that ships with idstorm is a folder beside this file and a line in `idstorm.extensions`.

A database that cannot be used is left out, with a sentence that names its distribution. The others still work.
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
    """The databases by the names of their dialects. They are loaded on first use."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # loading runs foreign code, which may ask for databases loaded so far
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
        """The names that cannot be used, each with a sentence on why."""
        self._all()
        return tuple(self._faults)

    def known_by(self, backend: str) -> Database | None:
        """Return the database that SQLAlchemy knows by this name: of several, the one that ships with idstorm."""
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
        except (Exception, SystemExit) as error:  # anything that foreign code raises
            why = str(error) if isinstance(error, _Unusable) else f"{type(error).__name__}: {error}"
            words = f"{extensions.giver_of(one)} adds the database {one.name}, which cannot be used: {why}"
            self._faults.append((one.name, " ".join(words.split())))

    def _checked(self, one: EntryPoint) -> Database:
        """Return the database that an entry point names. Raises _Unusable, also where it conflicts with another."""
        if one.name in self._found:
            raise _Unusable("there is another database of this name")
        if one.name in CAPABILITIES:
            raise _Unusable("its name is that of a capability")
        if not re.fullmatch("[a-z][a-z0-9_]*", one.name):
            raise _Unusable("its name, which is part of a variable's name, has to be lower-case letters and digits")
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
    """Return the database that a SQLAlchemy dialect is for, by what the dialect found out if it has connected."""
    database = DATABASES.known_by(dialect.name)
    return None if database is None else DATABASES[database.named_by(dialect)]
