"""Reading files that a stranger may have sent: plain ones alone, and no more of them than idstorm would write."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from idstorm.errors import UnreadableRun

LARGEST_JSON = 1 << 24  #: bytes of one file, of which Python makes some thirty times as much at worst
_LARGEST_NUMBER = 10**80  # no column holds as much


def loads(text: str) -> Any:
    """Return what a JSON text says. Raises ValueError, also for what is nested too deeply, and for NaN and the like."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def _integer(text: str) -> int:
    number = int(text)
    if abs(number) > _LARGEST_NUMBER:
        raise ValueError(f"{text[:20]}… is too large a number")
    return number


def read_text(path: Path, largest: int = LARGEST_JSON) -> str:
    """Return the text of a file. Raises OSError or ValueError, also where it is larger than it can be."""
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it is larger than {largest >> 20} MiB")
    return content.decode()


def refuse_strange(folder: Path) -> None:
    """Raise UnreadableRun where a folder of a run, or what is directly in it, is a link, a pipe or a device.

    To open one may wait for ever, or lead out of the run.
    """
    _refuse_other(folder, stat.S_ISDIR(folder.lstat().st_mode))
    with os.scandir(folder) as entries:
        for entry in entries:
            plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
            _refuse_other(Path(entry.path), plain)


def _refuse_other(path: Path, plain: bool) -> None:
    if not plain:
        raise UnreadableRun(f"{path} is a link, a pipe or a device: a run has files and folders alone")
