"""Where idstorm relies on what other libraries do not document: all of it is here, and tested by itself.

Nothing is imported that the caller has not: each function is given the library's own object.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest
    import sqlalchemy as sa
    from sqlalchemy.orm import Mapper


def sequences_of(metadata: sa.MetaData) -> list[sa.Sequence]:
    """Return the sequences of a MetaData, also those that no column of its tables uses.

    SQLAlchemy keeps them in an attribute that is not public, and offers no other way to list them.
    """
    return list(metadata._sequences.values())


def pool_of(record: Any) -> Any:
    """Return the pool that a record of a connection belongs to, or None. Events of pools do not name it."""
    return getattr(record, "_ConnectionRecord__pool", None)


def dialect_of(pool: Any) -> Any:
    """Return the dialect of a pool that an engine has made, or one that knows little."""
    return getattr(pool, "_dialect", None)


def connecting_like(pool: Any) -> Callable[[], Any]:
    """Return a function that opens another connection as a pool does, with the same arguments."""
    creator: Callable[[], Any] = pool._creator
    return creator


def bare_instance(mapper: Mapper[Any]) -> Any:
    """Return an instance of a mapped class whose constructor was not called, ready to be given attributes.

    What SQLAlchemy itself does for rows that it loads. `ClassManager.new_instance` is not in its documentation.
    """
    return mapper.class_manager.new_instance()


def base_folder(config: pytest.Config) -> Path | None:
    """Return the folder below which pytest makes those of `tmp_path`, or None without the plugin that does so.

    Outside of a test there is no fixture to ask; pytest-xdist finds it in the same place.
    """
    factory = getattr(config, "_tmp_path_factory", None)
    if factory is None:
        return None
    folder: Path = factory.getbasetemp()
    return folder


def is_of_pytest(finder: object) -> bool:
    """Return whether a finder of modules is pytest's, which rewrites assertions and is missing in other processes."""
    return type(finder).__module__.partition(".")[0] == "_pytest"


def disown(process: subprocess.Popen[Any]) -> None:
    """Let a process outlive this one without the ResourceWarning of a Popen that is still running.

    Popen.__del__ warns where it does not know a return code. No one may use the object afterwards.
    """
    process.returncode = process.returncode or 0
