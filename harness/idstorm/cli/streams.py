"""What is printed, on streams whose encoding need not have the characters that idstorm uses.

A run that passed must not end as a bug because a terminal is Latin-1. A character that the encoding does not have is
printed as one that it has, or, where it comes from the user, written out as in `\\u20ac`.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import nullcontext, suppress
from typing import Any, TextIO

import click

_PLAIN = {"✓": "+", "✗": "x", "–": "-", "…": "...", "·": "|", "×": "x", "─": "-", "│": "|", "├": "+", "└": "+"}
_BRAILLE = range(0x2800, 0x2900)  # of which rich makes its spinner
_HANDLER = "idstorm.plain"
_DEFAULTS = ("strict", "surrogateescape", "backslashreplace")  # of Python: any other handler is a user's own wish


def spare_the_streams() -> None:
    """Let stdout and stderr replace what they cannot encode, instead of raising an error; closed ones lead nowhere.

    A file that is opened later would get the number of a stream that is closed, and what is printed.
    """
    while (nowhere := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(nowhere)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
    codecs.register_error(_HANDLER, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in _DEFAULTS:
            stream.reconfigure(errors=_HANDLER)


def say(text: str, *, err: bool = False) -> None:
    """Print a line; on stderr, if it can be. Raises OSError where stdout cannot be written.

    `click.echo` by itself would write UTF-8 where the stream is said to be ASCII.
    """
    with suppress(OSError) if err else nullcontext():
        click.echo(text, file=sys.stderr if err else sys.stdout)


class Unminded:
    """A stream of which nobody minds whether it can be written: no storm ends because a terminal has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def lose_stdout() -> None:
    """Let what is still buffered for stdout go nowhere: Python would end with an error of its own because of it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_written_out, error.object[error.start : error.end])), error.end


def _written_out(character: str) -> str:
    if ord(character) in _BRAILLE:
        return "*"
    return _PLAIN.get(character) or character.encode("ascii", "backslashreplace").decode()
