"""What tells whether two runs stormed the same code: a digest of the files that a scenario is written in."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from idstorm.catalogue.finding import Found
from idstorm.scenario.core import class_of


def digest_of(some: Iterable[Found]) -> str | None:
    """Return a digest of the files that have the model and the work of scenarios; None: they are not files.

    What these files import is not part of it.
    """
    scenarios = list(some)
    made = [part for one in scenarios for part in (one.scenario.mapped, one.scenario.insert, one.scenario.client)]
    modules = {getattr(part, "__module__", None) for part in made}
    modules.discard(class_of.__module__)  # the class of a Table that has none is made there
    names = {getattr(sys.modules.get(module or ""), "__file__", None) for module in modules}
    names |= {one.file for one in scenarios}
    digest, known = blake2b(digest_size=8), False
    for name in sorted(name for name in names if name is not None):
        with suppress(OSError):
            digest.update(Path(name).read_bytes())
            known = True
    return digest.hexdigest() if known else None
