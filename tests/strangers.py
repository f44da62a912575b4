"""What a stranger may have done to a run before he sent it, and what `check` makes of it."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from idstorm.commands.check import check
from idstorm.errors import UnreadableRun
from idstorm.findings.verdict import Report
from idstorm.report import terminal
from idstorm.report.github import workflow_commands
from idstorm.report.junit import junit
from idstorm.report.markdown import markdown
from idstorm.report.text import visible

Places = tuple[str | int, ...]


def sentence_of(folder: Path) -> str | None:
    """Judge a run and show it in every way. Returns why it is unreadable, in one line; None: it could be judged.

    Any other error is one of idstorm's own, as is a check that crashed or a text that a terminal would act upon.
    """
    try:
        report = check(folder)
    except UnreadableRun as error:
        return visible(str(error))
    crashed = [verdict.reason for storm in report.storms for verdict in storm.verdicts.values() if verdict.crashed]
    assert not crashed, crashed[0]
    for shown in _shown(report):
        assert shown == visible(shown), shown
    return None


def _shown(report: Report) -> Iterator[str]:
    out = StringIO()
    terminal.show(Console(file=out, width=100, highlight=False, emoji=False, markup=False), report, verbose=True)
    yield out.getvalue()
    yield from (junit(report), markdown(report), *workflow_commands(report))
    yield json.dumps(report.to_json(), default=str)


def places_of(data: Any, at: Places = ()) -> list[Places]:
    """Return where each value of a piece of JSON is."""
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [at, *(place for key, one in inner for place in places_of(one, (*at, key)))]


def with_value(data: Any, place: Places, value: Any) -> Any:
    """Return a piece of JSON with another value in one place."""
    if not place:
        return value
    copied: Any = dict(data) if isinstance(data, dict) else list(data)
    copied[place[0]] = with_value(copied[place[0]], place[1:], value)
    return copied


def members_of(path: Path) -> dict[str, bytes]:
    """Return what an archive holds."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_archive(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, level: int = 1) -> None:
    """Write an archive anew."""
    with zipfile.ZipFile(path, "w", method, compresslevel=level) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def change_about(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what an archive says of itself."""
    members = members_of(path)
    about = json.loads(members["about.json"])
    change(about)
    write_archive(path, {**members, "about.json": json.dumps(about).encode()})


def change_json(path: Path, *places_and_values: Any) -> None:
    """Put other values into a file: `change_json(path, ("fleet", "batch"), 10**9)`."""
    data = json.loads(path.read_text())
    for place, value in zip(places_and_values[::2], places_and_values[1::2], strict=True):
        data = with_value(data, place, value)
    path.write_text(json.dumps(data))


def encrypt(path: Path) -> None:
    """Set the flags that say that each member is encrypted."""
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            struct.pack_into("<H", content, at + offset, struct.unpack_from("<H", content, at + offset)[0] | 1)
    path.write_bytes(content)


def put_instead(path: Path, what: str) -> None:
    """Put a link, a pipe, a device or a folder where a file was."""
    content = path.parent / "elsewhere"
    shutil.move(path, content)
    match what:
        case "link":
            path.symlink_to(content)
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "socket":
            os.mknod(path, 0o140600)
        case _:
            path.mkdir()
