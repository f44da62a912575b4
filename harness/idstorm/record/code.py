"""The codes of errors: the name of a kind of error, and what it means for the operation that it ended."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from idstorm.record.files import loads

OTHERS = "others"
"""The name of further kinds of error, once a client has as many as it keeps."""

_LONGEST_NAME, _LONGEST_MESSAGE, _LONGEST_SHOWN = (
    300,
    2_000,
    20_000,
)  # characters, of which free text may have any number
_CLASS_OF_A_DRIVER = re.compile(r"(?!(?:idstorm|python|sqlalchemy):)\w+:[A-Za-z_]\w*")
_CONFLICT = re.compile(r"\w+:(?:40001|40P01|1020|1205|1213|5|6|261|262|517) .*")
"""How older runs named unrecognised errors (after module and class), and operations that a race ended."""


KindOfError = tuple[str, bool, bool, bool]
"""The name of an error, and whether it was a refusal, the end of a race, recognised."""


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

    @property
    def kind(self) -> KindOfError:
        """What distinguishes it from other codes: everything except the text of its first error."""
        return self.name, self.refused, self.raced, self.recognised

    @property
    def among_others(self) -> Code:
        """The code that stands for all further kinds of error which mean the same for their operations."""
        return replace(self, name=OTHERS)

    @property
    def clipped(self) -> Code:
        """The code as a tape keeps it: the middle of long texts is cut out."""
        return replace(
            self,
            name=clip(self.name),
            message=clip(self.message, _LONGEST_MESSAGE),
            shown=clip(self.shown, _LONGEST_SHOWN),
        )

    @classmethod
    def from_line(cls, line: str) -> Code:
        """Return the code of a line. Raises ValueError, KeyError or TypeError for anything else.

        An older idstorm recorded less; the rest is inferred from the name.
        """
        entry: dict[str, Any] = loads(line)
        name = str(entry["code"])
        strange, conflict = _CLASS_OF_A_DRIVER.fullmatch(name), _CONFLICT.fullmatch(name)
        return cls(
            name,
            refused=bool(entry.get("refused")),
            raced=bool(entry.get("raced", conflict is not None)),
            recognised=bool(entry.get("recognised", strange is None)),
            message=str(entry.get("message", "")),
            shown=str(entry.get("shown", "")),
        )


def clip(text: str, longest: int = _LONGEST_NAME) -> str:
    """Return a text, with its middle cut out if it is longer than this."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} … {text[-half:]}"
