"""The schedules that broke an invariant once: a file for each pair of functions, beside the suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from idstorm.atomic import write_text
from idstorm.findings.schedules import clients_of, named

KEPT = Path(".idstorm", "interleavings")
"""Where schedules are kept that broke an invariant, below the current directory: they are tried first."""

Work = Callable[..., object]


@dataclass
class Kept:
    """The schedules of these functions that broke an invariant once."""

    path: Path
    schedules: list[tuple[int, ...]]

    @classmethod
    def of(cls, work: Sequence[Work], invariant: Work) -> Kept:
        whole = "\n".join(
            f"{getattr(one, '__module__', '')}.{getattr(one, '__qualname__', one)}" for one in (*work, invariant)
        )
        mark = blake2b(whole.encode(), digest_size=4).hexdigest()  # tests may have functions of the same names
        path = KEPT / f"{'-'.join([*map(name_of, work), name_of(invariant), mark])}.json"
        try:
            known = json.loads(path.read_text())["schedules"]
            return cls(path, list(map(clients_of, known)))
        except (OSError, ValueError, KeyError, TypeError):  # there is none, or none that can be read
            return cls(path, [])

    def keep(self, clients: Sequence[int], steps: Sequence[str]) -> None:
        if tuple(clients) not in self.schedules:
            self.schedules.append(tuple(clients))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = {"schedules": [named(*one) for one in self.schedules], "steps": list(steps)}
        write_text(self.path, json.dumps(kept, indent=1) + "\n")

    def forget(self) -> None:
        """Keep them no longer: all schedules were tried, and none breaks it."""
        self.path.unlink(missing_ok=True)


def name_of(function: Work) -> str:
    """Return what to call a function."""
    return str(getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", "function"))
