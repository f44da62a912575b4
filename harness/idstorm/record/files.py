"""Reading files from untrusted sources: only plain files, and none larger than idstorm writes.

`dumps` writes only JSON that `loads` accepts.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import Any

from idstorm.errors import UnreadableRun

LARGEST_JSON = 1 << 24  #: bytes of one file, of which Python makes some thirty times as much at worst
_LARGEST_NUMBER = 10**80  # no column holds as much
_MANY_DIGITS = re.compile(r"\d{81}")


def loads(text: str) -> Any:
    """Return what a JSON text says. Raises ValueError, also for what is nested too deeply, and for NaN and the like."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def dumps_line(data: Any) -> str:
    """Return data as one line of such JSON."""
    return json.dumps(json.loads(dumps(data)))


def dumps(data: Any) -> str:
    """Return data as JSON that `loads` reads.

    Values that JSON cannot hold become text, as do infinities, NaN and numbers that are too large: a server may have
    such a setting.
    """
    try:
        text = json.dumps(data, indent=1, default=str, allow_nan=False)
    except ValueError:
        text = ""
    if not text or _MANY_DIGITS.search(text):
        text = json.dumps(_as_text(data), indent=1, default=str, allow_nan=False)
    return text


def _as_text(data: Any) -> Any:
    """Return data with its unreadable numbers as text."""
    if isinstance(data, dict):
        return {_as_text(key): _as_text(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_as_text(one) for one in data]
    readable = not isinstance(data, int | float) or (isfinite(data) if isinstance(data, float) else _fits(data))
    return data if readable else str(data)


def _fits(number: int) -> bool:
    return abs(number) <= _LARGEST_NUMBER


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number of JSON")


def _integer(text: str) -> int:
    number = int(text)
    if not _fits(number):
        raise ValueError(f"{text[:20]}… is too large a number")
    return number


def read_text(path: Path, largest: int = LARGEST_JSON) -> str:
    """Return the text of a file. Raises OSError, and ValueError if it is larger than it can be."""
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"it is larger than {largest >> 20} MiB")
    return content.decode()


@contextmanager
def intact(path: Path) -> Iterator[None]:
    """Turn a ValueError, which a reader raises for what it does not expect, into an UnreadableRun that names the file.

    This is where the errors of all readers of one file's content leave for the user.
    """
    try:
        yield
    except ValueError as error:
        raise UnreadableRun(f"{path} is damaged: {error}") from error


def refuse_newer(path: Path, written: object, newest: int) -> None:
    """Raise UnreadableRun where a file has a format that this version does not know yet."""
    if not isinstance(written, int) or written > newest:
        raise UnreadableRun(f"{path} was written by a newer idstorm (format {written}): upgrade to read it")


def refuse_strange(folder: Path) -> None:
    """Raise UnreadableRun where a folder of a run, or what is directly in it, is a link, a pipe or a device.

    Opening one could block forever, or lead out of the run.
    """
    _refuse_other(folder, stat.S_ISDIR(folder.lstat().st_mode))
    with os.scandir(folder) as entries:
        for entry in entries:
            plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
            _refuse_other(Path(entry.path), plain)


def _refuse_other(path: Path, plain: bool) -> None:
    if not plain:
        raise UnreadableRun(f"{path} is a link, a pipe or a device: a run has only files and folders")
