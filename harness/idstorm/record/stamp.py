"""The storm and run that a file belongs to: each file names them, so that swapped files are not judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idstorm.errors import UnreadableRun

OLDER = (
    "this run was made by an idstorm whose files did not say which run they belong to: "
    "they are assumed to belong together"
)


@dataclass(frozen=True)
class Stamp:
    """What every file of a storm carries."""

    run: str
    storm: str
    base: int | None = None  #: the base of its tokens; None: it never had a plan
    older: bool = False  #: for reading: the run is from before there were stamps, so a file may be without one

    def to_json(self) -> dict[str, Any]:
        """Return the stamp as JSON's own types."""
        return {"run": self.run, "storm": self.storm, "base": self.base}

    def check(self, found: object, path: object) -> None:
        """Raise UnreadableRun, which names the file, where what it carries is the stamp of another storm."""
        if found is None and self.older:
            return
        if not isinstance(found, Mapping):
            raise UnreadableRun(f"{path} does not say which run it belongs to, unlike the rest of its run")
        theirs, ours = (found.get("run"), found.get("storm")), (self.run, self.storm)
        if theirs != ours:
            raise UnreadableRun(
                f"{path} belongs to another storm: {theirs[1]} of run {theirs[0]}, not {ours[1]} of {ours[0]}"
            )
        if None not in (found.get("base"), self.base):
            self.check_base(found["base"], path)

    def check_base(self, found: object, path: object) -> None:
        """Raise UnreadableRun, which names the file, where its tokens are not those of this storm's plan.

        Tapes have room for the base alone. Those of older versions have none, or zero.
        """
        if found != self.base and not (self.older and not found):
            raise UnreadableRun(f"{path} belongs to another storm: its tokens do not begin where those of the plan do")
