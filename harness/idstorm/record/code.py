"""The codes of errors: what a kind of error is called, and what it means for the operation that it ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Code:
    """A kind of error that operations ended with."""

    name: str  #: such as `sqlite:5 database is locked`: the same for all errors of the same cause
    refused: bool = False  #: the id's own constraint refused the row
    raced: bool = False  #: the database itself ended the operation, because of others at the same time
    recognised: bool = True  #: False: whether the id's own constraint refused the row is not known
    message: str = ""  #: what the first such error said, in a line
    shown: str = ""  #: the first such error, as the user's own traceback

    def to_line(self, base: int) -> str:
        """Return the code as a line of JSON, for the tape of a storm whose tokens have this base."""
        about = asdict(self)
        return json.dumps({"code": about.pop("name"), **about, "base": base}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Code:
        """Return the code of a line. Raises ValueError, KeyError or TypeError for anything else.

        An older idstorm wrote down less: what it did not recognise was named after its class.
        """
        entry: dict[str, Any] = json.loads(line)
        name = str(entry["code"])
        return cls(
            name,
            refused=bool(entry.get("refused")),
            raced=bool(entry.get("raced")),
            recognised=bool(entry.get("recognised", True)),
            message=str(entry.get("message", "")),
            shown=str(entry.get("shown", "")),
        )
